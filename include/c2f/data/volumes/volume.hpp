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
// Two volumes that are read beside each other, such as an image and its labels, must lie in the same place: check_same_place. Their affine
// matrices may differ by rounding (one file has the quaternion and the other the matrix, or fewer digits): no corner of the grid may be
// further from the same corner of the other volume than 1/10 of the shortest edge of a voxel. The matrix decides, not the spacings beside it.
//
// Costs: one pass, and no second copy if the volume is moved in; percentiles copies the values.
// Errors: input_error for an empty window and for volumes of different sizes or in different places.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/data/numbers.hpp>

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

using affine_matrix = std::array<std::array<float, 4>, 3>;

/// The part of a voxel's shortest edge that corners of two volumes in one place may be apart.
inline constexpr double tolerated_distance = 0.1;

/// How far apart corners of a grid are under two affine matrices.
struct place_difference {
  std::array<std::array<double, 4>, 3> matrix{};  ///< the second minus the first
  double farthest = 0, edge = 0;                  ///< in mm: the largest distance of a corner, the shortest edge of the first's voxels
  [[nodiscard]] bool tolerated() const { return farthest <= tolerated_distance * edge; }
};
inline place_difference difference_of(affine_matrix const& first, affine_matrix const& second, std::array<std::int64_t, 3> const& dims) {
  place_difference found;
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 4; ++c) found.matrix[r][c] = double{second[r][c]} - double{first[r][c]};
  // The distance is a convex function of the index, so it is largest at a corner.
  for (unsigned corner = 0; corner < 8; ++corner) {
    double squares = 0;
    for (auto const& row : found.matrix) {
      double apart = row[3];
      for (std::size_t d = 0; d < 3; ++d) apart += (corner >> d & 1u) != 0 ? row[d] * static_cast<double>(dims[d] - 1) : 0;
      squares += apart * apart;
    }
    // NaN in a matrix makes the last corner's distance NaN, which is not tolerated.
    if (double const distance = std::sqrt(squares); !(found.farthest >= distance)) found.farthest = distance;
  }
  for (std::size_t d = 0; d < 3; ++d) {
    double const edge = std::hypot(first[0][d], first[1][d], first[2][d]);
    found.edge        = d == 0 ? edge : std::min(found.edge, edge);
  }
  return found;
}

/// E.g. "[2 0 0 -90; 0 0 0 0; 0 0 0 0]", with six digits.
inline std::string matrix_text(std::array<std::array<double, 4>, 3> const& matrix) {
  std::string text = "[";
  for (auto const& row : matrix) {
    if (text.size() > 1) text += "; ";
    for (std::size_t c = 0; c < 4; ++c) {
      std::array<char, 32> number;
      auto const end = std::to_chars(number.data(), number.data() + number.size(), row[c] + 0.0, std::chars_format::general, 6).ptr;
      (text += c > 0 ? " " : "").append(number.data(), end);  // + 0.0: not "-0"
    }
  }
  return text + "]";
}
}  // namespace detail

/// Throws unless two volumes have the same size and lie in the same place, up to rounding. `what` and `beside` name them in the message.
template <class A, class B>
void check_same_place(volume<A> const& v, std::string const& what, volume<B> const& other, std::string const& beside) {
  if (v.dims != other.dims)
    throw input_error(what + " has " + detail::dims_text(v.dims) + " voxels and " + beside + " " + detail::dims_text(other.dims) +
                      "; they must be of one size");
  auto const found = detail::difference_of(other.place.affine, v.place.affine, v.dims);
  if (!found.tolerated())
    throw input_error(what + " lies elsewhere than " + beside + ": its affine matrix minus that of the other is " +
                      detail::matrix_text(found.matrix) + ", which moves a corner by " +
                      detail::text_of(static_cast<float>(found.farthest)) + " mm, more than the " +
                      detail::text_of(static_cast<float>(detail::tolerated_distance * found.edge)) +
                      " mm of rounding; resample one of them, or correct the header that is wrong");
}

/// Clamps the values to low ... high and maps that range linearly to 0 ... 1.
[[nodiscard]] inline volume<float> windowed(volume<float> v, float low, float high) {
  if (!(low < high) || !std::isfinite(high - low))
    throw input_error("an intensity window from " + detail::text_of(low) + " to " + detail::text_of(high) +
                      " holds nothing; its low end must be below its high end (is the volume constant?)");
  for (float& value : v.values) value = (std::clamp(value, low, high) - low) / (high - low);
  return v;
}

/// The `low`-th and `high`-th percentile (0 ... 100) of the values, with linear interpolation (NumPy's default).
[[nodiscard]] inline std::array<float, 2> percentiles(volume<float> const& v, double low, double high) {
  if (v.values.empty() || !(low >= 0 && low <= high && high <= 100))
    throw input_error("percentiles " + detail::text_of(low) + " and " + detail::text_of(high) + " of " + std::to_string(v.size()) +
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

/// The voxelwise mean of volumes of one size and place, e.g. of the predictions of three networks.
[[nodiscard]] inline volume<float> mean_of(std::vector<volume<float>> const& all) {
  if (all.empty()) throw input_error("the mean of no volumes was asked for; pass one or more");
  volume<float> mean = all.front();
  for (std::size_t i = 1; i < all.size(); ++i) {
    check_same_place(all[i], "volume " + std::to_string(i) + " of a mean", mean, "volume 0");
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
