// c2f/detection/box_operations.hpp: boxes in tensors: overlaps, coding, clipping.
//
//   at::Tensor const boxes = c2f::detection::decode_boxes(deltas, anchors);                    // what a network predicts, [P, 4], as boxes
//   at::Tensor const iou   = c2f::detection::box_iou(boxes, truth);                            // [P, 4], [M, 4] -> [P, M]
//   at::Tensor const wanted = c2f::detection::encode_boxes(truth, truth);                      // what it should have predicted
//
// A box is its left, top, right and bottom edge in pixels: x0, y0, x1, y1; pixel 0 covers 0 ... 1. The functions keep the number type, work on
// any device, have gradients, and take leading dimensions as ATen broadcasts them.
//
// Coding is that of R-CNN (Girshick et al., CVPR 2014, appendix C) as torchvision has it: the shift of the centre in sizes of the box and the
// logarithm of the ratio of sizes, each times a weight, which is 1 / deviation of mmdetection's target_stds; means are 0. A decoded size is at
// most 62.5 times that of the box, log(1000 / 16), so that no prediction overflows.
//
// Errors: none of its own.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/stack.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace c2f::detection {

/// What multiplies the coded centre x, centre y, width and height.
using box_weights = std::array<double, 4>;
inline constexpr box_weights default_box_weights{10, 10, 5, 5};

namespace detail {
template <class Number>
Number area_of(Number const* box) {
  return (box[2] - box[0]) * (box[3] - box[1]);
}
/// The area that two boxes share. A loop over columns of it has no branches, so it is one of vector instructions. Of edges that are no numbers
/// those of the second box count.
template <class Number>
Number shared_area(Number ax0, Number ay0, Number ax1, Number ay1, Number bx0, Number by0, Number bx1, Number by1) {
  Number const w = (ax1 < bx1 ? ax1 : bx1) - (ax0 > bx0 ? ax0 : bx0), h = (ay1 < by1 ? ay1 : by1) - (ay0 > by0 ? ay0 : by0);
  return (w > 0 ? w : Number{0}) * (h > 0 ? h : Number{0});
}
template <class Number>
Number shared_area(Number const* a, Number const* b) {
  return shared_area(a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]);
}
/// Boxes column by column, so that a loop over them is one of vector instructions.
template <class Number>
struct box_columns {
  std::vector<Number> x0, y0, x1, y1, area;

  box_columns() = default;
  /// Of [count, 4].
  box_columns(Number const* boxes, std::size_t count) : x0(count), y0(count), x1(count), y1(count), area(count) {
    for (std::size_t i = 0; i < count; ++i, boxes += 4) {
      x0[i] = boxes[0], y0[i] = boxes[1], x1[i] = boxes[2], y1[i] = boxes[3];
      area[i] = area_of(boxes);
    }
  }
  void add(Number const* box) {
    x0.push_back(box[0]), y0.push_back(box[1]), x1.push_back(box[2]), y1.push_back(box[3]);
    area.push_back(area_of(box));
  }
};
inline at::Tensor sides(at::Tensor const& boxes) { return boxes.narrow(-1, 2, 2).sub(boxes.narrow(-1, 0, 2)); }
/// {intersection, union} of boxes that are broadcast together.
inline std::array<at::Tensor, 2> intersection_and_union(at::Tensor const& a, at::Tensor const& b) {
  at::Tensor const first = at::maximum(a.narrow(-1, 0, 2), b.narrow(-1, 0, 2)), last = at::minimum(a.narrow(-1, 2, 2), b.narrow(-1, 2, 2));
  at::Tensor const side   = last.sub(first).clamp_min(0);
  at::Tensor const common = side.select(-1, 0).mul(side.select(-1, 1));
  auto const area         = [](at::Tensor const& box) {
    at::Tensor const of = sides(box);
    return of.select(-1, 0).mul(of.select(-1, 1));
  };
  return {common, area(a).add(area(b)).sub(common)};
}
/// 0 where neither has an area.
inline at::Tensor iou_of(at::Tensor const& common, at::Tensor const& all) { return common.div(all.masked_fill(all.le(0), 1)); }
}  // namespace detail

/// [..., 4] -> [...]; 0 for a box whose edges are in the wrong order.
[[nodiscard]] inline at::Tensor box_area(at::Tensor const& boxes) {
  at::Tensor const side = detail::sides(boxes).clamp_min(0);
  return side.select(-1, 0).mul(side.select(-1, 1));
}

/// Intersection over union of each with each: [..., P, 4], [..., M, 4] -> [..., P, M]; 0 where neither has an area.
[[nodiscard]] inline at::Tensor box_iou(at::Tensor const& a, at::Tensor const& b) {
  auto const [common, all] = detail::intersection_and_union(a.unsqueeze(-2), b.unsqueeze(-3));
  return detail::iou_of(common, all);
}

/// Generalised intersection over union (Rezatofighi et al., CVPR 2019) of pairs: [..., 4], [..., 4] -> [...], -1 ... 1.
[[nodiscard]] inline at::Tensor box_giou(at::Tensor const& a, at::Tensor const& b) {
  constexpr double least   = 1e-7;
  auto const [common, all] = detail::intersection_and_union(a, b);
  at::Tensor const around  = at::maximum(a.narrow(-1, 2, 2), b.narrow(-1, 2, 2)).sub(at::minimum(a.narrow(-1, 0, 2), b.narrow(-1, 0, 2)));
  at::Tensor const hull    = around.select(-1, 0).mul(around.select(-1, 1));
  return common.div(all.add(least)).sub(hull.sub(all).div(hull.add(least)));
}

/// What decode_boxes makes `truth` of `boxes`: [..., 4], [..., 4] -> [..., 4]. Both need an area where the result is used; elsewhere it is
/// finite if neither side of `boxes` is 0.
[[nodiscard]] inline at::Tensor encode_boxes(at::Tensor const& truth, at::Tensor const& boxes,
                                             box_weights const& weights = default_box_weights) {
  at::Tensor const side = detail::sides(boxes), wanted = detail::sides(truth);
  at::Tensor const shift = truth.narrow(-1, 0, 2).sub(boxes.narrow(-1, 0, 2)).add(wanted.sub(side).mul(.5)).div(side);
  at::Tensor const scale = wanted.div(side).log();
  return at::stack({shift.select(-1, 0).mul(weights[0]), shift.select(-1, 1).mul(weights[1]), scale.select(-1, 0).mul(weights[2]),
                    scale.select(-1, 1).mul(weights[3])},
                   -1);
}

/// Coded numbers [..., 4 K] of boxes [..., 4] -> boxes [..., 4 K], K for each box.
[[nodiscard]] inline at::Tensor decode_boxes(at::Tensor const& deltas, at::Tensor const& boxes,
                                             box_weights const& weights = default_box_weights) {
  static double const most = std::log(1000. / 16);
  auto by_class            = deltas.sizes().vec();
  by_class.back() /= 4;
  by_class.push_back(4);
  at::Tensor const coded = deltas.reshape(by_class), side = detail::sides(boxes).unsqueeze(-2);
  at::Tensor const middle = boxes.narrow(-1, 0, 2).unsqueeze(-2).add(side.mul(.5));
  auto const of           = [&](std::int64_t axis) {
    auto const at           = static_cast<std::size_t>(axis);
    at::Tensor const length = side.select(-1, axis);
    at::Tensor const centre = coded.select(-1, axis).div(weights[at]).mul(length).add(middle.select(-1, axis));
    at::Tensor const half   = coded.select(-1, axis + 2).div(weights[at + 2]).clamp_max(most).exp().mul(length).mul(.5);
    return std::pair{centre.sub(half), centre.add(half)};
  };
  auto const [left, right] = of(0);
  auto const [top, bottom] = of(1);
  return at::stack({left, top, right, bottom}, -1).reshape(deltas.sizes());
}

/// The parts of boxes [..., 4] within a picture.
[[nodiscard]] inline at::Tensor clip_boxes(at::Tensor const& boxes, double height, double width) {
  at::Tensor const x0 = boxes.select(-1, 0).clamp(0, width), y0 = boxes.select(-1, 1).clamp(0, height);
  return at::stack({x0, y0, boxes.select(-1, 2).clamp(0, width), boxes.select(-1, 3).clamp(0, height)}, -1);
}

}  // namespace c2f::detection
