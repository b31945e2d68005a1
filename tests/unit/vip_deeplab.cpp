// ViP-DeepLab: shapes, which branch reads what, losses, and its layers beside their definitions.
#include <c2f/c2f.hpp>
#include <c2f/systems/vip_deeplab.hpp>

#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>

#include "catch.hpp"

namespace {
using kind  = c2f::systems::vip_kind<c2f::systems::vip_labels<5, 88>>;
using frame = c2f::image<6, 24, 32>;
using model = c2f::systems::vip_deeplab<kind, frame, c2f::systems::vip_small>;
static_assert(c2f::model<model>);
static_assert(kind::channels == 5 + 1 + 2 + 2 + 1);
static_assert(kind::planes == 11);
// The published widths fit together, at sizes that are no multiples of the strides.
using published = c2f::systems::vip_deeplab<c2f::systems::vip_kind<c2f::systems::vip_labels<19, 88>>, c2f::image<6, 513, 1025>>;
static_assert(std::same_as<published::deep, c2f::image<2048, 17, 33>>);
static_assert(std::same_as<published::fine, c2f::image<256, 129, 257>>);
// ResNet-50 (without its classifier), two contexts, the cascade, three decoders and five heads.
static_assert(c2f::parameter_count<published::levels> == 23508032);

at::Tensor const frames = at::rand({2, 6, 24, 32}).sub(.5);
at::Tensor some_truth() {
  at::Tensor truth = at::rand({2, 11, 24, 32});
  truth.select(1, 0).copy_(at::randint(0, 5, {2, 24, 32}));
  return truth;
}
at::Tensor raw_of(model const& net, at::Tensor const& x) {
  c2f::pass p{.mode = c2f::eval};
  return net(x, p);
}
}  // namespace

TEST_CASE("ViP-DeepLab: which branch reads which frame") {
  model const net(1);
  at::Tensor const raw = raw_of(net, frames);
  REQUIRE(raw.sizes() == at::IntArrayRef{2, 11, 24, 32});
  at::Tensor other = frames.clone();
  other.narrow(1, 3, 3).add_(.3);  // frame t + 1
  at::Tensor const moved = raw_of(net, other);
  using parts            = kind::parts;
  REQUIRE(at::allclose(kind::raw_of<parts::semantic>(moved), kind::raw_of<parts::semantic>(raw), 1e-4, 1e-5));
  REQUIRE(at::allclose(kind::raw_of<parts::centre>(moved), kind::raw_of<parts::centre>(raw), 1e-4, 1e-5));
  REQUIRE(at::allclose(kind::raw_of<parts::offset>(moved), kind::raw_of<parts::offset>(raw), 1e-4, 1e-5));
  REQUIRE(at::allclose(kind::raw_of<parts::depth>(moved), kind::raw_of<parts::depth>(raw), 1e-4, 1e-5));
  REQUIRE(!at::allclose(kind::raw_of<parts::next_offset>(moved), kind::raw_of<parts::next_offset>(raw), 1e-2, 1e-3));
  other = frames.clone();
  other.narrow(1, 0, 3).add_(.3);  // frame t: everything
  at::Tensor const all = raw_of(net, other);
  REQUIRE(!at::allclose(kind::raw_of<parts::semantic>(all), kind::raw_of<parts::semantic>(raw), 1e-2, 1e-3));
  REQUIRE(!at::allclose(kind::raw_of<parts::next_offset>(all), kind::raw_of<parts::next_offset>(raw), 1e-2, 1e-3));
}

TEST_CASE("ViP-DeepLab: the next-frame branch decodes the finer maps of frame t + 1") {
  model const net(1);
  auto const mode = c2f::eval;
  auto const now = net.backbone(frames.narrow(1, 0, 3), mode), next = net.backbone(frames.narrow(1, 3, 3), mode);
  at::Tensor const found =
      net.next_offset(net.next_decoder(net.next_context(at::cat({now[2], next[2]}, 1), mode), next[1], next[0], mode), mode);
  REQUIRE(at::allclose(c2f::resize_bilinear(found, 24, 32), kind::raw_of<kind::parts::next_offset>(raw_of(net, frames)), 1e-4, 1e-5));
}

TEST_CASE("ViP-DeepLab: five losses, and a gradient for every parameter") {
  model const net(1);
  c2f::pass p{.mode = c2f::train, .truth = some_truth()};
  at::Tensor const raw = net(frames, p);
  std::vector<std::string> names;
  for (auto const& each : p.losses) names.push_back(each.name);
  REQUIRE(names == std::vector<std::string>{"semantic", "centre", "offset", "next", "depth"});
  REQUIRE(p.loss().item<double>() == Approx(kind::default_loss::of(raw, p.truth).item<double>()).epsilon(1e-5));
  p.loss().backward();
  for (auto const& each : c2f::parameters(net)) {
    REQUIRE(each.grad().defined());
    REQUIRE(each.grad().isfinite().all().item<bool>());
    REQUIRE(each.grad().abs().sum().item<double>() > 0);
  }
}

namespace {
struct with_centres : c2f::systems::vip_small {
  using source   = c2f::source::sample;
  using encoder  = c2f::encode::dense<>;
  using schedule = c2f::schedule::ramp<0.0, 0.6, c2f::by::fraction>;
};
}  // namespace

TEST_CASE("ViP-DeepLab: a next-frame branch that sees centres, true ones with probability 1 - t") {
  using seeing = c2f::systems::vip_deeplab<kind, frame, with_centres>;
  using parts  = kind::parts;
  static_assert(c2f::model<seeing>);
  static_assert(std::same_as<c2f::detail::schedule_of<seeing>, with_centres::schedule>);
  static_assert(std::same_as<c2f::detail::schedule_of<model>, c2f::schedule::always_prediction>);
  seeing const net(1);
  at::Tensor const truth = some_truth();
  std::vector<std::int64_t> const ids{5, 6};
  // What the branch says of sample 1, in a training pass on a truth.
  auto const next_of = [&](at::Tensor const& of, double t, std::uint64_t seed) {
    c2f::pass p{.mode = c2f::train, .truth = of, .t = t, .seed = seed, .ids = ids};
    return kind::raw_of<parts::next_offset>(net(frames, p)).detach();
  };
  at::Tensor other = truth.clone();
  other.narrow(1, 2, 1).add_(5);                                      // the heat, of both samples
  REQUIRE(at::allclose(next_of(truth, 1, 1), next_of(other, 1, 1)));  // always the prediction
  REQUIRE(!at::allclose(next_of(truth, 0, 1), next_of(other, 0, 1), 1e-2, 1e-3));
  // In between it is drawn for each sample: the same for the same seed, and as the source draws it.
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    c2f::pass const drawn{.seed = seed, .ids = ids};
    bool truths = false;
    for (std::int64_t i = 0; i < 2; ++i) truths = truths || drawn.draws(c2f::purpose::source, i).uniform() > .5;
    REQUIRE(at::allclose(next_of(truth, .5, seed), next_of(other, .5, seed)) == !truths);
    REQUIRE(at::allclose(next_of(truth, .5, seed), next_of(truth, .5, seed)));
  }
  // Nothing of the truth is seen in an evaluation, and only what is predicted moves the branch.
  c2f::pass p{.mode = c2f::eval, .truth = truth}, without{.mode = c2f::eval};
  REQUIRE(at::allclose(net(frames, p), net(frames, without)));
  // A predicted centre gets a gradient from the loss of the branch alone, a true one gives none.
  for (double const t : {0., 1.}) {
    seeing const fresh(1);
    c2f::pass step{.mode = c2f::train, .truth = truth, .t = t, .ids = ids};
    fresh(frames, step);
    for (auto const& each : step.losses)
      if (each.name == "next") each.value.backward();
    bool moved = false;
    c2f::for_each_tensor(fresh.centre, [&](std::string const&, auto const& tensor, auto const&) {
      if (tensor.tensor().grad().defined() && tensor.tensor().grad().abs().sum().template item<double>() > 0) moved = true;
    });
    REQUIRE(moved == (t == 1));
  }
}

TEST_CASE("depthwise and separable convolutions beside their definitions") {
  auto const net     = c2f::make_network<c2f::depthwise_conv<5>, c2f::image<3, 8, 9>>(1);
  at::Tensor const x = at::rand({2, 3, 8, 9}), y = net(x, c2f::eval);
  for (std::int64_t c = 0; c < 3; ++c)
    REQUIRE(at::allclose(y.narrow(1, c, 1), at::conv2d(x.narrow(1, c, 1), net.weight.tensor().narrow(0, c, 1), {}, {1, 1}, {2, 2}), 1e-4,
                         1e-6));
  using separable = c2f::network_on<c2f::separable_conv<7, 5>, c2f::image<3, 8, 9>>;
  static_assert(c2f::parameter_count<separable> == 3 * 25 + 2 * 3 + 3 * 7 + 2 * 7);
  static_assert(std::same_as<separable::output, c2f::image<7, 8, 9>>);
}

TEST_CASE("ASPP and its cascade") {
  using one = c2f::network_on<c2f::aspp<4, 1, 2>, c2f::image<3, 8, 9>>;
  static_assert(std::same_as<one::output, c2f::image<4, 8, 9>>);
  static_assert(c2f::parameter_count<one> == (3 * 4 + 8) + 2 * (27 * 4 + 8) + (3 * 4 + 4) + (16 * 4 + 8));
  using four = c2f::network_on<c2f::dense_cascade<4, c2f::aspp<4, 1, 2>>, c2f::image<3, 8, 9>>;
  static_assert(std::same_as<four::output, c2f::image<4, 8, 9>>);
  auto const net     = c2f::make_network<c2f::aspp<4, 1, 2>, c2f::image<3, 8, 9>>(2);
  at::Tensor const x = at::rand({2, 3, 8, 9}), y = net(x, c2f::eval);
  std::vector<at::Tensor> const branches{net.local(x, c2f::eval), std::get<0>(net.rates)(x, c2f::eval),
                                         std::get<1>(net.rates)(x, c2f::eval),
                                         net.pooled(x.mean({2, 3}, true), c2f::eval).expand({2, 4, 8, 9})};
  REQUIRE(at::allclose(y, net.project(at::cat(branches, 1), c2f::eval)));
  std::vector<std::string> paths;
  c2f::for_each_tensor(net, [&](std::string const& path, auto const&, auto const&) { paths.push_back(path); });
  REQUIRE(std::ranges::find(paths, "rate1.0.weight") != paths.end());
  auto const cascade     = c2f::make_network<c2f::dense_cascade<2, c2f::aspp<4, 1, 2>>, c2f::image<3, 8, 9>>(3);
  at::Tensor const first = std::get<0>(cascade.nets)(x, c2f::eval);
  REQUIRE(at::allclose(cascade(x, c2f::eval), std::get<1>(cascade.nets)(at::cat({x, first}, 1), c2f::eval)));
}
