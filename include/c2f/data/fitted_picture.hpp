// c2f/data/fitted_picture.hpp: brings a picture of any size to the input size of a network, and its results back.
//
//   c2f::data::picture_bytes const photo = c2f::data::read_picture("cat.jpg");
//   auto const seen = c2f::data::fitted(photo, c2f::data::resizing::letterbox, 96, 96);      // 96 * 96 * 3 bytes, and where they come from
//   std::vector<float> pixels(3 * 96 * 96);
//   c2f::data::normalise(seen.rgb, {}, pixels.data());                                       // by ImageNet's mean and deviation
//   c2f::metrics::box const there = seen.back({10, 10, 50, 50});                             // a box of the canvas in pixels of the photo
//
// The rules: stretch changes the aspect ratio; letterbox fits the whole picture and pads with the mean colour; crop fills the canvas and
// loses the longer side's ends. Pixels are resampled by letterbox.hpp's filter and rounded to bytes. Training and prediction call the same
// function, so a network sees a picture in the same way in both.
//
// Cost: that of c2f::data::resample. Errors: none; sizes must be 1 or more.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/augment.hpp>
#include <c2f/data/letterbox.hpp>
#include <c2f/metrics/detection.hpp>

namespace c2f::data {

/// How a picture of another size is brought to the size of a canvas.
enum class resizing { stretch, letterbox, crop };

/// Resizing and augmentation by their names (split.hpp: settings()).
[[nodiscard]] inline std::vector<std::pair<std::string, double>> settings_of(resizing resize, augmentation const& augment) {
  auto all = settings_of(augment);
  all.emplace_back("resizing (0 stretch, 1 letterbox, 2 crop)", static_cast<double>(resize));
  return all;
}

/// Means and deviations of red, green and blue in units of 0...1.
struct normalisation {
  std::array<float, 3> mean = imagenet_mean, deviation = imagenet_deviation;
  friend bool operator==(normalisation const&, normalisation const&) = default;
};

/// Where a picture lies on a canvas: the maps of both axes from the picture's pixels to the canvas's.
struct picture_place {
  axis across{}, down{};

  [[nodiscard]] static picture_place of(resizing how, std::int64_t height, std::int64_t width, std::int64_t canvas_height,
                                        std::int64_t canvas_width) {
    auto const h = static_cast<double>(height), w = static_cast<double>(width), to_h = static_cast<double>(canvas_height),
               to_w = static_cast<double>(canvas_width);
    if (how == resizing::stretch) return {{.scale = to_w / w}, {.scale = to_h / h}};
    double const scale = how == resizing::letterbox ? std::min(to_w / w, to_h / h) : std::max(to_w / w, to_h / h);
    return {{.scale = scale, .shift = (to_w - scale * w) / 2}, {.scale = scale, .shift = (to_h - scale * h) / 2}};
  }
  friend bool operator==(picture_place const&, picture_place const&) = default;
  /// From pixels of the picture to pixels of the canvas, of a place that is not mirrored.
  [[nodiscard]] metrics::box there(metrics::box const& b) const {
    return {across.scale * b.x0 + across.shift, down.scale * b.y0 + down.shift, across.scale * b.x1 + across.shift,
            down.scale * b.y1 + down.shift};
  }
  /// From pixels of the canvas to pixels of the picture, of a place that is not mirrored.
  [[nodiscard]] metrics::box back(metrics::box const& b) const {
    return {(b.x0 - across.shift) / across.scale, (b.y0 - down.shift) / down.scale, (b.x1 - across.shift) / across.scale,
            (b.y1 - down.shift) / down.scale};
  }
};

/// 255 times ImageNet's mean, the colour of padding.
inline constexpr std::array<std::uint8_t, 3> padding_colour = detail::mean_colour;

/// A picture on a canvas: height * width * 3 RGB bytes, and the size and place of what it was.
struct fitted_picture {
  std::vector<std::uint8_t> rgb;
  std::int64_t height = 0, width = 0;  ///< of the picture before
  picture_place place{};

  /// A box of the canvas in pixels of the picture.
  [[nodiscard]] metrics::box back(metrics::box const& b) const {
    auto const found = place.back(b);
    auto const whole = static_cast<double>(width);
    return place.across.mirrored ? metrics::box{whole - found.x1, found.y0, whole - found.x0, found.y1} : found;
  }
};

/// At a place of your own, which may be mirrored.
[[nodiscard]] inline fitted_picture fitted(picture_bytes const& picture, picture_place const& place, std::int64_t height,
                                           std::int64_t width) {
  fitted_picture made{{}, picture.height, picture.width, place};
  if (picture.height == height && picture.width == width && place == picture_place{}) {
    made.rgb = picture.rgb;
    return made;
  }
  std::vector<float> values(static_cast<std::size_t>(3 * height * width));
  resample(picture.rgb, picture.height, picture.width, made.place.across, made.place.down, height, width, padding_colour, values.data());
  made.rgb.resize(values.size());
  std::transform(values.begin(), values.end(), made.rgb.begin(),
                 [](float value) { return static_cast<std::uint8_t>(std::clamp(value + .5f, 0.0f, 255.0f)); });
  return made;
}
[[nodiscard]] inline fitted_picture fitted(picture_bytes const& picture, resizing how, std::int64_t height, std::int64_t width) {
  return fitted(picture, picture_place::of(how, picture.height, picture.width, height, width), height, width);
}

/// Bytes to (byte / 255 - mean) / deviation, channel by channel.
inline void normalise(std::span<std::uint8_t const> rgb, normalisation const& by, float* out) {
  std::array<std::array<float, 3>, 256> values;  // looked up, since two divisions a byte take longer
  for (std::size_t byte = 0; byte < values.size(); ++byte)
    for (std::size_t c = 0; c < 3; ++c) values[byte][c] = (static_cast<float>(byte) / 255.0f - by.mean[c]) / by.deviation[c];
  for (std::size_t i = 0; i + 2 < rgb.size(); i += 3)
    for (std::size_t c = 0; c < 3; ++c) out[i + c] = values[rgb[i + c]][c];
}

/// A picture of height * width * 3 bytes as the network reads it, through a view: gain * (number / 255 - mean) / deviation of ImageNet.
inline void seen_picture(view const& seen, std::span<std::uint8_t const> rgb, std::int64_t height, std::int64_t width, float* pixels) {
  seen.picture(rgb, height, width, pixels);
  for (std::size_t i = 0; i < rgb.size(); ++i)
    pixels[i] = seen.gain[i % 3] * (pixels[i] / 255.0f - imagenet_mean[i % 3]) / imagenet_deviation[i % 3];
  seen.erase(width, pixels);
}
/// Of a square.
inline void seen_picture(view const& seen, std::span<std::uint8_t const> rgb, std::int64_t side, float* pixels) {
  seen_picture(seen, rgb, side, side, pixels);
}

}  // namespace c2f::data
