// c2f/train/average.hpp: the exponential moving average of tensors.
//
//   c2f::moving_average average({{from, to}});
//   average.update(c2f::moving_average::weight(recipe.ema(), iteration));      // to += weight * (from - to)
//
// Integer tensors are copied if the weight is not 0. Cost: one pass over the elements per update. Errors: none.
#pragma once

#include <c2f/train/recipe.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace c2f {

/// Averages of tensors, updated in place.
class moving_average {
 public:
  moving_average() = default;
  /// Pairs of (tensor, its average), of the same shape.
  explicit moving_average(std::vector<std::pair<at::Tensor, at::Tensor>> pairs) : pairs_(std::move(pairs)) {}

  /// The weight 1 - d of the update after step `iteration`, which counts from 0 (recipe::ema_options); 0: no update.
  [[nodiscard]] static double weight(recipe::ema_options const& options, std::int64_t iteration) {
    if (!options.on() || (iteration + 1) % options.every != 0) return 0;
    auto const k = static_cast<double>((iteration + 1) / options.every - 1);
    return 1 - std::min(options.decay, (1 + k) / (static_cast<double>(options.warm_up) + k));
  }

  void update(double weight) const {
    if (!pairs_.empty()) update(at::full({}, weight, at::TensorOptions(pairs_.front().first.device()).dtype(at::kDouble)));
  }
  /// The same with a weight [] on the device of the tensors.
  void update(at::Tensor const& weight) const {
    at::NoGradGuard const no_gradients;
    for (auto const& [from, to] : pairs_) {
      if (to.is_floating_point())
        to.lerp_(from, weight.to(to.scalar_type()));
      else
        to.copy_(at::where(weight.ne(0), from, to));
    }
  }

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> pairs_;
};

}  // namespace c2f
