// c2f/systems/region_detector.hpp: detectors in two or more stages: Faster R-CNN and Cascade R-CNN on feature pyramids.
//
//   struct mine : c2f::systems::faster_rcnn { using backbone = c2f::pyramid_on<c2f::resnet_stages<18>, c2f::fpn<256>>; };
//   using model = c2f::systems::region_detector<c2f::detections<3, 40>, c2f::image<3, 192, 256>, mine>;
//   model net(1);
//   net.answers.flip   = true;                                      // at inference the mirrored picture, too,
//   net.answers.scales = {1, 1.25};                                 // and both at another scale
//   at::Tensor const raw = net(images, step);                       // kinds/detections.hpp: [N, 100, 6]
//
// A model (task/model.hpp). The backbone is any architecture that gives levels, a recursive pyramid, too. Proposals (detection/region_proposals.hpp)
// are classified and corrected by one stage (Ren et al., NeurIPS 2015; Lin et al., CVPR 2017) or by several, of which each reads the boxes of
// the one before it and is trained with stricter ones (Cai and Vasconcelos, Cascade R-CNN, CVPR 2018). At inference, scores of a cascade are those of the
// mean logits of its stages, boxes those of the last. The true boxes are added to the candidates that a stage samples.
//
// With a mask_head (detection/mask_head.hpp), every stage has a mask branch, and detections have masks; the kind says of how many cells:
//   struct masked : c2f::systems::mask_rcnn { using backbone = mine::backbone; };
//   using with_masks = c2f::systems::region_detector<c2f::detections<3, 40, 100, 28>, c2f::image<3, 192, 256>, masked>;
// mask_rcnn is faster_rcnn with one, hybrid_task_cascade is cascade_rcnn with several. At inference masks are computed for the final boxes alone.
//
// With `source` and `schedule` (parts/), a cascade is trained progressively (Ren et al. 2020): the sample of a later stage has the true boxes of its
// objects with probability 1 - t, else those that the stage before it predicts, for each picture, and none are added:
//   struct progressive : c2f::systems::cascade_rcnn {
//     using source   = c2f::source::sample;
//     using schedule = c2f::schedule::ramp<0.0, 0.6, c2f::by::fraction>;
//   };
//
// Settings are static members; those that differ are written into a struct like these. Random choices are those of the pass, so that a training
// resumes bit for bit. Losses are computed in float. Costs: those of the parts; proposals are chosen on the host, so a step is not captured.
// Errors: truths of another shape (detection/assign.hpp); input_error for maps that are not of the strides of the settings; a schedule without
// source, or a source with one stage, is a compile error.
#pragma once

#include <c2f/detection/candidates.hpp>
#include <c2f/detection/detector_pass.hpp>
#include <c2f/detection/mask_head.hpp>
#include <c2f/detection/region_heads.hpp>
#include <c2f/detection/region_proposals.hpp>
#include <c2f/kinds/detections.hpp>
#include <c2f/networks/feature_pyramid.hpp>
#include <c2f/networks/staged.hpp>
#include <c2f/parts/schedule.hpp>
#include <c2f/parts/source.hpp>
#include <c2f/task/stack.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/where.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace c2f::detail {
template <class With, class Kind>
struct detector_source {
  static constexpr bool given = false;
  C2F_MEMBERS();
};
template <class With, class Kind>
  requires requires { typename With::source; }
struct detector_source<With, Kind> {
  static constexpr bool given = true;
  typename With::source::template on<Kind> chosen;
  C2F_MEMBERS(chosen);
};
template <class With, std::size_t Stages>
consteval bool check_progressive() {
  constexpr bool source = requires { typename With::source; };
  static_assert(
      source || !requires { typename With::schedule; },
      "a detector has a schedule and no source, so nothing depends on t; write using source = c2f::source::sample; too");
  static_assert(!source || Stages > 1,
                "a detector has a source and one stage after its proposals at most, so no stage sees what another one predicts; leave "
                "source out, or begin with c2f::systems::cascade_rcnn");
  return true;
}
template <class Kind, class With>
consteval bool check_masks() {
  constexpr bool head = detection::has_masks<With>;
  static_assert(head || Kind::mask == 0,
                "the kind of a detector has masks, and its settings have no mask_head; begin with c2f::systems::mask_rcnn or "
                "hybrid_task_cascade, or leave the masks out of c2f::detections<classes, most>");
  if constexpr (head)
    static_assert(Kind::mask == 2 * With::mask_crop,
                  "a detector with a mask_head gives masks of twice as many cells along a side as its mask_crop, 14, and the kind has "
                  "others; write c2f::detections<classes, most, 100, 28>");
  return true;
}
}  // namespace c2f::detail

namespace c2f::systems {

/// The settings of both detectors: torchvision's, but for aligned crops and for the strides of anchors.
struct region_defaults {
  static constexpr double stride   = 4;                            ///< of the first level; those of the others are twice as large each
  static constexpr int more_levels = 1;                            ///< for proposals: halvings of the last one
  static constexpr std::array<double, 1> anchor_scales{8};         ///< sizes over the stride
  static constexpr std::array<double, 3> anchor_ratios{.5, 1, 2};  ///< height over width
  static constexpr bool whole_strides = false;                     ///< of anchors, as in torchvision (detection/region_proposals.hpp)
  static constexpr double rpn_low = .3, rpn_high = .7, rpn_positive = .5, rpn_beta = 1. / 9, rpn_overlap = .7;
  static constexpr std::int64_t rpn_sample = 256;
  static constexpr std::int64_t before_nms = 2000, after_nms = 2000, before_nms_at_inference = 1000, after_nms_at_inference = 1000;
  static constexpr std::int64_t crop = 7, crop_points = 2;
  static constexpr bool crop_aligned       = true;
  static constexpr double crop_size        = 224;
  static constexpr std::int64_t box_sample = 512;
  static constexpr double box_positive     = .25;
  static constexpr std::int64_t mask_crop  = 14;     ///< of a detector with a mask_head, which gives twice as many cells
  static constexpr bool mask_agnostic      = false;  ///< one mask for all classes
  static constexpr bool mask_flow          = false;  ///< a stage reads the mask features of the one before it
  static constexpr bool mask_interleaved   = false;  ///< the mask branch of a stage is trained on the boxes that its box branch refined
};
struct faster_rcnn : region_defaults {
  using box_head                       = two_layer_head<1024>;
  static constexpr bool class_agnostic = false;
  static constexpr double box_beta     = 1. / 9;
  static constexpr std::array<double, 1> overlaps{.5},
      stage_weights{1};  ///< of each stage: IoU of a box that stands for an object, weight of its losses
  static constexpr std::array<detection::box_weights, 1> codings{{{10, 10, 5, 5}}};
};
struct cascade_rcnn : region_defaults {
  using box_head                       = two_layer_head<1024>;
  static constexpr bool class_agnostic = true;
  static constexpr double box_beta     = 1;
  static constexpr std::array<double, 3> overlaps{.5, .6, .7}, stage_weights{1, .5, .25};
  static constexpr std::array<detection::box_weights, 3> codings{
      {{10, 10, 5, 5}, {20, 20, 10, 10}, {1 / .033, 1 / .033, 1 / .067, 1 / .067}}};
};
/// He et al., ICCV 2017.
struct mask_rcnn : faster_rcnn {
  using mask_head = fcn_mask_head<256>;
};
/// Chen et al., CVPR 2019, without its branch of semantic segmentation.
struct hybrid_task_cascade : cascade_rcnn {
  using mask_head                        = fcn_mask_head<256>;
  static constexpr bool mask_flow        = true;
  static constexpr bool mask_interleaved = true;
};

/// The model; see the top of this file.
template <class Kind, image_shape In, class With>
struct region_detector : c2f::detail::scheduled_as<With> {
  static constexpr char const* name = "region detector";
  using input                       = In;
  using kind                        = Kind;
  using backbone_net                = network_on<typename With::backbone, image<In::channels, dynamic, dynamic>>;  // views have other sizes
  using level                       = typename backbone_net::output::template at<0>;
  using rpn_net                     = typename detection::rpn<With>::template on<level>;
  using stage                       = typename detection::box_stage<With, typename With::box_head>::template on<level, Kind::classes>;
  using source_part                 = c2f::detail::detector_source<With, Kind>;

  static constexpr std::size_t stage_count = With::overlaps.size();
  static constexpr bool has_masks          = detection::has_masks<With>;
  static_assert(c2f::detail::check_progressive<With, stage_count>() && c2f::detail::check_masks<Kind, With>());

  backbone_net backbone;
  rpn_net rpn;
  std::array<stage, stage_count> stages;
  detection::mask_branches<With, level, Kind::classes, stage_count> masks;
  source_part source;
  detection::answer_options answers{};

  template <class Self, class F>
  static void each_member(Self& self, F&& f) {
    f("backbone", self.backbone);
    f("rpn", self.rpn);
    for (std::size_t s = 0; s < stage_count; ++s) f("stages." + std::to_string(s), self.stages[s]);
    f("stages", self.masks);
    f("source", self.source);
  }

  explicit region_detector(std::uint64_t seed = 0) { initialize(*this, seed); }

  /// [N, C, H, W] -> the raw output of the kind; in training no detections: [N, 0, ...].
  at::Tensor operator()(at::Tensor const& images, pass& p) const {
    p.requires_host("the proposals of a detector, which are chosen on the host");
    constexpr std::size_t levels = backbone_net::output::count + static_cast<std::size_t>(With::more_levels);
    return detection::run_detector<Kind>(
        images, p, answers, detection::detail::grid_of(With::stride, levels), [&](at::Tensor const& of, pass& step) { train_on(of, step); },
        [&](at::Tensor const& of, pass& view) { return candidates_in(of, view); },
        [&](std::vector<at::Tensor> const& maps, at::Tensor const& boxes, at::Tensor const& picture, at::Tensor const& label) {
          if constexpr (has_masks) return masks.probabilities(maps, boxes, picture, label, images.scalar_type(), p.mode);
        });
  }

 private:
  static constexpr detection::pooling_options pooling{With::crop, With::stride, With::crop_points, With::crop_aligned, With::crop_size};

  struct seen {
    std::vector<at::Tensor> levels;
    detection::regions proposals;
  };
  seen look(at::Tensor const& images, detection::objects const& truth, pass& p) const {
    auto maps = [&] {
      stage_scope const names(p, "backbone");
      return detection::levels_of(backbone, images, With::more_levels, p);
    }();
    stage_scope const names(p, "rpn");
    auto proposals = rpn.propose(maps, images.size(2), images.size(3), truth, p);
    maps.resize(maps.size() - static_cast<std::size_t>(With::more_levels));
    for (auto& map : maps) map = map.to(at::kFloat);
    return {std::move(maps), std::move(proposals)};
  }
  struct sampled_regions {
    at::Tensor boxes, valid, matched;  ///< [N, S, 4], [N, S], [N, S]: rows of the truth
  };
  /// The boxes that the losses of a stage are computed of; with_truth: the true ones are among the candidates.
  static sampled_regions sampled(detection::regions from, detection::objects const& truth, std::size_t s, bool with_truth, pass const& p) {
    if (with_truth) {
      at::Tensor const there = truth.labels.ge(0).logical_and(truth.ignored.logical_not());
      from                   = {at::cat({from.boxes, truth.boxes}, 1), at::cat({from.valid, there}, 1)};
    }
    at::Tensor const matched = detection::assign(from.boxes, truth, {With::overlaps[s], With::overlaps[s]})
                                   .masked_fill(from.valid.logical_not(), detection::left_out);
    auto const chosen = detection::sample(matched, p, {With::box_sample, With::box_positive});
    return {detection::rows_of(from.boxes, chosen.index), chosen.valid, chosen.matched};
  }
  void train_on(at::Tensor const& images, pass& p) const {
    auto const truth  = detection::objects_of(p.truth.to(at::kFloat), images.size(2), images.size(3));
    auto const height = static_cast<double>(images.size(2)), width = static_cast<double>(images.size(3));
    auto [levels, next]      = look(images, truth, p);
    auto const add_mask_loss = [&](std::size_t s, sampled_regions const& of) {
      if constexpr (has_masks) {
        constexpr auto most = static_cast<std::int64_t>(static_cast<double>(With::box_sample) * With::box_positive);  // they come first
        masks.add_loss(s, levels, of.boxes.narrow(1, 0, most), of.matched.narrow(1, 0, most), truth, With::stage_weights[s],
                       images.scalar_type(), p);
      }
    };
    constexpr bool interleaved = has_masks && With::mask_interleaved;
    for (std::size_t s = 0; s < stage_count; ++s) {
      std::string const called = "stage" + std::to_string(s);
      stage_scope const names(p, called);
      auto const sample = sampled(next, truth, s, s == 0 || !source_part::given, p);
      auto const& boxes = sample.boxes;
      auto const found  = stages[s](detection::pooled(levels, boxes, sample.valid, pooling), boxes.size(0), images.scalar_type(), p.mode);
      stage::add_losses(found, boxes, sample.matched, truth, With::codings[s], With::stage_weights[s], p);
      if (!interleaved) add_mask_loss(s, sample);
      bool const last = s + 1 == stage_count;
      if (last && !interleaved) break;
      next = {detection::clip_boxes(stage::refined({found.logits.detach(), found.deltas.detach()}, boxes, With::codings[s]), height, width),
              sample.valid};
      if (interleaved) {
        auto const again = [&] {
          stage_scope const own(p, "mask");  // which draws its own numbers
          return sampled(next, truth, s, /*with_truth=*/true, p);
        }();
        add_mask_loss(s, again);
      }
      if (last) break;
      if constexpr (source_part::given) {
        c2f::detail::nested_scope const own(p, static_cast<std::uint32_t>(s) + 1, nullptr);  // each stage draws its own numbers
        at::Tensor const of_object =
            at::where(sample.matched.ge(0).unsqueeze(2), detection::rows_of(truth.boxes, sample.matched), next.boxes);
        next.boxes = source.chosen(next.boxes, of_object, p);
      }
    }
  }
  detection::detector_view candidates_in(at::Tensor const& images, pass& p) const {
    std::int64_t const n = images.size(0);
    auto const height = static_cast<double>(images.size(2)), width = static_cast<double>(images.size(3));
    auto [levels, next] = look(images, {}, p);
    at::Tensor logits;
    typename stage::found found;
    for (std::size_t s = 0; s < stage_count; ++s) {
      found  = stages[s](detection::pooled(levels, next.boxes, next.valid, pooling), n, images.scalar_type(), p.mode);
      logits = logits.defined() ? logits.add(found.logits) : found.logits;
      if (s + 1 < stage_count) next.boxes = detection::clip_boxes(stage::refined(found, next.boxes, With::codings[s]), height, width);
    }
    at::Tensor const scores = logits.div(static_cast<double>(stage_count))
                                  .softmax(2)
                                  .narrow(2, 1, Kind::classes)
                                  .masked_fill(next.valid.logical_not().unsqueeze(2), 0);
    std::int64_t const count = scores.size(1);
    at::Tensor boxes         = detection::decode_boxes(found.deltas, next.boxes, With::codings[stage_count - 1]);
    if constexpr (With::class_agnostic)
      boxes = boxes.unsqueeze(2).expand({n, count, Kind::classes, 4});
    else
      boxes = boxes.view({n, count, Kind::classes + 1, 4}).narrow(2, 1, Kind::classes);
    at::Tensor const classes = at::arange(Kind::classes, next.valid.options().dtype(at::kLong)).expand({n, count, Kind::classes});
    detection::detector_view made{{detection::clip_boxes(boxes.reshape({n, count * Kind::classes, 4}), height, width),
                                   scores.reshape({n, -1}), classes.reshape({n, -1})}};
    if constexpr (has_masks) made.levels = std::move(levels);
    return made;
  }
};

}  // namespace c2f::systems
