// c2f/data/draw/canvas.hpp: an RGB raster image with drawing primitives, written as a PNG file.
//
//   c2f::data::canvas page{320, 200};
//   page.line(10, 190, 310, 10, {0, 114, 178}, 2);
//   page.text(10, 10, "loss", {0, 0, 0});
//   page.blit(data.test.picture(7), 32, 32, 100, 50, 3);   // magnified three times
//   page.write_png("page.png");
//
// (0, 0) is the centre of the top left pixel, y points down. Everything is clipped to the canvas. Lines and text are anti-aliased.
//
// Costs: 3 bytes a pixel; a line costs the pixels of its bounding box. write_png needs libspng.
// Errors: input_error for a size out of range, for a picture whose size differs from the given one, and for a file that cannot be written,
// with its path. The file is written under a temporary name and renamed, so it is complete or absent.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <spng.h>

#include <c2f/core/errors.hpp>
#include <c2f/core/text.hpp>
#include <c2f/data/draw/font.hpp>
#include <c2f/data/draw/line_segment.hpp>
#include <c2f/data/io/whole_file.hpp>

namespace c2f::data {

/// sRGB, 8 bits a channel.
struct colour {
  std::uint8_t red = 0, green = 0, blue = 0;
  friend bool operator==(colour const&, colour const&) = default;
};

inline constexpr colour white{255, 255, 255}, black{0, 0, 0};

/// In pixels.
struct point {
  double x, y;
};

/// An RGB picture of 8 bits a channel.
class canvas {
 public:
  static constexpr int largest_side = 16384;

  canvas(int width, int height, colour ground = white)
      : width_(checked(width, "width")),
        height_(checked(height, "height")),
        bytes_(3 * static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_)) {
    fill(ground);
  }

  [[nodiscard]] int width() const { return width_; }
  [[nodiscard]] int height() const { return height_; }
  /// The bytes: rows from the top, red green blue.
  [[nodiscard]] std::span<std::uint8_t const> bytes() const { return bytes_; }
  [[nodiscard]] colour at(int x, int y) const {
    std::uint8_t const* p = bytes_.data() + offset(x, y);
    return {p[0], p[1], p[2]};
  }

  void fill(colour tint) { rectangle(0, 0, width_, height_, tint); }

  /// A filled rectangle whose top left pixel is (x, y).
  void rectangle(int x, int y, int width, int height, colour tint) {
    for (int row = clip(y, height_); row < end(y, height, height_); ++row)
      for (int column = clip(x, width_); column < end(x, width, width_); ++column) put(column, row, tint);
  }

  /// The border of a rectangle, on its inside.
  void frame(int x, int y, int width, int height, colour tint, int thickness = 1) {
    rectangle(x, y, width, thickness, tint);
    rectangle(x, y + height - thickness, width, thickness, tint);
    rectangle(x, y, thickness, height, tint);
    rectangle(x + width - thickness, y, thickness, height, tint);
  }

  void line(double x0, double y0, double x1, double y1, colour tint, double thickness = 1) {
    std::array const ends{point{x0, y0}, point{x1, y1}};
    polyline(ends, tint, thickness);
  }

  /// A line through all points. Points that are not finite interrupt it.
  void polyline(std::span<point const> points, colour tint, double thickness = 1) {
    std::vector<line_segment> strokes;
    for (std::size_t i = 1; i < points.size(); ++i) add(strokes, points[i - 1], points[i]);
    draw(strokes, tint, static_cast<float>(thickness));
  }

  /// A picture of `width` x `height` RGB bytes (rows from the top), each pixel drawn as zoom x zoom pixels.
  void blit(std::span<std::uint8_t const> rgb, int width, int height, int x, int y, int zoom = 1) {
    if (width < 0 || height < 0 || zoom < 1 || rgb.size() != 3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height))
      throw input_error("a picture of " + std::to_string(rgb.size()) + " bytes is not " + std::to_string(width) + " x " +
                        std::to_string(height) + " RGB pixels, or its zoom " + std::to_string(zoom) +
                        " is below 1; pass 3 * width * height bytes");
    std::uint8_t const* p = rgb.data();
    for (int row = 0; row < height; ++row)
      for (int column = 0; column < width; ++column, p += 3) rectangle(x + column * zoom, y + row * zoom, zoom, zoom, {p[0], p[1], p[2]});
  }

  /// Writes text whose top left corner is (x, y): capitals are 7 * size pixels high, letters are 6 * size apart. A letter that the font
  /// does not have is one question mark, whatever the number of its bytes (core/text.hpp).
  void text(double x, double y, std::string_view words, colour tint, double size = 2) {
    std::vector<line_segment> strokes;
    for (; !words.empty(); x += font::advance * size) {
      add_letter(strokes, x, y, words.front(), size);
      words.remove_prefix(c2f::text::first_letter(words).size());
    }
    draw(strokes, tint, static_cast<float>(std::max(1.0, 0.8 * size)));
  }

  [[nodiscard]] static double text_width(std::string_view words, double size = 2) {
    return words.empty() ? 0 : (static_cast<double>(c2f::text::letters(words)) * font::advance - 1) * size;
  }

  /// Writes the picture. On failure throws input_error and creates no file.
  void write_png(std::filesystem::path const& path) const;

 private:
  static int checked(int side, char const* which) {
    if (side < 1 || side > largest_side)
      throw input_error(std::string("a canvas of ") + which + " " + std::to_string(side) + " cannot be made; its sides are 1 to " +
                        std::to_string(largest_side));
    return side;
  }
  static int clip(std::int64_t value, int limit) { return static_cast<int>(std::clamp<std::int64_t>(value, 0, limit)); }
  static int end(int from, int size, int limit) { return clip(std::int64_t{from} + size, limit); }

  [[nodiscard]] std::size_t offset(int x, int y) const {
    return 3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x));
  }
  void put(int x, int y, colour tint) {
    std::uint8_t* p = bytes_.data() + offset(x, y);
    p[0] = tint.red, p[1] = tint.green, p[2] = tint.blue;
  }
  void blend(int x, int y, colour tint, float cover) {
    auto const mix = [&](std::uint8_t under, std::uint8_t over) {
      return static_cast<std::uint8_t>(static_cast<float>(under) + cover * (static_cast<float>(over) - static_cast<float>(under)) + 0.5f);
    };
    colour const under = at(x, y);
    put(x, y, {mix(under.red, tint.red), mix(under.green, tint.green), mix(under.blue, tint.blue)});
  }

  static void add(std::vector<line_segment>& strokes, point a, point b) {
    if (std::isfinite(a.x) && std::isfinite(a.y) && std::isfinite(b.x) && std::isfinite(b.y))
      strokes.push_back({static_cast<float>(a.x), static_cast<float>(a.y), static_cast<float>(b.x), static_cast<float>(b.y)});
  }

  // A letter is drawn as line segments between neighbouring dots, so it is smooth at any size.
  static void add_letter(std::vector<line_segment>& strokes, double x, double y, char letter, double size) {
    auto const centre_of = [&](int column, int row) { return point{x + (column + 0.5) * size - 0.5, y + (row + 0.5) * size - 0.5}; };
    for (int row = 0; row < font::rows; ++row)
      for (int column = 0; column < font::columns; ++column) {
        if (!font::dot(letter, column, row)) continue;
        bool const left = font::dot(letter, column - 1, row), right = font::dot(letter, column + 1, row),
                   below = font::dot(letter, column, row + 1);
        point const here = centre_of(column, row);
        add(strokes, here, here);
        if (right) add(strokes, here, centre_of(column + 1, row));
        if (below) add(strokes, here, centre_of(column, row + 1));
        // Diagonals only where no corner of two straight strokes connects the dots.
        if (!right && !below && font::dot(letter, column + 1, row + 1)) add(strokes, here, centre_of(column + 1, row + 1));
        if (!left && !below && font::dot(letter, column - 1, row + 1)) add(strokes, here, centre_of(column - 1, row + 1));
      }
  }

  // The pixels first ... last-1, of `limit`, that a stroke may touch along one axis.
  struct reach {
    int first, last;
    reach(float a, float b, float thickness, int limit)
        : first(static_cast<int>(std::clamp(std::min(a, b) - thickness / 2 - 1, 0.0f, static_cast<float>(limit)))),
          last(static_cast<int>(std::clamp(std::max(a, b) + thickness / 2 + 2, 0.0f, static_cast<float>(limit)))) {}
  };

  // Overlapping strokes are blended once, with the larger coverage, so that joints do not stand out.
  void draw(std::span<line_segment const> strokes, colour tint, float thickness) {
    if (strokes.empty()) return;
    int left = width_, right = 0, top = height_, bottom = 0;
    for (auto const& s : strokes) {
      reach const across(s.x0, s.x1, thickness, width_), down(s.y0, s.y1, thickness, height_);
      left = std::min(left, across.first), right = std::max(right, across.last), top = std::min(top, down.first),
      bottom = std::max(bottom, down.last);
    }
    if (left >= right || top >= bottom) return;
    auto const columns = static_cast<std::size_t>(right - left);
    std::vector<float> covered(columns * static_cast<std::size_t>(bottom - top));
    auto const cell = [&](int x, int y) -> float& {
      return covered[static_cast<std::size_t>(y - top) * columns + static_cast<std::size_t>(x - left)];
    };
    for (auto const& s : strokes) {
      reach const across(s.x0, s.x1, thickness, width_), down(s.y0, s.y1, thickness, height_);
      for (int y = down.first; y < down.last; ++y)
        for (int x = across.first; x < across.last; ++x)
          cell(x, y) = std::max(cell(x, y), coverage(s, static_cast<float>(x), static_cast<float>(y), thickness));
    }
    for (int y = top; y < bottom; ++y)
      for (int x = left; x < right; ++x)
        if (cell(x, y) > 0) blend(x, y, tint, cell(x, y));
  }

  int width_, height_;
  std::vector<std::uint8_t> bytes_;
};

namespace detail {

struct freed {
  void operator()(void* p) const { std::free(p); }
};

struct png_bytes {
  std::unique_ptr<void, freed> data;
  std::size_t size = 0;
};

inline png_bytes encode_png(std::span<std::uint8_t const> rgb, int width, int height, std::filesystem::path const& path) {
  std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> const context(spng_ctx_new(SPNG_CTX_ENCODER), &spng_ctx_free);
  spng_ihdr header{};
  header.width      = static_cast<std::uint32_t>(width);
  header.height     = static_cast<std::uint32_t>(height);
  header.bit_depth  = 8;
  header.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
  int failed        = context ? spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1) : SPNG_EMEM;
  if (!failed) failed = spng_set_ihdr(context.get(), &header);
  if (!failed) failed = spng_encode_image(context.get(), rgb.data(), rgb.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  png_bytes png;
  if (!failed) png.data.reset(spng_get_png_buffer(context.get(), &png.size, &failed));
  if (failed) throw input_error("cannot encode the picture '" + path.string() + "': " + spng_strerror(failed) + "; make it smaller");
  return png;
}

}  // namespace detail

inline void canvas::write_png(std::filesystem::path const& path) const {
  auto const png = detail::encode_png(bytes_, width_, height_, path);
  whole_file out(path);
  out.write(png.data.get(), png.size);
  out.commit();
}

}  // namespace c2f::data
