// Confusion matrices, ROC areas and bootstrap intervals against numbers worked out by hand and by their definitions.
#include <c2f/metrics/bootstrap.hpp>
#include <c2f/metrics/confusion.hpp>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "refusal.hpp"

using namespace c2f::metrics;

TEST_CASE("precision, recall, F1 and IoU by hand", "[confusion]") {
  // truths 0 0 0 0 1 1 2, predictions 0 0 1 2 1 0 1; class 3 occurs in neither.
  confusion matrix(4);
  for (auto const& [t, p] : {std::pair{0, 0}, {0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 0}, {2, 1}}) matrix.add(t, p);
  auto const near = [](double a, double b) { return std::abs(a - b) < 1e-12; };
  REQUIRE(matrix.total() == 7);
  REQUIRE(matrix.count(0, 2) == 1);
  REQUIRE(matrix.of_class(0) == 4);
  REQUIRE(matrix.taken_for(1) == 3);
  REQUIRE(near(matrix.accuracy(), 3.0 / 7));
  REQUIRE(near(matrix.recall(0), .5));
  REQUIRE(near(matrix.precision(0), 2.0 / 3));
  REQUIRE(near(matrix.f1(0), 4.0 / 7));
  REQUIRE(near(matrix.iou(0), 2.0 / 5));
  REQUIRE(near(matrix.recall(1), .5));
  REQUIRE(near(matrix.precision(1), 1.0 / 3));
  REQUIRE(matrix.recall(2) == 0);
  REQUIRE(std::isnan(matrix.recall(3)));
  REQUIRE(std::isnan(matrix.iou(3)));
  REQUIRE(near(matrix.macro_f1(), (4.0 / 7 + 2.0 / 5 + 0) / 3));
  REQUIRE(near(matrix.macro_recall(), 1.0 / 3));
  REQUIRE(near(matrix.mean_iou(), (2.0 / 5 + 1.0 / 4 + 0) / 3));
  confusion none(2);
  none.add(0, 1);
  REQUIRE(none.precision(0) == 0);
  none.add(confusion(2));
  REQUIRE(none.total() == 1);
  tests::require_message(tests::refusal([&] { none.add(2, 0); }), {"2 classes has no class 2"});
  for (std::int64_t const other : {1, 3})
    tests::require_message(tests::refusal([&] { none.add(confusion(other)); }),
                           {std::to_string(other) + " classes is added to one of 2", "the same classes"});
  REQUIRE(none.total() == 1);
  tests::require_message(tests::refusal([&] { none.add(0, -1); }), {"no class -1"});
}

TEST_CASE("the area under a ROC curve is the share of pairs in the right order", "[confusion]") {
  std::vector<double> const scores{.1, .4, .35, .8, .35, .9, .35};
  std::vector<bool> const positive{false, false, true, true, false, false, true};
  double right = 0, pairs = 0;
  for (std::size_t i = 0; i < scores.size(); ++i)
    for (std::size_t j = 0; j < scores.size(); ++j)
      if (positive[i] && !positive[j]) right += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? .5 : 0, ++pairs;
  REQUIRE(std::abs(roc_area(scores, positive) - right / pairs) < 1e-12);
  REQUIRE(roc_area(std::vector<double>{1, 2}, {false, true}) == 1);
  REQUIRE(roc_area(std::vector<double>{1, 2}, {true, false}) == 0);
  REQUIRE(std::isnan(roc_area(std::vector<double>{1, 2}, {true, true})));
  tests::require_message(tests::refusal([] { static_cast<void>(roc_area(std::vector<double>{1}, {true, false})); }),
                         {"1 scores", "2 labels"});
  double const nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  tests::require_message(tests::refusal([&] { static_cast<void>(roc_area(std::vector<double>{1, nan, nan}, {true, false, true})); }),
                         {"sample 1 is not a number"});
  REQUIRE(roc_area(std::vector<double>{infinite, -infinite}, {true, false}) == 1);
}

TEST_CASE("a bootstrap interval of a mean is that of the normal approximation", "[confusion]") {
  std::size_t const n = 400;
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = i % 4 == 0 ? 0 : 1;
  auto const mean = [&](std::vector<std::size_t> const& chosen) {
    double sum = 0;
    for (std::size_t const i : chosen) sum += values[i];
    return sum / static_cast<double>(chosen.size());
  };
  auto const found  = bootstrap(n, mean, 2000);
  double const half = 1.96 * std::sqrt(.75 * .25 / static_cast<double>(n));
  REQUIRE(std::abs(found.low - (.75 - half)) < .006);
  REQUIRE(std::abs(found.high - (.75 + half)) < .006);
  auto const again = bootstrap(n, mean, 2000), other = bootstrap(n, mean, 2000, 2);
  REQUIRE(again.low == found.low);
  REQUIRE((other.low != found.low || other.high != found.high));
  tests::require_message(tests::refusal([&] { static_cast<void>(bootstrap(0, mean)); }), {"no samples"});
  REQUIRE(std::isnan(bootstrap(3, [](auto const&) { return std::nan(""); }).low));
}
