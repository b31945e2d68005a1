// Trainings whose steps are run as they are, or captured and replayed: on a GPU as a CUDA graph. On the CPU a replay calls the work again;
// in a captured pass the numbers of the host are NaN and random choices on the host are refused, so a test there also finds numbers that a
// capture would have frozen. (Norms count their calls on the host; on the CPU every replay counts once more.)
#pragma once

#include <c2f/execution/accelerator.hpp>
#include <c2f/train/recipe.hpp>

#include <utility>
#include <vector>

#include "device.hpp"

#ifdef C2F_WITH_CUDA
#include <c2f/cuda/gpu.hpp>
#endif

namespace tests {

inline int captures = 0, replays = 0;

/// A replay calls the work again.
struct replay_by_call : c2f::captured_graph {
  explicit replay_by_call(std::function<void()> what) : work(std::move(what)) {}
  void replay() override {
    ++replays;
    work();
  }
  std::function<void()> work;
};
inline std::unique_ptr<c2f::captured_graph> capture_as_call(std::function<void()> const& work) {
  ++captures;
  return std::make_unique<replay_by_call>(work);
}
inline std::unique_ptr<c2f::captured_graph> capture(std::function<void()> const& work) {
#ifdef C2F_WITH_CUDA
  if (on_gpu()) {
    std::shared_ptr<c2f::captured_graph> const graph = c2f::cuda::capture(work);
    ++captures;  // only where CUDA's capture succeeded
    return std::make_unique<replay_by_call>([graph] { graph->replay(); });
  }
#endif
  return capture_as_call(work);
}

/// Fused operations on a GPU, the definitions on the CPU.
inline c2f::fused_operations const* table() { return on_gpu() ? &c2f::cuda::fused : nullptr; }
inline c2f::accelerator capturing_accelerator(c2f::fused_operations const* with = table()) { return {device(), with, &capture}; }

inline c2f::recipe::settings on_device(c2f::recipe::settings recipe, c2f::accelerator const& with) {
  return recipe.on(with).deterministic(on_gpu());
}
/// A training whose steps are not captured.
inline c2f::recipe::settings uncaptured(c2f::recipe::settings const& recipe) { return on_device(recipe, {device(), table(), nullptr}); }
/// A training whose steps are captured and replayed.
inline c2f::recipe::settings captured(c2f::recipe::settings const& recipe) { return on_device(recipe, capturing_accelerator()); }
/// The operations of captured(), but each replay calls them one by one.
inline c2f::recipe::settings captured_as_call(c2f::recipe::settings const& recipe) {
  return on_gpu() ? on_device(recipe, {device(), table(), &capture_as_call}) : uncaptured(recipe);
}
/// The ways to run a training on this device.
inline std::vector<c2f::recipe::settings (*)(c2f::recipe::settings const&)> variants() {
  if (on_gpu()) return {&uncaptured, &captured};
  return {&uncaptured};
}

}  // namespace tests
