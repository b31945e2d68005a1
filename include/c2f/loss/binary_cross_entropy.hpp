// c2f/loss/binary_cross_entropy.hpp: the binary cross-entropy of independent yes-or-no attributes, mean over those that are known.
//
//   c2f::loss::binary_cross_entropy<>::of(raw, truth);                              // raw, truth [N, K] -> a scalar, in nats
//   using loss = c2f::loss::binary_cross_entropy<std::array{1.0, 20.0, 4.0}>;       // a weight for the yes of each of three attributes
//
// As torch.nn.functional.binary_cross_entropy_with_logits with `pos_weight`: with p the sigmoid of raw, y the truth and w the weights, the
// loss of an attribute is -(w y log p + (1 - y) log(1 - p)). A truth between 0 and 1 is a probability. An attribute whose truth is NaN is
// unknown and left out; a batch without a known one has loss 0 and gradient 0. Computed in float, or in double if raw is.
// For c2f::multi_label (`serves`). Errors: weights that are not above 0, or another number of them than of attributes, are a compile error.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/loss/cross_entropy_with.hpp>

#include <ATen/ops/binary_cross_entropy_with_logits.h>

#include <cstdint>

namespace c2f::loss {

namespace detail {

template <auto Weights>
consteval bool are_positive() {
  for (auto const each : Weights)
    if (!(each > 0)) return false;
  return true;
}
template <auto Weights>
consteval bool check_yes_weights() {
  static_assert(are_positive<Weights>(),
                "c2f::loss::binary_cross_entropy needs weights above 0 for the yes of each attribute; write "
                "c2f::loss::binary_cross_entropy<std::array{1.0, 20.0, 4.0}>");
  return true;
}
template <class Kind, std::size_t Weights>
consteval bool serves_attributes() {
  if constexpr (!requires { Kind::attributes; }) {
    return false;
  } else {
    static_assert(Weights == 0 || (Weights == Kind::attributes || mismatch<got<std::array<double, Weights>>, wanted<Kind>>),
                  "the task's loss has not one weight for each attribute; write a std::array with as many numbers as c2f::multi_label has "
                  "attributes");
    return true;
  }
}

}  // namespace detail

template <auto Weights = unweighted{}>
struct binary_cross_entropy : c2f::detail::static_check<detail::check_yes_weights<Weights>()> {
  template <class Kind>
  static constexpr bool serves = detail::serves_attributes<Kind, Weights.size()>();

  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    at::Tensor const x = raw.to(c2f::detail::wide(raw)), known = truth.eq(truth).to(x.scalar_type());  // NaN differs from itself
    at::Tensor weights = detail::tensor_of<Weights>(x.device());
    if (weights.defined()) weights = weights.to(x.scalar_type());
    at::Tensor const sum =
        at::binary_cross_entropy_with_logits(x, truth.to(x.scalar_type()).nan_to_num(0), known, weights, at::Reduction::Sum);
    return sum.div(known.sum().clamp_min(1));
  }
};

}  // namespace c2f::loss
