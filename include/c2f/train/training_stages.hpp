// c2f/train/training_stages.hpp: a training in several stages, each with its own recipe, frozen parts and start weights.
//
//   using model_type = c2f::stack<cifar100>;
//   auto both = c2f::recipe::cifar{}.epochs(60), first = c2f::recipe::cifar{}.epochs(30).freeze("fine").freeze("encoder");
//   std::vector<c2f::training_stage<model_type>> const stages{
//       {"coarse", first},                                                      // recipe.freeze: these parts keep their values
//       {"both", both, [](model_type& model) { c2f::initialize(model.fine, 5); }}};   // called before the stage
//   c2f::checkpoints kept(out / "checkpoints");
//   auto reports = c2f::fit(model, data, stages, kept);                          // a report for each stage
//
// Each stage is a call of c2f::fit with its recipe: optimiser state, schedules, epochs and the moving average begin anew; the model goes on
// with the values that the stage before left. Observers get on_stage(name): checkpoints are kept in a folder of the stage's name, JSON
// lines are written to a file of their own (log.jsonl becomes log-NAME.jsonl). So the same call resumes inside of any stage: the stages
// before are restored from their last checkpoints and train nothing. A stage that an observer stops ends the training. Stages of different
// models or data are calls of fit_stage, one after the other (systems/coarse2fine_training.hpp).
//
// Costs and errors: those of c2f::fit; input_error for no stages, and for names that are empty, equal or no file names.
#pragma once

#include <c2f/train/fit.hpp>
#include <c2f/train/processes.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

/// A stage of a training.
template <class Model>
struct training_stage {
  std::string name;  ///< letters, digits, '.', '_' and '-'
  recipe::settings recipe;
  std::function<void(Model&)> begin{};  ///< sets start weights, if given; a function of the model alone, since a resume calls it again
};

namespace detail {
inline void check_stage_name(std::string const& name) {
  bool const is_file_name = !name.empty() && name.front() != '.' && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
  if (!is_file_name)
    throw input_error("a stage of the training is called '" + name +
                      "'; its name becomes a folder, so use letters, digits, '.', '_' and '-'");
}
template <class Model>
void check_stages(std::vector<training_stage<Model>> const& stages) {
  if (stages.empty()) throw input_error("a training in stages has no stage; give it one or more");
  for (std::size_t i = 0; i < stages.size(); ++i) {
    std::string const& name = stages[i].name;
    check_stage_name(name);
    for (std::size_t j = 0; j < i; ++j)
      if (stages[j].name == name) throw input_error("two stages of the training are called '" + name + "'; rename one");
  }
}
}  // namespace detail

/// Trains a model as the stage `name`. For stages of different models or data, each of which takes over what it needs from the one before:
/// networks are values, so `next.coarse = first.coarse` does.
template <class Model, class Data, observer... Observers>
training_report fit_stage(std::string const& name, Model& model, Data const& data, recipe::settings const& recipe,
                          Observers&&... observers) {
  detail::check_stage_name(name);
  if (detail::processes(recipe).first()) (detail::notify_stage(observers, name), ...);
  return fit(model, data, recipe, observers...);
}

/// Trains a model in stages and returns their reports, up to the stage that was stopped.
template <class Model, class Data, observer... Observers>
std::vector<training_report> fit(Model& model, Data const& data, std::vector<training_stage<Model>> const& stages,
                                 Observers&&... observers) {
  detail::check_stages(stages);
  std::vector<training_report> reports;
  for (auto const& stage : stages) {
    if (stage.begin) stage.begin(model);
    reports.push_back(fit_stage(stage.name, model, data, stage.recipe, observers...));
    if (reports.back().stopped) break;
  }
  return reports;
}

}  // namespace c2f
