// The kinds multi_label and regression: losses, metrics by hand and by scikit-learn's documented values, and everything a stack does with them.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/inference/model_folder.hpp>
#include <c2f/kinds/multi_label.hpp>
#include <c2f/kinds/regression.hpp>
#include <c2f/train/probe.hpp>

#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <cstring>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

constexpr float nobody_knows = c2f::unknown;
at::Tensor rows(std::vector<std::vector<float>> const& numbers) {
  std::vector<float> all;
  for (auto const& row : numbers) all.insert(all.end(), row.begin(), row.end());
  return at::tensor(all).view({std::ssize(numbers), -1});
}
double value_of(auto const& values, std::string const& name) {
  for (auto const& [each, value] : values)
    if (each == name) return value;
  FAIL("no metric " << name);
  return 0;
}
bool near(double a, double b, double within = 1e-6) { return std::abs(a - b) <= within; }
float logit(double p) { return static_cast<float>(std::log(p / (1 - p))); }

using image  = c2f::image<3, 8, 8>;
using layers = c2f::sequential<c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu>;
template <class Kind>
struct task {
  static constexpr char const* name = "attributes";
  using input                       = image;
  using network  = c2f::predicts<Kind, layers, c2f::global_average_pool, c2f::linear<Kind::template output<image>::channels>>;
  using schedule = c2f::schedule::ramp<0, 2.0 / 3, c2f::by::fraction, 1.0 / 3>;
};
using seen_colours = c2f::multi_label<3>;
using brightness   = c2f::regression<3>;

/// Three patches of noise, a channel bright or not; every fifth truth of the last channel is unknown.
template <class Kind>
struct samples {
  using image       = ::image;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 1> truth_dims{3};
  std::int64_t count;
  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "colours"; }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, float* truth) const {
    c2f::random_stream draw{1, c2f::purpose::synthesis, 0, static_cast<std::uint64_t>(id)};
    std::array<float, 3> value{};
    for (auto& each : value)
      each = std::same_as<Kind, seen_colours> ? static_cast<float>(draw.below(2)) : static_cast<float>(2 * draw.uniform() - 1);
    for (int i = 0; i < 64; ++i)
      for (float const each : value) *pixels++ = each + .2f * static_cast<float>(draw.normal());
    std::copy(value.begin(), value.end(), truth);
    if (id % 5 == 0) truth[2] = nobody_knows;
  }
};
template <class Kind>
struct colours {
  samples<Kind> train{200}, test{60};
};

}  // namespace

static_assert(c2f::supervised_kind<seen_colours> && c2f::supervised_kind<brightness>);
static_assert(c2f::task<task<seen_colours>> && c2f::task<task<brightness>>);
static_assert(std::same_as<c2f::complete<task<seen_colours>>::encoder, c2f::encode::tile<>>);
static_assert(std::same_as<c2f::complete<task<seen_colours>>::loss, c2f::loss::binary_cross_entropy<>>);
static_assert(std::same_as<c2f::complete<task<brightness>>::loss, c2f::loss::smooth_l1<>>);
static_assert(!c2f::serves_kind<c2f::loss::cross_entropy, seen_colours> && !c2f::serves_kind<c2f::loss::l1, seen_colours>);
static_assert(c2f::serves_kind<c2f::loss::mse, brightness> && !c2f::serves_kind<c2f::loss::binary_cross_entropy<>, brightness>);
static_assert(!c2f::serves_kind<c2f::loss::binary_cross_entropy<>, c2f::class_vector<3>>);
static_assert(!c2f::distribution<seen_colours>);  // no softmax: a gate or a mean of logarithms does not fit

TEST_CASE("The loss of attributes is PyTorch's, over those that are known") {
  at::Tensor const raw = rows({{.5f, -1, 2}, {0, 3, -2}}), truth = rows({{1, 0, nobody_knows}, {.25f, 1, 0}});
  auto const each = [](double x, double y, double weight = 1) {
    double const p = 1 / (1 + std::exp(-x));
    return -(weight * y * std::log(p) + (1 - y) * std::log(1 - p));
  };
  double const wanted = (each(.5, 1) + each(-1, 0) + each(0, .25) + each(3, 1) + each(-2, 0)) / 5;
  REQUIRE(near(c2f::loss::binary_cross_entropy<>::of(raw, truth).item<double>(), wanted));
  using weighted       = c2f::loss::binary_cross_entropy<std::array{4.0, 1.0, 9.0}>;
  double const weighed = (each(.5, 1, 4) + each(-1, 0) + each(0, .25, 4) + each(3, 1) + each(-2, 0)) / 5;
  REQUIRE(near(weighted::of(raw, truth).item<double>(), weighed));
  // Nothing known: neither loss nor gradient.
  at::Tensor const free = raw.clone().set_requires_grad(true);
  at::Tensor const none = c2f::loss::binary_cross_entropy<>::of(free, at::full_like(raw, nobody_knows));
  none.backward();
  REQUIRE(none.item<double>() == 0);
  REQUIRE(free.grad().eq(0).all().item<bool>());
}

TEST_CASE("The losses of numbers are PyTorch's, over those that are known") {
  at::Tensor const raw = rows({{.5f, -1}, {3, 2}}), truth = rows({{0, 1}, {nobody_knows, 2.25f}});  // differences .5, -2, -.25
  REQUIRE(near(c2f::loss::l1::of(raw, truth).item<double>(), (.5 + 2 + .25) / 3));
  REQUIRE(near(c2f::loss::mse::of(raw, truth).item<double>(), (.25 + 4 + .0625) / 3));
  REQUIRE(near(c2f::loss::smooth_l1<>::of(raw, truth).item<double>(), (.125 + 1.5 + .03125) / 3));
  REQUIRE(near(c2f::loss::smooth_l1<0.25>::of(raw, truth).item<double>(), (.375 + 1.875 + .125) / 3));
  at::Tensor const free = raw.clone().set_requires_grad(true);
  c2f::loss::mse::of(free, truth).backward();
  REQUIRE(at::allclose(free.grad(), rows({{1, -4}, {0, -.5f}}).div(3)));
}

TEST_CASE("Average precision, accuracy and F1 of attributes by hand") {
  // The example of scikit-learn's average_precision_score: truths 0 0 1 1, scores .1 .4 .35 .8 -> .8333; at .5 one of two is found.
  c2f::multi_label<2>::score score;
  score.add(rows({{logit(.1), 1}, {logit(.4), nobody_knows}}), rows({{0, 1}, {0, nobody_knows}}));
  score.add(rows({{logit(.35), -1}, {logit(.8), 1}}), rows({{1, 0}, {1, 0}}));
  // The second attribute: truths 1 0 0 with logits 1 -1 1. Two scores are equal: precision 1/2 at recall 1.
  auto const found = score.values();
  REQUIRE(score.samples == 4);
  REQUIRE(found[0].first == std::string("map"));
  REQUIRE(near(found[0].second, (5.0 / 6 + .5) / 2));
  REQUIRE(near(value_of(found, "accuracy"), (3.0 / 4 + 2.0 / 3) / 2));
  REQUIRE(near(value_of(found, "f1"), (2.0 / 3 + 2.0 / 3) / 2));

  REQUIRE(std::isnan(c2f::detail::average_precision({{1.f, true}, {std::nanf(""), false}}, 1)));

  SECTION("an attribute without a yes has no average precision, one without a truth counts nowhere") {
    c2f::multi_label<3>::score some;
    some.add(rows({{2, -1, 5}, {-2, -1, 5}}), rows({{1, 0, nobody_knows}, {0, 0, nobody_knows}}));
    REQUIRE(near(value_of(some.values(), "map"), 1));
    REQUIRE(near(value_of(some.values(), "accuracy"), 1));
    REQUIRE(near(value_of(some.values(), "f1"), 1));
    REQUIRE(near(value_of(c2f::multi_label<3>::score{}.values(), "map"), 0));
  }
  SECTION("scores of parts of the samples add up, also as bytes") {
    at::Tensor const raw = at::randn({50, 2}), truth = at::randn({50, 2}).gt(.5).to(at::kFloat);
    c2f::multi_label<2>::score whole, first, second, sent;
    whole.add(raw, truth);
    first.add(raw.narrow(0, 0, 20), truth.narrow(0, 0, 20));
    second.add(raw.narrow(0, 20, 30), truth.narrow(0, 20, 30));
    c2f::detail::packer to;
    second.put(to);
    c2f::detail::unpacker from(to.bytes());
    sent.take(from);
    REQUIRE(from.empty());
    first.add(sent);
    REQUIRE(first.samples == 50);
    REQUIRE(first.values() == whole.values());
    REQUIRE(c2f::detail::mergeable_score<c2f::multi_label<2>::score>);
  }
  SECTION("a number that is none is no score") {
    score.add(rows({{std::nanf(""), 0}}), rows({{1, 0}}));
    REQUIRE(std::isnan(score.values()[0].second));
  }
}

TEST_CASE("R2 and errors of numbers: the examples of scikit-learn's r2_score") {
  c2f::regression<1>::score one;
  one.add(rows({{2.5f}, {0}}), rows({{3}, {-.5f}}));
  one.add(rows({{2}, {8}}), rows({{2}, {7}}));
  REQUIRE(one.values()[0].first == std::string("r2"));
  REQUIRE(near(one.values()[0].second, .9486081370449679, 1e-9));
  REQUIRE(near(value_of(one.values(), "mae"), .5));
  REQUIRE(near(value_of(one.values(), "rmse"), std::sqrt(.375)));
  c2f::regression<2>::score two;
  two.add(rows({{0, 2}, {-1, 2}, {8, -5}}), rows({{.5f, 1}, {-1, 1}, {7, -6}}));
  REQUIRE(near(two.values()[0].second, (1 - 1.25 / (217.0 / 6) + 1 - 3 / (98.0 / 3)) / 2, 1e-9));
  two.add(rows({{5, 5}}), rows({{nobody_knows, nobody_knows}}));
  REQUIRE(near(two.values()[0].second, (1 - 1.25 / (217.0 / 6) + 1 - 3 / (98.0 / 3)) / 2, 1e-9));
  REQUIRE(near(value_of(two.values(), "mae"), (.5 + 0 + 1 + 3) / 6));
  c2f::regression<1>::score constant;
  constant.add(rows({{2}, {2}}), rows({{2}, {2}}));
  REQUIRE(constant.values()[0].second == 1);
  constant.add(rows({{3}}), rows({{2}}));
  REQUIRE(constant.values()[0].second == 0);

  // Far from 0 a sum of squares would lose the spread; parts add up as the whole.
  at::Tensor const truth = at::randn({1000, 2}, at::TensorOptions(at::kDouble)).add(1e6), raw = truth.add(at::randn({1000, 2}).mul(.5));
  c2f::regression<2>::score whole, parts;
  whole.add(raw, truth);
  for (std::int64_t i = 0; i < 1000; i += 37) {
    c2f::regression<2>::score part;
    auto const n = std::min<std::int64_t>(37, 1000 - i);
    part.add(raw.narrow(0, i, n), truth.narrow(0, i, n));
    parts.add(part);
  }
  at::Tensor const wanted = raw.sub(truth).square().sum(0).div(truth.sub(truth.mean(0)).square().sum(0)).neg().add(1).mean();
  REQUIRE(near(whole.values()[0].second, wanted.item<double>(), 1e-9));
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(near(parts.values()[i].second, whole.values()[i].second, 1e-9));
}

TEST_CASE("Truths as conditioning, and with the error of another prediction") {
  at::Tensor const truth = rows({{1, 0, nobody_knows}}), other_truth = rows({{1, 1, 0}}), other = rows({{.9f, .2f, .1f}});
  REQUIRE(seen_colours::from_truth(truth).equal(rows({{1, 0, 0}})));
  // Right with .9; wrong, .2 for a yes, is .8 for a no; right with .1.
  REQUIRE(at::allclose(seen_colours::with_error_of(other, other_truth, seen_colours::from_truth(truth)), rows({{.9f, .8f, .1f}})));
  REQUIRE(at::allclose(brightness::with_error_of(other, other_truth, rows({{5, 5, 5}})), rows({{4.9f, 4.2f, 5.1f}})));
  auto const [right, known] = seen_colours::correct(rows({{1, 1, 1}}), truth);
  REQUIRE(right[0][0].item<bool>());
  REQUIRE_FALSE(right[0][1].item<bool>());
  REQUIRE(known.sum().item<std::int64_t>() == 2);
  REQUIRE(near(seen_colours::agreement(rows({{1, -1, 2}}), rows({{3, 1, 1}})).item<double>(), 2.0 / 3));
  c2f::pass const p{.seed = 1};
  at::Tensor const many = at::zeros({4000, 3});
  REQUIRE(near(seen_colours::corrupt(many, .1, p).mean().item<double>(), .1, .01));
  REQUIRE(seen_colours::corrupt(rows({{1, 0, nobody_knows}}), 1, p).nan_to_num(7).equal(rows({{0, 1, 7}})));
}

TEMPLATE_TEST_CASE("Stacks of both kinds satisfy the laws of models and parts", "", seen_colours, brightness) {
  auto const require = [](c2f::conformance_report const& report) {
    std::string broken;
    for (auto const& law : report.broken()) broken += law + '\n';
    REQUIRE(broken == "");
  };
  require(c2f::conformance<c2f::stack<task<TestType>>>());
  require(c2f::conformance<c2f::encode::tile<>, c2f::image<3, 9, 7>, TestType>());
  require(c2f::conformance<c2f::source::mean, c2f::image<3, 9, 7>, TestType>());
  if constexpr (requires { TestType::corrupt_rate; }) require(c2f::conformance<c2f::source::corrupt<>, c2f::image<3, 9, 7>, TestType>());
}

TEMPLATE_TEST_CASE("Both kinds train, are probed and predict from a folder", "", seen_colours, brightness) {
  colours<TestType> const data;
  c2f::stack<task<TestType>> model(1);
  auto const recipe = c2f::recipe::settings{}.epochs(15).batch(20).learning_rate(.1).threads(0);
  c2f::fit(model, data, recipe);
  auto const scores = c2f::evaluate(model, data.test, recipe);
  REQUIRE(scores.size() == 2);
  for (auto const& stage : scores) {
    CAPTURE(stage.stage, stage.values);
    REQUIRE(stage.values[0].second > .9);  // map, r2
  }
  auto const probed = c2f::probe(model, data.test, recipe);
  bool const labels = std::same_as<TestType, seen_colours>;
  REQUIRE(probed.scores.size() == (labels ? 7u : 6u));
  REQUIRE(probed.scores[0].stage == "coarse");
  REQUIRE((probed.agreement > 0) == labels);

  tests::scratch const dir;
  c2f::model_description about{.classes = {"red", "green", "blue"}};
  if (!labels) about.units = {{10, 2}, {0, 1}, {-5, .5}};
  c2f::save_model(model, dir.path / "model", about);
  auto loaded = c2f::load_model<task<TestType>>(dir.path / "model");
  REQUIRE(loaded.description().units.size() == (labels ? 0u : 3u));
  c2f::data::picture_bytes photo{8, 8, {}};
  for (int i = 0; i < 64; ++i) photo.rgb.insert(photo.rgb.end(), {250, 10, 120});
  c2f::data::fitted_picture const one = loaded.fitted(photo);
  at::Tensor const raw                = loaded(loaded.images_of(std::span(&one, 1))).answer;
  auto const answer                   = loaded.predict(photo).answer;
  REQUIRE(answer.classes.empty());
  REQUIRE(answer.attributes.size() == (labels ? 3u : 0u));
  REQUIRE(answer.numbers.size() == (labels ? 0u : 3u));
  for (std::size_t k = 0; k < 3; ++k) {
    double const x = raw[0][static_cast<std::int64_t>(k)].item<double>();
    if (labels) {
      REQUIRE(answer.attributes[k].name == about.classes[k]);
      REQUIRE(near(answer.attributes[k].probability, 1 / (1 + std::exp(-x)), 1e-5));
    } else {
      REQUIRE(answer.numbers[k].name == about.classes[k]);
      REQUIRE(near(answer.numbers[k].value, about.units[k].mean + about.units[k].deviation * x, 1e-4));
    }
  }
  if (!labels) {
    std::string text = c2f::text_of(loaded.description());
    text.replace(text.find("0.5"), 3, "0.0");
    tests::require_message(tests::refusal([&] { (void)c2f::parse_model_description(text, "model.json"); }), {"'units'", "not above 0"});
  }
}

TEST_CASE("Compact and naive encoders agree, and unknown numbers reach no network as NaN") {
  struct naive : task<seen_colours> {
    using encoder = c2f::encode::tile<c2f::encode::naive>;
  };
  c2f::stack<task<seen_colours>> const compact(3);
  c2f::stack<naive> const defined(3);
  at::Tensor const x = at::randn({4, 3, 8, 8});
  REQUIRE(at::allclose(compact(x, c2f::eval).answer, defined(x, c2f::eval).answer, 1e-4, 1e-5));
  c2f::stack<task<seen_colours>> trained(3);
  c2f::pass p{.mode = c2f::train, .truth = at::full_like(x.select(3, 0).select(2, 0), nobody_knows), .t = 0, .seed = 1};
  REQUIRE(trained(x, p).answer.isfinite().all().template item<bool>());
  REQUIRE(p.loss().item<double>() == 0);
}
