// c2f/loss/pixel_cross_entropy.hpp: the cross-entropy of each pixel, for losses that choose or weigh pixels.
//
//   at::Tensor const losses = c2f::loss::detail::pixel_cross_entropy(raw, truth, 255);      // [N, H, W], 0 where truth is 255
//
// raw [N, K, H, W], truth [N, H, W] int64. Computed in float, over rows of classes: ATen's cross-entropy of maps has no deterministic
// implementation on a GPU, and copies maps in channels_last. Cost: one pass, and a copy of raw that is not in channels_last.
#pragma once

#include <c2f/core/static_check.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/cross_entropy_loss.h>

#include <cstdint>

namespace c2f::loss::detail {

template <auto Fraction>
consteval bool check_hardest_fraction() {
  static_assert(Fraction > 0 && Fraction <= 1,
                "a loss of the hardest pixels needs a fraction of them above 0 and up to 1; write c2f::loss::hardest<0.2>");
  return true;
}

inline at::Tensor pixel_cross_entropy(at::Tensor const& raw, at::Tensor const& truth, std::int64_t ignore) {
  return at::cross_entropy_loss(raw.to(at::kFloat).permute({0, 2, 3, 1}).flatten(0, 2), truth.flatten(), {}, at::Reduction::None, ignore)
      .view(truth.sizes());
}

}  // namespace c2f::loss::detail
