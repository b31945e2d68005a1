// The saliency module of RSTN, the delayed encoder encode::after, and RSTN as a task.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/parts/encode_saliency.hpp>
#include <c2f/parts/fuse_crop.hpp>
#include <c2f/kinds/dense.hpp>
#include <c2f/loss/dice.hpp>
#include <c2f/networks/unet.hpp>

#include <ATen/ops/ones.h>

#include "catch.hpp"

namespace {

using mask = c2f::dense<1>;
using like = c2f::image<3, 8, 8>;

struct rstn {
  static constexpr char const* name = "rstn";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::unet<2, 4, mask>;
  using encoder                     = c2f::encode::after<0.25, c2f::encode::saliency>;
  using fuse                        = c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<3, 6, 4, c2f::fuse::by_truth_until<0.75>>>;
  using source                      = c2f::source::prediction;
  using refine                      = c2f::refine::until<0.95, 10>;
  using loss                        = c2f::loss::dice<>;
  using loss_weights                = c2f::loss_weights<1.0 / 3, 2.0 / 3>;
  using schedule                    = c2f::schedule::ramp<0, 10>;
};
static_assert(c2f::task<rstn>);

}  // namespace

TEST_CASE("the initial saliency is 1, so that multiplying leaves the image unchanged") {
  c2f::encode::saliency::on<mask, like> g;
  c2f::initialize(g, 5);
  at::Tensor const y = c2f::detail::sample_numbers({2, 1, 8, 8}, 1).to(at::kFloat).sigmoid(),
                   x = c2f::detail::sample_numbers({2, 3, 8, 8}, 2).to(at::kFloat);
  c2f::pass p{.mode = c2f::train, .t = 0};
  REQUIRE(g(y, x, p).equal(at::ones({2, 3, 8, 8})));
  REQUIRE(c2f::fuse::multiply::on<like, like>{}(x, g(y, x, p), p).equal(x));
  REQUIRE(c2f::parameter_count<decltype(g)> == 3 * 9 + 3 + 3 * 3 * 25 + 3);
}

TEST_CASE("the saliency is a convolution, ReLU and a convolution, computed here by hand") {
  c2f::encode::saliency::on<mask, c2f::image<1, 4, 4>> g;
  c2f::initialize(g, 5);
  auto const w = c2f::parameters(g);
  {
    at::NoGradGuard const no_gradients;
    w[2].copy_(c2f::detail::sample_numbers({1, 1, 5, 5}, 3));
    w[1].fill_(0.1);
    w[3].fill_(-0.5);
  }
  at::Tensor const y = c2f::detail::sample_numbers({1, 1, 4, 4}, 1).to(at::kFloat), x = at::zeros({1, 1, 4, 4});
  c2f::pass p;
  at::Tensor const z = g(y, x, p);
  auto const inside  = [](int i, int j) { return i >= 0 && i < 4 && j >= 0 && j < 4; };
  double hidden[4][4];
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) {
      double sum = 0.1f;
      for (int u = -1; u <= 1; ++u)
        for (int v = -1; v <= 1; ++v)
          if (inside(i + u, j + v)) sum += w[0][0][0][u + 1][v + 1].item<double>() * y[0][0][i + u][j + v].item<double>();
      hidden[i][j] = std::max(sum, 0.0);
    }
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) {
      double sum = -0.5;
      for (int u = -2; u <= 2; ++u)
        for (int v = -2; v <= 2; ++v)
          if (inside(i + u, j + v)) sum += w[2][0][0][u + 2][v + 2].item<double>() * hidden[i + u][j + v];
      REQUIRE(std::abs(z[0][0][i][j].item<double>() - sum) < 1e-5);
    }
}

TEST_CASE("encode::after gives ones before its t, in training only") {
  using late = c2f::encode::after<0.5, c2f::encode::dense<>>;
  late::on<mask, like> g;
  c2f::encode::dense<>::on<mask, like> now;
  c2f::initialize(g, 5);
  c2f::initialize(now, 5);  // the same paths, so the same numbers
  at::Tensor const y = c2f::detail::sample_numbers({2, 1, 8, 8}, 1).to(at::kFloat), x = at::zeros({2, 3, 8, 8});
  c2f::pass p{.mode = c2f::train, .t = 0.49};
  REQUIRE(g(y, x, p).equal(at::ones({2, 3, 8, 8})));
  p.t = 0.5;
  REQUIRE(g(y, x, p).equal(now(y, x, p)));
  p = {.mode = c2f::eval, .t = 0};
  REQUIRE(g(y, x, p).equal(now(y, x, p)));
}

TEST_CASE("RSTN is a composition: it trains through its stages and refines at inference") {
  c2f::stack<rstn> model;
  at::Tensor const truth = mask::example<rstn::input>(3);
  at::Tensor const noise = c2f::detail::sample_numbers({3, 3, 32, 32}, 1).to(at::kFloat);
  at::Tensor const x     = noise.mul(0.3).add(truth.unsqueeze(1).to(at::kFloat));
  c2f::sgd optimizer(model, {.momentum = 0.9});
  double first = 0, last = 0;
  for (int step = 0; step < 60; ++step) {
    double const t = std::min(1.0, step / 30.0);
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = t, .seed = 1, .epoch = static_cast<std::uint64_t>(step)};
    optimizer.zero_gradients();
    auto const both = model(x, p);
    REQUIRE(both.fine.sizes() == at::IntArrayRef({3, 1, 32, 32}));
    at::Tensor const loss = p.loss();
    loss.backward();
    optimizer.step(0.2);
    last = loss.item<double>();
    if (step == 0) first = last;
  }
  REQUIRE(std::isfinite(last));
  REQUIRE(last < 0.6 * first);
  auto const both = model(x, c2f::eval);
  REQUIRE(both.answer.sizes() == at::IntArrayRef({3, 1, 32, 32}));
  mask::score score;
  score.add(both.answer, truth);
  REQUIRE(score.values()[0].second > 0.5);
}
