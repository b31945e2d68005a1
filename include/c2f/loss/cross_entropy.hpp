// c2f/loss/cross_entropy.hpp: the negative log-likelihood of the true class, mean over the batch.
//
//   c2f::loss::cross_entropy::of(logits, truth);       // logits [N, K], truth [N] int64 -> a scalar, in nats
//
// For kinds whose raw output is a vector of class logits (`serves`); loss/masked_cross_entropy.hpp is for maps. A sample with truth -100 is
// ignored; a batch of only such samples has loss 0 and gradient 0. A truth may be [N, K] float, how much each class of a sample counts: the
// loss is the sum of -truth * log softmax, divided by the sum of the truths. Computed in float for every element type of the logits.
#pragma once

#include <c2f/execution/try_fused.hpp>
#include <c2f/core/kind.hpp>

#include <ATen/ops/cross_entropy_loss.h>

#include <cstdint>

namespace c2f::loss {

namespace detail {
/// truth * log softmax, [N, K]; 0 where the truth is, also for a class that a logit of -infinity excludes.
inline at::Tensor weighed_likelihood(at::Tensor const& logits, at::Tensor const& truth) {
  return logits.to(at::kFloat).log_softmax(1).masked_fill(truth.eq(0), 0).mul(truth);
}
}  // namespace detail

struct cross_entropy {
  template <class Kind>
  static constexpr bool serves = distribution<Kind> && vector_shape<typename Kind::template output<image<1, dynamic, dynamic>>>;
  static at::Tensor of(at::Tensor const& logits, at::Tensor const& truth) {
    if (truth.is_floating_point()) return detail::weighed_likelihood(logits, truth).sum().div(truth.sum().clamp_min(1e-12)).neg();
    if (at::Tensor loss = try_fused::map_cross_entropy(logits, truth, no_class); loss.defined()) return loss;
    at::Tensor const loss = at::cross_entropy_loss(logits.to(at::kFloat), truth, {}, at::Reduction::Mean, no_class);
    return loss.masked_fill(truth.eq(no_class).all(), 0);  // the mean of no samples is NaN
  }

  static constexpr std::int64_t no_class = -100;  ///< the truth of a sample that is ignored
};

}  // namespace c2f::loss
