// The stack: Ren et al. 2020's equations 1 to 4, and that the picture carries other systems.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/ones.h>

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

TEST_CASE("a pass is coarse, source, encoder, fuse and fine, in these words") {
  c2f::stack<pt> model(1);
  c2f::pass p{.mode = c2f::train, .truth = labels, .t = 1};
  auto const [coarse, fine] = model(images, p);
  REQUIRE(p.losses.size() == 2);

  c2f::stack<pt> const twin(1);
  at::Tensor const yc = twin.coarse(images, c2f::train);
  c2f::pass unused{.mode = c2f::train};
  at::Tensor const z  = twin.encoder(yc.softmax(1), images, unused);
  at::Tensor const yf = twin.fine(at::cat({images, z}, 1), c2f::train);
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

TEST_CASE("the weights of the losses weigh them") {
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

TEST_CASE("images of another size are refused in a sentence, and a stack does not train without a truth") {
  c2f::stack<pt> const model;
  REQUIRE_THROWS_WITH(model(images.narrow(2, 0, 11), c2f::eval),
                      "task 'pt' takes images [N, 3, 12, 12], found [6, 3, 11, 12]; resize them, or change the task's input");
  REQUIRE_THROWS_AS(model(images, c2f::train), c2f::error);
}

TEST_CASE("a network without values says so") {
  c2f::network_on<small, input> const net;
  REQUIRE_THROWS_AS(net(images, c2f::eval), c2f::error);
}

TEST_CASE("logits may stand for the prediction, and the networks may differ") {
  struct raw : pt {
    using predict = c2f::predict::logits;
  };
  c2f::stack<raw> const model(1);
  c2f::pass p{.mode = c2f::eval};
  auto const [coarse, fine] = model(images, c2f::eval);
  REQUIRE(fine.equal(model.fine(at::cat({images, model.encoder(coarse, images, p)}, 1), c2f::eval)));

  struct two {
    using input   = ::input;
    using network = c2f::coarse_fine<small, c2f::resnet_cifar<8, kind>>;
  };
  c2f::stack<two> other(1);
  REQUIRE(trained(other, 0.5).losses.size() == 2);
}

TEST_CASE("refinement runs the fine network on its own answer") {
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

// ---- the picture carries other systems: each of these is a task of less than twenty lines ----

namespace {

// Multiplies the image by the map instead of joining them, as RSTN does.
struct multiplied {
  static constexpr char const* name = "multiplied";
  using input                       = ::input;
  using network                     = small;
  using fuse                        = c2f::fuse::multiply;
};

// Shares features, computed once, and gates the two answers, as CasNet does.
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

// One network looks twice, the second time through an attention map of its first answer, and the answers are averaged: Coarse2Fine.
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

TEST_CASE("a task that multiplies: the fine network reads what the coarse one reads") {
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
  REQUIRE(p.losses.size() == 3);  // coarse, the gate's own, and the mixture's
  REQUIRE(std::string(p.losses[1].name) == "gate");
  require_gradients(model);
}

TEST_CASE("the gate's own loss does not reach the coarse answer through its label") {
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

TEST_CASE("a task that shares weights: one network, two passes, the mean of the answers") {
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
  REQUIRE(p.losses.size() == 4);  // coarse and fine of the inner stack, then of the outer one
  require_gradients(model);
  auto const both = model(images, c2f::eval);
  REQUIRE(both.coarse.equal(model.coarse(images, c2f::eval).fine));
}
