// c2f/detection/region_heads.hpp: what detectors compute of each box: its features, its class and a better box.
//
//   at::Tensor const crops = c2f::detection::pooled(pyramid, boxes, valid, {.side = 7, .stride = 4});     // [N, S, 4] -> [N * S, C, 7, 7]
//   c2f::detection::box_stage<settings, c2f::two_layer_head<1024>>::on<c2f::image<256, 1, 1>, 3> stage;  // three classes
//
// pooled: the level of a box is floor(4 + log2(sqrt(area) / 224)), that of stride 16 for boxes of 224 pixels (Lin et al., CVPR 2017, eq. 1).
// box_stage: features -> logits of the background and K classes, and coded boxes, of each class or of all (torchvision's FastRCNNPredictor, whose
// names it has). Losses: "class", the cross-entropy, and "box", the smooth L1 distance of boxes that stand for an object, both divided by the
// number of boxes. Costs: RoIAlign. Errors: those of the operators.
#pragma once

#include <c2f/core/pass.hpp>
#include <c2f/detection/assign.hpp>
#include <c2f/detection/box_losses.hpp>
#include <c2f/detection/region_proposals.hpp>
#include <c2f/detection/roi_align.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/plain.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/where.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace c2f {

/// Two linear layers with ReLU on flattened crops: torchvision's TwoMLPHead.
template <std::int64_t Width>
struct two_layer_head {
  template <image_shape In>
  struct on {
    using output = vector<Width>;
    network_on<linear<Width>, vector<In::channels * In::height * In::width>> fc6;
    network_on<linear<Width>, vector<Width>> fc7;
    C2F_MEMBERS(fc6, fc7);
    at::Tensor operator()(at::Tensor const& x, mode m) const { return fc7(fc6(x.flatten(1), m).relu(), m).relu(); }
  };
};

namespace detection {

struct pooling_options {
  std::int64_t side   = 7;
  double stride       = 4;  ///< of the first level
  std::int64_t points = 2;  ///< of a cell, along an axis
  bool aligned        = true;
  double size         = 224;  ///< boxes of this size are read from the level of stride 16
};

/// The features of boxes [R, 4], in pixels, of pictures [R], each from the level of its size; zeros for picture -1. [R, C, side, side].
[[nodiscard]] inline at::Tensor pooled_rows(std::vector<at::Tensor> const& levels, at::Tensor const& boxes, at::Tensor const& picture,
                                            pooling_options const& how) {
  double const first     = std::log2(how.stride);
  at::Tensor const level = box_area(boxes)
                               .sqrt()
                               .div(how.size)
                               .log2()
                               .add(4 + 1e-6)
                               .floor()
                               .sub(first)
                               .clamp(0, static_cast<double>(levels.size() - 1))
                               .to(at::kLong);
  std::vector<double> scales(levels.size());
  for (std::size_t i = 0; i < scales.size(); ++i) scales[i] = std::ldexp(1 / how.stride, -static_cast<int>(i));
  return roi_align(levels, boxes, picture, level, scales, how.side, how.points, how.aligned);
}
/// Of boxes [N, S, 4]; rows that are not valid are zeros. [N * S, C, side, side].
[[nodiscard]] inline at::Tensor pooled(std::vector<at::Tensor> const& levels, at::Tensor const& boxes, at::Tensor const& valid,
                                       pooling_options const& how) {
  std::int64_t const n = boxes.size(0), count = boxes.size(1);
  at::Tensor const picture =
      at::arange(n, valid.options().dtype(at::kLong)).unsqueeze(1).expand({n, count}).masked_fill(valid.logical_not(), -1).reshape({-1});
  return pooled_rows(levels, boxes.reshape({n * count, 4}).contiguous(), picture, how);
}

template <class With, class Head>
struct box_stage {
  template <image_shape Level, std::int64_t Classes>
  struct on {
    static constexpr std::int64_t coded = With::class_agnostic ? 4 : 4 * (Classes + 1);
    using head_net                      = network_on<Head, image<Level::channels, With::crop, With::crop>>;
    struct predictor {
      network_on<linear<Classes + 1>, typename head_net::output> cls_score;
      network_on<linear<coded>, typename head_net::output> bbox_pred;
      C2F_MEMBERS(cls_score, bbox_pred);
    };
    head_net box_head;
    predictor box_predictor;
    C2F_MEMBERS(box_head, box_predictor);

    /// Of boxes [N, S, 4]: logits [N, S, K + 1] and coded boxes [N, S, 4] or [N, S, 4 (K + 1)], float.
    struct found {
      at::Tensor logits, deltas;
    };
    [[nodiscard]] found operator()(at::Tensor const& crops, std::int64_t n, at::ScalarType type, mode m) const {
      at::Tensor const hidden = box_head(crops.to(type), m);
      auto const of_batch     = [&](at::Tensor const& rows) { return rows.to(at::kFloat).view({n, -1, rows.size(1)}); };
      return {of_batch(box_predictor.cls_score(hidden, m)), of_batch(box_predictor.bbox_pred(hidden, m))};
    }

    /// The coded boxes of one class for each row: [N, S, 4]. label [N, S], 0 ... K - 1.
    [[nodiscard]] static at::Tensor of_class(at::Tensor const& deltas, at::Tensor const& label) {
      if constexpr (With::class_agnostic) return deltas;
      at::Tensor const by_class = deltas.view({deltas.size(0), deltas.size(1), Classes + 1, 4});
      at::Tensor const index    = label.add(1).view({label.size(0), label.size(1), 1, 1}).expand({-1, -1, 1, 4});
      return by_class.gather(2, index).squeeze(2);
    }
    /// Better boxes of the class that is most likely, besides the background.
    [[nodiscard]] static at::Tensor refined(found const& of, at::Tensor const& boxes, box_weights const& weights) {
      return decode_boxes(of_class(of.deltas, of.logits.narrow(2, 1, Classes).argmax(2)), boxes, weights);
    }
    /// matched: rows of the truth, background or left_out.
    static void add_losses(found const& of, at::Tensor const& boxes, at::Tensor const& matched, objects const& truth,
                           box_weights const& weights, double weight, pass& p) {
      at::Tensor const positive = matched.ge(0), valid = matched.ne(left_out), count = detail::count_of(valid);
      at::Tensor const label  = rows_of(truth.labels, matched).clamp_min(0);
      at::Tensor const target = at::where(positive, label.add(1), 0).masked_fill(valid.logical_not(), -100);
      at::Tensor const each   = at::cross_entropy_loss(of.logits.flatten(0, 1), target.flatten(), {}, at::Reduction::Sum, -100);
      p.add("class", each.div(count).mul(weight));
      at::Tensor const wanted = encode_boxes(rows_of(truth.boxes, matched), boxes, weights);
      p.add("box", detail::distance_of(of_class(of.deltas, label), wanted, positive, With::box_beta).div(count).mul(weight));
    }
  };
};

}  // namespace detection
}  // namespace c2f
