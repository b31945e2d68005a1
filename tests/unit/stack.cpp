// The stack: equations 1 to 4 of Ren et al. 2020, and other systems as compositions of the same parts.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "catch.hpp"

namespace {

using input = c2f::image<3, 12, 12>;
using kind  = c2f::class_vector<7>;
using small = c2f::predicts<kind, c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::global_average_pool, c2f::linear<7>>;

struct pt {
  static constexpr char const* name = "pt";
  using input                       = ::input;
  using network                     = small;
};
struct bl : pt {
  using refine = c2f::refine::no_fine_network;
};
struct ind : pt {
  using schedule = c2f::schedule::always_truth;
};

at::Tensor const images = c2f::detail::sample_numbers({6, 3, 12, 12}, 1).to(at::kFloat);
at::Tensor const labels = c2f::detail::sample_numbers({6, 7}, 2).argmax(1);

template <class Task>
c2f::pass trained(c2f::stack<Task> const& model, double t) {
  c2f::pass p{.mode = c2f::train, .truth = labels, .t = t, .seed = 5};
  model(images, p);
  p.loss().backward();
  return p;
}

template <class Net>
double gradient_size(Net const& net) {
  double sum = 0;
  for (auto const& each : c2f::parameters(net)) sum += each.grad().defined() ? each.grad().abs().sum().template item<double>() : 0;
  return sum;
}

}  // namespace

TEST_CASE("a pass is coarse, source, encoder, fuse and fine") {
  c2f::stack<pt> model(1);
  c2f::pass p{.mode = c2f::train, .truth = labels, .t = 1};
  auto const [coarse, fine] = model(images, p);
  REQUIRE(p.losses.size() == 2);

  c2f::stack<pt> const same(1);
  at::Tensor const yc = same.coarse(images, c2f::train);
  c2f::pass unused{.mode = c2f::train};
  at::Tensor const z  = same.encoder(yc.softmax(1), images, unused);
  at::Tensor const yf = same.fine(at::cat({images, z}, 1), c2f::train);
  REQUIRE(coarse.equal(yc));
  REQUIRE(fine.equal(yf));
  REQUIRE(p.losses[0].value.equal(at::cross_entropy_loss(yc, labels)));
  REQUIRE(p.losses[1].value.equal(at::cross_entropy_loss(yf, labels)));
  REQUIRE(p.loss().item<double>() == Approx(p.losses[0].value.item<double>() + p.losses[1].value.item<double>()));
}

TEST_CASE("with t = 0 no fine gradient reaches the coarse network, with t = 1 some does") {
  c2f::stack<bl> alone(1);
  c2f::stack<ind> truth(1);
  c2f::stack<pt> prediction(1);
  trained(alone, 0);
  trained(truth, 0);
  trained(prediction, 1);
  auto const a = c2f::parameters(alone.coarse), b = c2f::parameters(truth.coarse), c = c2f::parameters(prediction.coarse);
  bool differs = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(a[i].grad().equal(b[i].grad()));  // to the bit: the coarse stage of IND is BL
    differs = differs || !a[i].grad().equal(c[i].grad());
  }
  REQUIRE(differs);
  REQUIRE(gradient_size(truth.encoder) > 0);
}

TEST_CASE("loss_weights scale the losses") {
  struct heavy : pt {
    using loss_weights = c2f::loss_weights<0.5, 2>;
  };
  c2f::stack<pt> one(1);
  c2f::stack<heavy> other(1);
  auto const a = trained(one, 0.5), b = trained(other, 0.5);
  REQUIRE(b.losses[0].value.item<double>() == Approx(0.5 * a.losses[0].value.item<double>()));
  REQUIRE(b.losses[1].value.item<double>() == Approx(2 * a.losses[1].value.item<double>()));
}

TEST_CASE("initial values are a function of seed and path") {
  c2f::stack<pt> const one(3), same(3), other(4);
  c2f::stack<bl> const alone(3);
  REQUIRE(c2f::parameters(one)[0].equal(c2f::parameters(same)[0]));
  REQUIRE_FALSE(c2f::parameters(one)[0].equal(c2f::parameters(other)[0]));
  auto const a = c2f::parameters(one.coarse), b = c2f::parameters(alone.coarse);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(a[i].equal(b[i]));
}

TEST_CASE("a stack is a value") {
  c2f::stack<pt> one(3);
  c2f::stack<pt> copy = one;
  {
    at::NoGradGuard const no_gradients;
    c2f::parameters(copy)[0].zero_();
  }
  REQUIRE(c2f::parameters(one)[0].abs().sum().item<double>() > 0);
  copy = one;
  REQUIRE(c2f::parameters(copy)[0].equal(c2f::parameters(one)[0]));
}

TEST_CASE("images of another size are refused, and a stack does not train without a truth") {
  c2f::stack<pt> const model;
  REQUIRE_THROWS_WITH(model(images.narrow(2, 0, 11), c2f::eval),
                      "task 'pt' takes images [N, 3, 12, 12], found [6, 3, 11, 12]; resize them, or change the task's input");
  REQUIRE_THROWS_AS(model(images, c2f::train), c2f::error);
}

TEST_CASE("a network without initial values is an error") {
  c2f::network_on<small, input> const net;
  REQUIRE_THROWS_AS(net(images, c2f::eval), c2f::error);
}

TEST_CASE("logits may replace the prediction, and the networks may differ") {
  struct raw : pt {
    using predict = c2f::predict::logits;
  };
  c2f::stack<raw> const model(1);
  c2f::pass p{.mode = c2f::eval};
  auto const [coarse, fine] = model(images, c2f::eval);
  // Mean 0 and deviation 1 over the classes, so that a truth has the scale of a prediction however large the logits are.
  auto const standardised   = [](at::Tensor const& x) {
    at::Tensor const centred = x.to(at::kDouble).sub(x.to(at::kDouble).mean(1, true));
    return centred.div(centred.square().mean(1, true).add(1e-6).sqrt()).to(at::kFloat);
  };
  REQUIRE(at::allclose(c2f::predict::logits::of<kind>(coarse), standardised(coarse), 1e-4, 1e-5));
  at::Tensor const shown = c2f::predict::logits::of<kind>(coarse);
  REQUIRE(fine.equal(model.fine(at::cat({images, model.encoder(shown, images, p)}, 1), c2f::eval)));
  c2f::stack<raw> trained_on_truths(1);
  c2f::pass training = {.mode = c2f::train, .truth = labels, .t = 0};
  trained_on_truths(images, training);
  REQUIRE(at::allclose(training.conditioning, standardised(kind::from_truth(labels)), 1e-4, 1e-5));
  REQUIRE(at::allclose(training.conditioning.square().mean(1), at::ones({images.size(0)}), 1e-3));

  struct two {
    using input   = ::input;
    using network = c2f::coarse_fine<small, c2f::resnet_cifar<8, kind>>;
  };
  c2f::stack<two> other(1);
  REQUIRE(trained(other, 0.5).losses.size() == 2);
}

TEST_CASE("refinement runs the fine network on its own prediction") {
  struct thrice : pt {
    using refine = c2f::refine::times<3>;
  };
  c2f::stack<thrice> const model(1);
  c2f::stack<pt> const once(1);
  c2f::pass p{.mode = c2f::eval};
  at::Tensor y = once(images, c2f::eval).fine;
  for (int round = 0; round < 2; ++round) y = once.fine(at::cat({images, once.encoder(y.softmax(1), images, p)}, 1), c2f::eval);
  REQUIRE(model(images, c2f::eval).fine.equal(y));
}

// ---- other systems, each a task of less than twenty lines ----

namespace {

// Multiplies the image by the map instead of concatenating them, as RSTN does.
struct multiplied {
  static constexpr char const* name = "multiplied";
  using input                       = ::input;
  using network                     = small;
  using fuse                        = c2f::fuse::multiply;
};

// Shares features, computed once, and gates the two predictions, as CasNet does.
struct gated {
  static constexpr char const* name = "gated";
  using input                       = ::input;
  using share                       = c2f::share::features<c2f::sequential<c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu>>;
  using head                        = c2f::predicts<kind, c2f::global_average_pool, c2f::linear<7>>;
  using deep                        = c2f::predicts<kind, c2f::basic_block<8>, c2f::global_average_pool, c2f::linear<7>>;
  using network                     = c2f::coarse_fine<head, deep>;
  using encoder                     = c2f::encode::none;
  using combine                     = c2f::combine::gate<>;
};

// Coarse2Fine: one network runs twice, the second time on the image times an attention map of its first prediction; the predictions are
// averaged.
struct looks_twice {
  static constexpr char const* name = "looks_twice";
  using input                       = ::input;
  using network                     = small;
  using share                       = c2f::share::weights;
  using fuse                        = c2f::fuse::multiply;
  using combine                     = c2f::combine::average;
};

static_assert(c2f::task<multiplied> && c2f::task<gated> && c2f::task<looks_twice>);

template <class Net>
void require_gradients(Net const& net) {
  c2f::for_each_tensor(net, [](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    CAPTURE(path);
    if (traits.trained) REQUIRE(each.tensor().grad().defined());
  });
}

}  // namespace

TEST_CASE("a task that multiplies: both networks have the same input shape") {
  c2f::stack<multiplied> model(1);
  REQUIRE(c2f::parameter_count<decltype(model.fine)> == c2f::parameter_count<decltype(model.coarse)>);
  c2f::pass p{.mode = c2f::eval};
  auto const [coarse, fine] = model(images, c2f::eval);
  REQUIRE(fine.equal(model.fine(images.mul(model.encoder(coarse.softmax(1), images, p)), c2f::eval)));
  REQUIRE(trained(model, 0.5).losses.size() == 2);
  require_gradients(model);
}

TEST_CASE("a task that shares features and gates: eq. 6 and 8 of CasNet (Wang et al. 2019)") {
  c2f::stack<gated> model(1);
  REQUIRE(c2f::parameter_count<decltype(model)> == (8 * 3 * 9 + 16) + (8 * 7 + 7) + (2 * 8 * 8 * 9 + 32 + 8 * 7 + 7) + (8 * 2 + 2));

  auto const both        = model(images, c2f::eval);
  at::Tensor const f     = model.share(images, c2f::eval);
  at::Tensor const easy  = model.combine.head(f, c2f::eval).softmax(1).narrow(1, 1, 1);
  at::Tensor const mixed = easy.mul(both.coarse.softmax(1)).add(easy.neg().add(1).mul(both.fine.softmax(1)));
  REQUIRE(at::allclose(both.answer.softmax(1), mixed, 1e-5, 1e-6));
  REQUIRE(at::allclose(both.answer.exp().sum(1), at::ones({6}), 1e-5, 1e-6));

  auto const p = trained(model, 0.5);
  REQUIRE(p.losses.size() == 3);  // coarse, the gate's own, and that of the mixture
  REQUIRE(std::string(p.losses[1].name) == "gate");
  require_gradients(model);
}

TEST_CASE("the gate's own loss has no gradient with respect to the coarse logits") {
  c2f::combine::gate<>::on<kind, c2f::image<8, 6, 6>> gate;
  c2f::initialize(gate, 1);
  at::Tensor const f  = c2f::detail::sample_numbers({6, 8, 6, 6}, 3).to(at::kFloat);
  at::Tensor const yc = c2f::detail::sample_numbers({6, 7}, 4).to(at::kFloat).set_requires_grad(true),
                   yf = c2f::detail::sample_numbers({6, 7}, 5).to(at::kFloat);
  c2f::pass p{.mode = c2f::train, .truth = labels};
  gate(f, yc, yf, p);
  p.loss().backward();
  REQUIRE_FALSE(yc.grad().defined());
  gate(f, yc, yf, p).supervised.sum().backward();
  REQUIRE(yc.grad().defined());
}

// With weights 0 and bias (0, ln 3) the gate's probability of "easy" is 3/4 for every image.
TEST_CASE("the gate by hand: the mixture is supervised, and the label is whether the coarse prediction is correct") {
  using two_classes = c2f::class_vector<2>;
  c2f::combine::gate<>::on<two_classes, c2f::image<4, 3, 3>> gate;
  c2f::initialize(gate, 1);
  auto const head = c2f::parameters(gate);  // weight [2, 4], bias [2]
  {
    at::NoGradGuard const no_gradients;
    head[0].zero_();
    head[1].copy_(at::tensor({0.0, std::log(3.0)}));
  }
  at::Tensor const features = c2f::detail::sample_numbers({3, 4, 3, 3}, 1).to(at::kFloat);
  at::Tensor const coarse   = at::tensor({std::log(4.0f), 0.0f}).expand({3, 2});  // probabilities .8, .2: class 0
  at::Tensor const fine     = at::tensor({0.0f, std::log(9.0f)}).expand({3, 2});  // probabilities .1, .9
  at::Tensor const truth    = at::tensor({std::int64_t{0}, std::int64_t{0}, std::int64_t{1}});
  c2f::pass p{.mode = c2f::train, .truth = truth};
  c2f::combined const both = gate(features, coarse, fine, p);
  at::Tensor const mixture = at::tensor({.625f, .375f}).expand({3, 2});  // 3/4 (.8, .2) + 1/4 (.1, .9)
  REQUIRE(at::allclose(both.supervised.exp(), mixture, 1e-5, 1e-6));
  REQUIRE(at::allclose(both.answer.exp(), mixture, 1e-5, 1e-6));
  // The coarse class is correct for two samples of three: labels easy, easy, hard.
  REQUIRE(p.losses.size() == 1);
  REQUIRE(p.losses[0].value.item<double>() == Approx(-(2 * std::log(.75) + std::log(.25)) / 3).epsilon(1e-5));
}

TEST_CASE("a task that shares weights: one network, two passes, the mean of the predictions") {
  c2f::stack<looks_twice> model(1);
  REQUIRE(c2f::parameter_count<decltype(model)> == c2f::parameter_count<c2f::network_on<small, input>> + (7 * 3 * 9 + 3) + (3 * 3 * 9 + 3));
  auto const both = model(images, c2f::eval);
  REQUIRE(at::allclose(both.answer.softmax(1), both.coarse.softmax(1).add(both.fine.softmax(1)).mul(0.5), 1e-5, 1e-6));
  REQUIRE(trained(model, 0.5).losses.size() == 2);
  require_gradients(model);
}

namespace {
struct three_stages {
  static constexpr char const* name = "three stages";
  using input                       = ::input;
  using network                     = c2f::coarse_fine<c2f::stack<pt>, small>;
};
}  // namespace

TEST_CASE("a stack can be the coarse network of another one") {
  c2f::stack<three_stages> model(1);
  auto const p = trained(model, 0.5);
  REQUIRE(p.losses.size() == 3);  // coarse and fine of the inner stack, fine of the outer one (nested.cpp)
  require_gradients(model);
  auto const both = model(images, c2f::eval);
  REQUIRE(both.coarse.equal(model.coarse(images, c2f::eval).fine));
}
