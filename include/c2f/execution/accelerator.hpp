// c2f/execution/accelerator.hpp: a device with its fused operations and its graph capture, for training and inference.
//
//   recipe.on(c2f::cuda::gpu());                 // c2f/cuda/gpu.hpp
//
// A step whose shapes do not change can be captured into a graph once and replayed: the host then launches one graph per step instead of
// about a thousand kernels. Captured work must not read from the host: values that change are in device memory (pass::device), and a
// part that needs the host calls pass::requires_host, in which case steps are not captured.
#pragma once

#include <c2f/execution/fused_operations.hpp>
#include <c2f/core/libtorch_error.hpp>
#include <c2f/core/pass.hpp>

#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace c2f {

/// Captured device work. replay() runs it again on the same memory, with its current contents.
struct captured_graph {
  captured_graph()                                 = default;
  captured_graph(captured_graph const&)            = delete;
  captured_graph& operator=(captured_graph const&) = delete;
  virtual ~captured_graph()                        = default;
  virtual void replay()                            = 0;
};

/// Where and how to compute. The default is the CPU without fused operations and without capture. Copyable; owns nothing.
/// c2f::cuda::gpu() throws c2f::input_error if there is no such GPU.
struct accelerator {
  at::Device device             = at::kCPU;
  fused_operations const* table = nullptr;  ///< nullptr: no fused operations
  /// Captures the device work that `work` submits to the current stream; may run `work` once before. nullptr: no capture.
  std::unique_ptr<captured_graph> (*capture)(std::function<void()> const& work){};
};

/// A captured graph, or the reason why there is none.
struct capture_result {
  std::unique_ptr<captured_graph> work{};
  std::string why{};  ///< empty if the capture succeeded
};

/// Captures run(true), where run's argument says whether a capture is running. First it warms up: run(false) twice, so that libraries
/// choose their algorithms, then run(true) without a capture, so that a part that needs the host is found first.
/// Errors: a part that needs the host and a LibTorch error are returned in `why`.
template <class Run>
[[nodiscard]] capture_result warm_up_and_capture(accelerator const& on, Run run) {
  try {
    for (bool const captured : {false, false, true}) run(captured);
    return {on.capture([run] { run(true); })};
  } catch (needs_host const& part) {
    return {nullptr, part.what()};
  } catch (libtorch_error const& error) {
    try {
      std::rethrow_if_nested(error);
    } catch (c10::Error const& nested) {
      return {nullptr, detail::first_line(nested)};
    }
    return {nullptr, error.what()};
  } catch (c10::Error const& error) {
    return {nullptr, detail::first_line(error)};
  }
}

}  // namespace c2f
