// c2f/data/colour_operations.hpp: changes of the colours of a picture, as torchvision's transforms.functional has them.
//
//   c2f::data::adjust_saturation({pixels, 3 * 32 * 32}, .5f);        // 0: grey, 1: unchanged, 2: twice as colourful
//
// On H * W * 3 floats in 0 ... 255, channels innermost, in place; results are clamped to 0 ... 255. Equal to torchvision 0.26 on float tensors
// divided by 255; posterize and equalize, which are defined on bytes, round first.
//
// Cost: one or two passes over the pixels; sharpen copies them, and converting to hue and back takes some 20 operations a pixel.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace c2f::data {

namespace detail {
inline float in_bytes(float value) { return std::clamp(value, 0.f, 255.f); }
inline float grey_of(float const* rgb) { return .2989f * rgb[0] + .587f * rgb[1] + .114f * rgb[2]; }
inline float rounded_byte(float value) { return std::floor(in_bytes(value) + .5f); }
}  // namespace detail

/// Black at 0, unchanged at 1.
inline void adjust_brightness(std::span<float> rgb, float factor) {
  for (float& each : rgb) each = detail::in_bytes(factor * each);
}

/// The mean grey of the picture at 0, unchanged at 1.
inline void adjust_contrast(std::span<float> rgb, float factor) {
  double sum = 0;
  for (std::size_t i = 0; i < rgb.size(); i += 3) sum += static_cast<double>(detail::grey_of(&rgb[i]));
  auto const mean = static_cast<float>(sum / static_cast<double>(rgb.size() / 3));
  for (float& each : rgb) each = detail::in_bytes(factor * each + (1 - factor) * mean);
}

/// Grey at 0, unchanged at 1.
inline void adjust_saturation(std::span<float> rgb, float factor) {
  for (std::size_t i = 0; i < rgb.size(); i += 3) {
    float const grey = detail::grey_of(&rgb[i]);
    for (std::size_t c = 0; c < 3; ++c) rgb[i + c] = detail::in_bytes(factor * rgb[i + c] + (1 - factor) * grey);
  }
}

/// Turns the colours by a fraction of their circle, from -.5 to .5.
inline void adjust_hue(std::span<float> rgb, float turn) {
  for (std::size_t i = 0; i < rgb.size(); i += 3) {
    float const r = rgb[i] / 255, g = rgb[i + 1] / 255, b = rgb[i + 2] / 255;
    float const most = std::max({r, g, b}), least = std::min({r, g, b}), range = most - least;
    if (range == 0) continue;
    float const saturation = range / most, red = (most - r) / range, green = (most - g) / range, blue = (most - b) / range;
    float hue = most == r ? blue - green : most == g ? 2 + red - blue : 4 + green - red;
    hue       = std::fmod(hue / 6 + 1, 1.f) + turn;
    hue -= std::floor(hue);
    float const sector = std::floor(hue * 6), part = hue * 6 - sector, v = most;
    auto const clamped = [](float value) { return std::clamp(value, 0.f, 1.f); };
    float const p = clamped(v * (1 - saturation)), q = clamped(v * (1 - saturation * part)), t = clamped(v * (1 - saturation * (1 - part)));
    std::array<std::array<float, 3>, 6> const of{{{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}}};
    auto const& found = of[static_cast<std::size_t>(sector) % 6];
    for (std::size_t c = 0; c < 3; ++c) rgb[i + c] = 255 * found[c];
  }
}

/// Blurred over 3 x 3 pixels at 0, unchanged at 1, sharper above. The pixels at the border stay.
inline void adjust_sharpness(std::span<float> rgb, std::int64_t height, std::int64_t width, float factor) {
  if (height < 3 || width < 3) return;
  std::vector<float> const before(rgb.begin(), rgb.end());
  for (std::int64_t y = 1; y + 1 < height; ++y)
    for (std::int64_t x = 1; x + 1 < width; ++x)
      for (std::int64_t c = 0; c < 3; ++c) {
        auto const at = [&](std::int64_t row, std::int64_t column) {
          return before[static_cast<std::size_t>(3 * (row * width + column) + c)];
        };
        float sum = 4 * at(y, x);
        for (std::int64_t dy = -1; dy <= 1; ++dy)
          for (std::int64_t dx = -1; dx <= 1; ++dx) sum += at(y + dy, x + dx);
        rgb[static_cast<std::size_t>(3 * (y * width + x) + c)] = detail::in_bytes(factor * at(y, x) + (1 - factor) * sum / 13);
      }
}

/// Keeps the `bits` highest bits of every byte.
inline void posterize(std::span<float> rgb, int bits) {
  int const kept = 0xff << (8 - std::clamp(bits, 0, 8));
  for (float& each : rgb) each = static_cast<float>(static_cast<int>(detail::rounded_byte(each)) & kept & 0xff);
}

/// Inverts what is at least `threshold`.
inline void solarize(std::span<float> rgb, float threshold) {
  for (float& each : rgb)
    if (each >= threshold) each = 255 - each;
}

/// Stretches each channel to 0 ... 255.
inline void autocontrast(std::span<float> rgb) {
  for (std::size_t c = 0; c < 3; ++c) {
    float least = 255, most = 0;
    for (std::size_t i = c; i < rgb.size(); i += 3) least = std::min(least, rgb[i]), most = std::max(most, rgb[i]);
    if (most <= least) continue;
    float const scale = 255 / (most - least);
    for (std::size_t i = c; i < rgb.size(); i += 3) rgb[i] = detail::in_bytes((rgb[i] - least) * scale);
  }
}

/// Makes the bytes of each channel as frequent as each other.
inline void equalize(std::span<float> rgb) {
  for (std::size_t c = 0; c < 3; ++c) {
    std::array<std::int64_t, 256> counts{}, table{};
    std::int64_t last = 0, all = 0;
    for (std::size_t i = c; i < rgb.size(); i += 3) ++counts[static_cast<std::size_t>(rgb[i] = detail::rounded_byte(rgb[i]))];
    for (std::int64_t const each : counts) all += each, last = each > 0 ? each : last;
    std::int64_t const step = (all - last) / 255;
    if (step == 0) continue;
    std::int64_t below = 0;
    for (std::size_t i = 0; i < 255; ++i) {
      below += counts[i];
      table[i + 1] = std::min<std::int64_t>((below + step / 2) / step, 255);
    }
    for (std::size_t i = c; i < rgb.size(); i += 3) rgb[i] = static_cast<float>(table[static_cast<std::size_t>(rgb[i])]);
  }
}

}  // namespace c2f::data
