// c2f/detection/anchors.hpp: the boxes that a network corrects, around the cells of the maps of a pyramid.
//
//   at::Tensor const boxes = c2f::detection::anchors({{48, 64, 4, {32}}, {24, 32, 8, {64}}}, {.5, 1, 2});      // [A, 4] float
//
// The order is torchvision's, so that its weights can be used: level by level, row by row, cell by cell, and within a cell ratio by ratio, size
// by size. The centre of the anchors of a cell is its upper left corner; a size is the root of the area, a ratio height / width. Corners of the
// anchors of cell 0 are rounded to whole pixels, as torchvision does (a tie to the even number).
//
// Cost: the loop over the anchors, on the host; keep the result. Errors: none.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace c2f::detection {

/// A map, its stride in pixels, and the sizes of its anchors in pixels.
struct anchor_level {
  std::int64_t height = 0, width = 0;
  double stride = 1;
  std::vector<double> sizes{};
};

/// [A, 4] float, on the CPU.
[[nodiscard]] inline at::Tensor anchors(std::vector<anchor_level> const& levels, std::vector<double> const& ratios = {.5, 1, 2}) {
  std::int64_t count = 0;
  for (auto const& each : levels) count += each.height * each.width * std::ssize(each.sizes) * std::ssize(ratios);
  at::Tensor made = at::empty({count, 4}, at::TensorOptions(at::kFloat));
  float* to       = made.mutable_data_ptr<float>();
  for (auto const& level : levels) {
    std::vector<std::array<float, 4>> of_cell;
    for (double const ratio : ratios)
      for (double const size : level.sizes) {
        // In float, as torchvision: the rounding of a half depends on it.
        float const down = std::sqrt(static_cast<float>(ratio)), across = 1 / down;
        float const w = across * static_cast<float>(size), h = down * static_cast<float>(size);
        of_cell.push_back({std::nearbyint(-w / 2), std::nearbyint(-h / 2), std::nearbyint(w / 2), std::nearbyint(h / 2)});
      }
    for (std::int64_t y = 0; y < level.height; ++y)
      for (std::int64_t x = 0; x < level.width; ++x) {
        auto const left = static_cast<float>(static_cast<double>(x) * level.stride),
                   top  = static_cast<float>(static_cast<double>(y) * level.stride);
        for (auto const& each : of_cell) *to++ = left + each[0], *to++ = top + each[1], *to++ = left + each[2], *to++ = top + each[3];
      }
  }
  return made;
}

}  // namespace c2f::detection
