// The Jensen-Shannon divergence against the vectors of kornia's tests (tests/losses/test_divergence.py) and by hand.
#include <c2f/metrics/divergence.hpp>

#include <ATen/ops/allclose.h>
#include <ATen/ops/tensor.h>

#include "catch.hpp"

namespace {

at::Tensor row(std::vector<double> const& values) { return at::tensor(values, at::TensorOptions(at::kDouble)).view({1, -1}); }
double apart(std::vector<at::Tensor> const& distributions) { return c2f::metrics::jensen_shannon(distributions).item<double>(); }

}  // namespace

TEST_CASE("the divergence of published distributions") {
  at::Tensor const p = row({12, 2, 1, .5, .25, .25}).div(16), q = row({2, 2, 2, 2, 4, 4}).div(16);
  REQUIRE(apart({p, q}) == Approx(.26888563716722658).epsilon(1e-12));
  REQUIRE(apart({q, p}) == Approx(.26888563716722658).epsilon(1e-12));
  // Three distributions with zeros: entropy of the mean (.27778, .31111, .41111), 1.084503, minus the mean entropy .705614.
  REQUIRE(apart({row({.5, .5, 0}), row({0, .1, .9}), row({1. / 3, 1. / 3, 1. / 3})}) == Approx(.378889).epsilon(1e-5));
}

TEST_CASE("the divergence of equal distributions is 0, that of disjoint ones is maximal") {
  at::Tensor const p = row({.2, .3, .5});
  REQUIRE(apart({p, p}) == Approx(0).margin(1e-15));
  REQUIRE(apart({p}) == Approx(0).margin(1e-15));
  REQUIRE(apart({row({1, 0}), row({0, 1})}) == Approx(std::log(2.0)));
  REQUIRE(apart({row({1, 0, 0}), row({0, 1, 0}), row({0, 0, 1})}) == Approx(std::log(3.0)));
  REQUIRE_THROWS_AS(apart({}), c2f::input_error);
}

TEST_CASE("maps are compared pixel by pixel") {
  at::Tensor const p = at::tensor({.2, .6, .8, .4}, at::TensorOptions(at::kDouble)).view({1, 2, 1, 2}), q = p.flip({1});
  at::Tensor const map = c2f::metrics::jensen_shannon({p, q});
  REQUIRE(map.sizes() == at::IntArrayRef({1, 1, 2}));
  REQUIRE(map[0][0][0].item<double>() == Approx(apart({row({.2, .8}), row({.8, .2})})));
  REQUIRE(map[0][0][1].item<double>() == Approx(apart({row({.6, .4}), row({.4, .6})})));
}
