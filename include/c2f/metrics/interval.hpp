// c2f/metrics/interval.hpp: the mean of some numbers and how sure it is.
//
//   auto const accuracy = c2f::metrics::mean_interval(accuracies);    // of 2,000 episodes, say
//   accuracy.mean, accuracy.half, accuracy.count                      // 0.5621 +- 0.0083, n = 2000
//
// The 95 % interval is mean +- 1.96 s / sqrt(n), as few-shot classification reports it (e.g. Gidaris and Komodakis, CVPR 2018): the normal
// approximation. s is the standard deviation with n - 1, of which one number has none: its interval is infinite.
//
// Errors: input_error for no numbers.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include <c2f/core/errors.hpp>

namespace c2f::metrics {

struct interval {
  double mean = 0, half = 0;  ///< 95 %: from mean - half to mean + half
  std::int64_t count = 0;     ///< of how many numbers
};

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
