// The canvas: the drawn pixels, and a PNG file that the decoder reads back.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <limits>

#include <c2f/data/draw/animation.hpp>
#include <c2f/data/draw/canvas.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;

constexpr colour red{255, 0, 0}, blue{0, 0, 255};

struct folder : tests::scratch {
  std::size_t files() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator{})); }
};

int count(canvas const& c, colour tint) {
  int n = 0;
  for (int y = 0; y < c.height(); ++y)
    for (int x = 0; x < c.width(); ++x) n += c.at(x, y) == tint;
  return n;
}

std::vector<std::uint8_t> decode(fs::path const& path, spng_ihdr& header) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> context(spng_ctx_new(0), &spng_ctx_free);
  REQUIRE(file);
  REQUIRE(spng_set_png_file(context.get(), file.get()) == 0);
  REQUIRE(spng_get_ihdr(context.get(), &header) == 0);
  std::size_t size = 0;
  REQUIRE(spng_decoded_image_size(context.get(), SPNG_FMT_RGB8, &size) == 0);
  std::vector<std::uint8_t> bytes(size);
  REQUIRE(spng_decode_image(context.get(), bytes.data(), size, SPNG_FMT_RGB8, 0) == 0);
  return bytes;
}

}  // namespace

TEST_CASE("rectangles and frames cover their pixels, and are clipped at the edge") {
  canvas c(10, 8);
  REQUIRE(count(c, white) == 80);
  c.rectangle(2, 3, 4, 2, red);
  REQUIRE(count(c, red) == 8);
  REQUIRE((c.at(2, 3) == red && c.at(5, 4) == red && c.at(6, 4) == white && c.at(2, 5) == white));
  c.fill(white);
  c.rectangle(-5, -5, 7, 6, red);
  REQUIRE(count(c, red) == 2);
  c.rectangle(std::numeric_limits<int>::max() - 1, 0, std::numeric_limits<int>::max(), 5, blue);
  REQUIRE(count(c, blue) == 0);
  c.fill(white);
  c.frame(1, 1, 5, 4, blue);
  REQUIRE(count(c, blue) == 14);
  REQUIRE(c.at(2, 2) == white);
}

TEST_CASE("a line covers its pixels, antialiased at its sides") {
  canvas c(20, 9, black);
  c.line(3, 4, 15, 4, white, 1);
  for (int x = 3; x <= 15; ++x) REQUIRE(c.at(x, 4) == white);
  REQUIRE((c.at(9, 3) == black && c.at(9, 5) == black && c.at(1, 4) == black && c.at(17, 4) == black));
  c.fill(black);
  c.line(3, 4, 15, 4, white, 2);
  REQUIRE(c.at(9, 4) == white);
  REQUIRE(c.at(9, 3) == colour{128, 128, 128});  // half covered
  REQUIRE(c.at(9, 2) == black);
  c.fill(black);
  c.line(0, 0, 8, 8, white, 1);
  for (int i = 0; i <= 8; ++i) REQUIRE(c.at(i, i) == white);
  REQUIRE((c.at(5, 4).red > 0 && c.at(5, 4).red < 255));
  REQUIRE(c.at(5, 4) == c.at(4, 5));
}

TEST_CASE("joints of a polyline are no darker than the line") {
  canvas a(40, 9), b(40, 9);
  a.line(2, 4.3, 37, 4.3, black, 2);
  std::vector<point> points;
  for (int i = 0; i <= 350; ++i) points.push_back({2 + i / 10.0, 4.3});
  b.polyline(points, black, 2);
  for (int y = 0; y < 9; ++y)
    for (int x = 0; x < 40; ++x) REQUIRE(std::abs(a.at(x, y).red - b.at(x, y).red) <= 1);
}

TEST_CASE("lines that leave the canvas are clipped or left out") {
  canvas c(16, 16);
  double const nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  c.line(nan, 1, 5, 5, red);
  c.line(0, 0, inf, 5, red);
  c.line(-500, -500, -100, -90, red, 3);
  REQUIRE(count(c, white) == 256);
  c.line(-1e7, 8, 1e7, 8, red, 3);
  REQUIRE(count(c, red) > 0);
  c.line(-1e300, 8, 1e300, 8, blue);
  REQUIRE(c.bytes().size() == 768);
}

TEST_CASE("blit shows every pixel as a square") {
  canvas c(9, 9);
  std::vector<std::uint8_t> const two_by_one{255, 0, 0, 0, 0, 255};
  c.blit(two_by_one, 2, 1, 1, 2, 3);
  REQUIRE(count(c, red) == 9);
  REQUIRE(count(c, blue) == 9);
  REQUIRE((c.at(1, 2) == red && c.at(3, 4) == red && c.at(4, 2) == blue && c.at(6, 4) == blue && c.at(7, 4) == white));
  c.blit(two_by_one, 2, 1, 8, 8, 5);
  REQUIRE_THROWS_AS(c.blit(two_by_one, 2, 2, 0, 0), c2f::input_error);
  REQUIRE_THROWS_AS(c.blit(two_by_one, -2, -1, 0, 0), c2f::input_error);
  REQUIRE_THROWS_AS(c.blit(two_by_one, 2, 1, 0, 0, 0), c2f::input_error);
}

TEST_CASE("text of size 1 is the dots of the font") {
  for (int code = 32; code < 127; ++code) {
    canvas c(5, 9);
    c.text(0, 0, std::string(1, static_cast<char>(code)), black, 1);
    int dots = 0;
    for (int row = 0; row < font::rows; ++row)
      for (int column = 0; column < font::columns; ++column) {
        bool const dot = font::dot(static_cast<char>(code), column, row);
        dots += dot;
        if (dot) REQUIRE(c.at(column, row) == black);
      }
    REQUIRE((dots > 0) == (code != 32));
  }
  // An L: a vertical and a horizontal stroke.
  for (int row = 0; row < 7; ++row) REQUIRE(font::dot('L', 0, row));
  for (int column = 0; column < 5; ++column) REQUIRE(font::dot('L', column, 6));
  REQUIRE(!font::dot('L', 2, 3));
  REQUIRE(font::dot('\xe9', 4, 1) == font::dot('?', 4, 1));
  REQUIRE(!font::dot('A', -1, 0));
  REQUIRE(!font::dot('A', 0, 9));
  REQUIRE(canvas::text_width("ab", 1) == 11);
  REQUIRE(canvas::text_width("", 3) == 0);
}

TEST_CASE("all letters differ") {
  std::vector<std::vector<std::uint8_t>> seen;
  for (int code = 32; code < 127; ++code) {
    canvas c(12, 20);
    c.text(0, 0, std::string(1, static_cast<char>(code)), black, 2);
    std::vector<std::uint8_t> bytes(c.bytes().begin(), c.bytes().end());
    for (auto const& other : seen) REQUIRE((bytes != other));
    seen.push_back(std::move(bytes));
  }
}

TEST_CASE("a PNG file has the pixels of the canvas") {
  folder dir;
  canvas c(37, 21, {10, 200, 30});
  c.line(0, 0, 36, 20, red, 3);
  c.text(3, 3, "PNG", blue, 1);
  c.write_png(dir.path / "a.png");
  spng_ihdr header{};
  auto const bytes = decode(dir.path / "a.png", header);
  REQUIRE((header.width == 37 && header.height == 21 && header.bit_depth == 8));
  REQUIRE(std::equal(bytes.begin(), bytes.end(), c.bytes().begin(), c.bytes().end()));
  c.fill(white);
  c.write_png(dir.path / "a.png");  // overwrites the file
  REQUIRE(decode(dir.path / "a.png", header)[0] == 255);
  REQUIRE(dir.files() == 1);
}

TEST_CASE("a picture that cannot be written leaves no file") {
  folder dir;
  canvas const c(4, 4);
  auto const message_of = [&](fs::path const& path) -> std::string {
    try {
      c.write_png(path);
    } catch (c2f::input_error const& error) {
      return error.what();
    }
    return "";
  };
  REQUIRE(message_of(dir.path / "none" / "a.png").find("none/a.png") != std::string::npos);
  REQUIRE(message_of(dir.path / "none" / "a.png").find("No such file") != std::string::npos);
  REQUIRE(message_of(dir.path / "none" / "a.png").find('\n') == std::string::npos);
  fs::create_directories(dir.path / "b.png" / "full");
  REQUIRE(message_of(dir.path / "b.png").find("b.png") != std::string::npos);
  REQUIRE(dir.files() == 1);
}

TEST_CASE("a canvas of invalid size is refused") {
  REQUIRE_THROWS_AS(canvas(0, 5), c2f::input_error);
  REQUIRE_THROWS_AS(canvas(5, -1), c2f::input_error);
  REQUIRE_THROWS_AS(canvas(1 << 20, 1 << 20), c2f::input_error);
}

TEST_CASE("an animated PNG: its first picture for every decoder, and the others as their own data") {
  folder const dir;
  std::vector<canvas> pages;
  for (int i = 0; i < 3; ++i) {
    pages.emplace_back(7, 5);
    pages.back().rectangle(i, 1, 2, 3, red);
  }
  write_animation(dir.path / "video.png", pages, 200);
  REQUIRE(dir.files() == 1);
  spng_ihdr header;
  auto const first = decode(dir.path / "video.png", header);
  REQUIRE((header.width == 7 && header.height == 5));
  REQUIRE(std::ranges::equal(first, pages[0].bytes()));
  // The chunks, read as the specification has them.
  auto const file   = tests::contents(dir.path / "video.png");
  auto const number = [&](std::size_t at, int size = 4) {
    std::uint32_t value = 0;
    for (int i = 0; i < size; ++i) value = value << 8 | file[at + static_cast<std::size_t>(i)];
    return value;
  };
  std::string order;
  std::uint32_t sequence = 0;
  std::vector<std::vector<std::uint8_t>> pictures;  // as PNG files
  for (std::size_t at = 8; at < file.size(); at += number(at) + 12) {
    std::string const name(file.begin() + static_cast<std::ptrdiff_t>(at) + 4, file.begin() + static_cast<std::ptrdiff_t>(at) + 8);
    if (order.find(name + ' ') == std::string::npos || name != "fdAT") order += name + ' ';
    if (name == "acTL") REQUIRE((number(at + 8) == 3 && number(at + 12) == 0));
    if (name == "fcTL") {
      REQUIRE(number(at) == 26);
      REQUIRE(number(at + 8) == sequence++);
      REQUIRE((number(at + 12) == 7 && number(at + 16) == 5 && number(at + 20) == 0 && number(at + 24) == 0));
      REQUIRE((number(at + 28, 2) == 200 && number(at + 30, 2) == 1000 && number(at + 32, 2) == 0));
      pictures.emplace_back();
    }
    if (name == "fdAT") {
      REQUIRE(number(at + 8) == sequence++);
      c2f::data::detail::png_chunks alone;
      alone.append("IHDR", std::span(file).subspan(16, 13));
      alone.append("IDAT", std::span(file).subspan(at + 12, number(at) - 4));
      alone.append("IEND", {});
      pictures.back() = alone.file();
    }
  }
  REQUIRE(order == "IHDR acTL fcTL IDAT fcTL fdAT fcTL IEND ");
  REQUIRE(sequence == 5);
  for (std::size_t i = 1; i < 3; ++i) {
    std::ofstream(dir.path / "one.png", std::ios::binary)
        .write(reinterpret_cast<char const*>(pictures[i].data()), static_cast<std::streamsize>(pictures[i].size()));
    REQUIRE(std::ranges::equal(decode(dir.path / "one.png", header), pages[i].bytes()));
  }
  // The checksum of a chunk without content is that of its letters, "IEND": AE 42 60 82.
  REQUIRE(number(file.size() - 4) == 0xae426082u);
}

TEST_CASE("an animation that cannot be made is refused") {
  folder const dir;
  auto const file    = dir.path / "video.png";
  auto const refused = [&](std::vector<canvas> const& pages, int milliseconds) {
    return tests::refusal([&] { write_animation(file, pages, milliseconds); });
  };
  std::vector<canvas> pages(2, canvas(4, 3));
  REQUIRE(refused({}, 100) == "an animation of no pictures cannot be written to '" + file.string() + "'; give one or more");
  REQUIRE(refused(pages, 0) == "a picture of an animation is shown for 0 ms; write 1 to 65535");
  pages.emplace_back(4, 4);
  REQUIRE(refused(pages, 100) == "a picture of 4 x 4 pixels follows one of 4 x 3 pixels in an animation; give pictures of one size");
  REQUIRE(dir.files() == 0);
}
