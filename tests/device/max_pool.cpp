// cuda/kernels/max_pool.cuh against ATen's pooling, and in networks.
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/zeros.h>
#include <c2f/c2f.hpp>
#include <c2f/networks/unet.hpp>

#include <limits>

#include "catch.hpp"
#include "device.hpp"

namespace {

struct sizes {
  std::int64_t n, c, height, width, kernel, stride, padding;
  bool ceil = false;
};

struct pooled {
  at::Tensor y, gradient;
};
template <class Pool>
pooled by(Pool const& pool, at::Tensor const& x, at::Tensor const& weight) {
  at::Tensor const input = x.detach().clone(at::MemoryFormat::Preserve).set_requires_grad(true), y = pool(input);
  y.mul(weight).sum().backward();
  return {y.detach(), input.grad()};
}

}  // namespace

TEST_CASE("kernel max_pool: windows of any size, and the gradient") {
  C2F_NEEDS_DEVICE();
  for (auto const type : {at::kFloat, at::kBFloat16})
    for (bool const ties : {false, true})
      for (auto const& s :
           {sizes{2, 64, 14, 14, 3, 2, 1}, sizes{3, 8, 13, 6, 2, 2, 0}, sizes{1, 16, 9, 15, 2, 2, 0, true}, sizes{2, 24, 7, 7, 3, 1, 1},
            sizes{1, 8, 5, 5, 5, 1, 2}, sizes{1, 8, 11, 10, 3, 3, 1, true}, sizes{2, 8, 9, 8, 2, 3, 0}, sizes{1, 8, 20, 18, 16, 4, 8},
            sizes{1, 40, 1, 1, 3, 2, 1}, sizes{2, 8, 12, 5, 1, 1, 0}, sizes{1, 8, 10, 7, 3, 2, 1, true}}) {
        CAPTURE(s.height, s.width, s.kernel, s.stride, s.padding, s.ceil, ties);
        at::Tensor x = tests::normal({s.n, s.c, s.height, s.width}, 1).to(type).contiguous(at::MemoryFormat::ChannelsLast);
        if (ties) x = x.mul(2).round().relu();  // as behind a ReLU: many windows have several equal maxima
        auto const exact = [&](at::Tensor const& a) {
          return at::max_pool2d(a, {s.kernel, s.kernel}, {s.stride, s.stride}, {s.padding, s.padding}, {1, 1}, s.ceil);
        };
        auto const fused         = [&](at::Tensor const& a) { return c2f::cuda::fused.max_pool(a, s.kernel, s.stride, s.padding, s.ceil); };
        at::Tensor const weight  = tests::normal(exact(x).sizes().vec(), 2).to(type).contiguous(at::MemoryFormat::ChannelsLast);
        auto const [y, gradient] = by(fused, x, weight);
        REQUIRE(y.scalar_type() == type);
        REQUIRE(y.equal(exact(x)));
        REQUIRE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
        auto const wanted = by(exact, x.to(at::kDouble), weight.to(at::kDouble)).gradient;
        REQUIRE(gradient.scalar_type() == type);
        REQUIRE(tests::furthest(gradient.to(at::kDouble), wanted) <=
                (type == at::kFloat ? 1e-6 : 8e-3) * wanted.abs().max().item<double>());
        REQUIRE(by(fused, x, weight).gradient.equal(gradient));
      }
}

TEST_CASE("kernel max_pool: numbers that are not finite, other layouts, no gradient, inputs that it refuses") {
  C2F_NEEDS_DEVICE();
  double const nan = std::numeric_limits<double>::quiet_NaN(), lowest = -std::numeric_limits<double>::infinity();
  auto const exact = [](at::Tensor const& a) { return at::max_pool2d(a, {2, 2}, {2, 2}); };
  auto const fused = [](at::Tensor const& a) { return c2f::cuda::fused.max_pool(a, 2, 2, 0, false); };
  at::Tensor x     = tests::normal({2, 8, 4, 6}, 1).contiguous(at::MemoryFormat::ChannelsLast);
  x[0][1][2][2].fill_(nan);
  x[1][0].fill_(lowest);
  x[1][3][1][1].fill_(-lowest);
  at::Tensor const weight = tests::normal({2, 8, 2, 3}, 2);
  auto const found = by(fused, x, weight), wanted = by(exact, x, weight);
  REQUIRE(found.y.nan_to_num(77).equal(wanted.y.nan_to_num(77)));
  REQUIRE(found.gradient.equal(wanted.gradient));
  // Maps that are not channels_last, not dense, or not aligned to 16 bytes.
  at::Tensor const wide = tests::normal({2, 10, 4, 6}, 3).contiguous(at::MemoryFormat::ChannelsLast);
  for (at::Tensor const& each : {tests::normal({2, 8, 4, 6}, 3), wide.narrow(1, 1, 8), wide.narrow(1, 2, 8)})
    REQUIRE(fused(each).equal(exact(each)));
  REQUIRE(!fused(x).requires_grad());
  REQUIRE(fused(at::zeros({0, 8, 4, 6}, x.options())).sizes() == at::IntArrayRef({0, 8, 2, 3}));
  REQUIRE_THROWS_AS(c2f::cuda::fused.max_pool(tests::normal({1, 6, 4, 4}, 1), 2, 2, 0, false), c2f::input_error);
  REQUIRE_THROWS_AS(c2f::cuda::fused.max_pool(tests::normal({1, 8, 40, 40}, 1), 17, 2, 0, false), c2f::input_error);
}

TEST_CASE("networks with pooling give the same output and gradients with both implementations") {
  C2F_NEEDS_DEVICE();
  c2f::fused_operations const table{.max_pool = c2f::cuda::fused.max_pool};
  auto const same = [&]<class Network>(std::type_identity<Network>) {
    using network  = c2f::network_on<Network, c2f::image<3, 32, 48>>;
    auto const run = [](c2f::fused_operations const* set) {
      c2f::with_fused const scope(set);
      network net;
      c2f::initialize(net, 1);
      c2f::move_to(net, tests::device());
      c2f::to_channels_last(net);
      at::Tensor const output = net(tests::normal({2, 3, 32, 48}, 1).contiguous(at::MemoryFormat::ChannelsLast), c2f::train);
      output.mul(tests::normal(output.sizes().vec(), 2)).sum().backward();
      std::vector<at::Tensor> all{output.detach()};
      for (auto const& each : c2f::parameters(net)) all.push_back(each.grad());
      return all;
    };
    std::vector<at::Tensor> const fused = run(&table), defined = run(nullptr);
    for (std::size_t i = 0; i < fused.size(); ++i)
      REQUIRE(tests::furthest(fused[i], defined[i]) <= 1e-5 * std::max(1.0, defined[i].abs().max().item<double>()));
  };
  same(std::type_identity<c2f::resnet<10, c2f::class_vector<5>>>{});
  same(std::type_identity<c2f::unet<2, 8, c2f::dense<2>>>{});
}
