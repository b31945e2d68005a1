// Fully convolutional networks: sizes, and the frozen up-sampling.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/layers/dropout.hpp>
#include <c2f/networks/deep_voting.hpp>
#include <c2f/networks/fcn.hpp>
#include <c2f/networks/feature_pyramid.hpp>
#include <c2f/networks/localiser.hpp>

#include <ATen/ops/upsample_bilinear2d.h>

#include "catch.hpp"

namespace {

using any    = c2f::image<3, c2f::dynamic, c2f::dynamic>;
using narrow = c2f::fcn8s<c2f::dense<2>, 8, 4>;

// Moves the score layers away from zero.
template <class Net>
void perturb(Net& net) {
  at::NoGradGuard const no_gradients;
  std::uint64_t id = 0;
  for (auto const& each : c2f::parameters(net)) each.add_(c2f::detail::sample_numbers(each.sizes().vec(), ++id).mul(0.05));
}

}  // namespace

namespace {
using dropping = c2f::sequential<c2f::conv<4, 3>, c2f::relu, c2f::dropout<0.5>>;
struct scale {  // one map as a pyramid
  template <c2f::shape In>
  struct on {
    using output = In;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x; }
  };
};
}  // namespace

TEST_CASE("networks on a backbone with dropout pass the pass on, and those on another take none") {
  auto const dropped = []<class Network>(Network) {
    auto const net = c2f::make_network<Network, c2f::image<3, 8, 8>>(1);
    c2f::pass p{.mode = c2f::train, .seed = 3};
    net(c2f::detail::sample_numbers({2, 3, 8, 8}, 1).to(at::kFloat), p);
    return p.drops;
  };
  REQUIRE(dropped(c2f::fcn<dropping, c2f::dense<2>>{}) == 1);
  REQUIRE(dropped(c2f::localiser<dropping, c2f::boxes<1>, 4>{}) == 1);
  REQUIRE(dropped(c2f::deep_voting<dropping, 2, 4, 1, 3>{}) == 1);
  REQUIRE(dropped(c2f::pyramid_on<dropping, scale>{}) == 1);
  REQUIRE_FALSE(c2f::detail::wants_pass<c2f::network_on<c2f::fcn<c2f::conv<4, 3>, c2f::dense<2>>, c2f::image<3, 8, 8>>>);
}

TEST_CASE("the kernel of a frozen up-sampling is linear") {
  auto const four       = c2f::make_network<c2f::bilinear_up<4, 2>, c2f::image<2, 9, 9>>(1);
  float const wanted[4] = {0.25, 0.75, 0.75, 0.25};  // 1 - |i - 1.5| / 2
  for (int c = 0; c < 2; ++c)
    for (int d = 0; d < 2; ++d)
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) REQUIRE(four.weight.tensor()[c][d][i][j].item<float>() == (c == d ? wanted[i] * wanted[j] : 0.0f));
  // Away from the border it is bilinear interpolation with half-pixel centres.
  for (int const kernel : {4, 16}) {
    at::Tensor const x    = c2f::detail::sample_numbers({1, 1, 9, 9}, 1).to(at::kFloat);
    std::int64_t const by = kernel / 2, edge = kernel / 4;
    auto const twice       = c2f::make_network<c2f::bilinear_up<4, 2>, c2f::image<1, 9, 9>>(1);
    auto const eight       = c2f::make_network<c2f::bilinear_up<16, 8>, c2f::image<1, 9, 9>>(1);
    at::Tensor const large = kernel == 4 ? twice(x, c2f::eval) : eight(x, c2f::eval);
    REQUIRE(large.size(2) == 8 * by + kernel);
    at::Tensor const wanted_map = at::upsample_bilinear2d(x, {9 * by, 9 * by}, false);
    at::Tensor const found      = large.narrow(2, edge, 9 * by).narrow(3, edge, 9 * by);
    auto const middle           = [&](at::Tensor const& map) { return map.narrow(2, by, 7 * by).narrow(3, by, 7 * by); };
    REQUIRE(middle(found).sub(middle(wanted_map)).abs().max().item<double>() < 1e-5);
  }
}

TEST_CASE("fcn8s gives a map of the image's size, zero at first") {
  auto net = c2f::make_network<narrow, any>(1);
  for (auto const& [height, width] : std::vector<std::pair<std::int64_t, std::int64_t>>{{1, 1}, {33, 47}, {64, 32}}) {
    at::Tensor const x = c2f::detail::sample_numbers({1, 3, height, width}, 1).to(at::kFloat);
    REQUIRE(net(x, c2f::train).equal(at::zeros({1, 2, height, width})));
  }
  perturb(net);
  at::Tensor const x = c2f::detail::sample_numbers({1, 3, 33, 47}, 1).to(at::kFloat);
  REQUIRE(net(x, c2f::eval).abs().max().item<double>() > 0);
}

TEST_CASE("fcn8s trains 36 parameters and freezes three up-sampling kernels") {
  auto const net = c2f::make_network<narrow, any>(1);
  int trained = 0, frozen = 0;
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor const&, c2f::state_traits const& traits) {
    trained += traits.trained;
    frozen += !traits.trained;
    if (!traits.trained) REQUIRE(path.starts_with("upscore"));
  });
  REQUIRE(trained == 2 * (13 + 2 + 3));
  REQUIRE(frozen == 3);
}

TEST_CASE("fcn up-samples the scores of its backbone to the size of the image") {
  using backbone         = c2f::sequential<c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<12, 3, 2>, c2f::relu>;
  auto const net         = c2f::make_network<c2f::fcn<backbone, c2f::dense<5>>, any>(1);
  at::Tensor const x     = c2f::detail::sample_numbers({2, 3, 21, 30}, 1).to(at::kFloat);
  at::Tensor const small = net.classifier(net.backbone(x, c2f::eval), c2f::eval);
  REQUIRE(small.sizes() == at::IntArrayRef({2, 5, 6, 8}));
  REQUIRE(net(x, c2f::eval).equal(at::upsample_bilinear2d(small, {21, 30}, false)));
  REQUIRE(c2f::parameters(net).size() == 1 + 2 + 1 + 1 + 2 + 2);
}
