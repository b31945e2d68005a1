// c2f/inference/stitcher.hpp: label maps of pairs of frames become label maps of a video, in which an object keeps its number.
//
//   c2f::panoptic::stitcher video({.divisor = 1000});
//   auto const frame = video.add(labels, next_labels);     // of a pair: frame t, and frame t + 1 with the numbers of frame t
//   …                                                      // frame: labels of frame t with the numbers of the video
//
// A network that reads frames t and t + 1 labels both with the instances of t. Frame t + 1 is labelled again by the next pair, with other
// numbers. Two instances of one class are the same object if each overlaps the other more than any other instance does, by IoU; it keeps its
// number, and the others get new ones (Qiao et al. 2021, ViP-DeepLab, section 7.3). Instance 0, such as stuff, is never matched.
//
// Equal IoUs: the smaller label. Cost: one pass over two label maps a frame. Errors: input_error for maps of other sizes, negative labels, and
// more objects of a class in a video than the divisor allows.
#pragma once

#include <c2f/metrics/segments.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace c2f::panoptic {

struct stitcher_options {
  std::int64_t divisor = 1000;
};

namespace detail {
/// Pairs of instances (first, second) that overlap each other most, by second.
inline std::map<std::int64_t, std::int64_t> mutual_matches(metrics::segment_overlaps const& overlaps, std::int64_t divisor) {
  std::map<std::int64_t, std::int64_t> first_pixels, second_pixels;
  for (auto const& [both, pixels] : overlaps) first_pixels[both.truth] += pixels, second_pixels[both.prediction] += pixels;
  struct best {
    double iou         = 0;
    std::int64_t label = -1;
  };
  std::map<std::int64_t, best> of_first, of_second;
  auto const better = [](best& so_far, double iou, std::int64_t label) {
    if (iou > so_far.iou) so_far = {iou, label};
  };
  for (auto const& [both, pixels] : overlaps) {
    if (both.truth / divisor != both.prediction / divisor || both.truth % divisor == 0 || both.prediction % divisor == 0) continue;
    double const iou =
        static_cast<double>(pixels) / static_cast<double>(first_pixels[both.truth] + second_pixels[both.prediction] - pixels);
    better(of_first[both.truth], iou, both.prediction);
    better(of_second[both.prediction], iou, both.truth);
  }
  std::map<std::int64_t, std::int64_t> found;
  for (auto const& [second, match] : of_second)
    if (of_first[match.label].label == second) found[second] = match.label;
  return found;
}
/// Refuses more objects of a class in a video than its labels can number.
inline void check_number(std::int64_t number, std::int64_t c, std::int64_t divisor) {
  if (number >= divisor)
    throw input_error("a video has more than " + std::to_string(divisor - 1) + " objects of class " + std::to_string(c) +
                      ", and the divisor is " + std::to_string(divisor) + "; write a larger one");
}
}  // namespace detail

/// Stitches pairs of frames, in order.
class stitcher {
 public:
  explicit stitcher(stitcher_options const& options = {}) : options_(options) {
    if (options.divisor < 2)
      throw input_error("the divisor of labels is " + std::to_string(options.divisor) + "; write more than the largest instance number");
  }

  /// labels: of frame t; next_labels: of frame t + 1 with the instances of frame t, empty behind the last frame. Returns the labels of frame
  /// t with the numbers of the video.
  std::vector<std::int64_t> add(std::span<std::int64_t const> labels, std::span<std::int64_t const> next_labels) {
    if (!next_labels.empty() && next_labels.size() != labels.size())
      throw input_error("frames of " + std::to_string(labels.size()) + " and " + std::to_string(next_labels.size()) +
                        " pixels are a pair; give frames of the same size");
    std::map<std::int64_t, std::int64_t> numbers;
    if (!expected_.empty()) {
      metrics::segment_overlaps overlaps;
      overlaps.add(std::span<std::int64_t const>(expected_), labels);
      numbers = detail::mutual_matches(overlaps, options_.divisor);
    }
    std::vector<std::int64_t> found = renumbered(labels, numbers);
    expected_                       = renumbered(next_labels, numbers);
    return found;
  }
  /// The next frame belongs to another video.
  void end_sequence() {
    expected_.clear();
    largest_.clear();
  }

 private:
  // Labels without a number get the next one of their class.
  std::vector<std::int64_t> renumbered(std::span<std::int64_t const> labels, std::map<std::int64_t, std::int64_t>& numbers) {
    std::vector<std::int64_t> found(labels.begin(), labels.end());
    auto const renumber = [&](std::size_t begin, std::size_t end) {
      std::int64_t const label = labels[begin];
      if (label % options_.divisor == 0) return;
      auto [entry, is_new] = numbers.try_emplace(label, 0);
      if (is_new) {
        std::int64_t const c = label / options_.divisor, number = ++largest_[c];
        detail::check_number(number, c, options_.divisor);
        entry->second = c * options_.divisor + number;
      }
      std::fill(found.data() + begin, found.data() + end, entry->second);
    };
    metrics::detail::for_each_run(renumber, labels);
    return found;
  }

  stitcher_options options_;
  std::vector<std::int64_t> expected_;              ///< what the previous pair says of this frame
  std::map<std::int64_t, std::int64_t> largest_{};  ///< numbers in use, by class
};

}  // namespace c2f::panoptic
