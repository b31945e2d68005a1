// c2f/data/pasted_mask.hpp: the mask of a detection in pixels of a picture.
//
//   c2f::metrics::box_mask const found{{10, 20, 60, 90}, 28, heat};            // 28 x 28 probabilities of the cells of a box
//   c2f::data::run_lengths const mask = c2f::data::pasted(found, height, width);
//   double const overlap = c2f::data::iou(mask, mask, /*crowd=*/false);
//
// A pixel is inside if its middle has `least` or more by bilinear interpolation between the middles of cells, with zeros around the box: the pasting of
// mmdetection and Detectron2, which keeps boxes as they are. (torchvision rounds them to whole pixels first.)
// Costs: a look-up for each pixel of the box. Errors: those of run_lengths for the size.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <c2f/data/run_lengths.hpp>
#include <c2f/metrics/box_mask.hpp>
#include <c2f/metrics/detection.hpp>

namespace c2f::data {

/// See the top of this file.
[[nodiscard]] inline run_lengths pasted(metrics::box_mask const& of, std::int64_t height, std::int64_t width, double least = .5) {
  detail::check_mask_size(height, width);
  run_lengths made{height, width, {}};
  std::int64_t last = 0;  // where the current run began
  bool inside       = false;
  auto const turn   = [&](std::int64_t at) {
    made.counts.push_back(static_cast<std::uint32_t>(at - last));
    last   = at;
    inside = !inside;
  };
  // Half a cell around the box, where the mask falls to 0.
  double const margin_x = of.where.width() / (2. * static_cast<double>(std::max<std::int64_t>(of.side, 1))),
               margin_y = of.where.height() / (2. * static_cast<double>(std::max<std::int64_t>(of.side, 1)));
  auto const pixel      = [](double edge, std::int64_t size) {
    return static_cast<std::int64_t>(std::clamp(edge, 0., static_cast<double>(size)));
  };
  std::int64_t const left = pixel(std::floor(of.where.x0 - margin_x), width), right = pixel(std::ceil(of.where.x1 + margin_x), width),
                     top = pixel(std::floor(of.where.y0 - margin_y), height), bottom = pixel(std::ceil(of.where.y1 + margin_y), height);
  for (std::int64_t x = left; x < right; ++x) {
    if (inside && top > 0) turn(x * height);
    for (std::int64_t y = top; y < bottom; ++y)
      if ((of.at(static_cast<double>(x) + .5, static_cast<double>(y) + .5) >= least) != inside) turn(x * height + y);
    if (inside && bottom < height) turn(x * height + bottom);
  }
  if (inside && right < width) turn(right * height);
  made.counts.push_back(static_cast<std::uint32_t>(height * width - last));
  return made;
}

}  // namespace c2f::data
