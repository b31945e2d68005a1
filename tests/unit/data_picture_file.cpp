// Picture files: every colour type is decoded to the encoded values, and an incomplete file is an error.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <c2f/data/io/picture_file.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

using namespace c2f::data;
using tests::has;
using tests::refusal;
using bytes = std::vector<std::uint8_t>;

// A PNG file of raw pixel data: rows of whole bytes, 16 bits in the machine's byte order.
bytes png(unsigned width, unsigned height, spng_color_type type, unsigned depth, bytes const& pixels, bool interlaced = false) {
  std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> const state(spng_ctx_new(SPNG_CTX_ENCODER), &spng_ctx_free);
  REQUIRE(spng_set_option(state.get(), SPNG_ENCODE_TO_BUFFER, 1) == 0);
  spng_ihdr header{};
  header.width = width, header.height = height, header.bit_depth = static_cast<std::uint8_t>(depth);
  header.color_type       = static_cast<std::uint8_t>(type);
  header.interlace_method = interlaced ? 1 : 0;
  REQUIRE(spng_set_ihdr(state.get(), &header) == 0);
  if (type == SPNG_COLOR_TYPE_INDEXED) {
    spng_plte palette{};
    palette.n_entries = 4;
    for (std::uint8_t i = 0; i < 4; ++i) palette.entries[i] = {static_cast<std::uint8_t>(10 * i), static_cast<std::uint8_t>(100 + i), 7, 0};
    REQUIRE(spng_set_plte(state.get(), &palette) == 0);
  }
  REQUIRE(spng_encode_image(state.get(), pixels.data(), pixels.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE) == 0);
  int failed       = 0;
  std::size_t size = 0;
  std::unique_ptr<void, decltype(&std::free)> const file(spng_get_png_buffer(state.get(), &size, &failed), &std::free);
  REQUIRE(failed == 0);
  auto const* p = static_cast<std::uint8_t const*>(file.get());
  return {p, p + size};
}

// A JPEG file; `set` changes libjpeg's defaults.
bytes jpeg(unsigned width, unsigned height, int channels, J_COLOR_SPACE space, bytes const& pixels,
           std::function<void(j_compress_ptr)> const& set = {}) {
  jpeg_compress_struct state{};
  jpeg_error_mgr errors{};
  state.err = jpeg_std_error(&errors);
  jpeg_create_compress(&state);
  unsigned char* file = nullptr;
  unsigned long size  = 0;
  jpeg_mem_dest(&state, &file, &size);
  state.image_width = width, state.image_height = height, state.input_components = channels, state.in_color_space = space;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, 100, TRUE);
  if (set) set(&state);
  jpeg_start_compress(&state, TRUE);
  while (state.next_scanline < height) {
    JSAMPROW row = const_cast<std::uint8_t*>(pixels.data()) + std::size_t{state.next_scanline} * width * static_cast<unsigned>(channels);
    jpeg_write_scanlines(&state, &row, 1);
  }
  jpeg_finish_compress(&state);
  jpeg_destroy_compress(&state);
  bytes const made(file, file + size);
  std::free(file);
  return made;
}

bytes ramp(std::size_t n, unsigned step) {
  bytes values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<std::uint8_t>(i * step);
  return values;
}

std::string refusal(bytes const& file) {
  return refusal([&] { (void)decode_picture(file, "some/file"); });
}

}  // namespace

TEST_CASE("every colour type of PNG becomes RGB of 8 bits") {
  for (bool const interlaced : {false, true}) {
    auto const rgb  = ramp(5 * 3 * 3, 5);
    auto const same = decode_picture(png(5, 3, SPNG_COLOR_TYPE_TRUECOLOR, 8, rgb, interlaced), "a");
    REQUIRE((same.width == 5 && same.height == 3 && same.rgb == rgb));

    bytes with_alpha, grey_alpha, wide_grey, wide_rgb;
    for (std::size_t i = 0; i < 15; ++i) {
      with_alpha.insert(with_alpha.end(), {rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], static_cast<std::uint8_t>(i)});
      grey_alpha.insert(grey_alpha.end(), {rgb[i], static_cast<std::uint8_t>(9 * i)});
      wide_grey.insert(wide_grey.end(), {rgb[i], rgb[i]});  // v * 257 in 16 bits is v in 8 bits
    }
    for (auto const v : rgb) wide_rgb.insert(wide_rgb.end(), {v, v});
    REQUIRE(decode_picture(png(5, 3, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 8, with_alpha, interlaced), "a").rgb == rgb);
    REQUIRE(decode_picture(png(5, 3, SPNG_COLOR_TYPE_TRUECOLOR, 16, wide_rgb, interlaced), "a").rgb == rgb);
    bytes grey;
    for (std::size_t i = 0; i < 15; ++i) grey.insert(grey.end(), 3, rgb[i]);
    REQUIRE(decode_picture(png(5, 3, SPNG_COLOR_TYPE_GRAYSCALE, 8, bytes(rgb.begin(), rgb.begin() + 15), interlaced), "a").rgb == grey);
    REQUIRE(decode_picture(png(5, 3, SPNG_COLOR_TYPE_GRAYSCALE, 16, wide_grey, interlaced), "a").rgb == grey);
    REQUIRE(decode_picture(png(5, 3, SPNG_COLOR_TYPE_GRAYSCALE_ALPHA, 8, grey_alpha, interlaced), "a").rgb == grey);
    // 1 bit: 10110 and so on, black and white.
    auto const bits = decode_picture(png(5, 1, SPNG_COLOR_TYPE_GRAYSCALE, 1, {0b10110000}, interlaced), "a");
    REQUIRE(bits.rgb == bytes{255, 255, 255, 0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0});
    auto const palette = decode_picture(png(3, 1, SPNG_COLOR_TYPE_INDEXED, 8, {2, 0, 3}, interlaced), "a");
    REQUIRE(palette.rgb == bytes{20, 102, 7, 0, 100, 7, 30, 103, 7});
  }
}

TEST_CASE("grey, YCbCr, RGB, progressive and subsampled JPEG become RGB") {
  bytes flat;
  for (int i = 0; i < 20 * 12; ++i) flat.insert(flat.end(), {200, 40, 90});
  auto const near = [](picture_bytes const& p, bytes const& wanted, int most) {
    REQUIRE((p.width == 20 && p.height == 12 && p.rgb.size() == 720));
    for (std::size_t i = 0; i < 720; ++i) REQUIRE(std::abs(int{p.rgb[i]} - int{wanted[i]}) <= most);
  };
  near(decode_picture(jpeg(20, 12, 3, JCS_RGB, flat), "a"), flat, 2);
  near(decode_picture(jpeg(20, 12, 3, JCS_RGB, flat, [](j_compress_ptr c) { jpeg_simple_progression(c); }), "a"), flat, 2);
  near(decode_picture(jpeg(20, 12, 3, JCS_RGB, flat, [](j_compress_ptr c) { jpeg_set_colorspace(c, JCS_RGB); }), "a"), flat, 2);
  bytes slope, slope_rgb;  // smooth content survives compression
  for (int y = 0; y < 12; ++y)
    for (int x = 0; x < 20; ++x) {
      slope.push_back(static_cast<std::uint8_t>(20 + 8 * x + 3 * y));
      slope_rgb.insert(slope_rgb.end(), 3, slope.back());
    }
  near(decode_picture(jpeg(20, 12, 1, JCS_GRAYSCALE, slope), "a"), slope_rgb, 3);
  bytes inks, of_inks;  // inverted: what is left of white
  for (int i = 0; i < 20 * 12; ++i) inks.insert(inks.end(), {200, 40, 90, 128}), of_inks.insert(of_inks.end(), {100, 20, 45});
  near(decode_picture(jpeg(20, 12, 4, JCS_CMYK, inks), "a"), of_inks, 2);
}

TEST_CASE("a file truncated anywhere is refused") {
  auto const picture = ramp(3 * 24 * 24, 7);
  for (auto const& file : {png(24, 24, SPNG_COLOR_TYPE_TRUECOLOR, 8, picture), jpeg(24, 24, 3, JCS_RGB, picture),
                           jpeg(24, 24, 3, JCS_RGB, picture, [](j_compress_ptr c) { jpeg_simple_progression(c); })}) {
    REQUIRE(refusal(file).empty());
    // The last four bytes of a PNG are the checksum of an empty chunk, which is not read.
    for (std::size_t n = 0; n < file.size() - (file[0] == 0x89 ? 4 : 0); ++n) {
      auto const message = refusal(bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(n)));
      REQUIRE(has(message, "'some/file' "));
      REQUIRE((has(message, "is not a whole ") || (n < 8 && has(message, "does not begin as a JPEG or PNG file does"))));
    }
  }
}

TEST_CASE("a changed byte is detected in a PNG, and is harmless in a JPEG") {
  auto const picture = ramp(3 * 10 * 10, 11);
  auto file          = png(10, 10, SPNG_COLOR_TYPE_TRUECOLOR, 8, picture);
  for (std::size_t i = 8; i < file.size(); ++i) {
    auto changed = file;
    changed[i] ^= 0x10;
    REQUIRE(!refusal(changed).empty());
  }
  file = jpeg(10, 10, 3, JCS_RGB, picture);
  for (std::size_t i = 3; i < file.size(); ++i) {
    auto changed = file;
    changed[i] ^= 0x55;
    (void)refusal(changed);
  }
}

TEST_CASE("a header with too large a size is refused before memory is allocated") {
  auto file      = jpeg(16, 16, 1, JCS_GRAYSCALE, ramp(256, 1));
  std::size_t at = 0;
  while (!(file[at] == 0xff && file[at + 1] == 0xc0)) ++at;  // the frame: length 2, precision 1, height 2, width 2
  auto const sized = [&](unsigned height, unsigned width) {
    auto changed    = file;
    changed[at + 5] = static_cast<std::uint8_t>(height >> 8), changed[at + 6] = static_cast<std::uint8_t>(height);
    changed[at + 7] = static_cast<std::uint8_t>(width >> 8), changed[at + 8] = static_cast<std::uint8_t>(width);
    return refusal(changed);
  };
  REQUIRE(has(sized(65000, 65000), "'some/file' is 65000 x 65000 pixels; sides are 1 to 65500, pixels at most 64000000"));
  REQUIRE(has(sized(7000, 8000), "so few bytes cannot hold 8000 x 7000 pixels"));
  REQUIRE(has(sized(16, 17), ""));
  REQUIRE(has(sized(0, 16), "is not a whole JPEG"));

  // With several scans all coefficients are kept: 9 bytes per pixel of three channels.
  auto scans = jpeg(16, 16, 3, JCS_RGB, ramp(768, 1), [](j_compress_ptr state) { jpeg_simple_progression(state); });
  at         = 0;
  while (!(scans[at] == 0xff && scans[at + 1] == 0xc2)) ++at;
  scans[at + 5] = 7000 >> 8, scans[at + 6] = 7000 & 255, scans[at + 7] = 8000 >> 8, scans[at + 8] = 8000 & 255;
  scans.resize(120000);
  REQUIRE(has(refusal(scans), "'some/file' takes 504000000 bytes to decode, more than 192000000; make it smaller"));

  // A file of equal bytes compresses best: 1 bit, 4000 x 4000 pixels, 9 KB for 2 MB.
  auto const white = png(4000, 4000, SPNG_COLOR_TYPE_GRAYSCALE, 1, bytes(4000 * 500, 255));
  REQUIRE(white.size() < 10000);
  REQUIRE(decode_label_picture(white, "white").labels == bytes(16000000, 1));
}

TEST_CASE("file types are distinguished by their first bytes") {
  REQUIRE(has(refusal(bytes{}), "'some/file' does not begin as a JPEG or PNG file does; convert it"));
  REQUIRE(has(refusal(bytes{'G', 'I', 'F', '8', '9', 'a'}), "does not begin"));
  REQUIRE(has(refusal(bytes{0xff, 0xd8, 0xff}), "is not a whole JPEG"));
}

TEST_CASE("labels of 1, 2, 4 or 8 bits are read unchanged") {
  for (bool const interlaced : {false, true}) {
    auto const read = [&](unsigned width, unsigned height, spng_color_type type, unsigned depth, bytes const& packed) {
      auto const p = decode_label_picture(png(width, height, type, depth, packed, interlaced), "a");
      REQUIRE((p.width == width && p.height == height));
      return p.labels;
    };
    REQUIRE(read(3, 2, SPNG_COLOR_TYPE_GRAYSCALE, 8, {1, 2, 255, 0, 11, 3}) == bytes{1, 2, 255, 0, 11, 3});
    REQUIRE(read(3, 2, SPNG_COLOR_TYPE_INDEXED, 8, {1, 2, 3, 0, 1, 3}) == bytes{1, 2, 3, 0, 1, 3});
    REQUIRE(read(3, 2, SPNG_COLOR_TYPE_GRAYSCALE, 4, {0x1f, 0x70, 0x0a, 0x20}) == bytes{1, 15, 7, 0, 10, 2});
    REQUIRE(read(5, 2, SPNG_COLOR_TYPE_INDEXED, 2, {0b00011011, 0b10000000, 0b11111111, 0b01000000}) ==
            bytes{0, 1, 2, 3, 2, 3, 3, 3, 3, 1});
    REQUIRE(read(9, 2, SPNG_COLOR_TYPE_GRAYSCALE, 1, {0b10100101, 0x80, 0b01111110, 0}) ==
            bytes{1, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0});
  }
  auto const refused = [](bytes const& file) { return refusal([&] { (void)decode_label_picture(file, "some/file"); }); };
  REQUIRE(has(refused(png(2, 1, SPNG_COLOR_TYPE_TRUECOLOR, 8, ramp(6, 1))), "'some/file' has several channels a pixel"));
  REQUIRE(has(refused(png(2, 1, SPNG_COLOR_TYPE_GRAYSCALE_ALPHA, 8, ramp(4, 1))), "several channels"));
  REQUIRE(has(refused(png(2, 1, SPNG_COLOR_TYPE_GRAYSCALE, 16, ramp(4, 1))), "has 16 bits a pixel"));
  REQUIRE(has(refused(jpeg(8, 8, 1, JCS_GRAYSCALE, ramp(64, 1))), "does not begin as a PNG file does"));
}

TEST_CASE("files are read, and a missing file is named") {
  tests::scratch const dir;
  auto const& folder = dir.path;
  auto const file    = png(2, 2, SPNG_COLOR_TYPE_GRAYSCALE, 8, {1, 2, 3, 4});
  std::ofstream(folder / "a.jpg", std::ios::binary)
      .write(reinterpret_cast<char const*>(file.data()), static_cast<std::streamsize>(file.size()));
  REQUIRE(read_picture(folder / "a.jpg").rgb == bytes{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4});  // a PNG, whatever its name
  REQUIRE(read_label_picture(folder / "a.jpg").labels == bytes{1, 2, 3, 4});
  REQUIRE(has(refusal([&] { (void)read_picture(folder / "b.png"); }), "no file '" + (folder / "b.png").string() + "'"));
  REQUIRE(has(refusal([&] { (void)read_picture(folder); }), "no file '"));
  REQUIRE(has(refusal([&] { (void)detail::bytes_of_file(folder / "a.jpg", 10); }), "more than the 10 that are read"));
}

TEST_CASE("real pictures and trimaps") {
  auto const dir = tests::data("pets3");
  if (!dir) C2F_SKIP("no pets3 here; set C2F_DATA");
  auto const photo = read_picture(*dir / "images/Abyssinian_1.jpg");
  REQUIRE((photo.width == 384 && photo.height == 256));
  auto const trimap = read_label_picture(*dir / "trimaps/Abyssinian_1.png");
  REQUIRE((trimap.width == 384 && trimap.height == 256));
  std::int64_t counts[4]{};
  for (auto const label : trimap.labels) {
    REQUIRE((label >= 1 && label <= 3));
    ++counts[label];
  }
  REQUIRE((counts[1] > 1000 && counts[2] > 1000 && counts[3] > 100));
}

namespace {
/// A JPEG with an EXIF block of one entry.
bytes with_orientation(bytes const& file, std::uint8_t orientation, bool big = true) {
  bytes tiff = big ? bytes{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0}
                   : bytes{'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0};
  bytes made(file.begin(), file.begin() + 2);
  made.insert(made.end(), {0xff, 0xe1, 0, static_cast<std::uint8_t>(tiff.size() + 8), 'E', 'x', 'i', 'f', 0, 0});
  made.insert(made.end(), tiff.begin(), tiff.end());
  made.insert(made.end(), file.begin() + 2, file.end());
  return made;
}
}  // namespace

TEST_CASE("EXIF's orientation turns a picture where it is asked for") {
  // Left half red, right half blue, and the upper half brighter: the corners tell the orientation.
  bytes corners;
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 32; ++x)
      corners.insert(corners.end(), {static_cast<std::uint8_t>(x < 16 ? 200 : 20), static_cast<std::uint8_t>(y < 8 ? 180 : 10), 30});
  bytes const file  = jpeg(32, 16, 3, JCS_RGB, corners, [](j_compress_ptr c) { jpeg_set_quality(c, 100, TRUE); });
  auto const corner = [](picture_bytes const& p, bool right, bool bottom) {
    auto const at = static_cast<std::size_t>(3 * ((bottom ? p.height - 3 : 2) * p.width + (right ? p.width - 3 : 2)));
    return std::pair(p.rgb[at] > 100, p.rgb[at + 1] > 100);  // stored on the left, stored above
  };
  // Where the stored top left and top right corners are seen: Pillow's ImageOps.exif_transpose.
  struct wanted {
    bool first_right, first_bottom, second_right, second_bottom;
  };
  wanted const all[]{{false, false, true, false}, {true, false, false, false}, {true, true, false, true}, {false, true, true, true},
                     {false, false, false, true}, {true, false, true, true},   {true, true, true, false}, {false, true, false, false}};
  for (std::uint8_t orientation = 1; orientation <= 8; ++orientation)
    for (bool const big : {true, false}) {
      CAPTURE(int{orientation}, big);
      bytes const held = with_orientation(file, orientation, big);
      REQUIRE((decode_picture(held, "a").width == 32 && corner(decode_picture(held, "a"), false, false) == std::pair(true, true)));
      picture_bytes const seen = decode_picture(held, "a", exif::apply);
      REQUIRE(seen.width == (orientation >= 5 ? 16 : 32));
      auto const& at = all[orientation - 1];
      REQUIRE((corner(seen, at.first_right, at.first_bottom) == std::pair(true, true)));
      REQUIRE((corner(seen, at.second_right, at.second_bottom) == std::pair(false, true)));
    }
  for (std::uint8_t const none : {0, 9, 255})
    REQUIRE(decode_picture(with_orientation(file, none), "a", exif::apply).rgb == decode_picture(file, "a").rgb);
  // Cut anywhere in the block: an orientation of 1, or an error of the decoder, and nothing else.
  bytes const held = with_orientation(file, 6);
  for (std::size_t size = 0; size < 60; ++size) {
    int const found = c2f::data::detail::orientation_of(std::span(held).first(size));
    REQUIRE((found == 1 || found == 6));
  }
}

TEST_CASE("a picture is turned only where its annotation's size says so") {
  tests::scratch const dir;
  bytes const file = with_orientation(jpeg(32, 16, 3, JCS_RGB, ramp(3 * 32 * 16, 1)), 6);
  std::ofstream(dir.path / "a.jpg", std::ios::binary)
      .write(reinterpret_cast<char const*>(file.data()), static_cast<std::streamsize>(file.size()));
  auto const stored = decode_picture(file, "a"), seen = decode_picture(file, "a", exif::apply);
  REQUIRE(read_picture_of_size(dir.path / "a.jpg", 16, 32).rgb == stored.rgb);
  REQUIRE(read_picture_of_size(dir.path / "a.jpg", 32, 16).rgb == seen.rgb);
  REQUIRE(read_picture_of_size(dir.path / "a.jpg", 32, 16).width == 16);
  REQUIRE(read_picture_of_size(dir.path / "a.jpg", 7, 7).width == 32);
}

TEST_CASE("bytes before a marker are skipped") {
  bytes const file = jpeg(32, 16, 3, JCS_RGB, ramp(3 * 32 * 16, 1));
  bytes noisy      = file;
  for (std::size_t at = 2; at + 1 < noisy.size(); ++at)
    if (noisy[at] == 0xff && noisy[at + 1] == 0xdb) {
      noisy.insert(noisy.begin() + static_cast<std::ptrdiff_t>(at), {0, 1, 2});
      break;
    }
  REQUIRE(noisy.size() == file.size() + 3);
  REQUIRE(decode_picture(noisy, "a").rgb == decode_picture(file, "a").rgb);
}
