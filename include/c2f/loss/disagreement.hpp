// c2f/loss/disagreement.hpp: losses of two predictions for the same samples, none of which is the truth.
//
//   c2f::loss::disagreement(one, other)          // Jensen-Shannon divergence, in nats: 0 where both agree, at most ln 2
//   c2f::loss::soft_cross_entropy(one, other)    // H(softmax(one), softmax(other))
//
// Logits [N, K] of both -> a scalar, the mean over rows, in float. Gradients flow into both. The divergence is computed from logarithms, so
// that it has a gradient where a prediction is certain, too; metrics/divergence.hpp is for probabilities.
#pragma once

#include <ATen/core/Tensor.h>

namespace c2f::loss {

/// H(p, q) = -sum p log q of p = softmax(logits) and q = softmax(other).
[[nodiscard]] inline at::Tensor soft_cross_entropy(at::Tensor const& logits, at::Tensor const& other) {
  return logits.to(at::kFloat).softmax(1).mul(other.to(at::kFloat).log_softmax(1)).sum(1).mean().neg();
}
/// The mean over rows of the Jensen-Shannon divergence of two softmax distributions, from logits: differentiable at certainty, too.
[[nodiscard]] inline at::Tensor disagreement(at::Tensor const& one, at::Tensor const& other) {
  at::Tensor const log_p = one.to(at::kFloat).log_softmax(1), log_q = other.to(at::kFloat).log_softmax(1), p = log_p.exp(), q = log_q.exp(),
                   mean = p.add(q).div(2).clamp_min(1e-30).log();
  return p.mul(log_p.sub(mean)).add(q.mul(log_q.sub(mean))).sum(1).mean().div(2);
}

}  // namespace c2f::loss
