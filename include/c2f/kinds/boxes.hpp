// c2f/kinds/boxes.hpp: one box for each of K classes.
//
//   using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<1>, 256>;
//
// A box is (centre x, centre y, width, height) in fractions of the image, x to the right and y down.
//   raw         [N, 4K]
//   prediction  [N, K, 4], the sigmoid of raw: every number is in (0, 1) and has a logarithm
//   truth       [N, K, 5] float: the box, and 1 if the class is in the image, else 0
// In a truth used as conditioning, absent classes have boxes of size 0, which encode::rasterize draws as empty maps.
// Ren et al. 2020, sections 3.1 and 4.1: "a box ... a binary map"; with several classes, one channel per class.
//
// A box drawn with hard edges has no gradient with respect to the box: with the default encoder the fine loss does not reach the coarse
// network (parts/encode_rasterize.hpp). Errors: fewer than one class is a compile error.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/fwd.hpp>
#include <c2f/loss/log_l1.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace c2f {

namespace detail {
template <std::int64_t Classes>
consteval bool check_boxes() {
  static_assert(Classes >= 1, "c2f::boxes needs one class or more; write c2f::boxes<1> for one box an image");
  return true;
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
  static constexpr bool has_boxes       = true;  ///< required by rasterize and log_l1
  template <shape In>
  using output          = vector<4 * (Classes < 1 ? 1 : Classes)>;
  using truth_value     = float;
  using default_encoder = encode::rasterize<>;
  using default_loss    = loss::log_l1;
  template <image_shape In>
  static constexpr std::array<std::int64_t, 2> truth_dims{Classes, 5};

  static at::Tensor predict(at::Tensor const& raw) { return raw.sigmoid().view({raw.size(0), Classes, 4}); }
  static at::Tensor from_truth(at::Tensor const& truth) {
    at::Tensor const present = truth.narrow(2, 4, 1);
    return at::cat({truth.narrow(2, 0, 2), truth.narrow(2, 2, 2).mul(present)}, 2);
  }

  /// The mean over the classes of the IoU of the two boxes, [N].
  static at::Tensor agreement(at::Tensor const& a, at::Tensor const& b) { return detail::iou_of_boxes(predict(a), predict(b)).mean(1); }

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
  /// longer side) is within 10 % of the true one (Ren et al. 2020, sections 4.1.2 and 4.1.3).
  struct score {
    std::int64_t samples = 0, present = 0, overlapping = 0, right_scale = 0;
    double iou = 0;

    void add(at::Tensor const& raw, at::Tensor const& truth) {
      at::Tensor const predicted = predict(raw.to(at::kFloat)), is_present = truth.select(2, 4).gt(0.5);
      at::Tensor const each  = detail::iou_of_boxes(predicted, truth).masked_select(is_present);
      auto const longer      = [](at::Tensor const& box) { return at::maximum(box.select(2, 2), box.select(2, 3)); };
      at::Tensor const ratio = longer(predicted).div(longer(truth).clamp_min(1e-12)).masked_select(is_present);
      samples += truth.size(0);
      present += each.size(0);
      iou += each.sum(at::kDouble).template item<double>();
      overlapping += each.ge(0.5).sum().template item<std::int64_t>();
      right_scale += ratio.sub(1).abs().le(0.1).sum().template item<std::int64_t>();
    }
    /// Name and value of each metric, the primary metric first.
    [[nodiscard]] std::array<std::pair<char const*, double>, 3> values() const {
      double const all = static_cast<double>(std::max<std::int64_t>(present, 1));
      return {{{"iou", iou / all}, {"acc50", static_cast<double>(overlapping) / all}, {"scale10", static_cast<double>(right_scale) / all}}};
    }
  };
};

}  // namespace c2f
