// Trainings whose steps are run, and recorded and repeated, where the tests compute: on a GPU as a CUDA graph. On the CPU the work is
// called again; in recorded work the host's numbers are not numbers and its random choices are refused, so what a recording would have
// frozen shows there, too. (Norms count their calls on the host; on the CPU they count them once more with every repeat.)
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

inline int recordings = 0, repeats = 0;

struct called_again : c2f::captured_graph {
  explicit called_again(std::function<void()> what) : work(std::move(what)) {}
  void replay() override {
    ++repeats;
    work();
  }
  std::function<void()> work;
};
inline std::unique_ptr<c2f::captured_graph> call_again(std::function<void()> const& work) {
  ++recordings;
  return std::make_unique<called_again>(work);
}
inline std::unique_ptr<c2f::captured_graph> record(std::function<void()> const& work) {
#ifdef C2F_WITH_CUDA
  if (on_gpu()) {
    std::shared_ptr<c2f::captured_graph> const graph = c2f::cuda::capture(work);
    ++recordings;  // where CUDA recorded it
    return std::make_unique<called_again>([graph] { graph->replay(); });
  }
#endif
  return call_again(work);
}

/// Fused operations on a GPU. On the CPU the definitions.
inline c2f::fused_operations const* table() { return on_gpu() ? &c2f::cuda::fused : nullptr; }
inline c2f::accelerator recorder(c2f::fused_operations const* with = table()) { return {device(), with, &record}; }

inline c2f::recipe::settings there(c2f::recipe::settings recipe, c2f::accelerator const& with) {
  return recipe.on(with).deterministic(on_gpu());
}
/// A training with steps that are run, or recorded.
inline c2f::recipe::settings run(c2f::recipe::settings const& recipe) { return there(recipe, {device(), table(), nullptr}); }
inline c2f::recipe::settings captured(c2f::recipe::settings const& recipe) { return there(recipe, recorder()); }
/// The same operations as where they are recorded, called one by one.
inline c2f::recipe::settings called(c2f::recipe::settings const& recipe) {
  return on_gpu() ? there(recipe, {device(), table(), &call_again}) : run(recipe);
}
/// What the device is used by.
inline std::vector<c2f::recipe::settings (*)(c2f::recipe::settings const&)> ways() {
  if (on_gpu()) return {&run, &captured};
  return {&run};
}

}  // namespace tests
