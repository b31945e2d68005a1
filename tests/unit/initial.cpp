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

namespace {
template <class Initial, std::int64_t... Dims>
struct layer_of {
  c2f::parameter<Initial, Dims...> weight;
  C2F_MEMBERS(weight);
};
template <class Initial, std::int64_t... Dims>
at::Tensor values_of(std::uint64_t seed) {
  layer_of<Initial, Dims...> net;
  c2f::initialize(net, seed);
  return net.weight.tensor().detach();
}
template <std::int64_t... Dims>
void is_orthogonal() {
  at::Tensor const w = values_of<c2f::initial::orthogonal<>, Dims...>(3), drawn = values_of<c2f::initial::xavier_normal, Dims...>(3);
  at::Tensor const flat = w.flatten(1).to(at::kDouble), from = drawn.flatten(1).to(at::kDouble);
  bool const wide       = flat.size(0) <= flat.size(1);
  at::Tensor const rows = wide ? flat : flat.t(), random = wide ? from : from.t(), gram = rows.mm(rows.t());
  for (std::int64_t i = 0; i < gram.size(0); ++i)
    for (std::int64_t j = 0; j < gram.size(0); ++j) REQUIRE(std::abs(gram[i][j].item<double>() - (i == j ? 1 : 0)) < 1e-5);
  // R = A Q^T of the drawn A is triangular with a positive diagonal, as in torch.nn.init.orthogonal_.
  at::Tensor const triangle = random.mm(rows.t());
  double const scale        = triangle.abs().max().item<double>();
  for (std::int64_t i = 0; i < triangle.size(0); ++i) {
    REQUIRE(triangle[i][i].item<double>() > 0);
    for (std::int64_t j = i + 1; j < triangle.size(0); ++j) REQUIRE(std::abs(triangle[i][j].item<double>()) < 1e-5 * scale);
  }
}
}  // namespace

TEST_CASE("orthogonal weights have orthonormal rows, or columns, and are a function of seed and path") {
  is_orthogonal<6, 20>();
  is_orthogonal<20, 6>();
  is_orthogonal<16, 16>();
  is_orthogonal<5, 3, 3, 3>();
  is_orthogonal<32, 2, 3, 3>();
  is_orthogonal<1, 7>();
  using c2f::initial::orthogonal;
  REQUIRE(values_of<orthogonal<>, 6, 20>(3).equal(values_of<orthogonal<>, 6, 20>(3)));
  REQUIRE_FALSE(values_of<orthogonal<>, 6, 20>(3).equal(values_of<orthogonal<>, 6, 20>(4)));
  at::Tensor const twice = values_of<orthogonal<2.0>, 4, 9>(3);
  REQUIRE(twice.sub(values_of<orthogonal<>, 4, 9>(3).mul(2)).abs().max().item<double>() < 1e-6);
}

// The formula of the FCN code: 1 - |i - centre| / factor with factor = (k + 1) / 2, centre = factor - 1 (odd k) or factor - 1/2.
TEST_CASE("bilinear weights are FCN's up-sampling kernel") {
  auto const check = []<std::int64_t K>() {
    double const factor = static_cast<double>((K + 1) / 2), centre = K % 2 == 1 ? factor - 1 : factor - .5;
    auto const tent         = [&](std::int64_t i) { return 1 - std::abs(static_cast<double>(i) - centre) / factor; };
    at::Tensor const square = values_of<c2f::initial::bilinear, 3, 3, K, K>(1), grouped = values_of<c2f::initial::bilinear, 3, 1, K, K>(1);
    for (std::int64_t a = 0; a < 3; ++a)
      for (std::int64_t b = 0; b < 3; ++b)
        for (std::int64_t i = 0; i < K; ++i)
          for (std::int64_t j = 0; j < K; ++j) {
            auto const wanted = static_cast<float>(tent(i) * tent(j));
            REQUIRE(square[a][b][i][j].item<float>() == (a == b ? wanted : 0));
            REQUIRE(grouped[a][0][i][j].item<float>() == wanted);
          }
  };
  check.operator()<3>();
  check.operator()<4>();
  check.operator()<16>();
}
