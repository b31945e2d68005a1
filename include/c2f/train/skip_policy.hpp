// c2f/train/skip_policy.hpp: decides on the device whether a training step is skipped, and words the error after too many skipped steps.
//
//   c2f::step_outcome const outcome = c2f::detail::empty_outcome(losses.numel(), losses.options());
//   c2f::detail::decide_step(norm, losses, clip, outcome);       // outcome.skip, .scale, .result
//
// A step is skipped if a loss or the norm of all gradients is not finite: parameters, optimiser state, running statistics and the moving
// average keep their values bit for bit. The decision and the factor of gradient clipping are tensors, so the host does not wait for them.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/visit.hpp>
#include <c2f/execution/try_fused.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/optimizer.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstdint>
#include <string>

namespace c2f::detail {

/// The output tensors of decide_step for `losses` losses; `doubles` are options with device and type double.
[[nodiscard]] inline step_outcome empty_outcome(std::int64_t losses, at::TensorOptions const& doubles) {
  return {at::zeros({}, doubles.dtype(at::kFloat)), at::ones({}, doubles.dtype(at::kFloat)), at::zeros({losses + 1}, doubles)};
}

/// norm: [] double, of all gradients; losses: [L] double; clip: the largest norm, 0 for no clipping.
inline void decide_step(at::Tensor const& norm, at::Tensor const& losses, double clip, step_outcome const& to) {
  if (try_fused::decide_step(norm, losses, clip, to)) return;
  to.skip.copy_(at::cat({losses, norm.view({1})}).isfinite().all().logical_not());
  if (clip > 0) to.scale.copy_(optimizer::clipping(norm, clip));
  to.result.copy_(at::cat({losses, to.skip.view({1})}));
}

/// The path of the first tensor with a non-finite element, parameters before buffers; empty if all are finite.
inline std::string first_not_finite(any_network net) {
  for (bool const trained : {true, false}) {
    std::string found;
    for_each_tensor(net, [&](std::string const& path, state_tensor const& each, state_traits const& traits) {
      if (found.empty() && traits.trained == trained && !each.tensor().isfinite().all().item<bool>()) found = path;
    });
    if (!found.empty()) return found;
  }
  return {};
}

/// Throws not_finite with the reason why the last of `in_a_row` skipped steps was skipped, and a remedy. `optimizer` must have the
/// gradients of that step.
[[noreturn]] inline void throw_skipped(step_record const& at, std::int64_t in_a_row, any_network model, optimizer const& optimizer) {
  std::string what, path = first_not_finite(model);
  for (auto const& [name, value] : at.losses)
    if (what.empty() && !std::isfinite(value)) what = "the loss '" + name + "'";
  bool const loss = !what.empty();
  if (!loss) {
    std::string const parameter = optimizer.first_gradient_not_finite();  // on a GPU these may be the gradients of a later step
    what                        = parameter.empty() ? "a gradient" : "the gradient of '" + parameter + "'";
  }
  std::string const remedy = !loss          ? "lower the learning rate or clip the gradient"
                             : path.empty() ? "every parameter is finite, so look at the images and the loss"
                                            : "the first non-finite number of the model is in '" + path + "'; lower the learning rate";
  throw not_finite(what + " is not finite at epoch " + std::to_string(at.epoch) + ", step " + std::to_string(at.step) + " (" +
                   std::to_string(in_a_row) + " skipped in a row); " + remedy);
}

}  // namespace c2f::detail
