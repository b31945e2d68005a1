// A convolution of an image concatenated with a broadcast map against the convolution of the joined map, in double; and whole stacks
// against stacks whose encoder is evaluated by its definition.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include <ATen/ops/arange.h>
#include <c10/core/InferenceMode.h>

#include "catch.hpp"

namespace {

using pair = std::array<std::int64_t, 2>;

double relative(at::Tensor const& a, at::Tensor const& b) {
  return a.sub(b).abs().max().item<double>() / (b.abs().max().item<double>() + 1e-12);
}
at::Tensor numbers(std::vector<std::int64_t> const& dims, std::uint64_t seed) {
  return c2f::detail::sample_numbers(dims, seed).contiguous();
}

struct result {
  at::Tensor y;
  std::vector<at::Tensor> gradients;  // of x, tiny, weight and bias
};
struct sizes {
  std::int64_t height, width, tiny, kernel, stride, padding, dilation;
};

result convolved(sizes const& s, at::MemoryFormat format, bool apart) {
  auto const drawn = [&](std::vector<std::int64_t> const& dims, std::uint64_t seed) {
    at::Tensor const values = numbers(dims, seed);
    return (dims.size() == 4 ? values.contiguous(format) : values).set_requires_grad(true);
  };
  at::Tensor const x = drawn({2, 3, s.height, s.width}, 1), tiny = drawn({2, 2, std::min(s.height, s.tiny), std::min(s.width, s.tiny)}, 2),
                   weight = drawn({4, 5, s.kernel, s.kernel}, 3), bias = drawn({4}, 4);
  at::Tensor const joined = at::cat({x, c2f::broadcast_interior(tiny, s.height, s.width, format)}, 1);
  pair const stride{s.stride, s.stride}, padding{s.padding, s.padding}, dilation{s.dilation, s.dilation};
  at::Tensor const y = apart ? c2f::detail::conv_broadcast_concat({joined, x, tiny}, weight, bias, stride, padding, dilation)
                             : at::conv2d(joined, weight, bias, stride, padding, dilation);
  y.mul(numbers(y.sizes().vec(), 5)).sum().backward();
  return {y.detach(), {x.grad(), tiny.grad(), weight.grad(), bias.grad()}};
}

}  // namespace

TEST_CASE("conv_broadcast_concat: the convolution of the joined map and its gradients") {
  int taken = 0, all = 0;
  for (std::int64_t const kernel : {1, 3, 4, 7})
    for (std::int64_t const stride : {1, 2, 3})
      for (std::int64_t const padding : {std::int64_t{0}, kernel / 2, kernel + 1})
        for (std::int64_t const dilation : {1, 2})
          for (std::int64_t const tiny : {1, 5, 7})
            for (auto const& [height, width] : {pair{31, 26}, pair{14, 40}, pair{7, 30}, pair{25, 25}}) {
              sizes const s{height, width, tiny, kernel, stride, padding, dilation};
              CAPTURE(height, width, tiny, kernel, stride, padding, dilation);
              if (std::min(height, width) + 2 * padding < dilation * (kernel - 1) + 1) continue;
              auto const format   = (height + kernel) % 2 == 0 ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast;
              result const wanted = convolved(s, format, false), found = convolved(s, format, true);
              REQUIRE(found.y.sizes() == wanted.y.sizes());
              REQUIRE(relative(found.y, wanted.y) < 1e-12);
              for (std::size_t i = 0; i < 4; ++i) REQUIRE(relative(found.gradients[i], wanted.gradients[i]) < 1e-12);
              ++all;
              taken += c2f::detail::kept_side(height, std::min(height, tiny), kernel, stride, padding, dilation).kept > 0 &&
                       c2f::detail::kept_side(width, std::min(width, tiny), kernel, stride, padding, dilation).kept > 0;
            }
  REQUIRE(all > 500);
  REQUIRE(taken > all / 3);  // most of the rest are too small
}

TEST_CASE("conv_broadcast_concat: the size of the reduced map, counted by hand") {
  // ResNet's first layer: outputs 0, 1 and 2 read pixels above 2, and outputs 110 and 111 read pixels below 221.
  c2f::detail::kept_side const resnet(224, 5, 7, 2, 3, 1);
  REQUIRE(resnet.kept == 7);
  REQUIRE(resnet.size == 14);
  // 3x3 on 32x32: three outputs at each end.
  c2f::detail::kept_side const cifar(32, 5, 3, 1, 1, 1);
  REQUIRE(cifar.kept == 7);
  REQUIRE(cifar.size == 7);
  // Each of the seven outputs reads the edge of the map, so nothing can be left out.
  REQUIRE(c2f::detail::kept_side(7, 5, 3, 1, 1, 1).kept == 0);
  REQUIRE(c2f::detail::kept_side(8, 5, 3, 1, 1, 1).kept == 7);
}

TEST_CASE("a convolution of more than 3x3 splits the map that broadcast_concat_scope names, and no other") {
  at::Tensor const x = numbers({2, 3, 16, 16}, 1).to(at::kFloat), tiny = numbers({2, 2, 5, 5}, 2).to(at::kFloat), other = tiny.add(1);
  at::Tensor const joined = at::cat({x, c2f::broadcast_interior(tiny, 16, 16, at::MemoryFormat::Contiguous)}, 1);
  auto const look         = [&]<class Conv>(Conv conv, bool apart) {
    c2f::initialize(conv, 1);
    for (c2f::mode const mode : {c2f::train, c2f::eval}) {
      at::Tensor const whole = conv(joined, mode);
      // The scope names a wrong map on purpose: a convolution that uses it gives a different result.
      c2f::broadcast_concat_scope const wrong({joined, x, other});
      REQUIRE(conv(joined.clone(), mode).equal(whole));
      REQUIRE(conv(joined, mode).allclose(whole) != apart);
      {
        c2f::broadcast_concat_scope const inner({joined, x, tiny});
        REQUIRE(conv(joined, mode).allclose(whole, 1e-4, 1e-5));
      }
      REQUIRE(conv(joined, mode).allclose(whole) != apart);
      // A map that was modified in place is no longer that concatenation.
      at::Tensor const changed = joined.clone();
      c2f::broadcast_concat_scope const before({changed, x, tiny});
      changed.mul_(2);
      REQUIRE(conv(changed, mode).equal(conv(changed.clone(), mode)));
    }
    c10::InferenceMode const no_versions;
    at::Tensor const again = at::cat({x, c2f::broadcast_interior(tiny, 16, 16, at::MemoryFormat::Contiguous)}, 1);
    c2f::broadcast_concat_scope const scope({again, x, tiny});
    REQUIRE(conv(again, c2f::eval).allclose(conv(joined, c2f::eval), 1e-4, 1e-5));
  };
  look(c2f::conv<4, 5>::on<c2f::image<5, 16, 16>>{}, true);
  look(c2f::conv<4, 7, 2>::on<c2f::image<5, 16, 16>>{}, true);
  look(c2f::conv<4, 3>::on<c2f::image<5, 16, 16>>{}, false);
}

namespace {

template <class Network, class Evaluation>
struct task {
  using input                       = c2f::image<3, 40, 44>;
  using network                     = Network;
  using encoder                     = c2f::encode::tile<Evaluation>;
  using schedule                    = c2f::schedule::ramp<0.5, 10>;
  static constexpr char const* name = "broadcast";
};

template <class Network, class Evaluation>
std::vector<at::Tensor> gradients(at::MemoryFormat format) {
  c2f::stack<task<Network, Evaluation>> model(3);
  at::Tensor const images = numbers({4, 3, 40, 44}, 1).to(at::kFloat).contiguous(format), truth = at::arange(4);
  std::array<std::int64_t, 4> ids{0, 1, 2, 3};
  c2f::pass p{.mode = c2f::train, .truth = truth, .t = 0.5, .ids = ids};
  model(images, p);
  p.loss().backward();
  std::vector<at::Tensor> all{p.loss().detach()};
  for (auto const& each : c2f::parameters(model)) all.push_back(each.grad());
  return all;
}

}  // namespace

TEST_CASE("a stack whose fine network begins with a convolution has the gradients of the definition") {
  auto const same = []<class Network>(std::type_identity<Network>) {
    for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      auto const found = gradients<Network, c2f::encode::compact>(format), wanted = gradients<Network, c2f::encode::naive>(format);
      REQUIRE(found.size() == wanted.size());
      for (std::size_t i = 0; i < found.size(); ++i) REQUIRE(relative(found[i], wanted[i]) < 2e-3);
    }
  };
  same(std::type_identity<c2f::resnet<10, c2f::class_vector<4>>>{});
  same(std::type_identity<
       c2f::predicts<c2f::class_vector<4>, c2f::conv<8, 5>, c2f::batch_norm, c2f::relu, c2f::global_average_pool, c2f::linear<4>>>{});
}

namespace {

/// A user's encoder with a member function `tiny` of its own.
struct own_tiny {
  template <class Kind, c2f::image_shape Like>
  struct on : c2f::encode::tile<>::on<Kind, Like> {
    [[nodiscard]] double tiny() const { return 1e-30; }
  };
};
struct with_own_tiny : task<c2f::resnet_cifar<8, c2f::class_vector<4>>, c2f::encode::compact> {
  using encoder = own_tiny;
};

}  // namespace

TEST_CASE("an unrelated member called tiny of an encoder is not used") {
  c2f::stack<with_own_tiny> const mine(3);
  c2f::stack<task<c2f::resnet_cifar<8, c2f::class_vector<4>>, c2f::encode::compact>> const ours(3);
  at::Tensor const images = numbers({2, 3, 40, 44}, 1).to(at::kFloat);
  REQUIRE(mine.encoder.tiny() < 1);
  REQUIRE(mine(images, c2f::eval).fine.equal(ours(images, c2f::eval).fine));
}
