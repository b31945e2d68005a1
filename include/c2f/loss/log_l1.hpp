// c2f/loss/log_l1.hpp: the L1 distance of the logarithms of two boxes.
//
//   c2f::loss::log_l1::of(raw, truth);       // raw [N, 4] or [N, 5K], truth [N, K, 5] -> a scalar
//
// The sum over the four numbers of |log prediction - log truth|, the mean over the boxes that are present: "individually compared with
// the ground-truth using the log-scale l1-norm and summed up" (Ren et al. 2020, section 4.1.1). The prediction is the sigmoid of raw; its
// logarithm is computed from raw directly and is finite wherever raw is. Absent classes are ignored; a batch without any box has loss 0.
// Truths are clamped to at least 1e-4 of the image. Computed in float for every element type of raw.
#pragma once

#include <ATen/ops/log_sigmoid.h>

#include <cstdint>

namespace c2f::loss {

struct log_l1 {
  template <class Kind>
  static constexpr bool serves = requires { requires Kind::has_boxes; };

  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    at::Tensor const present  = truth.narrow(2, 4, 1);
    at::Tensor const box      = raw.to(at::kFloat).view({truth.size(0), truth.size(1), -1}).narrow(2, 0, 4);
    at::Tensor const distance = at::log_sigmoid(box).sub(truth.narrow(2, 0, 4).clamp_min(1e-4).log()).abs();
    return distance.mul(present).sum().div(present.sum().clamp_min(1));
  }
};

}  // namespace c2f::loss
