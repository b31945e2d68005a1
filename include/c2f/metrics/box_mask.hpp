// c2f/metrics/box_mask.hpp: the mask of an object as cells of its box, and overlaps of such masks.
//
//   c2f::metrics::box_mask const mask{{10, 20, 60, 90}, 28, heat};             // 28 x 28 numbers from 0 to 1, row by row
//   bool const inside = mask.at(35, 55) >= .5;
//   c2f::metrics::sampled_mask const first(mask), second(mask);
//   double const same = first.overlap(second);                                 // intersection over union
//
// Between the middles of cells, at() interpolates bilinearly, with zeros around the box, as mmdetection and Detectron2 do where they paste masks: at an
// edge of its box a cell has half of its value. A point is inside of a mask if it has .5 or more there, so that a mask of ones is its box, but
// for its corners.
//
// sampled_mask compares masks without a canvas, so that small objects are compared as finely as large ones: its area is the part of
// 2 side x 2 side points of its box that are inside, an intersection the part of these that are inside of the other one, too. Exact masks in pixels:
// data/pasted_mask.hpp. Costs: sampled_mask 4 side^2 points; an overlap one for each that is inside. Errors: none.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <c2f/metrics/detection.hpp>

namespace c2f::metrics {

/// A mask of side x side cells of a box: the part of each that is covered, or its probability. Does not own them.
struct box_mask {
  box where{};
  std::int64_t side = 0;
  std::span<float const> cells{};

  [[nodiscard]] double at(double x, double y) const {
    if (!(where.area() > 0)) return 0;
    auto const n   = static_cast<double>(side);
    double const u = (x - where.x0) / where.width() * n - .5, v = (y - where.y0) / where.height() * n - .5;
    if (!(u > -1 && v > -1 && u < n && v < n)) return 0;
    auto const column = static_cast<std::int64_t>(std::floor(u)), row = static_cast<std::int64_t>(std::floor(v));
    double const right = u - static_cast<double>(column), down = v - static_cast<double>(row);
    auto const cell = [&](std::int64_t r, std::int64_t c) {
      return r < 0 || c < 0 || r >= side || c >= side ? 0. : static_cast<double>(cells[static_cast<std::size_t>(r * side + c)]);
    };
    return (1 - down) * ((1 - right) * cell(row, column) + right * cell(row, column + 1)) +
           down * ((1 - right) * cell(row + 1, column) + right * cell(row + 1, column + 1));
  }
};

/// The points of a mask that are inside, for its overlaps with others; see the top of this file. Owns no cells.
class sampled_mask {
 public:
  explicit sampled_mask(box_mask const& of) : mask_(of) {
    std::int64_t const points = 2 * of.side;
    point_area_               = points > 0 ? of.where.area() / static_cast<double>(points * points) : 0;
    if (!(point_area_ > 0)) return;
    auto const along = [&](double first, double length, std::int64_t i) {
      return first + length * (static_cast<double>(i) + .5) / static_cast<double>(points);
    };
    for (std::int64_t row = 0; row < points; ++row)
      for (std::int64_t column = 0; column < points; ++column) {
        double const x = along(of.where.x0, of.where.width(), column), y = along(of.where.y0, of.where.height(), row);
        if (of.at(x, y) >= .5) inside_.emplace_back(x, y);
      }
  }
  [[nodiscard]] double area() const { return point_area_ * static_cast<double>(inside_.size()); }
  /// Intersection over union, or over the area of this one if the other is a crowd.
  [[nodiscard]] double overlap(sampled_mask const& other, bool crowd = false) const {
    if (iou(mask_.where, other.mask_.where) == 0) return 0;
    auto const count =
        std::count_if(inside_.begin(), inside_.end(), [&](auto const& p) { return other.mask_.at(p.first, p.second) >= .5; });
    double const common = std::min(point_area_ * static_cast<double>(count), other.area());
    double const all    = crowd ? area() : area() + other.area() - common;
    return all > 0 ? common / all : 0;
  }

 private:
  box_mask mask_;
  double point_area_ = 0;
  std::vector<std::pair<double, double>> inside_{};
};

}  // namespace c2f::metrics
