// c2f/loss/cross_entropy.hpp: the negative log-likelihood of the true class, mean over the batch.
//
//   c2f::loss::cross_entropy::of(logits, truth)        logits [N, K], truth [N] int64 -> a scalar, in nats
//
// For kinds whose answer is a vector of classes (`serves`); loss/masked_cross_entropy.hpp is for maps. Computed in float whatever the
// logits' number type.
#pragma once

#include <c2f/execution/fused_operations.hpp>
#include <c2f/core/kind.hpp>

#include <ATen/ops/cross_entropy_loss.h>

#include <cstdint>

namespace c2f::loss {

struct cross_entropy {
  template <class Kind>
  static constexpr bool serves = distribution<Kind> && vector_shape<typename Kind::template output<image<1, dynamic, dynamic>>>;
  static at::Tensor of(at::Tensor const& logits, at::Tensor const& truth) {
    if (auto const* const table = fused_for(logits); table != nullptr && table->map_cross_entropy != nullptr && at_once(logits, truth))
      return table->map_cross_entropy(logits.unsqueeze(2).unsqueeze(3), truth.unsqueeze(1).unsqueeze(2), no_class);
    return at::cross_entropy_loss(logits.to(at::kFloat), truth, {}, at::Reduction::Mean, no_class);
  }

 private:
  static constexpr std::int64_t no_class = -100;  ///< the truth of a sample that counts nothing
  // What is wrong with the others is ATen's to say.
  static bool at_once(at::Tensor const& logits, at::Tensor const& truth) {
    return logits.dim() == 2 && truth.dim() == 1 && logits.size(0) == truth.size(0) && truth.scalar_type() == at::kLong &&
           truth.device() == logits.device();
  }
};

}  // namespace c2f::loss
