// Norms in training need two values of each channel: what is refused, what the loader leaves out, and that nothing has changed.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/train/checkpoint.hpp>
#include <c2f/train/fine_tune.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

/// A norm on maps, then one on vectors.
struct vector_norm : tiny::class_vector {
  using network = c2f::predicts<kind, tiny::layers, c2f::global_average_pool, c2f::batch_norm, c2f::linear<3>>;
  using refine  = c2f::refine::no_fine_network;
};
struct imagenet_network {
  static constexpr char const* name = "resnet-18 on 32 pixels";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet<18, c2f::class_vector<3>>;
  using refine                      = c2f::refine::no_fine_network;
};

tiny::dataset<tiny::class_vector::kind, 8> samples(std::int64_t train) { return {{train, 1}, {8, 2}}; }
c2f::recipe::settings recipe(std::int64_t batch) { return c2f::recipe::settings{}.epochs(2).batch(batch).learning_rate(0.01).threads(0); }
bool all_finite(auto const& model) {
  bool finite = true;
  c2f::for_each_tensor(model, [&](std::string const&, c2f::state_tensor const& each, c2f::state_traits const&) {
    finite = finite && each.tensor().isfinite().all().template item<bool>();
  });
  return finite;
}

}  // namespace

TEST_CASE("a norm in training refuses one value a channel before it changes anything") {
  c2f::batch_norm::on<c2f::vector<3>> vector;
  c2f::batch_norm::on<c2f::image<3, 1, 1>> map;
  c2f::initialize(vector, 1), c2f::initialize(map, 1);
  at::Tensor const one = c2f::detail::sample_numbers({1, 3}, 1).to(at::kFloat), two = c2f::detail::sample_numbers({2, 3}, 1).to(at::kFloat);
  REQUIRE(tests::refusal([&] { vector(one, c2f::train); }) ==
          "a norm in training needs two values of each channel or more, found [1, 3]; train on batches of two samples or more, on larger "
          "images, or with fewer strides before the norm");
  REQUIRE(tests::has(tests::refusal([&] { map.then_relu(one.view({1, 3, 1, 1}), c2f::train); }), "found [1, 3, 1, 1]"));
  for (auto const* norm : {&vector.running_mean.tensor(), &map.running_mean.tensor()}) REQUIRE(norm->abs().sum().item<float>() == 0);
  REQUIRE(vector.num_batches_tracked.tensor().item<std::int64_t>() == 0);
  REQUIRE_NOTHROW(vector(one, c2f::eval));
  REQUIRE_NOTHROW(vector(two, c2f::train));
  REQUIRE_NOTHROW(map(c2f::detail::sample_numbers({1, 3, 1, 2}, 1).to(at::kFloat), c2f::train));
  REQUIRE(all_finite(vector));
  REQUIRE(all_finite(map));
}

TEST_CASE("a last batch of one sample is left out of an epoch of training") {
  for (auto const& [count, batch, batches] :
       std::vector<std::array<std::int64_t, 3>>{{33, 16, 2}, {65, 16, 4}, {34, 16, 3}, {32, 16, 2}, {1, 16, 1}, {3, 1, 3}, {17, 16, 1}}) {
    CAPTURE(count, batch);
    for (int const threads : {0, 2}) {
      c2f::data::loader const loader{samples(count).train, {.batch = batch, .threads = threads}};
      REQUIRE(loader.batches() == batches);
      std::int64_t found = 0, rows = 0;
      for (auto const& each : loader.epoch(3)) {
        ++found;
        rows += each.images.size(0);
        REQUIRE((each.images.size(0) > 1 || batch == 1 || count == 1));
      }
      REQUIRE(found == batches);
      REQUIRE(rows == (count % batch == 1 && batch > 1 && count > 1 ? count - 1 : count));
    }
    // An evaluation reads every sample.
    c2f::data::loader const all{samples(count).train, {.batch = batch, .threads = 0, .shuffle = false, .augment = false}};
    REQUIRE(all.batches() == (count + batch - 1) / batch);
  }
}

TEST_CASE("trainings with a remainder of one stay finite, and a batch of one vector is refused with the model as it was") {
  for (std::int64_t const count : {33, 17, 35}) {
    c2f::stack<vector_norm> model(1);
    auto const report = c2f::fit(model, samples(count), recipe(16));
    REQUIRE(report.start.steps_an_epoch == (count == 33 ? 2 : count == 17 ? 1 : 3));
    REQUIRE(report.skipped == 0);
    REQUIRE(all_finite(model));
  }
  tests::scratch const s;
  c2f::stack<vector_norm> model(1);
  auto const before = tiny::tensors_of(model);
  auto const why    = tests::refusal([&] { c2f::fit(model, samples(16), recipe(1), c2f::checkpoints(s.path / "kept")); });
  REQUIRE(tests::has(why, "two values of each channel or more, found [1, 4]"));
  REQUIRE(tiny::same_bytes(before, tiny::tensors_of(model)));  // the norm on maps before it ran, and was put back
  REQUIRE(std::filesystem::is_empty(s.path / "kept"));
}

TEST_CASE("so is a network whose last maps have one pixel") {
  c2f::stack<imagenet_network> model(1);
  auto const before = tiny::tensors_of(model);
  auto const x      = c2f::detail::sample_numbers({3, 3, 32, 32}, 1).to(at::kFloat);
  auto const labels = c2f::detail::sample_numbers({3, 3}, 2).argmax(1);
  auto const why    = tests::refusal([&] { c2f::fine_tune(model, x, labels, recipe(1)); });
  REQUIRE(tests::has(why, "found [1, 512, 1, 1]"));
  REQUIRE(tiny::same_bytes(before, tiny::tensors_of(model)));
  REQUIRE_NOTHROW(c2f::fine_tune(model, x, labels, recipe(2)));  // two samples of three an epoch
  REQUIRE(all_finite(model));
}
