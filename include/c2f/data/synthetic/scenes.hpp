// c2f/data/synthetic/scenes.hpp: a synthetic data set: one vehicle in a cluttered picture, its box, semantic parts, optional occluders.
//
//   c2f::data::scenes<64> data({.test = 500, .occlusion = 2});       // car, bus, bicycle; only the test pictures are occluded
//   data.train.box(7);                                               // of the object, in pixels
//   for (auto const& p : data.test.parts(7)) data.test.part_names()[p.part], p.where, p.visible;
//   c2f::data::parts_at_scale train(data.train, {.object = 48});     // a split for a part detector: object of a fixed size, heat maps
//
// The truth of a sample is, for each class, (centre x, centre y, width, height, 1) as fractions of the picture if it is the object's class,
// else (.5, .5, 0, 0, 0). The object's longer side is .2 ... .8 of the picture's, below .4 with probability 1/2; class = id mod Classes.
// Parts are drawn shapes: wheels, windows, doors, lamps; a part may occur more than once in an object. A picture is a pure function of
// (seed, train or test, id), and its occluders (data/synthetic/occluders.hpp) of (seed, level, id): one scene at levels 0 and 3 differs
// only in the occluded pixels.
//
// Augmentation mirrors with probability 1/2, and shifts and scales by up to a tenth; the box is transformed too and stays inside.
//
// Costs: all pictures are drawn at construction (about 0.2 ms each at side 64) and kept, 4 * Side * Side bytes each.
// Errors: input_error for a count or a level out of range.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/static_check.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/synthetic/occluders.hpp>
#include <c2f/data/draw/line_segment.hpp>
#include <c2f/data/split.hpp>
#include <c2f/metrics/detection.hpp>

namespace c2f::data {

/// The size of the data set, its seed and occlusion level.
struct scene_options {
  std::int64_t train = 2000, test = 500;  ///< pictures
  std::uint64_t seed = 1;
  int occlusion      = 0;  ///< level of the test pictures, 0 ... 3; training pictures are never occluded
};

/// A semantic part of the object in a picture.
struct scene_part {
  std::int64_t part;   ///< index into part_names()
  metrics::box where;  ///< in pixels; may extend beyond the picture
  double visible;      ///< the fraction of its pixels that are not occluded
};

/// A picture, its object and the object's parts.
struct scene {
  std::vector<std::uint8_t> picture;  ///< side * side RGB bytes, rows from the top
  std::vector<std::uint8_t> object;   ///< side * side values: 1 on the object, occluded or not
  metrics::box box;                   ///< the bounding box of those pixels
  std::vector<scene_part> parts;
  double covered = 0;  ///< the fraction of the object's pixels under occluders
};

/// Resamples a window of a picture of side * side RGB bytes to out * out pixels of three floats, 0 ... 255. The window is in pixels and may
/// extend beyond the picture, where the border pixels are repeated. Bilinear; when shrinking, the mean of up to 8 x 8 samples a pixel.
inline void sample_window(std::span<std::uint8_t const> rgb, int side, metrics::box const& window, int out, bool mirrored, float* pixels) {
  auto const step_x = static_cast<float>(window.width() / out), step_y = static_cast<float>(window.height() / out);
  int const samples = std::clamp(static_cast<int>(std::ceil(std::max(step_x, step_y))), 1, 8);
  auto const at     = [&](int x, int y) {
    return rgb.data() + 3 * (static_cast<std::ptrdiff_t>(std::clamp(y, 0, side - 1)) * side + std::clamp(x, 0, side - 1));
  };
  for (int row = 0; row < out; ++row)
    for (int column = 0; column < out; ++column, pixels += 3) {
      int const from = mirrored ? out - 1 - column : column;
      std::array<float, 3> sum{};
      for (int k = 0; k < samples * samples; ++k) {
        auto const part = [&](int which) { return (static_cast<float>(which) + .5f) / static_cast<float>(samples); };
        float const x   = static_cast<float>(window.x0) + (static_cast<float>(from) + part(k % samples)) * step_x - .5f;
        float const y   = static_cast<float>(window.y0) + (static_cast<float>(row) + part(k / samples)) * step_y - .5f;
        int const left = static_cast<int>(std::floor(x)), top = static_cast<int>(std::floor(y));
        float const right = x - static_cast<float>(left), down = y - static_cast<float>(top);
        std::uint8_t const *a = at(left, top), *b = at(left + 1, top), *c = at(left, top + 1), *d = at(left + 1, top + 1);
        for (std::size_t i = 0; i < 3; ++i)
          sum[i] += (1 - down) * ((1 - right) * a[i] + right * b[i]) + down * ((1 - right) * c[i] + right * d[i]);
      }
      for (std::size_t k = 0; k < 3; ++k) pixels[k] = sum[k] / static_cast<float>(samples * samples);
    }
}

/// Maps a box of the picture to the coordinates of a window resampled to `out` x `out` pixels.
[[nodiscard]] inline metrics::box seen_through(metrics::box const& window, int out, bool mirrored, metrics::box const& b) {
  double const x = out / window.width(), y = out / window.height();
  metrics::box const seen{(b.x0 - window.x0) * x, (b.y0 - window.y0) * y, (b.x1 - window.x0) * x, (b.y1 - window.y0) * y};
  return mirrored ? metrics::box{out - seen.x1, seen.y0, out - seen.x0, seen.y1} : seen;
}

/// The square window, centred on box b, that scales b's longer side to `object` of `out` pixels.
[[nodiscard]] inline metrics::box window_at_scale(metrics::box const& b, double object, int out) {
  double const side = std::max({b.width(), b.height(), 1.0}) * out / object;
  return metrics::box::around(b.centre_x(), b.centre_y(), side, side);
}

namespace detail::vehicles {

/// The material of a shape, which determines its colour.
enum class role : std::uint8_t { body, shade, glass, tyre, metal, lamp, tail, plate };
enum class outline : std::uint8_t { quad, disc, ring, stroke };

/// A shape of a class, in units of half the object's length: x to the front, y down.
struct piece {
  outline form;
  role of;
  int part;                 // the part's number within its class, or -1
  std::array<float, 8> at;  // quad: four corners; disc: centre, radius; ring: centre, radius, width; stroke: two ends, width
};

constexpr piece quad(role of, int part, float x0, float y0, float x1, float y1, float x2, float y2, float x3, float y3) {
  return {outline::quad, of, part, {x0, y0, x1, y1, x2, y2, x3, y3}};
}
constexpr piece panel(role of, int part, float x0, float y0, float x1, float y1) { return quad(of, part, x0, y0, x1, y0, x1, y1, x0, y1); }
constexpr piece disc(role of, int part, float x, float y, float radius) { return {outline::disc, of, part, {x, y, radius}}; }
constexpr piece ring(role of, int part, float x, float y, float radius, float width) {
  return {outline::ring, of, part, {x, y, radius, width}};
}
constexpr piece stroke(role of, int part, float x0, float y0, float x1, float y1, float width) {
  return {outline::stroke, of, part, {x0, y0, x1, y1, width}};
}

using enum role;
inline constexpr std::array car{
    panel(body, -1, -1, -.08f, 1, .25f),
    quad(body, -1, -.65f, -.06f, -.42f, -.42f, .3f, -.42f, .62f, -.06f),
    quad(glass, 1, -.53f, -.08f, -.37f, -.35f, -.08f, -.35f, -.08f, -.08f),
    quad(glass, 1, -.01f, -.08f, -.01f, -.35f, .26f, -.35f, .48f, -.08f),
    panel(shade, 2, -.1f, -.04f, .36f, .2f),
    disc(tyre, 0, -.55f, .25f, .2f),
    disc(metal, -1, -.55f, .25f, .09f),
    disc(tyre, 0, .58f, .25f, .2f),
    disc(metal, -1, .58f, .25f, .09f),
    disc(lamp, 3, .92f, .04f, .08f),
    panel(tail, 4, -1, -.03f, -.87f, .12f),
};
inline constexpr std::array bus{
    panel(body, -1, -1, -.55f, 1, .35f),        panel(glass, 1, -.88f, -.4f, -.52f, -.08f),
    panel(glass, 1, -.42f, -.4f, -.06f, -.08f), panel(glass, 1, .04f, -.4f, .4f, -.08f),
    panel(shade, 2, .54f, -.36f, .8f, .3f),     disc(tyre, 0, -.55f, .35f, .18f),
    disc(metal, -1, -.55f, .35f, .08f),         disc(tyre, 0, .26f, .35f, .18f),
    disc(metal, -1, .26f, .35f, .08f),          disc(lamp, 3, .91f, .2f, .07f),
    panel(plate, 4, .05f, -.68f, .6f, -.5f),
};
inline constexpr std::array bicycle{
    ring(tyre, 0, -.57f, .2f, .39f, .08f),
    ring(tyre, 0, .57f, .2f, .39f, .08f),
    stroke(body, -1, -.57f, .2f, -.2f, -.3f, .09f),
    stroke(body, -1, -.57f, .2f, -.05f, .2f, .09f),
    stroke(body, -1, -.05f, .2f, -.22f, -.42f, .09f),
    stroke(body, -1, -.05f, .2f, .43f, -.3f, .09f),
    stroke(body, -1, -.2f, -.26f, .43f, -.34f, .09f),
    stroke(body, -1, .41f, -.45f, .57f, .2f, .09f),
    disc(metal, 3, -.05f, .2f, .13f),
    stroke(shade, 1, -.4f, -.44f, -.1f, -.44f, .13f),
    stroke(metal, 2, .27f, -.54f, .46f, -.46f, .1f),
    disc(lamp, 4, .56f, -.38f, .09f),
};
inline constexpr std::array airplane{
    quad(shade, 3, -.95f, -.48f, -.75f, -.48f, -.5f, -.08f, -.85f, -.02f),
    stroke(body, -1, -.84f, 0, .84f, 0, .32f),
    quad(glass, 1, .6f, -.14f, .78f, -.14f, .92f, -.02f, .6f, -.02f),
    quad(shade, 0, -.1f, .02f, .28f, .02f, -.2f, .45f, -.45f, .45f),
    stroke(metal, 2, -.02f, .26f, .16f, .26f, .18f),
    panel(plate, 4, -.42f, -.14f, -.26f, .08f),
};
inline constexpr std::array<char const*, 5> car_parts{"car wheel", "car window", "car door", "car headlamp", "car tail lamp"},
    bus_parts{"bus wheel", "bus window", "bus door", "bus headlamp", "bus sign"},
    bicycle_parts{"bicycle wheel", "saddle", "handlebar", "crank", "bicycle lamp"},
    airplane_parts{"wing", "cockpit", "engine", "fin", "airplane door"};

struct kind {
  char const* name;
  std::span<piece const> shapes;
  std::span<char const* const> parts;
};
inline constexpr std::array<kind, 4> kinds{
    {{"car", car, car_parts}, {"bus", bus, bus_parts}, {"bicycle", bicycle, bicycle_parts}, {"airplane", airplane, airplane_parts}}};

/// The number of parts of the classes before `what`.
constexpr std::int64_t parts_before(std::int64_t what) {
  std::int64_t n = 0;
  for (std::int64_t k = 0; k < what; ++k) n += static_cast<std::int64_t>(kinds[static_cast<std::size_t>(k)].parts.size());
  return n;
}

/// Draws one scene into three planes of side * side floats.
class painter {
 public:
  painter(int side, std::int64_t what, random_stream draw)
      : draw_(draw), side_(side), pixels_(static_cast<std::size_t>(side * side)), object_(pixels_) {
    for (auto& plane : planes_) plane.resize(pixels_);
    choose_colours();
    for (int n = 4 + static_cast<int>(draw_.below(5)); n > 0; --n) clutter();
    for (auto const& shape : placed(kinds[static_cast<std::size_t>(what)].shapes))
      paint_part(shape, tints_[static_cast<std::size_t>(shape.of)], parts_before(what));
  }

  [[nodiscard]] scene finished(int level, random_stream occlusion) {
    scene made;
    made.object = std::move(object_);
    made.box    = box_of(made.object);
    made.picture.resize(3 * pixels_);
    int const amplitude = 6 + static_cast<int>(draw_.below(20));
    for (std::size_t i = 0; i < pixels_; ++i)
      for (std::size_t c = 0; c < 3; ++c)
        made.picture[3 * i + c] =
            static_cast<std::uint8_t>(std::clamp(planes_[c][i] + static_cast<float>(amplitude * noise()) / 255.0f, 0.0f, 255.0f));
    auto const covered  = occlude(made.picture, made.object, side_, level, occlusion);
    auto const fraction = [&](std::vector<std::size_t> const& area) {
      auto const hidden = std::count_if(area.begin(), area.end(), [&](std::size_t i) { return covered[i] != 0; });
      return static_cast<double>(hidden) / static_cast<double>(area.size());
    };
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < pixels_; ++i)
      if (made.object[i] != 0) all.push_back(i);
    made.covered = fraction(all);
    for (auto const& each : parts_) made.parts.push_back({each.part, each.where, 1 - fraction(each.area)});
    return made;
  }

 private:
  using colour = std::array<float, 3>;  // 0...255
  struct drawn_part {
    std::int64_t part;
    metrics::box where;
    std::vector<std::size_t> area;  // never empty
  };

  float between(float low, float high) { return low + (high - low) * static_cast<float>(draw_.uniform()); }
  // Triangular noise in -255...255: cheap, and bit-identical with every C library.
  int noise() {
    std::uint32_t const bits = draw_.bits();
    return static_cast<int>(bits & 255u) - static_cast<int>((bits >> 8) & 255u);
  }

  // A background with a linear gradient, and a body colour that contrasts with it.
  void choose_colours() {
    float const slope = 96.0f / static_cast<float>(side_), middle = static_cast<float>(side_) / 2;
    for (std::size_t c = 0; c < 3; ++c) {
      float const ground = between(60, 200), across = slope * between(-.4f, .4f), down = slope * between(-.4f, .4f);
      for (std::size_t i = 0; i < pixels_; ++i)
        planes_[c][i] = ground + across * (static_cast<float>(i % static_cast<std::size_t>(side_)) - middle) +
                        down * (static_cast<float>(i / static_cast<std::size_t>(side_)) - middle);
      ground_[c] = ground;
    }
    float const brightness = (ground_[0] + ground_[1] + ground_[2]) / 3, contrast = between(50, 90);
    colour body_colour;
    for (float& value : body_colour)
      value = std::clamp(brightness + (brightness < 128 ? contrast : -contrast) + between(-45, 45), 0.0f, 255.0f);
    auto const set = [&](role which, colour const& around) {
      for (std::size_t c = 0; c < 3; ++c)
        tints_[static_cast<std::size_t>(which)][c] = std::clamp(around[c] + between(-15, 15), 0.0f, 255.0f);
    };
    bool const bright = body_colour[0] + body_colour[1] + body_colour[2] > 384;
    float const turn  = bright ? -55.0f : 55.0f;
    set(body, body_colour);
    set(shade, {body_colour[0] + turn, body_colour[1] + turn, body_colour[2] + turn});
    set(glass, bright ? colour{60, 85, 120} : colour{165, 200, 225});
    set(tyre, {25, 25, 28});
    set(metal, {190, 190, 195});
    set(lamp, {250, 235, 130});
    set(tail, {215, 35, 35});
    set(plate, bright ? colour{35, 50, 35} : colour{240, 240, 225});
  }

  // A distracting shape, up to a third of the picture in size.
  void clutter() {
    auto const whole = static_cast<float>(side_);
    float const x = between(0, whole), y = between(0, whole), a = whole * between(.03f, .17f), b = whole * between(.03f, .17f);
    colour tint;
    for (std::size_t c = 0; c < 3; ++c) tint[c] = std::clamp(ground_[c] + between(-80, 80), 0.0f, 255.0f);
    float const lean = between(-1, 1) * a;
    switch (draw_.below(3)) {
      case 0:
        paint(quad(body, -1, x - a + lean, y - b, x + a + lean, y - b, x + a, y + b, x - a, y + b), tint);
        break;
      case 1:
        paint(disc(body, -1, x, y, (a + b) / 2), tint);
        break;
      default:
        paint(stroke(body, -1, x - a, y - lean, x + b, y + lean, std::max(1.0f, .04f * whole)), tint);
    }
  }

  // The shapes of a class, placed at random in this picture, in pixels.
  [[nodiscard]] std::vector<piece> placed(std::span<piece const> shapes) {
    // A rotation by 2 atan(u), without library functions, so that it is bit-identical with every C library.
    float const u = between(-.04f, .04f), stretch = between(.92f, 1.12f), mirror = draw_.below(2) == 1 ? -1.0f : 1.0f;
    float const cosine = (1 - u * u) / (1 + u * u), sine = 2 * u / (1 + u * u);
    auto const posed = [&](float scale, float right, float down) {
      std::vector<piece> result(shapes.begin(), shapes.end());
      for (auto& s : result) {
        int const points = s.form == outline::quad ? 4 : s.form == outline::stroke ? 2 : 1;
        for (std::size_t i = 0; i < static_cast<std::size_t>(2 * points); i += 2) {
          float const x = mirror * stretch * s.at[i], y = s.at[i + 1];
          s.at[i]     = right + scale * (cosine * x - sine * y);
          s.at[i + 1] = down + scale * (sine * x + cosine * y);
        }
        // Radii and widths; rings and strokes are at least one pixel wide.
        if (s.form != outline::quad)
          for (std::size_t i = static_cast<std::size_t>(2 * points); i < 4u + (points == 2); ++i) s.at[i] *= scale;
        if (s.form == outline::ring) s.at[3] = std::max(1.0f, s.at[3]);
        if (s.form == outline::stroke) s.at[4] = std::max(1.0f, s.at[4]);
      }
      return result;
    };
    auto const around = [&](std::vector<piece> const& all) {
      metrics::box b = extent(all.front());
      for (auto const& s : all) {
        auto const e = extent(s);
        b            = {std::min(b.x0, e.x0), std::min(b.y0, e.y0), std::max(b.x1, e.x1), std::max(b.y1, e.y1)};
      }
      return b;
    };
    auto const whole         = static_cast<float>(side_);
    float const wanted       = between(.2f, .4f) * static_cast<float>(1 + draw_.below(2)) * whole;
    // Measured at a hundred times the size, where the minimum width has no effect.
    metrics::box const large = around(posed(100, 0, 0));
    float const scale        = 100 * wanted / static_cast<float>(std::max(large.width(), large.height()));
    metrics::box const b     = around(posed(scale, 0, 0));
    float const right        = between(1, whole - 1 - static_cast<float>(b.width())),
                down         = between(1, whole - 1 - static_cast<float>(b.height()));
    return posed(scale, right - static_cast<float>(b.x0), down - static_cast<float>(b.y0));
  }

  [[nodiscard]] static metrics::box extent(piece const& s) {
    auto const& a = s.at;
    switch (s.form) {
      case outline::quad:
        return {std::min({a[0], a[2], a[4], a[6]}), std::min({a[1], a[3], a[5], a[7]}), std::max({a[0], a[2], a[4], a[6]}),
                std::max({a[1], a[3], a[5], a[7]})};
      case outline::disc:
        return metrics::box::around(a[0], a[1], 2 * a[2], 2 * a[2]);
      case outline::ring:
        return metrics::box::around(a[0], a[1], 2 * a[2] + a[3], 2 * a[2] + a[3]);
      default: {
        float const w = a[4] / 2;
        return {std::min(a[0], a[2]) - w, std::min(a[1], a[3]) - w, std::max(a[0], a[2]) + w, std::max(a[1], a[3]) + w};
      }
    }
  }

  // The signed distance of a point from a shape; negative inside.
  [[nodiscard]] static float outside(piece const& s, float x, float y) {
    auto const& a     = s.at;
    auto const middle = [&] { return distance(line_segment{a[0], a[1], a[0], a[1]}, x, y); };
    switch (s.form) {
      case outline::disc:
        return middle() - a[2];
      case outline::ring:
        return std::abs(middle() - a[2]) - a[3] / 2;
      case outline::stroke:
        return distance(line_segment{a[0], a[1], a[2], a[3]}, x, y) - a[4] / 2;
      default: {
        // The corners of a mirrored quad have the opposite orientation.
        float const area = (a[4] - a[0]) * (a[7] - a[3]) - (a[6] - a[2]) * (a[5] - a[1]), turn = area < 0 ? -1.0f : 1.0f;
        float most = -1e30f;
        for (std::size_t i = 0; i < 8; i += 2) {
          float const along_x = a[(i + 2) % 8] - a[i], along_y = a[(i + 3) % 8] - a[i + 1];
          float const length = std::sqrt(along_x * along_x + along_y * along_y);
          most               = std::max(most, turn * ((x - a[i]) * along_y - (y - a[i + 1]) * along_x) / std::max(length, 1e-6f));
        }
        return most;
      }
    }
  }

  // Calls f(pixel, coverage) for the pixels that a shape touches.
  template <class F>
  void each_pixel(piece const& shape, F&& f) const {
    auto const e     = extent(shape);
    auto const first = [&](double v) { return std::clamp(static_cast<int>(std::floor(v)) - 1, 0, side_); };
    auto const last  = [&](double v) { return std::clamp(static_cast<int>(std::ceil(v)) + 1, 0, side_); };
    for (int y = first(e.y0); y < last(e.y1); ++y)
      for (int x = first(e.x0); x < last(e.x1); ++x)
        if (float const cover = std::clamp(.5f - outside(shape, static_cast<float>(x) + .5f, static_cast<float>(y) + .5f), 0.0f, 1.0f);
            cover > 0)
          f(static_cast<std::size_t>(y * side_ + x), cover);
  }

  void paint(piece const& shape, colour const& tint) {
    each_pixel(shape, [&](std::size_t i, float cover) {
      for (std::size_t c = 0; c < 3; ++c) planes_[c][i] += cover * (tint[c] - planes_[c][i]);
    });
  }

  void paint_part(piece const& shape, colour const& tint, std::int64_t first_part) {
    paint(shape, tint);
    drawn_part drawn{first_part + shape.part, extent(shape), {}};
    std::size_t most_covered = 0;
    float most               = 0;
    each_pixel(shape, [&](std::size_t i, float cover) {
      if (cover > most) most = cover, most_covered = i;
      if (cover >= .5f) drawn.area.push_back(i);
    });
    if (drawn.area.empty()) drawn.area.push_back(most_covered);  // e.g. a small lamp between four pixels
    for (std::size_t const i : drawn.area) object_[i] = 1;
    if (shape.part >= 0) parts_.push_back(std::move(drawn));
  }

  [[nodiscard]] metrics::box box_of(std::vector<std::uint8_t> const& mask) const {
    int left = side_, right = 0, top = side_, bottom = 0;
    for (int y = 0; y < side_; ++y)
      for (int x = 0; x < side_; ++x)
        if (mask[static_cast<std::size_t>(y * side_ + x)] != 0)
          left = std::min(left, x), right = std::max(right, x + 1), top = std::min(top, y), bottom = std::max(bottom, y + 1);
    return {double(left), double(top), double(right), double(bottom)};
  }

  random_stream draw_;
  int side_;
  std::size_t pixels_;
  std::array<std::vector<float>, 3> planes_;
  std::vector<std::uint8_t> object_;
  std::vector<drawn_part> parts_;
  colour ground_{};
  std::array<colour, 8> tints_{};
};

}  // namespace detail::vehicles

namespace detail {

template <int Side, std::int64_t Classes>
consteval bool check_scenes() {
  static_assert(Side >= 32 && Side <= 1024, "c2f::data::scenes draws pictures of 32 to 1024 pixels a side");
  static_assert(Classes >= 1 && Classes <= 4, "c2f::data::scenes knows four classes: car, bus, bicycle and airplane; write 1 to 4");
  return true;
}

// A byte of a picture, with mean .5 and deviation .25 of 0 ... 1.
inline float normalised(float byte) { return (byte / 255.0f - .5f) / .25f; }

}  // namespace detail

/// A split of scenes; its truth is the object's box: float, {Classes, 5}.
template <int Side, std::int64_t Classes>
class scene_pictures : c2f::detail::static_check<detail::check_scenes<Side, Classes>()> {
 public:
  using image       = c2f::image<3, Side, Side>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 2> truth_dims{Classes, 5};

  scene_pictures(bool train, scene_options const& options) {
    std::int64_t const n = train ? options.train : options.test;
    if (n < 1 || n > 1000000)
      throw input_error("scenes were asked for " + std::to_string(n) + (train ? " training" : " test") + " pictures; ask for 1 to 1000000");
    auto made        = std::make_shared<contents>();
    made->name       = train ? "scenes train" : "scenes test, occlusion " + std::to_string(options.occlusion);
    int const hidden = train ? 0 : options.occlusion;
    made->drawn = hash_of(made->name + ' ' + std::to_string(Side) + ' ' + std::to_string(Classes) + ' ' + std::to_string(options.seed));
    for (std::int64_t id = 0; id < n; ++id) {
      auto const draw = [&](std::uint64_t of) {
        return random_stream{options.seed, purpose::synthesis, of, static_cast<std::uint64_t>(id)};
      };
      detail::vehicles::painter painter(Side, id % Classes, draw(train ? 0 : 1));
      made->scenes.push_back(painter.finished(hidden, draw(2 + static_cast<std::uint64_t>(static_cast<std::int64_t>(hidden)))));
    }
    for (std::int64_t k = 0; k < Classes; ++k) {
      auto const& each = detail::vehicles::kinds[static_cast<std::size_t>(k)];
      made->classes.emplace_back(each.name);
      made->parts.insert(made->parts.end(), each.parts.begin(), each.parts.end());
    }
    held_ = std::move(made);
  }

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(held_->scenes.size()); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  [[nodiscard]] std::vector<std::string> const& classes() const { return held_->classes; }
  [[nodiscard]] std::vector<std::string> const& part_names() const { return held_->parts; }
  [[nodiscard]] static constexpr std::int64_t class_count() { return Classes; }
  [[nodiscard]] static constexpr std::int64_t part_count() { return detail::vehicles::parts_before(Classes); }
  [[nodiscard]] static constexpr int side() { return Side; }

  [[nodiscard]] std::int64_t label(std::int64_t id) const { return id % Classes; }
  [[nodiscard]] std::uint64_t fingerprint() const { return held_->drawn; }
  /// Side * Side RGB bytes, rows from the top.
  [[nodiscard]] std::vector<std::uint8_t> const& picture(std::int64_t id) const { return whole(id).picture; }
  [[nodiscard]] metrics::box const& box(std::int64_t id) const { return whole(id).box; }
  [[nodiscard]] std::vector<scene_part> const& parts(std::int64_t id) const { return whole(id).parts; }
  [[nodiscard]] scene const& whole(std::int64_t id) const {
    assert(id >= 0 && id < size());
    return held_->scenes[static_cast<std::size_t>(id)];
  }

  void read(std::int64_t id, random_stream* augment, float* pixels, float* truth) const {
    scene const& s = whole(id);
    metrics::box b = s.box;
    if (augment == nullptr) {
      for (std::size_t i = 0; i < s.picture.size(); ++i) pixels[i] = detail::normalised(s.picture[i]);
    } else {
      // A square window that contains the whole object, whose longer side is then at most .88 of it.
      bool const mirrored = augment->below(2) == 1;
      double const side   = Side * (.9 + .2 * augment->uniform());
      auto const corner   = [&](double shift, double least, double most) {
        // The centre moves by up to a tenth, but not so far that the object leaves the window.
        return std::clamp((Side - side) / 2 + .2 * Side * (shift - .5), most - side, least);
      };
      double const x = corner(augment->uniform(), b.x0, b.x1), y = corner(augment->uniform(), b.y0, b.y1);
      metrics::box const window{x, y, x + side, y + side};
      sample_window(s.picture, Side, window, Side, mirrored, pixels);
      for (std::size_t i = 0; i < s.picture.size(); ++i) pixels[i] = detail::normalised(pixels[i]);
      b = seen_through(window, Side, mirrored, b);
    }
    for (std::int64_t k = 0; k < Classes; ++k, truth += 5) {
      bool const here = k == label(id);
      truth[0]        = here ? static_cast<float>(b.centre_x() / Side) : .5f;
      truth[1]        = here ? static_cast<float>(b.centre_y() / Side) : .5f;
      truth[2]        = here ? static_cast<float>(b.width() / Side) : 0;
      truth[3]        = here ? static_cast<float>(b.height() / Side) : 0;
      truth[4]        = here ? 1 : 0;
    }
  }

 private:
  struct contents {
    std::string name;
    std::vector<std::string> classes, parts;
    std::vector<scene> scenes;
    std::uint64_t drawn = 0;
  };
  std::shared_ptr<contents const> held_;
};

/// Procedural pictures of vehicles with parts.
template <int Side = 64, std::int64_t Classes = 3>
struct scenes {
  scene_pictures<Side, Classes> train, test;
  explicit scenes(scene_options const& options = {}) : train(true, options), test(false, options) {}
};

/// How parts_at_scale crops the pictures and marks the parts.
struct part_options {
  double object = 48;  ///< pixels of the object's longer side
  double radius = 0;   ///< pixels; a heat map's cell is 1 if its centre is this close to the part's; 0: one cell's side
};

/// Scenes for a part detector: the object is centred and has a fixed size; the truth is one heat map a part, 0 or 1: float,
/// {parts, Out / Stride, Out / Stride}. Augmentation mirrors, shifts and scales by up to a tenth.
template <int Side, std::int64_t Classes, int Out = 64, int Stride = 4>
class parts_at_scale {
 public:
  static constexpr std::int64_t cells = Out / Stride;
  using image                         = c2f::image<3, Out, Out>;
  using truth_value                   = float;
  static constexpr std::array<std::int64_t, 3> truth_dims{detail::vehicles::parts_before(Classes), cells, cells};

  explicit parts_at_scale(scene_pictures<Side, Classes> whole, part_options const& options = {})
      : whole_(std::move(whole)), object_(options.object), radius_(options.radius > 0 ? options.radius : Stride) {
    if (!(object_ >= 1 && object_ <= 4 * Out))
      throw input_error("an object of " + std::to_string(object_) + " pixels does not suit a view of " + std::to_string(Out) +
                        "; ask for 1 to " + std::to_string(4 * Out));
  }

  [[nodiscard]] std::int64_t size() const { return whole_.size(); }
  [[nodiscard]] std::string name() const { return whole_.name() + ", at one scale"; }
  [[nodiscard]] scene_pictures<Side, Classes> const& whole() const { return whole_; }
  [[nodiscard]] std::uint64_t fingerprint() const {
    return detail::hash_after(whole_.fingerprint(), "parts of " + std::to_string(object_) + ' ' + std::to_string(radius_) + ' ' +
                                                        std::to_string(Out) + ' ' + std::to_string(Stride));
  }

  void read(std::int64_t id, random_stream* augment, float* pixels, float* truth) const {
    auto window   = window_at_scale(whole_.box(id), object_, Out);
    bool mirrored = false;
    if (augment != nullptr) {
      mirrored          = augment->below(2) == 1;
      auto const jitter = [&] { return .2 * augment->uniform() - .1; };
      double const side = window.width() * (1 + jitter()), x = window.centre_x() + side * jitter(), y = window.centre_y() + side * jitter();
      window = metrics::box::around(x, y, side, side);
    }
    look(id, window, mirrored, pixels);
    std::fill_n(truth, truth_dims[0] * cells * cells, 0.0f);
    for (auto const& each : whole_.parts(id)) {
      auto const b = seen_through(window, Out, mirrored, each.where);
      mark(b.centre_x(), b.centre_y(), truth + each.part * cells * cells);
    }
  }

  /// Any window of a picture, normalised: 3 * Out * Out floats, channels innermost. For detection at a predicted scale.
  void look(std::int64_t id, metrics::box const& window, bool mirrored, float* pixels) const {
    sample_window(whole_.picture(id), Side, window, Out, mirrored, pixels);
    for (int i = 0; i < 3 * Out * Out; ++i) pixels[i] = detail::normalised(pixels[i]);
  }

 private:
  // Marks the cells around a part's centre, and always the one that contains it.
  void mark(double x, double y, float* map) const {
    for (std::int64_t row = 0; row < cells; ++row)
      for (std::int64_t column = 0; column < cells; ++column) {
        double const right = (static_cast<double>(column) + .5) * Stride - x, down = (static_cast<double>(row) + .5) * Stride - y;
        bool const holds = std::abs(right) <= Stride / 2.0 && std::abs(down) <= Stride / 2.0;
        if (holds || right * right + down * down <= radius_ * radius_) map[row * cells + column] = 1;
      }
  }

  scene_pictures<Side, Classes> whole_;
  double object_, radius_;
};

}  // namespace c2f::data
