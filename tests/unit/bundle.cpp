// Kinds made of kinds, and their parts: weighted classes, fields, depth; losses by hand and beside PyTorch's formulas.
#include <c2f/c2f.hpp>
#include <c2f/kinds/bundle.hpp>
#include <c2f/kinds/depth_map.hpp>
#include <c2f/kinds/field.hpp>
#include <c2f/kinds/weighted_dense.hpp>

#include <ATen/ops/allclose.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/logit.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "catch.hpp"

namespace {
struct classes : c2f::part_of<c2f::dense<3>> {
  static constexpr char const* name = "classes";
};
struct centres : c2f::part_of<c2f::field<1, c2f::loss::weighted_squared>> {
  static constexpr char const* name = "centres";
  static constexpr double weight    = 200;
};
struct offsets : c2f::part_of<c2f::field<2>> {
  static constexpr char const* name = "offsets";
  static constexpr double weight    = .01;
};
struct depth : c2f::part_of<c2f::depth_map<88>> {
  static constexpr char const* name = "depth";
  static constexpr double weight    = .1;
};
using kind = c2f::bundle<classes, centres, offsets, depth>;
static_assert(kind::channels == 3 + 1 + 2 + 1);
static_assert(kind::planes == 1 + 2 + 3 + 1);
static_assert(c2f::supervised_kind<kind>);
static_assert(std::same_as<kind::output<c2f::image<3, 8, 12>>, c2f::image<7, 8, 12>>);
static_assert(kind::truth_dims<c2f::image<3, 8, 12>> == std::array<std::int64_t, 3>{7, 8, 12});

at::Tensor some_truth(std::int64_t n, std::int64_t h, std::int64_t w) {
  at::Tensor truth = at::rand({n, 7, h, w});
  truth.select(1, 0).copy_(at::randint(0, 3, {n, h, w}));
  truth.select(1, 2).copy_(at::randint(0, 2, {n, h, w}));
  truth.select(1, 5).copy_(at::randint(0, 2, {n, h, w}));
  truth.select(1, 6).mul_(50).add_(5);
  return truth;
}
}  // namespace

TEST_CASE("the loss of depth maps on deeplab2's example") {
  std::vector<double> const gt{5.44108091,  53.30197697, 61.06181767, 14.36723114, 0,           39.68081126,
                               58.77974067, 0,           40.57883826, 22.15134852, 31.46813478, 13.52603324},
      found{4.87694111,  50.09085582, 55.74533641, 10.13579195, 13.76178147, 41.62431592,
            56.97362032, 81.48369608, 43.12005689, 15.54622258, 24.1993478,  12.14451783};
  auto const map = [](std::vector<double> const& values) { return at::tensor(values).view({1, 1, 3, 4}); };
  REQUIRE(c2f::loss::relative_depth::of_depths(map(found), map(gt)).item<double>() == Approx(.183944895248).epsilon(1e-10));
  at::Tensor const raw = map(found).div(88).logit();
  REQUIRE(c2f::depth_map<88>::default_loss::of(raw, map(gt)).item<double>() == Approx(.183944895248).epsilon(1e-9));
  // The mean over the images that have depths: a second one without any changes nothing, a third one halves with one of loss 0.
  at::Tensor const none = at::zeros({1, 1, 3, 4}, at::kDouble);
  REQUIRE(c2f::loss::relative_depth::of_depths(at::cat({map(found), map(found)}), at::cat({map(gt), none})).item<double>() ==
          Approx(.183944895248).epsilon(1e-10));
  REQUIRE(c2f::loss::relative_depth::of_depths(at::cat({map(found), map(gt)}), at::cat({map(gt), map(gt)})).item<double>() ==
          Approx(.183944895248 / 2).margin(1e-6));
  // Metrics of the same.
  c2f::depth_map<88>::score score;
  score.add(raw.to(at::kFloat), map(gt).to(at::kFloat));
  REQUIRE(score.values()[0].second == Approx(.13191505).epsilon(1e-5));
  REQUIRE(score.values()[2].second == Approx(14.154233).epsilon(1e-5));
  REQUIRE(score.values()[3].second == Approx(.7).epsilon(1e-5));
}

TEST_CASE("unknown depths have no gradient, and a batch without depths none at all") {
  at::Tensor truth  = at::ones({2, 1, 2, 2}).mul(10);
  truth[0][0][0][1] = 0, truth[1].zero_();
  at::Tensor raw    = at::rand({2, 1, 2, 2}).sub(.5).requires_grad_();
  c2f::depth_map<88>::default_loss::of(raw, truth).backward();
  at::Tensor const gradient = raw.grad();
  REQUIRE(gradient.isfinite().all().item<bool>());
  REQUIRE(gradient[0][0][0][1].item<float>() == 0);
  REQUIRE(gradient[0][0][0][0].item<float>() != 0);
  REQUIRE(gradient[1].abs().sum().item<float>() == 0);
  at::Tensor again = raw.detach().clone().requires_grad_(), loss = c2f::depth_map<88>::default_loss::of(again, at::zeros({2, 1, 2, 2}));
  loss.backward();
  REQUIRE(loss.item<float>() == 0);
  REQUIRE(again.grad().abs().sum().item<float>() == 0);
}

TEST_CASE("errors of fields by hand") {
  // One image of two pixels, two channels: differences (1, -2) and (3, 0), weights 1 and 3.
  at::Tensor const raw   = at::tensor({1.f, 3.f, -2.f, 0.f}).view({1, 2, 1, 2}),
                   truth = at::tensor({0.f, 0.f, 0.f, 0.f, 1.f, 3.f}).view({1, 3, 1, 2});
  REQUIRE(c2f::loss::weighted_absolute::of(raw, truth).item<float>() == Approx((3 * 1 + 3 * 3) / 4.));
  REQUIRE(c2f::loss::weighted_squared::of(raw, truth).item<float>() == Approx((5 * 1 + 9 * 3) / 4.));
  REQUIRE(c2f::loss::weighted_squared::of(raw, at::zeros({1, 3, 1, 2})).item<float>() == 0);
  c2f::field<2>::score score;
  score.add(raw, truth);
  REQUIRE(score.values()[0].second == Approx(6 / 4.));
  at::Tensor half  = truth.clone();
  half[0][2][0][0] = 0;
  c2f::field<2>::score other;
  other.add(raw, half);
  REQUIRE(other.values()[0].second == Approx(3 / 2.));
}

TEST_CASE("the weighted cross-entropy of the hardest pixels beside its definition") {
  at::Tensor const raw = at::rand({2, 4, 5, 6}).mul(6);
  at::Tensor truth     = at::ones({2, 2, 5, 6});
  truth.select(1, 0).copy_(at::randint(0, 4, {2, 5, 6}));
  truth.select(1, 1).copy_(at::randint(1, 4, {2, 5, 6}));
  truth[0][0][2].fill_(255);
  std::vector<float> losses;
  for (int i = 0; i < 2; ++i)
    for (int y = 0; y < 5; ++y)
      for (int x = 0; x < 6; ++x) {
        auto const label = static_cast<int>(truth[i][0][y][x].item<float>());
        double sum       = 0;
        for (int c = 0; c < 4; ++c) sum += std::exp(raw[i][c][y][x].item<float>());
        losses.push_back(
            label == 255 ? 0 : static_cast<float>((std::log(sum) - raw[i][label][y][x].item<float>())) * truth[i][1][y][x].item<float>());
      }
  std::ranges::sort(losses, std::greater<>());
  double hardest = 0, all = 0;
  for (int k = 0; k < 12; ++k) hardest += losses[static_cast<std::size_t>(k)];
  for (float const each : losses) all += each;
  REQUIRE(c2f::loss::weighted_hardest<.2>::of(raw, truth).item<float>() == Approx(hardest / 12).epsilon(1e-5));
  REQUIRE(c2f::loss::weighted_hardest<1.>::of(raw, truth).item<float>() == Approx(all / 54).epsilon(1e-5));  // six pixels are ignored
  truth.select(1, 0).fill_(255);
  REQUIRE(c2f::loss::weighted_hardest<.2>::of(raw, truth).item<float>() == 0);
  truth = at::ones({1, 2, 2, 2});
  c2f::weighted_dense<4>::score score;
  score.add(at::rand({1, 4, 2, 2}), truth);
  REQUIRE(score.samples == 1);
}

TEST_CASE("a bundle's parts are views in their order") {
  at::Tensor const raw = at::rand({2, 7, 4, 6}), truth = some_truth(2, 4, 6);
  REQUIRE(kind::raw_of<classes>(raw).equal(raw.narrow(1, 0, 3)));
  REQUIRE(kind::raw_of<centres>(raw).equal(raw.narrow(1, 3, 1)));
  REQUIRE(kind::raw_of<offsets>(raw).equal(raw.narrow(1, 4, 2)));
  REQUIRE(kind::raw_of<depth>(raw).equal(raw.narrow(1, 6, 1)));
  REQUIRE(kind::truth_of<classes>(truth).equal(truth.select(1, 0).to(at::kLong)));
  REQUIRE(kind::truth_of<centres>(truth).equal(truth.narrow(1, 1, 2)));
  REQUIRE(kind::truth_of<offsets>(truth).equal(truth.narrow(1, 3, 3)));
  REQUIRE(kind::truth_of<depth>(truth).equal(truth.narrow(1, 6, 1)));
  at::Tensor const prediction = kind::predict(raw);
  REQUIRE(at::allclose(prediction.narrow(1, 0, 3), raw.narrow(1, 0, 3).softmax(1)));
  REQUIRE(prediction.narrow(1, 3, 3).equal(raw.narrow(1, 3, 3)));
  REQUIRE(at::allclose(prediction.narrow(1, 6, 1), raw.narrow(1, 6, 1).sigmoid().mul(88)));
  REQUIRE(kind::from_truth(truth).sizes() == prediction.sizes());
  REQUIRE(kind::from_truth(truth).narrow(1, 3, 1).equal(truth.narrow(1, 1, 1)));
  REQUIRE(kind::resized(raw, 8, 12).sizes() == at::IntArrayRef{2, 7, 8, 12});
}

TEST_CASE("the loss of a bundle is the weighted sum of those of its parts, and its metrics are theirs") {
  at::Tensor const raw = at::rand({2, 7, 4, 6}), truth = some_truth(2, 4, 6);
  double const want =
      c2f::dense<3>::default_loss::of(raw.narrow(1, 0, 3), truth.select(1, 0).to(at::kLong)).item<double>() +
      200 * c2f::loss::weighted_squared::of(raw.narrow(1, 3, 1), truth.narrow(1, 1, 2)).item<double>() +
      .01 * c2f::loss::weighted_absolute::of(raw.narrow(1, 4, 2), truth.narrow(1, 3, 3)).item<double>() +
      .1 * c2f::loss::relative_depth::of_depths(raw.narrow(1, 6, 1).sigmoid().mul(88), truth.narrow(1, 6, 1)).item<double>();
  REQUIRE(kind::default_loss::of(raw, truth).item<double>() == Approx(want).epsilon(1e-5));
  c2f::pass p{.mode = c2f::train, .truth = truth};
  kind::add_losses(p, raw);
  REQUIRE(p.losses.size() == 4);
  REQUIRE(p.losses[1].name == "centres");
  REQUIRE(p.loss().item<double>() == Approx(want).epsilon(1e-5));
  kind::score score;
  score.add(raw, truth);
  c2f::dense<3>::score of_classes;
  of_classes.add(raw.narrow(1, 0, 3), truth.select(1, 0).to(at::kLong));
  REQUIRE(score.samples == 2);
  REQUIRE(score.values().size() == 3 + 1 + 1 + 4);
  REQUIRE(score.values()[0] == std::pair<std::string, double>("classes.miou", of_classes.values()[0].second));
  REQUIRE(score.values()[5].first == "depth.abs_rel");
}

namespace {
// The loss of a part that is not that of its kind, and a bundle without video: two networks of a stack.
struct signed_distance : c2f::part_of<c2f::field<1>> {
  static constexpr char const* name = "distance";
  using loss                        = c2f::loss::weighted_squared;
};
struct two_tasks {
  static constexpr char const* name = "two-tasks";
  using kind                        = c2f::bundle<classes, signed_distance>;
  using input                       = c2f::image<3, 16, 16>;
  using network                     = c2f::unet<2, 4, kind>;
};
static_assert(c2f::task<two_tasks>);
}  // namespace

TEST_CASE("a stack of a bundle names the losses of its parts") {
  c2f::stack<two_tasks> model(1);
  at::Tensor truth = at::rand({2, 3, 16, 16});
  truth.select(1, 0).copy_(at::randint(0, 3, {2, 16, 16}));
  c2f::pass p{.mode = c2f::train, .truth = truth, .t = 1};
  auto const [coarse, fine] = model(at::rand({2, 3, 16, 16}), p);
  REQUIRE(p.losses.size() == 4);
  REQUIRE(p.losses[0].name == "coarse.classes");
  REQUIRE(p.losses[3].name == "fine.distance");
  REQUIRE(p.losses[3].value.item<double>() ==
          Approx(c2f::loss::weighted_squared::of(fine.narrow(1, 3, 1), truth.narrow(1, 1, 2)).item<double>()));
  p.loss().backward();
  double size = 0;
  for (auto const& each : c2f::parameters(model.encoder)) size += each.grad().abs().sum().item<double>();
  REQUIRE(size > 0);
}
