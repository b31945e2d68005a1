// c2f/systems/vip_kind.hpp: what ViP-DeepLab predicts: a bundle of five parts.
//
//   using kind = c2f::systems::vip_kind<c2f::systems::vip_labels<19, 88>>;       // 19 classes, 255 is void, 88 metres
//   struct mine : c2f::systems::vip_labels<5, 80> { static constexpr double offset = .1; };      // another weight
//   using other = c2f::systems::vip_kind<mine>;
//
// The truth is that of data/panoptic_pairs.hpp. Weights are the published ones (Qiao et al. 2021; deeplab2), for offsets in pixels of frames of
// 1025 x 2049; in small frames offsets are small, and weigh more. Errors: those of the parts.
#pragma once

#include <c2f/kinds/bundle.hpp>
#include <c2f/kinds/depth_map.hpp>
#include <c2f/kinds/field.hpp>
#include <c2f/kinds/weighted_dense.hpp>

#include <cstdint>

namespace c2f::systems {

/// What is predicted, and how it is weighed: the published settings.
template <std::int64_t Classes, std::int64_t Metres, std::int64_t Ignore = 255>
struct vip_labels {
  using semantic_kind            = weighted_dense<Classes, Ignore, 0.2>;  ///< the hardest fifth of the pixels
  using depth_kind               = depth_map<Metres>;
  static constexpr double centre = 200, offset = .01, next_offset = .01, depth = .1;
};

/// The parts of the kind, in the order of the truth of data/panoptic_pairs.hpp.
template <class Labels>
struct vip_parts {
  struct semantic : part_of<typename Labels::semantic_kind> {
    static constexpr char const* name = "semantic";
  };
  struct centre : part_of<field<1, loss::weighted_squared>> {
    static constexpr char const* name = "centre";
    static constexpr double weight    = Labels::centre;
  };
  struct offset : part_of<field<2>> {
    static constexpr char const* name = "offset";
    static constexpr double weight    = Labels::offset;
  };
  struct next_offset : part_of<field<2>> {
    static constexpr char const* name = "next";
    static constexpr double weight    = Labels::next_offset;
  };
  struct depth : part_of<typename Labels::depth_kind> {
    static constexpr char const* name = "depth";
    static constexpr double weight    = Labels::depth;
  };
};
template <class Labels>
struct vip_kind : bundle<typename vip_parts<Labels>::semantic, typename vip_parts<Labels>::centre, typename vip_parts<Labels>::offset,
                         typename vip_parts<Labels>::next_offset, typename vip_parts<Labels>::depth> {
  using parts                       = vip_parts<Labels>;
  static constexpr char const* name = "vip";
};

}  // namespace c2f::systems
