// c2f/data/draw/line_segment.hpp: a straight stroke, and how far a point is from it: what canvas and glyphs draw with.
//
//   c2f::data::segment stroke{2, 3, 10, 7};
//   float covered = c2f::data::coverage(stroke, x, y, 1.5f);   // 0...1: how much of the pixel at (x, y) a stroke 1.5 wide covers
//
// Cost: one square root a call.
#pragma once

#include <algorithm>
#include <cmath>

namespace c2f::data {

/// A line from (x0, y0) to (x1, y1); x to the right, y down.
struct segment {
  float x0, y0, x1, y1;
};

/// How far (x, y) is from the nearest point of the segment.
[[nodiscard]] inline float distance(segment const& s, float x, float y) {
  float const along_x = s.x1 - s.x0, along_y = s.y1 - s.y0, length2 = along_x * along_x + along_y * along_y;
  float const t  = length2 > 0 ? std::clamp(((x - s.x0) * along_x + (y - s.y0) * along_y) / length2, 0.0f, 1.0f) : 0.0f;
  float const dx = x - (s.x0 + t * along_x), dy = y - (s.y0 + t * along_y);
  return std::sqrt(dx * dx + dy * dy);
}

/// How much of the pixel whose middle is (x, y) a round-ended stroke of that width covers, 0...1.
[[nodiscard]] inline float coverage(segment const& s, float x, float y, float width) {
  return std::clamp(width / 2 + 0.5f - distance(s, x, y), 0.0f, 1.0f);
}

}  // namespace c2f::data
