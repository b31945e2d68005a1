// The training of Coarse2Fine in stages, resumed inside of each; pairs for the up-sampler; boxes of what a network looks at.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/inference/attended_box.hpp>
#include <c2f/systems/coarse2fine_training.hpp>
#include <c2f/train/checkpoint.hpp>

#include <ATen/ops/einsum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/ops/zeros.h>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using namespace c2f::systems;

struct small : coarse2fine<tiny::class_vector::kind, tiny::layers, c2f::image<3, 8, 8>, 2, c2f::upsampler<1>, 1.0, 10> {
  using data = tiny::class_vector::data;
};

coarse2fine_stages stages() {
  auto const recipe = tiny::recipe().threads(0);
  return {.upsampler = upsampler_recipe{}.epochs(2).batch(10).threads(0),
          .coarse    = c2f::recipe::settings(recipe).epochs(2),
          .joint     = c2f::recipe::settings(recipe).epochs(2).seed(5),
          .pairs     = 40};
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

at::Tensor centres_of(c2f::stack<small> const& model) { return std::get<2>(model.share.layers).centres.tensor(); }

}  // namespace

TEST_CASE("three stages: what each hands to the next, and a resume inside of each, bit for bit") {
  c2f::stack<small> whole(7);
  stops_at seen{.at = -1};
  auto const reports = fit_coarse2fine(whole, tiny::data_of<small>(), stages(), seen);
  REQUIRE(seen.names == std::vector<std::string>{"upsampler", "coarse", "joint"});
  REQUIRE(reports.size() == 3);
  REQUIRE(reports[0].epochs.back().scores[0].values[0].first == "mse");
  REQUIRE(reports[1].epochs.back().losses.size() == 2);  // coarse, coarse.centre
  REQUIRE(reports[2].epochs.back().losses.size() == 4);
  REQUIRE(seen.steps == 8 + 10 + 10);
  REQUIRE(centres_of(whole).abs().max().item<float>() > 0);

  // By hand.
  c2f::stack<small> by_hand(7);
  auto const plan = stages();
  upsampler_model<c2f::upsampler<1>> up(plan.upsampler->seed());
  c2f::fit(up, c2f::data::enlarged_maps<8, 2>(40, plan.upsampler->seed()), *plan.upsampler);
  by_hand.encoder.up = up.up;
  c2f::stack<coarse2fine_coarse<small>> first(7);
  c2f::fit(first, tiny::data_of<small>(), *plan.coarse);
  by_hand.share = first.share, by_hand.coarse = first.coarse, by_hand.fine = first.coarse;
  c2f::fit(by_hand, tiny::data_of<small>(), plan.joint);
  REQUIRE(tiny::same_bytes(tiny::tensors_of(whole), tiny::tensors_of(by_hand)));

  for (std::int64_t const at : {3, 8, 11, 17, 20, 27}) {
    CAPTURE(at);
    tests::scratch const s;
    c2f::stack<small> stopped(7), resumed(7);
    stops_at stop{.at = at};
    auto const part = fit_coarse2fine(stopped, tiny::data_of<small>(), stages(), c2f::checkpoints(s.path), stop);
    REQUIRE(part.back().stopped);
    REQUIRE(part.size() == (at <= 8 ? 1u : at <= 18 ? 2u : 3u));
    auto const found = fit_coarse2fine(resumed, tiny::data_of<small>(), stages(), c2f::checkpoints(s.path));
    REQUIRE(found.size() == 3);
    REQUIRE(tiny::same_bytes(tiny::tensors_of(whole), tiny::tensors_of(resumed)));
    REQUIRE(centres_of(whole).equal(centres_of(resumed)));
  }
}

TEST_CASE("the first stages may be left out, and so is the up-sampler where there is none") {
  auto plan = stages();
  plan.coarse.reset(), plan.upsampler.reset();
  c2f::stack<small> model(7), alone(7);
  REQUIRE(fit_coarse2fine(model, tiny::data_of<small>(), plan).size() == 1);
  c2f::fit(alone, tiny::data_of<small>(), plan.joint);
  REQUIRE(tiny::same_bytes(tiny::tensors_of(model), tiny::tensors_of(alone)));
  c2f::stack<coarse2fine_bilinear<small>> bilinear(7);
  REQUIRE(fit_coarse2fine(bilinear, tiny::data_of<small>(), stages()).size() == 2);
  auto elsewhere = stages();
  elsewhere.joint.device(at::kMeta);
  REQUIRE(tests::has(tests::refusal([&] { fit_coarse2fine(model, tiny::data_of<small>(), elsewhere); }), "on different devices"));
}

TEST_CASE("pairs are functions of seed and id, enlarged as PyTorch does, and an up-sampler learns from them") {
  at::Tensor const map = c2f::detail::sample_numbers({1, 1, 8, 8}, 3).to(at::kFloat).contiguous();
  at::Tensor found     = at::zeros({1, 1, 32, 32});
  std::vector<std::pair<c2f::data::interpolation, at::Tensor>> const wanted{
      {c2f::data::interpolation::nearest, at::upsample_nearest2d(map, {32, 32})},
      {c2f::data::interpolation::bilinear, at::upsample_bilinear2d(map, {32, 32}, false)},
      {c2f::data::interpolation::bicubic, at::upsample_bicubic2d(map, {32, 32}, false)}};
  for (auto const& [how, large] : wanted) {
    c2f::data::enlarge(map.const_data_ptr<float>(), 8, 4, how, found.mutable_data_ptr<float>());
    REQUIRE(found.allclose(large, 1e-5, 1e-5));
  }

  c2f::data::enlarged_maps<8, 4> const sets(300, 3);
  REQUIRE(sets.train.size() == 300);
  REQUIRE(sets.test.size() == 30);
  at::Tensor x = at::zeros({1, 1, 8, 8}), y = at::zeros({32, 32}), again = at::zeros({1, 1, 8, 8});
  std::array<int, 3> ways{};
  for (std::int64_t id = 0; id < 60; ++id) {
    sets.train.read(id, nullptr, x.mutable_data_ptr<float>(), y.mutable_data_ptr<float>());
    int way = 0;
    for (auto const how : {c2f::data::interpolation::nearest, c2f::data::interpolation::bilinear, c2f::data::interpolation::bicubic}) {
      c2f::data::enlarge(x.const_data_ptr<float>(), 8, 4, how, found.mutable_data_ptr<float>());
      ways[static_cast<std::size_t>(way++)] += found.view({32, 32}).equal(y);
    }
    REQUIRE(x.max().item<float>() > 0);
  }
  REQUIRE(ways[0] + ways[1] + ways[2] == 60);
  for (int const each : ways) REQUIRE(each > 8);
  c2f::random_stream unused{1, c2f::purpose::augment, 0, 0};
  sets.train.read(59, &unused, again.mutable_data_ptr<float>(), y.mutable_data_ptr<float>());
  REQUIRE(again.equal(x));
  sets.test.read(59, nullptr, again.mutable_data_ptr<float>(), y.mutable_data_ptr<float>());
  REQUIRE(!again.equal(x));

  upsampler_model<c2f::upsampler<2>> model(1);
  static_assert(decltype(model)::factor == 4);
  auto const before = c2f::evaluate(model, sets.test, c2f::recipe::settings{});
  c2f::fit(model, sets, upsampler_recipe{}.epochs(6).threads(0));
  auto const after = c2f::evaluate(model, sets.test, c2f::recipe::settings{});
  CAPTURE(before[0].values[0].second, after[0].values[0].second);
  REQUIRE(after[0].values[0].second < .99 * before[0].values[0].second);
}

TEST_CASE("the box of what is looked at: the largest component above the threshold, after a mean filter") {
  at::Tensor map = at::zeros({10, 12});
  map.narrow(0, 2, 4).narrow(1, 5, 3).fill_(1);
  map[8].narrow(0, 0, 2).fill_(1);                 // a smaller component
  map.narrow(0, 7, 3).narrow(1, 8, 4).fill_(.3f);  // a larger one below the threshold
  using c2f::metrics::box;
  REQUIRE(c2f::attended_box(map, {.kernel = 1}) == box{5, 2, 8, 6});
  REQUIRE(c2f::attended_box(map.mul(-3).add(7), {.kernel = 1, .threshold = 0.9}) ==
          c2f::attended_box(map.neg(), {.kernel = 1, .threshold = 0.9}));
  map[9].narrow(0, 7, 1).fill_(.3f);  // now it is the largest by a position
  REQUIRE(c2f::attended_box(map, {.kernel = 1, .threshold = 0.2}) == box{7, 7, 12, 10});
  REQUIRE(c2f::attended_box(at::zeros({10, 12})) == box{0, 0, 12, 10});
  REQUIRE(c2f::attended_box(at::zeros({10, 12}).add(.3)) == box{0, 0, 12, 10});  // its means differ in the last bit
  // A single bright position is smoothed away beside a region.
  at::Tensor spot = at::zeros({9, 9});
  spot[0][0]      = 1;
  spot.narrow(0, 4, 4).narrow(1, 4, 4).fill_(.8f);
  REQUIRE(c2f::attended_box(spot, {.kernel = 1, .threshold = 0.9}) == box{0, 0, 1, 1});
  REQUIRE(c2f::attended_box(spot, {.kernel = 3, .threshold = 0.7}).x0 >= 4);
  REQUIRE(c2f::attended_box(spot.to(at::kBFloat16), {.kernel = 1, .threshold = 0.5}) == box{4, 4, 8, 8});
  REQUIRE(tests::refusal([] { (void)c2f::attended_box(at::zeros({1, 10, 12})); }) ==
          "a box is asked of a map of [1, 10, 12]; give one of [H, W]");
  REQUIRE(tests::refusal([] {
            (void)c2f::attended_box(at::zeros({10, 12}), {.kernel = 4});
          }).starts_with("an attended box needs an odd kernel and a threshold from 0 to below 1, found 4 and 0.5"));
  REQUIRE(!tests::refusal([] { (void)c2f::attended_box(at::zeros({10, 12}), {.threshold = 1}); }).empty());

  at::Tensor const features = c2f::detail::sample_numbers({5, 3, 4}, 1).to(at::kFloat),
                   weight   = c2f::detail::sample_numbers({7, 5}, 2).to(at::kFloat);
  REQUIRE(c2f::class_activation(features, weight, 6).allclose(at::einsum("c,chw->hw", {weight[6], features}), 1e-5, 1e-5));
  REQUIRE(
      tests::refusal([&] { (void)c2f::class_activation(features, weight, 7); })
          .starts_with(
              "a class activation map needs features [C, H, W], a weight [K, C] and a class below K; found [5, 3, 4], [7, 5] and class 7"));
}
