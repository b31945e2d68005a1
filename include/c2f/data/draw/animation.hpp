// c2f/data/draw/animation.hpp: pictures of one size as an animated PNG, which browsers play; other programs show its first picture.
//
//   std::vector<c2f::data::canvas> pages(3, c2f::data::canvas(64, 48));
//   c2f::data::write_animation("video.png", pages, 200);                  // 200 ms each, over and over
//
// The format: a PNG of the first picture with a chunk acTL (how many pictures), and for each picture a chunk fcTL (its duration) and its
// compressed pixels, which are IDAT in the first one and fdAT, with a number before them, in the others (PNG, third edition, 2025, 11.3.6).
//
// Costs: the pictures are compressed one by one; memory for the file. Needs libspng.
// Errors: input_error for no pictures, for pictures of other sizes than the first, for a duration outside of 1 to 65,535 ms, and those of
// canvas::write_png.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/io/whole_file.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace c2f::data {

namespace detail {

/// The chunks of a PNG: a length, four letters, bytes, and the CRC-32 (ISO 3309) of letters and bytes.
class png_chunks {
 public:
  using bytes = std::vector<std::uint8_t>;
  void append(std::string_view letters, std::span<std::uint8_t const> content) {
    number(static_cast<std::uint32_t>(content.size()));
    std::size_t const begin = file_.size();
    file_.insert(file_.end(), letters.begin(), letters.end());
    file_.insert(file_.end(), content.begin(), content.end());
    std::uint32_t sum = ~0u;
    for (std::size_t i = begin; i < file_.size(); ++i) {
      sum ^= file_[i];
      for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (sum & 1 ? 0xedb88320u : 0u);
    }
    number(~sum);
  }
  /// The contents of the chunks of this name in a PNG that libspng has made.
  static std::vector<std::span<std::uint8_t const>> find(std::span<std::uint8_t const> png, std::string_view letters) {
    std::vector<std::span<std::uint8_t const>> found;
    for (std::size_t at = 8; at + 12 <= png.size();) {
      std::size_t const length = std::size_t{png[at]} << 24 | std::size_t{png[at + 1]} << 16 | std::size_t{png[at + 2]} << 8 | png[at + 3];
      if (std::ranges::equal(png.subspan(at + 4, 4), letters)) found.push_back(png.subspan(at + 8, length));
      at += length + 12;
    }
    return found;
  }
  static void put(bytes& to, std::uint32_t value, int size) {
    for (int i = size - 1; i >= 0; --i) to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  [[nodiscard]] bytes const& file() const { return file_; }

 private:
  void number(std::uint32_t value) { put(file_, value, 4); }
  bytes file_{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
};

}  // namespace detail

/// Writes pictures of one size, each shown for that long, over and over.
inline void write_animation(std::filesystem::path const& path, std::span<canvas const> pages, int milliseconds) {
  if (pages.empty()) throw input_error("an animation of no pictures cannot be written to '" + path.string() + "'; give one or more");
  if (milliseconds < 1 || milliseconds > 65535)
    throw input_error("a picture of an animation is shown for " + std::to_string(milliseconds) + " ms; write 1 to 65535");
  using chunks = detail::png_chunks;
  chunks made;
  std::uint32_t sequence = 0;
  for (canvas const& page : pages) {
    if (page.width() != pages[0].width() || page.height() != pages[0].height())
      throw input_error("a picture of " + std::to_string(page.width()) + " x " + std::to_string(page.height()) + " pixels follows one of " +
                        std::to_string(pages[0].width()) + " x " + std::to_string(pages[0].height()) +
                        " pixels in an animation; give pictures of one size");
    auto const encoded = detail::encode_png(page.bytes(), page.width(), page.height(), path);
    std::span const png(static_cast<std::uint8_t const*>(encoded.data.get()), encoded.size);
    bool const first = sequence == 0;
    if (first) {
      made.append("IHDR", chunks::find(png, "IHDR").at(0));
      chunks::bytes control;
      chunks::put(control, static_cast<std::uint32_t>(pages.size()), 4), chunks::put(control, 0, 4);  // pictures; 0: for ever
      made.append("acTL", control);
    }
    chunks::bytes control;
    chunks::put(control, sequence++, 4);
    chunks::put(control, static_cast<std::uint32_t>(page.width()), 4), chunks::put(control, static_cast<std::uint32_t>(page.height()), 4);
    chunks::put(control, 0, 4), chunks::put(control, 0, 4);                                            // where it is put
    chunks::put(control, static_cast<std::uint32_t>(milliseconds), 2), chunks::put(control, 1000, 2);  // a fraction of a second
    chunks::put(control, 0, 2);                                                                        // replaces what is there
    made.append("fcTL", control);
    for (auto const pixels : chunks::find(png, "IDAT")) {
      if (first) {
        made.append("IDAT", pixels);
        continue;
      }
      chunks::bytes numbered;
      chunks::put(numbered, sequence++, 4);
      numbered.insert(numbered.end(), pixels.begin(), pixels.end());
      made.append("fdAT", numbered);
    }
  }
  made.append("IEND", {});
  whole_file out(path);
  out.write(made.file().data(), made.file().size());
  out.commit();
}

}  // namespace c2f::data
