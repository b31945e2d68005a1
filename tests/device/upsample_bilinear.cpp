// cuda/kernels/upsample_bilinear.cuh against ATen's interpolation in double, and in fcn.
#include <ATen/ops/upsample_bilinear2d.h>
#include <c2f/c2f.hpp>
#include <c2f/networks/fcn.hpp>

#include "catch.hpp"
#include "device.hpp"

namespace {

double furthest(at::Tensor const& found, at::Tensor const& wanted) {
  return found.to(at::kDouble).sub(wanted.to(at::kDouble)).abs().max().item<double>() / (wanted.abs().max().item<double>() + 1e-30);
}

}  // namespace

TEST_CASE("kernel upsample_bilinear: maps of any size into any other, and the gradient") {
  C2F_NEEDS_DEVICE();
  struct sizes {
    std::int64_t n, c, from_height, from_width, height, width;
  };
  for (auto const type : {at::kFloat, at::kBFloat16})
    for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
      for (auto const& [n, c, h, w, height, width] : {sizes{2, 3, 7, 7, 56, 56}, sizes{1, 21, 5, 9, 37, 65}, sizes{3, 2, 1, 1, 9, 4},
                                                      sizes{2, 1, 6, 3, 6, 3}, sizes{1, 4, 20, 17, 6, 5}, sizes{1, 1, 2, 40, 3, 41},
                                                      sizes{1, 2, 33, 1, 100, 1}, sizes{1, 3, 7, 5, 1, 2}, sizes{1, 1, 13, 300, 14, 299}}) {
        at::Tensor const x       = tests::normal({n, c, h, w}, 1).to(type).contiguous(format),
                         weight  = tests::normal({n, c, height, width}, 2).to(type).contiguous(format);
        auto const with_gradient = [&](auto const& up, at::Tensor const& from, at::Tensor const& by) {
          at::Tensor const input = from.detach().clone().set_requires_grad(true), large = up(input);
          large.mul(by).sum().backward();
          return std::pair{large.detach(), input.grad()};
        };
        auto const fused = [&, height = height, width = width](at::Tensor const& a) {
          return c2f::cuda::fused.upsample_bilinear(a, height, width);
        };
        auto const exact = [&, height = height, width = width](at::Tensor const& a) {
          return at::upsample_bilinear2d(a, {height, width}, false);
        };
        auto const [large, gradient]    = with_gradient(fused, x, weight);
        auto const [wanted, wanted_too] = with_gradient(exact, x.to(at::kDouble), weight.to(at::kDouble));
        if (h * w > 1) REQUIRE(large.is_contiguous(format));  // one pixel has both formats
        REQUIRE(large.scalar_type() == type);
        REQUIRE(gradient.scalar_type() == type);
        // Positions are computed in float, as ATen computes them for float maps: at 300 pixels they are 1e-5 off.
        double const close = type == at::kFloat ? 5e-5 : 5e-3;
        REQUIRE(furthest(large, wanted) < close);
        REQUIRE(furthest(gradient, wanted_too) < close);
        REQUIRE(with_gradient(fused, x, weight).second.equal(gradient));
        if (type == at::kFloat) REQUIRE(furthest(large, exact(x)) < close);
      }
}

TEST_CASE("an fcn gives the same output and gradients with both implementations") {
  C2F_NEEDS_DEVICE();
  using network =
      c2f::network_on<c2f::fcn<c2f::sequential<c2f::conv<6, 3, 2>, c2f::relu, c2f::conv<8, 3, 2>>, c2f::dense<4>>, c2f::image<3, 18, 22>>;
  c2f::fused_operations const table{.upsample_bilinear = c2f::cuda::fused.upsample_bilinear};
  auto const run = [](c2f::fused_operations const* set) {
    c2f::with_fused const scope(set);
    network net;
    c2f::initialize(net, 1);
    c2f::move_to(net, tests::device());
    at::Tensor const output = net(tests::normal({2, 3, 18, 22}, 1), c2f::train);
    output.mul(tests::normal({2, 4, 18, 22}, 2)).sum().backward();
    std::vector<at::Tensor> all{output.detach()};
    for (auto const& each : c2f::parameters(net)) all.push_back(each.grad());
    return all;
  };
  auto const fused = run(&table), defined = run(nullptr);
  for (std::size_t i = 0; i < fused.size(); ++i)
    REQUIRE(fused[i].sub(defined[i]).abs().max().item<double>() <= 1e-4 * std::max(1.0, defined[i].abs().max().item<double>()));
}
