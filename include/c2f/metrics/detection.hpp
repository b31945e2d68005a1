// c2f/metrics/detection.hpp: boxes, intersection over union, non-maximum suppression, average precision.
//
//   c2f::metrics::box a{0, 0, 4, 4}, b{2, 0, 6, 4};
//   c2f::metrics::iou(a, b);                                        // 8 / 24 = 1/3
//   auto kept = c2f::metrics::suppress(boxes, scores, .3);          // non-maximum suppression: indices, best first
//   auto ap   = c2f::metrics::average_precision(found, annotated);  // of one class or part; nullopt if it is never annotated
//
// Average precision is that of Pascal VOC since 2010 (Everingham et al., "The Pascal visual object classes challenge: a
// retrospective", IJCV 2015). Detections are visited by descending score. Each is compared with the annotation of its image with which its
// IoU is largest; it is a true positive if that IoU is at least 1/2 and no earlier detection matched that annotation. The result is the
// area under the precision-recall curve, where the precision at a recall is the maximum over all recalls at least as high.
//
// Units are the caller's: pixels or fractions. Coordinates are edges: a box's width is x1 - x0, with nothing added. Pixel i of a row covers
// i ... i + 1.
// Cost: suppress is quadratic in the number of boxes, average_precision in those of one image. Equal scores keep the given order.
// Errors: input_error if the numbers of scores and boxes differ, or if a score is NaN.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <c2f/core/errors.hpp>

namespace c2f::metrics {

/// A rectangle from (x0, y0), its top left corner, to (x1, y1); x to the right, y down.
struct box {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;

  [[nodiscard]] constexpr double width() const { return x1 - x0; }
  [[nodiscard]] constexpr double height() const { return y1 - y0; }
  [[nodiscard]] constexpr double area() const { return x1 > x0 && y1 > y0 ? width() * height() : 0; }
  [[nodiscard]] constexpr double centre_x() const { return (x0 + x1) / 2; }
  [[nodiscard]] constexpr double centre_y() const { return (y0 + y1) / 2; }
  /// From centre and size.
  [[nodiscard]] static constexpr box around(double x, double y, double width, double height) {
    return {x - width / 2, y - height / 2, x + width / 2, y + height / 2};
  }
  /// The part inside of a picture.
  [[nodiscard]] constexpr box clipped(double high, double wide) const {
    return {std::clamp(x0, 0.0, wide), std::clamp(y0, 0.0, high), std::clamp(x1, 0.0, wide), std::clamp(y1, 0.0, high)};
  }
  /// The part inside the square [0, side] x [0, side].
  [[nodiscard]] constexpr box clipped(double side) const { return clipped(side, side); }
  friend bool operator==(box const&, box const&) = default;
};

/// The area that both cover.
[[nodiscard]] constexpr double shared_area(box const& a, box const& b) {
  return box{std::max(a.x0, b.x0), std::max(a.y0, b.y0), std::min(a.x1, b.x1), std::min(a.y1, b.y1)}.area();
}
/// Intersection over union, 0 ... 1; 0 if both boxes are empty.
[[nodiscard]] constexpr double iou(box const& a, box const& b) {
  double const shared = shared_area(a, b), all = a.area() + b.area() - shared;
  return all > 0 ? shared / all : 0;
}

namespace detail {
/// For std::sort of indices: descending scores, of equal ones the lower index first. No score is NaN.
template <class Score>
auto better_score(Score score) {
  return [score](auto a, auto b) { return score(a) != score(b) ? score(a) > score(b) : a < b; };
}
template <class Score>
std::vector<std::size_t> best_first(std::size_t n, Score score) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t const i : order)
    if (std::isnan(score(i)))
      throw input_error("the score of detection " + std::to_string(i) + " is not a number; leave that detection out");
  std::sort(order.begin(), order.end(), better_score(score));
  return order;
}
}  // namespace detail

/// Greedy non-maximum suppression: keeps the box with the highest score, drops those whose IoU with it exceeds `most`, and repeats.
/// Returns the indices of the kept boxes, best first.
[[nodiscard]] inline std::vector<std::size_t> suppress(std::span<box const> boxes, std::span<double const> scores, double most) {
  if (boxes.size() != scores.size())
    throw input_error("non-maximum suppression was given " + std::to_string(boxes.size()) + " boxes and " + std::to_string(scores.size()) +
                      " scores; give one score a box");
  std::vector<std::size_t> kept;
  for (std::size_t const i : detail::best_first(boxes.size(), [&](std::size_t n) { return scores[n]; }))
    if (std::none_of(kept.begin(), kept.end(), [&](std::size_t k) { return iou(boxes[i], boxes[k]) > most; })) kept.push_back(i);
  return kept;
}

/// A predicted box with its score.
struct detection {
  std::int64_t image;
  box where;
  double score;
};

/// A ground-truth box.
struct annotation {
  std::int64_t image;
  box where;
};

/// Average precision of one class, 0 ... 1; nullopt without annotations, as recall is then undefined.
[[nodiscard]] inline std::optional<double> average_precision(std::span<detection const> found, std::span<annotation const> annotated,
                                                             double least_iou = .5) {
  if (annotated.empty()) return std::nullopt;
  std::map<std::int64_t, std::vector<std::size_t>> of_image;
  for (std::size_t i = 0; i < annotated.size(); ++i) of_image[annotated[i].image].push_back(i);

  // Precision after each true positive; recall changes only there.
  std::vector<char> taken(annotated.size());
  std::vector<double> precision;
  std::size_t looked_at = 0;
  for (std::size_t const i : detail::best_first(found.size(), [&](std::size_t n) { return found[n].score; })) {
    ++looked_at;
    auto const candidates = of_image.find(found[i].image);
    if (candidates == of_image.end()) continue;
    auto const overlap = [&](std::size_t a) { return iou(found[i].where, annotated[a].where); };
    auto const best    = *std::max_element(candidates->second.begin(), candidates->second.end(),
                                           [&](std::size_t a, std::size_t b) { return overlap(a) < overlap(b); });
    if (overlap(best) < least_iou || taken[best]) continue;
    taken[best] = 1;
    precision.push_back(static_cast<double>(precision.size() + 1) / static_cast<double>(looked_at));
  }

  double area = 0, highest = 0;
  for (std::size_t i = precision.size(); i-- > 0;) {
    highest = std::max(highest, precision[i]);
    area += highest;
  }
  return area / static_cast<double>(annotated.size());
}

/// The mean over the classes that have annotations; nullopt if none has.
[[nodiscard]] inline std::optional<double> mean_average_precision(std::span<std::optional<double> const> of_classes) {
  double sum = 0;
  int count  = 0;
  for (auto const& each : of_classes)
    if (each) sum += *each, ++count;
  if (count == 0) return std::nullopt;
  return sum / count;
}

}  // namespace c2f::metrics
