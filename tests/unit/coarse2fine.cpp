// Coarse2Fine: its parts by vectors that were computed by hand or by NumPy, the random choice of maps, and the system and its ablations.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/networks/resnet.hpp>
#include <c2f/systems/coarse2fine.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/zeros.h>

#include <set>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"

namespace {

using namespace c2f::systems;

double number(at::Tensor const& x) { return x.item<double>(); }
at::Tensor values_of(std::vector<float> const& values, std::vector<std::int64_t> const& dims) {
  return at::tensor(values).view(dims).clone();
}
at::Tensor labels(std::vector<std::int64_t> const& values) { return at::tensor(values); }
bool close(at::Tensor const& a, at::Tensor const& b, double tolerance = 1e-6) {
  return a.sizes() == b.sizes() && a.allclose(b, tolerance, tolerance);
}
at::Tensor noise(std::vector<std::int64_t> const& dims, std::uint64_t seed) {
  return c2f::detail::sample_numbers(dims, seed).to(at::kFloat);
}

using kind     = c2f::class_vector<5>;
using backbone = c2f::sequential<c2f::conv<6, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<7, 3, 2>, c2f::relu>;
using small    = coarse2fine<kind, backbone, c2f::image<3, 16, 20>, 4>;
using variants = coarse2fine_variants<small>;

// The trunk's layers are backbone, pooling and centres.
template <class Stack>
auto& pooling_of(Stack& model) {
  return std::get<1>(model.share.layers);
}
template <class Stack>
at::Tensor centres_of(Stack const& model) {
  return std::get<2>(model.share.layers).centres.tensor();
}

}  // namespace

// It weighs maps by each number of a prediction, which is a row.
static_assert(c2f::encoder_on<c2f::encode::class_attention<2>, c2f::class_vector<3>, c2f::image<3, 8, 8>>);
static_assert(!c2f::encoder_on<c2f::encode::class_attention<2>, c2f::boxes<1>, c2f::image<3, 8, 8>>);

TEST_CASE("attention pooling: rows, signed root and length of a vector computed by hand") {
  using pooling      = c2f::network_on<c2f::attention_pooling<2>, c2f::image<2, 1, 2>>;
  at::Tensor const f = values_of({1, 2, 3, -4}, {1, 2, 1, 2}), a = values_of({1, 0, .5, .5}, {1, 2, 1, 2});
  static_assert(std::same_as<pooling::output, c2f::vector<4>>);
  REQUIRE(close(pooling::pooled(f, a), values_of({40.82483f, 70.71068f, 50, -28.86751f}, {1, 4}), 1e-5));
  REQUIRE(close(pooling::pooled(f, a.mul(0)), at::zeros({1, 4})));  // no map: no direction, and no NaN

  // 8 maps on 768 channels are 6,144 parameters; in a network its maps are relu(convolution), and the side output "attention".
  static_assert(c2f::parameter_count<c2f::network_on<c2f::attention_pooling<8>, c2f::image<768, 17, 17>>> == 6144);
  auto const net        = c2f::make_network<c2f::attention_pooling<3>, c2f::image<5, 4, 6>>(1);
  at::Tensor const x    = noise({2, 5, 4, 6}, 3).sub(.5),
                   maps = at::einsum("mc,nchw->nmhw", {net.attention.weight.tensor().flatten(1), x}).relu();
  at::Tensor const rows = at::einsum("nmhw,nchw->nmc", {maps, x}).div(24).flatten(1), root = rows.sign().mul(rows.abs().sqrt());
  c2f::pass p{.mode = c2f::train, .truth = at::zeros({2}, at::kLong)};
  REQUIRE(close(net(x, p), root.div(root.norm(2, 1, true)).mul(100), 1e-4));
  REQUIRE(close(net(x, c2f::eval), net(x, p)));
  REQUIRE(close(p.output("attention"), maps, 1e-5));
  REQUIRE(p.losses.empty());
  // In bfloat16 the pooling is computed in float.
  at::Tensor const low = net(x.to(at::kBFloat16), c2f::eval);
  REQUIRE(low.scalar_type() == at::kBFloat16);
  REQUIRE(number(low.to(at::kFloat).norm()) == Approx(100 * std::sqrt(2)).epsilon(0.01));
}

TEST_CASE("the rows of attention begin orthonormal, and span what the singular value decomposition spans") {
  std::vector<double> rows{3, 0, 4, 1, 1, 0};
  c2f::initial::detail::orthonormalise(rows, 2, 3);
  for (std::size_t i = 0; i < 6; ++i)
    REQUIRE(rows[i] == Approx(std::vector<double>{.6, 0, .8, .499756, .7808688, -.374817}[i]).margin(1e-6));
  at::Tensor const q = at::tensor(rows).view({2, 3}),
                   v = at::tensor({.6158496, .0252554, .7874589, .480089, .7804603, -.4004951}).view({2, 3});
  REQUIRE(q.t().matmul(q).allclose(v.t().matmul(v), 1e-6, 1e-6));  // the same projection, and so the same span

  auto const net     = c2f::make_network<c2f::attention_pooling<8>, c2f::image<768, 17, 17>>(5);
  at::Tensor const w = net.attention.weight.tensor().flatten(1);
  REQUIRE(number(w.matmul(w.t()).sub(at::eye(8)).abs().max()) < 1e-5);
  auto const other = c2f::make_network<c2f::attention_pooling<8, c2f::initial::uniform<>>, c2f::image<768, 17, 17>>(5);
  REQUIRE(number(other.attention.weight.tensor().abs().max()) <= 1 / std::sqrt(768.0));
  REQUIRE(number(other.attention.weight.tensor().flatten(1).norm(2, 1).mean()) == Approx(1 / std::sqrt(3.0)).epsilon(0.05));
}

TEST_CASE("centres: loss and update by class means, of a vector computed by hand") {
  using two              = c2f::class_vector<3>;
  auto const net         = c2f::make_network<c2f::centred<two, 1.0, 0.05, 1>, c2f::vector<4>>();
  at::Tensor const f     = values_of({1, 2, 0, 0, 3, 0, 0, 0, 0, 1, 0, 1}, {3, 4}).set_requires_grad(true);
  at::Tensor const truth = labels({1, 1, 2});
  auto const loss        = [&] {
    c2f::pass p{.mode = c2f::train, .truth = truth};
    REQUIRE(net(f, p).is_same(f));
    REQUIRE(p.losses.size() == 1);
    REQUIRE(p.losses[0].name == "centre");
    return p.losses[0].value;
  };
  at::Tensor const first = loss();
  REQUIRE(number(first) == Approx(16.0 / 3));
  first.backward();
  REQUIRE(close(f.grad(), f.detach().mul(2.0 / 3)));
  REQUIRE(close(net.centres.tensor(), values_of({0, 0, 0, 0, .1f, .05f, 0, 0, 0, .05f, 0, .05f}, {3, 4})));
  REQUIRE(number(loss()) == Approx(4.9433333333));
  REQUIRE(close(net.centres.tensor()[1], at::tensor({.195f, .0975f, 0.f, 0.f})));
  // A sample without a class has no part in it; at inference nothing moves.
  at::Tensor const before = net.centres.tensor().clone();
  c2f::pass none{.mode = c2f::train, .truth = labels({-100, -100, -100})};
  net(f, none);
  REQUIRE(number(none.losses[0].value) == 0);
  net(f, c2f::eval);
  REQUIRE(net.centres.tensor().equal(before));
  // The input is divided by the scale of the pooling.
  auto const hundred = c2f::make_network<c2f::centred<two, 2.0>, c2f::vector<4>>();
  c2f::pass p{.mode = c2f::train, .truth = truth};
  hundred(f.mul(100), p);
  REQUIRE(number(p.losses[0].value) == Approx(32.0 / 3));
}

TEST_CASE("the up-sampler begins as bilinear interpolation, at the border too, and on each map alone") {
  auto const up = c2f::make_network<c2f::upsampler<2>, c2f::image<1, 7, 5>>();
  static_assert(std::same_as<decltype(up)::output, c2f::image<1, 28, 20>>);
  static_assert(c2f::parameter_count<decltype(up)> == 34);
  at::Tensor const maps = noise({3, 4, 7, 5}, 2);
  auto const once       = c2f::make_network<c2f::upsampler<1>, c2f::image<4, 7, 5>>();
  REQUIRE(close(once(maps, c2f::eval), at::upsample_bilinear2d(maps, {14, 10}, false)));
  // Twice bilinear by two is not bilinear by four.
  REQUIRE(close(up(maps, c2f::eval), at::upsample_bilinear2d(at::upsample_bilinear2d(maps, {14, 10}, false), {28, 20}, false)));
  REQUIRE(close(up(at::ones({1, 1, 7, 5}), c2f::eval), at::ones({1, 1, 28, 20})));
  auto const none = c2f::make_network<c2f::upsampler<0>, c2f::image<1, 7, 5>>();
  REQUIRE(none(maps, c2f::eval).is_same(maps));

  // Selecting a map before or after a trained one agrees.
  at::NoGradGuard const no_gradients;
  auto trained = c2f::make_network<c2f::upsampler<2>, c2f::image<1, 7, 5>>();
  for (auto const& each : c2f::parameters(trained)) each.add_(noise(each.sizes().vec(), 7).mul(.3));
  REQUIRE(close(trained(maps.narrow(1, 2, 1), c2f::eval), trained(maps, c2f::eval).narrow(1, 2, 1)));
}

TEST_CASE("the map of a sample is a function of seed, epoch and id, and uniform over the maps") {
  auto const chosen = [](std::uint64_t seed, std::uint64_t epoch, std::vector<std::int64_t> const& ids, std::int64_t count) {
    c2f::pass p{.mode = c2f::train, .seed = seed, .epoch = epoch, .ids = ids};
    auto const n          = static_cast<std::int64_t>(ids.size());
    at::Tensor const maps = at::arange(count, at::kFloat).view({1, count, 1, 1}).expand({n, count, 2, 2});
    at::Tensor const one  = c2f::attend::random::of(maps, p);
    REQUIRE(one.sizes() == at::IntArrayRef({n, 1, 2, 2}));
    return one.select(3, 0).select(2, 0).select(1, 0).to(at::kLong);
  };
  std::vector<std::int64_t> ids(10'000);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(3 * i);
  at::Tensor const found = chosen(1, 4, ids, 8);
  double chi             = 0;
  for (std::int64_t k = 0; k < 8; ++k) {
    double const n = number(found.eq(k).sum());
    chi += (n - 1250) * (n - 1250) / 1250;
  }
  CAPTURE(chi);
  REQUIRE(chi < 24.3);  // 99.9 % of a chi square of 7 degrees of freedom
  // By the formula, on the stream of the sample; and in another batch.
  for (std::int64_t const i : {0, 17, 9999}) {
    c2f::random_stream draw{1, c2f::purpose::attention, 4, static_cast<std::uint64_t>(3 * i)};
    REQUIRE(number(found[i]) == std::ceil(draw.uniform() * 8) - 1);
  }
  // Where u M is a whole number: u in (0, 1] belongs to the map below.
  c2f::device_requests wanted{.random = {{c2f::purpose::attention, 1}}};
  std::vector<std::int64_t> const four{0, 1, 2, 3};
  c2f::device_numbers given{};
  given.uniform  = at::tensor({.125, .5, 1.0, .1251}, at::kDouble);
  given.ids      = labels(four);
  given.batch    = 4;
  given.requests = &wanted;
  c2f::pass edge{.mode = c2f::train, .device = &given};
  at::Tensor const steps = at::arange(8, at::kFloat).view({1, 8, 1, 1}).expand({4, 8, 1, 1});
  REQUIRE(c2f::attend::random::of(steps, edge).flatten().equal(at::tensor({0.f, 3.f, 7.f, 1.f})));
  REQUIRE(chosen(1, 4, {51, 0, 29997}, 8).equal(found.index_select(0, labels({17, 0, 9999}))));
  REQUIRE(!chosen(1, 5, ids, 8).equal(found));
  REQUIRE(!chosen(2, 4, ids, 8).equal(found));
  c2f::pass p{};
  REQUIRE(close(c2f::attend::random::of(at::arange(4, at::kFloat).view({1, 4, 1, 1}), p), at::tensor({1.5f}).view({1, 1, 1, 1})));
}

TEST_CASE("counts: one trunk for both passes and a head for each") {
  using model = c2f::stack<coarse2fine<c2f::class_vector<200>, c2f::resnet_features<18, 3>, c2f::image<3, 448, 448>>>;
  REQUIRE(c2f::parameter_count<decltype(model::coarse)> == 8 * 256 * 200 + 200);
  REQUIRE(c2f::parameter_count<decltype(model::fine)> == 8 * 256 * 200 + 200);
  REQUIRE(c2f::parameter_count<decltype(model::encoder)> == 34);
  REQUIRE(c2f::parameter_count<c2f::network_on<c2f::linear<200>, c2f::vector<6144>>> == 1'228'800 + 200);
  static_assert(std::same_as<model::parts::features, c2f::vector<2048>>);
}

TEST_CASE("one pass: losses and gradients of both heads, one centre loss for each pass, the mean of the predictions") {
  c2f::stack<small> model(1);
  at::Tensor const x = noise({6, 3, 16, 20}, 1), truth = labels({0, 4, 2, 2, 1, 0});
  c2f::pass p{.mode = c2f::train, .truth = truth, .seed = 9, .epoch = 2};
  auto const both = model(x, p);
  std::set<std::string> names;
  for (auto const& each : p.losses) names.insert(each.name);
  REQUIRE(names == std::set<std::string>{"coarse", "fine", "coarse.centre", "fine.centre"});
  for (auto const& [name, value] : p.losses) {
    if (name == "coarse") REQUIRE(number(value) == Approx(number(at::cross_entropy_loss(both.coarse, truth))));
    if (name == "fine") REQUIRE(number(value) == Approx(number(at::cross_entropy_loss(both.fine, truth))));
    if (name == "coarse.centre") REQUIRE(number(value) == Approx(1).epsilon(1e-4));  // centres 0, features of length 1
    if (name == "fine.centre") REQUIRE(number(value) < 1);                           // the coarse pass has moved them
  }
  p.loss().backward();
  c2f::for_each_tensor(model, [](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    CAPTURE(path);
    if (traits.trained) REQUIRE(number(each.tensor().grad().abs().max()) > 0);
  });
  REQUIRE(number(centres_of(model).norm(2, 1).min()) == 0);  // class 3 is not in the batch
  REQUIRE(number(centres_of(model)[2].norm()) > 0.01);

  // The mask is the chosen map of each sample, up-sampled and divided by its maximum.
  at::Tensor const maps = p.output("coarse.attention"), mask = p.output("mask");
  for (std::int64_t i = 0; i < 6; ++i) {
    c2f::random_stream draw{9, c2f::purpose::attention, 2, static_cast<std::uint64_t>(i)};
    auto const k            = static_cast<std::int64_t>(std::ceil(draw.uniform() * 4)) - 1;
    at::Tensor const map    = maps.narrow(0, i, 1).narrow(1, k, 1).detach();
    at::Tensor const large  = at::upsample_bilinear2d(at::upsample_bilinear2d(map, {map.size(2) * 2, map.size(3) * 2}, false),
                                                      {map.size(2) * 4, map.size(3) * 4}, false);
    at::Tensor const wanted = at::upsample_bilinear2d(large, {16, 20}, false);
    REQUIRE(close(mask.narrow(0, i, 1), wanted.div(wanted.max()), 1e-5));
  }

  c2f::pass seen;
  auto const found      = model(x, seen);
  at::Tensor const mean = found.coarse.softmax(1).add(found.fine.softmax(1)).div(2);
  REQUIRE(close(found.answer.exp(), mean, 1e-5));
  at::Tensor const of_all = at::upsample_bilinear2d(seen.output("coarse.attention").mean(1, true), {8, 10}, false);
  at::Tensor const large  = at::upsample_bilinear2d(of_all, {16, 20}, false);
  REQUIRE(close(seen.output("mask"), large.div(large.amax({2, 3}, true)), 1e-5));
  // The fine output is the trunk on the masked image and the fine head.
  at::Tensor const pooled = model.share(x.mul(seen.output("mask")), c2f::eval);
  REQUIRE(close(found.fine, at::linear(pooled, c2f::parameters(model.fine)[0], c2f::parameters(model.fine)[1]), 1e-4));
}

TEST_CASE("law: where every map is 1 the fine pass sees the image itself") {
  for (bool const training : {false, true}) {
    c2f::pass p{.mode = training ? c2f::train : c2f::eval};
    p.add_output("coarse.attention", at::ones({2, 4, 4, 5}));
    at::Tensor const x = noise({2, 3, 16, 20}, 1);
    c2f::stack<small> model(1);
    REQUIRE(close(model.fuse(x, model.encoder(at::Tensor(), x, p), p), x));
    c2f::stack<coarse2fine_zoom<small>> const zoomed(1);
    REQUIRE(close(zoomed.fuse(x, zoomed.encoder(at::Tensor(), x, p), p), x, 1e-5));
  }
}

TEST_CASE("a mask is 0 to 1, and its gradient small, whatever the maps and the up-sampler's bias") {
  at::Tensor const x = noise({2, 3, 16, 20}, 1);
  for (double const map : {0.0, 1e-4, 1.0})
    for (double const bias : {0.0, 1e-5, -1e-3, -0.2, -5.0}) {
      CAPTURE(map, bias);
      auto model = c2f::stack<small>(1);
      for (at::Tensor const& each : c2f::parameters(model.encoder))
        if (each.numel() == 1) {
          at::NoGradGuard const constant;
          each.fill_(bias);
        }
      c2f::pass p{.mode = c2f::train};
      p.add_output("coarse.attention", noise({2, 4, 4, 5}, 2).abs().mul(map));
      at::Tensor const mask = model.encoder(at::Tensor(), x, p);
      REQUIRE(number(mask.min()) >= 0);
      REQUIRE(number(mask.max()) <= 1 + 1e-6);
      model.fuse(x, mask, p).square().mean().backward();
      for (at::Tensor const& each : c2f::parameters(model.encoder)) REQUIRE(number(each.grad().abs().max()) < 100);
    }
}

TEST_CASE("the ablations: what each adds to the loss, scores and reads") {
  using names        = std::set<std::string>;
  at::Tensor const x = noise({6, 3, 16, 20}, 1), truth = labels({0, 4, 2, 2, 1, 0});
  for (auto const name : variants::names())
    variants::with(name, [&]<class Task>(c2f::chosen<Task>) {
      CAPTURE(name);
      std::string const which(name);
      c2f::stack<Task> model(1);
      c2f::pass p{.mode = c2f::train, .truth = truth, .t = 0.5};
      auto const both = model(x, p);
      names losses, scored;
      for (auto const& each : p.losses) losses.insert(each.name);
      p.loss().backward();
      for (auto const& each : c2f::parameters(model)) REQUIRE(each.grad().defined());
      names wanted = which == "plain"    ? names{"coarse"}
                     : which == "coarse" ? names{"coarse", "coarse.centre"}
                                         : names{"coarse", "fine", "coarse.centre", "fine.centre"};
      if (which == "l1" || which == "l2") wanted.merge(names{"coarse.overlap", "fine.overlap"});
      REQUIRE(losses == wanted);
      if (which == "uncentred")
        for (auto const& each : p.losses)
          if (each.name.ends_with("centre")) REQUIRE(number(each.value) == 0);
      c2f::pass seen;
      for (auto const& output : model(x, seen).side)
        if (output.scored) scored.insert(output.name);
      REQUIRE(scored == (which == "plain" || which == "coarse" ? names{"coarse"}
                         : which == "fine"                     ? names{"coarse", "fine"}
                                                               : names{"coarse", "fine", "answer"}));
      if (which == "mean")
        REQUIRE(close(p.output("mask"),
                      c2f::attend::unit::of(at::upsample_bilinear2d(
                          at::upsample_bilinear2d(p.output("coarse.attention").mean(1, true), {8, 10}, false), {16, 20}, false)),
                      1e-5));
      if (which == "bilinear") REQUIRE(c2f::parameters(model.encoder).empty());
      if (which == "beside") REQUIRE(c2f::parameters(model.encoder).size() == 4 + 4);
    });
}

TEST_CASE("class attention: at first the mean of the maps, then the maps of the class that it is conditioned on") {
  c2f::stack<coarse2fine_truth<small>> model(1);
  at::Tensor const x = noise({2, 3, 16, 20}, 1), truth = labels({0, 3});
  auto const mask = [&] {
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = 0};
    model(x, p);
    return std::pair(p.output("mask").detach(), p.output("coarse.attention").detach());
  };
  auto const large = [](at::Tensor const& map) {
    return c2f::attend::unit::of(at::upsample_bilinear2d(at::upsample_bilinear2d(map, {8, 10}, false), {16, 20}, false));
  };
  auto const [first, maps] = mask();
  REQUIRE(close(first, large(maps.mean(1, true)), 1e-5));
  at::NoGradGuard const no_gradients;
  model.encoder.weight.tensor()[0][2].fill_(100);
  model.encoder.weight.tensor()[3][1].fill_(100);
  auto const [second, same] = mask();
  REQUIRE(close(second.narrow(0, 0, 1), large(same.narrow(0, 0, 1).narrow(1, 2, 1)), 1e-5));
  REQUIRE(close(second.narrow(0, 1, 1), large(same.narrow(0, 1, 1).narrow(1, 1, 1)), 1e-5));
}

TEST_CASE("penalties of maps that overlap, against all pairs") {
  at::Tensor const maps = noise({3, 4, 5, 6}, 4).abs();
  double one = 0, two = 0;
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t j = 0; j < i; ++j) {
      at::Tensor const product = maps.select(1, i).mul(maps.select(1, j));
      one += number(product.abs().mean()) / 6, two += number(product.square().mean()) / 6;
    }
  REQUIRE(number(c2f::overlap_penalty<1, 1.0>::of(maps)) == Approx(one).epsilon(1e-4));
  REQUIRE(number(c2f::overlap_penalty<2, 0.5>::of(maps)) == Approx(two / 2).epsilon(1e-4));
  REQUIRE(number(c2f::overlap_penalty<1, 1.0>::of(maps.narrow(1, 0, 1))) == Approx(0).margin(1e-5));
}

TEST_CASE("zoom: the box of a mask, and the pixels of the image that it shows") {
  using zoom      = c2f::fuse::zoom<0.5, 0.0>::on<c2f::image<3, 8, 8>, c2f::image<1, 8, 8>>;
  at::Tensor mask = at::zeros({2, 1, 8, 8});
  mask[0][0].narrow(0, 2, 3).narrow(1, 4, 4).fill_(.6);
  mask[0][0][3][5] = 1;
  mask[0][0][0][0] = .4;  // below half of the maximum
  REQUIRE(close(zoom::box_of(mask), values_of({.5f, .25f, 1, .625f, 0, 0, 1, 1}, {2, 4})));
  REQUIRE(
      close(c2f::fuse::zoom<0.5, 0.1>::on<c2f::image<3, 8, 8>, c2f::image<1, 8, 8>>::box_of(mask)[0], at::tensor({.4f, .15f, 1.f, .725f})));
  at::Tensor const x = noise({2, 3, 8, 8}, 3);
  c2f::pass p;
  at::Tensor const y = zoom{}(x, mask, p);
  REQUIRE(close(y[1], x[1], 1e-5));
  // The left half of 4 columns, twice as wide: away from the border of the image as upsample_bilinear2d of a wider crop.
  at::Tensor const rows = x.narrow(0, 0, 1).narrow(2, 2, 3);
  at::Tensor const wide = at::upsample_bilinear2d(x.narrow(0, 0, 1), {8, 16}, false).narrow(3, 8, 8);
  for (std::int64_t i = 0; i < 8; ++i) {
    double const at_row = 2 + (static_cast<double>(i) + .5) * 3 / 8 - .5;
    auto const above    = static_cast<std::int64_t>(std::floor(at_row));
    double const part   = at_row - static_cast<double>(above);
    REQUIRE(close(y[0].select(1, i), wide[0].select(1, above).mul(1 - part).add(wide[0].select(1, above + 1), part), 1e-4));
  }
  REQUIRE(p.output("box").size(0) == 2);
}

TEST_CASE("a coarse network without attention maps is refused when the encoder looks for them") {
  struct without : small {
    using share = c2f::share::backbone<c2f::sequential<backbone, c2f::global_average_pool>>;
  };
  c2f::stack<without> const model(1);
  REQUIRE(
      tests::refusal([&] { (void)model(noise({1, 3, 16, 20}, 1), c2f::eval); })
          .starts_with("an encoder reads the attention maps of the coarse network, which has none; end the shared backbone, or the coarse "
                       "network, in c2f::attention_pooling<8>"));
}

TEST_CASE("bf16 stays finite") {
  c2f::stack<small> model(1);
  at::Tensor const x = noise({6, 3, 16, 20}, 1).to(at::kBFloat16);
  for (bool const black : {false, true}) {
    c2f::pass p{.mode = c2f::train, .truth = labels({0, 4, 2, 2, 1, 0})};
    model(black ? x.mul(0) : x, p);
    at::Tensor const loss = p.loss();
    loss.backward();
    REQUIRE(std::isfinite(number(loss)));
    for (auto const& each : c2f::parameters(model)) REQUIRE(each.grad().isfinite().all().item<bool>());
  }
}
