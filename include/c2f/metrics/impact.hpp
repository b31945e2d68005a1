// c2f/metrics/impact.hpp: which of its inputs a matrix uses.
//
//   at::Tensor const used = c2f::metrics::impact(coarse);                      // [Out, C] -> [C]: sum over i of |w_ij|
//   double const same = c2f::metrics::top_k_similarity(coarse, fine, 16);       // share of common inputs among the 16 of most impact
//
// Qiao et al., CVPR 2018: the impact I_j of channel j, and OS(a, b, k) = |top-k(I(a)) ∩ top-k(I(b))| / k, by which they compare
// a linear predictor of parameters with the classifier of the network. Two random orders have k / C on average. Ties go to the lower index.
//
// Error: input_error for matrices of other widths, and for a k that is not 1 ... C.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>

namespace c2f::metrics {

[[nodiscard]] inline at::Tensor impact(at::Tensor const& weight) { return weight.detach().abs().sum(0); }

namespace detail {
inline std::set<std::int64_t> most_used(at::Tensor const& weight, std::int64_t k) {
  at::Tensor const used = impact(weight).to(at::kCPU, at::kDouble).contiguous();
  double const* value   = used.const_data_ptr<double>();
  std::vector<std::int64_t> order(static_cast<std::size_t>(used.numel()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) { return value[a] > value[b]; });
  return {order.begin(), order.begin() + k};
}
}  // namespace detail

/// OS(a, b, k) of two matrices with the same number of columns.
[[nodiscard]] inline double top_k_similarity(at::Tensor const& a, at::Tensor const& b, std::int64_t k) {
  if (a.dim() != 2 || b.dim() != 2 || a.size(1) != b.size(1) || k < 1 || k > a.size(1))
    throw input_error("the " + std::to_string(k) + " inputs of most impact of two matrices were asked for, of " + c2f::detail::dims_of(a) +
                      " and " + c2f::detail::dims_of(b) + "; give both one number of columns, and a k from 1 to it");
  auto const one = detail::most_used(a, k), other = detail::most_used(b, k);
  std::int64_t both = 0;
  for (auto const j : one) both += static_cast<std::int64_t>(other.count(j));
  return static_cast<double>(both) / static_cast<double>(k);
}

}  // namespace c2f::metrics
