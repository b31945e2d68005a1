// The parts for boxes satisfy the laws of all parts.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include "catch.hpp"

namespace {

template <class Part, class Like = c2f::image<3, 9, 7>>
void keeps_its_laws() {
  auto const report = c2f::conformance<Part, Like, c2f::boxes<2>>();
  std::string broken;
  for (auto const& law : report.broken()) broken += law + '\n';
  REQUIRE(broken == "");
  REQUIRE(report.laws() > 0);
}

/// Hard edges that falsely claim to be differentiable.
struct false_gradient : c2f::encode::rasterize<> {
  static constexpr bool differentiable = true;
};

}  // namespace

TEST_CASE("rasterize satisfies its laws, with hard and with soft edges") {
  keeps_its_laws<c2f::encode::rasterize<>>();
  keeps_its_laws<c2f::encode::rasterize<c2f::encode::soft<2>>>();
  keeps_its_laws<c2f::encode::rasterize<c2f::encode::hard, 5, 3, 5, 1>>();
  REQUIRE_FALSE(c2f::conformance<false_gradient, c2f::image<3, 9, 7>, c2f::boxes<2>>());
}

TEST_CASE("sources satisfy their laws on boxes") {
  keeps_its_laws<c2f::source::sample>();
  keeps_its_laws<c2f::source::mean>();
  keeps_its_laws<c2f::source::corrupt<>>();
  keeps_its_laws<c2f::source::prediction>();
}

TEST_CASE("localisers satisfy their laws") {
  // Twelve channels: with few, a position where every ReLU is 0 would put the next ReLU exactly at its kink.
  using layers = c2f::sequential<c2f::conv<12, 3, 2>, c2f::batch_norm, c2f::relu>;
  keeps_its_laws<c2f::localiser<layers, c2f::boxes<2>, 6>, c2f::image<3, 12, 10>>();
  keeps_its_laws<c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<2>, 6>, c2f::image<3, 32, 32>>();
  keeps_its_laws<c2f::localiser<c2f::resnet_cifar_features<8, c2f::basic_block, 2>, c2f::boxes<1>, 6>, c2f::image<3, 24, 24>>();
}
