// c2f/train/observer.hpp: observers of a training, and the records they receive.
//
//   struct my_log {
//     void on_epoch(c2f::epoch_record const& e) { … }        // one or more of the functions below
//   };
//   c2f::fit(model, data, recipe, my_log{});
//
// fit calls on_start before the first step, on_step after each step, on_epoch after each epoch and its evaluation, and on_end at the end.
// If a training is resumed, on_resume follows on_start, with the report up to there. stop() is called before every step and every batch of
// an evaluation; true ends the training as stopped. reached_goal() is called before every epoch; true ends the training as complete. An
// observer that saves the training has restore(state), called before the first step, which returns whether it restored a state, and
// keep(state, moment), called after the other functions. on_stage(name) is called before each stage of a training in stages
// (train/training_stages.hpp). All run in the training thread, in the order in which the observers are passed; exceptions end the training.
//
// Observers of c2f: a progress bar (train/progress_bar.hpp), JSON lines, CSV and events of TensorBoard (print/observers.hpp), Ctrl-C (train/interrupt.hpp), checkpoints (train/checkpoint.hpp).
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/progress.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace c2f {

using named_values = std::vector<std::pair<std::string, double>>;

/// The size of a training.
struct training_start {
  std::string task;
  std::int64_t parameters = 0, samples = 0, epochs = 0, steps_an_epoch = 0;
  std::int64_t done                = 0;   ///< steps completed before a resumed training continues
  std::vector<std::string> remarks = {};  ///< a sentence for each setting that is possible and probably not meant
};

/// One training step.
struct step_record {
  std::int64_t epoch = 0, step = 0;  ///< from 0
  std::int64_t iteration = 0;        ///< steps before this one
  double t = 0, learning_rate = 0;
  double fraction = 0;    ///< steps before this one / all steps
  named_values losses{};  ///< by name, over this step's samples
  bool skipped = false;   ///< the loss or a gradient was not finite, so nothing was updated
};

/// The metrics of one stage ("coarse", "fine", "answer", "coarse.fine") on a split.
struct stage_score {
  std::string stage;
  named_values values;  ///< such as top1 and top5, 0 ... 1, or an error such as mae in its own unit
};
/// The metrics of a training of which lower is better: those that the kind's score says (K::score::lower_is_better).
struct error_metrics : std::vector<std::string> {
  [[nodiscard]] bool contains(std::string_view metric) const { return std::ranges::find(*this, metric) != end(); }
};

/// One epoch and its evaluation.
struct epoch_record {
  std::int64_t epoch = 0;           ///< from 0
  double t = 0, learning_rate = 0;  ///< of its last step
  named_values losses;              ///< mean over the steps that were not skipped
  std::int64_t skipped = 0;         ///< number of skipped steps
  std::vector<stage_score> scores;  ///< on the validation split, or the test split of data without one
  error_metrics errors{};           ///< among their metrics
  double train_seconds = 0, test_seconds = 0, steps_a_second = 0;
};

/// Samples that could not be read, of the training split and the scored splits.
struct faulty_samples {
  std::int64_t samples = 0, replaced = 0;  ///< the number of faulty samples, and of replacements
  std::vector<std::string> reasons;        ///< error messages, at most 1,000 per split
};

/// The result of fit.
struct training_report {
  training_start start;
  std::vector<epoch_record> epochs;  ///< the completed ones
  std::int64_t skipped = 0;          ///< steps whose loss or gradient was not finite
  bool stopped         = false;      ///< by an observer's stop(), before the end
  faulty_samples faulty;
  std::vector<stage_score> test{};  ///< on the test split, at the end, if the data has a validation split and the training was not stopped
  std::int64_t best = -1;           ///< with recipe.stop_early the epoch, from 0, whose weights are in the model; else -1
  std::string not_captured{};       ///< why steps were not captured, if the recipe's accelerator has graph capture
};

/// Everything that the remaining steps of a training depend on: train/state.hpp.
struct training_state;
/// When keep() is called.
enum class moment {
  step,   ///< after every step
  epoch,  ///< after every epoch and its scores
  stop,   ///< when an observer stopped the training
};

/// An observer that saves the state of the training. The optional keeps_step(progress) returns whether keep() reads the state after the
/// step that ends there. Without it, fit waits for every step before it queues the next one, and a GPU idles in between.
template <class O>
concept state_keeper = requires(O& o, training_state& s) {
  { o.restore(s) } -> std::convertible_to<bool>;
  o.keep(std::as_const(s), moment::step);
};

/// An observer that ends a training that has done what it is for: reached_goal() is true, and report.stopped stays false.
template <class O>
concept goal_seeker = requires(O& o) {
  { o.reached_goal() } -> std::convertible_to<bool>;
};

/// An observer that decides by a score. If decides_by_scores() is true, check_scores is called before the first step with an epoch that has
/// all stages and metrics, of one batch: a score that does not exist is an error then, and not after hours.
template <class O>
concept score_reader = requires(O const& o, epoch_record const& e) {
  { o.decides_by_scores() } -> std::convertible_to<bool>;
  o.check_scores(e);
};

/// Requires one or more of: on_start(training_start), on_resume(training_report), on_step(step_record), on_epoch(epoch_record),
/// on_end(training_report), stop(), reached_goal(); or restore(training_state) and keep(training_state, moment).
template <class O>
concept observer = state_keeper<O> || requires(O& o, training_report const& r) { o.on_resume(r); } ||
                   requires(O& o, training_start const& s) { o.on_start(s); } || requires(O& o, step_record const& s) { o.on_step(s); } ||
                   requires(O& o, epoch_record const& e) { o.on_epoch(e); } || requires(O& o, training_report const& r) { o.on_end(r); } ||
                   requires(O& o) {
                     { o.stop() } -> std::convertible_to<bool>;
                   } || goal_seeker<O>;

namespace detail {
/// A score, and whether lower is better.
struct directed_score {
  double value         = 0;
  bool lower_is_better = false;
  /// For comparisons: higher is better.
  [[nodiscard]] double gain() const { return lower_is_better ? -value : value; }
};
/// The score "STAGE METRIC" of an epoch, such as "fine top1"; input_error, with the names of all, if there is none. use: what it decides.
inline directed_score score_of(epoch_record const& epoch, std::string_view score, std::string const& use) {
  std::string known;
  for (auto const& each : epoch.scores)
    for (auto const& [metric, value] : each.values) {
      std::string const name = each.stage + ' ' + metric;
      if (score == name) return {value, epoch.errors.contains(metric)};
      known += (known.empty() ? "'" : ", '") + name + "'";
    }
  throw input_error("no score is called '" + std::string(score) + "', by which " + use + "; write one of " + known);
}

template <class O>
bool decides_by_scores(O const& o) {
  if constexpr (score_reader<O>)
    return o.decides_by_scores();
  else
    return false;
}
template <class O>
void check_scores(O const& o, epoch_record const& of_one_batch) {
  if constexpr (score_reader<O>)
    if (o.decides_by_scores()) o.check_scores(of_one_batch);
}
template <class O>
void notify(O& o, training_start const& record) {
  if constexpr (requires { o.on_start(record); }) o.on_start(record);
}
template <class O>
void notify(O& o, step_record const& record) {
  if constexpr (requires { o.on_step(record); }) o.on_step(record);
}
template <class O>
void notify(O& o, epoch_record const& record) {
  if constexpr (requires { o.on_epoch(record); }) o.on_epoch(record);
}
template <class O>
void notify(O& o, training_report const& record) {
  if constexpr (requires { o.on_end(record); }) o.on_end(record);
}
template <class O>
void notify_resumed(O& o, training_report const& before) {
  if constexpr (requires { o.on_resume(before); }) o.on_resume(before);
}
template <class O>
void notify_stage(O& o, std::string const& name) {
  if constexpr (requires { o.on_stage(name); }) o.on_stage(name);
}
template <class O>
bool restore(O& o, training_state& state) {
  if constexpr (state_keeper<O>)
    return o.restore(state);
  else
    return false;
}
template <class O>
void keep(O& o, training_state const& state, moment when) {
  if constexpr (state_keeper<O>) o.keep(state, when);
}
/// Whether keep() reads the state after the step that ends at `now`.
template <class O>
bool reads_state_after(O& o, progress const& now) {
  if constexpr (requires {
                  { o.keeps_step(now) } -> std::convertible_to<bool>;
                })
    return o.keeps_step(now);
  else
    return state_keeper<O>;
}
template <class O>
bool reached_goal(O& o) {
  if constexpr (goal_seeker<O>)
    return o.reached_goal();
  else
    return false;
}
template <class O>
bool asks_to_stop(O& o) {
  if constexpr (requires { o.stop(); })
    return o.stop();
  else
    return false;
}
}  // namespace detail

}  // namespace c2f
