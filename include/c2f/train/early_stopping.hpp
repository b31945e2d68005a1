// c2f/train/early_stopping.hpp: ends a training when a score has stopped improving, and keeps the best weights.
//
//   recipe.stop_early({.score = "fine top1", .patience = 10});         // data with a validation split, or the test split decides
//   auto const report = c2f::fit(model, data, recipe);
//   auto const kept   = report.epochs[report.best].scores;             // those of the weights that are in the model now
//
// After `patience` epochs in a row without an improvement by more than `threshold` the training ends. Whether it ends early or after its last
// epoch, fit then puts the weights of the best epoch into the model (with recipe.ema(), their average), and scores the test split with them.
// Which epoch is the best follows from the scores alone, and checkpoints hold its weights, so that a training can be resumed at any moment.
// A score that is NaN is no improvement; where all are, the training is a c2f::not_finite and no success. Higher is better, or lower for the
// metrics that the kind's score says are errors (K::score::lower_is_better).
//
// Cost: a copy of the model. Errors: input_error before the first step for a score that does not exist.
#pragma once

#include <c2f/train/observer.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>

namespace c2f {

struct early_stopping {
  std::string score{};         ///< "STAGE METRIC" of the report, such as "fine top1"; empty: the primary metric of the last stage
  std::int64_t patience = 10;  ///< in epochs
  double threshold      = 0;   ///< an improvement is by more than this
  std::optional<bool> lower_is_better{};  ///< of a metric of your own; else as the kind's score says

  /// Higher is better: an error is negated.
  [[nodiscard]] double gain_of(epoch_record const& epoch) const {
    bool const primary = score.empty() && !epoch.scores.empty() && !epoch.scores.back().values.empty();
    auto found = detail::score_of(epoch, primary ? epoch.scores.back().stage + ' ' + epoch.scores.back().values.front().first : score,
                                  "the training is stopped early");
    found.lower_is_better = lower_is_better.value_or(found.lower_is_better);
    return found.gain();
  }
  /// The best epoch, from 0; -1 if there is none.
  [[nodiscard]] std::int64_t best_of(std::span<epoch_record const> completed) const {
    double highest    = -std::numeric_limits<double>::infinity();
    std::int64_t best = -1;
    for (std::size_t i = 0; i < completed.size(); ++i)
      if (double const value = gain_of(completed[i]); value > highest + (best < 0 ? 0 : threshold)) {
        highest = value;
        best    = static_cast<std::int64_t>(i);
      }
    return best;
  }
  [[nodiscard]] bool stops_after(std::span<epoch_record const> completed) const {
    return std::ssize(completed) - 1 - best_of(completed) >= patience;
  }
};

}  // namespace c2f
