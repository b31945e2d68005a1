// c2f/detection/box_losses.hpp: losses of detectors, a number for each element or box.
//
//   at::Tensor const focal = c2f::detection::sigmoid_focal_loss(logits, targets).sum().div(positives);
//   at::Tensor const close = c2f::detection::smooth_l1(deltas, wanted, 1. / 9).sum().div(positives);
//   at::Tensor const tight = c2f::detection::giou_loss(boxes, truth);                                  // [P, 4], [P, 4] -> [P]
//
// None is reduced: whoever calls selects, weights and sums, over a number of rows that does not change, so that nothing waits for the host.
// Lin et al., "Focal loss for dense object detection", ICCV 2017; Rezatofighi et al., "Generalized intersection over union", CVPR 2019;
// Girshick, "Fast R-CNN", ICCV 2015. Errors: those of ATen for shapes that do not fit.
#pragma once

#include <c2f/detection/box_operations.hpp>

#include <ATen/core/Reduction.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/smooth_l1_loss.h>

namespace c2f::detection {

/// -alpha_t (1 - p_t)^gamma log p_t of logits and targets in 0 ... 1 of their shape; alpha < 0: without alpha_t.
[[nodiscard]] inline at::Tensor sigmoid_focal_loss(at::Tensor const& logits, at::Tensor const& targets, double alpha = .25,
                                                   double gamma = 2) {
  at::Tensor const wanted = targets.to(logits.scalar_type()), p = logits.sigmoid();
  at::Tensor const cross_entropy = at::binary_cross_entropy_with_logits(logits, wanted, {}, {}, at::Reduction::None);
  at::Tensor const wrong         = p.add(wanted).sub(p.mul(wanted).mul(2));  // 1 - p_t
  at::Tensor const loss          = cross_entropy.mul(wrong.pow(gamma));
  return alpha < 0 ? loss : loss.mul(wanted.mul(2 * alpha - 1).add(1 - alpha));
}

/// 1 - GIoU of pairs of boxes, [..., 4], [..., 4] -> [...].
[[nodiscard]] inline at::Tensor giou_loss(at::Tensor const& boxes, at::Tensor const& truth) { return box_giou(boxes, truth).neg().add(1); }

/// (a - b)^2 / (2 beta) where |a - b| < beta, else |a - b| - beta / 2.
[[nodiscard]] inline at::Tensor smooth_l1(at::Tensor const& a, at::Tensor const& b, double beta = 1. / 9) {
  return at::smooth_l1_loss(a, b, at::Reduction::None, beta);
}

}  // namespace c2f::detection
