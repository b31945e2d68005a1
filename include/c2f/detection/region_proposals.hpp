// c2f/detection/region_proposals.hpp: the region proposal network (Ren et al., "Faster R-CNN", NeurIPS 2015) on the levels of a pyramid.
//
//   c2f::detection::rpn<settings>::on<c2f::image<256, c2f::dynamic, c2f::dynamic>> rpn;
//   auto const [boxes, valid] = rpn.propose(pyramid, 192, 256, truth_of_batch, p);      // [N, P, 4] in pixels, [N, P]; in training adds its losses
//
// A 3x3 convolution with ReLU and two 1x1 ones, the same on every level, give every anchor a logit and four numbers. The names are those of
// torchvision. The best of each level are decoded and clipped, boxes of a level suppress each other, and the best of all are the proposals,
// in a fixed number of rows. No gradient flows through them. Losses: "class", the binary cross-entropy of a sample of anchors, and "box", the
// smooth L1 distance of those that stand for an object, both divided by the size of the sample.
//
// With: settings as c2f::systems::region_defaults has them. Costs: convolutions and, on the host, suppression. Errors: those of the operators.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/detection/anchors.hpp>
#include <c2f/detection/assign.hpp>
#include <c2f/detection/box_losses.hpp>
#include <c2f/detection/nms.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace c2f::detection {

/// Boxes of a batch in a fixed number of rows.
struct regions {
  at::Tensor boxes;  ///< [N, P, 4] float, in pixels
  at::Tensor valid;  ///< [N, P] bool
};

/// [N, A * Numbers, H, W] -> [N, H * W * A, Numbers] float: the anchors in their order.
[[nodiscard]] inline at::Tensor by_anchor(at::Tensor const& map, std::int64_t numbers) {
  std::int64_t const n = map.size(0), h = map.size(2), w = map.size(3), a = map.size(1) / numbers;
  return map.to(at::kFloat).reshape({n, a, numbers, h, w}).permute({0, 3, 4, 1, 2}).reshape({n, h * w * a, numbers});
}

/// The anchors of maps of a picture of height x width at strides `stride`, 2 `stride`, ...: `scales` times the stride are their sizes.
/// whole_strides: they are apart by the whole number of pixels that a picture has for each cell, along each axis, as in torchvision; that is
/// another one where the picture's side is no multiple of the stride: 800 pixels in 13 cells, 61 for 64.
/// [A, 4] on the device of the maps, kept for the next pass of these sizes: not to be written into. Error: input_error for a map
/// that is more than a cell larger or smaller than the picture.
template <class Scales, class Ratios>
[[nodiscard]] at::Tensor anchors_of(std::vector<at::Tensor> const& maps, std::int64_t height, std::int64_t width, double stride,
                                    Scales const& scales, Ratios const& ratios, bool whole_strides = false) {
  std::vector<anchor_level> levels;
  for (auto const& map : maps) {
    auto const fits = [&](std::int64_t cells, std::int64_t pixels) {
      return std::abs(static_cast<double>(cells) * stride - static_cast<double>(pixels)) < stride;
    };
    if (!fits(map.size(2), height) || !fits(map.size(3), width))
      throw input_error("a level of a detector has a map of " + c2f::detail::dims_of(map) + " for pictures of " + std::to_string(height) +
                        " x " + std::to_string(width) + " pixels, which is not of stride " + std::to_string(std::llround(stride)) +
                        "; write the stride of the first level into its settings, as in static constexpr double stride = 4;");
    auto& level = levels.emplace_back(anchor_level{map.size(2), map.size(3), stride, {}});
    if (whole_strides)
      level.stride = static_cast<double>(height / map.size(2)), level.stride_across = static_cast<double>(width / map.size(3));
    for (double const scale : scales) level.sizes.push_back(scale * stride);
    stride *= 2;
  }
  return kept_anchors(levels, {ratios.begin(), ratios.end()}, maps.front().device());
}

namespace detail {
template <std::int64_t Out>
using small_conv = conv<Out, 1, 1, 0, bias, 1, initial::normal<0.01>>;
/// values [A, ...] at index [N, S] -> [N, S, ...]
inline at::Tensor at_index(at::Tensor const& values, at::Tensor const& index) {
  auto sizes = values.sizes().vec();
  sizes[0]   = index.size(1);
  sizes.insert(sizes.begin(), index.size(0));
  return values.index_select(0, index.reshape({-1})).view(sizes);
}
/// The number of rows that a loss is computed of, at least 1.
inline at::Tensor count_of(at::Tensor const& valid) { return valid.sum().clamp_min(1).to(at::kFloat); }
/// The smooth L1 distance of coded boxes [N, S, 4] of rows that stand for an object, summed.
inline at::Tensor distance_of(at::Tensor const& deltas, at::Tensor const& wanted, at::Tensor const& positive, double beta) {
  at::Tensor const other = positive.logical_not().unsqueeze(2);  // whose wanted boxes may be infinite
  return smooth_l1(deltas.masked_fill(other, 0), wanted.masked_fill(other, 0), beta).sum();
}
}  // namespace detail

template <class With>
struct rpn {
  static constexpr std::int64_t anchors_a_cell = static_cast<std::int64_t>(With::anchor_scales.size() * With::anchor_ratios.size());

  template <image_shape Level>
  struct on {
    static constexpr std::int64_t channels = Level::channels;
    template <class Conv>
    using on_hidden = network_on<Conv, image<channels, dynamic, dynamic>>;
    struct heads {
      on_hidden<sequential<sequential<c2f::conv<channels, 3, 1, 1, bias, 1, initial::normal<0.01>>, relu>>> conv;
      on_hidden<detail::small_conv<anchors_a_cell>> cls_logits;
      on_hidden<detail::small_conv<4 * anchors_a_cell>> bbox_pred;
      C2F_MEMBERS(conv, cls_logits, bbox_pred);
    } head;
    C2F_MEMBERS(head);

    /// `maps`: of the batch, at strides With::stride, 2 With::stride, ... truth: in training.
    [[nodiscard]] regions propose(std::vector<at::Tensor> const& maps, std::int64_t height, std::int64_t width, objects const& truth,
                                  pass& p) const {
      at::Tensor const all = anchors_of(maps, height, width, With::stride, With::anchor_scales, With::anchor_ratios, With::whole_strides);
      std::vector<at::Tensor> logits, deltas;
      for (auto const& map : maps) {
        at::Tensor const hidden = head.conv(map, p.mode);
        logits.push_back(by_anchor(head.cls_logits(hidden, p.mode), 1).squeeze(2));
        deltas.push_back(by_anchor(head.bbox_pred(hidden, p.mode), 4));
      }
      if (p.training())
        add_losses(at::cat(logits, 1), at::cat(deltas, 1), all, truth, p);
      else
        p.add_output("objectness", at::cat(logits, 1));
      return chosen(logits, deltas, all, static_cast<double>(height), static_cast<double>(width), p.training());
    }

   private:
    static void add_losses(at::Tensor const& logits, at::Tensor const& deltas, at::Tensor const& all, objects const& truth, pass& p) {
      at::Tensor const matched   = assign(all, truth, {With::rpn_low, With::rpn_high, /*low_quality=*/true});
      sampled_boxes const sample = detection::sample(matched, p, {With::rpn_sample, With::rpn_positive});
      at::Tensor const positive = sample.matched.ge(0), count = detail::count_of(sample.valid);
      at::Tensor const each = at::binary_cross_entropy_with_logits(rows_of(logits, sample.index), positive.to(at::kFloat), {}, {}, 0);
      p.add("class", each.mul(sample.valid).sum().div(count));
      at::Tensor const wanted = encode_boxes(rows_of(truth.boxes, sample.matched), detail::at_index(all, sample.index), {1, 1, 1, 1});
      p.add("box", detail::distance_of(rows_of(deltas, sample.index), wanted, positive, With::rpn_beta).div(count));
    }
    static regions chosen(std::vector<at::Tensor> const& logits, std::vector<at::Tensor> const& deltas, at::Tensor const& all,
                          double height, double width, bool training) {
      std::vector<at::Tensor> boxes, scores, groups;
      std::int64_t first = 0;
      for (std::size_t i = 0; i < logits.size(); ++i) {
        at::Tensor const of      = logits[i].detach();
        std::int64_t const count = of.size(1), most = std::min(count, training ? With::before_nms : With::before_nms_at_inference);
        auto const [score, index] = of.topk(most, 1);
        at::Tensor const anchor   = detail::at_index(all.narrow(0, first, count), index);
        boxes.push_back(clip_boxes(decode_boxes(rows_of(deltas[i].detach(), index), anchor, {1, 1, 1, 1}), height, width));
        scores.push_back(score);
        groups.push_back(at::full({most}, static_cast<std::int64_t>(i), index.options()));
        first += count;
      }
      at::Tensor const box = at::cat(boxes, 1), side = box.narrow(2, 2, 2).sub(box.narrow(2, 0, 2));
      at::Tensor const score = at::cat(scores, 1).masked_fill(side.amin(2).lt(1e-3), -std::numeric_limits<double>::infinity());
      auto const [index, valid] =
          best_boxes(box, score, at::cat(groups), With::rpn_overlap, training ? With::after_nms : With::after_nms_at_inference);
      return {rows_of(box, index), valid};
    }
  };
};

}  // namespace c2f::detection
