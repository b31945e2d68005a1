// c2f/systems/one_stage_detector.hpp: a detector in one stage: RetinaNet on feature pyramids.
//
//   struct mine : c2f::systems::retina_net { using backbone = c2f::pyramid_on<c2f::resnet_stages<18>, c2f::fpn<256>>; };
//   using model = c2f::systems::one_stage_detector<c2f::detections<3, 40>, c2f::image<3, 192, 256>, mine>;
//
// A model (task/model.hpp). Lin et al., "Focal loss for dense object detection", ICCV 2017: two towers of 3x3 convolutions with ReLU, the same
// on every level, one before the logits of the classes of every anchor, one before its coded box. Losses: "head.class", the focal loss of all anchors,
// and "head.box", the absolute (or smooth L1) distance of those that stand for an object, both divided by the number of these in each picture.
// The names are those of torchvision's RetinaNet.
//
// Costs: the towers; answers are chosen on the host, so a step is not captured. Errors: as those of region_detector.hpp.
#pragma once

#include <c2f/detection/candidates.hpp>
#include <c2f/detection/detector_pass.hpp>
#include <c2f/detection/region_proposals.hpp>
#include <c2f/kinds/detections.hpp>
#include <c2f/systems/region_detector.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace c2f::systems {

/// The published settings, but for the levels: the first has stride 4, as those of backbones of this library, instead of 8, and the published
/// ones have two more, P6 and P7, by convolutions, where `more_levels` halves the last one.
struct retina_net {
  static constexpr double stride      = 4;      ///< of the first level; those of the others are twice as large each
  static constexpr bool whole_strides = false;  ///< of anchors, as in torchvision (detection/region_proposals.hpp)
  static constexpr int more_levels    = 0;      ///< halvings of the last one
  static constexpr std::array<double, 3> anchor_scales{4, 5.04, 6.35}, anchor_ratios{.5, 1, 2};
  static constexpr double low = .4, high = .5, beta = 0;  ///< beta: of smooth L1; 0: the absolute distance
  static constexpr std::size_t tower             = 4;
  static constexpr std::int64_t before_nms       = 1000;  ///< candidates of a level
  static constexpr detection::box_weights coding = {1, 1, 1, 1};
};

/// The model; see the top of this file.
template <class Kind, image_shape In, class With>
struct one_stage_detector {
  static_assert(c2f::detail::check_progressive<With, 1>() && c2f::detail::check_masks<Kind, With>());
  static constexpr char const* name = "one-stage detector";
  using input                       = In;
  using kind                        = Kind;
  using backbone_net                = network_on<typename With::backbone, image<In::channels, dynamic, dynamic>>;  // views have other sizes
  static constexpr std::int64_t channels       = backbone_net::output::template at<0>::channels,
                                anchors_a_cell = detection::rpn<With>::anchors_a_cell;

  template <std::int64_t Out, class Bias = bias>
  using layer     = conv<Out, 3, 1, 1, Bias, 1, initial::normal<0.01>>;
  using wide      = image<channels, dynamic, dynamic>;
  using tower_net = network_on<repeat<With::tower, sequential<layer<channels>, relu>>, wide>;

  backbone_net backbone;
  struct {
    struct {
      tower_net conv;
      network_on<layer<anchors_a_cell * Kind::classes, bias_from<initial::constant<-4.59511985>>>, wide> cls_logits;
      C2F_MEMBERS(conv, cls_logits);
    } classification_head;
    struct {
      tower_net conv;
      network_on<layer<anchors_a_cell * 4>, wide> bbox_reg;
      C2F_MEMBERS(conv, bbox_reg);
    } regression_head;
    C2F_MEMBERS(classification_head, regression_head);
  } head;
  C2F_MEMBERS(backbone, head);
  detection::answer_options answers{};

  explicit one_stage_detector(std::uint64_t seed = 0) { initialize(*this, seed); }

  /// [N, C, H, W] -> the raw output of the kind; in training no detections: [N, 0, 6].
  at::Tensor operator()(at::Tensor const& images, pass& p) const {
    p.requires_host("the anchors and answers of a detector, which are made on the host");
    constexpr std::size_t levels = backbone_net::output::count + static_cast<std::size_t>(With::more_levels);
    return detection::run_detector<Kind>(
        images, p, answers, detection::detail::grid_of(With::stride, levels), [&](at::Tensor const& of, pass& step) { train_on(of, step); },
        [&](at::Tensor const& of, pass& view) { return detection::detector_view{candidates_in(of, view)}; }, [](auto const&...) {});
  }

 private:
  struct raw {
    std::vector<at::Tensor> logits, deltas;  ///< of each level: [N, A, K], [N, A, 4]
    at::Tensor anchors;
  };
  raw look(at::Tensor const& images, pass& p) const {
    auto const maps = [&] {
      stage_scope const names(p, "backbone");
      return detection::levels_of(backbone, images, With::more_levels, p);
    }();
    raw found;
    auto const& classes = head.classification_head;
    auto const& boxes   = head.regression_head;
    for (auto const& map : maps) {
      found.logits.push_back(detection::by_anchor(classes.cls_logits(classes.conv(map, p.mode), p.mode), Kind::classes));
      found.deltas.push_back(detection::by_anchor(boxes.bbox_reg(boxes.conv(map, p.mode), p.mode), 4));
    }
    found.anchors = detection::anchors_of(maps, images.size(2), images.size(3), With::stride, With::anchor_scales, With::anchor_ratios,
                                          With::whole_strides);
    return found;
  }
  void train_on(at::Tensor const& images, pass& p) const {
    auto const truth = detection::objects_of(p.truth.to(at::kFloat), images.size(2), images.size(3));
    auto const found = look(images, p);
    stage_scope const names(p, "head");
    at::Tensor const logits = at::cat(found.logits, 1), deltas = at::cat(found.deltas, 1);
    at::Tensor const matched  = detection::assign(found.anchors, truth, {With::low, With::high, /*low_quality=*/true});
    at::Tensor const positive = matched.ge(0), counts = positive.sum(1).clamp_min(1).to(at::kFloat);
    at::Tensor const label   = detection::rows_of(truth.labels, matched).masked_fill(positive.logical_not(), -1);
    at::Tensor const classes = at::arange(Kind::classes, label.options());
    at::Tensor const focal   = detection::sigmoid_focal_loss(logits, label.unsqueeze(2).eq(classes));
    at::Tensor const counted = matched.ne(detection::left_out).unsqueeze(2);
    p.add("class", focal.mul(counted).sum({1, 2}).div(counts).mean());
    at::Tensor const other = positive.logical_not().unsqueeze(2);
    at::Tensor const wanted =
        detection::encode_boxes(detection::rows_of(truth.boxes, matched), found.anchors.unsqueeze(0), With::coding).masked_fill(other, 0);
    p.add("box", detection::smooth_l1(deltas.masked_fill(other, 0), wanted, With::beta).sum({1, 2}).div(counts).mean());
  }
  detection::candidates candidates_in(at::Tensor const& images, pass& p) const {
    auto const found = look(images, p);
    detection::candidates all;
    std::int64_t first = 0;
    for (std::size_t i = 0; i < found.logits.size(); ++i) {
      std::int64_t const count  = found.logits[i].size(1);
      auto const [score, index] = found.logits[i].flatten(1).topk(std::min(count * Kind::classes, With::before_nms), 1);
      at::Tensor const anchor   = index.div(Kind::classes, "floor");
      at::Tensor const boxes =
          detection::decode_boxes(detection::rows_of(found.deltas[i], anchor),
                                  detection::detail::at_index(found.anchors.narrow(0, first, count), anchor), With::coding);
      detection::candidates const level{
          detection::clip_boxes(boxes, static_cast<double>(images.size(2)), static_cast<double>(images.size(3))), score.sigmoid(),
          index.remainder(Kind::classes)};
      all = all.boxes.defined() ? detection::joined(all, level) : level;
      first += count;
    }
    return all;
  }
};

}  // namespace c2f::systems
