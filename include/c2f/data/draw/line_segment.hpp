// c2f/data/draw/line_segment.hpp: a line segment, distance to it, and its anti-aliased coverage of a pixel. Used by canvas, glyphs, scenes.
//
//   c2f::data::line_segment stroke{2, 3, 10, 7};
//   float covered = c2f::data::coverage(stroke, 6, 5, 1.5f);   // 0...1: how much of the pixel at (6, 5) a line 1.5 wide covers
//
// Units are pixels. Cost: one square root a call.
#pragma once

#include <algorithm>
#include <cmath>

namespace c2f::data {

/// From (x0, y0) to (x1, y1); x to the right, y down.
struct line_segment {
  float x0, y0, x1, y1;
};

/// The distance of (x, y) from the segment.
[[nodiscard]] inline float distance(line_segment const& s, float x, float y) {
  float const along_x = s.x1 - s.x0, along_y = s.y1 - s.y0, length2 = along_x * along_x + along_y * along_y;
  float const t  = length2 > 0 ? std::clamp(((x - s.x0) * along_x + (y - s.y0) * along_y) / length2, 0.0f, 1.0f) : 0.0f;
  float const dx = x - (s.x0 + t * along_x), dy = y - (s.y0 + t * along_y);
  return std::sqrt(dx * dx + dy * dy);
}

/// The coverage, 0...1, of the pixel with centre (x, y) by a line with round caps: the distance-based approximation.
[[nodiscard]] inline float coverage(line_segment const& s, float x, float y, float width) {
  return std::clamp(width / 2 + 0.5f - distance(s, x, y), 0.0f, 1.0f);
}

}  // namespace c2f::data
