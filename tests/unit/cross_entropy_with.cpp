// Cross-entropies with label smoothing and class weights, against torch.nn.functional.cross_entropy of PyTorch 2.11.
#include <c2f/c2f.hpp>

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <array>
#include <cmath>

#include "catch.hpp"

namespace {

template <class Loss>
void gives(at::Tensor const& raw, at::Tensor const& truth, double wanted, std::vector<double> const& slope) {
  at::Tensor const leaf = raw.clone().set_requires_grad(true);
  at::Tensor const loss = Loss::of(leaf, truth);
  REQUIRE(loss.scalar_type() == at::kFloat);
  REQUIRE(loss.item<double>() == Approx(wanted).epsilon(1e-6));
  loss.backward();
  at::Tensor const found = leaf.grad().flatten();
  REQUIRE(found.numel() == static_cast<std::int64_t>(slope.size()));
  for (std::size_t i = 0; i < slope.size(); ++i) {
    CAPTURE(i);
    REQUIRE(std::abs(found[static_cast<std::int64_t>(i)].item<double>() - slope[i]) < 2e-7);
  }
}

template <class Loss>
void ignores_everything(at::Tensor const& raw, at::Tensor const& truth) {
  at::Tensor const leaf = raw.clone().set_requires_grad(true);
  at::Tensor const loss = Loss::of(leaf, truth);
  REQUIRE(loss.item<float>() == 0);
  loss.backward();
  REQUIRE(leaf.grad().eq(0).all().item<bool>());
}

template <auto Smoothing, auto Weights = c2f::loss::unweighted{}>
using vectors = c2f::loss::cross_entropy_with<Smoothing, Weights>;
template <auto Smoothing, auto Weights = c2f::loss::unweighted{}>
using maps = c2f::loss::masked_cross_entropy_with<Smoothing, Weights>;

using three = c2f::class_vector<3>;
constexpr std::array weights{1.0, 2.0, 0.5};
static_assert(c2f::serves_kind<vectors<0.1>, three> && c2f::serves_kind<vectors<0, weights>, three>);
static_assert(!c2f::serves_kind<vectors<0.1>, c2f::dense<3>> && !c2f::serves_kind<maps<0.1>, three>);
static_assert(c2f::serves_kind<maps<0.1, weights>, c2f::dense<3>> && !c2f::serves_kind<maps<0.1>, c2f::dense<3, -1>>);
static_assert(c2f::serves_kind<maps<0.1, std::array{0.5, 2.0}>, c2f::dense<1>>);
struct smoothed {
  using input   = c2f::image<3, 16, 16>;
  using network = c2f::predicts<three, c2f::conv<4, 3>, c2f::global_average_pool, c2f::linear<3>>;
  using loss    = vectors<0.1, weights>;
};
static_assert(c2f::task<smoothed>);

at::Tensor logits() { return at::tensor({.5f, -1.25f, 2.f, 1.5f, .25f, -.75f, -.5f, .125f, 1.f, 2.f, -2.f, .5f}).view({4, 3}); }
at::Tensor labels(std::vector<std::int64_t> const& values) { return at::tensor(values); }
at::Tensor map() {
  std::vector<float> values;
  for (int i = 0; i < 24; ++i) values.push_back(std::sin(.7f * static_cast<float>(i)) * 2);
  return at::tensor(values).view({1, 3, 2, 4});
}

}  // namespace

TEST_CASE("label smoothing and class weights of vectors are PyTorch's") {
  at::Tensor const truth = labels({2, 0, -100, 1});
  gives<vectors<0.1>>(logits(), truth, 1.612635,
                      {.04782894254, -.0008688646485, -.04696009308, -.071630992, .05750108138, .01412990689, 0, 0, 0, .2573930025,
                       -.3061932623, .0488002561});
  gives<vectors<0, weights>>(logits(), truth, 2.5370104,
                             {.02526002564, .004389534704, -.029649565, -.08044561744, .05881045759, .02163516171, 0, 0, 0, .460292846,
                              -.5629980564, .1027052104});
  gives<vectors<0.2, weights>>(logits(), truth, 2.4696753,
                               {.01294841245, -.03253516182, .01958674565, -.03550807759, .02267556638, .01283252332, 0, 0, 0, .4028874934,
                                -.4875100851, .08462263644});
  gives<vectors<1, weights>>(logits(), truth, 2.2003336,
                             {-.03629803658, -.1802339405, .2165319771, .1442420334, -.121863991, -.02237802744, 0, 0, 0, .1732660532,
                              -.1855583638, .01229232363});
}

TEST_CASE("label smoothing and class weights of maps are PyTorch's") {
  at::Tensor const truth = labels({0, 1, 2, 255, 2, 2, 1, 0}).view({1, 2, 4});
  gives<maps<0.1>>(map(), truth, 1.2684897,
                   {-.03301417455, .09987908602,  .08091130853, 0, .01419023983,  .004299710039, .005280568264, -.1075970232,
                    .02362202667,  -.1034969762,  .03965472803, 0, .04881611466,  .02983663417,  -.1057553887,  .02684628591,
                    .009392146952, .003617903683, -.1205660403, 0, -.06300634891, -.03413634375, .1004748121,   .08075073361});
  gives<maps<0.2, std::array{.3, 1., 3.}>>(
      map(), truth, 1.2236805, {.009469248354, .0668938905,   .1371748,     0, .02900229953, .01296713483,  .004861185327, -.01423438173,
                                .003273744835, -.05514754355, .06626398116, 0, .08111701161, .0503462553,   -.05662848428, .004298465792,
                                -.01274299342, -.01174634323, -.2034387738, 0, -.1101192981, -.06331338733, .05176730081,  .009935916401});
  // A binary mask is the two classes 0 and 1 with logits 0 and raw.
  at::Tensor const mask = labels({0, 1, 1, 255, 1, 0, 1, 0}).view({1, 2, 4}), raw = map().narrow(1, 0, 1);
  REQUIRE(maps<0.1, std::array{.5, 2.}>::of(raw, mask).item<double>() == Approx(.6534852981567383).epsilon(1e-6));
  REQUIRE(maps<0>::of(raw, mask).item<double>() == Approx(.5597955584526062).epsilon(1e-6));
  REQUIRE(maps<0>::of(raw, mask).item<double>() == Approx(c2f::loss::masked_cross_entropy<>::of(raw, mask).item<double>()).epsilon(1e-6));
  // Another ignored label.
  at::Tensor const other = labels({0, 1, 2, -1, 2, 2, 1, 0}).view({1, 2, 4});
  REQUIRE(c2f::loss::masked_cross_entropy_with<0.1, c2f::loss::unweighted{}, -1>::of(map(), other).item<double>() ==
          Approx(1.2684897).epsilon(1e-6));
}

TEST_CASE("a batch that counts nothing has loss 0 and gradient 0") {
  at::Tensor const none = labels({-100, -100, -100, -100});
  ignores_everything<c2f::loss::cross_entropy>(logits(), none);
  ignores_everything<vectors<0.1>>(logits(), none);
  ignores_everything<vectors<0.1, weights>>(logits(), none);
  ignores_everything<vectors<0.1, std::array{0., 2., .5}>>(logits(), labels({0, 0, -100, 0}));  // classes of weight 0
  at::Tensor const no_pixel = at::full({1, 2, 4}, std::int64_t{255}, at::kLong);
  ignores_everything<maps<0.1>>(map(), no_pixel);
  ignores_everything<maps<0.1, weights>>(map(), no_pixel);
  ignores_everything<maps<0.1, std::array{.5, 2.}>>(map().narrow(1, 0, 1), no_pixel);
}

TEST_CASE("the plain cross-entropy is ATen's, bit for bit, where a sample counts") {
  for (auto const& truth : {labels({2, 0, 1, 1}), labels({2, -100, -100, 1}), labels({-100, -100, -100, 0})}) {
    at::Tensor const a = logits().set_requires_grad(true), b = logits().set_requires_grad(true);
    at::Tensor const found = c2f::loss::cross_entropy::of(a, truth), wanted = at::cross_entropy_loss(b, truth);
    found.backward();
    wanted.backward();
    REQUIRE(found.equal(wanted));
    REQUIRE(a.grad().equal(b.grad()));
  }
  // A loss that is not finite stays so.
  at::Tensor const broken = at::full({1, 3}, std::nan(""));
  REQUIRE(std::isnan(c2f::loss::cross_entropy::of(broken, labels({1})).item<float>()));
}

TEST_CASE("half-precision logits are computed in float") {
  at::Tensor const low = logits().to(at::kBFloat16), truth = labels({2, 0, -100, 1});
  REQUIRE(vectors<0.1, weights>::of(low, truth).equal(vectors<0.1, weights>::of(low.to(at::kFloat), truth)));
}

TEST_CASE("a truth of how much each class counts has the loss of its label, and of labels that are mixed") {
  auto const one_hot = [](at::Tensor const& truth) { return three::from_truth(truth); };
  auto const equal   = [&]<class Loss>(Loss, at::Tensor const& truth) {
    at::Tensor const a = logits().set_requires_grad(true), b = logits().set_requires_grad(true);
    at::Tensor const found = Loss::of(a, one_hot(truth)), wanted = Loss::of(b, truth);
    REQUIRE(found.item<double>() == Approx(wanted.item<double>()).epsilon(1e-6));
    found.backward();
    wanted.backward();
    REQUIRE(a.grad().allclose(b.grad(), 1e-5, 1e-6));
  };
  for (auto const& truth : {labels({2, 0, 1, 1}), labels({2, 0, -100, 1})}) {
    equal(c2f::loss::cross_entropy{}, truth);
    equal(vectors<0.1>{}, truth);
    equal(vectors<0, weights>{}, truth);
    equal(vectors<0.2, weights>{}, truth);
    equal(vectors<1, std::array{1.0, 5.0, 1.0}>{}, truth);
  }
  // Half of each of two labels is the mean of their losses, weighed by the classes' weights; a row counts by its sum.
  at::Tensor const row = logits().narrow(0, 0, 1);
  auto const of        = [&](std::int64_t label) { return vectors<0.2, weights>::of(row, labels({label})).item<double>(); };
  double const mixed   = (weights[0] * of(0) + weights[1] * of(1)) / (weights[0] + weights[1]);
  for (float const half : {.5f, 2.f})
    REQUIRE(vectors<0.2, weights>::of(row, at::tensor({half, half, 0.f}).view({1, 3})).item<double>() == Approx(mixed).epsilon(1e-5));
  ignores_everything<c2f::loss::cross_entropy>(logits(), at::zeros({4, 3}));
  ignores_everything<vectors<0.1, weights>>(logits(), at::zeros({4, 3}));
}

TEST_CASE("a class that is excluded by a logit of -infinity does not count where its truth is 0") {
  at::Tensor const raw   = at::tensor({1.f, -HUGE_VALF, 0.f}).view({1, 3}).set_requires_grad(true),
                   truth = at::tensor({.5f, 0.f, .5f}).view({1, 3});
  at::Tensor const loss  = c2f::loss::cross_entropy::of(raw, truth);
  REQUIRE(loss.item<double>() == Approx(std::log(1 + std::exp(-1.0)) + .5).epsilon(1e-6));
  loss.backward();
  REQUIRE(raw.grad().isfinite().all().item<bool>());
  REQUIRE(vectors<0>::of(raw, truth).item<double>() == Approx(loss.item<double>()));
  // Standardised, it is as unlikely as the least likely class.
  at::Tensor const shown = c2f::predict::logits::of<three>(raw);
  REQUIRE(shown.isfinite().all().item<bool>());
  REQUIRE(shown[0][1].item<float>() == shown[0][2].item<float>());
  REQUIRE(shown.mean().item<double>() == Approx(0).margin(1e-6));
}

TEST_CASE("accuracies are those of the samples that have a class") {
  three::score score;
  score.add(logits(), labels({2, -100, -100, 0}));
  REQUIRE(score.samples == 4);
  REQUIRE(score.values()[0].second == 1);
  score.add(logits(), labels({0, -100, 2, 1}));  // 2, 0, 2 and 0 are the most likely
  REQUIRE(score.values()[0].second == 3.0 / 5);
  three::score none;
  none.add(logits(), labels({-100, -100, -100, -100}));
  REQUIRE(none.values()[0].second == 0);
  none.add(score);
  REQUIRE(none.values()[0].second == 3.0 / 5);
  three::score mixtures;  // of float truths, a row of zeros
  mixtures.add(logits().narrow(0, 0, 2), at::tensor({0.f, 0.f, 0.f, .6f, .4f, 0.f}).view({2, 3}));
  REQUIRE(mixtures.values()[0].second == 1);
}
