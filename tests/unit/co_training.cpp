// Deep co-training: the published numbers, adversarial examples, labels that nobody reads, resuming, and what the loss of difference is for.
#include <c2f/c2f.hpp>
#include <c2f/networks/cnn13.hpp>
#include <c2f/systems/deep_co_training.hpp>
#include <c2f/systems/mean_teacher.hpp>
#include <c2f/train/checkpoint.hpp>

#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <memory>
#include <set>
#include <stdexcept>

#include "catch.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using c2f::systems::co_training_options;

struct small {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<4>>;
};
template <std::size_t Views = 2>
using model = c2f::systems::deep_co_training<small, Views>;

/// A vector through a fixed matrix, as a network on maps of one pixel.
struct matrix {
  using kind = c2f::class_vector<2>;
  template <c2f::shape In>
  struct on {
    using output = c2f::vector<2>;
    c2f::parameter<c2f::initial::zeros, 2, 2> weight;
    C2F_MEMBERS(weight);
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x.flatten(1).matmul(weight.as(x).t()); }
  };
};

at::Tensor numbers(std::vector<double> const& values, std::vector<std::int64_t> const& dims) {
  return at::tensor(values, at::kDouble).view(dims).to(at::kFloat);
}
double number(at::Tensor const& of) { return of.to(at::kDouble).item<double>(); }
at::Tensor logits_of(std::vector<double> const& probabilities) {
  return numbers(probabilities, {1, static_cast<std::int64_t>(probabilities.size())}).log();
}

}  // namespace

TEST_CASE("losses, warm-up and learning rate of deep co-training have the published values") {
  REQUIRE(number(c2f::loss::disagreement(logits_of({.5, .5}), logits_of({.9, .1}))) == Approx(.1017492251).epsilon(1e-6));
  REQUIRE(number(c2f::loss::disagreement(logits_of({.3, .7}), logits_of({.3, .7}))) == Approx(0).margin(1e-7));
  REQUIRE(number(c2f::loss::disagreement(numbers({200, -200}, {1, 2}), numbers({-200, 200}, {1, 2}))) == Approx(std::log(2)).epsilon(1e-6));
  REQUIRE(number(c2f::loss::soft_cross_entropy(logits_of({.5, .5}), logits_of({.8, .2}))) == Approx(.9162907319).epsilon(1e-6));
  REQUIRE(number(c2f::loss::soft_cross_entropy(logits_of({.9, .1}), logits_of({.6, .4}))) == Approx(.5513721346).epsilon(1e-6));

  using warm_up     = c2f::schedule::gaussian_ramp<80>;
  auto const factor = [](std::int64_t epoch) { return c2f::t_at<warm_up>({.epoch = epoch - 1}); };
  REQUIRE(factor(1) == Approx(.0076291316309).epsilon(1e-10));
  REQUIRE(factor(40) == Approx(.2865047968602).epsilon(1e-10));
  REQUIRE(factor(80) == 1);
  REQUIRE(factor(600) == 1);
  for (double x : {0.0, -.3, -2.5, -4.99}) REQUIRE(c2f::detail::exp_of_negative(x) == Approx(std::exp(x)).epsilon(1e-13));

  model<> const views({.labelled = 8, .unlabelled = 92});
  auto const recipe = c2f::systems::few_label_recipe(views);
  auto const rate   = [&](std::int64_t epoch) {
    return recipe.learning_rate_at({.epoch = epoch - 1, .fraction = static_cast<double>(epoch - 1) / 600});
  };
  REQUIRE(rate(1) == Approx(.1));
  REQUIRE(rate(151) == Approx(.0853553391).epsilon(1e-8));
  REQUIRE(rate(301) == Approx(.05));
  REQUIRE(rate(451) == Approx(.0146446609).epsilon(1e-8));
  REQUIRE(rate(600) == Approx(6.853876e-7).epsilon(1e-5));
}

TEST_CASE("CNN-13 has the published number of parameters") {
  using network = c2f::network_on<c2f::cnn13<c2f::class_vector<10>>, c2f::image<3, 32, 32>>;
  static_assert(c2f::parameter_count<network> == 3'123'850);
  static_assert(network::output::channels == 10);
  network net;
  c2f::initialize(net, 1);
  REQUIRE(net(at::zeros({2, 3, 32, 32}), c2f::eval).sizes() == at::IntArrayRef({2, 10}));
  using dropping = c2f::network_on<c2f::cnn13<c2f::class_vector<10>, .5>, c2f::image<3, 32, 32>>;
  static_assert(c2f::parameter_count<dropping> == 3'123'850);
}

TEST_CASE("an adversarial example moves each pixel by epsilon, and changes nothing else") {
  c2f::network_on<matrix, c2f::image<2, 1, 1>> net;
  c2f::initialize(net, 1);
  {
    at::NoGradGuard const no_gradients;
    net.weight.tensor().copy_(numbers({1, -2, -1, .5}, {2, 2}));
  }
  at::Tensor const x = numbers({.3, .6}, {1, 2, 1, 1}), label = at::tensor(std::vector<std::int64_t>{1});
  at::Tensor const found = c2f::adversarial(net, x, label, .02);
  REQUIRE(at::allclose(found, numbers({.32, .58}, {1, 2, 1, 1}), 0, 1e-7));
  REQUIRE(!net.weight.tensor().grad().defined());
  REQUIRE(at::equal(x, numbers({.3, .6}, {1, 2, 1, 1})));

  // Of a network with norms: its statistics and gradients stay as they are.
  c2f::network_on<small::network, small::input> whole;
  c2f::initialize(whole, 2);
  std::vector<at::Tensor> before;
  c2f::for_each_tensor(whole, [&](auto const&, auto const& each, auto const&) { before.push_back(each.tensor().detach().clone()); });
  at::Tensor const images = at::rand({4, 3, 32, 32});
  at::Tensor const moved  = c2f::adversarial(whole, images, at::tensor(std::vector<std::int64_t>{0, 1, 2, 3}), .02);
  REQUIRE(number(moved.sub(images).abs().max()) == Approx(.02).epsilon(1e-4));
  std::size_t i = 0;
  c2f::for_each_tensor(whole, [&](auto const&, auto const& each, auto const& traits) {
    REQUIRE(at::equal(before[i++], each.tensor().detach()));
    if (traits.trained) REQUIRE(!each.tensor().grad().defined());
  });
}

namespace {

/// Glyphs whose labels are hidden by the id of the sample: `offset` is added to the labels of samples that `hidden` has.
struct relabelled {
  c2f::data::pictures<4> whole;
  std::set<std::int64_t> const* hidden = nullptr;

  using image                      = c2f::image<3, 32, 32>;
  using truth_value                = std::int64_t;
  static constexpr auto truth_dims = c2f::data::pictures<4>::truth_dims;
  [[nodiscard]] std::int64_t size() const { return whole.size(); }
  [[nodiscard]] std::string name() const { return "glyphs"; }
  [[nodiscard]] std::int64_t label(std::int64_t id) const { return whole.label(id); }  // which samples are labelled depends on these alone
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, std::int64_t* truth) const {
    whole.read(id, augment, pixels, truth);
    if (hidden != nullptr && hidden->contains(id)) *truth = (*truth + 1) % 4;
  }
};
struct data {
  relabelled train;
  c2f::data::pictures<4> test;
};

data few_glyphs() {
  static c2f::data::glyphs<4> const whole({.train = 60, .test = 16});
  return {{whole.train}, whole.test};
}
c2f::recipe::settings recipe(auto const& views) {
  return c2f::recipe::settings{}.epochs(2).batch(views.rows()).learning_rate(0.05).threads(0);
}
std::vector<at::Tensor> tensors_of(auto& of) {
  std::vector<at::Tensor> all;
  c2f::for_each_tensor(of, [&](auto const&, auto const& each, auto const&) { all.push_back(each.tensor().detach().clone()); });
  return all;
}
bool same(std::vector<at::Tensor> const& a, std::vector<at::Tensor> const& b) {
  return std::ranges::equal(a, b, [](auto const& x, auto const& y) { return at::equal(x, y); });
}

}  // namespace

TEST_CASE("the labelled samples are chosen by the seed, as many of each class") {
  auto const whole  = few_glyphs().train;
  auto const ids_of = [&](std::int64_t labels, std::uint64_t seed) {
    auto const parts = c2f::data::few_labels(whole, labels, seed);
    std::set<std::int64_t> ids;
    std::array<int, 4> counts{};
    for (std::int64_t i = 0; i < parts.labelled.size(); ++i) {
      ids.insert(parts.labelled.in_whole(i));
      ++counts[static_cast<std::size_t>(parts.labelled.label(i))];
    }
    REQUIRE(std::ssize(ids) == labels);
    REQUIRE(parts.rest.size() == whole.size() - labels);
    auto const [fewest, most] = std::ranges::minmax(counts);
    REQUIRE(most - fewest <= 1);
    for (std::int64_t i = 0; i < parts.rest.size(); ++i) REQUIRE(!ids.contains(parts.rest.whole().in_whole(i)));
    std::vector<float> pixels(3 * 32 * 32);
    std::int64_t truth = 0;
    parts.rest.read(0, nullptr, pixels.data(), &truth);
    REQUIRE(truth == -100);
    return ids;
  };
  REQUIRE(ids_of(10, 1) == ids_of(10, 1));
  REQUIRE(ids_of(10, 1) != ids_of(10, 2));
  REQUIRE(std::ranges::includes(ids_of(20, 1), ids_of(10, 1)));  // more labels keep the ones that were there
  REQUIRE_THROWS_WITH(c2f::data::few_labels(whole, 0, 1), Catch::Contains("write 1 to 59"));
  REQUIRE_THROWS_WITH(c2f::data::few_labels(whole, 60, 1), Catch::Contains("write 1 to 59"));
  REQUIRE_THROWS_WITH(c2f::data::few_labels(whole, 3, 1), Catch::Contains("has 4 classes, of which 3 labels leave some without any"));
}

TEST_CASE("a step of co-training has the losses of algorithm 1") {
  model<> const views({.labelled = 3, .unlabelled = 5, .lambda_cot = 10, .lambda_dif = .5, .epsilon = .02}, 4);
  at::Tensor const images = at::rand({11, 3, 32, 32}),
                   truth  = at::tensor(std::vector<std::int64_t>{0, 1, 2, 3, 2, 1, -100, -100, -100, -100, -100});
  model<> copy            = views;  // the naive way, with norms that have the same statistics
  c2f::pass p{.mode = c2f::train, .truth = truth, .t = .25};
  views(images, p);
  REQUIRE(p.losses.size() == 4);
  REQUIRE(p.losses[0].name == "view1");
  REQUIRE(p.losses[3].name == "dif");

  auto const rows     = [&](at::Tensor const& of, std::int64_t first) { return at::cat({of.narrow(0, first, 3), of.narrow(0, 6, 5)}); };
  at::Tensor const x1 = rows(images, 0), x2 = rows(images, 3);
  at::Tensor const z1 = copy.views[0](x1, c2f::train), z2 = copy.views[1](x2, c2f::train);
  at::Tensor const p1 = z1.softmax(1), p2 = z2.softmax(1);
  auto const nll = [](at::Tensor const& probabilities, std::vector<std::int64_t> const& labels) {
    double sum = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) sum -= std::log(number(probabilities[static_cast<std::int64_t>(i)][labels[i]]));
    return sum / static_cast<double>(labels.size());
  };
  REQUIRE(number(p.losses[0].value) == Approx(nll(p1, {0, 1, 2})).epsilon(1e-5));
  REQUIRE(number(p.losses[1].value) == Approx(nll(p2, {3, 2, 1})).epsilon(1e-5));

  auto const entropy  = [](at::Tensor const& q) { return q.mul(q.log()).sum(1).neg(); };
  at::Tensor const u1 = p1.narrow(0, 3, 5), u2 = p2.narrow(0, 3, 5);
  at::Tensor const js = entropy(u1.add(u2).div(2)).sub(entropy(u1).add(entropy(u2)).div(2));
  REQUIRE(number(p.losses[2].value) == Approx(.25 * 10 * number(js.mean())).epsilon(1e-4));

  auto const fooling = [&](auto const& net, at::Tensor const& x, at::Tensor const& z, std::int64_t first) {
    at::Tensor const pixels = x.clone().set_requires_grad(true);
    at::Tensor labels       = z.argmax(1);
    for (std::int64_t i = 0; i < 3; ++i) labels[i] = truth[first + i];
    at::Tensor const loss = net(pixels, c2f::eval).log_softmax(1).gather(1, labels.unsqueeze(1)).mean().neg();
    loss.backward();
    return x.add(pixels.grad().sign().mul(.02));
  };
  at::Tensor const g1 = fooling(copy.views[0], x1, z1, 0), q2 = copy.views[1](g1, c2f::train).softmax(1);
  at::Tensor const g2 = fooling(copy.views[1], x2, z2, 3), q1 = copy.views[0](g2, c2f::train).softmax(1);
  double const dif = -number(p1.mul(q2.log()).sum(1).mean()) - number(p2.mul(q1.log()).sum(1).mean());
  REQUIRE(number(p.losses[3].value) == Approx(.25 * .5 * dif).epsilon(1e-3));

  // Each of the terms has gradients of both views.
  for (std::size_t const term : {std::size_t{2}, std::size_t{3}}) {
    for (auto const& view : views.views) view.fc.weight.tensor().mutable_grad() = at::Tensor();
    p.losses[term].value.backward({}, true);
    for (auto const& view : views.views) REQUIRE(number(view.fc.weight.tensor().grad().abs().sum()) > 0);
  }
}

TEST_CASE("four views are paired anew in every step") {
  model<4> const views({.labelled = 1, .unlabelled = 5, .lambda_cot = 1, .lambda_dif = 0}, 4);
  // The labelled row is the same for all, so that the outputs do not depend on the place of a view.
  at::Tensor const one = at::rand({1, 3, 32, 32}), rest = at::rand({5, 3, 32, 32}), images = at::cat({one, one, one, one, rest});
  at::Tensor const truth = at::tensor(std::vector<std::int64_t>{0, 0, 0, 0, -100, -100, -100, -100, -100});
  std::vector<at::Tensor> raw;
  for (auto const& view : views.views) raw.push_back(view(at::cat({one, rest}), c2f::train).narrow(0, 1, 5));
  auto const js = [&](std::size_t a, std::size_t b) { return number(c2f::loss::disagreement(raw[a], raw[b])); };
  std::array const sums{js(0, 1) + js(2, 3), js(0, 2) + js(1, 3), js(0, 3) + js(1, 2)};
  std::array<int, 3> seen{};
  for (std::int64_t step = 0; step < 60; ++step) {
    c2f::pass p{.mode = c2f::train, .truth = truth, .seed = 1, .now = c2f::progress{.iteration = step}};
    views(images, p);
    auto const fits = [&](double sum) { return std::abs(sum - number(p.losses.back().value)) < 1e-4 * sum; };
    REQUIRE(std::ranges::count_if(sums, fits) == 1);
    ++seen[static_cast<std::size_t>(std::ranges::find_if(sums, fits) - sums.begin())];
  }
  for (int const count : seen) REQUIRE(count > 8);  // 20 expected, deviation 3.7
}

TEST_CASE("a step of co-training in bfloat16 is finite, and its adversarial examples move by epsilon") {
  data const whole = few_glyphs();
  model<> views({.labelled = 2, .unlabelled = 6}, 5);
  auto const report = c2f::fit(views, c2f::systems::few_label_data(views, whole, 12, 3), recipe(views).bf16());
  REQUIRE(report.skipped == 0);
  for (auto const& [name, loss] : report.epochs.back().losses) REQUIRE(std::isfinite(loss));
  at::Tensor const x     = at::rand({2, 3, 32, 32}).mul(2).to(at::kBFloat16);
  at::Tensor const moved = c2f::adversarial(views.views[0], x, at::tensor(std::vector<std::int64_t>{0, 1}), .02);
  at::Tensor const by = moved.sub(x.to(at::kFloat)).abs(), at_epsilon = by.sub(.02).abs().lt(4e-6);
  REQUIRE(at_epsilon.logical_or(by.eq(0)).all().item<bool>());  // 0 where the gradient is
  REQUIRE(at_epsilon.to(at::kFloat).mean().item<double>() > .9);
}

TEST_CASE("truths of samples without a label cannot be read by a training") {
  data const whole = few_glyphs();
  model<> const like({.labelled = 2, .unlabelled = 6});
  std::set<std::int64_t> hidden;
  auto const parts = c2f::data::few_labels(whole.train, 12, 3);
  for (std::int64_t i = 0; i < parts.rest.size(); ++i) hidden.insert(parts.rest.whole().in_whole(i));
  auto const trained = [&](std::set<std::int64_t> const* changed) {
    model<> views({.labelled = 2, .unlabelled = 6}, 5);
    data const changed_data{{whole.train.whole, changed}, whole.test};
    c2f::fit(views, c2f::systems::few_label_data(views, changed_data, 12, 3), recipe(views));
    return tensors_of(views);
  };
  REQUIRE(same(trained(nullptr), trained(&hidden)));
  std::set<std::int64_t> const one{parts.labelled.in_whole(0)};
  REQUIRE(!same(trained(nullptr), trained(&one)));
}

TEST_CASE("co-training of four views resumes bit for bit inside the warm-up") {
  data const whole = few_glyphs();
  auto const train = [&](auto&&... observers) {
    model<4> views({.labelled = 1, .unlabelled = 4}, 6);
    auto const report = c2f::fit(views, c2f::systems::few_label_data(views, whole, 8, 1), recipe(views), observers...);
    REQUIRE(report.start.steps_an_epoch == 13);
    return tensors_of(views);
  };
  auto const all = train();
  for (std::int64_t const at : {1, 7, 13, 20}) {
    CAPTURE(at);
    tests::scratch const scratch;
    train(c2f::checkpoints(scratch.path / "kept"), tiny::stops{.at = at});
    REQUIRE(same(all, train(c2f::checkpoints(scratch.path / "kept"))));
  }

  // Another weight of a loss is another training.
  tests::scratch const scratch;
  train(c2f::checkpoints(scratch.path / "kept"), tiny::stops{.at = 5});
  model<4> other({.labelled = 1, .unlabelled = 4, .lambda_dif = 1}, 6);
  REQUIRE_THROWS_AS(
      c2f::fit(other, c2f::systems::few_label_data(other, whole, 8, 1), recipe(other), c2f::checkpoints(scratch.path / "kept")),
      c2f::input_error);
}

namespace {
struct of_pairs {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::stack<small>;
};
}  // namespace

TEST_CASE("views of co-training are scored one by one and together, and may be stacks") {
  data const whole = few_glyphs();
  c2f::systems::deep_co_training<of_pairs> views({.labelled = 2, .unlabelled = 6}, 1);
  auto const report = c2f::fit(views, c2f::systems::few_label_data(views, whole, 12, 1), recipe(views).epochs(1));
  std::vector<std::string> stages;
  for (auto const& each : report.epochs.back().scores) stages.push_back(each.stage);
  REQUIRE(stages == std::vector<std::string>{"view1.coarse", "view1", "view2.coarse", "view2", "ensemble"});

  at::Tensor const images = at::rand({3, 3, 32, 32});
  c2f::pass p;
  at::Tensor const answer = views(images, p);
  at::Tensor const mean   = p.output("view1").softmax(1).add(p.output("view2").softmax(1)).div(2);
  REQUIRE(at::allclose(answer.exp(), mean, 1e-5, 1e-7));
}

TEST_CASE("mistakes in a co-training are said") {
  using Catch::Contains;
  REQUIRE_THROWS_WITH(model<>({.labelled = 0}), Contains("write 1 or more rows of both"));
  REQUIRE_THROWS_WITH(model<>({.lambda_cot = -1}), Contains("no number below 0"));
  model<> const views({.labelled = 2, .unlabelled = 4});
  c2f::pass p{.mode = c2f::train, .truth = at::zeros({7}, at::kLong)};
  REQUIRE_THROWS_WITH(views(at::zeros({7, 3, 32, 32}), p), Contains("whose labelled and unlabelled rows are 8"));
}

TEST_CASE("a mean teacher is the average of its student, which learns to be consistent with it") {
  using teacher = c2f::systems::mean_teacher<small>;
  teacher model({.labelled = 3, .unlabelled = 5, .weight = 100, .decay = .9}, 3);
  auto const weight = [](auto& net) { return net.fc.weight.tensor().detach(); };
  REQUIRE(at::equal(weight(model.student), weight(model.teacher)));
  at::Tensor const before = weight(model.student).clone();
  {
    at::NoGradGuard const no_gradients;
    model.student.fc.weight.tensor().add_(1);
  }
  teacher copy       = model;
  at::Tensor const x = at::rand({8, 3, 32, 32}), truth = at::tensor(std::vector<std::int64_t>{0, 1, 2, -100, -100, -100, -100, -100});
  c2f::pass p{.mode = c2f::train, .truth = truth, .t = .5, .seed = 4, .epoch = 2};
  model(x, p);
  REQUIRE(at::allclose(weight(model.teacher), before.add(.1), 1e-5, 1e-6));

  std::vector<at::Tensor> seen;
  at::Tensor const mirrored = p.uniform(c2f::purpose::noise, x);
  std::set<bool> both;
  for (std::int64_t i = 0; i < 8; ++i) {
    bool const flip = number(mirrored[i]) <= .5;
    both.insert(flip);
    seen.push_back(flip ? x[i].flip(2) : x[i]);
  }
  REQUIRE(both.size() == 2);
  at::Tensor const z = copy.student(x, c2f::train).softmax(1), q = model.teacher(at::stack(seen), c2f::eval).softmax(1);
  REQUIRE(p.losses[1].name == "consistency");
  REQUIRE(number(p.losses[1].value) == Approx(.5 * 100 * number(z.sub(q).square().sum()) / 32).epsilon(1e-4));

  data const whole  = few_glyphs();
  auto const report = c2f::fit(model, c2f::systems::few_label_data(model, whole, 12, 1), recipe(model));
  REQUIRE(report.epochs.back().scores.size() == 2);
  REQUIRE(report.epochs.back().scores.back().stage == "teacher");
  REQUIRE_THROWS_WITH(teacher({.decay = 1}), Catch::Contains("a decay from 0 to below 1"));
}

namespace {

/// Noise of 8 x 8 pixels, in one quarter of which, the class, it is brighter.
struct quarters {
  using image       = c2f::image<1, 8, 8>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  std::int64_t count;
  std::uint64_t seed;
  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "quarters"; }
  [[nodiscard]] std::int64_t label(std::int64_t id) const { return id % 4; }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, std::int64_t* truth) const {
    c2f::random_stream draw{seed, c2f::purpose::synthesis, 0, static_cast<std::uint64_t>(id)};
    *truth = label(id);
    for (std::int64_t y = 0; y < 8; ++y)
      for (std::int64_t x = 0; x < 8; ++x) *pixels++ = static_cast<float>(draw.uniform() + (y / 4 * 2 + x / 4 == *truth ? .5 : 0));
  }
};
struct light {
  using input    = c2f::image<1, 8, 8>;
  using network  = c2f::predicts<c2f::class_vector<4>, c2f::conv<8, 3>, c2f::batch_norm, c2f::relu, c2f::conv<16, 3, 2>, c2f::batch_norm,
                                 c2f::relu, c2f::flatten, c2f::linear<4>>;
  using schedule = c2f::schedule::gaussian_ramp<0.3, c2f::by::fraction>;
};
struct quarters_data {
  quarters train{400, 1}, test{200, 2};
};

/// Of the adversarial examples of view 1 that change its class: the part that changes that of view 2, too.
double fooling_both(double lambda_dif, std::uint64_t seed) {
  quarters_data const whole;
  constexpr double epsilon = .15;
  c2f::systems::deep_co_training<light> views(
      {.labelled = 4, .unlabelled = 28, .lambda_cot = 1, .lambda_dif = lambda_dif, .epsilon = epsilon}, seed);
  auto const data = c2f::systems::few_label_data(views, whole, 40, 1);
  c2f::fit(views, data, c2f::recipe::settings{}.epochs(10).batch(views.rows()).learning_rate(0.05).threads(0));
  c2f::data::loader images{whole.test, {.batch = 200, .threads = 0, .shuffle = false}};
  at::Tensor const x       = images.epoch(0).next()->images;
  auto const classes       = [&](std::size_t view, at::Tensor const& of) { return views.views[view](of, c2f::eval).argmax(1); };
  at::Tensor const mine    = classes(0, x);
  at::Tensor const changed = c2f::adversarial(views.views[0], x, mine, epsilon);
  at::Tensor const first = classes(0, changed).ne(mine), second = classes(1, changed).ne(classes(1, x));
  return number(first.logical_and(second).sum()) / number(first.sum());
}

}  // namespace

TEST_CASE("without the loss of difference an example that fools one view fools the other more often") {
  double with = 0, without = 0;
  for (std::uint64_t const seed : {1, 2, 3}) with += fooling_both(1, seed) / 3, without += fooling_both(0, seed) / 3;
  CAPTURE(with, without);
  REQUIRE(without > with + .15);
}

namespace {
/// One of two processes, neither of which may be asked anything.
struct two_processes : c2f::communicator {
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return 2; }
  [[nodiscard]] std::vector<std::string> gather(std::string const&) override { throw std::logic_error("gather"); }
  void broadcast(at::Tensor const&) override { throw std::logic_error("broadcast"); }
  void sum(at::Tensor const&) override { throw std::logic_error("sum"); }
  [[nodiscard]] std::unique_ptr<c2f::gradient_reduction> reduce(std::vector<at::Tensor>, std::vector<at::Tensor>) override {
    throw std::logic_error("reduce");
  }
  [[nodiscard]] at::Tensor batch_norm(at::Tensor const&, at::Tensor const&, at::Tensor const&, at::Tensor const&, at::Tensor const&,
                                      double) override {
    throw std::logic_error("batch_norm");
  }
};
}  // namespace

TEST_CASE("several processes cannot share a batch whose rows belong together") {
  model<> views({.labelled = 2, .unlabelled = 6}, 1);
  auto const whole = few_glyphs();
  two_processes world;
  REQUIRE_THROWS_WITH(
      c2f::fit(views, c2f::systems::few_label_data(views, whole, 12, 1), recipe(views).on(world)),
      "the rows of a batch of 'deep co-training' belong together, so that several processes cannot share it; train it in one, "
      "without recipe.on(world)");
}
