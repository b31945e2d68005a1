// c2f/data/volumes/components.hpp: connected components of a mask, and removal of small ones: RSTN's post-processing.
//
//   mask = c2f::data::keep_large_components(std::move(mask), 0.5);   // components of at least half the largest one's size
//   c2f::data::component_sizes(mask);                                // {98222, 1225, 1105, ...}
//
// Voxels are connected if they share a face (6-connectivity). keep_large_components returns a mask unchanged if it is empty or fills at
// least half of the volume: such a prediction is not an organ, and the size of its components is meaningless.
//
// Cost: one visit a voxel, 8 bytes a voxel of the mask and a copy of the mask; 512 x 512 x 240 voxels take about 0.2 s.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <c2f/data/volumes/volume.hpp>

namespace c2f::data {

namespace detail {

/// The indices of the mask's voxels, component by component, and the end of each component in that list.
struct components {
  std::vector<std::int64_t> voxels, ends;
};

inline components find_components(volume<std::uint8_t> mask) {
  auto const [nx, ny, nz]  = mask.dims;
  std::int64_t const plane = nx * ny;
  components found;
  // A voxel is removed from the mask when it is found. `voxels` is both the flood fill's queue and the result.
  auto const take = [&](std::int64_t voxel) {
    std::uint8_t& value = mask.values[static_cast<std::size_t>(voxel)];
    if (value == 0) return;
    value = 0;
    found.voxels.push_back(voxel);
  };
  for (std::int64_t start = 0; start < mask.size(); ++start) {
    if (mask.values[static_cast<std::size_t>(start)] == 0) continue;
    std::size_t head = found.voxels.size();
    for (take(start); head < found.voxels.size(); ++head) {
      std::int64_t const voxel = found.voxels[head], x = voxel % nx, y = voxel / nx % ny, z = voxel / plane;
      if (x > 0) take(voxel - 1);
      if (x + 1 < nx) take(voxel + 1);
      if (y > 0) take(voxel - nx);
      if (y + 1 < ny) take(voxel + nx);
      if (z > 0) take(voxel - plane);
      if (z + 1 < nz) take(voxel + plane);
    }
    found.ends.push_back(static_cast<std::int64_t>(found.voxels.size()));
  }
  return found;
}

}  // namespace detail

/// The number of voxels of each component, descending.
[[nodiscard]] inline std::vector<std::int64_t> component_sizes(volume<std::uint8_t> mask) {
  std::vector<std::int64_t> sizes = detail::find_components(std::move(mask)).ends;
  for (std::size_t i = sizes.size(); i-- > 1;) sizes[i] -= sizes[i - 1];
  std::sort(sizes.begin(), sizes.end(), std::greater<>{});
  return sizes;
}

/// The mask without the components smaller than `fraction` (0 ... 1) of the largest.
[[nodiscard]] inline volume<std::uint8_t> keep_large_components(volume<std::uint8_t> mask, double fraction = 0.5) {
  std::int64_t const inside = mask.size() - std::count(mask.values.begin(), mask.values.end(), std::uint8_t{0});
  if (inside == 0 || 2 * inside >= mask.size()) return mask;
  auto const found     = detail::find_components(mask);
  std::int64_t largest = 0, begin = 0;
  for (std::int64_t const end : found.ends) largest = std::max(largest, end - std::exchange(begin, end));
  begin = 0;
  for (std::int64_t const end : found.ends) {
    if (static_cast<double>(end - begin) < fraction * static_cast<double>(largest))
      for (std::int64_t i = begin; i < end; ++i) mask.values[static_cast<std::size_t>(found.voxels[static_cast<std::size_t>(i)])] = 0;
    begin = end;
  }
  return mask;
}

}  // namespace c2f::data
