// c2f/data/scaled_window.hpp: a window of an enlarged or reduced picture, for pictures with labels and depths.
//
//   c2f::random_stream draw(seed, c2f::purpose::augment, epoch, id);
//   auto const where = c2f::data::scaled_window::drawn(photo.height, photo.width, 513, 1025, draw);      // or ::middle(...)
//   auto const from  = where.at(3, 5);                                // the place in the picture of pixel (3, 5) of the window
//   float const red  = c2f::data::interpolated(photo.rgb, photo.height, photo.width, from, 0);      // 0 ... 255
//   double const metres = 12 / where.scale;                           // the depth of what is 12 metres away in the picture
//
// A camera that sees an object `scale` times as large sees it at 1 / scale of the distance, so depths are divided by the scale (Qiao et al.
// 2021; deeplab2). Scales are .5, .6 ... 2. Cost: none. Errors: none; a place may be outside of the picture.
#pragma once

#include <c2f/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace c2f::data {

/// A window of height x width pixels of a picture that is `scale` times as large.
struct scaled_window {
  std::int64_t width = 0;
  double scale       = 1;
  std::int64_t top = 0, left = 0;
  bool mirrored = false;

  /// A place in the picture; pixel (0, 0) reaches from 0 to 1.
  struct place {
    double y, x;
    [[nodiscard]] std::int64_t row() const { return static_cast<std::int64_t>(std::floor(y)); }
    [[nodiscard]] std::int64_t column() const { return static_cast<std::int64_t>(std::floor(x)); }
  };
  [[nodiscard]] place at(std::int64_t y, std::int64_t x) const {
    return {(static_cast<double>(y + top) + .5) / scale, (static_cast<double>((mirrored ? width - 1 - x : x) + left) + .5) / scale};
  }

  /// The middle of the picture, in its own size.
  static scaled_window middle(std::int64_t picture_height, std::int64_t picture_width, std::int64_t height, std::int64_t width) {
    return {.width = width, .top = (picture_height - height) / 2, .left = (picture_width - width) / 2};
  }
  /// A random scale, a random place, and mirrored with probability 1/2.
  static scaled_window drawn(std::int64_t picture_height, std::int64_t picture_width, std::int64_t height, std::int64_t width,
                             random_stream& draw) {
    scaled_window where{.width = width, .scale = .5 + .1 * draw.below(16)};
    auto const start = [&](std::int64_t size, std::int64_t wanted) {
      auto const room = static_cast<std::int64_t>(static_cast<double>(size) * where.scale) - wanted;
      return room <= 0 ? room / 2 : static_cast<std::int64_t>(draw.below(static_cast<std::uint32_t>(room + 1)));
    };
    where.top = start(picture_height, height), where.left = start(picture_width, width);
    where.mirrored = draw.below(2) == 1;
    return where;
  }
};

/// A channel of an RGB picture at a place, bilinearly, with the border's values outside.
[[nodiscard]] inline float interpolated(std::span<std::uint8_t const> rgb, std::int64_t height, std::int64_t width,
                                        scaled_window::place const& from, std::size_t channel) {
  auto const at = [&](std::int64_t row, std::int64_t column) {
    row = std::clamp<std::int64_t>(row, 0, height - 1), column = std::clamp<std::int64_t>(column, 0, width - 1);
    return static_cast<double>(rgb[3 * static_cast<std::size_t>(row * width + column) + channel]);
  };
  double const y = from.y - .5, x = from.x - .5;
  auto const top = static_cast<std::int64_t>(std::floor(y)), left = static_cast<std::int64_t>(std::floor(x));
  double const down = y - static_cast<double>(top), right = x - static_cast<double>(left);
  return static_cast<float>((1 - down) * ((1 - right) * at(top, left) + right * at(top, left + 1)) +
                            down * ((1 - right) * at(top + 1, left) + right * at(top + 1, left + 1)));
}

}  // namespace c2f::data
