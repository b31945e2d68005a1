// c2f/systems/rejuvenation.hpp: neural rejuvenation: a training that takes the dead channels out of a network and gives it new ones.
//
//   auto const report = c2f::systems::fit_rejuvenated(model, data, {.sparse = recipe, .dense = recipe, .target = 0.5});
//   std::printf("r %.2f, growth %.2f\n", report.surgeries[0].utilisation, report.surgeries[0].growth);
//
// Qiao, Lin, Zhang and Yuille, "Neural rejuvenation: improving deep network training by enhancing computational resource utilization", CVPR
// 2019. `model` is any model whose convolutions are followed by norms, also a stack: one budget is then shared by all its networks. Stages
// (train/training_stages.hpp):
//   "sparse-1"      the loss plus lambda * sum |weight| over the norms that are free (execution/channel_graph.hpp), until the utilisation r
//                   is below the target at the end of an epoch. lambda begins at 0 and rises by 5e-5 after each epoch in which r did not
//                   fall by .01, or is fixed. So a search may take (1 - target) / .01 epochs, and those in which lambda was too small; a
//                   remark (train/observer.hpp) says where the stage has fewer. The surgery follows whether or not r got below the target:
//                   report.reached. lambda and r are buffers of the stage's model, and so part of its checkpoints.
//   surgery         c2f::replace_channels (train/channel_surgery.hpp)
//   "sparse-2", …   with times > 1
//   "rejuvenated"   the model itself in its new widths: as fast as a network that always had them
// A surgery is a function of the state at the end of a stage, so the same call with c2f::checkpoints resumes anywhere, bit for bit. Momentum
// follows the channels that stay (the published code begins with none after a surgery). A call with other options is refused where
// these checkpoints are. To load the weights in another program: c2f::take_sizes (data/io/weights.hpp), or a model folder.
//
// An observer with on_channels(channel_record) is called after each epoch of a sparse stage and after each surgery; one with
// on_surgery(model, surgery_report) after each surgery.
//
// Costs: those of c2f::fit; the penalty is one sum over the norms' weights. Errors: input_error for options out of range, a target above the
// budget, a moving average or early stopping in a sparse stage (dead channels would be found by other weights than are scored), and several
// processes.
#pragma once

#include <c2f/systems/sparse_model.hpp>
#include <c2f/train/channel_surgery.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/training_stages.hpp>

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace c2f::systems {

struct rejuvenation_report {
  std::vector<training_report> trainings;  ///< of the stages, up to one that was stopped
  std::vector<surgery_report> surgeries;
  bool reached = true;  ///< every sparse stage ended with r below the target; else one had too few epochs
  bool stopped = false;
};

namespace detail {
template <class O>
void notify(O& o, channel_record const& record) {
  if constexpr (requires { o.on_channels(record); }) o.on_channels(record);
}
template <class O, class Model>
void notify_surgery(O& o, Model const& model, surgery_report const& report) {
  if constexpr (requires { o.on_surgery(model, report); }) o.on_surgery(model, report);
}
/// The names of an optimiser's state of a model where the model is a member of sparse_model, and back. Adam's "updates" are of no tensor.
inline std::string in_sparse_model(std::string const& name) { return name == "updates" ? name : "model." + name; }
inline std::string of_sparse_model(std::string const& name) { return name.starts_with("model.") ? name.substr(6) : name; }
/// Begins a training with the optimiser state of another one.
struct carried_state {
  named_tensors from;
  static bool keeps_step(progress const&) { return false; }
  static void keep(training_state const&, moment) {}
  bool restore(training_state& state) const {
    at::NoGradGuard const no_gradients;
    for (auto const& [name, value] : from)
      for (auto const& [path, into] : state.optimizer_state)
        if (path == name && into.sizes() == value.sizes()) into.copy_(value);
    return false;
  }
};
/// Ends a sparse stage, and remembers the optimiser's state.
template <class Model>
struct sparse_stage {
  sparse_model<Model>& model;
  std::function<void(channel_record const&)> tell;
  named_tensors state{};
  bool done = false;
  static bool keeps_step(progress const&) { return false; }
  static void keep(training_state const&, moment) {}
  bool restore(training_state& begun) {  // after the observer that restored it
    state = begun.optimizer_state;
    done  = model.reached();
    return false;
  }
  void on_epoch(epoch_record const& epoch) {
    tell(model.adapt(epoch.epoch + 1));
    done = model.reached();
  }
  [[nodiscard]] bool reached_goal() const { return done; }
};
inline void check(rejuvenation_options const& how) {
  bool const fits = how.target > 0 && how.target <= 1 && how.budget > 0 && how.lambda.value_or(0) >= 0 && how.lambda_step > 0 &&
                    how.fall >= 0 && how.times >= 1;
  if (!fits)
    throw input_error(
        "a rejuvenation has target " + std::to_string(how.target) + ", budget " + std::to_string(how.budget) + ", lambda " +
        std::to_string(how.lambda.value_or(0)) + ", lambda_step " + std::to_string(how.lambda_step) + ", fall " + std::to_string(how.fall) +
        " and times " + std::to_string(how.times) +
        "; write a target from above 0 to 1, a budget and lambda_step above 0, no lambda and fall below 0, and times of 1 or more");
  c2f::detail::check_options(how.surgery);
  if (how.target > how.budget)
    throw input_error("a rejuvenation has target " + std::to_string(how.target) + " and budget " + std::to_string(how.budget) +
                      ", and a network of that utilisation would cost more than its budget; write a target of at most the budget");
  if (how.sparse.early_stopping())
    throw input_error(
        "the sparse stage of a rejuvenation stops early, and would end with weights of another epoch than that whose channels were "
        "counted; leave stop_early out of its recipe");
  if (how.sparse.ema().on())
    throw input_error(
        "the sparse stage of a rejuvenation has a moving average, whose weights are scored while the network's own decide which channels "
        "are "
        "dead; leave ema out of its recipe");
  if (how.surgery.cross == cross_connections::attention && how.times > 1)
    throw input_error("a rejuvenation with cross attention has times " + std::to_string(how.times) +
                      ", and after the first one new channels cannot be kept apart from newer ones; write times of 1, or another cross");
  if (how.sparse.world() != nullptr || how.dense.world() != nullptr)
    throw input_error("a rejuvenation trains in one process, and its recipe has several; leave on(world) out");
}
}  // namespace detail

/// Trains a model with rejuvenation. See the top of this file.
template <class Model, class Data, observer... Observers>
rejuvenation_report fit_rejuvenated(Model& model, Data const& data, rejuvenation_options how, Observers&&... observers) {
  detail::check(how);
  rejuvenation_report report;
  detail::carried_state carried;
  channel_graph const begin = channels_of(model);
  c2f::detail::check_free(begin);
  std::int64_t epochs  = how.dense.epochs();
  how.surgery.seed     = how.dense.seed();
  how.surgery.budget   = how.budget * begin.cost(how.surgery.counted);
  auto const tell      = [&](channel_record const& record) { (detail::notify(observers, record), ...); };
  auto const completed = [&](training_report one) {
    report.trainings.push_back(std::move(one));
    return std::ssize(report.trainings.back().epochs);
  };
  for (std::int64_t i = 1; i <= how.times; ++i) {
    std::string const name = "sparse-" + std::to_string(i);
    sparse_model<Model> sparse(model, how);
    move_to(sparse, how.sparse.device());
    sparse.look();
    detail::sparse_stage<Model> stage{sparse, [&](channel_record record) { record.stage = name, tell(record); }};
    for (auto& each : carried.from) each.first = detail::in_sparse_model(each.first);
    auto recipe = how.sparse;
    if (how.equal_epochs)
      recipe.epochs(std::clamp<std::int64_t>(epochs - 1 - (how.times - i), 1, recipe.epochs()));  // later stages have one, too
    epochs -= completed(fit_stage(name, sparse, data, recipe, carried, observers..., stage));
    model = sparse.model;
    if (report.trainings.back().stopped) return report.stopped = true, report;
    report.reached = report.reached && stage.done;
    carried.from.clear();
    for (auto const& [path, value] : stage.state) carried.from.emplace_back(detail::of_sparse_model(path), value);
    how.surgery.number = static_cast<std::uint64_t>(i);
    report.surgeries.push_back(replace_channels(model, channels_of(model), how.surgery, &carried.from));
    (detail::notify_surgery(observers, model, report.surgeries.back()), ...);
    tell({"surgery-" + std::to_string(i), 0, 0, report.surgeries.back().utilisation, report.surgeries.back().norms});
  }
  if (how.from_scratch) initialize_again(model, how.dense.seed()), carried.from.clear();
  if (how.equal_epochs) how.dense.epochs(std::max<std::int64_t>(1, epochs));
  completed(fit_stage("rejuvenated", model, data, how.dense, carried, observers...));
  report.stopped = report.trainings.back().stopped;
  return report;
}

}  // namespace c2f::systems
