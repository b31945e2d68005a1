// c2f/print/event_records.hpp: scalars as records of an event file of TensorBoard.
//
//   std::string file = c2f::print::events::file_version(1700000000.0);
//   file += c2f::print::events::scalars(1700000060.0, 1, {{"loss", 0.5}, {"top1/fine", 0.7}});
//   std::printf("%08x\n", c2f::print::events::crc32c("123456789"));               // e3069283
//
// The format is TFRecord: the length of an event as uint64, its masked CRC-32C as uint32, the event, its masked CRC-32C; numbers are little
// endian. An event is a Protocol Buffers message (tensorflow/core/util/event.proto): wall_time 1, step 2, file_version 3, summary 5; a
// summary (summary.proto) has values 1, each with a tag 1 and a simple_value 2.
// Cost: a table of 256 numbers. Errors: none.
#pragma once

#include <c2f/train/observer.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace c2f::print::events {

/// The CRC-32C (Castagnoli) of bytes.
[[nodiscard]] inline std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t rest = i;
      for (int bit = 0; bit < 8; ++bit) rest = rest >> 1 ^ (rest & 1 ? 0x82f63b78u : 0);
      made[i] = rest;
    }
    return made;
  }();
  std::uint32_t crc = ~0u;
  for (char const c : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}
/// As TFRecord stores it: rotated by 15 bits, plus a constant.
[[nodiscard]] inline std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8u; }

namespace detail {

template <class Number>
std::string little_endian(Number value) {
  auto bits = std::bit_cast<std::conditional_t<sizeof(Number) == 8, std::uint64_t, std::uint32_t>>(value);
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i, bits >>= 8) bytes += static_cast<char>(bits & 0xff);
  return bytes;
}
inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7) bytes += static_cast<char>(value | 128);
  return bytes + static_cast<char>(value);
}
/// A field of a message: its number and wire type (0: varint, 1: 64 bits, 2: bytes, 5: 32 bits), then its value.
inline std::string field(int number, int type, std::string const& value) {
  return varint(static_cast<std::uint64_t>(number << 3 | type)) + (type == 2 ? varint(value.size()) : "") + value;
}
inline std::string record(std::string const& event) {
  std::string const length = little_endian(std::uint64_t{event.size()});
  return length + little_endian(masked(crc32c(length))) + event + little_endian(masked(crc32c(event)));
}

}  // namespace detail

/// The first record of a file. Times are in seconds since 1970.
[[nodiscard]] inline std::string file_version(double time) {
  return detail::record(detail::field(1, 1, detail::little_endian(time)) + detail::field(3, 2, "brain.Event:2"));
}
/// A record with the scalars of a step.
[[nodiscard]] inline std::string scalars(double time, std::int64_t step, named_values const& values) {
  std::string summary;
  for (auto const& [tag, value] : values)
    summary += detail::field(1, 2, detail::field(1, 2, tag) + detail::field(2, 5, detail::little_endian(static_cast<float>(value))));
  return detail::record(detail::field(1, 1, detail::little_endian(time)) +
                        detail::field(2, 0, detail::varint(static_cast<std::uint64_t>(step))) + detail::field(5, 2, summary));
}

}  // namespace c2f::print::events
