// c2f/loss/cross_entropy_with.hpp: cross-entropies with label smoothing and class weights.
//
//   using loss = c2f::loss::cross_entropy_with<0.1>;                                         // label smoothing
//   using loss = c2f::loss::cross_entropy_with<0.0, std::array{1.0, 2.0, 0.5}>;              // a weight for each of three classes
//   using loss = c2f::loss::masked_cross_entropy_with<0.1, std::array{0.3, 1.0, 3.0}>;       // of maps; label 255 is ignored
//
// As torch.nn.functional.cross_entropy with `label_smoothing`, `weight` and reduction="mean". With e the smoothing, K classes, w the
// weights (or 1) and p the softmax, the loss of a sample with class y is
//   -(1 - e) w_y log p_y - e / K * (sum over classes c of w_c log p_c)
// and the loss of a batch is the sum over samples (or pixels) divided by the sum of their w_y. Ignored samples and pixels count in neither
// sum. Where the sum of the w_y is 0, loss and gradient are 0. c2f::dense<1> has two classes, background and object, with logits 0 and raw.
//
// A truth of vectors may be [N, K] float, how much each class of a sample counts (loss/cross_entropy.hpp): its loss is the mean of the
// losses of its labels, each label counting as often as its number says, so a one-hot truth has the loss of its label. That is
//   -sum(w_c t'_c log p_c) / sum(w_c t_c),  t'_c = (1 - e) t_c + e / K * (the sum of the sample's t)
// over samples and classes. PyTorch divides the losses of such truths by N, whatever the weights; here as for labels, so that mixing labels
// (data/mixed.hpp) does not change the scale of the loss.
//
// Computed in float for every element type of raw. Cost: that of the cross-entropy in ATen and one more copy of the log-probabilities;
// there is no fused operation. The weights are copied to each device once.
// Errors: a smoothing or weights out of range, or another number of weights than the kind has classes, is a compile error.
#pragma once

#include <c2f/core/static_check.hpp>
#include <c2f/loss/cross_entropy.hpp>
#include <c2f/loss/masked_cross_entropy.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

namespace c2f::loss {

/// Every class has the weight 1.
using unweighted = std::array<double, 0>;

namespace detail {

template <auto Smoothing, auto Weights>
consteval bool check_smoothing() {
  bool fits = Weights.empty();
  for (auto const each : Weights) fits = fits || each > 0;
  for (auto const each : Weights) fits = fits && each >= 0;
  return fits && Smoothing >= 0 && Smoothing <= 1;
}
template <auto Smoothing, auto Weights>
consteval bool check_smoothing_and_weights() {
  static_assert(check_smoothing<Smoothing, Weights>(),
                "a cross-entropy needs a label smoothing from 0 to 1 and class weights of 0 or more, not all 0; write "
                "c2f::loss::cross_entropy_with<0.1, std::array{1.0, 2.0, 0.5}>");
  return true;
}

/// Whether `Plain` serves the kind; a compile error if it does and the number of weights is wrong.
template <class Plain, class Kind, std::size_t Weights>
consteval bool serves_with_weights() {
  if constexpr (!Plain::template serves<Kind>) {
    return false;
  } else {
    constexpr std::int64_t classes = [] {
      if constexpr (requires { Kind::labels; })
        return Kind::labels;
      else
        return Kind::classes;
    }();
    static_assert(
        Weights == 0 || (Weights == classes || mismatch<got<std::array<double, Weights>>, wanted<Kind>>),
        "the task's loss has not one class weight for each class; write a std::array with as many numbers as the kind has classes "
        "(two for c2f::dense<1>)");
    return true;
  }
}

/// The weights, [K] float; undefined if there are none.
template <auto Weights>
at::Tensor tensor_of([[maybe_unused]] at::Device device) {
  if constexpr (Weights.empty()) {
    return {};
  } else {
    // Copied to each device once, since a copy from host memory is not captured, and never freed, since captured graphs read it.
    static std::mutex mutex;
    static auto& made = *new std::vector<at::Tensor>;
    std::lock_guard const lock(mutex);
    for (auto const& each : made)
      if (each.device() == device) return each;
    std::vector<float> const values(Weights.begin(), Weights.end());
    return made.emplace_back(at::tensor(values).to(device));
  }
}

/// logits [N, K, ...] with K of 2 or more, truth [N, ...]; or logits [N, K] and truth [N, K] float.
template <auto Smoothing, auto Weights>
at::Tensor smoothed_cross_entropy(at::Tensor const& logits, at::Tensor const& truth, std::int64_t ignore) {
  at::Tensor const weights = tensor_of<Weights>(logits.device());
  if (truth.is_floating_point()) {
    constexpr double smoothing = Smoothing;
    auto const weighed         = [&](at::Tensor const& counts) { return weights.defined() ? counts.mul(weights) : counts; };
    at::Tensor const smoothed =
        smoothing == 0 ? truth
                       : truth.mul(1 - smoothing).add(truth.sum(1, /*keepdim=*/true), smoothing / static_cast<double>(truth.size(1)));
    return weighed_likelihood(logits, weighed(smoothed)).sum().div(weighed(truth).sum().clamp_min(1e-12)).neg();
  }
  at::Tensor const counted = truth.ne(ignore);
  at::Tensor const sum     = at::cross_entropy_loss(logits.to(at::kFloat), truth, weights.defined() ? std::optional(weights) : std::nullopt,
                                                    at::Reduction::Sum, ignore, static_cast<double>(Smoothing));
  at::Tensor const total   = weights.defined() ? weights.take(truth.mul(counted)).mul(counted).sum() : counted.sum();
  at::Tensor const nothing = total.eq(0);
  return sum.masked_fill(nothing, 0).div(total.add(nothing));
}

}  // namespace detail

/// loss::cross_entropy with label smoothing and, if `Weights` is not empty, class weights.
template <auto Smoothing, auto Weights = unweighted{}>
struct cross_entropy_with : c2f::detail::static_check<detail::check_smoothing_and_weights<Smoothing, Weights>()> {
  template <class Kind>
  static constexpr bool serves = detail::serves_with_weights<cross_entropy, Kind, Weights.size()>();
  static at::Tensor of(at::Tensor const& logits, at::Tensor const& truth) {
    return detail::smoothed_cross_entropy<Smoothing, Weights>(logits, truth, cross_entropy::no_class);
  }
};

/// loss::masked_cross_entropy<Ignore> with label smoothing and, if `Weights` is not empty, class weights.
template <auto Smoothing, auto Weights = unweighted{}, std::int64_t Ignore = 255>
struct masked_cross_entropy_with : c2f::detail::static_check<detail::check_smoothing_and_weights<Smoothing, Weights>()> {
  template <class Kind>
  static constexpr bool serves = detail::serves_with_weights<masked_cross_entropy<Ignore>, Kind, Weights.size()>();
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    return detail::smoothed_cross_entropy<Smoothing, Weights>(raw.size(1) == 1 ? at::cat({at::zeros_like(raw), raw}, 1) : raw, truth,
                                                              Ignore);
  }
};

}  // namespace c2f::loss
