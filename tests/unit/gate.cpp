// Mixtures of maps: the gate of CasNet in numbers computed by hand, in the log domain, with void pixels, and the constant mixture.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/where.h>

#include <cmath>

#include "catch.hpp"

namespace {

using kind      = c2f::dense<2>;
using one_score = c2f::conv<2, 1, 1, 0, c2f::bias>;
using map       = c2f::image<4, 1, 1>;

/// A gate whose scores are `hard` and `easy` everywhere.
template <class Gate, class F = map>
auto gate_of(double hard, double easy, at::ScalarType type = at::kFloat) {
  typename Gate::template on<kind, F> gate;
  c2f::initialize(gate, 1);
  if (type == at::kDouble) c2f::detail::to_double(gate);
  auto const head = c2f::parameters(gate);
  at::NoGradGuard const no_gradients;
  head[0].zero_();
  head[1].copy_(at::tensor({hard, easy}, at::TensorOptions(at::kDouble)));
  return gate;
}
at::Tensor pixel(double a, double b, at::ScalarType type = at::kDouble) {
  return at::tensor({a, b}).to(type).view({1, 2, 1, 1}).set_requires_grad(true);
}
at::Tensor label(std::int64_t value) { return at::tensor({value}).view({1, 1, 1}); }
double number(at::Tensor const& x) { return x.item<double>(); }
at::Tensor const features = c2f::detail::sample_numbers({1, 4, 1, 1}, 1);

}  // namespace

TEST_CASE("one pixel by hand: losses and gradients of a gate") {
  auto gate               = gate_of<c2f::combine::gate<one_score>>(std::log(3.0), 0, at::kDouble);  // p_a = .25
  at::Tensor const coarse = pixel(std::log(.8), std::log(.2)), fine = pixel(std::log(.3), std::log(.7));
  c2f::pass p{.mode = c2f::train, .truth = label(1)};
  auto const both = gate(features, coarse, fine, p);
  REQUIRE(both.answer.scalar_type() == at::kDouble);
  REQUIRE(both.answer.is_same(both.supervised));
  REQUIRE(number(both.answer.exp()[0][0][0][0]) == Approx(.425).epsilon(1e-9));
  REQUIRE(number(both.answer.exp().sum()) == Approx(1).epsilon(1e-9));
  at::Tensor const refined = both.supervised[0][1][0][0].neg();
  REQUIRE(number(refined) == Approx(.5533852382).epsilon(1e-9));
  REQUIRE(p.losses.size() == 1);
  REQUIRE(p.losses[0].name == "gate");
  REQUIRE(number(p.losses[0].value) == Approx(.2876820725).epsilon(1e-9));

  auto const bias = c2f::parameters(gate)[1];
  refined.backward({}, /*retain_graph=*/true);
  REQUIRE(number(bias.grad()[1]) == Approx(.1630434783).epsilon(1e-9));  // .8695652174 p_a (1 - p_a)
  REQUIRE(number(bias.grad()[0]) == Approx(-.1630434783).epsilon(1e-9));
  REQUIRE(number(coarse.grad()[0][0][0][0]) == Approx(.25 * .8 * .2 / .575).epsilon(1e-9));
  REQUIRE(number(coarse.grad()[0][1][0][0]) == Approx(-.25 * .8 * .2 / .575).epsilon(1e-9));
  REQUIRE(number(fine.grad()[0][0][0][0]) == Approx(.75 * .3 * .7 / .575).epsilon(1e-9));
  REQUIRE(number(fine.grad()[0][1][0][0]) == Approx(-.75 * .3 * .7 / .575).epsilon(1e-9));
  coarse.mutable_grad().reset(), fine.mutable_grad().reset();
  p.losses[0].value.backward();
  REQUIRE_FALSE(coarse.grad().defined());  // the label carries no gradient
  REQUIRE_FALSE(fine.grad().defined());
}

TEST_CASE("the mixture is computed from logarithms: certain and wrong pixels keep a gradient, in float") {
  auto const gate         = gate_of<c2f::combine::gate<one_score>>(0, 0);
  at::Tensor const coarse = pixel(60, 0, at::kFloat), fine = pixel(50, 0, at::kFloat);
  c2f::pass p{.mode = c2f::train, .truth = label(1)};
  at::Tensor const loss = c2f::loss::masked_cross_entropy<>::of(gate(features.to(at::kFloat), coarse, fine, p).supervised, p.truth);
  REQUIRE(number(loss) == Approx(50.6930999756).epsilon(1e-6));
  loss.backward();
  REQUIRE(number(coarse.grad()[0][0][0][0]) == Approx(std::exp(-10)).epsilon(1e-2));  // the share of the coarse network
  REQUIRE(number(fine.grad()[0][0][0][0]) == Approx(1).epsilon(1e-3));
}

TEST_CASE("a gate that is certain gives the coarse or the fine prediction") {
  at::Tensor const coarse = c2f::detail::sample_numbers({2, 2, 5, 4}, 2), fine = c2f::detail::sample_numbers({2, 2, 5, 4}, 3);
  at::Tensor const f = c2f::detail::sample_numbers({2, 4, 5, 4}, 4);
  for (bool const easy : {true, false}) {
    auto const run = [&]<class Gate>(Gate) {
      auto const gate = gate_of<Gate, c2f::image<4, 5, 4>>(easy ? -400 : 400, 0, at::kDouble);
      c2f::pass p{.mode = c2f::eval};
      at::Tensor const found = gate(f, coarse, fine, p).answer;
      REQUIRE(at::allclose(found, (easy ? coarse : fine).log_softmax(1), 1e-12, 1e-12));
      REQUIRE(at::allclose(p.output("easy"), at::full({2, 1, 5, 4}, easy ? 1.0 : 0.0, f.options())));
    };
    run(c2f::combine::gate<one_score>{});
    run(c2f::combine::hard_gate<one_score>{});
  }
}

TEST_CASE("void pixels have no part in the gate's loss") {
  auto const gate         = gate_of<c2f::combine::gate<one_score>, c2f::image<4, 1, 3>>(std::log(3.0), 0);
  at::Tensor const coarse = at::tensor({1.f, 1.f, 1.f, 0.f, 0.f, 0.f}).view({1, 2, 1, 3}), fine = coarse.clone();  // class 0 everywhere
  at::Tensor const f = c2f::detail::sample_numbers({1, 4, 1, 3}, 1).to(at::kFloat);
  auto const loss    = [&](std::vector<std::int64_t> const& truth) {
    c2f::pass p{.mode = c2f::train, .truth = at::tensor(truth).view({1, 1, 3})};
    gate(f, coarse, fine, p);
    return p.losses.at(0).value;
  };
  REQUIRE(number(loss({0, 255, 255})) == Approx(-std::log(.25)));
  REQUIRE(number(loss({1, 255, 255})) == Approx(-std::log(.75)));
  REQUIRE(number(loss({0, 1, 255})) == Approx(-(std::log(.25) + std::log(.75)) / 2));
  at::Tensor const nothing = loss({255, 255, 255});
  REQUIRE(number(nothing) == 0);
  nothing.backward();
  for (auto const& each : c2f::parameters(gate)) REQUIRE(number(each.grad().abs().max()) == 0);
}

TEST_CASE("the scores of a head of a fraction of the size are interpolated; the weight scales the loss and 0 leaves it out") {
  using small = c2f::sequential<c2f::conv<2, 3, 2, 1, c2f::bias>>;
  using in    = c2f::image<4, 7, 9>;
  c2f::combine::gate<small, 0.25>::on<kind, in> gate;
  c2f::combine::gate<small>::on<kind, in> whole;
  c2f::combine::gate<small, 0>::on<kind, in> none;
  c2f::initialize(gate, 3), c2f::initialize(whole, 3), c2f::initialize(none, 3);
  at::Tensor const f = c2f::detail::sample_numbers({2, 4, 7, 9}, 1).to(at::kFloat), coarse = c2f::detail::sample_numbers({2, 2, 7, 9}, 2),
                   fine = c2f::detail::sample_numbers({2, 2, 7, 9}, 3);
  at::Tensor const a    = at::upsample_bilinear2d(gate.head(f, c2f::eval), {7, 9}, false).softmax(1).narrow(1, 1, 1).to(at::kDouble);
  c2f::pass p{.mode = c2f::eval};
  REQUIRE(at::allclose(gate(f, coarse, fine, p).answer.exp(), fine.softmax(1).lerp(coarse.softmax(1), a), 1e-6, 1e-6));
  REQUIRE(at::allclose(p.output("easy").to(at::kDouble), a, 1e-6, 1e-7));
  at::Tensor const truth = c2f::detail::sample_numbers({2, 7, 9}, 4).gt(0).to(at::kLong);
  c2f::pass quarter{.mode = c2f::train, .truth = truth}, full = quarter, without = quarter;
  gate(f, coarse, fine, quarter), whole(f, coarse, fine, full), none(f, coarse, fine, without);
  at::Tensor const right = coarse.argmax(1).eq(truth);
  REQUIRE(number(full.losses.at(0).value) ==
          Approx(number(at::where(right, a.squeeze(1), a.squeeze(1).neg().add(1)).log().mean().neg())).epsilon(1e-5));
  REQUIRE(number(quarter.losses.at(0).value) == Approx(number(full.losses.at(0).value) / 4));
  REQUIRE(without.losses.empty());
}

TEST_CASE("a hard gate chooses pixels: each network learns from its own, and the gate from its loss alone") {
  using in = c2f::image<2, 1, 2>;
  c2f::combine::hard_gate<c2f::conv<2, 1, 1, 0, c2f::bias>>::on<kind, in> gate;
  c2f::initialize(gate, 1);
  auto const head = c2f::parameters(gate);
  {
    at::NoGradGuard const no_gradients;
    head[0].copy_(at::tensor({1.f, 0.f, 0.f, 1.f}).view({2, 2, 1, 1}));  // the features are the scores
    head[1].zero_();
  }
  at::Tensor const f = at::tensor({0.f, 1.f, 0.5f, 0.f}).view({1, 2, 1, 2});  // hard 0, easy .5 on the left; hard 1, easy 0 on the right
  at::Tensor const coarse = c2f::detail::sample_numbers({1, 2, 1, 2}, 1).set_requires_grad(true),
                   fine   = c2f::detail::sample_numbers({1, 2, 1, 2}, 2).set_requires_grad(true);
  c2f::pass p{.mode = c2f::train, .truth = at::tensor({std::int64_t{0}, std::int64_t{0}}).view({1, 1, 2})};
  at::Tensor const found = gate(f, coarse, fine, p).supervised;
  REQUIRE(found.select(3, 0).allclose(coarse.log_softmax(1).select(3, 0)));
  REQUIRE(found.select(3, 1).allclose(fine.log_softmax(1).select(3, 1)));
  found.select(1, 0).sum().backward();
  REQUIRE(number(coarse.grad().select(3, 1).abs().max()) == 0);
  REQUIRE(number(coarse.grad().select(3, 0).abs().max()) > 0);
  REQUIRE(number(fine.grad().select(3, 0).abs().max()) == 0);
  REQUIRE(number(fine.grad().select(3, 1).abs().max()) > 0);
  REQUIRE_FALSE(head[1].grad().defined());
  p.loss().backward();
  REQUIRE(head[1].grad().defined());
}

TEST_CASE("a constant mixture is supervised, and its extremes are the two predictions") {
  at::Tensor const coarse = c2f::detail::sample_numbers({2, 3, 4, 5}, 1),
                   fine   = c2f::detail::sample_numbers({2, 3, 4, 5}, 2).set_requires_grad(true);
  auto const run          = [&]<class Mixed>(Mixed, double weight) {
    typename Mixed::template on<c2f::dense<3>, map> const both;
    for (auto const mode : {c2f::eval, c2f::train}) {
      c2f::pass p{.mode = mode};
      auto const found = both({}, coarse, fine, p);
      REQUIRE(found.answer.is_same(found.supervised));
      REQUIRE(p.losses.empty());
      REQUIRE(at::allclose(found.answer.exp(), fine.softmax(1).lerp(coarse.softmax(1), weight), 1e-12, 1e-12));
      fine.mutable_grad().reset();
      if (weight == 1) continue;
      found.supervised.select(1, 0).sum().backward();
      at::Tensor const gradient = fine.grad();
      REQUIRE(gradient.isfinite().all().item<bool>());
      REQUIRE(number(gradient.abs().max()) > 0);
    }
  };
  run(c2f::combine::mixed<>{}, .5);
  run(c2f::combine::mixed<0.75>{}, .75);
  run(c2f::combine::mixed<0>{}, 0);
  run(c2f::combine::mixed<1>{}, 1);
}

TEST_CASE("many classes in channels_last give the mixture and the loss of the other format, and keep theirs") {
  using many = c2f::dense<20>;
  c2f::combine::gate<one_score>::on<many, c2f::image<4, 5, 6>> gate;
  c2f::initialize(gate, 2);
  at::Tensor const f = c2f::detail::sample_numbers({2, 4, 5, 6}, 1).to(at::kFloat);
  at::Tensor truth   = c2f::detail::sample_numbers({2, 20, 5, 6}, 4).argmax(1);
  truth.narrow(1, 0, 2).fill_(255);
  std::vector<at::Tensor> answers, losses, gradients;
  for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    auto const raw = [&](std::uint64_t id) {
      return c2f::detail::sample_numbers({2, 20, 5, 6}, id).mul(3).to(at::kFloat).contiguous(format).set_requires_grad(true);
    };
    at::Tensor const coarse = raw(2), fine = raw(3);
    c2f::pass p{.mode = c2f::train, .truth = truth};
    answers.push_back(gate(f, coarse, fine, p).supervised);
    REQUIRE(answers.back().is_contiguous(format));
    losses.push_back(
        c2f::loss::masked_cross_entropy<>::of(answers.back(), truth).add(c2f::loss::masked_cross_entropy<>::of(coarse, truth)));
    losses.back().add(p.loss()).backward();
    gradients.push_back(coarse.grad().sub(fine.grad()));
  }
  REQUIRE(answers[0].allclose(answers[1], 1e-5, 1e-6));
  REQUIRE(losses[0].allclose(losses[1], 1e-5, 1e-6));
  REQUIRE(gradients[0].allclose(gradients[1], 1e-4, 1e-7));
  REQUIRE(number(gradients[0].abs().max()) > 1e-3);
  at::Tensor const nothing = truth.clone().fill_(255);
  REQUIRE(number(c2f::loss::masked_cross_entropy<>::of(answers[1], nothing)) == 0);
}

TEST_CASE("mixtures satisfy the laws of a combine, of maps and of class vectors") {
  auto const broken = [](auto const& report) {
    std::string all;
    for (auto const& law : report.broken()) all += law + '\n';
    REQUIRE(report.laws() > 2);
    return all;
  };
  using like = c2f::image<3, 8, 12>;
  REQUIRE(broken(c2f::conformance<c2f::combine::gate<one_score>, like, c2f::dense<3>>()) == "");
  // The choice of a hard gate is not differentiable: it learns from its own loss alone.
  REQUIRE(broken(c2f::conformance<c2f::combine::hard_gate<one_score>, like, c2f::dense<3>>()) ==
          "parameters are trained, but the output has no gradient with respect to any of them\n");
  REQUIRE(broken(c2f::conformance<c2f::combine::mixed<0.25>, like, c2f::dense<3>>()) == "");
  REQUIRE(broken(c2f::conformance<c2f::combine::gate<>, like, c2f::class_vector<10>>()) == "");
  REQUIRE(broken(c2f::conformance<c2f::combine::mixed<>, like, c2f::class_vector<10>>()) == "");
}

TEST_CASE("a mixture is exact beside logits as large as those outside of a crop, and where both networks exclude a class") {
  auto const gate   = gate_of<c2f::combine::gate<one_score>>(std::log(3.0), 0);  // p_a = .25
  auto const mix_of = [&](auto const& combine, at::Tensor const& coarse, at::Tensor const& fine) {
    c2f::pass p{.mode = c2f::eval};
    return combine(features.to(at::kFloat), coarse, fine, p).answer;
  };
  c2f::combine::mixed<0.25>::on<kind, map> mixed;
  at::Tensor const moderate = pixel(0, -1, at::kFloat), outside = pixel(0, -9'999'999, at::kFloat);
  double const object = 1 / (1 + std::exp(1));
  auto const check    = [&](auto const& combine) {
    at::Tensor const found = mix_of(combine, moderate, outside);
    REQUIRE(number(found[0][1][0][0]) == Approx(std::log(.25 * object)).epsilon(1e-6));
    REQUIRE(number(found[0][0][0][0]) == Approx(std::log(.25 * (1 - object) + .75)).epsilon(1e-6));
    REQUIRE(number(mix_of(combine, outside, moderate)[0][1][0][0]) == Approx(std::log(.75 * object)).epsilon(1e-6));
    found.select(1, 1).sum().backward();
    REQUIRE(number(moderate.grad()[0][1][0][0]) == Approx(1 - object).epsilon(1e-5));
    REQUIRE(outside.grad().isfinite().all().item<bool>());
    moderate.mutable_grad().reset(), outside.mutable_grad().reset();

    at::Tensor const one = pixel(0, -HUGE_VAL, at::kFloat), other = pixel(1, -HUGE_VAL, at::kFloat);
    at::Tensor const none = mix_of(combine, one, other);
    REQUIRE(number(none[0][0][0][0]) == Approx(0).margin(1e-6));
    REQUIRE(number(none[0][1][0][0]) == -HUGE_VAL);
    none.select(1, 0).sum().backward();
    REQUIRE(one.grad().isfinite().all().item<bool>());
  };
  check(gate);
  check(mixed);
}
