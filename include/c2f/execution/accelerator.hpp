// c2f/execution/accelerator.hpp: what a program may add to a training: a device, fused operations, and a way to record a step.
//
//   recipe.on(c2f::cuda::gpu());                 // c2f/cuda/gpu.hpp
//
// A step whose shapes do not change can be recorded once and repeated: then the host queues one thing a step instead of a thousand. What is
// recorded must not look at the host: numbers that change come from device memory (pass::device), and a part that needs the host says so
// (pass::on_host), in which case the steps are not recorded.
#pragma once

#include <c2f/execution/fused_operations.hpp>
#include <c2f/core/pass.hpp>

#include <c10/core/Device.h>
#include <c10/util/Exception.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace c2f {

/// Work on a device that can be repeated: on the same memory, with what is in it by then.
struct captured_graph {
  captured_graph()                                = default;
  captured_graph(captured_graph const&)            = delete;
  captured_graph& operator=(captured_graph const&) = delete;
  virtual ~captured_graph()                       = default;
  virtual void replay()                          = 0;
};

struct accelerator {
  at::Device device             = at::kCPU;
  fused_operations const* table = nullptr;
  /// Records what `work` queues in the current stream; it may be run before. nullptr: nothing is recorded.
  std::unique_ptr<captured_graph> (*capture)(std::function<void()> const& work){};
};

/// What recording gave: the work, or why there is none.
struct capture_result {
  std::unique_ptr<captured_graph> work{};
  std::string why{};
};

/// Records run(true). Before, run(recorded) is called a few times, so that libraries have chosen their algorithms; the last time as if it
/// were recorded, so that a part that works on the host is found before anything is.
template <class Run>
[[nodiscard]] capture_result warm_up_and_capture(accelerator const& on, Run run) {
  try {
    for (bool const captured : {false, false, true}) run(captured);
    return {on.capture([run] { run(true); })};
  } catch (needs_host const& part) {
    return {nullptr, part.what()};
  } catch (c10::Error const& error) {
    std::string const whole = error.what_without_backtrace();
    return {nullptr, whole.substr(0, whole.find('\n'))};
  }
}

}  // namespace c2f
