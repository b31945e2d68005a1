// c2f/train/average.hpp: a moving average of tensors.
//
//   c2f::moving_average average(recipe.ema(), from, to);
//   average.update(0);                                   // to += (1 - d) * (from - to), d as recipe.ema says
//
// Cost: one pass over the numbers an update. What is not a floating-point number is copied.
#pragma once

#include <c2f/train/recipe.hpp>
#include <c2f/train/state.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_lerp.h>

#include <algorithm>

namespace c2f {

class moving_average {
 public:
  /// Both have the same tensors in the same order.
  moving_average(recipe::ema_options const& options, named_tensors const& from, named_tensors const& to) : options_(options) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      bool const floating = from[i].second.is_floating_point();
      (floating ? from_ : copied_from_).push_back(from[i].second);
      (floating ? to_ : copied_to_).push_back(to[i].second);
    }
  }

  /// After step `iteration`, from 0.
  void update(std::int64_t iteration) {
    if ((iteration + 1) % options_.every != 0) return;
    at::NoGradGuard const no_gradients;
    auto const k       = static_cast<double>((iteration + 1) / options_.every - 1);
    double const decay = std::min(options_.decay, (1 + k) / (static_cast<double>(options_.warm_up) + k));
    if (!to_.empty()) at::_foreach_lerp_(to_, from_, 1 - decay);
    for (std::size_t i = 0; i < copied_to_.size(); ++i) copied_to_[i].copy_(copied_from_[i]);
  }

 private:
  recipe::ema_options options_;
  std::vector<at::Tensor> from_, to_, copied_from_, copied_to_;
};

}  // namespace c2f
