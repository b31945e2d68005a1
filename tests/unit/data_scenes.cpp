// The synthetic scenes: deterministic, with boxes, parts and occluders at their annotated positions.
#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <c2f/data/synthetic/scenes.hpp>
#include <c2f/data/split.hpp>

#include "catch.hpp"

using namespace c2f::data;

namespace {
static_assert(split<decltype(scenes<>::train)> && dataset<scenes<>> && dataset<scenes<128, 4>>);
static_assert(split<parts_at_scale<64, 3>>);
static_assert(decltype(scenes<>::train)::class_count() == 3 && decltype(scenes<>::train)::part_count() == 15);
static_assert(decltype(scenes<64, 4>::train)::part_count() == 20);

constexpr std::size_t side = 64;

// The pixels in which two pictures differ.
std::vector<std::uint8_t> differing(std::vector<std::uint8_t> const& a, std::vector<std::uint8_t> const& b) {
  std::vector<std::uint8_t> result(a.size() / 3);
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = a[3 * i] != b[3 * i] || a[3 * i + 1] != b[3 * i + 1] || a[3 * i + 2] != b[3 * i + 2];
  return result;
}
}  // namespace

TEST_CASE("scenes are named, balanced in class and size, and all different") {
  scenes<64, 4> const data({.train = 400, .test = 80});
  REQUIRE(data.train.size() == 400);
  REQUIRE(data.test.size() == 80);
  REQUIRE(data.train.classes() == std::vector<std::string>{"car", "bus", "bicycle", "airplane"});
  REQUIRE(data.train.part_names().size() == 20);
  REQUIRE(std::set<std::string>(data.train.part_names().begin(), data.train.part_names().end()).size() == 20);
  REQUIRE(data.test.name() == "scenes test, occlusion 0");
  std::set<std::vector<std::uint8_t>> different;
  int small    = 0;
  double least = 1, most = 0;
  for (auto const* s : {&data.train, &data.test})
    for (std::int64_t id = 0; id < s->size(); ++id) {
      different.insert(s->picture(id));
      auto const& b     = s->box(id);
      double const size = std::max(b.width(), b.height()) / 64;
      small += size < .4;
      least = std::min(least, size), most = std::max(most, size);
      REQUIRE((b.x0 >= 0 && b.y0 >= 0 && b.x1 <= 64 && b.y1 <= 64));
    }
  REQUIRE(different.size() == 480);
  REQUIRE((small > 180 && small < 300));
  REQUIRE((least > .17 && least < .22 && most > .78 && most < .83));
}

TEST_CASE("a scene is a function of seed, split and id") {
  scenes<> const few({.train = 12, .test = 12}), many({.train = 30, .test = 20}), other({.train = 12, .test = 12, .seed = 2});
  for (std::int64_t id = 0; id < 12; ++id) {
    REQUIRE(few.train.picture(id) == many.train.picture(id));
    REQUIRE(few.test.picture(id) == many.test.picture(id));
    REQUIRE(few.train.picture(id) != few.test.picture(id));
    REQUIRE(few.train.picture(id) != other.train.picture(id));
  }
}

TEST_CASE("the box is around the object's pixels, and the object contrasts with the background") {
  scenes<64, 4> const data({.train = 80, .test = 4});
  for (std::int64_t id = 0; id < 80; ++id) {
    scene const& s   = data.train.whole(id);
    // In the box's first and last row and column there is object, and outside of it there is none.
    auto const count = [&](double x0, double y0, double x1, double y1) {
      int n = 0;
      for (std::size_t i = 0; i < s.object.size(); ++i) {
        double const x = static_cast<double>(i % side), y = static_cast<double>(i / side);
        n += s.object[i] != 0 && x >= x0 && x < x1 && y >= y0 && y < y1;
      }
      return n;
    };
    auto const& b = s.box;
    REQUIRE(count(b.x0, b.y0, b.x1, b.y1) == count(0, 0, 64, 64));
    REQUIRE(count(b.x0, b.y0, b.x0 + 1, b.y1) > 0);
    REQUIRE(count(b.x1 - 1, b.y0, b.x1, b.y1) > 0);
    REQUIRE(count(b.x0, b.y0, b.x1, b.y0 + 1) > 0);
    REQUIRE(count(b.x0, b.y1 - 1, b.x1, b.y1) > 0);
    // Its colours vary by more than the noise.
    double sum = 0, squares = 0, n = 0;
    for (std::size_t i = 0; i < s.object.size(); ++i)
      if (s.object[i] != 0)
        for (std::size_t c = 0; c < 3; ++c)
          sum += s.picture[3 * i + c], squares += double(s.picture[3 * i + c]) * s.picture[3 * i + c], ++n;
    REQUIRE(std::sqrt(squares / n - sum / n * sum / n) > 20);
  }
}

TEST_CASE("parts are inside the object and of its class, and the tyres are dark at their annotated positions") {
  scenes<64, 3> const data({.train = 90, .test = 3});
  int wheels = 0;
  for (std::int64_t id = 0; id < 90; ++id) {
    auto const& b = data.train.box(id);
    std::set<std::int64_t> seen;
    for (auto const& p : data.train.parts(id)) {
      seen.insert(p.part);
      REQUIRE(p.visible == 1);
      REQUIRE(p.part / 5 == id % 3);
      REQUIRE((p.where.centre_x() > b.x0 && p.where.centre_x() < b.x1 && p.where.centre_y() > b.y0 && p.where.centre_y() < b.y1));
      REQUIRE((p.where.x0 > b.x0 - 1.5 && p.where.x1 < b.x1 + 1.5 && p.where.y0 > b.y0 - 1.5 && p.where.y1 < b.y1 + 1.5));
      bool const car_wheel = p.part == 0 && p.where.width() > 7;
      if (!car_wheel) continue;
      ++wheels;
      REQUIRE(p.where.width() == Approx(p.where.height()));
      // The tyre lies between the hub, .09 of .2 wide, and the rim: look .15 of .2 above and below the middle. A byte of 25 +- 15,
      // and noise of at most 25.
      for (double const v : {-.75, .75}) {
        auto const x = static_cast<std::size_t>(p.where.centre_x()),
                   y = static_cast<std::size_t>(p.where.centre_y() + v * p.where.height() / 2);
        for (std::size_t c = 0; c < 3; ++c) REQUIRE(data.train.picture(id)[3 * (y * side + x) + c] < 80);
      }
    }
    REQUIRE(seen.size() == 5);  // each at least once
  }
  REQUIRE(wheels > 4);
}

TEST_CASE("occluders cover the fraction of their level, and change nothing else") {
  scenes<64, 4> const clear({.train = 4, .test = 120});
  for (int level = 1; level <= 3; ++level) {
    scenes<64, 4> const hidden({.train = 4, .test = 120, .occlusion = level}), again({.train = 1, .test = 8, .occlusion = level});
    REQUIRE(hidden.train.picture(3) == clear.train.picture(3));
    double const least = std::array{.2, .4, .6}.at(static_cast<std::size_t>(level - 1)),
                 most  = std::array{.4, .6, .8}.at(static_cast<std::size_t>(level - 1));
    double lowest = 1, highest = 0, parts_visible = 0, parts = 0, partly = 0;
    for (std::int64_t id = 0; id < 120; ++id) {
      scene const &a = clear.test.whole(id), &b = hidden.test.whole(id);
      REQUIRE(a.covered == 0);
      REQUIRE(b.object == a.object);
      REQUIRE(b.box == a.box);
      if (id < 8) REQUIRE(again.test.picture(id) == b.picture);
      auto const changed = differing(a.picture, b.picture);
      double object = 0, covered = 0;
      for (std::size_t i = 0; i < changed.size(); ++i) object += a.object[i], covered += a.object[i] && changed[i];
      // A pixel may have the same bytes under an occluder by chance, one in many thousands: the count may be one pixel less.
      REQUIRE(std::abs(b.covered * object - covered) <= 1.01);
      REQUIRE(b.covered >= least);
      REQUIRE(b.covered < most);
      lowest = std::min(lowest, b.covered), highest = std::max(highest, b.covered);
      REQUIRE(a.parts.size() == b.parts.size());
      for (std::size_t k = 0; k < a.parts.size(); ++k) {
        REQUIRE(b.parts[k].where == a.parts[k].where);
        parts_visible += b.parts[k].visible, ++parts;
        partly += b.parts[k].visible > 0 && b.parts[k].visible < 1;
        // A part is fully visible if no pixel of its box changed, and not visible if all changed.
        bool any = false, all = true;
        auto const& w = a.parts[k].where;
        for (std::size_t i = 0; i < changed.size(); ++i) {
          double const x = static_cast<double>(i % side), y = static_cast<double>(i / side);
          if (x + 1 <= w.x0 || x >= w.x1 || y + 1 <= w.y0 || y >= w.y1) continue;
          any |= changed[i] != 0, all &= changed[i] != 0;
        }
        if (!any) REQUIRE(b.parts[k].visible == 1);
        if (all) REQUIRE(b.parts[k].visible == 0);
      }
    }
    // The whole range is used, and parts are on average as visible as the object.
    REQUIRE((lowest < least + .04 && highest > most - .04));
    REQUIRE(parts_visible / parts == Approx(1 - (least + most) / 2).margin(.1));
    REQUIRE(partly > 50);
  }
}

TEST_CASE("occluders of an object of few pixels") {
  for (std::size_t n = 5; n < 40; ++n)
    for (int level = 1; level <= 3; ++level) {
      std::vector<std::uint8_t> rgb(3 * 64, 7), object(64);
      for (std::size_t i = 0; i < n; ++i) object[(i * 13) % 64] = 1;
      auto const covered = occlude(rgb, object, 8, level, c2f::random_stream{n, c2f::purpose::synthesis, 3, 0});
      double hidden      = 0;
      for (std::size_t i = 0; i < 64; ++i) hidden += covered[i] && object[i];
      // In integers, 20 % of n is n / 5.
      REQUIRE(5 * hidden >= level * double(n));
      REQUIRE(5 * hidden < (level + 1) * double(n));
      for (std::size_t i = 0; i < 64; ++i)
        if (!covered[i]) REQUIRE((rgb[3 * i] == 7 && rgb[3 * i + 1] == 7 && rgb[3 * i + 2] == 7));
    }
  std::vector<std::uint8_t> rgb(3 * 64, 7), nothing(64);
  REQUIRE(occlude(rgb, nothing, 8, 3, c2f::random_stream{1, c2f::purpose::synthesis, 3, 0}) == nothing);
  REQUIRE_THROWS_AS(occlude(rgb, nothing, 8, 4, c2f::random_stream{1, c2f::purpose::synthesis, 3, 0}), c2f::input_error);
  REQUIRE_THROWS_AS(occlude(rgb, nothing, 9, 1, c2f::random_stream{1, c2f::purpose::synthesis, 3, 0}), c2f::input_error);
}

TEST_CASE("reading a scene gives its pixels and the box of its class") {
  scenes<64, 3> const data({.train = 6, .test = 3});
  std::vector<float> pixels(3 * side * side), truth(15);
  for (std::int64_t id = 0; id < 6; ++id) {
    data.train.read(id, nullptr, pixels.data(), truth.data());
    for (std::size_t i = 0; i < pixels.size(); ++i)
      REQUIRE(pixels[i] == Approx((data.train.picture(id)[i] / 255.0 - .5) / .25).margin(1e-5));
    auto const& b = data.train.box(id);
    for (std::size_t k = 0; k < 3; ++k) {
      std::vector<float> const row(truth.begin() + static_cast<std::ptrdiff_t>(5 * k),
                                   truth.begin() + static_cast<std::ptrdiff_t>(5 * k + 5));
      if (static_cast<std::int64_t>(k) == id % 3)
        REQUIRE(row == std::vector<float>{static_cast<float>((b.x0 + b.x1) / 128), static_cast<float>((b.y0 + b.y1) / 128),
                                          static_cast<float>((b.x1 - b.x0) / 64), static_cast<float>((b.y1 - b.y0) / 64), 1});
      else
        REQUIRE(row == std::vector<float>{.5f, .5f, 0, 0, 0});
    }
  }
}

TEST_CASE("resampling: identity, mirror, enlargement and mean, by hand") {
  // 2x2 pixels of one grey value each: 0 100 / 200 40.
  std::vector<std::uint8_t> const rgb{0, 0, 0, 100, 100, 100, 200, 200, 200, 40, 40, 40};
  auto const look = [&](c2f::metrics::box const& window, int out, bool mirrored) {
    std::vector<float> to(static_cast<std::size_t>(3 * out * out)), grey;
    sample_window(rgb, 2, window, out, mirrored, to.data());
    for (std::size_t i = 0; i < to.size(); i += 3) grey.push_back(to[i]);
    return grey;
  };
  REQUIRE(look({0, 0, 2, 2}, 2, false) == std::vector<float>{0, 100, 200, 40});
  REQUIRE(look({0, 0, 2, 2}, 2, true) == std::vector<float>{100, 0, 40, 200});
  REQUIRE(look({1, 0, 3, 2}, 2, false) == std::vector<float>{100, 100, 40, 40});  // the border pixels are repeated
  REQUIRE(look({.5, .5, 1.5, 1.5}, 1, false) == std::vector<float>{85});          // the mean of all four
  // Scaled up by 2: sampled a quarter of a pixel from the pixel borders. Row 0: 0, 25, 75, 100.
  auto const large = look({0, 0, 2, 2}, 4, false);
  REQUIRE(std::vector<float>(large.begin(), large.begin() + 4) == std::vector<float>{0, 25, 75, 100});
  REQUIRE(large[5] == Approx(.75 * .75 * 0 + .75 * .25 * (100 + 200) + .25 * .25 * 40));
  // Scaled down by 2: four samples, at most a quarter of a pixel from the pixel centres: the mean again.
  REQUIRE(look({0, 0, 2, 2}, 1, false) == std::vector<float>{85});
  REQUIRE(seen_through({10, 20, 30, 40}, 40, false, {15, 25, 20, 30}) == c2f::metrics::box{10, 10, 20, 20});
  REQUIRE(seen_through({10, 20, 30, 40}, 40, true, {15, 25, 20, 30}) == c2f::metrics::box{20, 10, 30, 20});
}

TEST_CASE("augmentation moves the box with the picture") {
  scenes<64, 3> const data({.train = 60, .test = 3});
  std::vector<float> plain(3 * side * side), pixels(plain.size()), truth(15), moved(15);
  int mirrored = 0, different = 0;
  for (std::int64_t id = 0; id < 60; ++id) {
    data.train.read(id, nullptr, plain.data(), truth.data());
    c2f::random_stream draw{1, c2f::purpose::augment, 4, static_cast<std::uint64_t>(id)}, again = draw;
    data.train.read(id, &draw, pixels.data(), moved.data());
    bool const flipped = again.below(2) == 1;
    mirrored += flipped;
    auto const* t = truth.data() + 5 * (id % 3);
    auto const* m = moved.data() + 5 * (id % 3);
    REQUIRE(m[4] == 1);
    REQUIRE((m[2] / t[2] > .9f && m[2] / t[2] < 1.12f));
    REQUIRE(m[2] / t[2] == Approx(m[3] / t[3]).epsilon(1e-4));
    REQUIRE((m[0] - m[2] / 2 > -1e-5f && m[0] + m[2] / 2 < 1 + 1e-5f && m[1] - m[3] / 2 > -1e-5f && m[1] + m[3] / 2 < 1 + 1e-5f));
    different += std::abs(m[1] - t[1]) > 1.0f / 64;
    // A point of the object is at the corresponding point of the moved object: sampled over a grid inside the two boxes, the pictures
    // agree, and they disagree when the grid is mirrored.
    auto const grey = [&](std::vector<float> const& of, float x, float y) {
      auto const i = 3 * (std::min<std::size_t>(side - 1, static_cast<std::size_t>(y * 64)) * side +
                          std::min<std::size_t>(side - 1, static_cast<std::size_t>(x * 64)));
      return of[i] + of[i + 1] + of[i + 2];
    };
    double right = 0, wrong = 0;
    for (int i = 1; i < 20; ++i)
      for (int j = 1; j < 20; ++j) {
        float const u = static_cast<float>(i) / 20 - .5f, v = static_cast<float>(j) / 20 - .5f;
        float const here = grey(plain, t[0] + u * t[2], t[1] + v * t[3]);
        right += std::abs(here - grey(pixels, m[0] + (flipped ? -u : u) * m[2], m[1] + v * m[3]));
        wrong += std::abs(here - grey(pixels, m[0] + (flipped ? u : -u) * m[2], m[1] + v * m[3]));
      }
    REQUIRE(right < wrong);
  }
  REQUIRE((mirrored > 15 && mirrored < 45));
  REQUIRE(different > 30);
}

TEST_CASE("parts at one scale: the object has its size, and the heat maps are at the parts") {
  scenes<64, 3> const data({.train = 30, .test = 3});
  parts_at_scale const split(data.train, {.object = 40});
  static_assert(decltype(split)::truth_dims == std::array<std::int64_t, 3>{15, 16, 16});
  std::vector<float> pixels(3 * 64 * 64), maps(15 * 16 * 16), again(pixels.size());
  for (std::int64_t id = 0; id < 30; ++id) {
    auto const window = window_at_scale(data.train.box(id), 40, 64);
    auto const seen   = seen_through(window, 64, false, data.train.box(id));
    REQUIRE(std::max(seen.width(), seen.height()) == Approx(40));
    REQUIRE(seen.centre_x() == Approx(32));
    REQUIRE(seen.centre_y() == Approx(32));
    split.read(id, nullptr, pixels.data(), maps.data());
    split.look(id, window, false, again.data());
    REQUIRE(pixels == again);
    // The naive definition: a cell is 1 if the centre of a part of that sort is in it or at most 4 pixels from the cell's centre.
    int ones = 0;
    for (std::int64_t k = 0; k < 15; ++k)
      for (int y = 0; y < 16; ++y)
        for (int x = 0; x < 16; ++x) {
          bool near = false;
          for (auto const& p : data.train.parts(id)) {
            auto const b = seen_through(window, 64, false, p.where);
            near |= p.part == k && (std::hypot(4 * x + 2 - b.centre_x(), 4 * y + 2 - b.centre_y()) <= 4 ||
                                    (std::floor(b.centre_x() / 4) == x && std::floor(b.centre_y() / 4) == y));
          }
          REQUIRE(maps[static_cast<std::size_t>((k * 16 + y) * 16 + x)] == (near ? 1.0f : 0.0f));
          ones += near;
        }
    REQUIRE(ones >= 5);
    // Augmented, the maps are again 0 and 1 of the same parts.
    c2f::random_stream draw{1, c2f::purpose::augment, 0, static_cast<std::uint64_t>(id)};
    split.read(id, &draw, pixels.data(), maps.data());
    REQUIRE(pixels != again);
    std::set<std::int64_t> parts, marked;
    for (auto const& p : data.train.parts(id)) parts.insert(p.part);
    for (std::size_t i = 0; i < maps.size(); ++i)
      if (maps[i] == 1) marked.insert(static_cast<std::int64_t>(i / 256));
    REQUIRE(parts == marked);
  }
}

TEST_CASE("invalid scene options are refused") {
  REQUIRE_THROWS_AS(scenes<>({.train = 0}), c2f::input_error);
  REQUIRE_THROWS_AS(scenes<>({.train = 1, .test = -1}), c2f::input_error);
  REQUIRE_THROWS_AS(scenes<>({.train = 1, .test = 1, .occlusion = 4}), c2f::input_error);
  REQUIRE_THROWS_AS(scenes<>({.train = 1, .test = 1, .occlusion = -1}), c2f::input_error);
  scenes<> const data({.train = 3, .test = 3});
  REQUIRE_THROWS_AS((parts_at_scale<64, 3>(data.train, {.object = 0})), c2f::input_error);
}
