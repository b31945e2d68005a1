// The loss of the hardest pixels against the naive definition: sort, take the first k, mean.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/loss/hardest.hpp>

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "catch.hpp"

namespace {
double number(at::Tensor const& x) { return x.item<double>(); }
double naive(at::Tensor const& raw, at::Tensor const& truth, double fraction, std::int64_t ignore) {
  at::Tensor const p = raw.to(at::kDouble).log_softmax(1);
  std::vector<double> losses;
  for (std::int64_t n = 0; n < raw.size(0); ++n)
    for (std::int64_t y = 0; y < raw.size(2); ++y)
      for (std::int64_t x = 0; x < raw.size(3); ++x)
        if (auto const label = truth[n][y][x].item<std::int64_t>(); label != ignore) losses.push_back(-number(p[n][label][y][x]));
  if (losses.empty()) return 0;
  std::sort(losses.rbegin(), losses.rend());
  auto const k = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(losses.size())));
  double sum   = 0;
  for (std::size_t i = 0; i < k; ++i) sum += losses[i];
  return sum / static_cast<double>(k);
}
}  // namespace

TEST_CASE("the mean of the largest losses, of the pixels that are not ignored") {
  at::Tensor const raw = c2f::detail::sample_numbers({2, 3, 6, 7}, 1).mul(3).to(at::kFloat);
  at::Tensor truth     = c2f::detail::sample_numbers({2, 3, 6, 7}, 2).argmax(1);
  for (int round = 0; round < 3; ++round) {
    if (round == 1) truth.narrow(2, 0, 3).fill_(255);  // k follows the pixels that count
    if (round == 2) truth.narrow(0, 0, 1).fill_(255);
    REQUIRE(number(c2f::loss::hardest<0.2>::of(raw, truth)) == Approx(naive(raw, truth, .2, 255)).epsilon(1e-5));
    REQUIRE(number(c2f::loss::hardest<0.5>::of(raw, truth)) == Approx(naive(raw, truth, .5, 255)).epsilon(1e-5));
    REQUIRE(number(c2f::loss::hardest<1>::of(raw, truth)) ==
            Approx(number(c2f::loss::masked_cross_entropy<>::of(raw, truth))).epsilon(1e-5));
  }
  truth.masked_fill_(truth.eq(255), 11);
  REQUIRE(number(c2f::loss::hardest<0.2, 11>::of(raw, truth)) == Approx(naive(raw, truth, .2, 11)).epsilon(1e-5));
  REQUIRE(number(c2f::loss::hardest<0.2>::of(raw.to(at::kBFloat16), truth.clamp_max(2))) > 0);
}

TEST_CASE("only the chosen pixels have a gradient, equal losses are chosen together, and a batch of ignored pixels has none") {
  at::Tensor const raw   = at::tensor({0.f, 0.f, 0.f, 0.f, -4.f, 0.f, 0.f, 4.f}).view({1, 2, 1, 4}).set_requires_grad(true);
  at::Tensor const truth = at::tensor({std::int64_t{1}, std::int64_t{1}, std::int64_t{1}, std::int64_t{1}}).view({1, 1, 4});
  at::Tensor const loss  = c2f::loss::hardest<0.5>::of(raw, truth);  // 4.018, .693, .693 and .018: the second largest is there twice
  REQUIRE(number(loss) == Approx((std::log(1 + std::exp(4)) + 2 * std::log(2)) / 3));
  loss.backward();
  at::Tensor const gradient = raw.grad().select(1, 0).flatten();
  REQUIRE(number(gradient[1]) > 0);
  REQUIRE(number(gradient[1]) == number(gradient[2]));
  REQUIRE(number(gradient[3]) == 0);
  // An ignored pixel does not count, even where pixels that do have no loss.
  at::Tensor const sure = at::tensor({200.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f}).view({1, 2, 1, 4}),
                   some = at::tensor({0, 0, 255, 255}, at::kLong);
  REQUIRE(number(c2f::loss::hardest<1>::of(sure, some.view({1, 1, 4}))) == Approx(std::log(2) / 2));
  at::Tensor const other = raw.detach().clone().set_requires_grad(true);
  at::Tensor const none  = c2f::loss::hardest<0.5>::of(other, truth.clone().fill_(255));
  REQUIRE(number(none) == 0);
  none.backward();
  REQUIRE(number(other.grad().abs().max()) == 0);
}

static_assert(c2f::serves_kind<c2f::loss::hardest<0.2>, c2f::dense<3>> && !c2f::serves_kind<c2f::loss::hardest<0.2>, c2f::dense<1>> &&
              !c2f::serves_kind<c2f::loss::hardest<0.2>, c2f::dense<11, 11>> &&
              !c2f::serves_kind<c2f::loss::hardest<0.2>, c2f::class_vector<5>>);
