// Batch normalisation and its running statistics, by hand.
#include <c2f/conformance.hpp>
#include <c2f/layers/norm.hpp>

#include <ATen/ops/tensor.h>

#include <cmath>

#include "catch.hpp"

TEST_CASE("batch normalisation by hand: running statistics move by a tenth, with the unbiased variance") {
  c2f::batch_norm::on<c2f::image<1, 1, 2>> norm;
  c2f::initialize(norm, 1);
  // Mean 4, biased variance (9 + 1 + 1 + 9) / 4 = 5, unbiased variance 20 / 3.
  at::Tensor const x       = at::tensor({1.0f, 3.0f, 5.0f, 7.0f}).view({2, 1, 1, 2});
  at::Tensor const centred = at::tensor({-3.0f, -1.0f, 1.0f, 3.0f}).view({2, 1, 1, 2});
  auto const close         = [](at::Tensor const& value, double wanted) { return std::abs(value.item<double>() - wanted) < 1e-6; };
  REQUIRE(norm(x, c2f::train).allclose(centred.div(std::sqrt(5 + 1e-5)), 1e-5, 1e-6));
  REQUIRE(close(norm.running_mean.tensor(), .1 * 4));
  REQUIRE(close(norm.running_var.tensor(), .9 * 1 + .1 * 20 / 3));
  norm(x, c2f::train);
  double const mean = .9 * (.1 * 4) + .1 * 4, variance = .9 * (.9 * 1 + .1 * 20 / 3) + .1 * 20 / 3;  // .76 and 2.07667
  REQUIRE(close(norm.running_mean.tensor(), mean));
  REQUIRE(close(norm.running_var.tensor(), variance));
  REQUIRE(norm.num_batches_tracked.tensor().item<std::int64_t>() == 2);
  // Inference uses the running statistics and does not change them.
  REQUIRE(norm(x, c2f::eval).allclose(x.sub(mean).div(std::sqrt(variance + 1e-5)), 1e-5, 1e-6));
  REQUIRE(close(norm.running_mean.tensor(), mean));
  REQUIRE(norm.num_batches_tracked.tensor().item<std::int64_t>() == 2);
}
