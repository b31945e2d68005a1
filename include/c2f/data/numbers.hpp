// c2f/data/numbers.hpp: numbers from files: how far rounding is tolerated, and how messages print them.
//
//   c2f::data::detail::text_of(96.0000031);                 // "96.0000031": the shortest text that is read as the same number
//   c2f::data::detail::without_rounding(0.9999999);         // 1
//   c2f::data::detail::without_rounding(1.5);               // 1.5
//
// Programs write labels and coordinates after arithmetic in 32 bits or with a few decimals. A number that misses a whole number by up to
// 1/1000 is taken for it where only whole numbers make sense (labels, sizes of pictures), and a box may lie outside its picture by up to
// 1/1000 pixel. A label that was interpolated (0.5, 0.97) is further away, and refused.
#pragma once

#include <charconv>
#include <cmath>
#include <string>

namespace c2f::data::detail {

/// What is taken for rounding: a fraction of a label, or of a pixel.
inline constexpr double tolerated_rounding = 1e-3;

/// The nearest whole number if it is near enough, else the number itself (also NaN and infinity).
[[nodiscard]] inline double without_rounding(double value) {
  double const whole = std::floor(value + 0.5);
  return std::abs(value - whole) <= tolerated_rounding ? whole : value;
}

/// The shortest text that reads back as the same number, so that different numbers have different texts.
template <class Number>
[[nodiscard]] std::string text_of(Number value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace c2f::data::detail
