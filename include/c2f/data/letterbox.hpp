// c2f/data/letterbox.hpp: a picture of any size on a square one, and boxes that move with their pixels.
//
//   auto const place = c2f::data::letterbox::of(480, 640, 192);                   // scale .3, left 0, top 24
//   c2f::data::edges const there = place.there({260, 177, 491, 376});             // {78, 77.1, 147.3, 136.8}
//   std::vector<float> square(192 * 192 * 3);
//   c2f::data::resample(photo, place.across(), place.down(), 192, {124, 116, 104}, square.data());
//
// Coordinates are of edges: pixel i reaches from i to i + 1, so a picture reaches from 0 to its width. A letterbox is one scale and a
// shift, with no rounding to pixels in them: there and back is exact. An output pixel whose middle is not on the picture has the
// colour of the padding.
//
// resample is PIL's BILINEAR (and torch's interpolate with antialias): a triangle filter that is widened by how much the picture shrinks,
// cut and normalised at the borders, along rows and then along columns, without rounding in between.
//
// Augmentation is a view of the square: mirrored or not, scaled, shifted, and a gain for each channel. It is drawn again where it
// would leave less than a quarter of a box in sight.
//
// Costs: resample asks for 12 * side bytes a row of the picture that one row of the square is made of, at most about 2 * height / side of
// them, and takes about 2 * (height * side + side * side) * 3 * taps operations.
// Errors: none; sizes are 1 or more.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <c2f/core/random.hpp>

namespace c2f::data {

/// The edges of a box, in pixels.
struct edges {
  double left, top, right, bottom;
  [[nodiscard]] constexpr double area() const { return std::max(0.0, right - left) * std::max(0.0, bottom - top); }
  /// What of it is within a square of that side.
  [[nodiscard]] constexpr edges cut(double side) const {
    return {std::clamp(left, 0.0, side), std::clamp(top, 0.0, side), std::clamp(right, 0.0, side), std::clamp(bottom, 0.0, side)};
  }
  friend bool operator==(edges const&, edges const&) = default;
};

/// Where the points of one axis go: scale * x + shift, or scale * (size - x) + shift where it is mirrored.
struct axis {
  double scale = 1, shift = 0;
  bool mirrored = false;
};

/// Where a picture lies on a square.
struct letterbox {
  double scale, left, top;

  /// The longer side fills the square and the picture stands in its middle.
  [[nodiscard]] static letterbox of(std::int64_t height, std::int64_t width, std::int64_t side) {
    auto const h = static_cast<double>(height), w = static_cast<double>(width), s = static_cast<double>(side);
    double const scale = s / std::max(h, w);
    return {scale, (s - scale * w) / 2, (s - scale * h) / 2};
  }
  /// From pixels of the picture to pixels of the square.
  [[nodiscard]] edges there(edges const& e) const {
    return {scale * e.left + left, scale * e.top + top, scale * e.right + left, scale * e.bottom + top};
  }
  /// From pixels of the square to pixels of the picture.
  [[nodiscard]] edges back(edges const& e) const {
    return {(e.left - left) / scale, (e.top - top) / scale, (e.right - left) / scale, (e.bottom - top) / scale};
  }
  [[nodiscard]] axis across() const { return {scale, left}; }
  [[nodiscard]] axis down() const { return {scale, top}; }
};

namespace detail {

/// Which pixels of a line of `size` make each of `out` pixels, and how much each counts; none where the middle is not on the line.
class taps {
 public:
  struct reach {
    std::size_t first = 0, count = 0, weights = 0;
  };
  taps(std::int64_t size, std::int64_t out, axis const& map) {
    auto const length = static_cast<double>(size);
    double const half = std::max(1.0, 1 / map.scale);  // of the triangle's base
    for (std::int64_t i = 0; i < out; ++i) {
      double middle = (static_cast<double>(i) + .5 - map.shift) / map.scale;
      if (map.mirrored) middle = length - middle;
      reach& r = reaches_.emplace_back();
      if (!(middle >= 0 && middle < length)) continue;
      auto const first = static_cast<std::int64_t>(std::max(0.0, middle - half + .5)),
                 last  = static_cast<std::int64_t>(std::min(length, middle + half + .5));
      r                = {static_cast<std::size_t>(first), static_cast<std::size_t>(last - first), weights_.size()};
      double sum       = 0;
      for (std::int64_t k = first; k < last; ++k) sum += triangle(k, middle, half);
      for (std::int64_t k = first; k < last; ++k) weights_.push_back(static_cast<float>(triangle(k, middle, half) / sum));
    }
  }
  [[nodiscard]] reach const& operator[](std::int64_t i) const { return reaches_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] float const* weights(reach const& r) const { return weights_.data() + r.weights; }
  /// How many pixels of the line the widest needs; 1 where there is none.
  [[nodiscard]] std::size_t most() const {
    std::size_t count = 1;
    for (reach const& r : reaches_) count = std::max(count, r.count);
    return count;
  }

 private:
  static double triangle(std::int64_t pixel, double middle, double half) {
    return std::max(0.0, 1 - std::abs((static_cast<double>(pixel) + .5 - middle) / half));
  }
  std::vector<reach> reaches_;
  std::vector<float> weights_;
};

}  // namespace detail

/// Writes side * side * 3 numbers in 0...255, channels last: the picture of height * width * 3 bytes where the axes put it, and
/// the padding around it.
inline void resample(std::span<std::uint8_t const> rgb, std::int64_t height, std::int64_t width, axis const& across, axis const& down,
                     std::int64_t side, std::array<std::uint8_t, 3> const& pad, float* out) {
  detail::taps const columns(width, side, across), rows(height, side, down);
  auto const line          = static_cast<std::size_t>(3 * side);
  // Rows of the picture, already as wide as the output: as many as one row of the output is made of, each in the place of its number modulo
  // that. A picture of 65,500 x 1 pixels would have 150 MB of them.
  std::size_t const places = rows.most();
  std::vector<float> narrow(places * line);
  std::vector<std::size_t> held(places, static_cast<std::size_t>(height));  // the row in each place; none yet
  auto const row_of = [&](std::size_t y) -> float const* {
    float* const made = narrow.data() + y % places * line;
    if (std::exchange(held[y % places], y) == y) return made;
    float* to                     = made;
    std::uint8_t const* const row = rgb.data() + static_cast<std::size_t>(3 * width) * y;
    for (std::int64_t x = 0; x < side; ++x, to += 3) {
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
  for (std::int64_t y = 0; y < side; ++y, out += line) {
    auto const& r = rows[y];
    std::fill(out, out + line, 0.0f);
    for (std::size_t k = 0; k < r.count; ++k) {
      float const weight      = rows.weights(r)[k];
      float const* const from = row_of(r.first + k);
      for (std::size_t i = 0; i < line; ++i) out[i] += weight * from[i];
    }
    for (std::int64_t x = 0; x < side; ++x)
      if (r.count == 0 || columns[x].count == 0) std::copy(pad.begin(), pad.end(), out + 3 * x);
  }
}

/// How much augmentation changes a picture. Zeros and false leave it as it is.
struct augmentation {
  bool flip    = true;  ///< mirror every second picture
  double scale = .2;    ///< a scale from 1 - .2 to 1 + .2, about the middle
  double shift = .1;    ///< a shift of up to so much of the side each way
  double gain  = .1;    ///< a factor from 1 - .1 to 1 + .1 on each channel's distance from the mean colour
};

/// One augmented look at a square picture.
struct view {
  axis across{}, down{};
  std::array<float, 3> gain{1, 1, 1};

  /// Where a box of the square comes to lie; it may reach over the border.
  [[nodiscard]] edges operator()(edges const& e, double side) const {
    double const left = across.mirrored ? side - e.right : e.left, right = across.mirrored ? side - e.left : e.right;
    return {across.scale * left + across.shift, down.scale * e.top + down.shift, across.scale * right + across.shift,
            down.scale * e.bottom + down.shift};
  }
};

/// Draws a view that keeps a quarter or more of every box in sight.
[[nodiscard]] inline view draw_view(random_stream& draw, augmentation const& how, std::span<edges const> boxes, double side) {
  auto const about = [&](double middle, double most) { return middle + most * (2 * draw.uniform() - 1); };
  view seen;
  seen.across.mirrored = how.flip && draw.below(2) == 1;
  for (float& g : seen.gain) g = static_cast<float>(about(1, how.gain));
  for (int tries = 0; tries < 10; ++tries) {
    seen.across.scale = seen.down.scale = about(1, how.scale);
    seen.across.shift                   = side * about((1 - seen.across.scale) / 2, how.shift);
    seen.down.shift                     = side * about((1 - seen.down.scale) / 2, how.shift);
    if (std::all_of(boxes.begin(), boxes.end(), [&](edges const& e) {
          edges const moved = seen(e, side);
          return moved.cut(side).area() >= .25 * moved.area();
        }))
      return seen;
  }
  seen.across.scale = seen.down.scale = 1;
  seen.across.shift = seen.down.shift = 0;
  return seen;
}

}  // namespace c2f::data
