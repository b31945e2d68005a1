// c2f/core/text.hpp: texts from outside, such as the names of files and classes, as text of a terminal, a table, a picture or a JSON.
//
//   std::string const name = file.filename().string();
//   std::string const line = c2f::text::printable(name);            // one line: no control characters, valid UTF-8
//   std::string const cell = c2f::text::printable(name, 20);        // at most 20 letters; a longer text ends in "..."
//   std::string const item = "{\"name\": " + c2f::text::json(name) + '}';
//
// A file name is bytes: it may be no UTF-8, and it may have newlines and the escape sequences of a terminal. A byte that cannot be shown
// becomes \xHH, so it is not lost. Valid UTF-8 is strict: no overlong forms, no surrogates, nothing beyond U+10FFFF.
// A letter is a code point with up to eight combining marks after it, or one byte that is no UTF-8.
//
// Cost: a pass over the text. Errors: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace c2f::text {

namespace detail {

struct code_point {
  std::uint32_t value = 0;
  std::size_t bytes   = 0;  ///< 0: the text does not begin with valid UTF-8
};

/// The code point with which a text begins.
[[nodiscard]] constexpr code_point first_code_point(std::string_view text) {
  if (text.empty()) return {};
  auto const byte         = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  std::size_t const bytes = byte(0) < 0x80 ? 1 : byte(0) < 0xc2 ? 0 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : byte(0) < 0xf5 ? 4 : 0;
  if (bytes == 0 || text.size() < bytes) return {};
  std::uint32_t value = bytes == 1 ? byte(0) : byte(0) & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return {};
    value = value << 6U | (byte(i) & 0x3fU);
  }
  bool const overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000), surrogate = value >= 0xd800 && value < 0xe000;
  if (overlong || surrogate || value > 0x10ffff) return {};
  return {value, bytes};
}

/// Whether a code point is shown on the letter before it: accents, variation selectors, the joiner of emoji.
[[nodiscard]] constexpr bool combines(std::uint32_t c) {
  return (c >= 0x300 && c < 0x370) || (c >= 0x1ab0 && c < 0x1b00) || (c >= 0x1dc0 && c < 0x1e00) || (c >= 0x20d0 && c < 0x2100) ||
         (c >= 0xfe00 && c < 0xfe10) || (c >= 0xfe20 && c < 0xfe30) || c == 0x200d;
}
/// Whether a code point moves a cursor or turns the direction of writing instead of being shown.
[[nodiscard]] constexpr bool controls(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || (c >= 0x202a && c < 0x202f) || (c >= 0x2066 && c < 0x206a) ||
         c == 0x200e || c == 0x200f || c == 0x061c || c == 0xfeff;
}

/// \xHH for each byte.
[[nodiscard]] inline std::string escaped(std::string_view bytes) {
  std::string made;
  for (char const c : bytes) {
    auto const byte = static_cast<unsigned char>(c);
    made += {'\\', 'x', "0123456789abcdef"[byte >> 4U], "0123456789abcdef"[byte & 15U]};
  }
  return made;
}

}  // namespace detail

/// The letter with which a text begins; empty for an empty text.
[[nodiscard]] constexpr std::string_view first_letter(std::string_view text) {
  detail::code_point const first = detail::first_code_point(text);
  if (first.bytes == 0) return text.substr(0, 1);
  std::size_t end = first.bytes;
  if (!detail::controls(first.value))
    for (int marks = 0; marks < 8; ++marks) {
      auto const next = detail::first_code_point(text.substr(end));
      if (next.bytes == 0 || !detail::combines(next.value)) break;
      end += next.bytes;
    }
  return text.substr(0, end);
}

/// The number of letters.
[[nodiscard]] constexpr std::size_t letters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(first_letter(text).size());
  return count;
}

/// A text as one line of at most `most` letters. Of a longer one, the first letters and "..."
[[nodiscard]] inline std::string printable(std::string_view text, std::size_t most = std::string_view::npos) {
  std::string made;
  std::size_t count = 0, room = most < 3 ? 0 : most - 3, fits = 0;  // fits: the bytes that leave room for "..."
  while (!text.empty()) {
    std::string_view const letter  = first_letter(text);
    detail::code_point const first = detail::first_code_point(letter);
    bool const shown               = first.bytes > 0 && !detail::controls(first.value);
    std::string const next         = shown ? std::string(letter) : detail::escaped(letter);
    count += shown ? 1 : next.size();
    if (count > most) return made.substr(0, fits) + std::string(most < 3 ? most : 3, '.');
    made += next;
    if (count <= room) fits = made.size();
    text.remove_prefix(letter.size());
  }
  return made;
}

/// A text as valid UTF-8: a byte that is none becomes \xHH; all others, control characters too, are kept.
[[nodiscard]] inline std::string utf8(std::string_view text) {
  std::string made;
  while (!text.empty()) {
    std::size_t const bytes = detail::first_code_point(text).bytes;
    made += bytes > 0 ? std::string(text.substr(0, bytes)) : detail::escaped(text.substr(0, 1));
    text.remove_prefix(bytes > 0 ? bytes : 1);
  }
  return made;
}

/// A text as a string of a JSON, with its quotes.
[[nodiscard]] inline std::string json(std::string_view text) {
  std::string made = "\"";
  for (char const c : utf8(text)) {
    auto const byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') made += '\\';
    if (byte < 0x20)
      made += std::string("\\u00") + "0123456789abcdef"[byte >> 4U] + "0123456789abcdef"[byte & 15U];
    else
      made += c;
  }
  return made + '"';
}

}  // namespace c2f::text
