// c2f/kinds/boxes.hpp: one box for each of K classes.
//
//   using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<1>, 256>;
//
// A box is (centre x, centre y, width, height) in fractions of the image, x to the right and y down.
//   raw         [N, 4] for one class; else [N, 5K]: for each class its box and the logit of its presence
//   prediction  [N, K, 4], the sigmoid of raw, in (0, 1); sizes are 0 for classes that are predicted as absent
//   truth       [N, K, 5] float: the box, and 1 if the class is in the image, else 0
// Used as conditioning, absent classes have boxes of size 0, which encode::rasterize draws as empty maps: those that are absent in a truth,
// and those whose predicted presence is below .5. Without a predicted presence the number of maps alone would tell a truth from a
// prediction, and the class as well. One class is always predicted as present.
// Ren et al. 2020, sections 3.1 and 4.1: "a box ... a binary map"; with several classes, one channel per class.
//
// A box drawn with hard edges has no gradient with respect to the box: with the default encoder the fine loss does not reach the coarse
// network (parts/encode_rasterize.hpp). Errors: fewer than one class is a compile error.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/fwd.hpp>
#include <c2f/loss/log_l1.hpp>
#include <c2f/loss/presence.hpp>
#include <c2f/loss/sum.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <utility>

namespace c2f {

namespace detail {
template <std::int64_t Classes>
consteval bool check_boxes() {
  static_assert(Classes >= 1, "c2f::boxes needs one class or more; write c2f::boxes<1> for one box an image");
  return true;
}

/// The parts of boxes [..., 4] that are within the image.
inline at::Tensor clipped_boxes(at::Tensor const& box) {
  at::Tensor const middle = box.narrow(-1, 0, 2), half = box.narrow(-1, 2, 2).mul(0.5);
  at::Tensor const first = middle.sub(half).clamp(0, 1), last = middle.add(half).clamp(0, 1);
  return at::cat({first.add(last).mul(0.5), last.sub(first)}, -1);
}
/// Intersection over union of boxes [..., 4 or 5] -> [...]; 0 where neither box has an area.
inline at::Tensor iou_of_boxes(at::Tensor const& a, at::Tensor const& b) {
  auto const overlap = [&](std::int64_t axis) {
    at::Tensor const middle_a = a.select(-1, axis), half_a = a.select(-1, axis + 2).mul(0.5);
    at::Tensor const middle_b = b.select(-1, axis), half_b = b.select(-1, axis + 2).mul(0.5);
    return at::minimum(middle_a.add(half_a), middle_b.add(half_b))
        .sub(at::maximum(middle_a.sub(half_a), middle_b.sub(half_b)))
        .clamp_min(0);
  };
  auto const area         = [](at::Tensor const& box) { return box.select(-1, 2).mul(box.select(-1, 3)); };
  at::Tensor const common = overlap(0).mul(overlap(1));
  return common.div(area(a).add(area(b)).sub(common).clamp_min(1e-12));
}
}  // namespace detail

/// The kind "one box per class"; see the top of this file.
template <std::int64_t Classes>
struct boxes : detail::static_check<detail::check_boxes<Classes>()> {
  static constexpr char const* name     = "boxes";
  static constexpr std::int64_t classes = Classes;
  static constexpr bool has_boxes       = true;         ///< required by rasterize and log_l1
  static constexpr bool has_presence    = Classes > 1;  ///< required by loss::presence
  /// The raw numbers of a class.
  static constexpr std::int64_t numbers = has_presence ? 5 : 4;
  template <shape In>
  using output          = vector<numbers*(Classes < 1 ? 1 : Classes)>;
  using truth_value     = float;
  using default_encoder = encode::rasterize<>;
  using default_loss    = std::conditional_t<has_presence, loss::sum<loss::log_l1, loss::presence>, loss::log_l1>;
  template <image_shape In>
  static constexpr std::array<std::int64_t, 2> truth_dims{Classes, 5};

  /// The box of every class, also of those that are predicted as absent, [N, K, 4] float, or double if raw is: bfloat16 is too coarse for
  /// the position of an edge.
  static at::Tensor boxes_of(at::Tensor const& raw) { return by_class(raw.to(detail::wide(raw))).narrow(2, 0, 4).sigmoid(); }
  /// Whether each class is predicted as present, [N, K] bool.
  static at::Tensor present_in(at::Tensor const& raw) {
    if constexpr (has_presence)
      return by_class(raw).select(2, 4).gt(0);
    else
      return at::ones({raw.size(0), 1}, raw.options().dtype(at::kBool));
  }
  static at::Tensor predict(at::Tensor const& raw) {
    at::Tensor const box = boxes_of(raw);
    if constexpr (!has_presence) return box;
    at::Tensor const present = present_in(raw).unsqueeze(2).to(box.scalar_type());
    return at::cat({box.narrow(2, 0, 2), box.narrow(2, 2, 2).mul(present)}, 2);
  }
  static at::Tensor from_truth(at::Tensor const& truth) {
    at::Tensor const present = truth.narrow(2, 4, 1);
    return at::cat({truth.narrow(2, 0, 2), truth.narrow(2, 2, 2).mul(present)}, 2);
  }

  /// {whether a box has an IoU of at least .5 with the true one, whether there is one}, [N, K] bool each.
  static std::pair<at::Tensor, at::Tensor> correct(at::Tensor const& raw, at::Tensor const& truth) {
    return {detail::iou_of_boxes(detail::clipped_boxes(boxes_of(raw.to(at::kFloat))), truth).ge(0.5), truth.select(2, 4).gt(0.5)};
  }

  /// The mean over the classes of the IoU of the two boxes, 1 for a class that is absent in both, [N].
  static at::Tensor agreement(at::Tensor const& a, at::Tensor const& b) {
    at::Tensor const neither = present_in(a).logical_or(present_in(b)).logical_not();
    return detail::iou_of_boxes(predict(a.to(at::kFloat)), predict(b.to(at::kFloat))).masked_fill(neither, 1).mean(1);
  }

  /// With probability `rate`, a box is moved by up to a quarter of its size along each axis and its sides are multiplied by a factor
  /// between 1 / sqrt(2) and sqrt(2).
  static constexpr double corrupt_rate = 1;
  static at::Tensor corrupt(at::Tensor const& truth, double rate, pass const& p) {
    at::Tensor damaged = truth.to(at::kCPU, at::kFloat).contiguous().clone();
    float* box         = damaged.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < damaged.size(0); ++i) {
      random_stream random = p.draws(purpose::corrupt, i);
      for (std::int64_t k = 0; k < Classes; ++k, box += 5) {
        if (!(random.uniform() <= rate)) continue;
        for (int axis = 0; axis < 2; ++axis) {
          double const size = box[axis + 2];
          box[axis]         = static_cast<float>(std::clamp(box[axis] + size * (0.5 * random.uniform() - 0.25), 0.0, 1.0));
          box[axis + 2]     = static_cast<float>(std::min(size * std::exp2(random.uniform() - 0.5), 1.0));
        }
      }
    }
    return damaged.to(truth.device());
  }

  /// True boxes with the errors of other predictions, all [N, K, 4], as predictions. Where both samples have the class the box is moved and
  /// scaled by the other one's error, or missing if that is missing; where neither has it, it is the other prediction: a box if that is wrong.
  static at::Tensor with_error_of(at::Tensor const& other, at::Tensor const& other_truth, at::Tensor const& truth) {
    auto const drawn       = [](at::Tensor const& box) { return box.narrow(2, 2, 1).gt(0); };
    at::Tensor const moved = truth.add(other).sub(other_truth).clamp(0, 1), missing = truth.mul(0);
    at::Tensor const both = drawn(truth).logical_and(drawn(other_truth)), either = drawn(truth).logical_or(drawn(other_truth));
    return at::where(both, at::where(drawn(other), moved, missing), at::where(either, truth, other));
  }

  template <image_shape In>
  static at::Tensor example(std::int64_t n) {
    at::Tensor truth = at::empty({n, Classes, 5}, at::TensorOptions(at::kFloat));
    float* box       = truth.mutable_data_ptr<float>();
    random_stream random(1, purpose::synthesis, 0, 0);
    for (std::int64_t i = 0; i < n * Classes; ++i, box += 5) {
      for (int axis = 0; axis < 2; ++axis) {
        box[axis + 2] = static_cast<float>(0.1 + 0.5 * random.uniform());
        box[axis]     = static_cast<float>(0.3 + 0.4 * random.uniform());
      }
      box[4] = i == 0 || random.below(4) > 0 ? 1.0f : 0.0f;
    }
    return truth;
  }

  /// Metrics over the boxes that are present: the mean IoU, the fraction with an IoU of at least .5, and the fraction whose scale (the
  /// longer side) is within 10 % of the true one (Ren et al. 2020, sections 4.1.2 and 4.1.3). Predicted boxes are clipped to the image before
  /// their IoU is taken. With several classes also `presence`, the accuracy of predicted presences; the boxes of classes that are wrongly
  /// predicted as absent count as well.
  struct score {
    std::int64_t samples = 0, present = 0, overlapping = 0, right_scale = 0, right_presence = 0;
    double iou = 0;

    void add(at::Tensor const& raw, at::Tensor const& truth) {
      at::Tensor const predicted = boxes_of(raw.to(at::kFloat)), is_present = truth.select(2, 4).gt(0.5);
      at::Tensor const each  = detail::iou_of_boxes(detail::clipped_boxes(predicted), truth).masked_select(is_present);
      auto const longer      = [](at::Tensor const& box) { return at::maximum(box.select(2, 2), box.select(2, 3)); };
      at::Tensor const ratio = longer(predicted).div(longer(truth).clamp_min(1e-12)).masked_select(is_present);
      samples += truth.size(0);
      present += each.size(0);
      iou += each.sum(at::kDouble).template item<double>();
      overlapping += each.ge(0.5).sum().template item<std::int64_t>();
      right_scale += ratio.sub(1).abs().le(0.1).sum().template item<std::int64_t>();
      if constexpr (has_presence) right_presence += present_in(raw).eq(is_present).sum().template item<std::int64_t>();
    }
    void add(score const& other) {
      samples += other.samples, present += other.present, overlapping += other.overlapping;
      right_scale += other.right_scale, right_presence += other.right_presence, iou += other.iou;
    }
    /// Name and value of each metric, the primary metric first.
    [[nodiscard]] std::array<std::pair<char const*, double>, has_presence ? 4 : 3> values() const {
      auto const part = [](std::int64_t count, std::int64_t all) {
        return static_cast<double>(count) / static_cast<double>(std::max<std::int64_t>(all, 1));
      };
      std::pair<char const*, double> const mean_iou{"iou", iou / static_cast<double>(std::max<std::int64_t>(present, 1))},
          half{"acc50", part(overlapping, present)}, scale{"scale10", part(right_scale, present)};
      if constexpr (has_presence)
        return {{mean_iou, half, scale, {"presence", part(right_presence, samples * Classes)}}};
      else
        return {{mean_iou, half, scale}};
    }
  };

 private:
  static at::Tensor by_class(at::Tensor const& raw) { return raw.view({raw.size(0), Classes, numbers}); }
};

}  // namespace c2f
