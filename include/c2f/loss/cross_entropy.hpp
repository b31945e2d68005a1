// c2f/loss/cross_entropy.hpp: the negative log-likelihood of the true class, mean over the batch.
//
//   c2f::loss::cross_entropy::of(logits, truth)        logits [N, K], truth [N] int64 -> a scalar, in nats
//
// For kinds whose answer is a vector of classes (`serves`); loss/masked_cross_entropy.hpp is for maps. Computed in float whatever the
// logits' number type.
#pragma once

#include <c2f/core/kind.hpp>

#include <ATen/ops/cross_entropy_loss.h>

namespace c2f::loss {

struct cross_entropy {
  template <class Kind>
  static constexpr bool serves = distribution<Kind> && vector_shape<typename Kind::template output<image<1, dynamic, dynamic>>>;
  static at::Tensor of(at::Tensor const& logits, at::Tensor const& truth) { return at::cross_entropy_loss(logits.to(at::kFloat), truth); }
};

}  // namespace c2f::loss
