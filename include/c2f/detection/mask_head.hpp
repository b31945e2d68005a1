// c2f/detection/mask_head.hpp: masks of detections: the mask branches of the stages of a detector.
//
//   struct mine : c2f::systems::faster_rcnn { using mask_head = c2f::fcn_mask_head<64, 2>; };       // two convolutions of 64 channels; see region_detector.hpp
//
// He et al., "Mask R-CNN", ICCV 2017: the features of a box (RoIAlign, mask_crop x mask_crop cells), the layers of `mask_head`, a transposed convolution
// that doubles the size, with ReLU, and logits of the background, which nothing reads, and of each class, as torchvision has them, or one of all
// (mask_agnostic). The names are torchvision's, too: mask_head, mask_predictor.
// Loss: "mask", the binary cross-entropy of the cells of boxes that stand for an object, with what the object covers of them, of the logits of its class;
// 0 if there is no such box.
//
// With mask_flow (Chen et al., "Hybrid task cascade for instance segmentation", CVPR 2019), the features of the branch of the stage before, of the same boxes, are
// added to the pooled features of a stage after a 1x1 convolution with ReLU (mask_flow), as in mmdetection's HTCMaskHead. The branches before a
// stage run without their predictors, and its loss trains them, too.
//
// Costs: those of the convolutions, for the boxes that stand for an object alone; choosing them waits for the device. Errors: those of detection/assign.hpp.
#pragma once

#include <c2f/core/pass.hpp>
#include <c2f/detection/assign.hpp>
#include <c2f/detection/region_heads.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>
#include <c2f/layers/upsample.hpp>

#include <ATen/core/Reduction.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace c2f {

/// 3x3 convolutions with ReLU: the published mask head has four of 256 channels.
template <std::int64_t Width = 256, std::size_t Layers = 4>
using fcn_mask_head = repeat<Layers, sequential<conv<Width, 3, 1, 1, bias>, relu>>;

namespace detection {

/// Whether the settings of a detector name a mask head.
template <class With>
inline constexpr bool has_masks = requires { typename With::mask_head; };

/// The mask branches of all stages; without a mask head, nothing.
template <class With, image_shape Level, std::int64_t Classes, std::size_t Stages>
struct mask_branches {
  C2F_MEMBERS();
};
template <class With, image_shape Level, std::int64_t Classes, std::size_t Stages>
  requires has_masks<With>
struct mask_branches<With, Level, Classes, Stages> {
  static constexpr std::int64_t side = 2 * With::mask_crop, maps = With::mask_agnostic ? 1 : Classes + 1;
  static constexpr pooling_options pooling{With::mask_crop, With::stride, With::crop_points, With::crop_aligned, With::crop_size};

  using head_net                     = network_on<typename With::mask_head, image<Level::channels, With::mask_crop, With::mask_crop>>;
  using features                     = typename head_net::output;
  using enlarged                     = up_conv<features::channels, 2, 2>;
  using flow_net                     = network_on<conv<Level::channels, 1, 1, 0, bias>, features>;
  static constexpr std::size_t flows = With::mask_flow ? Stages - 1 : 0;
  struct branch {
    head_net mask_head;
    struct predictor {
      network_on<enlarged, features> conv5_mask;
      network_on<conv<maps, 1, 1, 0, bias>, typename network_on<enlarged, features>::output> mask_fcn_logits;
      C2F_MEMBERS(conv5_mask, mask_fcn_logits);
    } mask_predictor;
  };
  std::array<branch, Stages> branches;
  std::array<flow_net, flows> flow;  ///< into the stages from the second on

  template <class Self, class F>
  static void each_member(Self& self, F&& f) {
    for (std::size_t s = 0; s < Stages; ++s) {
      std::string const stage = std::to_string(s) + '.';
      f(stage + "mask_head", self.branches[s].mask_head);
      f(stage + "mask_predictor", self.branches[s].mask_predictor);
      if (s > 0 && s <= flows) f(stage + "mask_flow", self.flow[s - 1]);
    }
  }

  /// Adds the loss of stage s. boxes [N, S, 4] in pixels; matched [N, S]: rows of the truth, or background or left_out, of which there is none.
  void add_loss(std::size_t s, std::vector<at::Tensor> const& levels, at::Tensor const& boxes, at::Tensor const& matched,
                objects const& truth, double weight, at::ScalarType type, pass& p) const {
    at::Tensor const row   = matched.ge(0).flatten().nonzero().view({-1});
    auto const chosen      = [&](at::Tensor const& of) { return of.flatten(0, 1).index_select(0, row); };
    at::Tensor const crops = pooled_rows(levels, chosen(boxes), row.div(boxes.size(1), "floor"), pooling).to(type);
    at::Tensor const label = chosen(rows_of(truth.labels, matched)), wanted = chosen(mask_targets(truth, boxes, matched, side));
    at::Tensor seen;
    for (std::size_t i = flows > 0 ? 0 : s; i <= s; ++i) seen = features_of(i, crops, seen, p.mode);
    at::Tensor const each = at::binary_cross_entropy_with_logits(logits(s, seen, label, p.mode), wanted, {}, {}, at::Reduction::Sum);
    auto const count      = static_cast<double>(std::max<std::int64_t>(row.size(0), 1) * side * side);
    p.add("mask", each.mul(weight / count));
  }
  /// Probabilities of the cells of boxes [R, 4], in pixels, of pictures [R], of a class each [R]: the means of those of the stages. [R, side, side] float.
  [[nodiscard]] at::Tensor probabilities(std::vector<at::Tensor> const& levels, at::Tensor const& boxes, at::Tensor const& picture,
                                         at::Tensor const& label, at::ScalarType type, mode m) const {
    at::Tensor const crops = pooled_rows(levels, boxes, picture, pooling).to(type);
    at::Tensor seen, sum;
    for (std::size_t s = 0; s < Stages; ++s) {
      seen                   = features_of(s, crops, seen, m);
      at::Tensor const cells = logits(s, seen, label, m).sigmoid();
      sum                    = sum.defined() ? sum.add(cells) : cells;
    }
    return Stages == 1 ? sum : sum.div(static_cast<double>(Stages));
  }

 private:
  /// The features of a stage; `before`: those of the stage before it, of the same boxes.
  [[nodiscard]] at::Tensor features_of(std::size_t s, at::Tensor const& crops, [[maybe_unused]] at::Tensor const& before, mode m) const {
    if constexpr (flows > 0)
      if (s > 0) return branches[s].mask_head(crops.add(flow[s - 1].then_relu(before, m)), m);
    return branches[s].mask_head(crops, m);
  }
  [[nodiscard]] at::Tensor logits(std::size_t s, at::Tensor const& seen, at::Tensor const& label, mode m) const {
    auto const& predictor = branches[s].mask_predictor;
    at::Tensor const all  = predictor.mask_fcn_logits(predictor.conv5_mask(seen, m).relu(), m).to(at::kFloat);  // [R, maps, side, side]
    if constexpr (With::mask_agnostic)
      return all.squeeze(1);
    else
      return all.gather(1, label.add(1).view({-1, 1, 1, 1}).expand({label.size(0), 1, side, side})).squeeze(1);
  }
};

}  // namespace detection
}  // namespace c2f
