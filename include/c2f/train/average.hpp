// c2f/train/average.hpp: a moving average of tensors.
//
//   c2f::moving_average average({{from, to}});
//   average.update(c2f::moving_average::weight(recipe.ema(), iteration));      // to += weight * (from - to)
//
// What is not a floating-point number is copied where the weight is not 0. Cost: one pass over the numbers an update.
#pragma once

#include <c2f/train/recipe.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace c2f {

class moving_average {
 public:
  moving_average() = default;
  /// Pairs of (numbers, their average), of the same dimensions.
  explicit moving_average(std::vector<std::pair<at::Tensor, at::Tensor>> pairs) : pairs_(std::move(pairs)) {}

  /// How far the average moves towards the numbers after step `iteration`, from 0, as recipe.ema says; 0: not at all.
  [[nodiscard]] static double weight(recipe::ema_options const& options, std::int64_t iteration) {
    if (!options.on() || (iteration + 1) % options.every != 0) return 0;
    auto const k = static_cast<double>((iteration + 1) / options.every - 1);
    return 1 - std::min(options.decay, (1 + k) / (static_cast<double>(options.warm_up) + k));
  }

  void update(double weight) const {
    if (!pairs_.empty()) update(at::full({}, weight, at::TensorOptions(pairs_.front().first.device()).dtype(at::kDouble)));
  }
  /// The same with a weight that lies on the device.
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
