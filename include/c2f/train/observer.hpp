// c2f/train/observer.hpp: who is told what a training does.
//
//   struct my_log {
//     void on_epoch(c2f::epoch_record const& e) { … }        // any of these
//   };
//   c2f::fit(model, data, recipe, my_log{});
//
// on_start, on_step, on_epoch and on_end are told; on_resume hears of what was done before, after on_start, where a training goes on.
// stop() is asked before every step and every batch of an evaluation. Observers run in the training thread, in the order they are given.
// c2f/print/observers.hpp has a progress bar and JSON lines, train/interrupt.hpp ends a training on Ctrl-C, train/checkpoint.hpp keeps its
// state: restore(state) is asked before the first step and says whether it put one back, keep(state, moment) comes after the others.
#pragma once

#include <c2f/core/progress.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

using named_values = std::vector<std::pair<std::string, double>>;

struct training_start {
  std::string task;
  std::int64_t parameters = 0, samples = 0, epochs = 0, steps_an_epoch = 0;
  std::int64_t done = 0;  ///< steps that were done before, where the training goes on
};

struct step_record {
  std::int64_t epoch = 0, step = 0;  ///< from 0
  std::int64_t iteration = 0;        ///< steps before this one
  double t = 0, learning_rate = 0;
  named_values losses{};  ///< by name, of this step's samples
  bool skipped = false;   ///< loss or gradient was not finite, and nothing has changed
};

/// The score of one stage ("coarse", "fine", "answer") on the test split.
struct stage_score {
  std::string stage;
  named_values values;  ///< e.g. top1, top5, from 0 to 1
};

struct epoch_record {
  std::int64_t epoch = 0;  ///< from 0
  double t = 0, learning_rate = 0;  ///< of its last step
  named_values losses;     ///< mean over the steps that were not skipped
  std::int64_t skipped = 0;
  std::vector<stage_score> scores;
  double train_seconds = 0, test_seconds = 0, steps_a_second = 0;
};

/// Samples that could not be read, of the training and the test split.
struct faulty_samples {
  std::int64_t samples = 0, replaced = 0;  ///< how many there are, and how often another one stood in
  std::vector<std::string> reasons;        ///< the first ones
};

struct training_report {
  training_start start;
  std::vector<epoch_record> epochs;  ///< the whole ones
  std::int64_t skipped = 0;          ///< steps whose loss or gradient was not finite
  bool stopped         = false;      ///< by an observer, before the end
  faulty_samples faulty;
  std::string not_captured{};  ///< where the recipe can record steps and they were run: why
};

/// All that the rest of a training depends on; train/state.hpp.
struct training_state;
/// When an observer may keep it.
enum class moment {
  step,   ///< after every step
  epoch,  ///< after every epoch and its scores
  stop,   ///< when an observer has ended the training
};

/// One that does not look at the state after every step says so by keeps_step(progress): whether it will look when so much is done.
/// Without it fit waits for every step before it begins the next one, which costs a GPU its head start.
template <class O>
concept state_keeper = requires(O& o, training_state& s) {
  { o.restore(s) } -> std::convertible_to<bool>;
  o.keep(std::as_const(s), moment::step);
};

/// Requires one or more of: on_start(training_start), on_resume(training_report), on_step(step_record), on_epoch(epoch_record),
/// on_end(training_report), stop(); or restore(training_state) and keep(training_state, moment).
template <class O>
concept observer = state_keeper<O> || requires(O& o, training_report const& r) { o.on_resume(r); } ||
                   requires(O& o, training_start const& s) { o.on_start(s); } || requires(O& o, step_record const& s) { o.on_step(s); } ||
                   requires(O& o, epoch_record const& e) { o.on_epoch(e); } || requires(O& o, training_report const& r) { o.on_end(r); } ||
                   requires(O& o) {
                     { o.stop() } -> std::convertible_to<bool>;
                   };

namespace detail {
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
/// Whether keep() after the step before `now` would look at the state.
template <class O>
bool looks_at(O& o, progress const& now) {
  if constexpr (requires {
                  { o.keeps_step(now) } -> std::convertible_to<bool>;
                })
    return o.keeps_step(now);
  else
    return state_keeper<O>;
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
