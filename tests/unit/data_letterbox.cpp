// Letterboxed pictures: the mapping and its inverse, the filter against torch's, and boxes that stay on their pixels.
#include <cmath>
#include <vector>

#include <c2f/data/augment.hpp>
#include <c2f/data/letterbox.hpp>

#include "catch.hpp"

namespace {

using namespace c2f::data;

// The picture for which the torch values below were computed.
std::vector<std::uint8_t> pattern(int height, int width) {
  std::vector<std::uint8_t> rgb;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) rgb.push_back(static_cast<std::uint8_t>((37 * x + 91 * y + 53 * c + 7 * x * y) % 256));
  return rgb;
}

std::vector<float> boxed(std::vector<std::uint8_t> const& rgb, int height, int width, int side) {
  auto const place = letterbox::of(height, width, side);
  std::vector<float> out(static_cast<std::size_t>(side * side * 3), -1.0f);
  resample(rgb, height, width, place.across(), place.down(), side, {1, 2, 3}, out.data());
  return out;
}

// Compares the red values of a row, to four digits.
void require_red(std::vector<float> const& square, int side, int row, std::vector<double> const& wanted) {
  for (std::size_t x = 0; x < wanted.size(); ++x)
    REQUIRE(std::abs(square[3 * (static_cast<std::size_t>(row * side) + x)] - wanted[x]) < 1e-3);
}

}  // namespace

TEST_CASE("a letterbox by hand") {
  auto const wide = letterbox::of(480, 640, 192);
  REQUIRE(wide.scale == .3);
  REQUIRE(wide.left == 0);
  REQUIRE(wide.top == 24);
  auto const e = wide.there({260, 177, 491, 376});
  REQUIRE(std::abs(e.x0 - 78) < 1e-9);
  REQUIRE(std::abs(e.y0 - 77.1) < 1e-9);
  REQUIRE(std::abs(e.x1 - 147.3) < 1e-9);
  REQUIRE(std::abs(e.y1 - 136.8) < 1e-9);
  auto const tall = letterbox::of(10, 5, 20);
  REQUIRE(tall.scale == 2);
  REQUIRE(tall.left == 5);
  REQUIRE(tall.top == 0);
}

TEST_CASE("mapping a box to the square and back gives the box, for any size") {
  c2f::random_stream draw{1, c2f::purpose::synthesis, 0, 0};
  for (int i = 0; i < 20000; ++i) {
    auto const h = 1 + static_cast<std::int64_t>(draw.below(i % 2 ? 65500 : 60)),
               w = 1 + static_cast<std::int64_t>(draw.below(i % 3 ? 65500 : 60)), side = 1 + static_cast<std::int64_t>(draw.below(1024));
    auto const place = letterbox::of(h, w, side);
    auto const hd = static_cast<double>(h), wd = static_cast<double>(w), s = static_cast<double>(side);
    c2f::metrics::box const e{draw.uniform() * wd, draw.uniform() * hd, draw.uniform() * wd, draw.uniform() * hd};
    auto const moved = place.there(e), back = place.back(moved);
    REQUIRE(std::abs(back.x0 - e.x0) < 1e-6);
    REQUIRE(std::abs(back.y0 - e.y0) < 1e-6);
    REQUIRE(std::abs(back.x1 - e.x1) < 1e-6);
    REQUIRE(std::abs(back.y1 - e.y1) < 1e-6);
    for (double const at : {moved.x0, moved.y0, moved.x1, moved.y1}) REQUIRE((at > -1e-6 && at < s + 1e-6));
    auto const whole = place.there({0, 0, wd, hd});  // fills the longer side and is centred in the other
    REQUIRE(std::abs(std::max(whole.width(), whole.height()) - s) < 1e-6);
    REQUIRE(std::abs(whole.x0 + whole.x1 - s) < 1e-6);
    REQUIRE(std::abs(whole.y0 + whole.y1 - s) < 1e-6);
  }
}

// torch 2.11: F.interpolate(picture.double(), size, mode='bilinear', antialias=True, align_corners=False), channel 0.
TEST_CASE("the filter is torch's and PIL's") {
  auto const smaller = boxed(pattern(10, 20), 10, 20, 8);  // 10 x 20 to 4 x 8, under two rows of padding
  require_red(smaller, 8, 2, {107.4959, 122.7818, 126.1418, 116.1055, 120.3964, 134.0982, 113.72, 120.8182});
  require_red(smaller, 8, 3, {121.7927, 140.4528, 141.3424, 125.9184, 134.5904, 118.7568, 148.728, 124.92});
  require_red(smaller, 8, 4, {116.4764, 121.7744, 144.9984, 125.808, 137.5632, 134.7568, 129.3088, 155.5709});
  require_red(smaller, 8, 5, {136.0413, 145.8873, 115.4036, 125.4182, 128.4473, 136.6, 118.6836, 127.6198});
  for (int row : {0, 1, 6, 7})
    for (std::size_t i = 0; i < 24; ++i) REQUIRE(smaller[static_cast<std::size_t>(row) * 24 + i] == static_cast<float>(1 + i % 3));

  auto const larger = boxed(pattern(3, 4), 3, 4, 8);  // 3 x 4 to 6 x 8
  require_red(larger, 8, 1, {0.0, 9.25, 27.75, 46.25, 64.75, 83.25, 101.75, 111.0});
  require_red(larger, 8, 4, {113.75, 125.1875, 148.0625, 154.9375, 145.8125, 152.6875, 175.5625, 187.0});
  require_red(larger, 8, 6, {182.0, 194.75, 220.25, 181.75, 79.25, 40.75, 66.25, 79.0});

  auto const odd = boxed(pattern(7, 14), 7, 14, 4);  // by 3.5
  require_red(odd, 4, 1, {118.8534, 128.5121, 123.3716, 124.3077});
  require_red(odd, 4, 2, {120.1871, 139.9654, 130.3835, 127.8707});
}

TEST_CASE("a picture of the square's size is unchanged, and a picture of one colour keeps it") {
  auto const rgb  = pattern(9, 9);
  auto const same = boxed(rgb, 9, 9, 9);
  for (std::size_t i = 0; i < rgb.size(); ++i) REQUIRE(same[i] == static_cast<float>(rgb[i]));
  for (auto const& [h, w] : {std::pair{1, 300}, std::pair{300, 1}, std::pair{17, 23}, std::pair{1, 1}}) {
    auto const flat  = boxed(std::vector<std::uint8_t>(static_cast<std::size_t>(3 * h * w), 77), h, w, 15);
    auto const place = letterbox::of(h, w, 15);
    for (int y = 0; y < 15; ++y)
      for (int x = 0; x < 15; ++x) {
        auto const at     = place.back({x + .5, y + .5, 0, 0});
        bool const inside = at.x0 >= 0 && at.x0 < w && at.y0 >= 0 && at.y0 < h;
        float const found = flat[static_cast<std::size_t>(3 * (15 * y + x))];
        REQUIRE(std::abs(found - (inside ? 77.0f : 1.0f)) < 1e-3f);
      }
  }
}

TEST_CASE("a mirrored view is the mirror image of the view") {
  auto const rgb = pattern(8, 8);
  std::vector<float> plain(8 * 8 * 3), mirrored(8 * 8 * 3);
  resample(rgb, 8, 8, {1.25, -.5}, {1.25, -.5}, 8, {0, 0, 0}, plain.data());
  // A mirrored view of the mirror image.
  auto turned = rgb;
  for (std::size_t y = 0; y < 8; ++y)
    for (std::size_t x = 0; x < 8; ++x)
      for (std::size_t c = 0; c < 3; ++c) turned[3 * (8 * y + x) + c] = rgb[3 * (8 * y + 7 - x) + c];
  resample(turned, 8, 8, {1.25, -.5, true}, {1.25, -.5}, 8, {0, 0, 0}, mirrored.data());
  for (std::size_t i = 0; i < plain.size(); ++i) REQUIRE(std::abs(plain[i] - mirrored[i]) < 1e-3f);
}

// White rectangles on black: area and centre of the drawn pixels must be those of the box.
TEST_CASE("a box moves with its pixels") {
  constexpr int side = 64;
  c2f::random_stream draw{3, c2f::purpose::synthesis, 0, 0};
  int mirrored = 0;
  for (int i = 0; i < 300; ++i) {
    int const x0 = 16 + static_cast<int>(draw.below(16)), y0 = 16 + static_cast<int>(draw.below(16)),
              w = 4 + static_cast<int>(draw.below(12)), h = 4 + static_cast<int>(draw.below(12));
    std::vector<std::uint8_t> rgb(side * side * 3);
    for (int y = y0; y < y0 + h; ++y)
      for (int x = x0; x < x0 + w; ++x) rgb[static_cast<std::size_t>(3 * (side * y + x))] = 255;
    c2f::metrics::box const box{static_cast<double>(x0), static_cast<double>(y0), static_cast<double>(x0 + w), static_cast<double>(y0 + h)};
    view const seen = draw_view(draw, {.flip = true, .scale = .2, .shift = .05, .gain = .1}, {&box, 1}, side);
    mirrored += seen.across.mirrored;
    c2f::metrics::box const moved = seen(box, side);
    REQUIRE(moved == moved.clipped(side));  // far enough from the border to stay inside
    std::vector<float> out(side * side * 3);
    resample(rgb, side, side, seen.across, seen.down, side, {0, 0, 0}, out.data());
    double weight = 0, across = 0, down = 0;
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x) {
        double const v = out[static_cast<std::size_t>(3 * (side * y + x))] / 255.0;
        weight += v, across += v * (x + .5), down += v * (y + .5);
      }
    REQUIRE(std::abs(across / weight - moved.centre_x()) < .2);
    REQUIRE(std::abs(down / weight - moved.centre_y()) < .2);
    REQUIRE(std::abs(weight / moved.area() - 1) < .15);
    for (float const g : seen.gain) REQUIRE((g >= .9f && g <= 1.1f));
  }
  REQUIRE((mirrored > 100 && mirrored < 200));
}

TEST_CASE("a random view that would hide a box is redrawn, and none is used when every draw hides one") {
  std::vector<c2f::metrics::box> const corners{{0, 0, 8, 8}, {56, 56, 64, 64}};
  bool moved = false;
  for (std::uint64_t id = 0; id < 200; ++id) {
    c2f::random_stream draw{1, c2f::purpose::augment, 0, id};
    view const seen = draw_view(draw, {.flip = false, .scale = .5, .shift = .3, .gain = 0}, corners, 64);
    for (c2f::metrics::box const& e : corners) REQUIRE(seen(e, 64).clipped(64).area() >= .25 * seen(e, 64).area());
    moved = moved || seen.across.scale != 1;
    REQUIRE(seen.gain == std::array<float, 3>{1, 1, 1});
    c2f::random_stream again{1, c2f::purpose::augment, 0, id};
    REQUIRE(draw_view(again, {.flip = false, .scale = .5, .shift = .3, .gain = 0}, corners, 64).across.shift == seen.across.shift);
  }
  REQUIRE(moved);
  // Shifts of up to 200 sides: ten draws find nothing that shows two opposite corners.
  std::vector<c2f::metrics::box> const far{{0, 0, 1, 1}, {63, 63, 64, 64}};
  c2f::random_stream draw{1, c2f::purpose::augment, 0, 0};
  auto const never = draw_view(draw, {.flip = true, .scale = 0, .shift = 200, .gain = 0}, far, 64);
  REQUIRE((never.across.scale == 1 && never.across.shift == 0 && never.down.shift == 0));
  for (c2f::metrics::box const& e : far) REQUIRE(never(e, 64).clipped(64) == never(e, 64));
}
