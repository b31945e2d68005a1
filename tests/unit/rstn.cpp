// RSTN as a composition: its schedules, multipliers and learning rates against the published values, and whole volumes against the
// definition.
#include <c2f/conformance.hpp>
#include <c2f/inference/predict_volume.hpp>
#include <c2f/networks/unet.hpp>
#include <c2f/systems/rstn.hpp>
#include <c2f/task/stack.hpp>

#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>

#include "catch.hpp"

namespace {

using namespace c2f;
using namespace c2f::systems;
namespace volumes = c2f::data;

constexpr bool close(double a, double b) { return a - b < 1e-12 && b - a < 1e-12; }
constexpr progress after(std::int64_t iteration, std::int64_t of) {
  return {0, iteration, static_cast<double>(iteration) / static_cast<double>(of)};
}

// Ren et al. 2020, section 4.3: t = 0 in the first 40K of 120K iterations, 1 in the last 40K, and linear between.
using progressive = rstn<>::schedule;
constexpr double t(std::int64_t iteration) { return t_at<progressive>(after(iteration, 120'000)); }
static_assert(t(0) == 0 && t(39'999) == 0 && t(40'000) == 0);
static_assert(close(t(50'000), .25) && close(t(60'000), .5) && close(t(70'000), .75) && t(79'999) < 1);
static_assert(t(80'000) == 1 && t(119'999) == 1);

// Caffe's RSTN: S until 10K, I until 40K, J until 80K.
using stages = rstn_stepwise<rstn<>>::schedule;
constexpr double stage(std::int64_t iteration) { return t_at<stages>(after(iteration, 80'000)); }
static_assert(stage(0) == 0 && stage(9'999) == 0 && stage(10'000) == .5 && stage(39'999) == .5 && stage(40'000) == 1 && stage(79'999) == 1);
// PyTorch's: 2, 6 and 8 epochs.
static_assert(t_at<stages>(after(1, 16)) == 0 && t_at<stages>(after(2, 16)) == .5 && t_at<stages>(after(7, 16)) == .5 &&
              t_at<stages>(after(8, 16)) == 1);

using switched = rstn_switched<rstn<>>::schedule;
static_assert(t_at<switched>(after(59'999, 120'000)) == 0 && t_at<switched>(after(60'000, 120'000)) == 1);

static_assert(task<rstn<>> && task<rstn_stepwise<rstn<>>> && task<rstn_switched<rstn<>>>);
static_assert(complete<rstn<>>::loss_weights::coarse == 1.0 / 3 && complete<rstn<>>::loss_weights::fine == 2.0 / 3);

using fewer = c2f::refine::until<0.95, 10>;
static_assert(std::same_as<rstn<>::refine, fewer>);
static_assert(!fewer::stops(.9499, 1) && fewer::stops(.95, 1) && !fewer::stops(.5, 9) && fewer::stops(.5, 10));
static_assert(!c2f::refine::times<2>::stops(1, 1) && c2f::refine::times<2>::stops(0, 2));

// No margin and no jitter, so that nothing is random; sides are multiples of 4.
using small = rstn<unet<2, 4, dense<1>>, image<3, dynamic, dynamic>, 0, 0, 4>;

/// A square in noise, with the truth.
struct square {
  at::Tensor image, truth;
};
square squares() {
  at::Tensor const truth = at::zeros({2, 24, 24}, at::kLong);
  truth.narrow(1, 6, 8).narrow(2, 9, 7).fill_(1);
  return {detail::sample_numbers({2, 3, 24, 24}, 1).to(at::kFloat).mul(.3).add(truth.unsqueeze(1).to(at::kFloat)), truth};
}

bool close_to(at::Tensor const& a, at::Tensor const& b) { return a.allclose(b, 1e-4, 1e-4); }

/// The fine network's output in training at a given t.
template <class Task>
at::Tensor fine_at(double t, square const& data, stack<Task> const& model) {
  pass p{.mode = train, .truth = data.truth, .t = t, .seed = 3};
  return model(data.image, p).fine;
}

}  // namespace

TEST_CASE("RSTN: learning-rate multipliers 1 for coarse weights, twice that for biases, ten times for the rest; biases do not decay") {
  std::int64_t const one[]{3}, four[]{3, 3, 3, 3};
  REQUIRE(rstn_multipliers("coarse.conv1_1.weight", four) == parameter_multipliers{1, 1});
  REQUIRE(rstn_multipliers("coarse.conv1_1.bias", one) == parameter_multipliers{2, 0});
  REQUIRE(rstn_multipliers("encoder.conv1.weight", four) == parameter_multipliers{10, 1});
  REQUIRE(rstn_multipliers("encoder.conv2.bias", one) == parameter_multipliers{20, 0});
  REQUIRE(rstn_multipliers("fine.fc6.weight", four) == parameter_multipliers{10, 1});
  REQUIRE(rstn_multipliers("fine.fc6.bias", one) == parameter_multipliers{20, 0});

  // Whole steps: with gradients of one and no momentum yet, a parameter p moves by learning_rate * multiplier * (1 + decay * p).
  stack<rstn<fcn8s<dense<1>, 8, 2>>> model(1);
  rstn_recipe const recipe;
  sgd optimizer(model, recipe.optimizer());
  std::vector<at::Tensor> before;
  for_each_tensor(model, [&](std::string const&, state_tensor const& each, state_traits const& traits) {
    before.push_back(each.tensor().detach().clone());
    if (traits.trained) each.tensor().mutable_grad() = at::ones_like(each.tensor());
  });
  double const learning_rate = 1e-2;  // with 1e-5 the change would be below float precision
  optimizer.step(learning_rate);
  std::size_t i = 0;
  for_each_tensor(model, [&](std::string const& path, state_tensor const& each, state_traits const& traits) {
    CAPTURE(path);
    bool const coarse = path.starts_with("coarse."), bias = path.ends_with("bias");
    double const multiplier = traits.trained ? (coarse ? 1 : 10) * (bias ? 2 : 1) : 0;
    at::Tensor const want   = before[i].sub(before[i].mul(bias ? 0 : 5e-4).add(1), learning_rate * multiplier);
    REQUIRE(each.tensor().allclose(want, 1e-5, 1e-6));
    ++i;
  });
  REQUIRE(i > 80);
}

TEST_CASE("RSTN's recipe halves 1e-5 at 90K, 100K and 110K of 120K iterations") {
  rstn_recipe recipe;
  recipe.epochs(120);  // of 1,000 slices
  REQUIRE(recipe.batch() == 1);
  REQUIRE(recipe.optimizer().momentum == .99);
  REQUIRE(recipe.optimizer().weight_decay == 5e-4);
  auto const learning_rate = [&](std::int64_t thousands) { return recipe.learning_rate_at({thousands, 1000 * thousands, 0}); };
  REQUIRE(learning_rate(0) == 1e-5);
  REQUIRE(learning_rate(89) == 1e-5);
  REQUIRE(learning_rate(90) == 5e-6);
  REQUIRE(learning_rate(99) == 5e-6);
  REQUIRE(learning_rate(100) == 2.5e-6);
  REQUIRE(learning_rate(110) == 1.25e-6);
  REQUIRE(learning_rate(119) == 1.25e-6);
}

TEST_CASE("the stages of RSTN by hand: S the raw image, I times the saliency, both cropped by the truth; J all by the prediction") {
  using task        = rstn_stepwise<small>;
  square const data = squares();
  stack<task> model(1);
  {  // a saliency that is not ones, and a coarse network that sees the whole image as organ
    at::NoGradGuard const no_gradients;
    model.encoder.conv2.weight.tensor().copy_(detail::sample_numbers({3, 3, 5, 5}, 4));
    model.coarse.head.bias.tensor().fill_(100);
  }
  stack<task> const same        = model;  // the passes below update running statistics, which training mode does not read
  at::Tensor const conditioning = model.coarse(data.image, train).sigmoid();
  REQUIRE(conditioning.min().item<float>() > .5);
  pass p{.mode = train, .t = 1};
  at::Tensor const weighted = data.image.mul(model.encoder(conditioning, data.image, p));
  // The square's rows 6 ... 13 and columns 9 ... 15 are 8 x 7, and the width is grown to 8, by its end.
  auto const cropped        = [&](at::Tensor const& x) { return x.narrow(2, 6, 8).narrow(3, 9, 8); };
  auto const placed         = [&](at::Tensor const& raw) {
    at::Tensor const all = at::full({2, 1, 24, 24}, -9'999'999.0);
    cropped(all).copy_(raw);
    return all;
  };
  REQUIRE(close_to(fine_at(0, data, same), placed(model.fine(cropped(data.image), train))));
  REQUIRE(close_to(fine_at(.25, data, same), placed(model.fine(cropped(data.image), train))));
  REQUIRE(close_to(fine_at(.5, data, same), placed(model.fine(cropped(weighted), train))));
  REQUIRE(close_to(fine_at(.75, data, same), placed(model.fine(cropped(weighted), train))));
  REQUIRE(close_to(fine_at(1, data, same), model.fine(weighted, train)));
}

TEST_CASE("progressive RSTN is conditioned on the truth at t = 0 and on the prediction at t = 1, for saliency and crop") {
  square const data = squares();
  stack<small> model(1);
  {
    at::NoGradGuard const no_gradients;
    model.encoder.conv2.weight.tensor().copy_(detail::sample_numbers({3, 3, 5, 5}, 4));
    model.coarse.head.bias.tensor().fill_(100);
  }
  auto const weighted = [&](at::Tensor const& conditioning) {
    pass p{.mode = train, .t = 1};
    return data.image.mul(model.encoder(conditioning, data.image, p));
  };
  at::Tensor const by_truth = model.fine(weighted(data.truth.unsqueeze(1).to(at::kFloat)).narrow(2, 6, 8).narrow(3, 9, 8), train);
  REQUIRE(close_to(fine_at(0, data, model).narrow(2, 6, 8).narrow(3, 9, 8), by_truth));
  REQUIRE(close_to(fine_at(1, data, model), model.fine(weighted(model.coarse(data.image, train).sigmoid()), train)));
}

namespace {

// A mock stack: its coarse logits are the middle slice; its fine logits are those of the conditioning, plus .5.
struct echo {
  using kind = dense<1>;
  struct completed {
    using refine = c2f::refine::until<0.95, 3>;
  };
  static constexpr bool has_fine = true;
  std::vector<at::Tensor>* seen  = nullptr;
  bool contrary                  = false;  // predicts the opposite
  at::Tensor coarse(at::Tensor const& x, mode) const { return x.narrow(1, 1, 1); }
  at::Tensor run_fine(at::Tensor const&, at::Tensor const& conditioning, pass& p) const {
    REQUIRE(!p.training());
    if (seen != nullptr) seen->push_back(conditioning.clone());
    return contrary ? conditioning.lt(.5).to(at::kFloat).mul(8).sub(4) : conditioning.logit(1e-6).add(.5);
  }
};
static_assert(volumes::volume_canvas{8, 20}.side(3) == 24 && volumes::volume_canvas{8, 1}.side(16) == 16);

}  // namespace

TEST_CASE("a volume: three views are averaged, small components dropped, rounds counted, and empty slices skipped") {
  // Logits: a bar of 5 voxels at 4, a lone voxel at 2, and elsewhere -4.
  volumes::volume<float> logits({7, 6, 5});
  std::fill(logits.values.begin(), logits.values.end(), -4.0f);
  for (std::int64_t x = 1; x < 6; ++x) logits(x, 2, 2) = 4;
  logits(0, 5, 0) = 2;
  std::vector<at::Tensor> seen;
  std::array<echo, 3> const views{{{}, {}, {.seen = &seen}}};
  auto const result = volumes::predict_volume(views, logits, {.multiple = 8});

  auto const sizes = [](volumes::volume<std::uint8_t> const& mask) { return volumes::component_sizes(mask); };
  REQUIRE(sizes(result.masks[0]) == std::vector<std::int64_t>{5, 1});  // coarse: nothing is dropped
  REQUIRE(sizes(result.masks[1]) == std::vector<std::int64_t>{5});     // after round 1 it is
  // An agreement of 2 * 5 / (5 + 6) = .909 continues, 1 stops.
  REQUIRE(result.agreements == std::vector<double>{10.0 / 11, 1.0});
  REQUIRE(result.masks.size() == 3);
  // Two rounds added .5 each; a slice is predicted if it or a neighbour has foreground.
  REQUIRE(std::abs(result.probability(3, 2, 2) - 1 / (1 + std::exp(-5.0))) < 1e-6);

  // Across z: the mask is in slices 2 and 0, so 0 ... 3 in round 1; in slice 2 alone after it, so 1 ... 3.
  REQUIRE(seen.size() == 4 + 3);
  REQUIRE(seen[0].sizes() == at::IntArrayRef({1, 1, 8, 8}));
  // The lone voxel is at row 0, column 5 of slice 0 on a canvas with a margin of (8 - 7) / 2 = 0 and (8 - 6) / 2 = 1.
  REQUIRE(std::abs(seen[0][0][0][0][6].item<double>() - 1 / (1 + std::exp(-2.0))) < 1e-6);
  // Voxel (0, 0, 4): no neighbour of its slices across y and z is in the mask, so two of three views give 0, in both rounds.
  auto const probability = [](double logit) { return 1 / (1 + std::exp(-logit)); };
  double const first     = probability(-3.5) / 3;
  REQUIRE(std::abs(result.probability(0, 0, 4) - probability(std::log(first / (1 - first)) + .5) / 3) < 1e-6);
}

TEST_CASE("a dropped voxel is below .5 in the conditioning, and other probabilities are unchanged") {
  volumes::volume<float> probability({3, 1, 1});
  probability.values = {.9f, .8f, .2f};
  volumes::volume<std::uint8_t> mask({3, 1, 1});
  mask.values             = {1, 0, 0};
  auto const conditioning = volumes::detail::conditioning_of(probability, mask);
  REQUIRE(conditioning.values[0] == .9f);
  REQUIRE(conditioning.values[1] < .5f);
  REQUIRE(conditioning.values[1] > .4999f);
  REQUIRE(conditioning.values[2] == .2f);
}

TEST_CASE("a volume whose coarse mask is empty has no rounds") {
  volumes::volume<float> logits({4, 4, 4});
  std::fill(logits.values.begin(), logits.values.end(), -1.0f);
  std::array<echo, 3> const views{};
  auto const nothing = volumes::predict_volume(views, logits);
  REQUIRE(nothing.masks.size() == 1);
  REQUIRE(nothing.agreements.empty());
  REQUIRE(std::abs(nothing.probability(1, 1, 1) - 1 / (1 + std::exp(1.0))) < 1e-6);
}

TEST_CASE("masks that never agree: the task's number of rounds is the limit") {
  volumes::volume<float> logits({3, 3, 3});
  std::fill(logits.values.begin(), logits.values.end(), -4.0f);
  logits(1, 1, 1) = 4;  // it is in every slice or in a neighbouring one
  std::array<echo, 3> const views{{{.contrary = true}, {.contrary = true}, {.contrary = true}}};
  auto const result = volumes::predict_volume(views, logits);
  REQUIRE(result.agreements == std::vector<double>{0, 0, 0});
  for (std::size_t round = 0; round < 4; ++round)
    REQUIRE(volumes::component_sizes(result.masks[round]) == std::vector<std::int64_t>{round % 2 == 0 ? 1 : 26});
}

TEST_CASE("a volume and stacks of RSTN: the first mask is the mean of three coarse networks, and the number of rounds is limited") {
  std::array<stack<small>, 3> const views{stack<small>(1), stack<small>(2), stack<small>(3)};
  volumes::volume<float> scan({9, 10, 11});
  for (std::size_t i = 0; i < scan.values.size(); ++i) scan.values[i] = static_cast<float>((i * 7919) % 101) / 100;
  auto const result = volumes::predict_volume(views, scan, {.multiple = 4});
  REQUIRE(result.masks.size() == result.agreements.size() + 1);
  REQUIRE(result.agreements.size() <= 10);

  std::array<double, 3> sum{};
  for (int axis = 0; axis < 3; ++axis) {
    auto const images = volumes::cut_slices(scan, axis, 0, scan.dims[static_cast<std::size_t>(axis)], 12, 12);
    auto const plane  = volumes::join_slices(views[static_cast<std::size_t>(axis)](images, eval).coarse.sigmoid(), scan.dims, axis);
    for (std::size_t i = 0; i < 3; ++i) sum[i] += plane.values[101 * i];
  }
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(result.masks[0].values[101 * i] == (sum[i] / 3 >= .5 ? 1 : 0));
}
