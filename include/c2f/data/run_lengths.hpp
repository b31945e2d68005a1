// c2f/data/run_lengths.hpp: masks of objects as run lengths and polygons, as COCO's files have them.
//
//   c2f::data::run_lengths const mask = c2f::data::run_lengths::of_mask(rgb, height, width);      // row by row; not 0: inside
//   c2f::data::run_lengths const outline = c2f::data::of_polygon(std::vector{10.0, 10.0, 60.0, 10.0, 60.0, 40.0}, 48, 64);
//   double const overlap = c2f::data::iou(mask, outline, /*crowd=*/false);
//   std::string const text = mask.text();                                                         // COCO's compressed form
//   c2f::data::run_lengths const again = c2f::data::run_lengths::of_text(text, height, width);
//
// The pixels of a mask, column by column from the left, are a run outside, a run inside, and so on; the first run may be empty. A compressed
// text has a run, from the fourth on its difference from the one two before, in groups of five bits, the lowest first, with a sixth that says
// whether another group follows, as characters from '0' on. A polygon is a list x, y, x, y, ... of corners in pixels, edges as elsewhere
// (pixel 0 covers 0 ... 1). All results are those of pycocotools 2.0: of_polygon enlarges five times, rounds, and walks along the edges as
// its code does.
//
// Costs: of_polygon its perimeter in fifths of pixels; the others the number of runs or pixels.
// Errors: input_error for runs that do not fill the picture, a text that breaks off or has other characters, a polygon of fewer than three
// corners or an odd number of numbers, with numbers that are not finite or far away, or with an edge longer than 2^22 pixels in all, and masks
// of two sizes.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/metrics/detection.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace c2f::data {

inline constexpr std::int64_t most_mask_pixels = std::int64_t{1} << 31;

/// A mask; see the top of this file.
struct run_lengths {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint32_t> counts{};  ///< outside, inside, outside, ...
  friend bool operator==(run_lengths const&, run_lengths const&) = default;

  /// Of a mask [height, width], row by row.
  [[nodiscard]] static run_lengths of_mask(std::span<std::uint8_t const> mask, std::int64_t height, std::int64_t width);
  /// Of runs; input_error if they do not fill the picture.
  [[nodiscard]] static run_lengths of_counts(std::vector<std::uint32_t> counts, std::int64_t height, std::int64_t width);
  /// Of COCO's compressed text.
  [[nodiscard]] static run_lengths of_text(std::string_view text, std::int64_t height, std::int64_t width);

  /// [height, width] row by row: 1 inside, 0 outside.
  [[nodiscard]] std::vector<std::uint8_t> mask() const;
  [[nodiscard]] std::string text() const;
  /// The number of pixels inside.
  [[nodiscard]] std::int64_t area() const {
    std::int64_t sum = 0;
    for (std::size_t i = 1; i < counts.size(); i += 2) sum += counts[i];
    return sum;
  }
  /// The smallest box around the pixels inside; 0, 0, 0, 0 if there are none.
  [[nodiscard]] metrics::box box() const;
};

namespace detail {

inline void check_mask_size(std::int64_t height, std::int64_t width) {
  if (height < 1 || width < 1 || height > most_mask_pixels / width)
    throw input_error("a mask of " + std::to_string(width) + " x " + std::to_string(height) +
                      " pixels was asked for; sides are 1 or more, and pixels 2^31 at most");
}

}  // namespace detail

inline run_lengths run_lengths::of_mask(std::span<std::uint8_t const> mask, std::int64_t height, std::int64_t width) {
  detail::check_mask_size(height, width);
  if (mask.size() != static_cast<std::size_t>(height * width))
    throw input_error("a mask of " + std::to_string(width) + " x " + std::to_string(height) + " pixels has " + std::to_string(mask.size()) +
                      " bytes; give one a pixel");
  run_lengths made{height, width, {}};
  bool inside         = false;
  std::uint32_t count = 0;
  for (std::int64_t x = 0; x < width; ++x)
    for (std::int64_t y = 0; y < height; ++y) {
      if ((mask[static_cast<std::size_t>(y * width + x)] != 0) != inside) {
        made.counts.push_back(count);
        count  = 0;
        inside = !inside;
      }
      ++count;
    }
  made.counts.push_back(count);
  return made;
}

inline run_lengths run_lengths::of_counts(std::vector<std::uint32_t> counts, std::int64_t height, std::int64_t width) {
  detail::check_mask_size(height, width);
  std::int64_t sum = 0;
  for (std::uint32_t const each : counts) sum += each;
  if (sum != height * width)
    throw input_error("the runs of a mask have " + std::to_string(sum) + " pixels in all, and its picture of " + std::to_string(width) +
                      " x " + std::to_string(height) + " has " + std::to_string(height * width) + "; correct its counts or its size");
  return {height, width, std::move(counts)};
}

inline run_lengths run_lengths::of_text(std::string_view text, std::int64_t height, std::int64_t width) {
  std::vector<std::uint32_t> counts;
  for (std::size_t at = 0; at < text.size();) {
    std::int64_t number = 0;
    for (int group = 0;; ++group) {
      if (at == text.size()) throw input_error("the compressed runs of a mask break off within a run; copy the text again");
      int const bits = text[at] - '0';
      if (bits < 0 || bits > 63 || group > 7)
        throw input_error("the compressed runs of a mask have a character that belongs to none at byte " + std::to_string(at) +
                          "; copy the text again");
      ++at;
      number |= static_cast<std::int64_t>(bits & 0x1f) << (5 * group);
      if ((bits & 0x20) != 0) continue;
      if ((bits & 0x10) != 0) number -= std::int64_t{1} << (5 * (group + 1));
      break;
    }
    if (counts.size() > 2) number += counts[counts.size() - 2];
    if (number < 0 || number > std::numeric_limits<std::uint32_t>::max())
      throw input_error("the compressed runs of a mask have a run of " + std::to_string(number) +
                        " pixels; a run has 0 to 4294967295, so copy the text again");
    counts.push_back(static_cast<std::uint32_t>(number));
  }
  return of_counts(std::move(counts), height, width);
}

inline std::vector<std::uint8_t> run_lengths::mask() const {
  std::vector<std::uint8_t> made(static_cast<std::size_t>(height * width));
  std::int64_t at = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::int64_t const end = at + counts[i];
    if (i % 2 == 1)
      for (; at < end; ++at) made[static_cast<std::size_t>(at % height * width + at / height)] = 1;
    at = end;
  }
  return made;
}

inline std::string run_lengths::text() const {
  std::string made;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::int64_t number = counts[i];
    if (i > 2) number -= counts[i - 2];
    for (bool more = true; more;) {
      int bits = static_cast<int>(number & 0x1f);
      number >>= 5;
      more = (bits & 0x10) != 0 ? number != -1 : number != 0;
      if (more) bits |= 0x20;
      made.push_back(static_cast<char>(bits + '0'));
    }
  }
  return made;
}

inline metrics::box run_lengths::box() const {
  std::int64_t left = width, top = height, right = 0, bottom = 0, at = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::int64_t const first = at, last = at + counts[i] - 1;
    at = last + 1;
    if (i % 2 == 0 || last < first) continue;
    bool const several = first / height != last / height;  // the run goes over the end of a column
    left = std::min(left, first / height), right = std::max(right, last / height + 1);
    top = std::min(top, several ? 0 : first % height), bottom = std::max(bottom, several ? height : last % height + 1);
  }
  if (right == 0) return {0, 0, 0, 0};
  return {static_cast<double>(left), static_cast<double>(top), static_cast<double>(right), static_cast<double>(bottom)};
}

/// The union of masks of one size, or their intersection.
[[nodiscard]] inline run_lengths merged(std::span<run_lengths const> masks, bool intersection = false) {
  if (masks.empty()) throw input_error("the union of no masks was asked for; give one or more");
  run_lengths made = masks.front();
  for (run_lengths const& other : masks.subspan(1)) {
    if (other.height != made.height || other.width != made.width)
      throw input_error("masks of " + std::to_string(made.width) + " x " + std::to_string(made.height) + " and " +
                        std::to_string(other.width) + " x " + std::to_string(other.height) +
                        " pixels were put together; both have to be of one picture");
    run_lengths both{made.height, made.width, {}};
    std::size_t i = 0, j = 0;
    std::int64_t of_first = 0, of_second = 0, count = 0;  // left of the current runs
    bool first = true, second = true, inside = false;     // of the current runs, before they begin
    for (std::int64_t left = made.height * made.width; left > 0;) {
      while (of_first == 0) of_first = made.counts[i++], first = !first;
      while (of_second == 0) of_second = other.counts[j++], second = !second;
      if ((intersection ? first && second : first || second) != inside) {
        both.counts.push_back(static_cast<std::uint32_t>(count));
        count  = 0;
        inside = !inside;
      }
      std::int64_t const step = std::min(of_first, of_second);
      of_first -= step, of_second -= step, left -= step, count += step;
    }
    both.counts.push_back(static_cast<std::uint32_t>(count));
    made = std::move(both);
  }
  return made;
}

/// Intersection over union of two masks of one size; over the area of `found` alone where `truth` is the region of a crowd.
[[nodiscard]] inline double iou(run_lengths const& found, run_lengths const& truth, bool crowd) {
  run_lengths const both[]{found, truth};
  auto const common = static_cast<double>(merged(both, /*intersection=*/true).area());
  auto const a = static_cast<double>(found.area()), b = static_cast<double>(truth.area());
  double const all = crowd ? a : a + b - common;
  return all > 0 ? common / all : 0;
}

/// The pixels in a polygon x, y, x, y, ...
[[nodiscard]] inline run_lengths of_polygon(std::span<double const> corners, std::int64_t height, std::int64_t width) {
  detail::check_mask_size(height, width);
  std::size_t const count = corners.size() / 2;
  if (corners.size() % 2 != 0 || count < 3)
    throw input_error("a polygon has " + std::to_string(corners.size()) +
                      " numbers; it needs an x and a y for each of three corners or more");
  constexpr double scale = 5, farthest = 1e6;
  double perimeter = 0;
  for (double const each : corners)
    if (!(std::abs(each) <= farthest))
      throw input_error("a polygon has a corner at " + std::to_string(each) +
                        " pixels; corners are within a million pixels of the picture");
  auto const at = [&](std::size_t j, std::size_t axis) { return static_cast<int>(scale * corners[2 * (j % count) + axis] + .5); };
  for (std::size_t j = 0; j < count; ++j)
    perimeter += std::max(std::abs(at(j, 0) - at(j + 1, 0)), std::abs(at(j, 1) - at(j + 1, 1))) / scale;
  if (perimeter > 0x1p22)
    throw input_error("a polygon has an edge of " + std::to_string(std::llround(perimeter)) + " pixels in all; 4194304 are the most");
  // Where the edge crosses the middle of a column, downwards or upwards: between which pixels, counted column by column.
  std::vector<std::int64_t> crossings;
  bool any = false;
  int u = 0, v = 0;
  auto const step_to = [&](int to_u, int to_v) {
    if (any && to_u != u) {
      double const x = (static_cast<double>(to_u < u ? to_u : to_u - 1) + .5) / scale - .5;
      if (std::floor(x) == x && x >= 0 && x <= static_cast<double>(width - 1)) {
        double const y = (static_cast<double>(std::min(to_v, v)) + .5) / scale - .5;
        crossings.push_back(static_cast<std::int64_t>(x) * height +
                            static_cast<std::int64_t>(std::ceil(std::clamp(y, 0.0, static_cast<double>(height)))));
      }
    }
    any = true, u = to_u, v = to_v;
  };
  for (std::size_t j = 0; j < count; ++j) {
    int x0 = at(j, 0), x1 = at(j + 1, 0), y0 = at(j, 1), y1 = at(j + 1, 1);
    int const across = std::abs(x1 - x0), down = std::abs(y1 - y0), longer = std::max(across, down);
    bool const backwards = across >= down ? x0 > x1 : y0 > y1;
    if (backwards) std::swap(x0, x1), std::swap(y0, y1);
    double const slope = longer == 0 ? 0 : across >= down ? static_cast<double>(y1 - y0) / across : static_cast<double>(x1 - x0) / down;
    for (int d = 0; d <= longer; ++d) {
      int const t = backwards ? longer - d : d;
      if (across >= down)
        step_to(t + x0, static_cast<int>(y0 + slope * t + .5));
      else
        step_to(static_cast<int>(x0 + slope * t + .5), t + y0);
    }
  }
  std::ranges::sort(crossings);
  crossings.push_back(height * width);
  // Two crossings at one place are none: their runs of 0 pixels are left out.
  run_lengths made{height, width, {static_cast<std::uint32_t>(crossings[0])}};
  for (std::size_t i = 1; i < crossings.size(); ++i) {
    auto const run = static_cast<std::uint32_t>(crossings[i] - crossings[i - 1]);
    if (run > 0)
      made.counts.push_back(run);
    else if (++i < crossings.size())
      made.counts.back() += static_cast<std::uint32_t>(crossings[i] - crossings[i - 1]);
  }
  return made;
}
/// The union of several.
[[nodiscard]] inline run_lengths of_polygons(std::span<std::vector<double> const> polygons, std::int64_t height, std::int64_t width) {
  std::vector<run_lengths> masks;
  for (auto const& each : polygons) masks.push_back(of_polygon(each, height, width));
  return merged(masks);
}

}  // namespace c2f::data
