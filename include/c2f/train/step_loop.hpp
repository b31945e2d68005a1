// c2f/train/step_loop.hpp: the loop over the steps of an epoch, for fit, fine_tune and training on episodes.
//
//   std::int64_t skipped = 0;
//   c2f::detail::step_loop loop(training, &c2f::t_at<c2f::schedule::ramp<0.5, 98>>, recipe, 100, skipped, [&](c2f::step_record const& s) { … });
//   loop.epoch({.epoch = 3, .iteration = 30}, 0, batch_at, stop, wait);
//   loop.finish();
//
// Steps are queued ahead of the device (train/training_step.hpp). The function is called for each step, in order, once its result has
// arrived. Errors: c2f::not_finite after recipe.stop_after_skips() skipped steps in a row, and, of run_epochs, if more than half of all
// steps were skipped.
#pragma once

#include <c2f/core/progress.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/train/training_step.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace c2f::detail {

/// Queues steps and collects their results.
template <class Finished>
class step_loop {
 public:
  /// t: of the model's schedule; batches: the number of batches per epoch; in_a_row: the number of skipped steps in a row, which is updated.
  step_loop(any_training_step& training, t_function t, recipe::settings const& recipe, std::int64_t batches, std::int64_t& in_a_row,
            Finished finished)
      : training_(training), t_(t), recipe_(recipe), batches_(batches), in_a_row_(in_a_row), finished_(std::move(finished)) {}

  /// The number of steps per epoch.
  [[nodiscard]] std::int64_t steps() const { return data::detail::batches_of(batches_, recipe_.accumulate()); }

  /// Queues the steps of an epoch from step `first` on, with progress `now`; batch(i) returns batch i of the epoch. Before each step stop()
  /// is called: if it returns true, the function returns false. After each step wait(progress) returns whether all queued steps must be
  /// finished before the next one. completed: the epochs before, for the learning rate (decay::plateau).
  template <class Batch, class Stop, class Wait>
  bool epoch(progress now, std::int64_t first, Batch const& batch, Stop const& stop, Wait const& wait,
             std::span<epoch_record const> completed = {}) {
    for (std::int64_t step = first; step < steps(); ++step) {
      if (stop()) return false;
      now.fraction = static_cast<double>(now.iteration) / static_cast<double>(recipe_.epochs() * steps());
      std::vector<data::batch> given;
      for (std::int64_t i = step * recipe_.accumulate(); i < std::min(batches_, (step + 1) * recipe_.accumulate()); ++i)
        given.push_back(batch(i));
      training_.queue(given, {now.epoch, step, now.iteration, t_(now), recipe_.learning_rate_at(now, completed), now.fraction, {}});
      ++now.iteration;
      finish(wait(now));
    }
    return true;
  }

  /// Calls the function for the steps whose results have arrived; with `all`, waits for the remaining ones.
  void finish(bool all = true) {
    while (training_.pending()) {
      auto const step = training_.next(all || training_.full());
      if (!step) return;
      training_.count_skips(*step, in_a_row_);
      finished_(*step);
    }
  }

 private:
  any_training_step& training_;
  t_function t_;
  recipe::settings const& recipe_;
  std::int64_t batches_;
  std::int64_t& in_a_row_;
  Finished finished_;
};

/// not_finite if more than half of the steps of a training were skipped: it has had no effect, however few they are.
inline void refuse_skipped(std::int64_t skipped, std::int64_t steps) {
  if (2 * skipped > steps)
    throw not_finite(std::to_string(skipped) + " of " + std::to_string(steps) +
                     " steps of the training were skipped, since their loss or a gradient was not finite; look at the images and the "
                     "loss, or lower the learning rate");
}

/// Trains for recipe.epochs() epochs of `batches` batches, which batch(epoch, i) returns, and leaves the moving average in the model. wait:
/// each step is finished before the next batch is requested.
template <class Batch, class Finished>
void run_epochs(any_training_step& training, t_function t, recipe::settings const& recipe, std::int64_t batches, Batch const& batch,
                bool wait, Finished const& finished) {
  std::int64_t in_a_row = 0, skipped = 0, steps = 0;
  step_loop loop(training, t, recipe, batches, in_a_row, [&](step_record const& step) {
    ++steps;
    skipped += step.skipped;
    finished(step);
  });
  for (std::int64_t epoch = 0; epoch < recipe.epochs(); ++epoch)
    loop.epoch(
        {.epoch = epoch, .iteration = epoch * loop.steps()}, 0, [&](std::int64_t i) { return batch(epoch, i); }, [] { return false; },
        [&](progress const&) { return wait; });
  loop.finish();
  training.leave_average();
  refuse_skipped(skipped, steps);
}

}  // namespace c2f::detail
