// c2f/systems/detectors.hpp: DetectoRS: a detector with a recursive feature pyramid and switchable atrous convolutions.
//
//   using detector = c2f::systems::detectors<c2f::detections<80, 100>, c2f::image<3, c2f::dynamic, c2f::dynamic>>;          // ResNet-50
//   using small    = c2f::systems::small_detector<c2f::detections<3, 40>, c2f::image<3, 192, 256>, c2f::systems::faster_rcnn,
//                                                 c2f::systems::parts_of_detectors::both>;
//   small trained(1);
//   c2f::systems::begin_as_plain(trained, plain);           // from a trained plain backbone with a pyramid
//
// Qiao et al., "DetectoRS: Detecting objects with recursive feature pyramid and switchable atrous convolution", CVPR 2021. The backbone is a
// recursive feature pyramid (systems/recursive_pyramid.hpp) of two ResNets whose 3x3 convolutions in stages 2 to 4 are switchable
// (layers/switchable_atrous.hpp), under the heads of a cascade (systems/region_detector.hpp). Every choice is a part: another head, another
// backbone, only one of the two ideas. Differences from the published one: convolutions are not deformable; the feedback enters all stages, as
// the paper says (its code: stages 2 to 4); only the switchable convolutions have standardised weights (its code: all of the backbone); stem and
// first stage are trained (its code: not); norms keep their gamma and beta, too (its code trains these, with fixed statistics); anchors that
// cross the border of the picture count (its code: allowed_border 0, so they do not); a box is left out where more than half of it lies in a
// region to be ignored (its code: off); the refined copies of the true boxes stay among the candidates of the next stage; answers.least_score
// is .05 (published: .001, which COCO's average precision is higher with). The alias `detectors` has the cascade without masks; the paper's head is hybrid_task_cascade.
//
// Costs: two backbones with about twice the convolutions. Errors: those of the parts.
#pragma once

#include <c2f/layers/frozen_norm.hpp>
#include <c2f/layers/switchable_atrous.hpp>
#include <c2f/systems/recursive_pyramid.hpp>
#include <c2f/systems/region_detector.hpp>

#include <cstdint>
#include <type_traits>

namespace c2f::systems {

/// Which of its two ideas a backbone has.
enum class parts_of_detectors { none, recursive, switchable, both };

namespace detail {
template <class Plain, class Switchable, std::int64_t Channels, parts_of_detectors Parts>
struct detectors_backbone {
  using body = std::conditional_t<Parts == parts_of_detectors::none || Parts == parts_of_detectors::recursive, Plain, Switchable>;
  using type = std::conditional_t<Parts == parts_of_detectors::none || Parts == parts_of_detectors::switchable,
                                  pyramid_on<body, fpn<Channels>>, recursive_pyramid<body, Channels>>;
};
}  // namespace detail

/// ResNet with frozen norms and a pyramid of 256 channels. Norm: that of torchvision's backbones trained on ImageNet.
template <int Depth, parts_of_detectors Parts, class Norm = frozen_norm>
using resnet_pyramid =
    typename detail::detectors_backbone<resnet_stages<Depth, frozen_norms<Norm>>,
                                        resnet_stages<Depth, frozen_norms<Norm>, switchable<frozen_norms<Norm>>>, 256, Parts>::type;

/// The settings: heads of `Head` on such a pyramid.
template <class Head = cascade_rcnn, int Depth = 50, parts_of_detectors Parts = parts_of_detectors::both, class Norm = frozen_norm>
struct detectors_with : Head {
  using backbone = resnet_pyramid<Depth, Parts, Norm>;
};
template <class Kind, image_shape In, class Head = cascade_rcnn, int Depth = 50>
using detectors = region_detector<Kind, In, detectors_with<Head, Depth>>;

/// Three stages of 24, 48 and 96 channels with norms that are trained, and a pyramid of 48: for pictures of about 256 x 192 on one core.
template <parts_of_detectors Parts>
using small_pyramid = typename detail::detectors_backbone<small_stages<16, 24, 48, 96>,
                                                          small_stages_with<block_layers, switchable<>, 16, 24, 48, 96>, 48, Parts>::type;
/// The settings of `Head` for it: fewer proposals and samples, a smaller head.
template <class Head, parts_of_detectors Parts>
struct small_settings : Head {
  using backbone                   = small_pyramid<Parts>;
  using box_head                   = sequential<flatten, linear<128>, relu>;
  static constexpr int more_levels = 0;
  static constexpr std::array<double, 1> anchor_scales{4};
  static constexpr std::array<double, 3> anchor_ratios{.7, 1, 1.4};
  static constexpr std::int64_t rpn_sample = 128, before_nms = 300, after_nms = 150, before_nms_at_inference = 300,
                                after_nms_at_inference = 150, crop = 5, box_sample = 64;
};
template <class Kind, image_shape In, class Head, parts_of_detectors Parts = parts_of_detectors::none>
using small_detector = region_detector<Kind, In, small_settings<Head, Parts>>;

/// Gives a detector with any of the parts the weights of a plain backbone and pyramid, as pyramid_on has them: its maps are the same at first.
template <class Detector, class Plain>
void begin_as_plain(Detector& detector, Plain const& plain) {
  auto& to = detector.backbone;
  if constexpr (requires { to.coarse; }) {
    convert_weights(plain.body, to.coarse);
    copy_tensors(plain.fpn, to.end);
    begin_equal(to);
  } else {
    convert_weights(plain, to);
  }
}

}  // namespace c2f::systems
