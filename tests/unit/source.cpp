// The source: eq. 3 of Ren et al. 2020 and its variants.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include "catch.hpp"

namespace {

using kind = c2f::class_vector<4>;

struct sampled_batch {
  at::Tensor prediction         = c2f::detail::sample_numbers({1000, 4}, 1).to(at::kFloat).softmax(1);
  at::Tensor labels             = at::zeros({1000}, at::TensorOptions(at::kLong)).fill_(2);
  at::Tensor truth              = kind::from_truth(labels);
  std::vector<std::int64_t> ids = std::vector<std::int64_t>(1000);
  sampled_batch() {
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(50'000 - i);
  }

  template <class Source>
  at::Tensor operator()(double t, std::uint64_t seed = 1, std::uint64_t epoch = 0) const {
    typename Source::template on<kind> source;
    c2f::pass p{.mode = c2f::train, .truth = labels, .t = t, .seed = seed, .epoch = epoch, .ids = ids};
    return source(prediction, truth, p);
  }
  [[nodiscard]] std::vector<bool> took_truth(at::Tensor const& chosen) const {
    std::vector<bool> took;
    for (std::int64_t i = 0; i < 1000; ++i) {
      bool const is_truth = chosen[i].equal(truth[i]);
      REQUIRE((is_truth || chosen[i].equal(prediction[i])));  // either one, never a mixture
      took.push_back(is_truth);
    }
    return took;
  }
};

}  // namespace

TEST_CASE("t = 0 is always truth and t = 1 always prediction") {
  sampled_batch const batch;
  REQUIRE(batch.operator()<c2f::source::sample>(0).equal(batch.truth));
  REQUIRE(batch.operator()<c2f::source::sample>(1).equal(batch.prediction));
  // The range of the draws: 0 is excluded, 1 is possible.
  for (std::uint64_t id = 0; id < 100'000; ++id) {
    double const a = c2f::random_stream(1, c2f::purpose::source, 0, id).uniform();
    REQUIRE((a > 0 && a <= 1));
  }
}

TEST_CASE("a sample is truth exactly where its draw exceeds t") {
  sampled_batch const batch;
  auto const took = batch.took_truth(batch.operator()<c2f::source::sample>(0.5, 9, 4));
  int truths      = 0;
  for (std::size_t i = 0; i < took.size(); ++i) {
    double const a = c2f::random_stream(9, c2f::purpose::source, 4, static_cast<std::uint64_t>(batch.ids[i])).uniform();
    REQUIRE(took[i] == (a > 0.5));
    truths += took[i];
  }
  REQUIRE((truths > 420 && truths < 580));  // 5 standard deviations of a fair coin
}

TEST_CASE("the draw depends on seed, epoch and id") {
  sampled_batch const batch;
  auto const took = [&](std::uint64_t seed, std::uint64_t epoch) {
    return batch.took_truth(batch.operator()<c2f::source::sample>(0.5, seed, epoch));
  };
  REQUIRE(took(1, 0) == took(1, 0));
  REQUIRE(took(1, 0) != took(2, 0));
  REQUIRE(took(1, 0) != took(1, 1));
}

TEST_CASE("the fine loss flows back through the prediction only where it was taken") {
  sampled_batch const batch;
  c2f::source::sample::on<kind> source;
  c2f::pass p{.mode = c2f::train, .truth = batch.labels, .t = 0.5, .ids = batch.ids};
  at::Tensor const prediction = batch.prediction.detach().clone().set_requires_grad(true);
  at::Tensor const chosen     = source(prediction, batch.truth, p);
  auto const took             = batch.took_truth(chosen.detach());
  chosen.sum().backward();
  for (std::int64_t i = 0; i < 1000; ++i)
    REQUIRE(prediction.grad()[i].sum().item<double>() == (took[static_cast<std::size_t>(i)] ? 0.0 : 4.0));
}

TEST_CASE("the mean is (1 - t) truth + t prediction") {
  sampled_batch const batch;
  at::Tensor const chosen = batch.operator()<c2f::source::mean>(0.25);
  REQUIRE(std::abs(chosen[3][2].item<double>() - (0.75 + 0.25 * batch.prediction[3][2].item<double>())) < 1e-6);
  REQUIRE(std::abs(chosen[3][0].item<double>() - 0.25 * batch.prediction[3][0].item<double>()) < 1e-6);
}

TEST_CASE("corrupt replaces a truth with its probability, by each other class equally often") {
  sampled_batch const batch;
  at::Tensor const chosen = batch.operator()<c2f::source::corrupt<0.3>>(0.5);
  REQUIRE(chosen.sum(1).equal(at::ones({1000})));
  at::Tensor const fraction = chosen.mean({0});
  REQUIRE(std::abs(fraction[2].item<double>() - 0.7) < 0.075);
  for (int other : {0, 1, 3}) REQUIRE(std::abs(fraction[other].item<double>() - 0.1) < 0.05);
  REQUIRE(batch.operator()<c2f::source::corrupt<0>>(0.5).equal(batch.truth));
}

TEST_CASE("borrow shows a truth with the error of the prediction for the sample before it; by hand") {
  c2f::source::borrow::on<c2f::class_vector<3>> classes;
  at::Tensor const predicted = at::tensor({.7f, .2f, .1f, .3f, .6f, .1f, .2f, .3f, .5f}).view({3, 3}),
                   labels    = at::tensor({1, 2, 2}, at::kLong);
  std::vector<std::int64_t> const ids{0, 1, 2};
  auto const shown = [&](auto const& source, at::Tensor const& prediction, at::Tensor const& truth, double t = 0) {
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = t, .ids = ids};
    return source(prediction, at::Tensor(), p);
  };
  // Sample 0 (class 1) gets that of sample 2 (class 2), 1 (class 2) that of 0 (class 1), 2 (class 2) that of 1 (class 2).
  REQUIRE(shown(classes, predicted, labels).equal(at::tensor({.2f, .5f, .3f, .7f, .1f, .2f, .3f, .6f, .1f}).view({3, 3})));
  REQUIRE(shown(classes, predicted, labels, 1).equal(predicted));

  c2f::source::borrow::on<c2f::dense<2>> maps;  // the same at each pixel
  at::Tensor const one_pixel = at::tensor({.9f, .1f, .4f, .6f}).view({2, 2, 1, 1});
  std::vector<std::int64_t> const two{0, 1};
  c2f::pass p{.mode = c2f::train, .truth = at::tensor({0, 1}, at::kLong).view({2, 1, 1}), .t = 0, .ids = two};
  REQUIRE(maps(one_pixel, at::Tensor(), p).allclose(at::tensor({.6f, .4f, .1f, .9f}).view({2, 2, 1, 1})));

  c2f::source::borrow::on<c2f::dense<1>> mask;
  at::Tensor const of_mask = at::tensor({.9f, .4f}).view({2, 1, 1, 1});
  REQUIRE(mask(of_mask, at::Tensor(), p).allclose(at::tensor({.6f, .1f}).view({2, 1, 1, 1})));

  // The first box is off by (.1, 0, -.1, 0), the second by (0, -.1, 0, 1): each moves the other.
  c2f::source::borrow::on<c2f::boxes<1>> boxes;
  at::Tensor const truth = at::tensor({.5f, .5f, .2f, .2f, 1.f, .3f, .4f, .6f, .2f, 1.f}).view({2, 1, 5}),
                   found = at::tensor({.6f, .5f, .1f, .2f, .3f, .3f, .6f, 1.2f}).view({2, 1, 4});
  c2f::pass of_boxes{.mode = c2f::train, .truth = truth, .t = 0, .ids = two};
  REQUIRE(boxes(found, at::Tensor(), of_boxes).allclose(at::tensor({.5f, .4f, .2f, 1.f, .4f, .4f, .5f, .2f}).view({2, 1, 4})));
  at::Tensor const without = truth.clone();
  without.select(2, 4).select(0, 1).zero_();  // the second class is absent: no error to borrow, and nothing to move
  c2f::pass one_absent{.mode = c2f::train, .truth = without, .t = 0, .ids = two};
  REQUIRE(boxes(found, at::Tensor(), one_absent).equal(c2f::boxes<1>::from_truth(without)));

  // Of two classes the first sample has the first alone, and it was missed; the second sample has it, too, and was given the second wrongly.
  // So the second sample's box is missing, the first one's is moved, and only the first shows a class that is not there.
  c2f::source::borrow::on<c2f::boxes<2>> pairs;
  at::Tensor const of_two =
                       at::tensor({.5f, .5f, .4f, .4f, 1.f, 0.f, 0.f, 0.f, 0.f, 0.f, .3f, .4f, .2f, .2f, 1.f, 0.f, 0.f, 0.f, 0.f, 0.f}),
                   seen = at::tensor({.6f, .5f, 0.f, 0.f, .5f, .5f, 0.f, 0.f, .3f, .5f, .3f, .2f, .7f, .7f, .1f, .1f}).view({2, 2, 4});
  c2f::pass of_pairs{.mode = c2f::train, .truth = of_two.view({2, 2, 5}), .t = 0, .ids = two};
  at::Tensor const shown_pairs = pairs(seen, at::Tensor(), of_pairs);
  REQUIRE(shown_pairs[0].allclose(at::tensor({.5f, .6f, .5f, .4f, .7f, .7f, .1f, .1f}).view({2, 4})));
  REQUIRE(shown_pairs[1].narrow(1, 2, 2).eq(0).all().item<bool>());
}

TEST_CASE("a batch of one sample has no other to borrow from: its truth is shown as it is") {
  c2f::source::borrow::on<c2f::class_vector<3>> classes;
  c2f::pass p{.mode = c2f::train, .truth = at::tensor({1}, at::kLong), .t = 0};
  at::Tensor const predicted = at::tensor({.7f, .2f, .1f}).view({1, 3});
  REQUIRE(classes(predicted, at::Tensor(), p).equal(at::tensor({0.f, 1.f, 0.f}).view({1, 3})));
  p.t = 1;
  REQUIRE(classes(predicted, at::Tensor(), p).equal(predicted));
}

TEST_CASE("corruption changes the truths that it draws alone: mixtures stay mixtures, and no class stays none") {
  using many = c2f::class_vector<300>;
  std::vector<std::int64_t> values(200, 7);
  for (std::size_t i = 0; i < 200; i += 2) values[i] = -100;
  at::Tensor const labels = at::tensor(values, at::kLong), damaged = many::corrupt(labels, 1, {.seed = 1});
  for (std::int64_t i = 0; i < 200; ++i) {
    std::int64_t const label = damaged[i].item<std::int64_t>();
    REQUIRE((i % 2 == 0 ? label == -100 : label != 7 && label >= 0 && label < 300));
  }
  at::Tensor const mixtures = at::tensor({.3f, .7f, 0.f, 0.f, 0.f, 0.f, .5f, 0.f, .5f}).view({3, 3});
  REQUIRE(c2f::class_vector<3>::corrupt(mixtures, 0, {.seed = 1}).equal(mixtures));
  at::Tensor const all = c2f::class_vector<3>::corrupt(mixtures, 1, {.seed = 1});
  REQUIRE(all[0].max().item<float>() == 1);
  REQUIRE(all[0][1].item<float>() == 0);
  REQUIRE(all[1].equal(mixtures[1]));
}

TEST_CASE("borrow draws as sample does, and its truths carry no gradient") {
  sampled_batch const batch;
  c2f::source::borrow::on<kind> borrow;
  c2f::source::sample::on<kind> sample;
  at::Tensor const prediction = batch.prediction.clone().requires_grad_(true);
  c2f::pass p{.mode = c2f::train, .truth = batch.labels, .t = .5, .seed = 3, .ids = batch.ids};
  at::Tensor const chosen = borrow(prediction, batch.truth, p), plain = sample(batch.prediction, batch.truth, p);
  chosen.sum().backward();
  for (std::int64_t i = 0; i < 1000; ++i) {
    bool const is_truth = plain[i].equal(batch.truth[i]);
    REQUIRE(chosen[i].equal(batch.prediction[i]) != is_truth);
    REQUIRE((prediction.grad()[i].abs().sum().item<double>() > 0) != is_truth);
  }
}
