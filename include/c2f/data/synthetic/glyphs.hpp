// c2f/data/synthetic/glyphs.hpp: a synthetic fine-grained data set: drawn signs whose classes differ by the position of one short stroke.
//
//   c2f::data::glyphs<> data;                          // 20 classes, 4,000 pictures to train on and 1,000 to test
//   data.train.classes()[6];                           // "B2": sign B with its short stroke at position 2
//
// Classes come in groups of four. A group is a sign (a square, a triangle, a cross ...); its four classes differ only in the position of
// one short stroke. The group is easy to recognise; the class needs a detail that pose, thickness, colour, clutter and noise obscure.
// A picture is a pure function of (seed, train or test, id); class = id mod Classes. Pictures are 32x32 RGB, normalised with mean .5 and
// deviation .25.
//
// Augmentation shifts a picture by up to two pixels and never mirrors it: a mirrored sign is another class.
//
// Costs: all pictures are drawn at construction (about 30 us each) and kept as bytes, 3 KB each.
// Errors: input_error for a count out of range (1 ... 1000000).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/data/pictures.hpp>
#include <c2f/data/draw/line_segment.hpp>

namespace c2f::data {

/// The size of the data set, and its seed.
struct glyph_options {
  std::int64_t train = 4000, test = 1000;  ///< pictures
  std::uint64_t seed = 1;
};

namespace detail {

/// A sign in -1...1: its strokes (unused ones repeat the first) and the four positions of the stroke that defines the class.
struct glyph_sign {
  std::array<line_segment, 4> strokes, details;
};

// clang-format off
inline constexpr std::array<glyph_sign, 8> glyph_signs{{
    // A, a square: the stroke points inwards from the middle of a side
    {{{{-.8f, -.8f, .8f, -.8f}, {.8f, -.8f, .8f, .8f}, {.8f, .8f, -.8f, .8f}, {-.8f, .8f, -.8f, -.8f}}},
     {{{0, -.8f, 0, -.35f}, {.8f, 0, .35f, 0}, {0, .8f, 0, .35f}, {-.8f, 0, -.35f, 0}}}},
    // B, a triangle: across the left or right side, up or down from the base
    {{{{0, -.9f, .9f, .8f}, {.9f, .8f, -.9f, .8f}, {-.9f, .8f, 0, -.9f}, {0, -.9f, .9f, .8f}}},
     {{{-.45f, -.05f, -.05f, .16f}, {.45f, -.05f, .05f, .16f}, {0, .8f, 0, .35f}, {-.45f, -.05f, -.85f, -.26f}}}},
    // C, a cross: at the end of an arm
    {{{{0, -.9f, 0, .9f}, {-.9f, 0, .9f, 0}, {0, -.9f, 0, .9f}, {-.9f, 0, .9f, 0}}},
     {{{0, -.9f, .42f, -.9f}, {.9f, 0, .9f, .42f}, {0, .9f, -.42f, .9f}, {-.9f, 0, -.9f, -.42f}}}},
    // D, the letter H: outwards from an end of a post
    {{{{-.6f, -.9f, -.6f, .9f}, {.6f, -.9f, .6f, .9f}, {-.6f, 0, .6f, 0}, {-.6f, 0, .6f, 0}}},
     {{{-.6f, -.9f, -.15f, -.9f}, {.6f, -.9f, .15f, -.9f}, {-.6f, .9f, -.15f, .9f}, {.6f, .9f, .15f, .9f}}}},
    // E, the letter Z: from an end or from the middle of the diagonal
    {{{{-.8f, -.8f, .8f, -.8f}, {.8f, -.8f, -.8f, .8f}, {-.8f, .8f, .8f, .8f}, {-.8f, -.8f, .8f, -.8f}}},
     {{{-.8f, -.8f, -.8f, -.38f}, {.8f, .8f, .8f, .38f}, {0, 0, .32f, .32f}, {0, 0, -.32f, -.32f}}}},
    // F, the letter Y: at the end of an arm or next to the stem
    {{{{-.8f, -.9f, 0, 0}, {.8f, -.9f, 0, 0}, {0, 0, 0, .9f}, {0, 0, 0, .9f}}},
     {{{-.8f, -.9f, -.36f, -.9f}, {.8f, -.9f, .36f, -.9f}, {0, .5f, .42f, .5f}, {0, .5f, -.42f, .5f}}}},
    // G, a diamond: inwards from the middle of a side
    {{{{0, -1, 1, 0}, {1, 0, 0, 1}, {0, 1, -1, 0}, {-1, 0, 0, -1}}},
     {{{.5f, -.5f, .18f, -.18f}, {.5f, .5f, .18f, .18f}, {-.5f, .5f, -.18f, .18f}, {-.5f, -.5f, -.18f, -.18f}}}},
    // H, a comb with three teeth: a half tooth between two of them, or one on the back
    {{{{-.7f, -.9f, -.7f, .9f}, {-.7f, -.9f, .7f, -.9f}, {-.7f, 0, .7f, 0}, {-.7f, .9f, .7f, .9f}}},
     {{{-.7f, -.45f, -.2f, -.45f}, {-.7f, .45f, -.2f, .45f}, {.7f, -.9f, .7f, -.5f}, {.7f, .9f, .7f, .5f}}}},
}};
// clang-format on

/// Draws one picture into three planes of 32x32 bytes.
class glyph_painter {
 public:
  glyph_painter(std::int64_t what, random_stream draw) : draw_(draw) {
    choose_pose();
    choose_colours();
    for (int n = 3 + static_cast<int>(draw_.below(4)); n > 0; --n) clutter();
    auto const& sign = glyph_signs[static_cast<std::size_t>(what / 4)];
    for (auto const& stroke : sign.strokes) paint(placed(stroke), thickness_, ink_);
    paint(placed(sign.details[static_cast<std::size_t>(what % 4)]), thickness_, ink_);
  }

  void write(std::uint8_t* planes) {
    int const amplitude = 10 + static_cast<int>(draw_.below(28));
    for (auto const& plane : planes_)
      for (float const value : plane)
        *planes++ = static_cast<std::uint8_t>(std::clamp(value + static_cast<float>(amplitude * noise()) / 255.0f, 0.0f, 255.0f));
  }

 private:
  static constexpr int side = 32;
  using colour              = std::array<float, 3>;  // 0...255

  float between(float low, float high) { return low + (high - low) * static_cast<float>(draw_.uniform()); }

  // Triangular noise in -255...255: cheap, and bit-identical with every C library.
  int noise() {
    std::uint32_t const bits = draw_.bits();
    return static_cast<int>(bits & 255u) - static_cast<int>((bits >> 8) & 255u);
  }

  void choose_pose() {
    // A rotation by 2 atan(u), without library functions, so that it is bit-identical with every C library.
    float const u = between(-.12f, .12f), scale = between(9.0f, 12.0f), stretch = between(.85f, 1.18f), shear = between(-.15f, .15f);
    float const cosine = (1 - u * u) / (1 + u * u), sine = 2 * u / (1 + u * u);
    map_       = {scale * stretch * cosine, scale * (shear * cosine - sine), scale * stretch * sine, scale * (shear * sine + cosine)};
    middle_    = {15.5f + between(-2, 2), 15.5f + between(-2, 2)};
    thickness_ = between(1.2f, 2.4f);
  }

  [[nodiscard]] line_segment placed(line_segment const& s) {
    auto const x = [&](float u, float v) { return middle_[0] + map_[0] * u + map_[1] * v; };
    auto const y = [&](float u, float v) { return middle_[1] + map_[2] * u + map_[3] * v; };
    return {x(s.x0, s.y0), y(s.x0, s.y0), x(s.x1, s.y1), y(s.x1, s.y1)};
  }

  // A background with a linear gradient, and an ink colour that contrasts with it.
  void choose_colours() {
    for (std::size_t c = 0; c < 3; ++c) {
      float const ground = between(40, 215), across = between(-1.5f, 1.5f), down = between(-1.5f, 1.5f);
      for (int y = 0; y < side; ++y)
        for (int x = 0; x < side; ++x)
          planes_[c][static_cast<std::size_t>(y * side + x)] =
              ground + across * (static_cast<float>(x) - 15.5f) + down * (static_cast<float>(y) - 15.5f);
      ground_[c] = ground;
    }
    float const brightness = (ground_[0] + ground_[1] + ground_[2]) / 3, contrast = between(45, 100);
    for (std::size_t c = 0; c < 3; ++c)
      ink_[c] = std::clamp(ground_[c] + (brightness < 128 ? contrast : -contrast) + between(-40, 40), 0.0f, 255.0f);
  }

  // A distracting stroke about as long as the one that defines the class, in a colour between background and ink.
  void clutter() {
    float const x = between(2, 29), y = between(2, 29), along_x = between(-5, 5), along_y = between(-5, 5), mix = between(.3f, .9f);
    colour tint;
    for (std::size_t c = 0; c < 3; ++c) tint[c] = ground_[c] + mix * (ink_[c] - ground_[c]) + between(-25, 25);
    paint({x, y, x + along_x, y + along_y}, thickness_, tint);
  }

  void paint(line_segment const& s, float width, colour const& tint) {
    auto const first = [&](float a, float b) { return std::clamp(static_cast<int>(std::min(a, b) - width) - 1, 0, side); };
    auto const last  = [&](float a, float b) { return std::clamp(static_cast<int>(std::max(a, b) + width) + 2, 0, side); };
    for (int y = first(s.y0, s.y1); y < last(s.y0, s.y1); ++y)
      for (int x = first(s.x0, s.x1); x < last(s.x0, s.x1); ++x) {
        float const cover = coverage(s, static_cast<float>(x), static_cast<float>(y), width);
        for (std::size_t c = 0; c < 3; ++c) {
          float& value = planes_[c][static_cast<std::size_t>(y * side + x)];
          value += cover * (tint[c] - value);
        }
      }
  }

  random_stream draw_;
  std::array<std::array<float, side * side>, 3> planes_;
  std::array<float, 4> map_{};
  std::array<float, 2> middle_{};
  float thickness_ = 0;
  colour ground_{}, ink_{};
};

template <std::int64_t Classes>
pictures<Classes> draw_glyphs(bool train, glyph_options const& options) {
  std::int64_t const n = train ? options.train : options.test;
  if (n < 1 || n > 1000000)
    throw input_error("glyphs were asked for " + std::to_string(n) + (train ? " training" : " test") + " pictures; ask for 1 to 1000000");
  constexpr std::size_t record = 1 + 3 * 32 * 32;
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(n) * record);
  for (std::int64_t id = 0; id < n; ++id) {
    std::uint8_t* const to = bytes.data() + static_cast<std::size_t>(id) * record;
    to[0]                  = static_cast<std::uint8_t>(id % Classes);
    glyph_painter(id % Classes, random_stream{options.seed, purpose::synthesis, train ? 0u : 1u, static_cast<std::uint64_t>(id)})
        .write(to + 1);
  }
  std::vector<std::string> names;
  for (std::int64_t k = 0; k < Classes; ++k) names.push_back({static_cast<char>('A' + k / 4), static_cast<char>('0' + k % 4)});
  std::string const name = train ? "glyphs train" : "glyphs test";
  return {name,
          std::move(bytes),
          {record, 0, 1, {.5f, .5f, .5f}, {.25f, .25f, .25f}, 2, false},
          std::move(names),
          hash_of(name + ' ' + std::to_string(Classes) + ' ' + std::to_string(options.seed))};
}

}  // namespace detail

/// The data set: groups of four classes that differ in the position of a short stroke.
template <std::int64_t Classes = 20>
struct glyphs {
  static_assert(Classes >= 4 && Classes <= 32 && Classes % 4 == 0, "c2f::data::glyphs has groups of four classes: 4, 8, ... 32");
  pictures<Classes> train, test;
  explicit glyphs(glyph_options const& options = {})
      : train(detail::draw_glyphs<Classes>(true, options)), test(detail::draw_glyphs<Classes>(false, options)) {}
};

}  // namespace c2f::data
