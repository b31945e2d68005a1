// c2f/systems/recursive_pyramid.hpp: the recursive feature pyramid, a stack whose answer is a pyramid.
//
//   using body    = c2f::small_stages<16, 24, 48, 96>;
//   using pyramid = c2f::systems::recursive_pyramid<body, 48>;               // 48 channels; two looks at the image, the unrolled steps (T = 2)
//   using thrice  = c2f::systems::recursive_pyramid<body, 48, 3>;            // three
//   using shared  = c2f::systems::recursive_pyramid<body, 48, 2, c2f::systems::looks::shared>;        // one backbone for all
//
// Qiao et al., DetectoRS, CVPR 2021, section 3.1. In the words of a task (docs/design.md): the coarse network is a backbone, and so is the fine
// one, which also gets the pyramid of the look before (parts/feedback.hpp): encoded by ASPP, it enters the first block of every stage through a
// 1x1 convolution that is initially zero. Both end in the same pyramid network (share::ending). A gate fuses old and new levels. A pyramid is a
// kind without a loss of its own, so that every look is combined, in training, too. With T = 3 the fine backbone runs twice; the published one
// has another backbone for every look.
//
// It is an architecture, an image -> c2f::maps of `Channels` channels, in the place of c2f::pyramid_on<body, c2f::fpn<48>>. With equal backbones
// and the initial feedback it has the outputs of that one in c2f::eval (c2f::begin_equal).
// Costs: T backbones and pyramids. Errors: those of the parts.
#pragma once

#include <c2f/layers/aspp.hpp>
#include <c2f/networks/feature_pyramid.hpp>
#include <c2f/networks/staged.hpp>
#include <c2f/parts/feedback.hpp>
#include <c2f/task/stack.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace c2f {

/// The kind of a pyramid of feature maps: `Levels` maps of `Channels` channels, without a loss of its own.
template <std::int64_t Channels, std::size_t Levels>
struct feature_levels {
  static constexpr char const* name = "feature levels";
  static constexpr bool supervised  = false;
  using default_encoder             = encode::none;
  template <shape In>
  using output = typename detail::same_maps<image<Channels, dynamic, dynamic>, Levels>::type;
};

namespace detail {
template <class Body>
inline constexpr std::size_t stages_of = 0;
template <class Stem, class... Stages>
inline constexpr std::size_t stages_of<staged<Stem, Stages...>> = sizeof...(Stages);

/// An architecture with the kind of a pyramid.
template <class Body, std::int64_t Channels>
struct pyramid_body : Body {
  using kind = feature_levels<Channels, stages_of<Body>>;
};
}  // namespace detail

namespace systems {

/// Whether the later looks have a backbone of their own, or all have one. (Published: every look its own, which is the same for two.)
enum class looks { apart, shared };

template <class Body, std::int64_t Channels, int Times = 2, looks Backbone = looks::apart, class Pyramid = fpn<Channels>,
          class Encoder = joined_aspp<Channels, 3, 6>>
struct recursive_pyramid_task {
  static constexpr char const* name = "recursive feature pyramid";
  using network                     = c2f::detail::pyramid_body<Body, Channels>;
  using share   = std::conditional_t<Backbone == looks::shared, share::first_look<Pyramid, Channels, c2f::detail::stages_of<Body>>,
                                     c2f::share::ending<Pyramid>>;
  using encoder = encode::each_level<Encoder>;
  using fuse    = c2f::fuse::feedback;
  using combine = c2f::combine::gated_levels;
  using refine  = c2f::refine::times<Times - 1>;
};
template <class Body, std::int64_t Channels, int Times = 2, looks Backbone = looks::apart>
using recursive_pyramid = stack<recursive_pyramid_task<Body, Channels, Times, Backbone>>;

}  // namespace systems

/// Gives the fine backbone of a recursive pyramid the weights of the coarse one, as both begin with the same trained ones. With looks::shared
/// there is one backbone, and nothing to do.
template <class RecursivePyramid>
void begin_equal(RecursivePyramid& pyramid) {
  if constexpr (!RecursivePyramid::one_network) copy_tensors(pyramid.coarse, pyramid.fine);
}

}  // namespace c2f
