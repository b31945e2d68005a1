// c2f/detection/anchors.hpp: the boxes that a network corrects, around the cells of the maps of a pyramid.
//
//   at::Tensor const boxes = c2f::detection::anchors({{48, 64, 4, {32}}, {24, 32, 8, {64}}}, {.5, 1, 2});      // [A, 4] float
//   at::Tensor const same  = c2f::detection::kept_anchors({{48, 64, 4, {32}}}, {.5, 1, 2}, at::kCPU);         // made once for these sizes
//
// The order is torchvision's, so that its weights can be used: level by level, row by row, cell by cell, and within a cell ratio by ratio, size
// by size. The centre of the anchors of a cell is its upper left corner; a size is the root of the area, a ratio height / width. Corners of the
// anchors of cell 0 are rounded to whole pixels, as torchvision does (a tie to the even number).
//
// Cost: the loop over the anchors, on the host, and for another device a copy that waits for it; kept_anchors has neither for sizes that the
// thread has used lately. Errors: none.
#pragma once

#include <c2f/execution/streams.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/Stream.h>

#include <algorithm>
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
  double stride_across                       = 0;  ///< along a row; 0: as down
  bool operator==(anchor_level const&) const = default;
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
    double const across = level.stride_across > 0 ? level.stride_across : level.stride;
    for (std::int64_t y = 0; y < level.height; ++y)
      for (std::int64_t x = 0; x < level.width; ++x) {
        auto const left = static_cast<float>(static_cast<double>(x) * across),
                   top  = static_cast<float>(static_cast<double>(y) * level.stride);
        for (auto const& each : of_cell) *to++ = left + each[0], *to++ = top + each[1], *to++ = left + each[2], *to++ = top + each[3];
      }
  }
  return made;
}

/// The same on a device. A thread keeps the last eight, for each stream: nobody may write into them.
[[nodiscard]] inline at::Tensor kept_anchors(std::vector<anchor_level> const& levels, std::vector<double> const& ratios,
                                             at::Device device) {
  struct entry {
    std::vector<anchor_level> levels;
    std::vector<double> ratios;
    c10::Stream stream;  // which may use the memory again
    at::Tensor boxes;
  };
  constexpr std::size_t most = 8;
  thread_local std::vector<entry> kept;  // the last used one first
  c10::Stream const stream = device.is_cpu() ? c10::Stream(c10::Stream::DEFAULT, device) : current_stream(device);
  auto found               = std::find_if(kept.begin(), kept.end(),
                                          [&](entry const& each) { return each.stream == stream && each.levels == levels && each.ratios == ratios; });
  if (found == kept.end()) {
    c10::InferenceMode const of_trainings_too(false);
    at::Tensor const made = anchors(levels, ratios).to(device);
    if (kept.size() == most) kept.pop_back();
    found = kept.insert(kept.end(), entry{levels, ratios, stream, made});
  }
  std::rotate(kept.begin(), found, found + 1);
  return kept.front().boxes;
}

}  // namespace c2f::detection
