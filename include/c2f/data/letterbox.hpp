// c2f/data/letterbox.hpp: resizes a picture of any size onto a square canvas, and maps boxes between the two.
//
//   auto const place = c2f::data::letterbox::of(480, 640, 192);                   // scale .3, left 0, top 24
//   c2f::metrics::box const there = place.there({260, 177, 491, 376});            // {78, 77.1, 147.3, 136.8}
//   std::vector<float> square(192 * 192 * 3);
//   c2f::data::resample(photo.rgb, 480, 640, place.across(), place.down(), 192, {124, 116, 104}, square.data());
//
// Coordinates are those of edges: pixel i covers i ... i + 1, so a picture covers 0 ... width. A letterbox is a scale and a shift that are
// not rounded to pixels, so mapping a box to the square and back is exact up to floating point. An output pixel whose centre is outside
// the picture gets the padding colour.
//
// resample is PIL's BILINEAR (and torch's interpolate with antialias=True): a triangle filter that widens with the downscaling factor,
// truncated and renormalised at the borders, applied along rows and then along columns, without rounding in between.
//
// Costs: resample buffers 12 * side bytes for each picture row that contributes to one output row, about 2 * height / side rows, and takes
// about 2 * (height * side + side * side) * 3 * taps operations.
// Errors: none; sizes must be 1 or more.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <c2f/metrics/detection.hpp>

namespace c2f::data {

/// The affine map of one axis from picture to square: scale * x + shift, or scale * (size - x) + shift if mirrored. In pixels.
struct axis {
  double scale = 1, shift = 0;
  bool mirrored                                    = false;
  friend bool operator==(axis const&, axis const&) = default;
};

/// The position of a picture on a square canvas: the scale, and the left and top padding in pixels of the square.
struct letterbox {
  double scale, left, top;

  /// The longer side fills the square; the picture is centred.
  [[nodiscard]] static letterbox of(std::int64_t height, std::int64_t width, std::int64_t side) {
    auto const h = static_cast<double>(height), w = static_cast<double>(width), s = static_cast<double>(side);
    double const scale = s / std::max(h, w);
    return {scale, (s - scale * w) / 2, (s - scale * h) / 2};
  }
  /// From pixels of the picture to pixels of the square.
  [[nodiscard]] metrics::box there(metrics::box const& b) const {
    return {scale * b.x0 + left, scale * b.y0 + top, scale * b.x1 + left, scale * b.y1 + top};
  }
  /// From pixels of the square to pixels of the picture.
  [[nodiscard]] metrics::box back(metrics::box const& b) const {
    return {(b.x0 - left) / scale, (b.y0 - top) / scale, (b.x1 - left) / scale, (b.y1 - top) / scale};
  }
  /// The maps of the horizontal and of the vertical axis.
  [[nodiscard]] axis across() const { return {scale, left}; }
  [[nodiscard]] axis down() const { return {scale, top}; }
};

namespace detail {

/// The filter taps of one axis: for each of `out` output pixels the range of input pixels (of `size`) and their weights; no taps if the
/// output pixel's centre is outside the input.
class taps {
 public:
  struct reach {
    std::size_t first = 0, count = 0, weights = 0;
  };
  taps(std::int64_t size, std::int64_t out, axis const& map) {
    auto const length = static_cast<double>(size);
    double const half = std::max(1.0, 1 / map.scale);  // of the triangle filter
    for (std::int64_t i = 0; i < out; ++i) {
      double centre = (static_cast<double>(i) + .5 - map.shift) / map.scale;
      if (map.mirrored) centre = length - centre;
      reach& r = reaches_.emplace_back();
      if (!(centre >= 0 && centre < length)) continue;
      auto const first = static_cast<std::int64_t>(std::max(0.0, centre - half + .5)),
                 last  = static_cast<std::int64_t>(std::min(length, centre + half + .5));
      r                = {static_cast<std::size_t>(first), static_cast<std::size_t>(last - first), weights_.size()};
      double sum       = 0;
      for (std::int64_t k = first; k < last; ++k) sum += triangle(k, centre, half);
      for (std::int64_t k = first; k < last; ++k) weights_.push_back(static_cast<float>(triangle(k, centre, half) / sum));
    }
  }
  [[nodiscard]] reach const& operator[](std::int64_t i) const { return reaches_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] float const* weights(reach const& r) const { return weights_.data() + r.weights; }
  /// The largest number of taps of an output pixel; 1 if there are none.
  [[nodiscard]] std::size_t most() const {
    std::size_t count = 1;
    for (reach const& r : reaches_) count = std::max(count, r.count);
    return count;
  }

 private:
  static double triangle(std::int64_t pixel, double centre, double half) {
    return std::max(0.0, 1 - std::abs((static_cast<double>(pixel) + .5 - centre) / half));
  }
  std::vector<reach> reaches_;
  std::vector<float> weights_;
};

}  // namespace detail

/// Resamples a picture of height * width * 3 RGB bytes onto a canvas: writes out_height * out_width * 3 floats in 0...255, channels innermost.
/// The axes map the picture's pixels to the canvas's; pixels outside the picture get `pad`.
inline void resample(std::span<std::uint8_t const> rgb, std::int64_t height, std::int64_t width, axis const& across, axis const& down,
                     std::int64_t out_height, std::int64_t out_width, std::array<std::uint8_t, 3> const& pad, float* out) {
  detail::taps const columns(width, out_width, across), rows(height, out_height, down);
  auto const line         = static_cast<std::size_t>(3 * out_width);
  // A ring of horizontally resampled rows, as many as one output row needs; row y is in slot y % slots. Keeping all rows would take 150 MB
  // for a picture of 65,500 x 1 pixels.
  std::size_t const slots = rows.most();
  std::vector<float> narrow(slots * line);
  std::vector<std::size_t> held(slots, static_cast<std::size_t>(height));  // the row in each slot; `height`: none yet
  auto const row_of = [&](std::size_t y) -> float const* {
    float* const made = narrow.data() + y % slots * line;
    if (std::exchange(held[y % slots], y) == y) return made;
    float* to                     = made;
    std::uint8_t const* const row = rgb.data() + static_cast<std::size_t>(3 * width) * y;
    for (std::int64_t x = 0; x < out_width; ++x, to += 3) {
      auto const& r              = columns[x];
      float const* const weights = columns.weights(r);
      std::uint8_t const* pixel  = row + 3 * r.first;
      float red = 0, green = 0, blue = 0;
      for (std::size_t k = 0; k < r.count; ++k, pixel += 3) {
        red += weights[k] * static_cast<float>(pixel[0]);
        green += weights[k] * static_cast<float>(pixel[1]);
        blue += weights[k] * static_cast<float>(pixel[2]);
      }
      to[0] = red, to[1] = green, to[2] = blue;
    }
    return made;
  };
  for (std::int64_t y = 0; y < out_height; ++y, out += line) {
    auto const& r = rows[y];
    std::fill(out, out + line, 0.0f);
    for (std::size_t k = 0; k < r.count; ++k) {
      float const weight      = rows.weights(r)[k];
      float const* const from = row_of(r.first + k);
      for (std::size_t i = 0; i < line; ++i) out[i] += weight * from[i];
    }
    for (std::int64_t x = 0; x < out_width; ++x)
      if (r.count == 0 || columns[x].count == 0) std::copy(pad.begin(), pad.end(), out + 3 * x);
  }
}
/// The same onto a square.
inline void resample(std::span<std::uint8_t const> rgb, std::int64_t height, std::int64_t width, axis const& across, axis const& down,
                     std::int64_t side, std::array<std::uint8_t, 3> const& pad, float* out) {
  resample(rgb, height, width, across, down, side, side, pad, out);
}

}  // namespace c2f::data
