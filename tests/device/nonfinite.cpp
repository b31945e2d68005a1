// Losses or gradients that are not finite: the step is skipped and changes nothing; too many skipped steps in a row end the training.
#include <c2f/print/observers.hpp>
#include <c2f/train/checkpoint.hpp>

#include <unistd.h>

#include <limits>

#include "catch.hpp"
#include "graph_capture.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using task   = tiny::class_vector;
using tiny::same_bytes;

/// Some images contain a number that is not finite.
struct broken : tiny::samples<task::kind, 8> {
  std::vector<std::int64_t> bad{};
  float with = std::numeric_limits<float>::quiet_NaN();
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, std::int64_t* truth) const {
    samples::read(id, augment, pixels, truth);
    if (std::find(bad.begin(), bad.end(), id) != bad.end()) pixels[7] = with;
  }
};
struct broken_data {
  broken train;
  tiny::samples<task::kind, 8> test{8, 2};
};
broken_data with_bad(std::vector<std::int64_t> ids, float value = std::numeric_limits<float>::quiet_NaN()) {
  return {{{35, 1}, std::move(ids), value}};
}

/// Every state of a training, and the record of each step.
struct history {
  std::vector<tiny::spy> states{};
  std::vector<c2f::step_record> steps{};
  bool restore(c2f::training_state& state) {
    states.emplace_back().keep(state, c2f::moment::step);  // the initial state
    return false;
  }
  void keep(c2f::training_state const& state, c2f::moment when) {
    if (when == c2f::moment::step) states.emplace_back().keep(state, when);
  }
  void on_step(c2f::step_record const& step) { steps.push_back(step); }
};

/// Its output is its input, its gradient NaN.
struct no_gradient {
  template <c2f::shape In>
  struct on {
    using output = In;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x.add(x.mul(0).sqrt()); }
  };
};
struct without_gradient : task {
  using network =
      c2f::coarse_fine<c2f::predicts<kind, tiny::layers, c2f::global_average_pool, c2f::linear<3>>,
                       c2f::predicts<kind, c2f::conv<4, 3, 2>, no_gradient, c2f::relu, c2f::global_average_pool, c2f::linear<3>>>;
};

}  // namespace

TEST_CASE("a step whose loss is not finite changes nothing, and training continues") {
  C2F_NEEDS_DEVICE();
  auto const on_device = GENERATE(from_range(tests::variants()));
  for (float const value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    c2f::stack<task> model(7);
    history all;
    auto const data   = with_bad({5, 11}, value);
    auto const report = c2f::fit(model, data, on_device(tiny::recipe().accumulate(1)), all);
    // The expected steps: those whose batch contains one of the two samples.
    std::vector<bool> bad;
    c2f::data::loader const loader{data.train, {.batch = 4, .seed = 1}};
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch)
      for (auto const& batch : loader.epoch(epoch)) bad.push_back(batch.images.isnan().logical_or(batch.images.isinf()).any().item<bool>());
    auto const skipped = std::count(bad.begin(), bad.end(), true);
    REQUIRE(skipped >= 4);
    REQUIRE(skipped < 15);
    REQUIRE(all.steps.size() == bad.size());
    for (std::size_t i = 0; i < bad.size(); ++i) {
      CAPTURE(i);
      REQUIRE(all.steps[i].skipped == bad[i]);
      auto const &before = all.states[i].tensors, &after = all.states[i + 1].tensors;  // parameters, statistics, momenta, averages
      REQUIRE(same_bytes(before, after) == bad[i]);
      if (i < 4 && !bad[i]) REQUIRE(std::isfinite(all.steps[i].losses[0].second));
    }
    REQUIRE(report.skipped == skipped);
    std::int64_t of_epochs = 0;
    for (auto const& epoch : report.epochs) {
      of_epochs += epoch.skipped;
      double sum     = 0;  // the mean is over the steps that were not skipped
      std::int64_t n = 0;
      for (auto const& step : all.steps)
        if (step.epoch == epoch.epoch && !step.skipped) sum += step.losses[1].second, ++n;
      REQUIRE(epoch.losses[1].second == Approx(sum / static_cast<double>(n)).epsilon(1e-12));
    }
    REQUIRE(of_epochs == skipped);
  }
}

TEST_CASE("the other batches of a skipped step are ignored, too") {
  C2F_NEEDS_DEVICE();
  auto const on_device = GENERATE(from_range(tests::variants()));
  c2f::stack<task> model(7);
  history all;
  auto const data = with_bad({5});
  c2f::fit(model, data, on_device(tiny::recipe()), all);  // two batches a step
  REQUIRE(all.steps.size() == 15);
  int skipped = 0;
  for (std::size_t i = 0; i < 15; ++i) {
    REQUIRE(same_bytes(all.states[i].tensors, all.states[i + 1].tensors) == all.steps[i].skipped);
    skipped += all.steps[i].skipped;
  }
  REQUIRE(skipped == 3);  // the sample is in one step of each epoch
}

TEST_CASE("a gradient that is not finite is found where the loss is finite") {
  C2F_NEEDS_DEVICE();
  auto const on_device = GENERATE(from_range(tests::variants()));
  c2f::stack<without_gradient> model(7);
  history all;
  std::string const message = tests::refusal<c2f::not_finite>(
      [&] { c2f::fit(model, tiny::data_of<task>(), on_device(c2f::recipe::settings{}.epochs(3).batch(7).stop_after_skips(3)), all); });
  REQUIRE(message ==
          "the gradient of 'encoder.project.0.weight' is not finite at epoch 0, step 2 (3 skipped in a row); lower the learning rate or "
          "clip the gradient");
  REQUIRE(all.steps.size() == 2);
  for (auto const& step : all.steps) {
    REQUIRE(step.skipped);
    for (auto const& [name, value] : step.losses) REQUIRE(std::isfinite(value));
  }
  REQUIRE(same_bytes(all.states[1].tensors, all.states.back().tensors));
  std::vector<at::Tensor> const begun(all.states.front().tensors.begin(),  // parameters and buffers come first
                                      all.states.front().tensors.begin() + std::ssize(tiny::tensors_of(model)));
  REQUIRE(same_bytes(begun, tiny::tensors_of(model)));  // the model is unchanged, too
}

TEST_CASE("the first statistic that is not finite names the module that produced it") {
  C2F_NEEDS_DEVICE();
  auto const on_device = GENERATE(from_range(tests::variants()));
  c2f::stack<task> model(7);
  std::vector<std::int64_t> all_of_them(35);
  std::iota(all_of_them.begin(), all_of_them.end(), 0);
  REQUIRE(tests::refusal<c2f::not_finite>([&] { c2f::fit(model, with_bad(all_of_them), on_device(tiny::recipe())); }) ==
          "the loss 'coarse' is not finite at epoch 1, step 4 (10 skipped in a row); the first non-finite number of the model is in "
          "'coarse.0.1.running_mean'; lower the learning rate");
}

TEST_CASE("only skipped steps in a row end a training at once") {
  C2F_NEEDS_DEVICE();
  auto const on_device = GENERATE(from_range(tests::variants()));
  c2f::stack<task> model(7);
  history all;
  auto const data = with_bad({5, 11});
  c2f::fit(model, data, on_device(c2f::recipe::settings{}.epochs(6).batch(8)), all);
  std::int64_t row = 0, longest = 0, count = 0;
  for (auto const& step : all.steps) {
    row     = step.skipped ? row + 1 : 0;
    longest = std::max(longest, row);
    count += step.skipped;
  }
  REQUIRE(longest >= 2);
  REQUIRE(count > longest);
  REQUIRE(2 * count <= std::ssize(all.steps));  // more would be an error at the end (unit/surprises.cpp)
  auto const limited = [&](std::int64_t most) {
    c2f::stack<task> again(7);
    return tests::refusal<c2f::not_finite>(
        [&] { c2f::fit(again, data, on_device(c2f::recipe::settings{}.epochs(6).batch(8).stop_after_skips(most))); });
  };
  REQUIRE(limited(longest + 1).empty());
  REQUIRE(limited(longest).find("(" + std::to_string(longest) + " skipped in a row)") != std::string::npos);
}

TEST_CASE("a training that ends with not_finite leaves a valid checkpoint, and resumes to the same end") {
  C2F_NEEDS_DEVICE();
  auto const on_device = GENERATE(from_range(tests::variants()));
  tests::scratch const dir;
  fs::path const folder = dir.path / "kept";
  std::vector<std::int64_t> all_of_them(35);
  std::iota(all_of_them.begin(), all_of_them.end(), 0);
  c2f::stack<task> model(7);
  std::string const first = tests::refusal<c2f::not_finite>(
      [&] { c2f::fit(model, with_bad(all_of_them), on_device(tiny::recipe()), c2f::checkpoints(folder, {.every = 1})); });
  REQUIRE(first.find("at epoch 1, step 4") != std::string::npos);
  c2f::stack<task> again(8);
  history rest;  // the checkpoint is valid and has counted nine skipped steps
  REQUIRE(tests::refusal<c2f::not_finite>(
              [&] { c2f::fit(again, with_bad(all_of_them), on_device(tiny::recipe()), c2f::checkpoints(folder), rest); }) == first);
  REQUIRE(same_bytes(tiny::tensors_of(c2f::stack<task>(7)), tiny::tensors_of(again)));

  // A learning rate that overflows makes the parameters themselves infinite: the last checkpoint is from before that.
  fs::remove_all(folder);
  c2f::stack<task> wild(7);
  auto const recipe = on_device(c2f::recipe::settings{}.epochs(4).batch(7).learning_rate(0.01).milestone(0.25, 1e60));
  REQUIRE(!tests::refusal<c2f::not_finite>([&] {
             c2f::fit(wild, tiny::data_of<task>(), recipe, c2f::checkpoints(folder, {.every = 1}));
           }).empty());
  REQUIRE(!c2f::parameters(wild)[0].isfinite().all().item<bool>());
  c2f::checkpoints kept(folder);
  c2f::stack<task> restored(8);
  c2f::fit(restored, tiny::data_of<task>(), recipe, kept, tiny::stops{.at = 5});
  REQUIRE(kept.restored().filename() == "epoch-00001-step-0000000");
  for (auto const& each : tiny::tensors_of(restored)) REQUIRE(each.isfinite().all().item<bool>());
}
