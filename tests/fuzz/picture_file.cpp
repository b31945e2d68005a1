// Arbitrary bytes are read as a picture or a picture of labels, or are an input_error of one line. Memory is limited whatever the header
// says: 192 MB for pixels, and 32 MB for texts, profiles and the decoder. A picture is letterboxed as well, whatever its sides, and turned by
// EXIF's orientation: the same bytes in another order.
//
// A mutated PNG mostly fails at a wrong checksum, so it is tried again with corrected checksums.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include <c2f/data/letterbox.hpp>
#include <c2f/data/io/picture_file.hpp>

#include "memory.hpp"

namespace {

using bytes = std::vector<std::uint8_t>;

void one_line(c2f::input_error const& error) {
  for (char const* c = error.what(); *c != '\0'; ++c)
    if (static_cast<unsigned char>(*c) < ' ') std::abort();
}

void decode(std::span<std::uint8_t const> data) {
  limit_memory const limit(data.size(), c2f::data::largest_picture_memory + 32000000);
  try {
    auto const picture = c2f::data::decode_picture(data, "input");
    if (picture.rgb.size() != static_cast<std::size_t>(3 * picture.height * picture.width) || picture.rgb.empty()) std::abort();
    if (picture.height * picture.width <= 1 << 16) {
      auto turned       = c2f::data::decode_picture(data, "input", c2f::data::exif::apply);
      bool const across = turned.height == picture.width && turned.width == picture.height;
      if (!across && (turned.height != picture.height || turned.width != picture.width)) std::abort();
      auto stored = picture.rgb;
      std::sort(turned.rgb.begin(), turned.rgb.end()), std::sort(stored.begin(), stored.end());
      if (turned.rgb != stored) std::abort();
      constexpr std::int64_t side = 8;
      float square[3 * side * side];
      auto const where = c2f::data::letterbox::of(picture.height, picture.width, side);
      c2f::data::resample(picture.rgb, picture.height, picture.width, where.across(), where.down(), side, {1, 2, 3}, square);
      for (float const number : square)
        if (!(number > -.01f && number < 255.01f)) std::abort();
    }
  } catch (c2f::input_error const& error) {
    one_line(error);
  }
  try {
    auto const picture = c2f::data::decode_label_picture(data, "input");
    if (picture.labels.size() != static_cast<std::size_t>(picture.height * picture.width) || picture.labels.empty()) std::abort();
  } catch (c2f::input_error const& error) {
    one_line(error);
  }
}

// CRC-32 of ISO 3309, bit by bit.
std::uint32_t checksum(std::span<std::uint8_t const> data) {
  std::uint32_t sum = ~0u;
  for (std::uint8_t const byte : data) {
    sum ^= byte;
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ (sum & 1 ? 0xedb88320u : 0u);
  }
  return ~sum;
}

// A chunk: length, four letters, `length` bytes, checksum of letters and bytes.
bytes with_checksums(bytes png) {
  for (std::size_t at = 8; at + 12 <= png.size();) {
    std::size_t const length = std::size_t{png[at]} << 24 | std::size_t{png[at + 1]} << 16 | std::size_t{png[at + 2]} << 8 | png[at + 3];
    if (length > png.size() - at - 12) break;
    std::uint32_t const sum = checksum(std::span(png).subspan(at + 4, length + 4));
    for (unsigned i = 0; i < 4; ++i) png[at + 8 + length + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
    at += length + 12;
  }
  return png;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  decode({data, size});
  if (size > 8 && data[0] == 0x89) decode(with_checksums({data, data + size}));
  return 0;
}
