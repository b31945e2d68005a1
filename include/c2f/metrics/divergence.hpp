// c2f/metrics/divergence.hpp: how far distributions are from one another, such as the coarse answer and the fine one.
//
//   at::Tensor const apart = c2f::metrics::jensen_shannon({coarse.softmax(1), fine.softmax(1)});   // [N] or [N, H, W], in nats
//
// The Jensen-Shannon divergence: the entropy of the mean of the distributions less the mean of their entropies, over dimension 1. 0 where
// they are equal, log n where n distributions have nothing in common; cells with probability 0 count 0. Differentiable where no cell is 0.
#pragma once

#include <c2f/core/errors.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/xlogy.h>

#include <vector>

namespace c2f::metrics {

[[nodiscard]] inline at::Tensor jensen_shannon(std::vector<at::Tensor> const& distributions) {
  if (distributions.empty()) throw input_error("the divergence of no distributions was asked for; pass one or more");
  auto const entropy   = [](at::Tensor const& p, std::int64_t dim) { return at::xlogy(p, p).sum(dim).neg(); };
  at::Tensor const all = at::stack(distributions, 0);  // [n, N, K, ...]
  return entropy(all.mean({0}), 1).sub(entropy(all, 2).mean({0}));
}

}  // namespace c2f::metrics
