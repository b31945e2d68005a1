// cuda/kernels/bias_relu.cuh against ATen's sum and ReLU, and in convolutions.
#include <ATen/ops/zeros.h>
#include <c2f/c2f.hpp>
#include <c2f/networks/fcn.hpp>
#include <c2f/networks/vgg.hpp>

#include <limits>

#include "catch.hpp"
#include "device.hpp"

namespace {

struct results {
  at::Tensor y, to_x, to_bias, to_shortcut;
};
template <class Sum>
results by(Sum const& sum, at::Tensor const& x, at::Tensor const& bias, at::Tensor const& shortcut, bool relu, at::Tensor const& weight) {
  auto const input_of = [](at::Tensor const& each) {
    return each.defined() ? each.detach().clone(at::MemoryFormat::Preserve).set_requires_grad(true) : each;
  };
  at::Tensor const a = input_of(x), b = input_of(bias), c = input_of(shortcut), y = sum(a, b, c, relu);
  y.mul(weight).sum().backward();
  return {y.detach(), a.grad(), b.grad(), c.defined() ? c.grad() : c};
}
at::Tensor exact(at::Tensor const& x, at::Tensor const& bias, at::Tensor const& shortcut, bool relu) {
  at::Tensor const biased = x.add(bias.view({1, -1, 1, 1})), y = shortcut.defined() ? biased.add(shortcut) : biased;
  return relu ? y.relu() : y;
}

int calls = 0;
at::Tensor counted(at::Tensor const& x, at::Tensor const& bias, at::Tensor const& shortcut, bool relu) {
  ++calls;
  return c2f::cuda::fused.bias_relu(x, bias, shortcut, relu);
}

}  // namespace

TEST_CASE("kernel bias_relu: maps of any size, with and without a shortcut and a ReLU, and all gradients") {
  C2F_NEEDS_DEVICE();
  struct sizes {
    std::int64_t n, c, height, width;
  };
  auto const last  = at::MemoryFormat::ChannelsLast;
  auto const fused = c2f::cuda::fused.bias_relu;
  for (auto const type : {at::kFloat, at::kBFloat16})
    for (bool const with_shortcut : {false, true})
      for (bool const relu : {false, true})
        for (auto const& s : {sizes{2, 64, 14, 14}, sizes{1, 8, 3, 3}, sizes{3, 24, 1, 1}, sizes{1, 512, 5, 6}, sizes{2, 16, 90, 91},
                              sizes{1, 40, 7, 300}, sizes{1, 8, 1, 1}}) {
          CAPTURE(s.c, s.height, s.width, with_shortcut, relu);
          auto const map = [&](std::uint64_t seed) { return tests::normal({s.n, s.c, s.height, s.width}, seed).to(type).contiguous(last); };
          at::Tensor const x = map(1), weight = map(3), shortcut = with_shortcut ? map(4) : at::Tensor(),
                           bias = tests::normal({s.c}, 2).to(type);
          auto const found      = by(fused, x, bias, shortcut, relu, weight);
          at::Tensor const in   = with_shortcut ? shortcut.to(at::kDouble) : shortcut;
          auto const wanted     = by(exact, x.to(at::kDouble), bias.to(at::kDouble), in, relu, weight.to(at::kDouble));
          REQUIRE(found.y.scalar_type() == type);
          REQUIRE(found.y.is_contiguous(last));
          if (!with_shortcut || type == at::kFloat)
            REQUIRE(found.y.equal(exact(x, bias, shortcut, relu)));
          else  // rounded once, by ATen twice
            REQUIRE(tests::furthest(found.y.to(at::kDouble), wanted.y) <= 4e-3 * wanted.y.abs().max().item<double>());
          // The gradient is masked, but not changed otherwise.
          at::Tensor const masked = relu ? weight.where(found.y.gt(0), at::zeros({}, weight.options())) : weight;
          REQUIRE(found.to_x.equal(masked));
          if (with_shortcut) REQUIRE(found.to_shortcut.equal(masked));
          at::Tensor const sums = masked.to(at::kDouble).sum({0, 2, 3});
          double const scale    = std::max(1.0, sums.abs().max().item<double>());
          REQUIRE(found.to_bias.scalar_type() == type);
          REQUIRE(tests::furthest(found.to_bias.to(at::kDouble), sums) <= (type == at::kFloat ? 2e-6 : 4e-3) * scale);
          if (type == at::kFloat) REQUIRE(tests::furthest(found.to_bias.to(at::kDouble), wanted.to_bias) <= 1e-5 * scale);
          REQUIRE(by(fused, x, bias, shortcut, relu, weight).to_bias.equal(found.to_bias));
        }
}

TEST_CASE("kernel bias_relu: numbers that are not finite, other layouts and types, inputs that it refuses") {
  C2F_NEEDS_DEVICE();
  double const nan      = std::numeric_limits<double>::quiet_NaN();
  auto const fused      = [](at::Tensor const& x, at::Tensor const& bias) { return c2f::cuda::fused.bias_relu(x, bias, {}, true); };
  auto const plain      = [](at::Tensor const& x, at::Tensor const& bias) { return exact(x, bias, {}, true); };
  at::Tensor x          = tests::normal({2, 8, 4, 6}, 1).contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor const bias = tests::normal({8}, 2), weight = tests::normal({2, 8, 4, 6}, 3);
  x[0][1][2][2].fill_(nan);
  x[1][0][0][0].fill_(-std::numeric_limits<double>::infinity());
  auto const found = by(c2f::cuda::fused.bias_relu, x, bias, {}, true, weight), wanted = by(exact, x, bias, {}, true, weight);
  REQUIRE(found.y.nan_to_num(77).equal(wanted.y.nan_to_num(77)));
  REQUIRE(found.to_x.equal(wanted.to_x));
  at::Tensor const wide = tests::normal({2, 10, 4, 6}, 3).contiguous(at::MemoryFormat::ChannelsLast),
                   odd  = tests::normal({9}, 4).narrow(0, 1, 8);
  for (at::Tensor const& each : {tests::normal({2, 8, 4, 6}, 3), wide.narrow(1, 1, 8), wide.narrow(1, 2, 8)}) {
    REQUIRE(fused(each, odd).equal(plain(each, odd)));
    REQUIRE(c2f::cuda::fused.bias_relu(each, odd, each, false).equal(exact(each, odd, each, false)));
  }
  REQUIRE(fused(x.to(at::kBFloat16), bias).scalar_type() == at::kBFloat16);
  REQUIRE(!fused(x, bias).requires_grad());
  REQUIRE(fused(at::zeros({0, 8, 4, 6}, x.options()), bias).sizes() == at::IntArrayRef({0, 8, 4, 6}));
  REQUIRE_THROWS_AS(fused(tests::normal({1, 6, 4, 4}, 1), tests::normal({6}, 1)), c2f::input_error);
  REQUIRE_THROWS_AS(fused(x, tests::normal({4}, 1)), c2f::input_error);
}

TEST_CASE("networks of convolutions with a bias give the same output and gradients") {
  C2F_NEEDS_DEVICE();
  c2f::fused_operations const table{.bias_relu = &counted};
  auto const same = [&]<class Network>(std::type_identity<Network>, int wanted_calls) {
    using network  = c2f::network_on<Network, c2f::image<3, 24, 32>>;
    auto const run = [](c2f::fused_operations const* set, c2f::mode mode) {
      c2f::with_fused const scope(set);
      network net;
      c2f::initialize(net, 1);
      c2f::move_to(net, tests::device());
      c2f::to_channels_last(net);
      at::Tensor const output = net(tests::normal({2, 3, 24, 32}, 1).contiguous(at::MemoryFormat::ChannelsLast), mode);
      output.mul(tests::normal(output.sizes().vec(), 2)).sum().backward();
      std::vector<at::Tensor> all{output.detach()};
      for (auto const& each : c2f::parameters(net)) all.push_back(each.grad());
      return all;
    };
    for (c2f::mode const mode : {c2f::train, c2f::eval}) {
      calls                               = 0;
      std::vector<at::Tensor> const fused = run(&table, mode);
      REQUIRE(calls == wanted_calls);
      std::vector<at::Tensor> const defined = run(nullptr, mode);
      for (std::size_t i = 0; i < fused.size(); ++i)
        REQUIRE(tests::furthest(fused[i], defined[i]) <= 2e-5 * std::max(1.0, defined[i].abs().max().template item<double>()));
    }
  };
  using c2f::conv, c2f::bias, c2f::relu, c2f::sequential;
  same(std::type_identity<sequential<conv<16, 3, 1, 1, bias>, relu, conv<8, 5, 2, 2, bias>, relu>>{}, 2);
  same(std::type_identity<sequential<conv<12, 3, 1, 1, bias>, relu, conv<8, 3>, relu, conv<8, 3, 1, 1, bias>>>{}, 0);
  same(std::type_identity<c2f::fcn8s<c2f::dense<2>, 16, 8>>{}, 15);
}
