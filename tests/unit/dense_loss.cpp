// The losses of dense maps against their definitions, and their gradients against the analytical derivatives.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/kinds/dense.hpp>
#include <c2f/kinds/weighted_dense.hpp>
#include <c2f/loss/cross_entropy_with.hpp>
#include <c2f/loss/dice.hpp>
#include <c2f/loss/hardest.hpp>
#include <c2f/loss/masked_cross_entropy.hpp>
#include <c2f/loss/sum.hpp>

#include "catch.hpp"

namespace {

using entropy = c2f::loss::masked_cross_entropy<>;
using dice    = c2f::loss::dice<>;

// A truth of weighted_dense has another form: classes, and weights.
template <class Loss>
inline constexpr bool of_labels = c2f::serves_kind<Loss, c2f::dense<3>> && !c2f::serves_kind<Loss, c2f::weighted_dense<3>>;
static_assert(of_labels<entropy> && of_labels<dice> && of_labels<c2f::loss::hardest<0.2>> &&
              of_labels<c2f::loss::masked_cross_entropy_with<0.1>> && of_labels<c2f::loss::sum<dice, c2f::loss::weighted<entropy, 2.0>>>);
static_assert(c2f::serves_kind<c2f::loss::weighted_hardest<0.2>, c2f::weighted_dense<3>>);

struct batch {
  std::int64_t n, k, h = 5, w = 4;
  at::Tensor raw, truth;
  batch(std::int64_t samples, std::int64_t classes) : n(samples), k(classes) {
    raw   = c2f::detail::sample_numbers({n, k, h, w}, 3).to(at::kFloat).mul(3).set_requires_grad(true);
    truth = at::zeros({n, h, w}, at::TensorOptions(at::kLong));
    c2f::random_stream random(4, c2f::purpose::synthesis, 0, 1);
    auto* const label = truth.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < truth.numel(); ++i)
      label[i] = random.below(5) == 0 ? 255 : random.below(static_cast<std::uint32_t>(std::max<std::int64_t>(2, k)));
  }
  [[nodiscard]] std::int64_t label(std::int64_t i, std::int64_t y, std::int64_t x) const { return truth[i][y][x].item<std::int64_t>(); }
  // The probability of a class, by its definition.
  [[nodiscard]] double p(std::int64_t i, std::int64_t c, std::int64_t y, std::int64_t x) const {
    auto const at = [&](std::int64_t channel) { return raw[i][channel][y][x].item<double>(); };
    if (k == 1) return 1 / (1 + std::exp(-at(0)));
    double sum = 0;
    for (std::int64_t other = 0; other < k; ++other) sum += std::exp(at(other));
    return std::exp(at(c)) / sum;
  }
  [[nodiscard]] bool is(std::int64_t i, std::int64_t c, std::int64_t y, std::int64_t x) const { return label(i, y, x) == (k == 1 ? 1 : c); }
};

}  // namespace

TEST_CASE("the cross-entropy of maps is the mean over the pixels that are not ignored") {
  for (std::int64_t const classes : {1, 2, 4}) {
    batch const b(3, classes);
    double sum = 0, counted = 0;
    for (std::int64_t i = 0; i < b.n; ++i)
      for (std::int64_t y = 0; y < b.h; ++y)
        for (std::int64_t x = 0; x < b.w; ++x) {
          std::int64_t const label = b.label(i, y, x);
          if (label == 255) continue;
          sum -= std::log(classes == 1 ? (label == 1 ? b.p(i, 0, y, x) : 1 - b.p(i, 0, y, x)) : b.p(i, label, y, x));
          ++counted;
        }
    at::Tensor const loss = entropy::of(b.raw, b.truth);
    REQUIRE(std::abs(loss.item<double>() - sum / counted) < 1e-5);
    loss.backward();
    at::Tensor const slope = b.raw.grad();
    for (std::int64_t i = 0; i < b.n; ++i)
      for (std::int64_t c = 0; c < classes; ++c)
        for (std::int64_t y = 0; y < b.h; ++y)
          for (std::int64_t x = 0; x < b.w; ++x) {
            double const wanted = b.label(i, y, x) == 255 ? 0 : (b.p(i, c, y, x) - b.is(i, c, y, x)) / counted;
            REQUIRE(std::abs(slope[i][c][y][x].item<double>() - wanted) < 1e-6);
          }
  }
}

TEST_CASE("a map of ignored pixels has loss 0 and a gradient") {
  at::Tensor const truth = at::zeros({2, 3, 3}, at::TensorOptions(at::kLong)).fill_(255);
  for (std::int64_t const classes : {1, 3}) {
    for (bool const entropy_loss : {true, false}) {
      at::Tensor const raw  = c2f::detail::sample_numbers({2, classes, 3, 3}, 1).to(at::kFloat).set_requires_grad(true);
      at::Tensor const loss = entropy_loss ? entropy::of(raw, truth) : dice::of(raw, truth);
      REQUIRE(loss.item<double>() == 0);
      loss.backward();
      REQUIRE(raw.grad().abs().max().item<double>() == 0);
    }
  }
}

TEST_CASE("the Dice loss is its formula, sample by sample and class by class") {
  for (std::int64_t const classes : {1, 2, 4}) {
    batch const b(3, classes);
    constexpr double e = 1e-6;
    double sum         = 0;
    std::vector<double> common, all;
    for (std::int64_t i = 0; i < b.n; ++i)
      for (std::int64_t c = 0; c < classes; ++c) {
        common.push_back(0), all.push_back(0);
        for (std::int64_t y = 0; y < b.h; ++y)
          for (std::int64_t x = 0; x < b.w; ++x) {
            if (b.label(i, y, x) == 255) continue;
            common.back() += b.is(i, c, y, x) ? b.p(i, c, y, x) : 0;
            all.back() += b.p(i, c, y, x) + b.is(i, c, y, x);
          }
        sum += 1 - (2 * common.back() + e) / (all.back() + e);
      }
    double const count    = static_cast<double>(b.n * classes);
    at::Tensor const loss = dice::of(b.raw, b.truth);
    REQUIRE(std::abs(loss.item<double>() - sum / count) < 1e-5);
    loss.backward();
    at::Tensor const slope = b.raw.grad();
    // d loss / d p of each class, then through the sigmoid or the softmax.
    for (std::int64_t i = 0; i < b.n; ++i)
      for (std::int64_t y = 0; y < b.h; ++y)
        for (std::int64_t x = 0; x < b.w; ++x) {
          std::vector<double> by_p;
          double mean = 0;
          for (std::int64_t c = 0; c < classes; ++c) {
            auto const j = static_cast<std::size_t>(i * classes + c);
            by_p.push_back(b.label(i, y, x) == 255
                               ? 0
                               : -(2.0 * b.is(i, c, y, x) * (all[j] + e) - (2 * common[j] + e)) / ((all[j] + e) * (all[j] + e)) / count);
            mean += by_p.back() * b.p(i, c, y, x);
          }
          for (std::int64_t c = 0; c < classes; ++c) {
            double const p      = b.p(i, c, y, x);
            double const wanted = classes == 1 ? by_p[0] * p * (1 - p) : p * (by_p[static_cast<std::size_t>(c)] - mean);
            REQUIRE(std::abs(slope[i][c][y][x].item<double>() - wanted) < 1e-6);
          }
        }
  }
}

// Hand-computed: masks of 3x3 with p of exactly 0, .5 and 1 to float.
TEST_CASE("the Dice loss of a hard mask") {
  at::Tensor truth = at::zeros({1, 3, 3}, at::TensorOptions(at::kLong));
  truth[0][0].fill_(1);
  at::Tensor raw = at::zeros({1, 1, 3, 3}).fill_(-100);
  REQUIRE(std::abs(dice::of(raw, truth).item<double>() - 1) < 1e-6);  // 1 - e / (3 + e)
  raw.select(2, 0).fill_(100);
  REQUIRE(std::abs(dice::of(raw, truth).item<double>()) < 1e-6);
  raw.select(2, 1).fill_(0);  // three more of .5: 1 - 6 / (4.5 + 3)
  REQUIRE(std::abs(dice::of(raw, truth).item<double>() - 0.2) < 1e-6);
  truth[0][1].fill_(255);
  REQUIRE(std::abs(dice::of(raw, truth).item<double>()) < 1e-6);
  REQUIRE(dice::of(at::zeros({1, 1, 3, 3}).fill_(-200), at::zeros({1, 3, 3}, at::TensorOptions(at::kLong))).item<double>() == 0);
}

TEST_CASE("a sum of losses is weighted, and serves the kinds that all its terms serve") {
  using both = c2f::loss::sum<c2f::loss::weighted<dice, 0.25>, entropy, c2f::loss::weighted<dice, 2>>;
  batch const b(2, 3);
  double const wanted = 2.25 * dice::of(b.raw, b.truth).item<double>() + entropy::of(b.raw, b.truth).item<double>();
  REQUIRE(std::abs(both::of(b.raw, b.truth).item<double>() - wanted) < 1e-5);
  REQUIRE(both::serves<c2f::dense<3>>);
  REQUIRE_FALSE(both::serves<c2f::dense<3, -1>>);
  REQUIRE_FALSE(both::serves<c2f::class_vector<3>>);
  REQUIRE_FALSE(c2f::loss::sum<entropy, c2f::loss::cross_entropy>::serves<c2f::dense<1>>);
}

TEST_CASE("losses of maps are computed in float") {
  batch const b(2, 3);
  REQUIRE(dice::of(b.raw.to(at::kBFloat16), b.truth).scalar_type() == at::kFloat);
  REQUIRE(entropy::of(b.raw.to(at::kBFloat16), b.truth).scalar_type() == at::kFloat);
}
