// c2f/train/fit.hpp: trains a stack on a data set.
//
//   c2f::stack<cifar100> model;
//   auto report = c2f::fit(model, c2f::data::cifar100(dir), c2f::recipe::cifar{}.epochs(164));
//   auto scores = c2f::evaluate(model, data.test);
//
// Every step: t and the learning rate by their schedules, a pass, backward, one update. After every epoch both networks are scored
// on the test split. Order, augmentation and the source's choices are functions of (seed, epoch, sample id), so the same seed gives
// the same numbers whatever the number of threads. Initial values are the model's: make it with the same seed for a whole run of it.
//
// A sample that cannot be read is replaced by another one, a function of (seed, epoch, id) (data/loader.hpp), and the report counts
// them; recipe.strict() lets the error out instead.
//
// Errors: a loss that is not finite throws c2f::not_finite before anything is updated, and names epoch, step and the first
// parameter that is not finite. Data whose images or classes are not the task's is a compile error.
#pragma once

#include <c2f/data/loader.hpp>
#include <c2f/task/stack.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/recipe.hpp>

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

namespace c2f {

namespace detail {

template <class Task, class Got, class Wanted>
consteval bool check_data_image() {
  static_assert(same_size<Got, Wanted> || mismatch<in_task<Task>, got<Got>, wanted<Wanted>>,
                "the data's images are not of the task's input shape; change 'using input', or choose data of that shape");
  return same_size<Got, Wanted>;
}
template <class Split, class Kind>
consteval bool truth_fits() {
  if constexpr (!std::same_as<typename Split::truth_value, typename Kind::truth_value>)
    return false;
  else if constexpr (requires { Kind::template truth_dims<typename Split::image>; })
    return std::ranges::equal(Split::truth_dims, Kind::template truth_dims<typename Split::image>);
  else
    return true;
}
template <class Task, class Split, class Kind>
consteval bool check_data_truth() {
  constexpr bool same = truth_fits<Split, Kind>();
  static_assert(same || mismatch<in_task<Task>, got<Split>, wanted<Kind>>,
                "the data's truth is not what the task's networks predict; choose data for this kind, or another kind");
  return same;
}
template <class Task, std::int64_t Found, std::int64_t Wanted>
consteval bool check_data_classes() {
  static_assert(Found == Wanted || mismatch<in_task<Task>, got<vector<Found>>, wanted<vector<Wanted>>>,
                "the data does not have as many classes as the task's networks predict; write c2f::class_vector<K> with the data's number");
  return true;
}
template <class Task, class Split>
consteval bool check_data() {
  using kind = typename complete<Task>::kind;
  if constexpr (!check_data_image<Task, typename Split::image, typename Task::input>()) {
    return true;
  } else if constexpr (!check_data_truth<Task, Split, kind>()) {
    return true;
  } else if constexpr (!requires { Split::class_count(); }) {
    return true;
  } else if constexpr (requires { kind::labels; }) {  // a truth may hold more of them than there are classes: a mask of one class has two
    return check_data_classes<Task, Split::class_count(), kind::labels>();
  } else if constexpr (requires { kind::classes; }) {
    return check_data_classes<Task, Split::class_count(), kind::classes>();
  }
  return true;
}

class stopwatch {
 public:
  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

inline at::Tensor ready(at::Tensor const& images, recipe::settings const& recipe) {
  return images.to(recipe.device())
      .to(recipe.bf16() ? at::kBFloat16 : at::kFloat)
      .contiguous(recipe.channels_last() ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

/// The path of the first leaf, parameters before buffers, that holds a number that is not finite.
template <class Net>
std::string first_not_finite(Net const& net) {
  for (bool const trained : {true, false}) {
    std::string found;
    for_each_leaf(net, [&](std::string const& path, leaf const& each, leaf_traits const& traits) {
      if (found.empty() && traits.trained == trained && !each.tensor().isfinite().all().template item<bool>()) found = path;
    });
    if (!found.empty()) return found;
  }
  return {};
}

template <class Net>
[[noreturn]] void stop_not_finite(Net const& net, step_record const& at) {
  std::string const path = first_not_finite(net);
  throw not_finite("the loss is not finite at epoch " + std::to_string(at.epoch) + ", step " + std::to_string(at.step) +
                   (path.empty() ? "; every parameter is finite, so look at the images and the loss"
                                 : "; the first parameter that is not finite is '" + path + "'; lower the learning rate"));
}

/// The samples of a split in their order, as they are.
template <data::split Split>
data::loader<Split> test_loader(Split const& samples, recipe::settings const& recipe) {
  return data::loader<Split>{
      samples, {.batch = recipe.batch(), .threads = recipe.threads(), .shuffle = false, .augment = false, .strict = recipe.strict()}};
}

template <class Loader>
void count_faulty(faulty_samples& into, Loader const& loader) {
  data::replacements const seen = loader.replaced();
  into.samples += seen.samples;
  into.replaced += seen.total;
  for (auto const& [id, reason] : seen.reasons) into.reasons.push_back(reason);
}

template <class Task, class Loader>
std::vector<stage_score> evaluate_on(stack<Task> const& model, Loader const& batches, recipe::settings const& recipe) {
  using completed = complete<Task>;
  at::NoGradGuard const no_gradients;
  typename completed::kind::score coarse, fine, answer;
  for (auto const& batch : batches.epoch(0)) {
    at::Tensor const truth = batch.truth.to(recipe.device());
    outputs const both     = model(detail::ready(batch.images, recipe), eval);
    coarse.add(both.coarse, truth);
    if (both.fine.defined()) fine.add(both.fine, truth);
    if (!both.answer.is_same(both.coarse) && !both.answer.is_same(both.fine)) answer.add(both.answer, truth);
  }
  std::vector<stage_score> scores;
  auto const put = [&](char const* stage, auto const& score) {
    if (score.samples == 0) return;
    stage_score& into = scores.emplace_back(stage_score{stage, {}});
    for (auto const& [name, value] : score.values()) into.values.emplace_back(name, value);
  };
  put("coarse", coarse);
  put("fine", fine);
  put("answer", answer);
  return scores;
}

}  // namespace detail

/// Scores every stage of a stack on a split.
template <class Task, data::split Split>
  requires detail::checked<Task>
[[nodiscard]] std::vector<stage_score> evaluate(stack<Task> const& model, Split const& samples, recipe::settings const& recipe = {}) {
  static_assert(detail::check_data<Task, Split>());
  return detail::evaluate_on(model, detail::test_loader(samples, recipe), recipe);
}

/// Trains a stack.
template <class Task, data::dataset Data, observer... Observers>
  requires detail::checked<Task>
training_report fit(stack<Task>& model, Data const& data, recipe::settings const& recipe, Observers&&... observers) {
  using train_split = std::remove_cvref_t<decltype(data.train)>;
  static_assert(detail::check_data<Task, train_split>());
  auto const tell          = [&](auto const& record) { (detail::tell(observers, record), ...); };
  auto const asked_to_stop = [&] { return (false || ... || detail::asks_to_stop(observers)); };

  move_to(model, recipe.device());
  if (recipe.channels_last()) to_channels_last(model);
  sgd optimizer(model, recipe.optimizer());
  data::loader const batches{data.train,
                             {.batch   = recipe.batch(),
                              .seed    = recipe.seed(),
                              .threads = recipe.threads(),
                              .augment = recipe.augment(),
                              .strict  = recipe.strict()}};
  auto const tests = detail::test_loader(data.test, recipe);

  training_report report;
  report.start = {complete<Task>::name, count_parameters(model), data.train.size(), recipe.epochs(), batches.batches()};
  tell(report.start);

  progress now;
  for (; now.epoch < recipe.epochs() && !report.stopped; ++now.epoch) {
    epoch_record epoch;
    epoch.epoch = now.epoch;
    detail::stopwatch const train_time;
    for (auto const& batch : batches.epoch(static_cast<std::uint64_t>(now.epoch))) {
      if ((report.stopped = asked_to_stop())) break;
      now.fraction = static_cast<double>(now.iteration) / static_cast<double>(recipe.epochs() * batches.batches());
      step_record step{now.epoch, batch.index, now.iteration, t_at<typename complete<Task>::schedule>(now), recipe.rate_at(now), {}};

      pass p{.mode  = train,
             .truth = batch.truth.to(recipe.device()),
             .t     = step.t,
             .seed  = recipe.seed(),
             .epoch = batch.epoch,
             .ids   = batch.ids};
      model(detail::ready(batch.images, recipe), p);
      for (auto const& each : p.losses) {
        step.losses.emplace_back(each.name, each.value.template item<double>());
        if (!std::isfinite(step.losses.back().second)) detail::stop_not_finite(model, step);
      }
      optimizer.zero_gradients();
      p.loss().backward();
      optimizer.step(step.rate);

      epoch.t    = step.t;
      epoch.rate = step.rate;
      epoch.losses.resize(step.losses.size());
      for (std::size_t i = 0; i < step.losses.size(); ++i) {
        epoch.losses[i].first = step.losses[i].first;
        epoch.losses[i].second += step.losses[i].second / static_cast<double>(batches.batches());
      }
      ++now.iteration;
      tell(step);
    }
    if (report.stopped) break;
    epoch.train_seconds  = train_time.seconds();
    epoch.steps_a_second = static_cast<double>(batches.batches()) / epoch.train_seconds;
    detail::stopwatch const test_time;
    epoch.scores       = detail::evaluate_on(model, tests, recipe);
    epoch.test_seconds = test_time.seconds();
    tell(epoch);
    report.epochs.push_back(std::move(epoch));
  }
  detail::count_faulty(report.faulty, batches);
  detail::count_faulty(report.faulty, tests);
  tell(report);
  return report;
}

// A wrong task has said its sentence; what is asked of it besides is no error of its own.
template <class Task, class... Any>
  requires(!detail::checked<Task>)
std::vector<stage_score> evaluate(stack<Task> const&, Any&&...) {
  return {};
}
template <class Task, class... Any>
  requires(!detail::checked<Task>)
training_report fit(stack<Task>&, Any&&...) {
  return {};
}

}  // namespace c2f
