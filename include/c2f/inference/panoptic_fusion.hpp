// c2f/inference/panoptic_fusion.hpp: from classes, a heat map of centres and offsets to a panoptic label map, bottom up.
//
//   c2f::panoptic::fusion_options const options{.things = {11, 12}, .divisor = 1000};
//   std::vector<std::int64_t> const labels = c2f::panoptic::fused({classes, heat, offsets, height, width}, options);
//   auto const pair = c2f::panoptic::fused_pair({classes, heat, offsets, height, width}, next_classes, next_offsets, options);      // video
//
// 1. Centres are the pixels of the heat map that are above a threshold and the largest in a window around them; the highest ones are kept.
// 2. A pixel of a thing belongs to the centre that is nearest to where its offset points.
// 3. An instance is of the class that most of its pixels have; stuff is kept where its area in the image is large enough, else void.
// (Cheng et al., "Panoptic-DeepLab", CVPR 2020; ViP-DeepLab uses it for pairs of frames, metrics: metrics/panoptic.hpp.)
//
// A label is class * divisor + instance. Instances of a class are numbered from 1 in the order of their first pixel, row by row; stuff has
// instance 0. All is a function of the inputs: equal heat keeps the pixel that comes first, equal distances the centre that comes first.
//
// Cost: on the host, one pass each. Centres: the window of a pixel above the threshold is read until a larger one is found. Grouping: an
// exact search among the centres that can be nearest in a cell of 16 x 16 pixels. 1025 x 2049 pixels with 200 objects take 12 ms on one core,
// a pair 25 ms (benchmarks/panoptic).
// Errors: input_error for maps of other sizes, an even window, more instances of a class than the divisor allows.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/metrics/segments.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace c2f::panoptic {

struct fusion_options {
  std::vector<std::int64_t> things;  ///< the classes that have instances
  std::int64_t divisor    = 1000;    ///< more than the largest instance number
  std::int64_t ignored    = 255;     ///< the class of void pixels
  std::int64_t stuff_area = 2048;    ///< least pixels of a stuff class
  float threshold         = .1f;     ///< a centre's heat is above it
  std::int64_t window     = 13;      ///< pixels, odd; a centre is the largest in it
  std::int64_t most       = 400;     ///< centres that are kept
};

/// What a network says of an image, row by row.
struct raw_maps {
  std::span<std::int64_t const> classes;  ///< [H, W], the most likely class
  std::span<float const> heat;            ///< [H, W]
  std::span<float const> offsets;         ///< [2, H, W]: y and x from a pixel to the centre of its instance
  std::int64_t height, width;
};

/// A centre, in pixels.
struct centre {
  std::int64_t y, x;
  float heat;
};

namespace detail {
inline void check_window(fusion_options const& options) {
  if (options.window < 1 || options.window % 2 == 0)
    throw input_error("the window of centres is " + std::to_string(options.window) + " pixels; write an odd number");
}
inline void check_maps(raw_maps const& maps, fusion_options const& options) {
  auto const pixels = static_cast<std::size_t>(std::max<std::int64_t>(0, maps.height) * std::max<std::int64_t>(0, maps.width));
  if (maps.classes.size() != pixels || maps.heat.size() != pixels || maps.offsets.size() != 2 * pixels)
    throw input_error("an image of " + std::to_string(maps.height) + " x " + std::to_string(maps.width) + " pixels has " +
                      std::to_string(maps.classes.size()) + " classes, " + std::to_string(maps.heat.size()) + " numbers of heat and " +
                      std::to_string(maps.offsets.size()) + " of offsets; give one, one and two a pixel");
  check_window(options);
}

/// Finds the centre that is nearest to a point.
class nearest_centre {
 public:
  nearest_centre(std::vector<centre> const& centres, std::int64_t height, std::int64_t width)
      : centres_(centres), rows_(height / cell + 1), columns_(width / cell + 1), near_(static_cast<std::size_t>(rows_ * columns_)) {}

  std::size_t operator()(float y, float x) {
    if (!(y >= 0 && x >= 0 && y < static_cast<float>(rows_ * cell) && x < static_cast<float>(columns_ * cell))) return best(all(), y, x);
    auto const row = static_cast<std::int64_t>(y) / cell, column = static_cast<std::int64_t>(x) / cell;
    auto& near = near_[static_cast<std::size_t>(row * columns_ + column)];
    if (near.empty()) near = candidates(row, column);
    return near.size() == 1 ? near.front() : best(near, y, x);
  }

 private:
  static constexpr std::int64_t cell = 16;

  static float squared(float y, float x) { return y * y + x * x; }
  std::size_t best(std::vector<std::uint32_t> const& among, float y, float x) const {
    std::size_t found = among.front();
    float least       = std::numeric_limits<float>::infinity();
    for (std::uint32_t const i : among) {
      float const distance = squared(static_cast<float>(centres_[i].y) - y, static_cast<float>(centres_[i].x) - x);
      if (distance < least) least = distance, found = i;
    }
    return found;
  }
  // Those that are no farther from the cell's nearest point than another one is from its farthest.
  std::vector<std::uint32_t> candidates(std::int64_t row, std::int64_t column) const {
    auto const top = static_cast<float>(row * cell), left = static_cast<float>(column * cell), bottom = top + cell, right = left + cell;
    auto const outside = [](float value, float low, float high) { return std::max({low - value, value - high, 0.f}); };
    auto const across  = [](float value, float low, float high) { return std::max(std::abs(value - low), std::abs(value - high)); };
    float limit        = std::numeric_limits<float>::infinity();
    for (auto const& each : centres_)
      limit = std::min(limit, squared(across(static_cast<float>(each.y), top, bottom), across(static_cast<float>(each.x), left, right)));
    std::vector<std::uint32_t> found;
    for (std::size_t i = 0; i < centres_.size(); ++i)
      if (squared(outside(static_cast<float>(centres_[i].y), top, bottom), outside(static_cast<float>(centres_[i].x), left, right)) <=
          limit)
        found.push_back(static_cast<std::uint32_t>(i));
    return found;
  }
  std::vector<std::uint32_t> const& all() {
    if (all_.empty())
      for (std::size_t i = 0; i < centres_.size(); ++i) all_.push_back(static_cast<std::uint32_t>(i));
    return all_;
  }

  std::vector<centre> const& centres_;
  std::int64_t rows_, columns_;
  std::vector<std::vector<std::uint32_t>> near_;  ///< by cell; empty until it is asked for
  std::vector<std::uint32_t> all_;
};
}  // namespace detail

/// The centres of a heat map, row by row.
[[nodiscard]] inline std::vector<centre> centres_of(raw_maps const& maps, fusion_options const& options) {
  detail::check_maps(maps, options);
  std::int64_t const half = options.window / 2;
  auto const is_largest   = [&](std::int64_t y, std::int64_t x, float heat) {
    std::int64_t const left = std::max<std::int64_t>(0, x - half), right = std::min(maps.width - 1, x + half);
    for (std::int64_t row = std::max<std::int64_t>(0, y - half); row <= std::min(maps.height - 1, y + half); ++row)
      for (std::int64_t column = left; column <= right; ++column)
        if (maps.heat[static_cast<std::size_t>(row * maps.width + column)] > heat) return false;
    return true;
  };
  std::vector<centre> found;
  for (std::int64_t y = 0; y < maps.height; ++y)
    for (std::int64_t x = 0; x < maps.width; ++x) {
      auto const at    = static_cast<std::size_t>(y * maps.width + x);
      float const heat = maps.heat[at];
      if (!(heat > options.threshold)) continue;
      // The usual case first: a pixel beside it is larger.
      if (half > 0 && ((x > 0 && maps.heat[at - 1] > heat) || (x + 1 < maps.width && maps.heat[at + 1] > heat))) continue;
      if (is_largest(y, x, heat)) found.push_back({y, x, heat});
    }
  if (static_cast<std::int64_t>(found.size()) > options.most) {
    std::vector<std::size_t> order(found.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return found[a].heat > found[b].heat; });
    order.resize(static_cast<std::size_t>(std::max<std::int64_t>(0, options.most)));
    std::ranges::sort(order);
    std::vector<centre> kept;
    for (std::size_t const i : order) kept.push_back(found[i]);
    found = std::move(kept);
  }
  return found;
}

/// The instance of every pixel: the number of its centre from 1, 0 for stuff and where there is no centre.
[[nodiscard]] inline std::vector<std::int32_t> instances_of(raw_maps const& maps, std::vector<centre> const& centres,
                                                            fusion_options const& options) {
  detail::check_maps(maps, options);
  std::vector<std::int32_t> found(maps.classes.size());
  if (centres.empty()) return found;
  metrics::thing_classes const is_thing(options.things);
  detail::nearest_centre nearest(centres, maps.height, maps.width);
  auto const pixels = static_cast<std::size_t>(maps.height * maps.width);
  for (std::int64_t y = 0; y < maps.height; ++y)
    for (std::int64_t x = 0; x < maps.width; ++x) {
      auto const at = static_cast<std::size_t>(y * maps.width + x);
      if (!is_thing(maps.classes[at])) continue;
      found[at] = static_cast<std::int32_t>(
          nearest(static_cast<float>(y) + maps.offsets[at], static_cast<float>(x) + maps.offsets[pixels + at]) + 1);
    }
  return found;
}

namespace detail {
/// Which class an instance is of, over one or several maps of classes and instances: add() them, then number(), then labels_of() each.
class instance_votes {
 public:
  explicit instance_votes(fusion_options const& options) : options_(options), is_thing_(options.things) {}

  void add(std::span<std::int64_t const> classes, std::span<std::int32_t const> instances) {
    if (classes.size() != instances.size())
      throw input_error("classes of " + std::to_string(classes.size()) + " pixels are merged with instances of " +
                        std::to_string(instances.size()) + "; give maps of the same size");
    auto const count = [&](std::size_t begin, std::size_t end) {
      auto const pixels = static_cast<std::int64_t>(end - begin);
      if (!is_thing_(classes[begin])) {
        if (instances[begin] == 0) areas_[classes[begin]] += pixels;
      } else if (instances[begin] != 0) {
        auto& of_instance = votes_[instances[begin]];
        if (of_instance.empty()) order_.push_back(instances[begin]);
        of_instance[classes[begin]] += pixels;
      }
    };
    metrics::detail::for_each_run(count, classes, instances);
  }
  void number() {
    std::map<std::int64_t, std::int64_t> numbers;
    for (std::int32_t const instance : order_) {
      std::int64_t majority = -1, most = 0;
      for (auto const& [c, pixels] : votes_[instance])
        if (pixels > most) majority = c, most = pixels;
      std::int64_t const number = ++numbers[majority];
      if (number >= options_.divisor)
        throw input_error("an image has more than " + std::to_string(options_.divisor - 1) + " instances of class " +
                          std::to_string(majority) + ", and the divisor is " + std::to_string(options_.divisor) + "; write a larger one");
      labels_[instance] = majority * options_.divisor + number;
    }
  }
  [[nodiscard]] std::vector<std::int64_t> labels_of(std::span<std::int64_t const> classes, std::span<std::int32_t const> instances) {
    std::vector<std::int64_t> found(classes.size());
    auto const fill = [&](std::size_t begin, std::size_t end) {
      std::fill(found.data() + begin, found.data() + end, label_of(classes[begin], instances[begin]));
    };
    metrics::detail::for_each_run(fill, classes, instances);
    return found;
  }

 private:
  [[nodiscard]] std::int64_t label_of(std::int64_t c, std::int32_t instance) {
    if (is_thing_(c)) return instance != 0 ? labels_[instance] : options_.ignored * options_.divisor;
    return instance == 0 && areas_[c] >= options_.stuff_area ? c * options_.divisor : options_.ignored * options_.divisor;
  }

  fusion_options const& options_;
  metrics::thing_classes is_thing_;
  std::map<std::int64_t, std::int64_t> areas_{};                          ///< of stuff
  std::map<std::int32_t, std::map<std::int64_t, std::int64_t>> votes_{};  ///< pixels of an instance by class
  std::vector<std::int32_t> order_{};                                     ///< of first pixels
  std::map<std::int32_t, std::int64_t> labels_{};
};
}  // namespace detail

/// The panoptic labels of classes [H, W] and instances [H, W], 0 for none.
[[nodiscard]] inline std::vector<std::int64_t> merged(std::span<std::int64_t const> classes, std::span<std::int32_t const> instances,
                                                      fusion_options const& options) {
  detail::instance_votes votes(options);
  votes.add(classes, instances);
  votes.number();
  return votes.labels_of(classes, instances);
}

/// The panoptic labels of an image, [H, W].
[[nodiscard]] inline std::vector<std::int64_t> fused(raw_maps const& maps, fusion_options const& options) {
  return merged(maps.classes, instances_of(maps, centres_of(maps, options), options), options);
}

/// The labels of frame t, and of frame t + 1 with the instances of frame t.
struct pair_labels {
  std::vector<std::int64_t> labels, next_labels;
};

/// Fuses a pair: `next_classes` [H, W] and `next_offsets` [2, H, W] are of frame t + 1, its offsets to the centres of frame t. Both frames are
/// one image here: an instance is of the class that most of its pixels in both have, and areas of stuff are those of both.
[[nodiscard]] inline pair_labels fused_pair(raw_maps const& maps, std::span<std::int64_t const> next_classes,
                                            std::span<float const> next_offsets, fusion_options const& options) {
  auto const centres   = centres_of(maps, options);
  auto const instances = instances_of(maps, centres, options);
  auto const next      = instances_of({next_classes, maps.heat, next_offsets, maps.height, maps.width}, centres, options);
  detail::instance_votes votes(options);
  votes.add(maps.classes, instances), votes.add(next_classes, next);
  votes.number();
  return {votes.labels_of(maps.classes, instances), votes.labels_of(next_classes, next)};
}

}  // namespace c2f::panoptic
