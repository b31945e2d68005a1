// Initial values: fan-in, fan-out, and the distributions that depend on them.
#include <c2f/conformance.hpp>
#include <c2f/core/architecture.hpp>
#include <c2f/core/initial.hpp>

#include <cmath>
#include <numbers>

#include "catch.hpp"

namespace {

constexpr std::array<std::int64_t, 4> kernel{6, 2, 3, 5};  // a convolution: 2 channels -> 6, 3x5
static_assert(c2f::initial::fan_in(kernel) == 2 * 3 * 5 && c2f::initial::fan_out(kernel) == 6 * 3 * 5);
constexpr std::array<std::int64_t, 2> matrix{7, 4};  // a linear layer: 4 -> 7
static_assert(c2f::initial::fan_in(matrix) == 4 && c2f::initial::fan_out(matrix) == 7);

template <class Initial>
struct layer {
  c2f::parameter<Initial, 64, 16, 3, 3> weight;
  C2F_MEMBERS(weight);
};

/// Elements 0 ... 7 of "weight" with seed 5, divided by their deviation: Box-Muller (cosine) on two uniform numbers each.
std::array<double, 8> standard_normal() {
  c2f::random_stream uniform(5, c2f::purpose::initial_value, 0, c2f::hash_of("weight"));
  std::array<double, 8> numbers{};
  for (double& number : numbers) {
    double const first = uniform.uniform(), second = uniform.uniform();
    number = std::sqrt(-2 * std::log(first)) * std::cos(2 * std::numbers::pi * second);
  }
  return numbers;
}

template <class Initial>
void has_deviation(double wanted) {
  layer<Initial> net;
  c2f::initialize(net, 5);
  at::Tensor const drawn = net.weight.tensor().detach().flatten().to(at::kDouble);
  auto const numbers     = standard_normal();
  for (std::size_t i = 0; i < numbers.size(); ++i)
    REQUIRE(drawn[static_cast<std::int64_t>(i)].item<double>() == Approx(wanted * numbers[i]).epsilon(1e-6));
  // 9,216 samples: the standard error of the mean is 1 %, that of the deviation .74 % of the deviation; five of them are allowed.
  REQUIRE(std::abs(drawn.mean().item<double>()) < .05 * wanted);
  REQUIRE(drawn.square().mean().sqrt().item<double>() == Approx(wanted).epsilon(.037));
}

}  // namespace

// Fan-in 16 * 9 = 144, fan-out 64 * 9 = 576.
TEST_CASE("normal initial values have the deviation of their formula") {
  has_deviation<c2f::initial::xavier_normal>(std::sqrt(2.0 / (144 + 576)));
  has_deviation<c2f::initial::he_normal>(std::sqrt(2.0 / 576));
  has_deviation<c2f::initial::he_normal_in>(std::sqrt(2.0 / 144));
}
