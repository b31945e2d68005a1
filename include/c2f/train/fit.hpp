// c2f/train/fit.hpp: trains a stack on a data set.
//
//   c2f::stack<cifar100> model;
//   auto report = c2f::fit(model, c2f::data::cifar100(dir), c2f::recipe::cifar{}.epochs(164));
//   auto scores = c2f::evaluate(model, data.test);
//
// Every step: t and the learning rate by their schedules, a pass, backward, one update. After every epoch both networks are scored
// on the test split, or their moving average where recipe.ema() keeps one; fit then leaves the average in the model. Order, augmentation
// and the source's choices are functions of (seed, epoch, sample id), so the same seed gives the same numbers whatever the number of
// threads. Initial values are the model's: make it with the same seed for a whole run of it.
//
// A sample that cannot be read is replaced by another one, a function of (seed, epoch, id) (data/loader.hpp), and the report counts
// them; recipe.strict() lets the error out instead.
//
// A step whose loss or gradient is not finite is skipped: parameters, running statistics, momentum and average stay as they were, bit for
// bit, and the report counts it. recipe.stop_after_skips() of them in a row, ten by default, throw c2f::not_finite, which names epoch, step
// and the first parameter, running statistic or gradient that is not finite.
//
// c2f::checkpoints (train/checkpoint.hpp) as an observer keeps all of it in files, and the same call goes on where the last one ended.
//
// Error: data whose images or classes are not the task's is a compile error.
#pragma once

#include <c2f/data/loader.hpp>
#include <c2f/task/stack.hpp>
#include <c2f/train/check_data.hpp>
#include <c2f/train/deterministic.hpp>
#include <c2f/train/evaluate.hpp>
#include <c2f/train/generators.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/state.hpp>
#include <c2f/train/training_step.hpp>

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
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

template <class Task>
std::uint64_t type_hash() {
  using C     = complete<Task>;
  using types = void (*)(typename C::input*, typename C::coarse*, typename C::fine*, typename C::schedule*, typename C::encoder*,
                         typename C::predict*, typename C::source*, typename C::share*, typename C::fuse*, typename C::combine*,
                         typename C::refine*, typename C::loss*, typename C::loss_weights*);
  std::string name = typeid(types).name();
  // Checkpoints know a type by the name that it had when they were first written: fuse::by_conditioning was fuse::by_told.
  constexpr std::string_view now = "15by_conditioning", then = "7by_told";
  for (auto at = name.find(now); at != std::string::npos; at = name.find(now, at)) name.replace(at, now.size(), then);
  return hash_of(name);
}

/// Seeds LibTorch's own generators for one training; they are as they were after it.
class seeded_generators {
 public:
  seeded_generators(at::Device device, std::uint64_t seed) : all(device), before_(all.states()) { all.seed(seed); }
  seeded_generators(seeded_generators const&)            = delete;
  seeded_generators& operator=(seeded_generators const&) = delete;
  ~seeded_generators() { all.assign(before_); }

  generators const all;

 private:
  named_tensors before_;
};

template <class Loader>
void count_faulty(faulty_samples& into, Loader const& loader) {
  data::replacements const seen = loader.replaced();
  into.samples += static_cast<std::int64_t>(seen.ids.size());
  into.replaced += seen.total;
  for (auto const& [id, reason] : seen.reasons) into.reasons.push_back(reason);
}

/// Whether every pass has the sizes of the one before.
template <class Task>
consteval bool sizes_are_fixed() {
  auto const fixed = []<class Shape>(std::type_identity<Shape>) {
    if constexpr (image_shape<Shape>)
      return Shape::height != dynamic && Shape::width != dynamic;
    else
      return true;
  };
  if constexpr (requires { typename stack<Task>::parts::joined; })
    return fixed(std::type_identity<typename Task::input>{}) && fixed(std::type_identity<typename stack<Task>::parts::joined>{});
  else
    return fixed(std::type_identity<typename Task::input>{});
}

/// cuDNN tries its algorithms on each size and takes the fastest; not where the same bytes are wanted, since it chooses by the clock.
class fastest_convolutions {
 public:
  fastest_convolutions(recipe::settings const& recipe, bool sizes_are_fixed) {
    if (sizes_are_fixed && !recipe.device().is_cpu() && !recipe.deterministic()) at::globalContext().setBenchmarkCuDNN(true);
  }
  fastest_convolutions(fastest_convolutions const&)            = delete;
  fastest_convolutions& operator=(fastest_convolutions const&) = delete;
  ~fastest_convolutions() { at::globalContext().setBenchmarkCuDNN(before_); }

 private:
  bool before_ = at::globalContext().benchmarkCuDNN();
};

/// What every training begins with, and puts back where it is LibTorch's: the model where the recipe says.
struct training_scope {
  template <class Task>
  training_scope(stack<Task>& model, recipe::settings const& recipe)
      : fastest(recipe, sizes_are_fixed<Task>()), random(recipe.device(), recipe.seed()) {
    move_to(model, recipe.device());
    if (recipe.channels_last()) to_channels_last(model);
  }
  fastest_convolutions const fastest;
  seeded_generators const random;
};

/// recipe.epochs() times the steps of `batches` batches, which batch(epoch, i) makes, and the average at the end. tell(step_record) is
/// called for each step when it has arrived; `wait`: before the next batch is made.
template <class Task, class Batch, class Notify>
void take_steps(training_step<Task>& training, recipe::settings const& recipe, std::int64_t batches, Batch const& batch, bool wait,
                Notify const& notify) {
  std::int64_t const steps = data::detail::batches_of(batches, recipe.accumulate());
  std::int64_t skipped     = 0;
  auto const take          = [&](bool all) {
    while (auto const step = training.next(all || training.full())) {
      training.count_skips(*step, skipped);
      notify(*step);
    }
  };
  progress now;
  for (; now.epoch < recipe.epochs(); ++now.epoch)
    for (std::int64_t step = 0; step < steps; ++step, ++now.iteration) {
      now.fraction = static_cast<double>(now.iteration) / static_cast<double>(recipe.epochs() * steps);
      std::vector<data::batch> given;
      for (std::int64_t i = step * recipe.accumulate(); i < std::min(batches, (step + 1) * recipe.accumulate()); ++i)
        given.push_back(batch(now.epoch, i));
      training.queue(given, {now.epoch, step, now.iteration, t_at<typename complete<Task>::schedule>(now), recipe.learning_rate_at(now), {}});
      take(wait);
    }
  take(true);
  training.leave_average();
}

template <class Task, class Data, class... Observers>
training_report train_on(stack<Task>& model, Data const& data, recipe::settings const& recipe, Observers&... observers) {
  auto const notify          = [&](auto const& record) { (detail::notify(observers, record), ...); };
  auto const asked_to_stop = [&] { return (false || ... || detail::asks_to_stop(observers)); };

  training_scope const scope(model, recipe);
  generators const& random = scope.random.all;
  training_step<Task> training(model, recipe);
  data::device_reader const read = reader_on_device(data.train, recipe, recipe.augment());
  if (read) training.read_on_device(read);
  data::loader batches{data.train,
                       {.batch   = recipe.batch(),
                        .seed    = recipe.seed(),
                        .threads = recipe.threads(),
                        .augment = recipe.augment(),
                        .strict  = recipe.strict(),
                        .read    = !read,
                        .pinned  = !recipe.device().is_cpu()}};
  std::int64_t const steps = data::detail::batches_of(batches.batches(), recipe.accumulate());

  training_state state;
  state.type   = type_hash<Task>();
  state.seed   = recipe.seed();
  state.recipe = recipe.values();
  for_each_tensor(model, [&](std::string const& path, state_tensor const& each, state_traits const& traits) {
    state.leaves.emplace_back(path, each.tensor());
    if (traits.trained) state.parameters.emplace_back(path, each.tensor());
  });
  training.optimizer().for_each_state([&](std::string const& path, at::Tensor const& each) { state.momenta.emplace_back(path, each); });
  if (training.averaged() != nullptr)
    for_each_tensor(*training.averaged(),
                  [&](std::string const& path, state_tensor const& each, state_traits const&) { state.averages.emplace_back(path, each.tensor()); });
  evaluator<Task, std::remove_cvref_t<decltype(data.test)>> tests(training.averaged() != nullptr ? *training.averaged() : model, data.test,
                                                                  recipe, /*often=*/true);

  training_report& report = state.report;
  progress& now           = state.now;
  report.start            = {complete<Task>::name, count_parameters(model), data.train.size(), recipe.epochs(), steps};
  auto const keep         = [&](moment when) {
    if constexpr ((false || ... || state_keeper<Observers>)) {
      state.train      = batches.replaced();
      state.generators = random.states();
      (detail::keep(observers, state, when), ...);
    }
  };
  bool resumed = false;
  ((resumed = detail::restore(observers, state) || resumed), ...);
  if (resumed) {
    random.assign(state.generators);
    batches.count_from(state.train);
    tests.batches().count_from(state.test);
    training.refresh();
    report.start.done = now.iteration;
  }
  notify(report.start);
  if (resumed) (notify_resumed(observers, report), ...);

  // What a step found, written down when it has arrived.
  auto const write_down = [&](step_record const& step, double seconds) {
    epoch_record& epoch = state.epoch;
    training.count_skips(step, state.in_a_row);
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
    epoch.learning_rate          = step.learning_rate;
    epoch.train_seconds = seconds;
    now.fraction        = static_cast<double>(step.iteration) / static_cast<double>(recipe.epochs() * steps);
    now.iteration       = step.iteration + 1;
    state.step          = step.step + 1;
    notify(step);
    keep(moment::step);
  };

  while (now.epoch < recipe.epochs() && !report.stopped) {
    state.epoch.epoch   = now.epoch;
    double const before = state.epoch.train_seconds;
    stopwatch const train_time;
    auto const arrived = [&](bool wait) {
      std::optional<step_record> const step = training.next(wait);
      if (step) write_down(*step, before + train_time.seconds());
      return step.has_value();
    };
    auto batches_left      = batches.epoch(static_cast<std::uint64_t>(now.epoch), state.step * recipe.accumulate());
    progress queued        = now;
    std::int64_t next_step = state.step;
    while (next_step < steps && !(report.stopped = asked_to_stop())) {
      queued.fraction = static_cast<double>(queued.iteration) / static_cast<double>(recipe.epochs() * steps);
      std::vector<data::batch> given;
      for (std::int64_t i = next_step * recipe.accumulate(); i < std::min((next_step + 1) * recipe.accumulate(), batches.batches()); ++i)
        given.push_back(*batches_left.next());
      training.queue(given,
                     {now.epoch, next_step, queued.iteration, t_at<typename complete<Task>::schedule>(queued), recipe.learning_rate_at(queued), {}});
      ++queued.iteration;
      ++next_step;
      // A step is written down before the next one changes anything where an observer looks at the state after it.
      bool const now_or_never = (false || ... || detail::looks_at(observers, queued));
      while (training.pending() && arrived(training.full() || now_or_never)) {
      }
    }
    while (arrived(/*wait=*/true)) {
    }
    stopwatch const test_time;
    std::optional<std::vector<stage_score>> scores;
    if (!report.stopped) scores = tests.scores(asked_to_stop);
    report.stopped = !scores;
    if (report.stopped) break;

    epoch_record done   = std::exchange(state.epoch, {});
    done.scores         = std::move(*scores);
    done.test_seconds   = test_time.seconds();
    done.steps_a_second = static_cast<double>(steps) / done.train_seconds;
    for (auto& [name, sum] : done.losses)
      if (done.skipped > 0) sum *= static_cast<double>(steps) / static_cast<double>(steps - done.skipped);
    state.test = tests.batches().replaced();
    state.step = 0;
    ++now.epoch;
    notify(done);
    report.epochs.push_back(std::move(done));
    keep(moment::epoch);
  }
  if (report.stopped) keep(moment::stop);
  training.leave_average();
  report.not_captured = training.why();
  count_faulty(report.faulty, batches);
  count_faulty(report.faulty, tests.batches());
  notify(report);
  return std::move(report);
}

}  // namespace detail

/// Trains a stack.
template <class Task, data::dataset Data, observer... Observers>
  requires detail::checked<Task>
training_report fit(stack<Task>& model, Data const& data, recipe::settings const& recipe, Observers&&... observers) {
  static_assert(detail::check_data<Task, std::remove_cvref_t<decltype(data.train)>>());
  return deterministically(recipe.deterministic(), [&] { return detail::train_on(model, data, recipe, observers...); });
}

// A wrong task has said its sentence; what is asked of it besides is no error of its own.
template <class Task, class... Any>
  requires(!detail::checked<Task>)
training_report fit(stack<Task>&, Any&&...) {
  return {};
}

}  // namespace c2f
