// c2f/data/io/picture_file.hpp: decodes JPEG and PNG files.
//
//   c2f::data::picture_bytes photo = c2f::data::read_picture("cat.jpg");          // always RGB, 8 bits a channel
//   page.blit(photo.rgb, photo.width, photo.height, 0, 0);
//   c2f::data::label_bytes trimap = c2f::data::read_label_picture("cat.png");     // one byte a pixel: label numbers, not colours
//   c2f::data::number_map depth = c2f::data::read_number_picture("depth.png");    // grey of up to 16 bits: panoptic labels, depths
//
// The format is recognised by the file's first bytes, not by its name. Every colour type of PNG, and grey, YCbCr, RGB, CMYK and YCCK JPEG, are
// converted to RGB of 8 bits as Pillow does, but for grey of 16 bits: the higher 8 are kept, where Pillow clips to 255, so that 12 bits of a
// microscope become 0 to 15; read_number_picture has all. Transparency is dropped; gamma and colour profiles are ignored. An incomplete picture is
// an error: conditions that libjpeg only warns of (missing data, broken codes) are errors here, but for bytes before a marker, which carry
// nothing and are skipped.
//
// EXIF's orientation says how a camera was held. By default it is ignored, as by Pillow's Image.open and torchvision; exif::apply turns the
// picture as Pillow's ImageOps.exif_transpose does. Where an annotation says a picture's size, read_picture_of_size turns it only if it has
// that size then and not before: whoever drew the annotation saw it turned, or did not.
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

#include <jerror.h>
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
  int bits = 16;  ///< of a pixel in the file; 8 for fewer, too
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
    state_.err                 = jpeg_std_error(&report_.calls);
    report_.calls.error_exit   = &fail;
    report_.calls.emit_message = [](j_common_ptr state, int level) {
      if (level < 0 && state->err->msg_code != JWRN_EXTRANEOUS_DATA) fail(state);
    };
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

  /// Whether pixels have four inks.
  [[nodiscard]] bool has_inks() const { return state_.jpeg_color_space == JCS_CMYK || state_.jpeg_color_space == JCS_YCCK; }

  /// Decodes the picture; false on failure. inks: for has_inks(), room for a row of four bytes a pixel.
  [[nodiscard]] bool rows(std::uint8_t* to, std::uint8_t* inks) {
    if (setjmp(report_.back) != 0) return false;
    bool const four        = has_inks();
    state_.out_color_space = four ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&state_);
    while (state_.output_scanline < state_.output_height) {
      std::size_t const width = state_.output_width;
      JSAMPROW const pixels   = to + 3 * width * state_.output_scanline;
      JSAMPROW row            = four ? inks : pixels;
      jpeg_read_scanlines(&state_, &row, 1);
      if (four)
        for (std::size_t x = 0; x < width; ++x)
          for (std::size_t c = 0; c < 3; ++c) pixels[3 * x + c] = without_ink(inks[4 * x + c], inks[4 * x + 3]);
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
  /// Files have inverted inks, as Adobe's programs write them, so the product of both is what is left of white; rounded as by Pillow.
  static std::uint8_t without_ink(unsigned colour, unsigned black) {
    unsigned const lost = (255 - colour) * black + 128;
    return static_cast<std::uint8_t>(black - ((lost + (lost >> 8)) >> 8));
  }
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
  std::vector<std::uint8_t> inks(reader.has_inks() ? 4 * static_cast<std::size_t>(picture.width) : 0);
  if (!reader.rows(picture.rgb.data(), inks.data())) damaged(name, "JPEG", reader.why());
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

  /// The colours of a palette; none if the picture has no palette.
  [[nodiscard]] std::vector<std::array<std::uint8_t, 3>> palette() {
    if (header_.color_type != SPNG_COLOR_TYPE_INDEXED) return {};
    spng_plte found{};
    check(spng_get_plte(state_.get(), &found));
    std::vector<std::array<std::uint8_t, 3>> made;
    for (std::uint32_t i = 0; i < found.n_entries; ++i)
      made.push_back({found.entries[i].red, found.entries[i].green, found.entries[i].blue});
    return made;
  }
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

namespace detail {
inline picture_bytes decode_as_stored(std::span<std::uint8_t const> bytes, std::string const& name) {
  if (bytes.size() >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff) return detail::decode_jpeg(bytes, name);
  if (!detail::is_png(bytes)) throw input_error("'" + name + "' does not begin as a JPEG or PNG file does; convert it to one of them");
  detail::png_reader reader(bytes, name);
  return {reader.header().height, reader.header().width, reader.pixels(SPNG_FMT_RGB8)};
}

/// The orientation in a TIFF header, as EXIF has it: 1 ... 8; 1, as it is, where there is none.
inline int orientation_in_tiff(std::span<std::uint8_t const> tiff) {
  if (tiff.size() < 8) return 1;
  bool const big    = tiff[0] == 'M';
  auto const number = [&](std::size_t at, std::size_t bytes) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | tiff[big ? at + i : at + bytes - 1 - i];
    return value;
  };
  if ((tiff[0] != 'M' && tiff[0] != 'I') || tiff[1] != tiff[0] || number(2, 2) != 42) return 1;
  std::size_t const table = number(4, 4);
  if (table > tiff.size() - 2) return 1;
  std::size_t const entries = std::min(number(table, 2), (tiff.size() - table - 2) / 12);
  for (std::size_t i = 0; i < entries; ++i) {
    std::size_t const at = table + 2 + 12 * i;
    if (number(at, 2) != 0x0112) continue;
    std::size_t const found = number(at + 8, 2);
    return number(at + 2, 2) == 3 && found >= 1 && found <= 8 ? static_cast<int>(found) : 1;
  }
  return 1;
}
/// The orientation of a JPEG or PNG file.
inline int orientation_of(std::span<std::uint8_t const> bytes) {
  auto const big = [&](std::size_t at, std::size_t count) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[at + i];
    return value;
  };
  if (is_png(bytes)) {
    for (std::size_t at = 8; at + 12 <= bytes.size();) {
      std::size_t const size = big(at, 4), type = big(at + 4, 4);
      if (size > bytes.size() - at - 12) return 1;
      if (type == 0x65584966) return orientation_in_tiff(bytes.subspan(at + 8, size));  // eXIf
      at += 12 + size;
    }
    return 1;
  }
  constexpr std::uint8_t exif_header[]{'E', 'x', 'i', 'f', 0, 0};
  for (std::size_t at = 2; at + 4 <= bytes.size();) {
    if (bytes[at] != 0xff) return 1;
    std::uint8_t const marker = bytes[at + 1];
    if (marker == 0xff) {  // fill bytes
      ++at;
      continue;
    }
    std::size_t const size = big(at + 2, 2);
    if (marker == 0xda || marker == 0xd9 || size < 2 || size > bytes.size() - at - 2) return 1;
    if (marker == 0xe1 && size >= 8 && std::equal(exif_header, exif_header + 6, bytes.begin() + static_cast<std::ptrdiff_t>(at + 4)))
      return orientation_in_tiff(bytes.subspan(at + 10, size - 8));
    at += 2 + size;
  }
  return 1;
}
/// A picture as it is seen when held as the orientation says.
inline picture_bytes turned(picture_bytes const& from, int orientation) {
  if (orientation <= 1 || orientation > 8) return from;
  bool const sides_change = orientation >= 5;
  picture_bytes made{sides_change ? from.width : from.height, sides_change ? from.height : from.width, {}};
  made.rgb.resize(from.rgb.size());
  std::uint8_t* to         = made.rgb.data();
  std::int64_t const right = from.width - 1, bottom = from.height - 1;
  for (std::int64_t y = 0; y < made.height; ++y)
    for (std::int64_t x = 0; x < made.width; ++x, to += 3) {
      std::int64_t const along = sides_change ? y : x, down = sides_change ? x : y;  // of the stored picture, before mirroring
      bool const mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
      bool const upside   = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
      std::copy_n(from.rgb.data() + 3 * ((upside ? bottom - down : down) * from.width + (mirrored ? right - along : along)), 3, to);
    }
  return made;
}
}  // namespace detail

/// What is done with EXIF's orientation.
enum class exif { ignore, apply };

/// Decodes the bytes of a JPEG or PNG file; `name` is used in messages.
[[nodiscard]] inline picture_bytes decode_picture(std::span<std::uint8_t const> bytes, std::string const& name,
                                                  exif orientation = exif::ignore) {
  picture_bytes made = detail::decode_as_stored(bytes, name);
  return orientation == exif::apply ? detail::turned(made, detail::orientation_of(bytes)) : made;
}

/// Reads a JPEG or PNG file.
[[nodiscard]] inline picture_bytes read_picture(std::filesystem::path const& path, exif orientation = exif::ignore) {
  return decode_picture(detail::bytes_of_file(path, detail::largest_picture_file), path.string(), orientation);
}

/// Reads a picture whose annotation says its size: turned by EXIF's orientation if it has that size only then. The caller checks the size.
[[nodiscard]] inline picture_bytes read_picture_of_size(std::filesystem::path const& path, std::int64_t height, std::int64_t width) {
  auto const bytes   = detail::bytes_of_file(path, detail::largest_picture_file);
  picture_bytes made = detail::decode_as_stored(bytes, path.string());
  if ((made.height == height && made.width == width) || made.height != width || made.width != height) return made;
  int const orientation = detail::orientation_of(bytes);
  return orientation >= 5 ? detail::turned(made, orientation) : made;
}

/// input_error if the labels of a file are not of the size of its picture.
inline void check_label_size(std::filesystem::path const& file, label_bytes const& labels, picture_bytes const& picture) {
  auto const size = [](auto const& of) { return std::to_string(of.width) + " x " + std::to_string(of.height) + " pixels"; };
  if (labels.height != picture.height || labels.width != picture.width)
    throw input_error("'" + file.string() + "' has labels of " + size(labels) + ", and its picture is " + size(picture) +
                      "; give both the same size");
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

/// The colours of the palette of a PNG file, by label; none if it is grey.
[[nodiscard]] inline std::vector<std::array<std::uint8_t, 3>> read_palette(std::filesystem::path const& path) {
  auto const bytes = detail::bytes_of_file(path, detail::largest_picture_file);
  if (!detail::is_png(bytes)) throw input_error("'" + path.string() + "' does not begin as a PNG file does; labels are kept in PNG files");
  return detail::png_reader(bytes, path.string()).palette();
}

/// Reads the labels of a PNG file.
[[nodiscard]] inline label_bytes read_label_picture(std::filesystem::path const& path) {
  return decode_label_picture(detail::bytes_of_file(path, detail::largest_picture_file), path.string());
}

/// Decodes the numbers of a grey PNG of 16 bits, or the labels of one of fewer.
[[nodiscard]] inline number_map decode_number_picture(std::span<std::uint8_t const> bytes, std::string const& name) {
  if (detail::is_png(bytes)) {
    detail::png_reader reader(bytes, name);
    auto const& header = reader.header();
    if (header.color_type == SPNG_COLOR_TYPE_GRAYSCALE && header.bit_depth == 16) {
      std::vector<std::uint8_t> const raw = reader.pixels(SPNG_FMT_RAW);  // the more significant byte first
      number_map map{header.height, header.width, std::vector<std::uint16_t>(raw.size() / 2)};
      for (std::size_t i = 0; i < map.numbers.size(); ++i) map.numbers[i] = static_cast<std::uint16_t>(raw[2 * i] << 8 | raw[2 * i + 1]);
      return map;
    }
  }
  label_bytes const small = decode_label_picture(bytes, name);
  return {small.height, small.width, {small.labels.begin(), small.labels.end()}, 8};
}
/// Reads them from a file.
[[nodiscard]] inline number_map read_number_picture(std::filesystem::path const& path) {
  return decode_number_picture(detail::bytes_of_file(path, detail::largest_picture_file), path.string());
}
/// Reads depths as KITTI keeps them, metres * 256; input_error for a file of 8 bits, in which they end at one metre.
[[nodiscard]] inline number_map read_depth_picture(std::filesystem::path const& path) {
  number_map depth = read_number_picture(path);
  if (depth.bits != 16)
    throw input_error("the depth map '" + path.string() + "' has " + std::to_string(depth.bits) +
                      " bits a pixel; depths are metres * 256 in a grey PNG of 16 bits");
  return depth;
}

}  // namespace c2f::data
