// The synthetic glyphs: deterministic, balanced, all different, and distinguished by a detail.
#include <chrono>
#include <cmath>
#include <set>

#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/data/split.hpp>

#include "catch.hpp"

namespace {
using namespace c2f::data;
static_assert(split<decltype(glyphs<>::train)> && dataset<glyphs<>> && dataset<glyphs<32>>);
static_assert(decltype(glyphs<>::train)::class_count() == 20);
}  // namespace

TEST_CASE("glyphs are balanced, named, and all different") {
  glyphs<> const data;
  REQUIRE(data.train.size() == 4000);
  REQUIRE(data.test.size() == 1000);
  std::set<std::vector<std::uint8_t>> different;
  for (auto const* s : {&data.train, &data.test}) {
    std::vector<std::int64_t> count(20);
    for (std::int64_t id = 0; id < s->size(); ++id) {
      ++count[static_cast<std::size_t>(s->label(id))];
      different.insert(s->picture(id));
    }
    REQUIRE(count == std::vector<std::int64_t>(20, s->size() / 20));
  }
  REQUIRE(different.size() == 5000);
  REQUIRE(data.train.classes().size() == 20);
  REQUIRE(data.train.classes()[0] == "A0");
  REQUIRE(data.train.classes()[19] == "E3");
  REQUIRE(data.train.name() == "glyphs train");
}

TEST_CASE("a glyph is a function of seed, split and id") {
  glyphs<> const few({.train = 40, .test = 40}), many({.train = 100, .test = 60}), other({.train = 40, .test = 40, .seed = 2});
  for (std::int64_t id = 0; id < 40; ++id) {
    REQUIRE(few.train.picture(id) == many.train.picture(id));
    REQUIRE(few.test.picture(id) == many.test.picture(id));
    REQUIRE(few.train.picture(id) != few.test.picture(id));
    REQUIRE(few.train.picture(id) != other.train.picture(id));
  }
}

TEST_CASE("a glyph's sign contrasts with its background") {
  glyphs<32> const data({.train = 320, .test = 32});
  for (std::int64_t id = 0; id < data.train.size(); ++id) {
    auto const rgb = data.train.picture(id);
    double sum = 0, squares = 0;
    for (auto const b : rgb) sum += b, squares += double(b) * b;
    double const mean = sum / 3072;
    REQUIRE(std::sqrt(squares / 3072 - mean * mean) > 8);
  }
}

TEST_CASE("augmenting a glyph moves it by at most two pixels and never mirrors it") {
  glyphs<> const data({.train = 20, .test = 20});
  std::vector<float> plain(3072), moved(3072);
  std::int64_t label = 0;
  for (std::uint64_t epoch = 0; epoch < 100; ++epoch) {
    std::int64_t const id = static_cast<std::int64_t>(epoch % 20);
    c2f::random_stream draw{1, c2f::purpose::augment, epoch, 0}, again = draw;
    int const down = static_cast<int>(again.below(5)) - 2, right = static_cast<int>(again.below(5)) - 2;
    data.train.read(id, nullptr, plain.data(), &label);
    data.train.read(id, &draw, moved.data(), &label);
    for (int y = 2; y < 30; ++y)
      for (int x = 2; x < 30; ++x)
        for (int c = 0; c < 3; ++c)
          REQUIRE(moved[static_cast<std::size_t>(3 * (32 * y + x) + c)] ==
                  plain[static_cast<std::size_t>(3 * (32 * (y + down) + x + right) + c)]);
  }
}

TEST_CASE("an invalid number of glyphs is refused") {
  REQUIRE_THROWS_AS(glyphs<>({.train = 0}), c2f::input_error);
  REQUIRE_THROWS_AS(glyphs<>({.test = -1}), c2f::input_error);
  REQUIRE_THROWS_AS(glyphs<>({.train = std::int64_t{1} << 60}), c2f::input_error);
}
