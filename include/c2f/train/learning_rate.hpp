// c2f/train/learning_rate.hpp: schedules of the learning rate, for recipe.decay(...).
//
//   recipe.decay(c2f::decay::cosine{});                                                // from the learning rate to 0 over the training
//   recipe.decay(c2f::decay::cosine{.floor = 0.01, .period = 0.1, .multiplier = 2});   // with warm restarts, SGDR
//   recipe.decay(c2f::decay::polynomial{.power = 0.9});
//   recipe.decay(c2f::decay::plateau{.score = "fine top1", .factor = 0.5, .patience = 5});
//
// A decay is a factor of recipe.learning_rate(), from 1 down to `floor`. It is multiplied with the factors of later milestones and of the
// warm-up. cosine and polynomial are functions of the fraction of the steps that is done (progress::fraction), so they change every step
// and a shorter training has the same curve; the steps of the warm-up count. plateau is a function of the scores of the completed epochs,
// so it changes between epochs. None of them has a state that a checkpoint would have to store.
//
// Cost: a few operations a step; plateau: one comparison for each completed epoch. Errors: c2f::input_error for a value out of range
// (recipe.decay), and for a plateau whose score does not exist.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/train/observer.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <optional>

namespace c2f::decay {

/// floor + (1 - floor) * (1 + cos(pi * x)) / 2, where x rises from 0 to 1 in each period: torch.optim.lr_scheduler.CosineAnnealingLR, and
/// with a period below 1 CosineAnnealingWarmRestarts. Loshchilov and Hutter, "SGDR", ICLR 2017, eq. 5.
struct cosine {
  double floor      = 0;  ///< the smallest factor
  double period     = 1;  ///< the length of the first period, as a fraction of the training
  double multiplier = 1;  ///< each period is so many times as long as the one before
  [[nodiscard]] double factor_at(double fraction) const {
    constexpr double rounding = 1e-9;  // a restart is never a step late
    double x = std::clamp(fraction, 0.0, 1.0) / period, length = 1;
    while (x >= length - rounding && period < 1) {
      x -= length;
      length *= multiplier;
    }
    return floor + (1 - floor) * (1 + std::cos(std::numbers::pi * std::max(x, 0.0) / length)) / 2;
  }
};

/// floor + (1 - floor) * (1 - fraction)^power: torch.optim.lr_scheduler.PolynomialLR; the "poly" schedule of DeepLab has power .9.
struct polynomial {
  double power = 1;
  double floor = 0;  ///< the smallest factor
  [[nodiscard]] double factor_at(double fraction) const {
    return floor + (1 - floor) * std::pow(1 - std::clamp(fraction, 0.0, 1.0), power);
  }
};

/// Times `factor` whenever `score` has not improved for more than `patience` epochs: torch.optim.lr_scheduler.ReduceLROnPlateau with
/// mode="max", or "min" for an error, and threshold_mode="abs". A score that is NaN is no improvement.
struct plateau {
  std::string score;  ///< "STAGE METRIC" of the report, such as "fine top1"; of an error, such as "fine mae", lower is better
  double factor         = 0.1;
  std::int64_t patience = 10;
  double threshold      = 1e-4;  ///< an improvement is by more than this
  double floor          = 0;     ///< the smallest product of the factors
  /// Higher is better: an error is negated.
  [[nodiscard]] double gain_of(epoch_record const& epoch) const {
    return c2f::detail::score_of(epoch, score, "the learning rate is reduced").gain();
  }
  [[nodiscard]] double factor_after(std::span<epoch_record const> completed) const {
    double product = 1, best = -std::numeric_limits<double>::infinity();
    std::int64_t without = 0;
    for (auto const& epoch : completed) {
      if (double const value = gain_of(epoch); value > best + threshold) {
        best    = value;
        without = 0;
      } else if (++without > patience) {
        product = std::max(floor, product * factor);
        without = 0;
      }
    }
    return product;
  }
};

/// The decay of a recipe.
struct any {
  std::optional<decay::cosine> cosine{};
  std::optional<decay::polynomial> polynomial{};
  std::optional<decay::plateau> plateau{};
};

}  // namespace c2f::decay
