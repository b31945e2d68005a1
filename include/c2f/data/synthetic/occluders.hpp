// c2f/data/synthetic/occluders.hpp: occludes a given fraction of an object with textured polygons.
//
//   auto covered = c2f::data::occlude(rgb, object, 64, 2, c2f::random_stream{seed, c2f::purpose::synthesis, 4, id});
//
// Levels 0 ... 3 have 0, 2, 3 and 4 occluders, which cover none, 20-40 %, 40-60 % and 60-80 % of the object's pixels. The numbers of
// occluders are those of Wang et al., "Detecting semantic parts on partially occluded objects", BMVC 2017; the ranges are those of the
// later data set OccludedPASCAL3D+. There the occluders are objects of other pictures; here they are polygons with stripes or checks.
//
// Method: every occluder is a convex polygon around a pixel of the object, and all grow at the same rate. So each pixel of the object has a
// size at which it becomes covered; at the k-th smallest of these sizes k pixels are covered. No search and no rejection is needed.
//
// Cost: occluders * 8 multiplications a pixel. Errors: input_error for a level outside 0 ... 3 and for masks or pictures of another size.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>

namespace c2f::data {

/// A level's number of occluders and the fraction of the object's pixels that they cover: least <= fraction < most.
struct occlusion_level {
  int occluders;
  double least, most;
};
inline constexpr std::array<occlusion_level, 4> occlusion_levels{{{0, 0, 0}, {2, .2, .4}, {3, .4, .6}, {4, .6, .8}}};

namespace detail {

/// A convex polygon with a texture of two colours.
class occluder {
 public:
  occluder(float x, float y, float diagonal, random_stream& draw) : x_(x), y_(y) {
    auto const between = [&](float low, float high) { return low + (high - low) * static_cast<float>(draw.uniform()); };
    float const size   = between(.7f, 1.4f);
    for (float& each : reach_) each = size * between(.6f, 1.2f);
    checked_      = draw.below(2) == 1;
    period_       = std::max(1.5f, diagonal * between(.05f, .12f));
    // A small rotation, so that whole rows of pixels are not covered at once; by 2 atan(u), bit-identical with every C library.
    float const u = between(-.2f, .2f), cosine = (1 - u * u) / (1 + u * u), sine = 2 * u / (1 + u * u);
    for (std::size_t i = 0; i < sides_.size(); ++i)
      sides_[i] = {cosine * octagon[i][0] - sine * octagon[i][1], sine * octagon[i][0] + cosine * octagon[i][1]};
    across_ = sides_[draw.below(8)];
    for (std::size_t c = 0; c < 3; ++c) {
      float const dark = between(10, 110);
      tints_[0][c]     = static_cast<std::uint8_t>(dark);
      tints_[1][c]     = static_cast<std::uint8_t>(dark + between(60, 140));
    }
  }

  /// The size at which the polygon covers a point: 0 at its centre, proportional to the distance.
  [[nodiscard]] float size_at(float x, float y) const {
    float size = 0;
    for (std::size_t i = 0; i < sides_.size(); ++i) size = std::max(size, ((x - x_) * sides_[i][0] + (y - y_) * sides_[i][1]) / reach_[i]);
    return size;
  }

  [[nodiscard]] std::array<std::uint8_t, 3> const& tint(float x, float y) const {
    auto const stripe = [&](float along, float down) {
      return static_cast<int>(std::floor(((x - x_) * along + (y - y_) * down) / period_));
    };
    int const which = stripe(across_[0], across_[1]) + (checked_ ? stripe(-across_[1], across_[0]) : 0);
    return tints_[static_cast<std::size_t>(which & 1)];
  }

 private:
  static constexpr float r = .70710678f;
  static constexpr std::array<std::array<float, 2>, 8> octagon{{{1, 0}, {r, r}, {0, 1}, {-r, r}, {-1, 0}, {-r, -r}, {0, -1}, {r, -r}}};

  float x_, y_, period_ = 1;
  bool checked_ = false;
  std::array<std::array<float, 2>, 8> sides_{};
  std::array<float, 8> reach_{};
  std::array<float, 2> across_{};
  std::array<std::array<std::uint8_t, 3>, 2> tints_{};
};

}  // namespace detail

/// Draws the occluders of a level onto a picture of side * side RGB bytes, in place; the object is where `object` (side * side) is not 0.
/// Returns the mask of the occluders: side * side values, 1 or 0. Other pixels are unchanged.
inline std::vector<std::uint8_t> occlude(std::span<std::uint8_t> rgb, std::span<std::uint8_t const> object, int side, int level,
                                         random_stream draw) {
  if (level < 0 || level > 3) throw input_error("there is no occlusion level " + std::to_string(level) + "; levels are 0 to 3");
  auto const pixels = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  if (side < 1 || rgb.size() != 3 * pixels || object.size() != pixels)
    throw input_error("a picture of " + std::to_string(rgb.size()) + " bytes with an object's mask of " + std::to_string(object.size()) +
                      " is not " + std::to_string(side) + " x " + std::to_string(side) + " RGB pixels; pass 3 and 1 bytes a pixel");
  std::vector<std::uint8_t> covered(pixels);
  std::vector<std::size_t> inside;
  for (std::size_t i = 0; i < pixels; ++i)
    if (object[i] != 0) inside.push_back(i);
  occlusion_level const& wanted = occlusion_levels[static_cast<std::size_t>(level)];
  if (level == 0 || inside.empty()) return covered;

  auto const x_of         = [&](std::size_t i) { return static_cast<float>(i % static_cast<std::size_t>(side)) + .5f; };
  auto const y_of         = [&](std::size_t i) { return static_cast<float>(i / static_cast<std::size_t>(side)) + .5f; };
  auto const n            = static_cast<double>(inside.size());
  // The pixel counts within the level's range; for a tiny object there may be none, then the next count above is taken.
  auto const from         = [&](double fraction) { return static_cast<std::size_t>(std::ceil(fraction * n - 1e-9)); };
  std::size_t const least = from(wanted.least), end = std::max(from(wanted.most), least + 1);
  std::size_t const count = least + draw.below(static_cast<std::uint32_t>(end - least));

  auto const diagonal = static_cast<float>(std::sqrt(n));
  std::vector<detail::occluder> occluders;
  for (int k = 0; k < wanted.occluders; ++k) {
    std::size_t const middle = inside[draw.below(static_cast<std::uint32_t>(inside.size()))];
    float const x = x_of(middle) - .5f + static_cast<float>(draw.uniform()), y = y_of(middle) - .5f + static_cast<float>(draw.uniform());
    occluders.emplace_back(x, y, diagonal, draw);
  }

  std::vector<float> size(pixels);
  std::vector<std::size_t> nearest(pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    size[i] = std::numeric_limits<float>::infinity();
    for (std::size_t k = 0; k < occluders.size(); ++k)
      if (float const at = occluders[k].size_at(x_of(i), y_of(i)); at < size[i]) size[i] = at, nearest[i] = k;
  }
  // Ties in size are broken by index, so that exactly `count` pixels are covered.
  auto const end_of_covered = inside.begin() + static_cast<std::ptrdiff_t>(count);
  std::nth_element(inside.begin(), end_of_covered - 1, inside.end(),
                   [&](std::size_t a, std::size_t b) { return size[a] != size[b] ? size[a] < size[b] : a < b; });
  float const reached = size[*(end_of_covered - 1)];
  for (std::size_t i = 0; i < pixels; ++i) covered[i] = object[i] == 0 && size[i] <= reached;
  std::for_each(inside.begin(), end_of_covered, [&](std::size_t i) { covered[i] = 1; });
  for (std::size_t i = 0; i < pixels; ++i)
    if (covered[i] != 0)
      std::copy_n(occluders[nearest[i]].tint(x_of(i), y_of(i)).begin(), 3, rgb.begin() + static_cast<std::ptrdiff_t>(3 * i));
  return covered;
}

}  // namespace c2f::data
