// Multiply-adds and receptive fields of networks for which both are known by hand.
#include <c2f/c2f.hpp>
#include <c2f/execution/multiply_adds.hpp>
#include <c2f/inference/receptive_field.hpp>
#include <c2f/layers/conv_rectangle.hpp>
#include <c2f/layers/depthwise.hpp>
#include <c2f/layers/upsample.hpp>

#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/rand.h>

#include "catch.hpp"

namespace {

struct three {
  static constexpr char const* name = "three";
  using input                       = c2f::image<3, 32, 32>;
  using network =
      c2f::predicts<c2f::class_vector<10>, c2f::conv<8, 3>, c2f::relu, c2f::conv<4, 3, 2>, c2f::global_average_pool, c2f::linear<10>>;
  using refine = c2f::refine::no_fine_network;
};
struct pair : three {
  static constexpr char const* name = "pair";
  using refine                      = c2f::refine::once;
};
using maps = c2f::network_on<c2f::sequential<c2f::conv<8, 3>, c2f::conv<8, 5>, c2f::conv<2, 3, 2>>, c2f::image<3, 41, 41>>;

}  // namespace

TEST_CASE("Multiply-adds are those of convolutions and matrices", "[costs]") {
  c2f::stack<three> const model(1);
  at::Tensor const images   = at::rand({2, 3, 32, 32});
  // 3 -> 8 at 32 x 32, 8 -> 4 at 16 x 16, 4 -> 10.
  std::int64_t const wanted = 2 * (9 * 3 * 8 * 32 * 32 + 9 * 8 * 4 * 16 * 16 + 4 * 10);
  REQUIRE(c2f::multiply_adds([&] { model(images, c2f::eval); }) == wanted);
  REQUIRE(c2f::multiply_adds([&] { model(images.narrow(0, 0, 1), c2f::eval); }) == wanted / 2);
  REQUIRE(c2f::multiply_adds([] {}) == 0);
  // Each of 5 x 5 pixels of 3 channels is spread over 2 channels by a kernel of 4 x 4; 3 channels of 5 x 5 pixels by a kernel of 3 x 3 each.
  c2f::network_on<c2f::sequential<c2f::up_conv<2, 4, 2>>, c2f::image<3, 5, 5>> up{};
  c2f::network_on<c2f::sequential<c2f::depthwise_conv<3>>, c2f::image<3, 5, 5>> depthwise{};
  c2f::initialize(up, 1), c2f::initialize(depthwise, 1);
  at::Tensor const five = at::rand({1, 3, 5, 5});
  REQUIRE(c2f::multiply_adds([&] { up(five, c2f::eval); }) == 5 * 5 * 3 * 2 * 16);
  REQUIRE(c2f::multiply_adds([&] { depthwise(five, c2f::eval); }) == 5 * 5 * 3 * 9);
  c2f::network_on<c2f::sequential<c2f::conv_rectangle<2, 1, 7>, c2f::bilinear_up<4, 2>>, c2f::image<3, 5, 5>> others{};
  c2f::initialize(others, 1);
  REQUIRE(c2f::multiply_adds([&] { others(five, c2f::eval); }) == 5 * 5 * 3 * 2 * 7 + 5 * 5 * 2 * 2 * 16);
  // A pair: both networks and the encoder, which is compact.
  c2f::stack<pair> const both(1);
  std::int64_t const one = c2f::multiply_adds([&] { both.coarse(images, c2f::eval); });
  std::int64_t const all = c2f::multiply_adds([&] { both(images, c2f::eval); });
  REQUIRE(one == wanted);
  REQUIRE(all > 2 * wanted + 2 * 9 * 3 * 8 * 32 * 32 - 1);  // the fine network reads 6 channels
  REQUIRE(all < 3 * wanted);
  // Counts nest, and nothing is counted outside.
  std::int64_t inner = 0;
  REQUIRE(c2f::multiply_adds([&] { inner = c2f::multiply_adds([&] { model(images, c2f::eval); }); }) == 0);
  REQUIRE(inner == wanted);
}

TEST_CASE("The receptive field is that of kernels and strides", "[costs]") {
  maps net{};
  c2f::initialize(net, 1);
  // 3, then 5, then 3 before the stride: 3 + 4 + 2 = 9 pixels.
  auto const seen =
      c2f::receptive_field_of([&](at::Tensor const& x) { return net(x, c2f::eval).select(3, 10).select(2, 10); }, at::rand({1, 3, 41, 41}));
  REQUIRE(seen.height == 9);
  REQUIRE(seen.width == 9);
  REQUIRE(seen.core >= 3);
  REQUIRE(seen.core <= 9);
  auto const whole = c2f::receptive_field_of([&](at::Tensor const& x) { return net(x, c2f::eval).mean(c10::IntArrayRef{2, 3}); },
                                             at::rand({1, 3, 41, 41}));
  REQUIRE(whole.height == 41);
  REQUIRE(whole.core > 37);
  auto const none = c2f::receptive_field_of([](at::Tensor const& x) { return x.mul(0); }, at::rand({1, 3, 4, 4}));
  REQUIRE(none.height == 0);
}
