// c2f/data/io/picture_file.hpp: decodes JPEG and PNG files.
//
//   c2f::data::picture_bytes photo = c2f::data::read_picture("cat.jpg");          // always RGB, 8 bits a channel
//   page.blit(photo.rgb, photo.width, photo.height, 0, 0);
//   c2f::data::label_bytes trimap = c2f::data::read_label_picture("cat.png");     // one byte a pixel: label numbers, not colours
//   c2f::data::number_map depth = c2f::data::read_number_picture("depth.png");    // grey of up to 16 bits: panoptic labels, depths
//
// The format is recognised by the file's first bytes, not by its name. Every colour type of PNG, and grey, YCbCr and RGB JPEG, are
// converted to RGB of 8 bits; transparency is dropped; gamma, colour profiles and EXIF's orientation are ignored. An incomplete picture is
// an error: conditions that libjpeg only warns of (missing data, broken codes) are errors here.
//
// Costs: memory for the file and the picture, and for a JPEG of several scans 2 more bytes for each coefficient during decoding. The header
// is checked before memory is allocated: sides are 1 to 65,500, pixels at most 64 million and at most what a file of this size could
// encode; the total is at most 192 MB, or four times the file's size if that is more.
// Needs libjpeg and libspng.
// Errors: input_error with the file's name: missing, neither JPEG nor PNG, damaged, too large; a label picture in colour.
#pragma once

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

// jpeglib.h uses FILE and size_t without including their headers.
#include <jpeglib.h>
#include <spng.h>

#include <c2f/core/errors.hpp>

namespace c2f::data {

/// The means and standard deviations of red, green and blue over ImageNet, in units of 0...1, with which photographs are normalised.
inline constexpr std::array<float, 3> imagenet_mean{.485f, .456f, .406f}, imagenet_deviation{.229f, .224f, .225f};

/// An RGB picture: height * width * 3 bytes, rows from the top, channels innermost.
struct picture_bytes {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> rgb;
};

/// A label map: height * width bytes, rows from the top.
struct label_bytes {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> labels;
};

/// Numbers of up to 16 bits: height * width, rows from the top.
struct number_map {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint16_t> numbers;
};

inline constexpr std::int64_t largest_picture_side = 65500, largest_picture_pixels = 64000000, largest_picture_memory = 192000000;

namespace detail {

inline std::vector<std::uint8_t> bytes_of_file(std::filesystem::path const& path, std::uintmax_t limit) {
  std::string const name = "'" + path.string() + "'";
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) throw input_error("no file " + name + "; check its name and folder");
  std::uintmax_t const size = std::filesystem::file_size(path, failed);
  if (failed) throw input_error("cannot read " + name + ": " + failed.message() + "; make it readable");
  if (size > limit)
    throw input_error(name + " has " + std::to_string(size) + " bytes, more than the " + std::to_string(limit) +
                      " that are read of such a file; check that it is the right one");
  std::ifstream in(path, std::ios::binary);
  if (!in) throw input_error("cannot open " + name + "; make it readable");
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (static_cast<std::uintmax_t>(in.gcount()) != size)
    throw input_error("cannot read " + name + " beyond byte " + std::to_string(in.gcount()) + " of " + std::to_string(size) +
                      "; check the disk, or copy the file again");
  return bytes;
}

inline constexpr std::uintmax_t largest_picture_file = std::uintmax_t{1} << 29;

[[noreturn]] inline void damaged(std::string const& name, char const* format, std::string const& why) {
  throw input_error("'" + name + "' is not a whole " + format + ": " + why + "; copy or convert the file again");
}

/// Checks the size in a header before memory for the pixels is allocated.
inline void check_picture_size(std::string const& name, char const* format, std::uint64_t width, std::uint64_t height,
                               std::uint64_t most_pixels) {
  std::string const size = std::to_string(width) + " x " + std::to_string(height);
  if (width < 1 || height < 1 || width > largest_picture_side || height > largest_picture_side ||
      width * height > static_cast<std::uint64_t>(largest_picture_pixels))
    throw input_error("'" + name + "' is " + size + " pixels; sides are 1 to " + std::to_string(largest_picture_side) +
                      ", pixels at most " + std::to_string(largest_picture_pixels) + ", so make it smaller");
  if (width * height > most_pixels) damaged(name, format, "so few bytes cannot hold " + size + " pixels");
}

/// One decompression. libjpeg reports errors by a callback that must not return: it jumps back into header() or rows() with longjmp. These
/// hold no objects with destructors, and no exception passes through C frames.
class jpeg_reader {
 public:
  explicit jpeg_reader(std::span<std::uint8_t const> bytes) : bytes_(bytes) {}
  jpeg_reader(jpeg_reader const&)            = delete;
  jpeg_reader& operator=(jpeg_reader const&) = delete;
  ~jpeg_reader() { jpeg_destroy_decompress(&state_); }

  /// Reads up to the first scan; false on failure.
  [[nodiscard]] bool header() {
    state_.err                   = jpeg_std_error(&report_.calls);
    report_.calls.error_exit     = &fail;
    report_.calls.emit_message   = [](j_common_ptr state, int level) { level < 0 ? fail(state) : void(); };
    report_.calls.output_message = [](j_common_ptr) {};
    if (setjmp(report_.back) != 0) return false;
    jpeg_create_decompress(&state_);
    // A scan of a progressive file may be a few bytes long but is processed over the whole picture: more than 100 indicate an attack.
    watch_.progress_monitor = [](j_common_ptr state) {
      if (reinterpret_cast<j_decompress_ptr>(state)->input_scan_number > 100) fail(state);
    };
    state_.progress = &watch_;
    jpeg_mem_src(&state_, bytes_.data(), static_cast<unsigned long>(bytes_.size()));
    jpeg_read_header(&state_, TRUE);
    return true;
  }
  [[nodiscard]] std::uint64_t width() const { return state_.image_width; }
  [[nodiscard]] std::uint64_t height() const { return state_.image_height; }
  /// The memory of a pixel during decoding, in bytes: with several scans all coefficients are kept, 16 bits each.
  [[nodiscard]] std::uint64_t pixel_bytes() {
    return 3 + (jpeg_has_multiple_scans(&state_) ? 2 * static_cast<std::uint64_t>(state_.num_components) : 0);
  }

  /// Decodes the picture; false on failure.
  [[nodiscard]] bool rows(std::uint8_t* to) {
    if (setjmp(report_.back) != 0) return false;
    state_.out_color_space = JCS_RGB;
    jpeg_start_decompress(&state_);
    while (state_.output_scanline < state_.output_height) {
      JSAMPROW row = to + std::size_t{3} * state_.output_width * state_.output_scanline;
      jpeg_read_scanlines(&state_, &row, 1);
    }
    jpeg_finish_decompress(&state_);
    return true;
  }
  /// The reason of the failure.
  [[nodiscard]] std::string why() const {
    return state_.progress != nullptr && state_.input_scan_number > 100 ? "it has more than 100 scans" : report_.text;
  }

 private:
  struct report {
    jpeg_error_mgr calls;  // must be first: the library passes a pointer to it
    std::jmp_buf back;
    char text[JMSG_LENGTH_MAX];
  };
  static void fail(j_common_ptr state) {
    auto* const to = reinterpret_cast<report*>(state->err);
    to->calls.format_message(state, to->text);
    std::longjmp(to->back, 1);
  }

  std::span<std::uint8_t const> bytes_;
  jpeg_decompress_struct state_{};
  jpeg_progress_mgr watch_{};
  report report_{};
};

inline picture_bytes decode_jpeg(std::span<std::uint8_t const> bytes, std::string const& name) {
  jpeg_reader reader(bytes);
  if (!reader.header()) damaged(name, "JPEG", reader.why());
  // A block of 8 x 8 pixels takes at least one bit.
  check_picture_size(name, "JPEG", reader.width(), reader.height(), std::uint64_t{512} * bytes.size());
  std::uint64_t const needed = reader.width() * reader.height() * reader.pixel_bytes(),
                      most   = std::max<std::uint64_t>(largest_picture_memory, 4 * bytes.size());
  if (needed > most)
    throw input_error("'" + name + "' takes " + std::to_string(needed) + " bytes to decode, more than " + std::to_string(most) +
                      "; make it smaller, or write it in one scan (not progressive)");
  picture_bytes picture{static_cast<std::int64_t>(reader.height()), static_cast<std::int64_t>(reader.width()), {}};
  picture.rgb.resize(static_cast<std::size_t>(3 * picture.height * picture.width));
  if (!reader.rows(picture.rgb.data())) damaged(name, "JPEG", reader.why());
  return picture;
}

/// One PNG file; the constructor reads and checks its header.
class png_reader {
 public:
  png_reader(std::span<std::uint8_t const> bytes, std::string const& name) : name_(name), state_(spng_ctx_new(0), &spng_ctx_free) {
    check(state_ ? 0 : static_cast<int>(SPNG_EMEM));
    constexpr std::size_t chunk = std::size_t{1} << 24;  // limit of text, profiles etc.; pixels are not included
    check(spng_set_image_limits(state_.get(), largest_picture_side, largest_picture_side));
    check(spng_set_chunk_limits(state_.get(), chunk, chunk));
    check(spng_set_png_buffer(state_.get(), bytes.data(), bytes.size()));
    check(spng_get_ihdr(state_.get(), &header_));
    // Deflate expands a byte to at most 1,032.
    std::uint64_t const channels = header_.color_type == SPNG_COLOR_TYPE_TRUECOLOR         ? 3
                                   : header_.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA ? 4
                                   : header_.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ? 2
                                                                                           : 1;
    check_picture_size(name, "PNG", header_.width, header_.height, std::uint64_t{1032} * 8 * bytes.size() / (channels * header_.bit_depth));
  }
  [[nodiscard]] spng_ihdr const& header() const { return header_; }

  [[nodiscard]] std::vector<std::uint8_t> pixels(int format) {
    std::size_t size = 0;
    check(spng_decoded_image_size(state_.get(), format, &size));
    std::vector<std::uint8_t> bytes(size);
    check(spng_decode_image(state_.get(), bytes.data(), size, format, 0));
    check(spng_decode_chunks(state_.get()));  // reads to the end of the file, so that truncation is detected
    return bytes;
  }

 private:
  void check(int failed) const {
    if (failed) damaged(name_, "PNG", spng_strerror(failed));
  }

  std::string name_;
  std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> state_;
  spng_ihdr header_{};
};

inline bool is_png(std::span<std::uint8_t const> bytes) {
  constexpr std::uint8_t magic[]{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  return bytes.size() >= 8 && std::equal(magic, magic + 8, bytes.begin());
}

}  // namespace detail

/// Decodes the bytes of a JPEG or PNG file; `name` is used in messages.
[[nodiscard]] inline picture_bytes decode_picture(std::span<std::uint8_t const> bytes, std::string const& name) {
  if (bytes.size() >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff) return detail::decode_jpeg(bytes, name);
  if (!detail::is_png(bytes)) throw input_error("'" + name + "' does not begin as a JPEG or PNG file does; convert it to one of them");
  detail::png_reader reader(bytes, name);
  return {reader.header().height, reader.header().width, reader.pixels(SPNG_FMT_RGB8)};
}

/// Reads a JPEG or PNG file.
[[nodiscard]] inline picture_bytes read_picture(std::filesystem::path const& path) {
  return decode_picture(detail::bytes_of_file(path, detail::largest_picture_file), path.string());
}

/// Decodes the labels in the bytes of a PNG file: grey values or palette indices of 1, 2, 4 or 8 bits, unscaled.
[[nodiscard]] inline label_bytes decode_label_picture(std::span<std::uint8_t const> bytes, std::string const& name) {
  if (!detail::is_png(bytes)) throw input_error("'" + name + "' does not begin as a PNG file does; labels are kept in PNG files");
  detail::png_reader reader(bytes, name);
  auto const& header = reader.header();
  bool const numbers = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE || header.color_type == SPNG_COLOR_TYPE_INDEXED;
  if (!numbers || header.bit_depth > 8)
    throw input_error("'" + name + "' has " + std::string(numbers ? "16 bits" : "several channels") +
                      " a pixel; a picture of labels is grey or has a palette, with 8 bits at most");
  label_bytes picture{header.height, header.width, reader.pixels(SPNG_FMT_RAW)};
  if (header.bit_depth == 8) return picture;

  // Below 8 bits pixels are packed, the leftmost in the highest bits, and each row begins at a byte boundary.
  auto const bits = std::size_t{header.bit_depth}, width = std::size_t{header.width}, row_bytes = (width * bits + 7) / 8;
  std::vector<std::uint8_t> const packed = std::move(picture.labels);
  picture.labels.assign(width * header.height, 0);
  for (std::size_t y = 0; y < header.height; ++y)
    for (std::size_t x = 0; x < width; ++x) {
      unsigned const byte           = packed[y * row_bytes + x * bits / 8];
      picture.labels[y * width + x] = static_cast<std::uint8_t>(byte >> (8 - bits - x * bits % 8) & ((1u << bits) - 1));
    }
  return picture;
}

/// Reads the labels of a PNG file.
[[nodiscard]] inline label_bytes read_label_picture(std::filesystem::path const& path) {
  return decode_label_picture(detail::bytes_of_file(path, detail::largest_picture_file), path.string());
}

/// Reads the numbers of a grey PNG file of 16 bits, or the labels of one of fewer.
[[nodiscard]] inline number_map read_number_picture(std::filesystem::path const& path) {
  auto const bytes = detail::bytes_of_file(path, detail::largest_picture_file);
  if (detail::is_png(bytes)) {
    detail::png_reader reader(bytes, path.string());
    auto const& header = reader.header();
    if (header.color_type == SPNG_COLOR_TYPE_GRAYSCALE && header.bit_depth == 16) {
      std::vector<std::uint8_t> const raw = reader.pixels(SPNG_FMT_RAW);  // the more significant byte first
      number_map map{header.height, header.width, std::vector<std::uint16_t>(raw.size() / 2)};
      for (std::size_t i = 0; i < map.numbers.size(); ++i) map.numbers[i] = static_cast<std::uint16_t>(raw[2 * i] << 8 | raw[2 * i + 1]);
      return map;
    }
  }
  label_bytes const small = decode_label_picture(bytes, path.string());
  return {small.height, small.width, {small.labels.begin(), small.labels.end()}};
}

}  // namespace c2f::data
