// c2f/data/panoptic_pairs.hpp: pairs of frames with labels as a split whose truth is what a video network is trained on.
//
//   c2f::data::road_videos<48, 64> const roads;
//   c2f::data::panoptic_pairs const train(roads.train, {.things = {3, 4}, .sigma = 2});
//
// The underlying split has the truth float {3, H, W}: labels of frames t and t + 1 (class * divisor + instance, below 2^24, where floats are
// exact), and the depth of frame t, 0 where it is unknown. The truth here is float {11, H, W} (data/panoptic_targets.hpp):
//   0 1        classes of frame t, and their weights in the loss
//   2 3        heat of the centres of frame t, and weights
//   4 5 6      offsets (y, x) from a pixel of frame t to its centre, and weights
//   7 8 9      offsets (y, x) from a pixel of frame t + 1 to the centre that its instance has in frame t, and weights
//   10         depth of frame t
// which is the truth of the kind of systems/vip_deeplab.hpp. Targets are made after augmentation, in the threads of the loader.
//
// Cost: data/panoptic_targets.hpp for each sample. Errors: those of the split, and of labels that are no whole numbers from 0 to 2^24.
#pragma once

#include <c2f/core/random.hpp>
#include <c2f/data/panoptic_targets.hpp>
#include <c2f/data/split.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace c2f::data {

/// See the top of this file.
template <split S>
  requires(S::truth_dims.size() == 3 && S::truth_dims[0] == 3)
class panoptic_pairs : public detail::same_samples_as<S> {
  using detail::same_samples_as<S>::whole_;

 public:
  using truth_value                    = float;
  static constexpr std::int64_t height = S::truth_dims[1], width = S::truth_dims[2], planes = 11;
  static constexpr std::array<std::int64_t, 3> truth_dims{planes, height, width};

  panoptic_pairs(S whole, panoptic_target_options options)
      : detail::same_samples_as<S>(std::move(whole)), options_(detail::checked_targets(options)) {}

  [[nodiscard]] std::uint64_t fingerprint() const { return detail::samples_hash(whole_); }
  [[nodiscard]] panoptic_target_options const& options() const { return options_; }

  void read(std::int64_t id, random_stream* augment, float* pixels, float* truth) const {
    constexpr auto plane = static_cast<std::size_t>(height * width);
    std::vector<float> given(3 * plane);
    whole_.read(id, augment, pixels, given.data());
    std::vector<std::int64_t> const labels = whole_numbers(given.data()), next_labels = whole_numbers(given.data() + plane);
    panoptic_targets const now = targets_of(labels, height, width, options_);
    next_offsets const next    = next_offsets_of(now, next_labels, height, width);
    auto const append          = [&](auto const& values) {
      for (auto const value : values) *truth++ = static_cast<float>(value);
    };
    append(now.classes), append(now.class_weights);
    append(now.heat), append(now.centre_weights);
    append(now.offsets), append(now.offset_weights);
    append(next.offsets), append(next.weights);
    std::copy(given.begin() + static_cast<std::ptrdiff_t>(2 * plane), given.end(), truth);
  }

 private:
  static std::vector<std::int64_t> whole_numbers(float const* from) {
    std::vector<std::int64_t> found(static_cast<std::size_t>(height * width));
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!(from[i] >= 0 && from[i] < 16777216.f) || from[i] != static_cast<float>(static_cast<std::int64_t>(from[i])))
        throw input_error("a pair of frames has the label " + std::to_string(from[i]) +
                          "; labels are whole numbers from 0 to below 2^24, a class times the divisor plus an instance");
      found[i] = static_cast<std::int64_t>(from[i]);
    }
    return found;
  }

  panoptic_target_options options_;
};
template <class S>
panoptic_pairs(S, panoptic_target_options) -> panoptic_pairs<S>;

}  // namespace c2f::data
