// c2f/data/volumes/volume.hpp: a 3D array of voxels, and operations on whole volumes: intensity windows, means, thresholds.
//
//   c2f::data::volume<float> ct = c2f::data::read_nifti<float>("ct.nii.gz");
//   ct = c2f::data::windowed(std::move(ct), -100, 240);                      // RSTN's window in Hounsfield units, mapped to 0...1
//   auto [low, high] = c2f::data::percentiles(mr, 0.5, 99.5);                // MR has no unit: the window is taken from the volume
//   auto organ = c2f::data::at_least(c2f::data::mean_of(three_planes), 0.5f);
//
// Values are stored with x fastest, as in NIfTI. A volume keeps its geometry (spacing, affine matrix), so that a mask computed from an
// image can be written with the image's geometry.
//
// Costs: one pass, and no second copy if the volume is moved in; percentiles copies the values.
// Errors: input_error for an empty window and for volumes of different sizes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>

namespace c2f::data {

/// The geometry of a volume, as in its NIfTI header.
struct placement {
  std::array<float, 3> spacing{1, 1, 1};  ///< mm between neighbouring voxels along x, y and z
  /// Maps the voxel index (i, j, k, 1) to millimetres in the scanner's coordinates.
  std::array<std::array<float, 4>, 3> affine{{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  /// The header of the NIfTI file, in the host's byte order; zeros if the volume was not read from a file.
  std::array<std::uint8_t, 348> header{};
  friend bool operator==(placement const&, placement const&) = default;
};

/// dims[0] x dims[1] x dims[2] values, x fastest: float for intensities and probabilities, integers for labels, std::uint8_t for masks.
template <class T>
struct volume {
  std::array<std::int64_t, 3> dims{};
  std::vector<T> values;
  placement place;

  volume() = default;
  explicit volume(std::array<std::int64_t, 3> const& sizes, placement const& where = {})
      : dims(sizes), values(static_cast<std::size_t>(sizes[0] * sizes[1] * sizes[2])), place(where) {}

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(values.size()); }
  [[nodiscard]] std::size_t index(std::int64_t x, std::int64_t y, std::int64_t z) const {
    return static_cast<std::size_t>((z * dims[1] + y) * dims[0] + x);
  }
  [[nodiscard]] T& operator()(std::int64_t x, std::int64_t y, std::int64_t z) { return values[index(x, y, z)]; }
  [[nodiscard]] T const& operator()(std::int64_t x, std::int64_t y, std::int64_t z) const { return values[index(x, y, z)]; }
};

namespace detail {
inline std::string dims_text(std::array<std::int64_t, 3> const& dims) {
  return std::to_string(dims[0]) + " x " + std::to_string(dims[1]) + " x " + std::to_string(dims[2]);
}
}  // namespace detail

/// Clamps the values to low ... high and maps that range linearly to 0 ... 1.
[[nodiscard]] inline volume<float> windowed(volume<float> v, float low, float high) {
  if (!(low < high) || !std::isfinite(high - low))
    throw input_error("an intensity window from " + std::to_string(low) + " to " + std::to_string(high) +
                      " holds nothing; its low end must be below its high end (is the volume constant?)");
  for (float& value : v.values) value = (std::clamp(value, low, high) - low) / (high - low);
  return v;
}

/// The `low`-th and `high`-th percentile (0 ... 100) of the values, with linear interpolation (NumPy's default).
[[nodiscard]] inline std::array<float, 2> percentiles(volume<float> const& v, double low, double high) {
  if (v.values.empty() || !(low >= 0 && low <= high && high <= 100))
    throw input_error("percentiles " + std::to_string(low) + " and " + std::to_string(high) + " of " + std::to_string(v.size()) +
                      " voxels are not defined; ask for 0 to 100, in order, of one voxel or more");
  std::vector<float> sorted = v.values;
  auto const at             = [&](double per_cent) {
    double const position = per_cent / 100 * static_cast<double>(sorted.size() - 1);
    auto const below      = sorted.begin() + static_cast<std::ptrdiff_t>(position);
    std::nth_element(sorted.begin(), below, sorted.end());
    float const next = below + 1 == sorted.end() ? *below : *std::min_element(below + 1, sorted.end());
    return static_cast<float>(*below + (position - std::floor(position)) * (double{next} - *below));
  };
  float const first = at(low);
  return {first, at(high)};
}

/// The voxelwise mean of volumes of one size, e.g. of the predictions of three networks.
[[nodiscard]] inline volume<float> mean_of(std::vector<volume<float>> const& all) {
  if (all.empty()) throw input_error("the mean of no volumes was asked for; pass one or more");
  volume<float> mean = all.front();
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i].dims != mean.dims)
      throw input_error("volumes of " + detail::dims_text(mean.dims) + " and " + detail::dims_text(all[i].dims) +
                        " voxels have no mean; pass volumes of one size");
    for (std::size_t n = 0; n < mean.values.size(); ++n) mean.values[n] += all[i].values[n];
  }
  for (float& value : mean.values) value /= static_cast<float>(all.size());
  return mean;
}

/// The mask of the voxels whose value is at least `threshold`; 1 and 0.
[[nodiscard]] inline volume<std::uint8_t> at_least(volume<float> const& v, float threshold) {
  volume<std::uint8_t> mask(v.dims, v.place);
  for (std::size_t n = 0; n < mask.values.size(); ++n) mask.values[n] = v.values[n] >= threshold;
  return mask;
}

}  // namespace c2f::data
