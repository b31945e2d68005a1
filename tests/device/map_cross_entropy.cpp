// cuda/kernels/map_cross_entropy.cuh against ATen's cross-entropy in double, through c2f::loss::masked_cross_entropy.
#include <ATen/ops/allclose.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/where.h>
#include <c2f/c2f.hpp>
#include <c2f/loss/masked_cross_entropy.hpp>

#include <limits>

#include "catch.hpp"
#include "device.hpp"

namespace {

using loss = c2f::loss::masked_cross_entropy<255>;

/// Random classes below `classes`; about a third of the pixels is ignored.
at::Tensor labels(std::int64_t classes, std::vector<std::int64_t> const& dims, std::uint64_t seed) {
  at::Tensor const truth = tests::integers(classes, dims, seed);
  return truth.masked_fill(tests::integers(3, dims, seed + 1).eq(0), 255);
}
std::pair<at::Tensor, at::Tensor> loss_and_gradient(c2f::fused_operations const* table, at::Tensor const& raw, at::Tensor const& truth) {
  c2f::with_fused const scope(table);
  at::Tensor const input = raw.detach().clone().set_requires_grad(true), value = loss::of(input, truth);
  value.mul(3).backward();
  return {value.detach(), input.grad()};
}
/// The same by ATen, in double.
std::pair<at::Tensor, at::Tensor> exactly(at::Tensor const& raw, at::Tensor const& truth) {
  at::Tensor const input = raw.detach().to(at::kDouble).set_requires_grad(true);
  at::Tensor const value = at::cross_entropy_loss(input, truth, {}, at::Reduction::Sum, 255).div(truth.ne(255).sum().clamp_min(1));
  value.mul(3).backward();
  return {value.detach(), input.grad()};
}

}  // namespace

TEST_CASE("kernel map_cross_entropy: vectors, through c2f::loss::cross_entropy") {
  C2F_NEEDS_DEVICE();
  struct sizes {
    std::int64_t n, k;
  };
  for (auto const type : {at::kFloat, at::kBFloat16})
    for (auto const& [n, k] : {sizes{1, 2}, sizes{7, 31}, sizes{128, 100}, sizes{300, 33}, sizes{5, 1000}}) {
      at::Tensor const raw = tests::normal({n, 2 * k}, 1).mul(4).to(type).narrow(1, 0, k), truth = tests::integers(k, {n}, 2);
      auto const by = [&](c2f::fused_operations const* table, at::ScalarType as) {
        c2f::with_fused const scope(table);
        at::Tensor const input = raw.detach().to(as).set_requires_grad(true), value = c2f::loss::cross_entropy::of(input, truth);
        value.mul(3).backward();
        return std::pair{value.detach(), input.grad()};
      };
      auto const exact = [&] {
        at::Tensor const input = raw.detach().to(at::kDouble).set_requires_grad(true), value = at::cross_entropy_loss(input, truth);
        value.mul(3).backward();
        return std::pair{value.detach(), input.grad()};
      };
      auto const [value, gradient]    = by(&c2f::cuda::fused, type);
      auto const [wanted, wanted_too] = exact();
      REQUIRE(std::abs(value.item<double>() - wanted.item<double>()) <= 3e-6 * wanted.item<double>());
      REQUIRE(gradient.scalar_type() == type);
      double const scale = wanted_too.abs().max().item<double>();
      REQUIRE(gradient.to(at::kDouble).sub(wanted_too).abs().max().item<double>() <= (type == at::kFloat ? 1e-6 : 4e-3) * scale);
      auto const [again, gradient_again] = by(&c2f::cuda::fused, type);
      REQUIRE(again.equal(value));
      REQUIRE(gradient_again.equal(gradient));
      auto const [usual, gradient_usual] = by(nullptr, type);
      REQUIRE(std::abs(usual.item<double>() - value.item<double>()) <= 3e-6 * wanted.item<double>());
    }
}

TEST_CASE("kernel map_cross_entropy: vectors whose truth is no class") {
  C2F_NEEDS_DEVICE();
  c2f::with_fused const scope(&c2f::cuda::fused);
  at::Tensor const raw = tests::normal({6, 10}, 1).set_requires_grad(true), truth = tests::integers(10, {6}, 2);
  truth[2].fill_(-100);
  truth[5].fill_(-100);
  at::Tensor const value = c2f::loss::cross_entropy::of(raw, truth);
  value.backward();
  REQUIRE(std::abs(value.item<double>() - at::cross_entropy_loss(raw.detach().to(at::kDouble), truth).item<double>()) < 1e-6);
  REQUIRE(raw.grad().select(0, 2).abs().sum().item<double>() == 0);
  REQUIRE(raw.grad().select(0, 0).abs().sum().item<double>() > 0);
  for (std::int64_t const wrong : {-1, 10}) {
    at::Tensor const bad = truth.clone();
    bad[0].fill_(wrong);
    REQUIRE(std::isnan(c2f::loss::cross_entropy::of(raw.detach(), bad).item<double>()));
  }
  REQUIRE(c2f::loss::cross_entropy::of(raw.detach(), truth.fill_(-100)).item<double>() == 0);
}

TEST_CASE("kernel map_cross_entropy: the mean over the pixels that are not ignored, and its gradient") {
  C2F_NEEDS_DEVICE();
  struct sizes {
    std::int64_t n, k, height, width;
  };
  for (auto const type : {at::kFloat, at::kBFloat16})
    for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
      for (auto const& [n, k, height, width] : {sizes{1, 2, 24, 24}, sizes{3, 21, 17, 13}, sizes{2, 21, 64, 50}, sizes{2, 2, 1, 1},
                                                sizes{1, 3, 1, 70}, sizes{3, 5, 40, 41}, sizes{1, 150, 9, 8}}) {
        at::Tensor const raw   = tests::normal({n, k, height, width}, 1).mul(4).to(type).contiguous(format);
        at::Tensor const truth = labels(k, {n, height, width}, 2);
        truth[0][0][0].fill_(1);
        auto const [value, gradient]    = loss_and_gradient(&c2f::cuda::fused, raw, truth);
        auto const [wanted, wanted_too] = exactly(raw, truth);
        REQUIRE(value.scalar_type() == at::kFloat);
        REQUIRE(value.dim() == 0);
        REQUIRE(std::abs(value.item<double>() - wanted.item<double>()) <= 3e-6 * wanted.item<double>());
        REQUIRE(gradient.scalar_type() == type);
        REQUIRE(gradient.is_contiguous(format));
        double const scale = wanted_too.abs().max().item<double>();
        REQUIRE(gradient.to(at::kDouble).sub(wanted_too).abs().max().item<double>() <= (type == at::kFloat ? 1e-6 : 4e-3) * scale);
        REQUIRE(gradient.masked_select(truth.eq(255).unsqueeze(1)).abs().sum().item<double>() == 0);
        auto const [again, gradient_again] = loss_and_gradient(&c2f::cuda::fused, raw, truth);
        REQUIRE(again.equal(value));
        REQUIRE(gradient_again.equal(gradient));
        auto const [defined, gradient_defined] = loss_and_gradient(nullptr, raw, truth);
        REQUIRE(std::abs(value.item<double>() - defined.item<double>()) <= 3e-6 * wanted.item<double>());
      }
}

TEST_CASE("kernel map_cross_entropy: all pixels ignored, large numbers, labels that are no class, NaN, one channel, doubles") {
  C2F_NEEDS_DEVICE();
  at::Tensor const raw = tests::normal({2, 4, 5, 6}, 1), all = tests::integers(1, {2, 5, 6}, 1).fill_(255);
  auto const [nothing, none] = loss_and_gradient(&c2f::cuda::fused, raw, all);
  REQUIRE(nothing.item<float>() == 0);
  REQUIRE(none.abs().sum().item<float>() == 0);

  at::Tensor const truth         = labels(4, {2, 5, 6}, 2);
  auto const [large, to_large]   = loss_and_gradient(&c2f::cuda::fused, raw.mul(1e4), truth);
  auto const [wanted, to_wanted] = exactly(raw.mul(1e4), truth);
  REQUIRE(std::abs(large.item<double>() - wanted.item<double>()) <= 3e-6 * wanted.item<double>());
  REQUIRE(at::allclose(to_large.to(at::kDouble), to_wanted, 1e-5, 1e-8));

  // Ignored pixels may have any value.
  at::Tensor const broken = at::where(truth.eq(255).unsqueeze(1), std::numeric_limits<double>::quiet_NaN(), raw);
  REQUIRE(loss_and_gradient(&c2f::cuda::fused, broken, truth).first.equal(loss_and_gradient(&c2f::cuda::fused, raw, truth).first));
  REQUIRE(loss_and_gradient(&c2f::cuda::fused, broken, truth).second.equal(loss_and_gradient(&c2f::cuda::fused, raw, truth).second));
  REQUIRE(loss_and_gradient(&c2f::cuda::fused, broken, tests::integers(4, {2, 5, 6}, 2)).first.isnan().item<bool>());
  for (int const wrong : {-1, 4, 1000}) {
    at::Tensor const no_class = truth.clone();
    no_class[1][2][3].fill_(wrong);
    REQUIRE(loss_and_gradient(&c2f::cuda::fused, raw, no_class).first.isnan().item<bool>());
  }

  at::Tensor const mask = tests::integers(2, {2, 5, 6}, 3), one = raw.narrow(1, 0, 1);
  REQUIRE(loss_and_gradient(&c2f::cuda::fused, one, mask).first.equal(loss_and_gradient(nullptr, one, mask).first));
  REQUIRE(loss_and_gradient(&c2f::cuda::fused, raw.to(at::kDouble), truth)
              .first.equal(loss_and_gradient(nullptr, raw.to(at::kDouble), truth).first));
  // A map that is a slice of another one.
  at::Tensor const part = tests::normal({2, 9, 5, 11}, 5).narrow(1, 3, 4).narrow(3, 2, 6);
  REQUIRE(
      loss_and_gradient(&c2f::cuda::fused, part, truth).first.equal(loss_and_gradient(&c2f::cuda::fused, part.contiguous(), truth).first));
}
