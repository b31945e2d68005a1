// c2f/data/panoptic_targets.hpp: what a bottom-up panoptic network is trained on, from a label map.
//
//   c2f::data::panoptic_target_options const options{.things = {11, 12}};
//   c2f::data::panoptic_targets const targets = c2f::data::targets_of(labels, height, width, options);
//   auto const next = c2f::data::next_offsets_of(targets, next_labels, height, width);          // video: offsets of frame t + 1
//
// A label is class * divisor + instance. The centre of an instance is the mean of its pixels, rounded to a pixel (half to even). The heat is
// the largest of the Gaussians around all centres, each cut off at 3 σ + 1 pixels. An offset goes from a pixel to its centre. A thing with
// instance 0 is a crowd: no centre, no offset, no loss of either. Pixels of instances below `small_area` weigh more in the loss of the classes
// (Cheng et al. 2020, Panoptic-DeepLab; Qiao et al. 2021, ViP-DeepLab). inference/panoptic_fusion.hpp is the inverse.
//
// Cost: two passes and a Gaussian for each instance. Errors: input_error for maps of other sizes, for negative labels, and
// for a divisor or sigma below 1.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/metrics/segments.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace c2f::data {

struct panoptic_target_options {
  std::vector<std::int64_t> things;  ///< the classes that have instances
  std::int64_t divisor    = 1000;    ///< label = class * divisor + instance
  std::int64_t ignored    = 255;     ///< the class of void pixels
  std::int64_t sigma      = 8;       ///< of the Gaussian around a centre, pixels
  std::int64_t small_area = 4096;    ///< pixels; a smaller instance is small
  float small_weight      = 3;       ///< of the pixels of small instances
};

/// The centre of an instance, in pixels, and its area.
struct instance_centre {
  std::int64_t y = 0, x = 0, pixels = 0;
};

/// Row by row, [H, W] unless said otherwise.
struct panoptic_targets {
  std::vector<std::int64_t> classes;                                 ///< `ignored` for void
  std::vector<float> heat, offsets;                                  ///< offsets [2, H, W], y and x, in pixels
  std::vector<float> class_weights, centre_weights, offset_weights;  ///< of the losses
  std::map<std::int64_t, instance_centre> centres;                   ///< of the instances, by label
};

namespace detail {
inline panoptic_target_options const& checked_targets(panoptic_target_options const& how) {
  if (how.divisor < 1 || how.sigma < 1)
    throw input_error("panoptic targets cannot have the divisor " + std::to_string(how.divisor) + " and the sigma " +
                      std::to_string(how.sigma) + "; both are whole numbers of 1 or more");
  return how;
}
inline void check_labels(std::span<std::int64_t const> labels, std::int64_t height, std::int64_t width) {
  if (height < 1 || width < 1 || labels.size() != static_cast<std::size_t>(height * width))
    throw input_error("a label map of " + std::to_string(height) + " x " + std::to_string(width) + " pixels has " +
                      std::to_string(labels.size()) + " labels; give one a pixel");
  for (std::int64_t const label : labels) metrics::detail::check_label(label);
}
/// Of the instances of a label map, by label.
inline std::map<std::int64_t, instance_centre> instance_centres(std::span<std::int64_t const> labels, std::int64_t width,
                                                                panoptic_target_options const& options) {
  std::map<std::int64_t, instance_centre> sums;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] % options.divisor == 0 || labels[i] / options.divisor == options.ignored) continue;
    auto& sum = sums[labels[i]];
    sum.y += static_cast<std::int64_t>(i) / width, sum.x += static_cast<std::int64_t>(i) % width, ++sum.pixels;
  }
  for (auto& [label, each] : sums) {
    auto const mean = [&](std::int64_t sum) {
      return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(sum) / static_cast<double>(each.pixels)));
    };
    each.y = mean(each.y), each.x = mean(each.x);
  }
  return sums;
}
}  // namespace detail

/// The targets of an image.
[[nodiscard]] inline panoptic_targets targets_of(std::span<std::int64_t const> labels, std::int64_t height, std::int64_t width,
                                                 panoptic_target_options const& options) {
  (void)detail::checked_targets(options);
  detail::check_labels(labels, height, width);
  std::size_t const pixels = labels.size();
  panoptic_targets found{.classes        = std::vector<std::int64_t>(pixels),
                         .heat           = std::vector<float>(pixels),
                         .offsets        = std::vector<float>(2 * pixels),
                         .class_weights  = std::vector<float>(pixels, 1),
                         .centre_weights = std::vector<float>(pixels),
                         .offset_weights = std::vector<float>(pixels),
                         .centres        = detail::instance_centres(labels, width, options)};
  auto const& centres = found.centres;
  metrics::thing_classes const is_thing(options.things);
  for (std::size_t i = 0; i < pixels; ++i) {
    std::int64_t const c = labels[i] / options.divisor;
    bool const thing = is_thing(c), crowd = thing && labels[i] % options.divisor == 0;
    found.classes[i]        = c;
    found.centre_weights[i] = c != options.ignored && !crowd ? 1.f : 0.f;
    found.offset_weights[i] = thing && !crowd ? 1.f : 0.f;
    auto const at           = centres.find(labels[i]);
    if (at == centres.end()) continue;
    found.offsets[i]          = static_cast<float>(at->second.y - static_cast<std::int64_t>(i) / width);
    found.offsets[pixels + i] = static_cast<float>(at->second.x - static_cast<std::int64_t>(i) % width);
    if (at->second.pixels < options.small_area) found.class_weights[i] = options.small_weight;
  }
  std::int64_t const radius = 3 * options.sigma + 1;
  double const scale        = 2.0 * static_cast<double>(options.sigma * options.sigma);
  for (auto const& [label, each] : centres)
    for (std::int64_t y = std::max<std::int64_t>(0, each.y - radius); y <= std::min(height - 1, each.y + radius); ++y)
      for (std::int64_t x = std::max<std::int64_t>(0, each.x - radius); x <= std::min(width - 1, each.x + radius); ++x) {
        std::int64_t const dy = y - each.y, dx = x - each.x;
        float& heat = found.heat[static_cast<std::size_t>(y * width + x)];
        heat        = std::max(heat, static_cast<float>(std::exp(-static_cast<double>(dy * dy + dx * dx) / scale)));
      }
  return found;
}

/// Offsets [2, H, W] of the pixels of frame t + 1 to the centres that their instances have in frame t, and weights [H, W]: 1 where the offset
/// is not zero, as in ViP-DeepLab's code. Instances that are not in frame t have none.
struct next_offsets {
  std::vector<float> offsets, weights;
};
/// now: the targets of frame t.
[[nodiscard]] inline next_offsets next_offsets_of(panoptic_targets const& now, std::span<std::int64_t const> next_labels,
                                                  std::int64_t height, std::int64_t width) {
  detail::check_labels(next_labels, height, width);
  auto const& centres      = now.centres;
  std::size_t const pixels = next_labels.size();
  next_offsets found{std::vector<float>(2 * pixels), std::vector<float>(pixels)};
  for (std::size_t i = 0; i < pixels; ++i) {
    auto const at = centres.find(next_labels[i]);
    if (at == centres.end()) continue;
    auto const dy = at->second.y - static_cast<std::int64_t>(i) / width, dx = at->second.x - static_cast<std::int64_t>(i) % width;
    found.offsets[i] = static_cast<float>(dy), found.offsets[pixels + i] = static_cast<float>(dx);
    found.weights[i] = dy != 0 || dx != 0 ? 1.f : 0.f;
  }
  return found;
}

}  // namespace c2f::data
