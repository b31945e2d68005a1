// Backbones of stages, feature pyramids and the recursive feature pyramid (systems/recursive_pyramid.hpp) against their definitions, and the laws of
// switchable atrous convolution.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/detection/deformable_reading.hpp>
#include <c2f/layers/frozen_norm.hpp>
#include <c2f/layers/switchable_atrous.hpp>
#include <c2f/networks/feature_pyramid.hpp>
#include <c2f/networks/staged.hpp>
#include <c2f/systems/recursive_pyramid.hpp>

#include <ATen/ops/conv2d.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/reflection_pad2d.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

using input = c2f::image<3, 32, 48>;
template <std::size_t N>
using levels = std::array<at::Tensor, N>;

at::Tensor numbers(std::vector<std::int64_t> const& sizes, std::uint64_t seed) {
  return c2f::detail::sample_numbers(sizes, seed).to(at::kFloat);
}
at::Tensor const images = numbers({2, 3, 32, 48}, 1);

template <class Net>
void disturb(Net const& net, double by = .3) {
  at::NoGradGuard const none;
  std::uint64_t seed = 50;
  c2f::for_each_tensor(net, [&](std::string const&, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (traits.trained) each.tensor().add_(numbers(each.tensor().sizes().vec(), ++seed), by);
  });
}
template <class Net>
std::map<std::string, at::Tensor> tensors_of(Net const& net) {
  std::map<std::string, at::Tensor> all;
  c2f::for_each_tensor(
      net, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const&) { all[path] = each.tensor(); });
  return all;
}
template <std::size_t N>
double distance(levels<N> const& a, levels<N> const& b) {
  double most = 0;
  for (std::size_t i = 0; i < N; ++i) {
    REQUIRE(a[i].sizes() == b[i].sizes());
    most = std::max(most, a[i].sub(b[i]).abs().max().template item<double>());
  }
  return most;
}
// A nearest-neighbour enlargement by two, by repetition.
at::Tensor doubled(at::Tensor const& x) { return x.repeat_interleave(2, 2).repeat_interleave(2, 3); }

using body   = c2f::small_stages<6, 4, 8, 12>;
using atrous = c2f::small_stages_with<c2f::block_layers, c2f::switchable<>, 6, 4, 8, 12>;
using plain  = c2f::pyramid_on<body, c2f::fpn<8>>;

}  // namespace

TEST_CASE("the stages of a ResNet are those of resnet_features, by torchvision's names") {
  auto whole  = c2f::make_network<c2f::resnet_features<18>, c2f::image<3, 64, 64>>(1);
  auto stages = c2f::make_network<c2f::resnet_stages<18>, c2f::image<3, 64, 64>>(2);
  static_assert(c2f::parameter_count<decltype(stages)> == c2f::parameter_count<decltype(whole)>);
  static_assert(std::same_as<decltype(stages)::output,
                             c2f::maps<c2f::image<64, 16, 16>, c2f::image<128, 8, 8>, c2f::image<256, 4, 4>, c2f::image<512, 2, 2>>>);
  c2f::copy_tensors(whole, stages);
  at::Tensor const x = numbers({1, 3, 64, 64}, 3);
  auto const found   = stages(x, c2f::eval);
  REQUIRE(found[3].equal(whole(x, c2f::eval)));
  REQUIRE(found[1].equal(whole.layer2(found[0], c2f::eval)));
  REQUIRE(tensors_of(stages).contains("layer4.1.conv2.weight"));
  auto other = c2f::make_network<c2f::resnet_features<10>, c2f::image<3, 64, 64>>(1);
  REQUIRE(tests::refusal([&] { c2f::copy_tensors(whole, other); }).find("'layer1.1.conv1.weight'") != std::string::npos);
}

TEST_CASE("a feature pyramid and one with a bottom-up path, by their definitions") {
  auto net      = c2f::make_network<plain, input>(1);
  auto const t  = tensors_of(net);
  auto const c  = net.body(images, c2f::eval);
  auto const at = [&](std::string const& name, at::Tensor const& x, std::int64_t pad, std::int64_t stride = 1,
                      std::map<std::string, at::Tensor> const* other = nullptr) {
    auto const& from = other == nullptr ? t : *other;
    return at::conv2d(x, from.at(name + ".weight"), from.at(name + ".bias"), {stride, stride}, {pad, pad});
  };
  REQUIRE(c[0].sizes() == at::IntArrayRef({2, 4, 8, 12}));
  REQUIRE(c[2].sizes() == at::IntArrayRef({2, 12, 2, 3}));
  at::Tensor const top = at("fpn.inner_blocks.2.0", c[2], 0), middle = at("fpn.inner_blocks.1.0", c[1], 0).add(doubled(top)),
                   low = at("fpn.inner_blocks.0.0", c[0], 0).add(doubled(middle));
  levels<3> const wanted{at("fpn.layer_blocks.0.0", low, 1), at("fpn.layer_blocks.1.0", middle, 1), at("fpn.layer_blocks.2.0", top, 1)};
  REQUIRE(distance(net(images, c2f::eval), wanted) < 1e-5);
  static_assert(c2f::parameter_count<decltype(net.fpn)> == (4 + 8 + 12) * 8 + 3 * 8 + 3 * (8 * 8 * 9 + 8));
  static_assert(c2f::parameter_count<decltype(net)> > c2f::parameter_count<decltype(net.fpn)>);
  REQUIRE(c2f::count_parameters(net) == c2f::parameter_count<decltype(net)>);

  using aggregated = c2f::pyramid_on<body, c2f::panet<8>>;
  auto path        = c2f::make_network<aggregated, input>(1);
  c2f::copy_tensors(net, path);
  auto const u            = tensors_of(path);
  at::Tensor const second = at("fpn.out_blocks.0.0", wanted[1].add(at("fpn.down_blocks.0.0", wanted[0], 1, 2, &u).relu()), 1, 1, &u).relu();
  at::Tensor const third  = at("fpn.out_blocks.1.0", wanted[2].add(at("fpn.down_blocks.1.0", second, 1, 2, &u).relu()), 1, 1, &u).relu();
  REQUIRE(distance(path(images, c2f::eval), {wanted[0], second, third}) < 1e-5);
  REQUIRE(c2f::count_parameters(path) == c2f::parameter_count<decltype(path)>);
}

TEST_CASE("feedback enters the sum of the first block of every stage before its ReLU") {
  using fed = c2f::maps<input, c2f::image<5, 8, 12>, c2f::image<5, 4, 6>, c2f::image<5, 2, 3>>;
  auto net  = c2f::make_network<body, fed>(1);
  auto bare = c2f::make_network<body, input>(1);
  levels<4> x{images, numbers({2, 5, 8, 12}, 2), numbers({2, 5, 4, 6}, 3), numbers({2, 5, 2, 3}, 4)};
  REQUIRE(distance(net(x, c2f::eval), bare(images, c2f::eval)) == 0);  // zero at first
  disturb(net);
  auto const t          = tensors_of(net);
  auto const found      = net(x, c2f::eval);
  auto const& first     = std::get<0>(net.stages).first;
  at::Tensor const stem = net.stem(images, c2f::eval);
  at::Tensor const sum  = first.bn2(first.conv2(first.bn1(first.conv1(stem, c2f::eval), c2f::eval).relu(), c2f::eval), c2f::eval)
                             .add(first.downsample(stem, c2f::eval))
                             .add(at::conv2d(x[1], t.at("layer1.0.rfp_conv.weight"), t.at("layer1.0.rfp_conv.bias")));
  REQUIRE(found[0].allclose(sum.relu(), 1e-5, 1e-6));
  auto const before = found[2];
  x[3]              = numbers({2, 5, 2, 3}, 9);  // of the last stage only
  auto const other  = net(x, c2f::eval);
  REQUIRE(other[1].equal(found[1]));
  REQUIRE(!other[2].equal(before));
  for (std::size_t i = 1; i < 4; ++i) x[i].reset();  // no feedback
  c2f::copy_tensors(bare, net);
  REQUIRE(distance(net(x, c2f::eval), bare(images, c2f::eval)) == 0);
}

TEST_CASE("two looks with equal backbones and no feedback are the plain pyramid; with feedback, the definition") {
  auto one = c2f::make_network<plain, input>(5);
  auto two = c2f::make_network<c2f::systems::recursive_pyramid<body, 8>, input>(6);
  c2f::copy_tensors(one.body, two.coarse);
  c2f::copy_tensors(one.fpn, two.end);
  c2f::begin_equal(two);
  levels<3> const wanted = one(images, c2f::eval), answer = two(images, c2f::eval);
  REQUIRE(distance(answer, wanted) == 0);
  {
    at::NoGradGuard const none;
    two.combine.attention.weight.tensor().add_(.7);
  }
  REQUIRE(distance(levels<3>(two(images, c2f::eval)), wanted) == 0);  // whatever the weights of the fusion

  disturb(two, .2);
  auto const by_definition = [&](auto const& net, int times, c2f::mode m) {
    c2f::pass p{.mode = m};
    levels<3> f = net.end(net.coarse(images, m), m);
    for (int t = 1; t < times; ++t) {
      levels<4> x{images};
      for (std::size_t i = 0; i < 3; ++i) {
        auto const& r = net.encoder.shared;
        std::vector<at::Tensor> parts{r.local(f[i], m)};
        parts.push_back(std::get<0>(r.rates)(f[i], m));
        parts.push_back(std::get<1>(r.rates)(f[i], m));
        parts.push_back(r.pooled(f[i].mean(at::IntArrayRef({2, 3}), true), m).expand({2, 2, f[i].size(2), f[i].size(3)}));
        x[i + 1] = at::cat(parts, 1);
      }
      levels<3> const now = net.end(net.fine(x, m), m);
      for (std::size_t i = 0; i < 3; ++i) {
        at::Tensor const w = net.combine.attention(now[i], m).sigmoid();
        f[i]               = now[i].mul(w).add(f[i].mul(w.neg().add(1)));
      }
    }
    return f;
  };
  REQUIRE(distance(levels<3>(two(images, c2f::eval)), by_definition(two, 2, c2f::eval)) < 1e-4);
  REQUIRE(distance(levels<3>(two(images, c2f::eval)), one(images, c2f::eval)) > 1e-2);
  auto three = c2f::make_network<c2f::systems::recursive_pyramid<body, 8, 3>, input>(6);
  disturb(three, .2);
  auto const thrice = by_definition(three, 3, c2f::eval);
  REQUIRE(distance(levels<3>(three(images, c2f::eval)), thrice) < 1e-4);
  REQUIRE(distance(levels<3>(three(images, c2f::eval)), by_definition(three, 2, c2f::eval)) > 1e-2);
  c2f::pass p{.mode = c2f::train};
  auto const trained = by_definition(three, 3, c2f::train);
  REQUIRE(distance(levels<3>(three(images, p)), trained) < 1e-3);  // all looks, in training, too

  // ASPP: kernels 1 3 3, dilations 1 3 6, padding 0 3 6, the mean; a quarter of the channels each.
  auto const t       = tensors_of(two);
  at::Tensor const y = numbers({1, 8, 7, 5}, 8);
  auto const branch  = [&](char const* name, at::Tensor const& x, std::int64_t rate) {
    std::string const path = std::string("encoder.shared.") + name + ".0.";
    return at::conv2d(x, t.at(path + "weight"), t.at(path + "bias"), {1, 1}, {rate, rate},
                       {std::max<std::int64_t>(rate, 1), std::max<std::int64_t>(rate, 1)})
        .relu();
  };
  at::Tensor const joined = at::cat({branch("local", y, 0), branch("rate0", y, 3), branch("rate1", y, 6),
                                     branch("pooled", y.mean(at::IntArrayRef({2, 3}), true), 0).expand({1, 2, 7, 5})},
                                    1);
  auto const aspp         = c2f::make_network<c2f::joined_aspp<8, 3, 6>, c2f::image<8, c2f::dynamic, c2f::dynamic>>(1);
  c2f::copy_tensors(two.encoder.shared, const_cast<std::remove_const_t<decltype(aspp)>&>(aspp));
  REQUIRE(aspp(y, c2f::eval).allclose(joined, 1e-5, 1e-6));
}

TEST_CASE("one backbone may serve both looks") {
  using c2f::systems::looks;
  auto net = c2f::make_network<c2f::systems::recursive_pyramid<body, 8, 2, looks::shared>, input>(6);
  disturb(net, .2);
  c2f::pass p;
  levels<3> const f = net.end(net.coarse({images, {}, {}, {}}, c2f::eval), c2f::eval);
  auto const z      = net.encoder(f, images, p);
  levels<3> const g = net.end(net.coarse({images, z[0], z[1], z[2]}, c2f::eval), c2f::eval);
  levels<3> wanted;
  for (std::size_t i = 0; i < 3; ++i) wanted[i] = f[i].lerp(g[i], net.combine.attention(g[i], c2f::eval).sigmoid());
  REQUIRE(distance(levels<3>(net(images, c2f::eval)), wanted) < 1e-4);
  for (auto const& [path, tensor] : tensors_of(net)) REQUIRE(path.find("fine") == std::string::npos);
  c2f::pass step{.mode = c2f::train};
  levels<3> const found = net(images, step);
  found[0].sum().add(found[1].sum()).add(found[2].square().sum()).backward();
  for (auto const& each : c2f::parameters(net)) REQUIRE(each.grad().defined());
}

TEST_CASE("converting a network to switchable atrous convolutions changes no output") {
  auto net = c2f::make_network<plain, input>(1);
  auto to  = c2f::make_network<c2f::pyramid_on<atrous, c2f::fpn<8>>, input>(2);
  c2f::convert_weights(net, to);
  for (auto const mode : {c2f::eval, c2f::train}) {
    auto const wanted = net(images, mode), found = to(images, mode);
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(found[i].allclose(wanted[i], 1e-4, 1e-5));
  }
  REQUIRE(c2f::fill_standardisation(to) == 4);  // two blocks of two
  REQUIRE(c2f::count_parameters(to) == c2f::parameter_count<decltype(to)>);
  // A recursive pyramid of such backbones, too.
  auto both = c2f::make_network<c2f::systems::recursive_pyramid<atrous, 8>, input>(3);
  c2f::convert_weights(net.body, both.coarse);
  c2f::copy_tensors(net.fpn, both.end);
  c2f::begin_equal(both);
  levels<3> const answer = both(images, c2f::eval), wanted = net(images, c2f::eval);
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(answer[i].allclose(wanted[i], 1e-4, 1e-5));
  // The filters of a network that was not converted are as large as those of a plain one.
  auto const fresh = c2f::make_network<c2f::switchable_atrous<64>, c2f::image<32, 8, 8>>(1);
  REQUIRE(std::abs(fresh.weight_gamma.tensor().mean().item<double>() - std::sqrt(2. / 9 / 64)) < 1e-6);
}

TEST_CASE("switchable atrous convolution by its definition") {
  auto const by_definition = [](auto const& net, at::Tensor const& in, std::int64_t stride) {
    auto const t       = tensors_of(net);
    auto const context = [&](std::string const& name, at::Tensor const& x) {
      return x.add(at::conv2d(x.mean(at::IntArrayRef({2, 3}), true), t.at(name + ".weight"), t.at(name + ".bias")));
    };
    at::Tensor const x = context("pre_context", in);
    at::Tensor mean    = at::zeros_like(x);
    at::Tensor const p = at::reflection_pad2d(x, {2, 2, 2, 2});
    for (int i = 0; i < 5; ++i)
      for (int k = 0; k < 5; ++k) mean.add_(p.narrow(2, i, x.size(2)).narrow(3, k, x.size(3)), 1. / 25);
    at::Tensor const s = at::conv2d(mean, t.at("switch.weight"), t.at("switch.bias"), {stride, stride});
    at::Tensor const v = t.at("weight"), m = v.mean(at::IntArrayRef({1, 2, 3}), true),
                     d = v.var(at::IntArrayRef({1, 2, 3}), true, true).add(1e-5).sqrt();
    at::Tensor const w = v.sub(m).div(d).mul(t.at("weight_gamma")).add(t.at("weight_beta"));
    at::Tensor const y = at::conv2d(x, w, {}, {stride, stride}, {1, 1})
                             .mul(s)
                             .add(at::conv2d(x, w.add(t.at("weight_diff")), {}, {stride, stride}, {3, 3}, {3, 3}).mul(s.neg().add(1)));
    return context("post_context", y);
  };
  auto const one = c2f::make_network<c2f::switchable_atrous<6>, c2f::image<4, 9, 11>>(1);
  auto const two = c2f::make_network<c2f::switchable_atrous<6, 2>, c2f::image<4, 9, 11>>(2);
  disturb(one);
  disturb(two);
  at::Tensor const x = numbers({2, 4, 9, 11}, 4);
  REQUIRE(one(x, c2f::train).allclose(by_definition(one, x, 1), 1e-4, 1e-5));
  REQUIRE(two(x, c2f::train).allclose(by_definition(two, x, 2), 1e-4, 1e-5));
  REQUIRE(two(x, c2f::train).sizes() == at::IntArrayRef({2, 6, 5, 6}));

  // A delta with S = .5 and filters of ones: .5 at the nine pixels of either distance, 1 where both are; 9 in all.
  auto hand = c2f::make_network<c2f::switchable_atrous<1>, c2f::image<1, 13, 13>>(1);
  {
    at::NoGradGuard const none;
    hand.weight.tensor().fill_(1);
    c2f::fill_standardisation(hand);
    hand.choose.bias.tensor().fill_(.5);
  }
  at::Tensor delta = at::zeros({1, 1, 13, 13});
  delta[0][0][6][6].fill_(1);
  at::Tensor const y = hand(delta, c2f::eval)[0][0];
  REQUIRE(std::abs(y[6][6].item<double>() - 1) < 1e-6);
  REQUIRE(std::abs(y[5][7].item<double>() - .5) < 1e-6);
  REQUIRE(std::abs(y[3][9].item<double>() - .5) < 1e-6);
  REQUIRE(std::abs(y.sum().item<double>() - 9) < 1e-5);

  // Maps of one and two pixels reflect, too; bfloat16 is finite in both directions.
  REQUIRE(one(numbers({1, 4, 1, 2}, 3), c2f::eval).isfinite().all().item<bool>());
  at::Tensor const low = x.to(at::kBFloat16).set_requires_grad(true), found = one(low, c2f::train);
  REQUIRE(found.scalar_type() == at::kBFloat16);
  found.to(at::kFloat).square().sum().backward();
  REQUIRE(low.grad().isfinite().all().item<bool>());
  for (auto const& each : c2f::parameters(one)) REQUIRE(each.grad().isfinite().all().item<bool>());
  REQUIRE(found.to(at::kFloat).allclose(by_definition(one, x, 1), 5e-2, 1e-1));
}

TEST_CASE("deformable switchable convolution is the plain one at first, and reads where its offsets say") {
  auto const plain_layer = c2f::make_network<c2f::switchable_atrous<6, 2>, c2f::image<4, 9, 11>>(1);
  auto layer             = c2f::make_network<c2f::switchable_atrous<6, 2, 1, c2f::deformable_reading>, c2f::image<4, 9, 11>>(2);
  disturb(plain_layer);
  c2f::copy_tensors(plain_layer, layer);
  at::Tensor const x = numbers({2, 4, 9, 11}, 4), wanted = plain_layer(x, c2f::eval);
  REQUIRE(layer(x, c2f::eval).allclose(wanted, 1e-4, 1e-5));
  REQUIRE(tensors_of(layer).contains("offset_l.weight"));
  REQUIRE(c2f::count_parameters(layer) == c2f::parameter_count<decltype(layer)>);
  // The near convolution one pixel to the right is that of the map one pixel to the left, where S = 1.
  auto moved = c2f::make_network<c2f::switchable_atrous<6, 1, 1, c2f::deformable_reading>, c2f::image<4, 9, 11>>(3);
  auto still = c2f::make_network<c2f::switchable_atrous<6>, c2f::image<4, 9, 11>>(3);
  c2f::copy_tensors(still, moved);
  {
    at::NoGradGuard const none;
    for (std::int64_t k = 1; k < 18; k += 2) moved.reading.offset_s.bias.tensor()[k].fill_(1);  // right
    for (std::int64_t k = 0; k < 18; ++k) moved.reading.offset_l.bias.tensor()[k].fill_(40);    // S = 1: it does not matter
  }
  at::Tensor const found = moved(x, c2f::eval), left = at::cat({x.narrow(3, 1, 10), at::zeros({2, 4, 9, 1})}, 3);
  REQUIRE(found.narrow(3, 1, 8).allclose(still(left, c2f::eval).narrow(3, 1, 8), 1e-4, 1e-5));
  at::Tensor const low = x.to(at::kBFloat16).set_requires_grad(true);
  layer(low, c2f::train).to(at::kFloat).square().sum().backward();
  REQUIRE(low.grad().isfinite().all().item<bool>());
  for (auto const& each : c2f::parameters(layer)) REQUIRE(each.grad().isfinite().all().item<bool>());
}

TEST_CASE("a frozen norm has no parameters and uses its statistics in training") {
  using frozen       = c2f::resnet_stages<18, c2f::frozen_norms<>>;
  auto net           = c2f::make_network<frozen, c2f::image<3, 64, 64>>(1);
  auto other         = c2f::make_network<c2f::resnet_stages<18>, c2f::image<3, 64, 64>>(1);
  at::Tensor const x = numbers({2, 3, 64, 64}, 3);
  REQUIRE(distance(net(x, c2f::train), other(x, c2f::eval)) < 1e-4);
  for (auto const& [path, tensor] : tensors_of(net)) REQUIRE((path.find("bn1") == std::string::npos || !tensor.requires_grad()));
  REQUIRE(!tensors_of(net).contains("bn1.num_batches_tracked"));
}
