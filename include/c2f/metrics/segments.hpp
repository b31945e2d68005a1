// c2f/metrics/segments.hpp: how many pixels each pair of a true and a predicted segment shares.
//
//   c2f::metrics::segment_overlaps overlaps;
//   overlaps.add(true_labels, predicted_labels);             // two label maps of an image, of any integer type; again for the next one
//   for (auto const& [pair, pixels] : overlaps) …                  // pair.truth, pair.prediction; in order
//
// What the panoptic metrics (metrics/panoptic.hpp, metrics/tracking.hpp) are computed from. Counts are integers, so the order of adding does
// not matter and the overlaps of several files or processes can be added.
//
// Cost: one pass; a look-up for each run of pixels with the same pair. Memory: for the pairs, not for the pixels. Errors: input_error for maps
// of different sizes and for negative labels.
#pragma once

#include <c2f/core/errors.hpp>

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace c2f::metrics {

namespace detail {
inline void check_label(std::int64_t label) {
  if (label < 0)
    throw input_error("a label map has the label " + std::to_string(label) +
                      "; labels are 0 or more, a class times the divisor plus an instance");
}
/// f(begin, end) for each run of pixels in which every one of the maps, which have one size, has one value.
template <class F, class First, class... Rest>
void for_each_run(F const& f, First const& first, Rest const&... rest) {
  for (std::size_t i = 0, begin = 0; i < first.size(); begin = i) {
    while (++i < first.size() && first[i] == first[begin] && (... && (rest[i] == rest[begin]))) {
    }
    f(begin, i);
  }
}
}  // namespace detail

/// Which classes are things: those that have instances. A look-up in a table, for use at each pixel. Errors: input_error for a class below 0
/// or above 65535.
class thing_classes {
 public:
  explicit thing_classes(std::span<std::int64_t const> things) {
    for (std::int64_t const c : things) {
      if (c < 0 || c > 65535) throw input_error("class " + std::to_string(c) + " is listed as a thing; classes are 0 to 65535");
      if (c >= static_cast<std::int64_t>(is_thing_.size())) is_thing_.resize(static_cast<std::size_t>(c) + 1);
      is_thing_[static_cast<std::size_t>(c)] = 1;
    }
  }
  bool operator()(std::int64_t c) const {
    return static_cast<std::uint64_t>(c) < is_thing_.size() && is_thing_[static_cast<std::size_t>(c)] != 0;
  }

 private:
  std::vector<std::uint8_t> is_thing_;
};

/// Counts of pixels by pair of labels.
class segment_overlaps {
 public:
  struct pair {
    std::int64_t truth, prediction;
    auto operator<=>(pair const&) const = default;
  };

  template <std::integral Truth, std::integral Prediction>
  void add(std::span<Truth const> truth, std::span<Prediction const> prediction) {
    if (truth.size() != prediction.size())
      throw input_error("a label map of " + std::to_string(prediction.size()) + " pixels is compared with one of " +
                        std::to_string(truth.size()) + "; compare maps of the same size");
    detail::for_each_run(
        [&](std::size_t begin, std::size_t end) {
          pair const found{static_cast<std::int64_t>(truth[begin]), static_cast<std::int64_t>(prediction[begin])};
          detail::check_label(found.truth), detail::check_label(found.prediction);
          counts_[found] += static_cast<std::int64_t>(end - begin);
        },
        truth, prediction);
  }
  void add(segment_overlaps const& other) {
    for (auto const& [both, pixels] : other.counts_) counts_[both] += pixels;
  }
  /// Adds pixels to one pair.
  void add(pair const& both, std::int64_t pixels) { counts_[both] += pixels; }

  [[nodiscard]] auto begin() const { return counts_.begin(); }
  [[nodiscard]] auto end() const { return counts_.end(); }
  [[nodiscard]] std::int64_t pixels_of(pair const& both) const {
    auto const found = counts_.find(both);
    return found == counts_.end() ? 0 : found->second;
  }
  [[nodiscard]] std::size_t size() const { return counts_.size(); }
  void clear() { counts_.clear(); }

 private:
  std::map<pair, std::int64_t> counts_;
};

}  // namespace c2f::metrics
