// c2f/loss/log_l1.hpp: the distance of two boxes in the logarithm of their numbers.
//
//   c2f::loss::log_l1::of(raw, truth)        raw [N, 4K], truth [N, K, 5] -> a scalar
//
// The sum over the four numbers of |log prediction - log truth|, the mean over the boxes that are there: "individually compared with
// the ground-truth using the log-scale l1-norm and summed up" (Ren et al. 2020, section 4.1.1). The prediction is the sigmoid of raw, so its
// logarithm is taken of raw directly and is finite wherever raw is. Classes that are absent count nothing; a batch without any box
// has loss 0. Truths below 1e-4 of the image are taken for 1e-4. Computed in float whatever the raw numbers' type.
#pragma once

#include <ATen/ops/log_sigmoid.h>

#include <cstdint>

namespace c2f::loss {

struct log_l1 {
  template <class Kind>
  static constexpr bool serves = requires { requires Kind::has_boxes; };

  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    at::Tensor const there = truth.narrow(2, 4, 1);
    at::Tensor const distance =
        at::log_sigmoid(raw.to(at::kFloat)).view({truth.size(0), truth.size(1), 4}).sub(truth.narrow(2, 0, 4).clamp_min(1e-4).log()).abs();
    return distance.mul(there).sum().div(there.sum().clamp_min(1));
  }
};

}  // namespace c2f::loss
