// Boxes, non-maximum suppression and average precision, by hand and against the definition.
#include <cmath>
#include <limits>

#include <c2f/core/random.hpp>
#include <c2f/metrics/detection.hpp>

#include "catch.hpp"

using namespace c2f::metrics;

TEST_CASE("intersection over union, by hand") {
  box const a{0, 0, 4, 4};
  REQUIRE(iou(a, a) == 1);
  REQUIRE(iou(a, {2, 0, 6, 4}) == Approx(8.0 / 24));  // 2x4 of 16 + 16 - 8
  REQUIRE(iou(a, {1, 1, 3, 3}) == Approx(4.0 / 16));  // inside
  REQUIRE(iou(a, {3, 3, 5, 5}) == Approx(1.0 / 19));  // a corner
  REQUIRE(iou(a, {4, 0, 8, 4}) == 0);                 // side by side
  REQUIRE(iou(a, {5, 5, 6, 6}) == 0);                 // apart in both directions
  REQUIRE(iou({1, 1, 1, 1}, {1, 1, 1, 1}) == 0);      // empty
  REQUIRE(iou({3, 3, 0, 0}, a) == 0);                 // inside out
  REQUIRE(box::around(3, 5, 2, 4) == box{2, 3, 4, 7});
  REQUIRE(box{2, 3, 4, 7}.centre_x() == 3);
  REQUIRE(box{2, 3, 4, 7}.centre_y() == 5);
}

TEST_CASE("non-maximum suppression keeps the best of what overlaps") {
  // Box 1 is best and removes box 0 (IoU 8/12). Box 2 overlaps box 0 by 8/12 as well but box 1 only by 6/14: kept at .5, removed at .3.
  std::vector<box> const boxes{{0, 0, 5, 2}, {1, 0, 6, 2}, {-1, 0, 4, 2}, {20, 0, 25, 2}};
  std::vector<double> const scores{.8, .9, .7, .1};
  REQUIRE(iou(boxes[0], boxes[1]) == Approx(8.0 / 12));
  REQUIRE(iou(boxes[1], boxes[2]) == Approx(6.0 / 14));
  REQUIRE(suppress(boxes, scores, .5) == std::vector<std::size_t>{1, 2, 3});
  REQUIRE(suppress(boxes, scores, .3) == std::vector<std::size_t>{1, 3});
  REQUIRE(suppress(boxes, scores, 1) == std::vector<std::size_t>{1, 0, 2, 3});
  REQUIRE(suppress({}, {}, .5).empty());
  REQUIRE_THROWS_AS(suppress(boxes, std::vector<double>{1, 2}, .5), c2f::input_error);
  REQUIRE_THROWS_AS(suppress(boxes, std::vector<double>{1, std::nan(""), 0, 0}, .5), c2f::input_error);
}

TEST_CASE("average precision of five detections, by hand") {
  // Three annotations: one in image 0, two in image 1.
  std::vector<annotation> const truth{{0, {0, 0, 10, 10}}, {1, {0, 0, 10, 10}}, {1, {50, 50, 60, 60}}};
  // In the order of the scores:            correct?                                   precision   recall
  //   .9  image 0, exact                   yes                                        1/1         1/3
  //   .8  image 0, exact again             no: that annotation is taken               1/2
  //   .7  image 2                          no: nothing is annotated there             1/3
  //   .6  image 1, IoU 80/100              yes                                        2/4         2/3
  //   .5  image 1, IoU 60/140 < 1/2        no                                         2/5
  // The third annotation is never found: recall ends at 2/3. Area: 1/3 * 1 + 1/3 * 1/2 = 1/2.
  std::vector<detection> found{
      {0, {0, 0, 10, 10}, .8}, {1, {0, 0, 10, 8}, .6}, {0, {0, 0, 10, 10}, .9}, {1, {54, 50, 64, 60}, .5}, {2, {0, 0, 10, 10}, .7}};
  REQUIRE(*average_precision(found, truth) == Approx(1.0 / 2));
  // At IoU 2/5 the last one is correct as well: precision 3/5 at recall 1 lifts the 2/4 before it. 1/3 (1 + 3/5 + 3/5) = 11/15.
  REQUIRE(*average_precision(found, truth, .4) == Approx(11.0 / 15));
  // At .9 only the first is correct.
  REQUIRE(*average_precision(found, truth, .9) == Approx(1.0 / 3));
  REQUIRE(*average_precision({}, truth) == 0);
  REQUIRE(!average_precision(found, {}).has_value());

  // A detection is compared only with the annotation that it overlaps most: the second one here is wrong although it overlaps the second
  // annotation by 7/13 as well.
  std::vector<annotation> const close{{0, {0, 0, 10, 1}}, {0, {4, 0, 14, 1}}};
  std::vector<detection> const both{{0, {0, 0, 10, 1}, .9}, {0, {1, 0, 11, 1}, .8}};
  REQUIRE(*average_precision(both, close, .4) == Approx(1.0 / 2));

  found[0].score = std::numeric_limits<double>::quiet_NaN();
  REQUIRE_THROWS_AS(average_precision(found, truth), c2f::input_error);
}

namespace {
// The definition, written differently: the curve as a list of (recall, precision), and its area summed over the steps of recall.
double by_definition(std::vector<detection> found, std::vector<annotation> truth, double least) {
  std::vector<std::pair<double, double>> curve;
  double const all = static_cast<double>(truth.size());
  int right = 0, n = 0;
  while (!found.empty()) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < found.size(); ++i)
      if (found[i].score > found[best].score) best = i;
    detection const d = found[best];
    found.erase(found.begin() + static_cast<std::ptrdiff_t>(best));
    ++n;
    double most         = -1;
    annotation* nearest = nullptr;
    for (auto& a : truth)
      if ((a.image & 1023) == d.image && iou(a.where, d.where) > most) most = iou(a.where, d.where), nearest = &a;
    if (nearest != nullptr && most >= least && nearest->image < 1024) {
      ++right;
      nearest->image += 1024;  // taken
    }
    curve.emplace_back(right / all, static_cast<double>(right) / n);
  }
  double area = 0, before = 0;
  for (auto const& [recall, unused] : curve) {
    double best = 0;
    for (auto const& [r, p] : curve)
      if (r >= recall) best = std::max(best, p);
    area += (recall - before) * best;
    before = recall;
  }
  return area;
}
}  // namespace

TEST_CASE("average precision equals its definition on random lists") {
  c2f::random_stream draw{3, c2f::purpose::synthesis, 0, 0};
  auto const some_box = [&] {
    double const x = draw.below(12), y = draw.below(12);
    return box{x, y, x + 3 + draw.below(6), y + 3 + draw.below(6)};
  };
  double sum = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<annotation> truth;
    std::vector<detection> found;
    for (std::uint32_t n = 1 + draw.below(12); n > 0; --n) truth.push_back({draw.below(4), some_box()});
    for (std::uint32_t n = draw.below(30); n > 0; --n) found.push_back({draw.below(5), some_box(), draw.uniform()});
    double const least = .1 + .2 * draw.below(4);
    REQUIRE(*average_precision(found, truth, least) == Approx(by_definition(found, truth, least)).margin(1e-12));
    sum += *average_precision(found, truth, least);
  }
  REQUIRE(sum > 10);  // the lists do overlap
}

TEST_CASE("the mean leaves out classes that are never annotated") {
  REQUIRE(*mean_average_precision(std::vector<std::optional<double>>{.5, std::nullopt, 1.0}) == .75);
  REQUIRE(!mean_average_precision(std::vector<std::optional<double>>{std::nullopt}).has_value());
}
