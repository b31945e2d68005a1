// A training in stages: frozen parts, start weights, and a resume inside of each stage.
#include <c2f/print/observers.hpp>
#include <c2f/train/checkpoint.hpp>

#include <ATen/core/grad_mode.h>

#include <map>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using model_type = c2f::stack<tiny::class_vector>;
using stages     = std::vector<c2f::training_stage<model_type>>;

std::map<std::string, at::Tensor> parameters_of(model_type const& model) {
  std::map<std::string, at::Tensor> all;
  c2f::for_each_tensor(model, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (traits.trained) all[path] = each.tensor().detach().clone();
  });
  return all;
}

/// The coarse network alone, then all from doubled biases of its classifier, then the fine network.
stages three() {
  auto const recipe = tiny::recipe().threads(0);
  auto first = recipe, second = recipe, third = recipe;
  first.epochs(2).freeze("fine").freeze("encoder");
  second.epochs(3).learning_rate(0.02).seed(4);
  third.epochs(2).ema(0).freeze("coarse").decay(c2f::decay::cosine{});
  return {{"coarse", first},
          {"all", second,
           [](model_type& model) {
             at::NoGradGuard const no_gradients;
             c2f::for_each_tensor(model, [](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const&) {
               if (path == "coarse.2.bias") each.tensor().mul_(2);
             });
           }},
          {"fine", third}};
}

/// Stops before the n-th step of all stages together.
struct stops_at {
  std::int64_t at, steps = 0;
  std::vector<std::string> names{};
  void on_stage(std::string const& name) { names.push_back(name); }
  void on_start(c2f::training_start const& start) { steps += start.done; }
  void on_step(c2f::step_record const&) { ++steps; }
  [[nodiscard]] bool keeps_step(c2f::progress const&) const { return true; }
  [[nodiscard]] bool stop() const { return steps == at; }
};

std::vector<c2f::training_report> train(model_type& model, auto&&... observers) {
  return c2f::fit(model, tiny::data_of<tiny::class_vector>(), three(), observers...);
}

}  // namespace

TEST_CASE("stages follow each other, and frozen parts keep their values") {
  model_type model(7), by_hand(7);
  auto const before  = parameters_of(model);
  auto const reports = train(model);
  REQUIRE(reports.size() == 3);
  REQUIRE(reports[0].epochs.size() == 2);
  REQUIRE(reports[1].epochs.size() == 3);

  auto const plan = three();
  auto const data = tiny::data_of<tiny::class_vector>();
  c2f::fit(by_hand, data, plan[0].recipe);
  auto const first = parameters_of(by_hand);
  for (auto const& [path, value] : first) REQUIRE(value.equal(before.at(path)) == !path.starts_with("coarse"));
  plan[1].begin(by_hand);
  REQUIRE(!parameters_of(by_hand).at("coarse.2.bias").equal(first.at("coarse.2.bias")));
  c2f::fit(by_hand, data, plan[1].recipe);
  auto const second = parameters_of(by_hand);
  c2f::fit(by_hand, data, plan[2].recipe);
  for (auto const& [path, value] : parameters_of(by_hand)) REQUIRE(value.equal(second.at(path)) == path.starts_with("coarse"));
  REQUIRE(tiny::same_bytes(tiny::tensors_of(model), tiny::tensors_of(by_hand)));
}

TEST_CASE("a training in stages is resumed bit for bit inside of each stage and between them") {
  model_type whole(7);
  std::int64_t const all = 5 * (2 + 3 + 2);
  auto const wanted      = train(whole);
  for (std::int64_t const at : {3, 10, 12, 25, 31, 34}) {
    CAPTURE(at);
    tests::scratch const s;
    model_type first(7), second(8);
    stops_at stop{.at = at};
    auto const part = train(first, c2f::checkpoints(s.path), stop);
    REQUIRE(part.back().stopped);
    REQUIRE(part.size() == (at <= 10 ? 1u : at <= 25 ? 2u : 3u));
    // "second" begins with other values, and the doubled biases come again from the first stage's end.
    stops_at names{.at = all + 1};
    auto const found = train(second, c2f::checkpoints(s.path), names);
    REQUIRE(found.size() == 3);
    REQUIRE(names.names == std::vector<std::string>{"coarse", "all", "fine"});
    REQUIRE(tiny::same_bytes(tiny::tensors_of(whole), tiny::tensors_of(second)));
    for (std::size_t i = 0; i < 3; ++i) {
      REQUIRE(found[i].epochs.size() == wanted[i].epochs.size());
      REQUIRE(found[i].epochs.back().losses == wanted[i].epochs.back().losses);
    }
    REQUIRE(std::filesystem::exists(s.path / "all"));
  }
}

TEST_CASE("the log of each stage is a file of its own") {
  tests::scratch const s;
  for (int i = 0; i < 2; ++i) {  // the second time resumed from the end
    model_type model(7);
    c2f::print::json_lines log(s.path / "log.jsonl");
    train(model, c2f::checkpoints(s.path / "kept"), log);
  }
  REQUIRE(!std::filesystem::exists(s.path / "log.jsonl"));
  for (auto const& [name, epochs] : std::map<std::string, int>{{"coarse", 2}, {"all", 3}, {"fine", 2}}) {
    std::ifstream in(s.path / ("log-" + name + ".jsonl"));
    int found = 0;
    for (std::string line; std::getline(in, line);) found += line.find("\"event\": \"epoch\"") != std::string::npos;
    REQUIRE(found == epochs);
  }
}

TEST_CASE("stages without a proper name are refused before the first step") {
  model_type model(7);
  auto const data    = tiny::data_of<tiny::class_vector>();
  auto const refused = [&](stages const& plan) { return tests::refusal([&] { c2f::fit(model, data, plan); }); };
  REQUIRE(refused({}) == "a training in stages has no stage; give it one or more");
  REQUIRE(refused({{"a/b", {}}}) ==
          "a stage of the training is called 'a/b'; its name becomes a folder, so use letters, digits, '.', '_' and '-'");
  REQUIRE(refused({{"..", {}}}).starts_with("a stage of the training is called '..'"));
  REQUIRE(refused({{"a", {}}, {"b", {}}, {"a", {}}}) == "two stages of the training are called 'a'; rename one");
}
