// The output kind boxes, its encoder, its loss and the localiser.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/parts/encode_rasterize.hpp>
#include <c2f/networks/localiser.hpp>

#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "catch.hpp"

namespace {

using c2f::encode::draw_boxes;
using c2f::encode::hard;
using c2f::encode::soft;

at::Tensor numbers(std::vector<double> const& values) { return at::tensor(values, at::TensorOptions(at::kDouble)); }

/// The map of one box, [H, W].
template <class Edges>
at::Tensor drawn(std::array<double, 4> const& box, std::int64_t height, std::int64_t width) {
  return draw_boxes<Edges>(numbers({box.begin(), box.end()}).view({1, 1, 4}), height, width)[0][0];
}

/// The definition, one pixel at a time.
at::Tensor naive_map(std::array<double, 4> const& box, std::int64_t height, std::int64_t width, double edge) {
  at::Tensor map   = at::zeros({height, width}, at::TensorOptions(at::kDouble));
  auto const along = [&](double middle, double centre, double size, double sides) {
    double const inside = size * sides / 2 - std::abs(middle - centre * sides);
    if (size <= 0) return 0.0;
    return edge == 0 ? (inside > 0 ? 1.0 : 0.0) : std::clamp(inside / edge + .5, 0.0, 1.0);
  };
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      map[y][x] = along(static_cast<double>(y) + .5, box[1], box[3], static_cast<double>(height)) *
                  along(static_cast<double>(x) + .5, box[0], box[2], static_cast<double>(width));
  return map;
}

}  // namespace

TEST_CASE("a box whose sides lie between pixels covers its area exactly") {
  REQUIRE(drawn<hard>({.5, .5, 1, 1}, 12, 20).sum().item<double>() == 240);  // the whole image
  REQUIRE(drawn<hard>({.5 / 20, .5 / 12, 1.0 / 20, 1.0 / 12}, 12, 20).nonzero().equal(at::zeros({1, 2}, at::TensorOptions(at::kLong))));
  at::Tensor const one = drawn<hard>({7.5 / 20, 3.5 / 12, 1.0 / 20, 1.0 / 12}, 12, 20);  // one pixel: column 7, row 3
  REQUIRE(one.sum().item<double>() == 1);
  REQUIRE(one[3][7].item<double>() == 1);
  at::Tensor const part = drawn<hard>({8.0 / 20, 6.0 / 12, 6.0 / 20, 4.0 / 12}, 12, 20);  // columns 5 to 10, rows 4 to 7
  REQUIRE(part.sum().item<double>() == 24);
  REQUIRE(part.slice(0, 4, 8).slice(1, 5, 11).sum().item<double>() == 24);
  REQUIRE(drawn<hard>({0, 0, .5, .5}, 12, 20).slice(0, 0, 3).slice(1, 0, 5).sum().item<double>() == 15);  // cut at the corner
  REQUIRE(drawn<hard>({.5, .5, 0, 0}, 12, 20).sum().item<double>() == 0);                                 // no size draws nothing
  REQUIRE(drawn<soft<2>>({.5, .5, 0, 0}, 12, 20).sum().item<double>() == 0);
}

TEST_CASE("with hard edges a pixel whose centre is on the edge of the box is outside") {
  // In pixels the box is .5 ... 2.5 in both directions: centres .5 and 2.5 are on its edges, 1.5 is inside. All numbers are exact.
  at::Tensor const map = drawn<hard>({1.5 / 4, 1.5 / 4, 2.0 / 4, 2.0 / 4}, 4, 4);
  REQUIRE(map.sum().item<double>() == 1);
  REQUIRE(map[1][1].item<double>() == 1);
}

TEST_CASE("a batch of maps equals the definition, box by box") {
  c2f::random_stream random(3, c2f::purpose::synthesis, 0, 0);
  for (int trial = 0; trial < 40; ++trial) {
    std::array<double, 4> box{};
    for (auto& number : box) number = random.uniform();
    std::int64_t const height = 3 + random.below(20), width = 3 + random.below(20);
    REQUIRE(drawn<hard>(box, height, width).equal(naive_map(box, height, width, 0)));
    REQUIRE(at::allclose(drawn<soft<2>>(box, height, width), naive_map(box, height, width, 2), 0, 1e-12));
    REQUIRE(at::allclose(drawn<soft<0.5>>(box, height, width), naive_map(box, height, width, .5), 0, 1e-12));
  }
  at::Tensor const several = c2f::boxes<3>::from_truth(c2f::boxes<3>::example<c2f::image<3, 9, 11>>(5));
  at::Tensor const all     = draw_boxes<soft<2>>(several, 9, 11);
  for (int n = 0; n < 5; ++n)
    for (int k = 0; k < 3; ++k) REQUIRE(all[n][k].equal(draw_boxes<soft<2>>(several.narrow(0, n, 1).narrow(1, k, 1), 9, 11)[0][0]));
}

TEST_CASE("soft edges have a gradient with respect to the box, hard edges have none") {
  at::Tensor const box       = numbers({.43, .57, .31, .42}).view({1, 1, 4}).set_requires_grad(true);
  at::Tensor const direction = c2f::detail::sample_numbers({1, 1, 16, 16}, 4);
  draw_boxes<soft<2>>(box, 16, 16).mul(direction).sum().backward();
  for (int i = 0; i < 4; ++i) {
    auto const at_step = [&](double step) {
      at::Tensor moved = box.detach().clone();
      moved[0][0][i].add_(step);
      return draw_boxes<soft<2>>(moved, 16, 16).mul(direction).sum().item<double>();
    };
    double const wanted = (at_step(1e-6) - at_step(-1e-6)) / 2e-6;
    REQUIRE(std::abs(wanted) > 1e-3);
    REQUIRE(std::abs(box.grad()[0][0][i].item<double>() - wanted) < 1e-6 * std::max(1.0, std::abs(wanted)));
  }
  REQUIRE(!draw_boxes<hard>(box, 16, 16).requires_grad());
}

TEST_CASE("with hard edges the fine loss does not reach the coarse network, with soft ones it does") {
  struct edges_hard {
    using input        = c2f::image<3, 16, 16>;
    using network      = c2f::localiser<c2f::sequential<c2f::conv<4, 3, 2>, c2f::batch_norm, c2f::relu>, c2f::boxes<2>, 8>;
    using schedule     = c2f::schedule::always_prediction;
    using loss_weights = c2f::loss_weights<0.0, 1.0>;  // the fine loss alone
  };
  struct edges_soft : edges_hard {
    using encoder = c2f::encode::rasterize<soft<3>>;
  };
  auto const reached = []<class Task>(c2f::stack<Task> const& model) {
    auto const truth = c2f::boxes<2>::example<c2f::image<3, 16, 16>>(6);
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = 1};
    model(c2f::detail::sample_numbers({6, 3, 16, 16}, 1).to(at::kFloat), p);
    p.loss().backward();
    bool any = false;
    for (auto const& each : c2f::parameters(model.coarse))
      any = any || (each.grad().defined() && each.grad().abs().sum().template item<double>() > 0);
    return any;
  };
  REQUIRE(!reached(c2f::stack<edges_hard>()));
  REQUIRE(reached(c2f::stack<edges_soft>()));
}

TEST_CASE("the IoU of boxes in fractions, by hand") {
  auto const iou = [](std::vector<double> const& a, std::vector<double> const& b) {
    return c2f::detail::iou_of_boxes(numbers(a), numbers(b)).item<double>();
  };
  REQUIRE(iou({.5, .5, .4, .2}, {.5, .5, .4, .2}) == Approx(1));
  REQUIRE(iou({.2, .5, .2, .2}, {.6, .5, .2, .2}) == 0);                       // apart
  REQUIRE(iou({.2, .5, .2, .2}, {.4, .5, .2, .2}) == Approx(0).margin(1e-9));  // side by side
  REQUIRE(iou({.5, .5, .4, .4}, {.6, .5, .4, .4}) == Approx(.12 / .20));       // moved by a quarter: .3 x .4 of 2 x .16 - .12
  REQUIRE(iou({.5, .5, .8, .8}, {.5, .5, .4, .4}) == Approx(.25));             // one inside the other
  REQUIRE(iou({.5, .5, 0, 0}, {.5, .5, 0, 0}) == 0);
}

TEST_CASE("the loss is the log-scale l1-norm over the boxes that are present") {
  // Two classes, the second absent in sample 0. p = sigmoid(raw).
  at::Tensor const raw = c2f::detail::sample_numbers({2, 8}, 1).set_requires_grad(true);
  at::Tensor const truth =
      numbers({.5, .4, .3, .2, 1, .9, .9, .9, .9, 0, .1, .2, .3, .4, 1, .6, .5, .4, .3, 1}).view({2, 2, 5}).to(at::kFloat);
  double wanted = 0;
  for (int n = 0; n < 2; ++n)
    for (int k = 0; k < 2; ++k)
      for (int i = 0; i < 4; ++i)
        if (truth[n][k][4].item<double>() == 1) {
          double const p = 1 / (1 + std::exp(-raw[n][4 * k + i].item<double>()));
          wanted += std::abs(std::log(p) - std::log(truth[n][k][i].item<double>())) / 3;
        }
  at::Tensor const loss = c2f::loss::log_l1::of(raw, truth);
  REQUIRE(loss.item<double>() == Approx(wanted));
  loss.backward();
  REQUIRE(raw.grad()[0].slice(0, 4, 8).abs().sum().item<double>() == 0);  // an absent class has no gradient
  REQUIRE(raw.grad()[1].abs().min().item<double>() > 0);
  at::Tensor const all_absent = truth.clone();
  all_absent.select(2, 4).zero_();
  REQUIRE(c2f::loss::log_l1::of(raw, all_absent).item<double>() == 0);
  // Logits whose sigmoid underflows to 0 still have a finite loss and gradient.
  at::Tensor const far = at::full({2, 8}, -200.0f).set_requires_grad(true);
  c2f::loss::log_l1::of(far, truth).backward();
  REQUIRE(far.grad().isfinite().all().item<bool>());
}

TEST_CASE("the metrics count the boxes that are present") {
  // Per class the box as a probability, and the logit of its presence.
  auto const raw_of = [](std::vector<double> const& p) {
    at::Tensor const x = numbers(p).view({1, 2, 5}), box = x.narrow(2, 0, 4);
    return at::cat({box.div(box.neg().add(1)).log(), x.narrow(2, 4, 1)}, 2).to(at::kFloat).view({1, 10});
  };
  c2f::boxes<2>::score score;
  // Sample 0: class 0 exact, class 1 absent, though predicted. Sample 1: class 0 with IoU .4 / .42, class 1, predicted as absent, with IoU
  // .25.
  score.add(raw_of({.5, .5, .4, .4, 2, .5, .5, .9, .9, 1}), numbers({.5, .5, .4, .4, 1, .1, .1, .1, .1, 0}).view({1, 2, 5}).to(at::kFloat));
  score.add(raw_of({.5, .5, .4, .42, 3, .5, .5, .8, .8, -1}),
            numbers({.5, .5, .4, .4, 1, .5, .5, .4, .4, 1}).view({1, 2, 5}).to(at::kFloat));
  auto const [iou, half, scale, presence] = score.values();
  REQUIRE(score.samples == 2);
  REQUIRE(score.present == 3);
  REQUIRE(iou.second == Approx((1 + .4 / .42 + .25) / 3).epsilon(1e-5));
  REQUIRE(half.second == Approx(2.0 / 3));
  REQUIRE(scale.second == Approx(2.0 / 3));  // .42 for .4 is correct within 10 %, .8 for .4 is not
  REQUIRE(presence.second == .5);
}

TEST_CASE("a predicted box is clipped to the image before its IoU is taken") {
  // The box of centre (.1, .5) and sides (.6, .4) reaches from -.2 to .4; within the image it is the truth, (.2, .5, .4, .4).
  at::Tensor const box = numbers({.1, .5, .6, .4}).view({1, 4});
  c2f::boxes<1>::score score;
  score.add(box.div(box.neg().add(1)).log().to(at::kFloat), numbers({.2, .5, .4, .4, 1}).view({1, 1, 5}).to(at::kFloat));
  REQUIRE(score.values()[0].second == Approx(1).epsilon(1e-5));  // .16 / .24 without
  REQUIRE(at::allclose(c2f::detail::clipped_boxes(numbers({.9, .05, .4, .3})), numbers({.85, .1, .3, .2})));
  REQUIRE(c2f::detail::clipped_boxes(numbers({.5, .5, .4, .4})).allclose(numbers({.5, .5, .4, .4})));
}

TEST_CASE("a class that is predicted as absent is drawn as one that is absent in a truth") {
  using kind             = c2f::boxes<3>;
  at::Tensor const raw   = c2f::detail::sample_numbers({40, 15}, 3).to(at::kFloat).mul(2);
  at::Tensor const given = kind::predict(raw), whole = kind::boxes_of(raw), present = kind::present_in(raw);
  std::int64_t absent = 0;
  for (std::int64_t n = 0; n < 40; ++n)
    for (std::int64_t k = 0; k < 3; ++k) {
      bool const there = raw[n][5 * k + 4].item<float>() > 0;
      absent += !there;
      REQUIRE(present[n][k].item<bool>() == there);
      for (std::int64_t i = 0; i < 4; ++i) {
        double const number = 1 / (1 + std::exp(-raw[n][5 * k + i].item<double>()));
        REQUIRE(whole[n][k][i].item<double>() == Approx(number).epsilon(1e-5));
        REQUIRE(given[n][k][i].item<double>() == Approx(there || i < 2 ? number : 0).epsilon(1e-5));
      }
    }
  REQUIRE((absent > 20 && absent < 100));
  at::Tensor const maps = draw_boxes<hard>(given, 8, 8).sum({2, 3});
  REQUIRE(maps.masked_select(present.logical_not()).sum().item<double>() == 0);
  // The agreement of two outputs: 1 for a class that is absent in both, 0 for one in one of them.
  at::Tensor const other = raw.clone();
  other.view({40, 3, 5}).select(2, 4).neg_();
  REQUIRE(kind::agreement(raw, raw).allclose(at::ones({40})));
  REQUIRE(kind::agreement(raw, other).sum().item<double>() == 0);
}

namespace {
struct three_boxes {
  using input   = c2f::image<3, 16, 16>;
  using network = c2f::localiser<c2f::conv<4, 3, 2>, c2f::boxes<3>, 8>;
};
}  // namespace

TEST_CASE("boxes of half-precision outputs are computed in float, as they are drawn") {
  at::Tensor const raw = c2f::detail::sample_numbers({100, 15}, 3).to(at::kBFloat16);
  REQUIRE(c2f::boxes<3>::predict(raw).equal(c2f::boxes<3>::predict(raw.to(at::kFloat))));
  // The truth, too, which is shown with the element type of predictions.
  at::Tensor const truth = c2f::boxes<3>::example<c2f::image<3, 16, 16>>(50);
  auto const type        = c2f::boxes<3>::predict(raw).scalar_type();
  REQUIRE(c2f::detail::shown_truth<c2f::complete<three_boxes>>(truth, type).equal(c2f::boxes<3>::from_truth(truth)));
}

TEST_CASE("the loss of presence is the binary cross-entropy over samples and classes") {
  at::Tensor const raw   = c2f::detail::sample_numbers({3, 10}, 5).to(at::kFloat).set_requires_grad(true);
  at::Tensor const truth = c2f::boxes<2>::example<c2f::image<3, 8, 8>>(3);
  double wanted          = 0;
  for (int n = 0; n < 3; ++n)
    for (int k = 0; k < 2; ++k) {
      double const p = 1 / (1 + std::exp(-raw[n][5 * k + 4].item<double>()));
      wanted -= std::log(truth[n][k][4].item<double>() == 1 ? p : 1 - p) / 6;
    }
  at::Tensor const loss = c2f::loss::presence::of(raw, truth);
  REQUIRE(loss.item<double>() == Approx(wanted));
  loss.backward();
  at::Tensor const gradient = raw.grad().view({3, 2, 5});
  REQUIRE(gradient.narrow(2, 0, 4).abs().sum().item<double>() == 0);
  REQUIRE(gradient.select(2, 4).abs().min().item<double>() > 0);
  REQUIRE(c2f::boxes<2>::default_loss::of(raw, truth).item<double>() == Approx(wanted + c2f::loss::log_l1::of(raw, truth).item<double>()));
}

TEST_CASE("a head on all positions finds what the mean over them cannot") {
  // Two images with the same features in another place: the mean is the same, the linear layer is not.
  using kind   = c2f::boxes<1>;
  using flat   = c2f::localiser<c2f::conv<4, 1>, kind, 4>;
  using means  = c2f::localiser<c2f::conv<4, 1>, kind, 4, c2f::head::average>;
  at::Tensor x = at::zeros({2, 3, 6, 6});
  x[0][0][1][1].fill_(1), x[1][0][4][3].fill_(1);
  auto const difference = [&](auto const& net) {
    at::Tensor const raw = net(x, c2f::eval);
    return raw[0].sub(raw[1]).abs().max().template item<double>();
  };
  REQUIRE(difference(c2f::make_network<flat, c2f::image<3, 6, 6>>(1)) > 1e-3);
  REQUIRE(difference(c2f::make_network<means, c2f::image<3, 6, 6>>(1)) < 1e-6);
  // Features are divided by the square root of the number of positions.
  c2f::network_on<c2f::detail::by_root_of_positions, c2f::image<4, 6, 9>> const divided;
  REQUIRE(at::allclose(divided(at::ones({2, 4, 6, 9}), c2f::eval), at::full({2, 4, 6, 9}, 1 / std::sqrt(54.0f))));
}

TEST_CASE("an absent box has size 0 in the conditioning, and corruption stays in range") {
  using kind             = c2f::boxes<3>;
  at::Tensor const truth = kind::example<c2f::image<3, 8, 8>>(200), conditioning = kind::from_truth(truth);
  REQUIRE(conditioning.sizes() == at::IntArrayRef({200, 3, 4}));
  at::Tensor const absent = truth.select(2, 4).eq(0);
  REQUIRE(absent.sum().item<std::int64_t>() > 50);
  REQUIRE(conditioning.select(2, 2).masked_select(absent).abs().sum().item<double>() == 0);
  REQUIRE(conditioning.select(2, 2).masked_select(absent.logical_not()).min().item<double>() > 0);

  c2f::pass const p{.mode = c2f::train, .truth = truth, .seed = 5, .epoch = 2};
  at::Tensor const damaged = kind::corrupt(truth, 1, p);
  REQUIRE(damaged.equal(kind::corrupt(truth, 1, p)));
  REQUIRE(kind::corrupt(truth, 0, p).equal(truth));
  REQUIRE(damaged.select(2, 4).equal(truth.select(2, 4)));
  REQUIRE(damaged.select(2, 0).sub(truth.select(2, 0)).abs().div(truth.select(2, 2)).max().item<double>() <= .2501);
  at::Tensor const scaling = damaged.select(2, 2).div(truth.select(2, 2));
  REQUIRE(scaling.max().item<double>() <= 1.4143);
  REQUIRE(scaling.min().item<double>() >= .7070);
  REQUIRE(scaling.std().item<double>() > .1);
  // A sample's corruption does not depend on its index in the batch.
  std::vector<std::int64_t> const ids{7, 3};
  c2f::pass const two{.mode = c2f::train, .truth = truth, .seed = 5, .epoch = 2, .ids = ids};
  REQUIRE(kind::corrupt(truth.slice(0, 0, 2), 1, two)[0].slice(1, 2, 4).equal(
      kind::corrupt(truth.slice(0, 0, 1).expand({8, 3, 5}), 1, p)[7].slice(1, 2, 4)));
}

TEST_CASE("refine::until stops each sample separately") {
  struct always {
    using input   = c2f::image<3, 16, 16>;
    using network = c2f::localiser<c2f::sequential<c2f::conv<4, 3, 2>, c2f::batch_norm, c2f::relu>, c2f::boxes<1>, 8, c2f::head::average>;
    using refine  = c2f::refine::times<6>;
  };
  struct stops : always {
    using refine = c2f::refine::until<0.6, 6>;
  };
  c2f::stack<always> const model(3);
  c2f::stack<stops> const until(3);
  at::Tensor const x = c2f::detail::sample_numbers({12, 3, 16, 16}, 1).to(at::kFloat).mul(3);

  // The definition: the output of the first round that agrees with the previous one.
  at::NoGradGuard const no_gradients;
  c2f::pass p{.mode = c2f::eval};
  at::Tensor last = model.coarse(x, c2f::eval), wanted = last;
  std::vector<bool> settled(12, false);
  int rounds_of_all = 0;
  for (int round = 1; round <= 6; ++round) {
    at::Tensor const next  = model.run_fine(x, c2f::boxes<1>::predict(last), p);
    at::Tensor const agree = c2f::boxes<1>::agreement(last, next);
    wanted                 = wanted.clone();
    for (std::size_t i = 0; i < 12; ++i) {
      auto const at = static_cast<std::int64_t>(i);
      if (settled[i]) continue;
      ++rounds_of_all;
      wanted[at].copy_(next[at]);
      settled[i] = agree[at].item<double>() >= .6;
    }
    last = next;
  }
  REQUIRE(at::allclose(until(x, c2f::eval).fine, wanted, 1e-5, 1e-6));
  REQUIRE((rounds_of_all > 12 && rounds_of_all < 72));  // some continue, some stop early
  REQUIRE(!at::allclose(model(x, c2f::eval).fine, wanted, 1e-5, 1e-6));
}
