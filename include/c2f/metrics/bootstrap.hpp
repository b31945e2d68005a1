// c2f/metrics/bootstrap.hpp: a 95 % interval of any statistic of samples, by the percentile bootstrap.
//
//   std::vector<double> const right{1, 0, 1, 1};
//   auto const mean   = [&](std::vector<std::size_t> const& chosen) { double sum = 0; for (auto i : chosen) sum += right[i] / 4; return sum; };
//   auto const within = c2f::metrics::bootstrap(right.size(), mean);
//   within.low, within.high;                        // the percentiles 2.5 and 97.5 of the mean over resamples
//
// Efron and Tibshirani 1993, section 13.3: n of the n samples are drawn with replacement, `resamples` times, by (seed, number of the resample),
// so the interval is the same in every run. It is the uncertainty of the choice of test samples, not that of a training.
// Cost: the statistic, `resamples` times. Values that are NaN are left out. Error: input_error for no samples.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>

namespace c2f::metrics {

struct bounds {
  double low = 0, high = 0;
};

/// statistic(std::vector<std::size_t> const& chosen): a number; chosen has n numbers from 0 to n - 1.
template <class Statistic>
[[nodiscard]] bounds bootstrap(std::size_t n, Statistic const& statistic, int resamples = 1000, std::uint64_t seed = 1) {
  if (n == 0) throw input_error("the interval of a statistic of no samples was asked for; pass one or more");
  std::vector<double> values;
  std::vector<std::size_t> chosen(n);
  for (int i = 0; i < resamples; ++i) {
    random_stream draw{seed, purpose::bootstrap, 0, static_cast<std::uint64_t>(i)};
    for (auto& each : chosen) each = draw.below(static_cast<std::uint32_t>(n));
    if (double const value = statistic(chosen); !std::isnan(value)) values.push_back(value);
  }
  if (values.empty()) return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  std::sort(values.begin(), values.end());
  auto const percentile = [&](double p) {  // between the two nearest, as numpy.percentile
    double const at  = p * static_cast<double>(values.size() - 1);
    auto const below = static_cast<std::size_t>(at);
    double const low = values[below], high = values[std::min(below + 1, values.size() - 1)];
    return low + (at - std::floor(at)) * (high - low);
  };
  return {percentile(.025), percentile(.975)};
}

}  // namespace c2f::metrics
