// A training that was stopped and resumed equals the uninterrupted one, bit for bit.
#include <c2f/train/checkpoint.hpp>

#include <unistd.h>

#include "catch.hpp"
#include "graph_capture.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using tiny::same_bytes;
using tiny::spy;
using tiny::stops;

struct scratch : tests::scratch {
  fs::path folder = path / "kept";
};

struct steps {
  std::vector<c2f::step_record> all{};
  void on_step(c2f::step_record const& step) { all.push_back(step); }
};

struct trained {
  spy state;
  std::vector<at::Tensor> model;
  std::vector<c2f::step_record> steps;
};

template <class Task>
trained straight(c2f::recipe::settings const& recipe) {
  c2f::stack<Task> model(7);
  trained t;
  steps observed;
  c2f::fit(model, tiny::data_of<Task>(), recipe, t.state, observed);
  t.model = tiny::tensors_of(model);
  t.steps = observed.all;
  return t;
}

/// Stops the training where `stop` says, and resumes it with a new model.
template <class Task, class Keeper = c2f::checkpoints>
trained in_two(c2f::recipe::settings const& recipe, stops stop, c2f::recipe::settings const& second, fs::path const& folder) {
  fs::remove_all(folder);
  {
    c2f::stack<Task> model(7);
    REQUIRE(c2f::fit(model, tiny::data_of<Task>(), recipe, Keeper(folder), stop).stopped);
  }
  c2f::stack<Task> model(8);
  trained t;
  steps observed;
  Keeper kept(folder);
  c2f::training_report const report = c2f::fit(model, tiny::data_of<Task>(), second, kept, t.state, observed);
  REQUIRE(!report.stopped);
  REQUIRE(report.start.done + std::ssize(observed.all) == 15);
  t.model = tiny::tensors_of(model);
  t.steps = observed.all;
  return t;
}

bool same_end(trained const& whole, trained const& part) {
  bool same        = same_bytes(whole.state, part.state) && same_bytes(whole.model, part.model);
  auto const first = whole.steps.size() - part.steps.size();
  for (std::size_t i = 0; i < part.steps.size(); ++i) {
    auto const &a = whole.steps[first + i], &b = part.steps[i];
    same = same && a.epoch == b.epoch && a.step == b.step && a.iteration == b.iteration && a.t == b.t &&
           a.learning_rate == b.learning_rate && a.losses == b.losses;
  }
  return same;
}

/// Loses the position in the epoch, or another part of the state.
template <int What>
struct forgetful : c2f::checkpoints {
  using c2f::checkpoints::checkpoints;
  bool restore(c2f::training_state& state) {
    bool const restored = c2f::checkpoints::restore(state);
    at::NoGradGuard const no_gradients;
    if (What == 0) state.step = 0;
    if (What == 1) state.now.iteration = 0;
    if (What == 2)
      for (auto const& each : state.optimizer_state) at::Tensor(each.second).zero_();
    if (What == 3)
      for (auto const& each : state.averages) at::Tensor(each.second).zero_();
    if (What == 4) state.train = {};
    if (What == 5) state.epoch = {};
    return restored;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("a resumed training equals the uninterrupted one, wherever it was stopped", "", tiny::class_vector, tiny::boxes,
                   tiny::dense) {
  C2F_NEEDS_DEVICE();
  scratch const s;
  auto const recipe   = [](int threads) { return tests::variants().back()(tiny::recipe().threads(threads)); };
  trained const whole = straight<TestType>(recipe(0));
  REQUIRE(whole.steps.size() == 15);
  REQUIRE(whole.state.tensors.size() > 20);
  REQUIRE(whole.steps.front().t == 0);
  REQUIRE(whole.steps[7].t > 0);
  REQUIRE(whole.steps[7].t < 1);
  REQUIRE(whole.steps.back().t == 1);
  // In each phase of t, and (5, 10, 15) between the last step of an epoch and its scores.
  std::vector<std::int64_t> const all{1, 3, 5, 6, 8, 10, 11, 14, 15}, few{3, 5, 11};
  for (std::int64_t const at : tests::emulated() ? few : all) {
    CAPTURE(at);
    REQUIRE(same_end(whole, in_two<TestType>(recipe(0), {.at = at}, recipe(0), s.folder)));
  }
  if (tests::emulated()) return;  // steps are slow there
  for (std::int64_t epoch = 1; epoch <= 2; ++epoch)
    REQUIRE(same_end(whole, in_two<TestType>(recipe(0), {.after_epoch = epoch}, recipe(0), s.folder)));
  // The number of loader threads may be changed at the resume.
  for (int const threads : {1, 4}) {
    REQUIRE(same_end(whole, in_two<TestType>(recipe(threads), {.at = 7}, recipe(threads), s.folder)));
    REQUIRE(same_end(whole, in_two<TestType>(recipe(threads), {.at = 12}, recipe(0), s.folder)));
  }
}

TEST_CASE("every part of the state matters") {
  C2F_NEEDS_DEVICE();
  scratch const s;
  auto const recipe   = tests::variants().back()(tiny::recipe().threads(0));
  trained const whole = straight<tiny::class_vector>(recipe);
  auto const differs  = [&]<int What>(std::integral_constant<int, What>) {
    fs::remove_all(s.folder);
    c2f::stack<tiny::class_vector> model(7);
    trained t;
    c2f::fit(model, tiny::data_of<tiny::class_vector>(), recipe, c2f::checkpoints(s.folder), stops{.at = 8});
    c2f::fit(model, tiny::data_of<tiny::class_vector>(), recipe, forgetful<What>(s.folder), t.state);
    return !same_bytes(whole.state, t.state);
  };
  REQUIRE(!differs(std::integral_constant<int, -1>{}));
  REQUIRE(differs(std::integral_constant<int, 0>{}));
  REQUIRE(differs(std::integral_constant<int, 1>{}));
  REQUIRE(differs(std::integral_constant<int, 2>{}));
  REQUIRE(differs(std::integral_constant<int, 3>{}));
  REQUIRE(differs(std::integral_constant<int, 4>{}));
  REQUIRE(differs(std::integral_constant<int, 5>{}));
}

TEST_CASE("a training that was stopped many times, and one that is finished") {
  C2F_NEEDS_DEVICE();
  scratch const s;
  auto const recipe   = tests::variants().back()(tiny::recipe().threads(1));
  trained const whole = straight<tiny::class_vector>(recipe);
  trained t;
  for (std::int64_t at = 1; at <= 16; ++at) {
    c2f::stack<tiny::class_vector> model(at == 1 ? 7 : static_cast<std::uint64_t>(at));  // only the first model's initial values matter
    auto const report = c2f::fit(model, tiny::data_of<tiny::class_vector>(), recipe, c2f::checkpoints(s.folder), stops{.at = at}, t.state);
    REQUIRE(report.stopped == (at <= 15));
    REQUIRE(report.start.done == at - 1);
    t.model = tiny::tensors_of(model);
  }
  REQUIRE(same_bytes(whole.state, t.state));
  REQUIRE(same_bytes(whole.model, t.model));

  c2f::stack<tiny::class_vector> model(3);
  steps observed;
  auto const report = c2f::fit(model, tiny::data_of<tiny::class_vector>(), recipe, c2f::checkpoints(s.folder), observed);
  REQUIRE(report.start.done == 15);
  REQUIRE(observed.all.empty());
  REQUIRE(report.epochs.size() == 3);
  REQUIRE(report.faulty.samples == 3);  // 3 and 20 of 35, and 3 of 8 for testing
  REQUIRE(same_bytes(whole.model, tiny::tensors_of(model)));
}

TEST_CASE("a plain recipe can be resumed, also in bfloat16") {
  C2F_NEEDS_DEVICE();
  scratch const s;
  for (bool const bf16 : {false, true}) {
    auto const recipe   = tests::variants().back()(c2f::recipe::settings{}.epochs(3).batch(7).learning_rate(0.05).threads(1).bf16(bf16));
    trained const whole = straight<tiny::class_vector>(recipe);
    for (std::int64_t const at : {1, 6, 10}) REQUIRE(same_end(whole, in_two<tiny::class_vector>(recipe, {.at = at}, recipe, s.folder)));
  }
}

TEST_CASE("so can trainings with Adam, in bfloat16 and with captured steps") {
  C2F_NEEDS_DEVICE();
  scratch const s;
  for (auto const& recipe :
       {tests::uncaptured(tiny::recipe().learning_rate(0.01).adam({.decoupled = true})), tests::uncaptured(tiny::recipe().bf16()),
        tests::captured(tiny::recipe().learning_rate(0.01).adam({})), tests::captured(tiny::recipe().bf16())}) {
    trained const whole = straight<tiny::class_vector>(recipe);
    for (std::int64_t const at : {1, 5, 7}) REQUIRE(same_end(whole, in_two<tiny::class_vector>(recipe, {at}, recipe, s.folder)));
  }
}
