// c2f/metrics/divergence.hpp: the Jensen-Shannon divergence of distributions, such as the coarse and the fine prediction.
//
//   at::Tensor const apart = c2f::metrics::jensen_shannon({coarse.softmax(1), fine.softmax(1)});   // [N] or [N, H, W], in nats
//
// The entropy of the mean of n distributions minus the mean of their entropies, over dimension 1 (Lin, "Divergence measures based on the
// Shannon entropy", IEEE Trans. Inf. Theory 1991, with equal weights). 0 for equal distributions, log n for n with disjoint support.
// Probabilities of 0 contribute 0. Differentiable where all probabilities are positive.
//
// Error: input_error for an empty list.
#pragma once

#include <c2f/core/errors.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/xlogy.h>

#include <cstdint>
#include <vector>

namespace c2f::metrics {

/// n tensors [N, K, ...] of one shape, each summing to 1 over K -> [N, ...].
[[nodiscard]] inline at::Tensor jensen_shannon(std::vector<at::Tensor> const& distributions) {
  if (distributions.empty()) throw input_error("the divergence of no distributions was asked for; pass one or more");
  auto const entropy   = [](at::Tensor const& p, std::int64_t dim) { return at::xlogy(p, p).sum(dim).neg(); };
  at::Tensor const all = at::stack(distributions, 0);  // [n, N, K, ...]
  return entropy(all.mean({0}), 1).sub(entropy(all, 2).mean({0}));
}

}  // namespace c2f::metrics
