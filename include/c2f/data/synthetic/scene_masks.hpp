// c2f/data/synthetic/scene_masks.hpp: scenes for segmentation: label 1 on the object, 0 elsewhere.
//
//   c2f::data::scenes<64> const scenes;
//   c2f::data::scene_masks<64, 3> train(scenes.train);            // truth [H, W] int64, for c2f::dense<1>
//
// Augmentation mirrors a picture with probability 1/2. Cost: a read copies and normalises one picture.
#pragma once

#include <utility>

#include <c2f/data/synthetic/scenes.hpp>

namespace c2f::data {

/// A view of a split of scenes whose truth is the object's mask: std::int64_t, {Side, Side}. Occluded pixels of the object are 1.
template <int Side, std::int64_t Classes>
class scene_masks {
 public:
  using image       = c2f::image<3, Side, Side>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 2> truth_dims{Side, Side};

  explicit scene_masks(scene_pictures<Side, Classes> whole) : whole_(std::move(whole)) {}

  [[nodiscard]] std::int64_t size() const { return whole_.size(); }
  [[nodiscard]] std::string name() const { return whole_.name() + ", masks"; }
  [[nodiscard]] std::uint64_t fingerprint() const { return detail::hash_after(whole_.fingerprint(), "masks"); }
  [[nodiscard]] std::vector<std::uint8_t> const& picture(std::int64_t id) const { return whole_.picture(id); }
  /// One label a pixel, rows from the top.
  [[nodiscard]] std::vector<std::uint8_t> const& labels(std::int64_t id) const { return whole_.whole(id).object; }

  void read(std::int64_t id, random_stream* augment, float* pixels, std::int64_t* truth) const {
    bool const mirrored = augment != nullptr && augment->below(2) == 1;
    auto const& bytes   = picture(id);
    auto const& mask    = labels(id);
    for (std::size_t row = 0; row < Side; ++row)
      for (std::size_t column = 0; column < Side; ++column) {
        std::size_t const from = row * Side + (mirrored ? Side - 1 - column : column);
        for (std::size_t c = 0; c < 3; ++c) *pixels++ = detail::normalised(bytes[3 * from + c]);
        *truth++ = mask[from];
      }
  }

 private:
  scene_pictures<Side, Classes> whole_;
};

}  // namespace c2f::data
