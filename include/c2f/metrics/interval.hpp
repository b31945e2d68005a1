// c2f/metrics/interval.hpp: a mean and its 95 % confidence interval.
//
//   auto const accuracy = c2f::metrics::mean_interval(accuracies);    // e.g. of 2,000 episodes
//   accuracy.mean, accuracy.half, accuracy.count;                     // 0.5621 +- 0.0083, n = 2000
//
// The interval is mean +- 1.96 s / sqrt(n), as few-shot classification reports it (e.g. Gidaris and Komodakis, CVPR 2018): the normal
// approximation. s is the standard deviation with n - 1 in the denominator. For n = 1 the interval is infinite.
//
// Error: input_error for an empty list.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include <c2f/core/errors.hpp>

namespace c2f::metrics {

/// A mean with the half-width of its 95 % confidence interval, in the unit of the values.
struct interval {
  double mean = 0, half = 0;  ///< the interval is mean - half ... mean + half
  std::int64_t count = 0;     ///< number of values
};

/// The mean of independent values with its confidence interval.
[[nodiscard]] inline interval mean_interval(std::span<double const> values) {
  if (values.empty()) throw input_error("the mean of no numbers was asked for; pass one or more");
  auto const n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (double const v : values) mean += v / n;
  for (double const v : values) squares += (v - mean) * (v - mean);
  double const half = values.size() == 1 ? std::numeric_limits<double>::infinity() : 1.96 * std::sqrt(squares / (n - 1) / n);
  return {mean, half, static_cast<std::int64_t>(values.size())};
}

}  // namespace c2f::metrics
