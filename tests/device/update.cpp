// cuda/kernels/update.cuh against ATen's fused optimisers, which take one tensor per parameter.
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <limits>

#include "catch.hpp"
#include "device.hpp"

namespace {

auto const& table = c2f::cuda::fused;

at::TensorOptions floats() { return at::TensorOptions(at::kFloat).device(tests::device()); }
at::Tensor scalar(double value, at::ScalarType type) { return at::full({}, value, floats().dtype(type)); }

// Parameters in flat buffers, with 7 between the pieces, and the same parameters as tensors of their own, which ATen updates.
struct flat_and_separate {
  std::vector<c2f::flat_piece> pieces;
  at::Tensor parameters, low, momenta, second;
  std::vector<at::Tensor> wanted, wanted_momenta, wanted_second, wanted_steps;
  std::vector<at::Tensor> gradients;

  explicit flat_and_separate(std::vector<std::int64_t> const& sizes) {
    std::int64_t all = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      // Every third piece has a learning-rate multiplier, every third one a weight-decay multiplier.
      pieces.push_back({all, sizes[i], i % 3 == 1 ? 0.25 : 1.0, i % 3 == 2 ? 0.0 : 1.0});
      all += (sizes[i] + 63) / 64 * 64;
    }
    parameters = at::full({all}, 7, floats());
    low        = at::full({all}, 7, floats().dtype(at::kBFloat16));
    momenta = at::zeros({all}, floats()), second = at::zeros({all}, floats());
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      wanted.push_back(tests::normal({sizes[i]}, 100 + i));
      wanted_momenta.push_back(at::zeros_like(wanted[i]));
      wanted_second.push_back(at::zeros_like(wanted[i]));
      wanted_steps.push_back(scalar(0, at::kFloat));
      of(parameters, i).copy_(wanted[i]);
      of(low, i).copy_(wanted[i]);
    }
    gradients.resize(sizes.size());
  }
  [[nodiscard]] at::Tensor of(at::Tensor const& flat, std::size_t i) const { return flat.narrow(0, pieces[i].begin, pieces[i].size); }

  // The gradients of a step: every fifth is missing, every fourth is not aligned, every seventh is bfloat16.
  void draw_gradients(std::uint64_t step) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      std::int64_t const n = pieces[i].size;
      gradients[i]         = i % 5 == 3 ? at::Tensor{} : tests::normal({n + 1}, 1000 * step + i).narrow(0, i % 4 == 2 ? 1 : 0, n);
      if (i % 7 == 4) gradients[i] = gradients[i].defined() ? gradients[i].to(at::kBFloat16) : gradients[i];
    }
  }
  [[nodiscard]] c2f::flat_update update(double decay, at::Tensor learning_rate) const {
    return {.parameters    = parameters,
            .low           = low,
            .pieces        = pieces,
            .gradients     = gradients,
            .weight_decay  = decay,
            .learning_rate = std::move(learning_rate)};
  }
  void require_same(double close = 1e-5) const {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      REQUIRE(at::allclose(of(parameters, i), wanted[i], close, 1e-6));
      REQUIRE(at::allclose(of(momenta, i), wanted_momenta[i], close, 1e-6));
      REQUIRE(at::allclose(of(second, i), wanted_second[i], close, 1e-6));
      REQUIRE(of(low, i).equal(of(parameters, i).to(at::kBFloat16)));
      std::int64_t const end = pieces[i].begin + pieces[i].size, next = (end + 63) / 64 * 64;
      for (auto const& flat : {parameters, low.to(at::kFloat)}) REQUIRE(flat.narrow(0, end, next - end).eq(7).all().item<bool>());
    }
  }
  [[nodiscard]] std::vector<at::Tensor> bytes() const { return {parameters.clone(), low.clone(), momenta.clone(), second.clone()}; }
};

// Less than a group, less than 64, whole chunks, and one that reaches into a third chunk.
std::vector<std::int64_t> const some_sizes{1, 3, 64, 65, 2048, 5000, 7, 4096, 2047, 1, 130, 6};
std::vector<std::int64_t> tiny_sizes() {
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0; i < 1500; ++i) sizes.push_back(1 + i * i % 70);
  return sizes;
}

void sgd_by_aten(flat_and_separate& of, std::size_t i, double learning_rate, double decay, double momentum, bool nesterov,
                 bool rate_is_a_tensor) {
  at::AutoDispatchBelowADInplaceOrView const below_autograd;
  std::vector<at::Tensor> const p{of.wanted[i]}, g{of.gradients[i].to(at::kFloat)}, m{of.wanted_momenta[i]}, none;
  learning_rate *= of.pieces[i].learning_rate_multiplier, decay *= of.pieces[i].weight_decay_multiplier;
  if (rate_is_a_tensor)
    at::_fused_sgd_(p, g, momentum != 0 ? m : none, decay, momentum, scalar(learning_rate, at::kFloat), 0, nesterov, false, false);
  else
    at::_fused_sgd_(p, g, momentum != 0 ? m : none, decay, momentum, learning_rate, 0, nesterov, false, false);
}

}  // namespace

TEST_CASE("kernel sgd: parameters, momenta and the bfloat16 copy are what ATen's fused update of each tensor gives") {
  C2F_NEEDS_DEVICE();
  for (double const momentum : {0.0, 0.9})
    for (bool const nesterov : {false, true})
      for (double const decay : {0.0, 0.01})
        for (bool const rate_is_a_tensor : {false, true}) {
          if (nesterov && momentum == 0) continue;
          flat_and_separate of(some_sizes);
          at::Tensor const learning_rate = scalar(0, at::kDouble);
          for (std::uint64_t step = 0; step < 4; ++step) {
            double const now = 0.1 / static_cast<double>(1 + step);
            learning_rate.fill_(now);
            of.draw_gradients(step);
            table.sgd(of.update(decay, learning_rate), {momentum, nesterov, momentum != 0 ? of.momenta : at::Tensor{}});
            for (std::size_t i = 0; i < of.pieces.size(); ++i)
              if (of.gradients[i].defined()) sgd_by_aten(of, i, now, decay, momentum, nesterov, rate_is_a_tensor);
            of.require_same();
          }
        }
}

TEST_CASE("kernel adam: parameters, moments and the bfloat16 copy are what ATen's fused update of each tensor gives") {
  C2F_NEEDS_DEVICE();
  for (bool const decoupled : {false, true})
    for (double const decay : {0.0, 0.01})
      for (double const beta1 : {0.9, 0.5}) {
        flat_and_separate of(some_sizes);
        at::Tensor const learning_rate = scalar(0.01, at::kDouble), step = scalar(0, at::kLong);
        for (std::uint64_t k = 0; k < 4; ++k) {
          of.draw_gradients(k);
          table.adam(of.update(decay, learning_rate), {beta1, 0.99, 1e-6, decoupled, of.momenta, of.second, step});
          at::AutoDispatchBelowADInplaceOrView const below_autograd;
          for (std::size_t i = 0; i < of.pieces.size(); ++i) {
            if (!of.gradients[i].defined()) continue;
            auto const& piece = of.pieces[i];
            of.wanted_steps[i].add_(1);
            std::vector<at::Tensor> const p{of.wanted[i]}, g{of.gradients[i].to(at::kFloat)}, m{of.wanted_momenta[i]},
                v{of.wanted_second[i]}, s{of.wanted_steps[i]}, none;
            double const lr = 0.01 * piece.learning_rate_multiplier, wd = decay * piece.weight_decay_multiplier;
            if (decoupled)
              at::_fused_adamw_(p, g, m, v, none, s, lr, beta1, 0.99, wd, 1e-6, /*amsgrad=*/false, /*maximize=*/false);
            else
              at::_fused_adam_(p, g, m, v, none, s, lr, beta1, 0.99, wd, 1e-6, /*amsgrad=*/false, /*maximize=*/false);
          }
          of.require_same(1e-4);
          REQUIRE(step.item<std::int64_t>() == static_cast<std::int64_t>(k) + 1);
        }
      }
}

TEST_CASE("kernel sgd: 1,500 pieces take several launches") {
  C2F_NEEDS_DEVICE();
  flat_and_separate of(tiny_sizes());
  at::Tensor const learning_rate = scalar(0.1, at::kDouble), norm = scalar(0, at::kDouble);
  double squares = 0;
  of.draw_gradients(1);
  table.sgd(of.update(0.01, learning_rate), {0.9, true, of.momenta});
  table.gradient_norm(of.gradients, of.pieces, norm);
  for (std::size_t i = 0; i < of.pieces.size(); ++i) {
    if (!of.gradients[i].defined()) continue;
    sgd_by_aten(of, i, 0.1, 0.01, 0.9, true, false);
    squares += of.gradients[i].to(at::kDouble).square().sum().item<double>();
  }
  of.require_same();
  REQUIRE(std::abs(norm.item<double>() - std::sqrt(squares)) < 1e-9 * std::sqrt(squares));
}

TEST_CASE("kernel sgd: `scale` gives the same as gradients that are scaled before") {
  C2F_NEEDS_DEVICE();
  flat_and_separate of(some_sizes), scaled(some_sizes);
  at::Tensor const learning_rate = scalar(0.1, at::kDouble);
  of.draw_gradients(1);
  scaled.gradients = of.gradients;
  for (auto& each : scaled.gradients)
    if (each.defined()) each = each.to(at::kFloat).mul(0.25);
  c2f::flat_update update = of.update(0.1, learning_rate);
  update.scale            = scalar(0.25, at::kFloat);
  table.sgd(update, {0.9, false, of.momenta});
  table.sgd(scaled.update(0.1, learning_rate), {0.9, false, scaled.momenta});
  REQUIRE(of.parameters.equal(scaled.parameters));
  REQUIRE(of.momenta.equal(scaled.momenta));
}

TEST_CASE("kernel sgd: a gradient in channels_last updates a piece in channels_last") {
  C2F_NEEDS_DEVICE();
  std::vector<std::int64_t> const dims{8, 5, 3, 3};
  auto const last      = at::MemoryFormat::ChannelsLast;
  at::Tensor const was = tests::normal(dims, 1).contiguous(last), gradient = tests::normal(dims, 2).contiguous(last);
  at::Tensor const flat = at::zeros({384}, floats()), view = flat.as_strided(dims, was.strides());
  view.copy_(was);
  std::vector<c2f::flat_piece> const pieces{{0, 360}};
  table.sgd({.parameters = flat, .pieces = pieces, .gradients = {&gradient, 1}, .learning_rate = scalar(0.5, at::kDouble)}, {});
  REQUIRE(at::allclose(view, was.sub(gradient.mul(0.5))));
}

TEST_CASE("kernels sgd and adam: a skipped update changes no byte") {
  C2F_NEEDS_DEVICE();
  flat_and_separate of(some_sizes);
  at::Tensor const learning_rate = scalar(0.1, at::kDouble), step = scalar(3, at::kLong);
  of.draw_gradients(1);
  of.gradients[0].fill_(std::numeric_limits<float>::quiet_NaN());
  auto const before       = of.bytes();
  c2f::flat_update update = of.update(0.1, learning_rate);
  update.skip             = scalar(1, at::kFloat);
  table.sgd(update, {0.9, true, of.momenta});
  table.adam(update, {0.9, 0.99, 1e-8, true, of.momenta, of.second, step});
  auto const after = of.bytes();
  for (std::size_t i = 0; i < before.size(); ++i) REQUIRE(after[i].equal(before[i]));
  REQUIRE(step.item<std::int64_t>() == 3);

  of.draw_gradients(1);
  update.skip.zero_();
  table.sgd(update, {0.9, true, of.momenta});
  REQUIRE_FALSE(of.parameters.equal(before[0]));
}

TEST_CASE("kernel gradient_norm: the norm of all gradients, finite where all of their elements are") {
  C2F_NEEDS_DEVICE();
  flat_and_separate of(some_sizes);
  at::Tensor const norm    = scalar(0, at::kDouble);
  auto const found         = [&] { return table.gradient_norm(of.gradients, of.pieces, norm), norm.item<double>(); };
  constexpr float infinity = std::numeric_limits<float>::infinity();
  REQUIRE(found() == 0);  // nothing has a gradient yet

  of.draw_gradients(1);
  std::vector<at::Tensor> all;
  for (auto const& each : of.gradients)
    if (each.defined()) all.push_back(each.to(at::kDouble));
  double const wanted = at::cat(all).norm().item<double>();
  REQUIRE(std::abs(found() - wanted) < 1e-12 * wanted);
  REQUIRE(found() == found());  // bit for bit

  for (float const bad : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()})
    for (std::size_t const i : {std::size_t{0}, std::size_t{5}, some_sizes.size() - 1}) {
      of.draw_gradients(2);
      of.gradients[i].narrow(0, of.pieces[i].size - 1, 1).fill_(bad);
      REQUIRE_FALSE(std::isfinite(found()));
    }
  of.draw_gradients(2);
  for (auto& each : of.gradients)
    if (each.defined()) each.fill_(3e38);
  REQUIRE(std::isfinite(found()));
  REQUIRE(found() > 3e38);
}

TEST_CASE("kernel decide_step: which steps are skipped, and the scale") {
  C2F_NEEDS_DEVICE();
  at::TensorOptions const doubles = floats().dtype(at::kDouble);
  c2f::step_outcome const to{scalar(9, at::kFloat), scalar(9, at::kFloat), at::zeros({3}, doubles)};
  auto const decide = [&](double norm, double first, double second, double clip) {
    at::Tensor const losses = at::zeros({2}, doubles);
    losses[0].fill_(first), losses[1].fill_(second);
    table.decide_step(scalar(norm, at::kDouble), losses, clip, to);
    REQUIRE(to.result.narrow(0, 0, 2).allclose(losses, 0, 0, /*equal_nan=*/true));
    REQUIRE(to.result[2].item<double>() == to.skip.item<double>());
    return std::pair{to.skip.item<double>(), to.scale.item<double>()};
  };
  double const infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  REQUIRE(decide(4, 1, 2, 0) == std::pair{0.0, 1.0});
  REQUIRE(decide(4, 1, 2, 5) == std::pair{0.0, 1.0});   // below the clip
  REQUIRE(decide(4, 1, 2, 1) == std::pair{0.0, 0.25});  // above it
  REQUIRE(decide(infinity, 1, 2, 1) == std::pair{1.0, 1.0});
  REQUIRE(decide(nan, 1, 2, 1) == std::pair{1.0, 1.0});
  REQUIRE(decide(4, nan, 2, 1) == std::pair{1.0, 1.0});
  REQUIRE(decide(4, 1, -infinity, 1) == std::pair{1.0, 1.0});
  REQUIRE(decide(1e200, 1, 2, 0) == std::pair{0.0, 1.0});  // large, and no clip
}

TEST_CASE("kernel sgd: a piece that is larger than a part's limit becomes several parts; invalid gradients are refused") {
  at::Tensor const gradient = at::zeros({300}, at::TensorOptions(at::kBFloat16));
  std::vector<c2f::flat_piece> const pieces{{128, 300, 0.5, 0.25}};
  auto const parts = c2f::cuda::detail::parts_of({&gradient, 1}, pieces, 2, 128);
  REQUIRE(parts.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(parts[i].gradient == static_cast<char const*>(gradient.const_data_ptr()) + 256 * i);
    REQUIRE(parts[i].begin == 2 + 2 * i);
    REQUIRE(parts[i].size == (i < 2 ? 128u : 44u));
    REQUIRE(parts[i].in_bfloat16 == 1);
    REQUIRE(parts[i].learning_rate_multiplier == 0.5f);
    REQUIRE(parts[i].decay == 0.5f);
  }
  for (auto const& wrong : {gradient.to(at::kDouble), gradient.narrow(0, 0, 299), at::zeros({1}).expand({300})}) {
    REQUIRE_THROWS_AS(c2f::cuda::detail::parts_of({&wrong, 1}, pieces, 0), c2f::error);
  }
  std::vector<at::Tensor> const two{gradient, gradient};
  REQUIRE_THROWS_AS(c2f::cuda::detail::parts_of(two, pieces, 0), c2f::error);
  for (std::int64_t const begin : {300, 384, 448 + 1})
    REQUIRE_THROWS_AS(c2f::cuda::detail::parts_of(two, std::vector<c2f::flat_piece>{{128, 300}, {begin, 300}}, 0), c2f::error);
}
