// c2f/loss/masked_cross_entropy.hpp: the negative log-likelihood of the true class, mean over the pixels that are not ignored.
//
//   c2f::loss::masked_cross_entropy<255>::of(raw, truth);       // raw [N, K, H, W], truth [N, H, W] int64 -> a scalar, in nats
//
// Of the softmax, or of the sigmoid if K is 1. Pixels with truth `Ignore` are ignored; a batch of only such pixels has loss 0 and
// gradient 0. Computed in float for every element type of raw. For c2f::dense with the same ignored label (`serves`).
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/execution/try_fused.hpp>

#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cross_entropy_loss.h>

#include <cstdint>

namespace c2f::loss {

template <std::int64_t Ignore = 255>
struct masked_cross_entropy {
  template <class Kind>
  static constexpr bool serves = labelled_kind<Kind, Ignore>;

  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    if (at::Tensor loss = try_fused::map_cross_entropy(raw, truth, Ignore); loss.defined()) return loss;
    at::Tensor const counted = truth.ne(Ignore), logits = raw.to(at::kFloat);
    // Many classes in channels_last: as rows of classes, since ATen would copy the map to the other format, and its gradient back.
    if (logits.size(1) >= 16 && logits.is_contiguous(at::MemoryFormat::ChannelsLast))
      return at::cross_entropy_loss(logits.permute({0, 2, 3, 1}).flatten(0, 2), truth.flatten(), {}, at::Reduction::Sum, Ignore)
          .div(counted.sum().clamp_min(1));
    at::Tensor const sum = raw.size(1) == 1 ? at::binary_cross_entropy_with_logits(logits.select(1, 0), truth.eq(1).to(at::kFloat),
                                                                                   counted.to(at::kFloat), {}, at::Reduction::Sum)
                                            : at::cross_entropy_loss(logits, truth, {}, at::Reduction::Sum, Ignore);
    return sum.div(counted.sum().clamp_min(1));
  }
};

}  // namespace c2f::loss
