// c2f/train/fit.hpp: trains a model on a data set.
//
//   c2f::stack<cifar100> model;
//   auto report = c2f::fit(model, c2f::data::cifar100(dir), c2f::recipe::cifar{}.epochs(164));
//   auto scores = c2f::evaluate(model, data.test);
//
// A model is the stack of a task or one of your own (task/model.hpp). Each step sets t and the learning rate by their schedules, then runs
// forward, backward and one update. After every epoch the model is evaluated on the test split; if the data has a validation split
// (data/split.hpp), on that, and on the test split once at the end (training_report::test). With recipe.ema() it is the moving average that
// is evaluated, and fit leaves the average in the model.
// report.start.remarks names settings that are possible and probably not meant: a t that still rises after the first milestone of the learning
// rate, and what model.remark(recipe) says, if the model has that. A progress bar prints them (print/observers.hpp).
// Order, augmentation and the source's choices are functions of (seed, epoch, sample id), so the same seed gives the same numbers for any
// number of threads. The initial values are the model's: to reproduce a run, construct the model with the same seed, too.
//
// A sample that cannot be read is replaced by another one, chosen by (seed, epoch, id) (data/loader.hpp), and the report counts it; with
// recipe.strict() the error ends the training instead.
//
// A step whose loss or gradient is not finite is skipped: parameters, running statistics, optimiser state and average keep their values bit
// for bit, and the report counts the step.
//
// If several processes train together (recipe.on), each calls fit with the same model, data, recipe and observers. Only rank 0 notifies its
// observers, restores and keeps; stop() and reached_goal() are called in all, and any true one ends all. The state of rank 0 is copied to the
// others before the first step. All return the same report, up to times.
//
// Without observers, fit shows its progress on a terminal (train/progress_bar.hpp); recipe.quiet() turns that off. With recipe.stop_early()
// the training ends when a score has stopped improving, and the model has the best weights (train/early_stopping.hpp).
//
// With c2f::checkpoints (train/checkpoint.hpp) as an observer, the same call resumes where the last one ended.
//
// Cost: memory for the parameters, their gradients and the optimiser state, for the activations of one batch, and for the prefetched
// batches (data/loader.hpp). Errors: c2f::not_finite after recipe.stop_after_skips() skipped steps in a row; it names epoch, step and the
// first non-finite parameter, running statistic or gradient; and at the end if more than half of all steps were skipped.
// c2f::input_error for processes that do not agree about the training, for a split without samples, for labels that the kind does not have
// (data/loader.hpp), and, before the first step, for a score of the recipe or of an observer that does not exist. Errors of the observers
// are passed on, those of the split's read as data/loader.hpp says; what LibTorch refuses is a c2f::libtorch_error. Data whose images or classes do not fit the task are a compile error.
#pragma once

#include <c2f/data/loader.hpp>
#include <c2f/task/model.hpp>
#include <c2f/train/check_data.hpp>
#include <c2f/train/deterministic.hpp>
#include <c2f/train/evaluate.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/processes.hpp>
#include <c2f/train/progress_bar.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/state.hpp>
#include <c2f/train/step_loop.hpp>
#include <c2f/train/training_scope.hpp>
#include <c2f/train/training_step.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>

namespace c2f {

namespace detail {

class stopwatch {
 public:
  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// Identifies the types of a completed task in checkpoints.
template <class Task>
std::uint64_t task_hash() {
  using C          = complete<Task>;
  using types      = void (*)(typename C::input*, typename C::coarse*, typename C::fine*, typename C::schedule*, typename C::encoder*,
                         typename C::predict*, typename C::source*, typename C::share*, typename C::fuse*, typename C::combine*,
                         typename C::refine*, typename C::loss*, typename C::loss_weights*);
  std::string name = typeid(types).name();
  // Existing checkpoints store the hash with the name fuse::by_told for fuse::by_conditioning.
  constexpr std::string_view current = "15by_conditioning", stored = "7by_told";
  for (auto at = name.find(current); at != std::string::npos; at = name.find(current, at)) name.replace(at, current.size(), stored);
  return hash_of(name);
}
/// Identifies the type of a model in checkpoints. T: a model, or the task of a stack.
template <class T>
std::uint64_t type_hash() {
  using M = model_of<T>;
  if constexpr (is_stack<M>)
    return task_hash<typename M::task_type>();
  else
    return hash_of(typeid(M).name());
}
/// Identifies a model in checkpoints: its type, and the settings that it has at run time.
template <class Model>
std::uint64_t model_hash(Model const& model) {
  if constexpr (requires { model.fingerprint(); })
    return data::detail::hash_after(type_hash<Model>(), model.fingerprint());
  else
    return type_hash<Model>();
}

template <class Loader>
void count_faulty(faulty_samples& into, Loader const& loader) {
  data::replacements const seen = loader.replaced();
  into.samples += static_cast<std::int64_t>(seen.ids.size());
  into.replaced += seen.total;
  for (auto const& [id, reason] : seen.reasons) into.reasons.push_back(reason);
}

/// Whether t has an effect on a model: not on a stack without a fine network, or whose source ignores it.
template <class M>
consteval bool reads_t() {
  if constexpr (is_stack<M>)
    return M::has_fine && !requires { requires M::completed::source::ignores_t; };
  else
    return requires { typename M::schedule; };
}
/// A remark if t still rises after the first milestone of the learning rate, which begins with an epoch; else an empty text.
inline std::string remark_on(t_function t, recipe::settings const& recipe, std::int64_t steps) {
  auto const t_in = [&](double epoch) {
    auto const whole = static_cast<std::int64_t>(epoch);
    return t({whole, whole * steps, epoch / static_cast<double>(recipe.epochs())});
  };
  double const milestone = std::ceil(recipe.first_milestone() * static_cast<double>(recipe.epochs()) - 1e-9);
  if (!(t_in(milestone) < t_in(static_cast<double>(recipe.epochs())))) return {};
  char text[256];
  std::snprintf(text, sizeof text,
                "at the first milestone of the learning rate, epoch %.0f, t is %.2f and still rises; what the fine network has to learn "
                "without truths it then learns slowly, so let t reach 1 before the milestone",
                milestone, t_in(milestone));
  return text;
}

template <class Model, class Data, class... Observers>
training_report train_on(Model& model, Data const& data, recipe::settings const& recipe, Observers&... observers) {
  processes const all(recipe);
  if constexpr (requires { requires Model::whole_batches; })
    if (all.several())
      throw input_error("the rows of a batch of '" + std::string(Model::name) +
                        "' belong together, so that several processes cannot share it; train it in one, without recipe.on(world)");
  auto const notify = [&](auto const& record) {
    if (all.first()) (detail::notify(observers, record), ...);
  };
  auto const asked_to_stop = [&] { return (false || ... || detail::asks_to_stop(observers)); };

  if (data.train.size() < 1)
    throw input_error("the split " + std::string(data.train.name()) + ", which is to be trained on, has no samples; add some");
  training_scope const scope(model, recipe);
  generators const& random = scope.random.all;
  training_step training(model, recipe);
  data::device_reader const read = reader_on_device<typename Model::kind>(data.train, recipe, recipe.augment());
  if (read) training.read_on_device(read);
  data::loader batches{data.train,
                       {.batch   = recipe.batch(),
                        .seed    = recipe.seed(),
                        .threads = recipe.threads(),
                        .augment = recipe.augment(),
                        .strict  = recipe.strict(),
                        .read    = !read,
                        .pinned  = !recipe.device().is_cpu(),
                        .share   = recipe.share(),
                        .labels  = labels_of_kind<typename Model::kind>}};

  training_state state;
  state.type   = model_hash(model);
  state.seed   = recipe.seed();
  state.recipe = recipe.values();
  if ((all.several() || ... || state_keeper<Observers>)) {
    state.train_data  = data::identity_of(data.train);
    state.scored_data = data::identity_of(data::scored_split(data));
  }
  state.blocks = text_of_blocks(model);
  for_each_tensor(model, [&](std::string const& path, state_tensor const& each, state_traits const& traits) {
    state.model.emplace_back(path, each.tensor());
    if (traits.trained) state.parameters.emplace_back(path, each.tensor());
  });
  training.optimizer().for_each_state(
      [&](std::string const& path, at::Tensor const& each) { state.optimizer_state.emplace_back(path, each); });
  if (training.averaged() != nullptr)
    for_each_tensor(*training.averaged(), [&](std::string const& path, state_tensor const& each, state_traits const&) {
      state.averages.emplace_back(path, each.tensor());
    });
  // What is scored; with early stopping, the best of it so far.
  auto const& scored_tensors = state.averages.empty() ? state.model : state.averages;
  auto const& stops          = recipe.early_stopping();
  if (stops)
    for (auto const& [path, each] : scored_tensors) state.best.emplace_back(path, each.detach().clone());
  auto const copy_all = [](named_tensors const& from, named_tensors const& to) {
    at::NoGradGuard const no_gradients;
    for (std::size_t i = 0; i < from.size(); ++i) to[i].second.copy_(from[i].second);
  };
  auto const& scored = data::scored_split(data);
  evaluator<Model, std::remove_cvref_t<decltype(scored)>> tests(training.averaged() != nullptr ? *training.averaged() : model, scored,
                                                                recipe, /*often=*/true);

  all.agree(state, recipe, Model::name, batches.batches());
  if (all.any((recipe.decides_by_scores() || ... || decides_by_scores(observers)))) {
    epoch_record of_one_batch;
    named_tensors const before = random.states();  // a model of one's own may draw from them
    of_one_batch.scores        = *tests.scores([] { return false; }, 1);
    of_one_batch.errors        = errors_of<typename Model::kind::score>(of_one_batch.scores);
    random.assign(before);
    tests.batches().count_from({});
    recipe.check_scores(of_one_batch);
    (check_scores(observers, of_one_batch), ...);
  }

  training_report& report = state.report;
  progress& now           = state.now;
  auto const keep         = [&](moment when) {
    if constexpr ((false || ... || state_keeper<Observers>)) {
      state.train      = batches.replaced();
      state.generators = random.states();
      if (all.first()) (detail::keep(observers, state, when), ...);
    }
  };

  // Adds a finished step to the records of the epoch.
  double seconds_before = 0;
  stopwatch train_time;
  std::int64_t steps     = 0;
  auto const finish_step = [&](step_record const& step) {
    epoch_record& epoch = state.epoch;
    if (step.skipped) {
      ++epoch.skipped, ++report.skipped;
    } else {
      epoch.losses.resize(step.losses.size());
      for (std::size_t i = 0; i < step.losses.size(); ++i) {
        epoch.losses[i].first = step.losses[i].first;
        epoch.losses[i].second += step.losses[i].second / static_cast<double>(steps);
      }
    }
    epoch.t             = step.t;
    epoch.learning_rate = step.learning_rate;
    epoch.train_seconds = seconds_before + train_time.seconds();
    now.fraction        = step.fraction;
    now.iteration       = step.iteration + 1;
    state.step          = step.step + 1;
    notify(step);
    keep(moment::step);
  };
  step_loop loop(training, &t_at<schedule_of<Model>>, recipe, batches.batches(), state.skipped_in_a_row, finish_step);
  steps             = loop.steps();
  report.start      = {Model::name, c2f::count_parameters(model), data.train.size(), recipe.epochs(), steps};
  auto const remark = [&](std::string text) {
    if (!text.empty()) report.start.remarks.push_back(std::move(text));
  };
  if constexpr (reads_t<Model>()) remark(remark_on(&t_at<schedule_of<Model>>, recipe, steps));
  if constexpr (requires { model.remark(recipe); }) remark(model.remark(recipe));

  bool resumed = false;
  if (all.first()) ((resumed = detail::restore(observers, state) || resumed), ...);
  all.share(state, resumed);
  if (resumed) {
    for (epoch_record& epoch : report.epochs) epoch.errors = errors_of<typename Model::kind::score>(epoch.scores);
    random.assign(state.generators);
    batches.count_from(state.train);
    tests.batches().count_from(state.test);
  }
  if (resumed || all.several()) {
    training.refresh();
    report.start.done = now.iteration;
  }
  notify(report.start);
  if (resumed && all.first()) (notify_resumed(observers, report), ...);

  // Several processes ask for each other's requests once after queuing a step, so that all stop before the same one.
  bool stop_next        = false;
  auto const stops_here = [&] { return all.several() ? stop_next : asked_to_stop(); };

  auto const reached = [&] {
    if constexpr ((false || ... || goal_seeker<Observers>))
      return all.any((false || ... || detail::reached_goal(observers)));
    else
      return false;
  };

  while (now.epoch < recipe.epochs() && !report.stopped && !(stops && stops->stops_after(report.epochs)) && !reached()) {
    state.epoch.epoch = now.epoch;
    seconds_before    = state.epoch.train_seconds;
    train_time        = {};
    auto batches_left = batches.epoch(static_cast<std::uint64_t>(now.epoch), state.step * recipe.accumulate());
    if (all.several()) stop_next = all.any(asked_to_stop(), batches);
    report.stopped = !loop.epoch(
        now, state.step, [&](std::int64_t) { return *batches_left.next(); }, stops_here,
        // If an observer reads the state after a step, the step is finished before the next one changes anything.
        [&](progress const& queued) {
          if (all.several()) stop_next = all.any(asked_to_stop(), batches);
          return (false || ... || detail::reads_state_after(observers, queued));
        },
        report.epochs);
    loop.finish();
    stopwatch const test_time;
    std::optional<std::vector<stage_score>> scores;
    if (!report.stopped) scores = tests.scores(asked_to_stop);
    report.stopped = !scores;
    if (report.stopped) break;

    epoch_record done   = std::exchange(state.epoch, {});
    done.scores         = std::move(*scores);
    done.errors         = errors_of<typename Model::kind::score>(done.scores);
    done.test_seconds   = test_time.seconds();
    done.steps_a_second = static_cast<double>(steps) / done.train_seconds;
    for (auto& [name, sum] : done.losses)
      if (done.skipped > 0) sum *= static_cast<double>(steps) / static_cast<double>(steps - done.skipped);
    state.test = tests.batches().replaced();
    state.step = 0;
    ++now.epoch;
    notify(done);
    report.epochs.push_back(std::move(done));
    if (stops && stops->best_of(report.epochs) == now.epoch - 1) copy_all(scored_tensors, state.best);
    keep(moment::epoch);
  }
  if (report.stopped) keep(moment::stop);
  training.leave_average();
  if (stops && !report.stopped && (report.best = stops->best_of(report.epochs)) >= 0) copy_all(state.best, state.model);
  training.refresh();  // the bfloat16 copy, with which the test split is scored
  if (stops && !report.stopped && !report.epochs.empty() && report.best < 0)
    throw not_finite(
        "no epoch of this training has a score that is a number, so none of its weights are the best; lower the learning rate");
  if (!report.stopped) refuse_skipped(report.skipped, now.iteration);
  report.not_captured = training.why_not_captured();
  count_faulty(report.faulty, batches);
  count_faulty(report.faulty, tests.batches());
  if constexpr (data::has_validation<Data>)
    if (!report.stopped) {
      evaluator<Model, std::remove_cvref_t<decltype(data.test)>> last(model, data.test, recipe, /*often=*/false);
      auto scores    = last.scores(asked_to_stop);
      report.stopped = !scores;
      if (scores) report.test = std::move(*scores);
      count_faulty(report.faulty, last.batches());
    }
  notify(report);
  return std::move(report);
}

}  // namespace detail

/// Trains a model on data.train and evaluates it on data.validation and data.test; notifies the observers.
template <class Model, class Data, observer... Observers>
training_report fit(Model& model, Data const& data, recipe::settings const& recipe, Observers&&... observers) {
  if constexpr (!detail::valid_model<Model>) {
    return {};  // diagnostic emitted; follow-on errors suppressed
  } else if constexpr (!detail::check_dataset<Model, Data>()) {
    return {};
  } else {
    return deterministically(recipe.deterministic(), [&] {
      if constexpr (sizeof...(Observers) == 0) {
        progress_bar bar(progress_bar::elsewhere::silent, !recipe.quiet());
        return detail::train_on(model, data, recipe, bar);
      } else {
        return detail::train_on(model, data, recipe, observers...);
      }
    });
  }
}

}  // namespace c2f
