// c2f/loss/hardest.hpp: the cross-entropy of the hardest pixels: online hard example mining (OHEM).
//
//   using loss = c2f::loss::hardest<0.2>;          // of the fifth of the pixels that have the largest losses
//   using loss = c2f::loss::hardest<0.2, 11>;      // for c2f::dense<11, 11>, whose label 11 is ignored
//
// raw [N, K, H, W], truth [N, H, W] int64 -> a scalar, in nats: the mean over the pixels of a batch whose cross-entropy is at least that of
// the k-th hardest one, k being `Fraction` of the pixels that are not ignored, rounded up. So equal losses are in or out together, and the
// order of the pixels does not matter. A batch of ignored pixels has loss 0 and gradient 0. Computed in float for every element type of raw.
// For c2f::dense with several classes and the same ignored label (`serves`). Cost: the cross-entropy and one top-k.
// Errors: a fraction outside of (0, 1] is a compile error.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/loss/pixel_cross_entropy.hpp>

#include <ATen/ops/topk.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace c2f::loss {

template <auto Fraction, std::int64_t Ignore = 255>
struct hardest : c2f::detail::static_check<detail::check_hardest_fraction<Fraction>()> {
  template <class Kind>
  static constexpr bool serves = requires {
    requires labelled_kind<Kind, Ignore>;
    requires Kind::classes >= 2;
  };

  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    constexpr double fraction = Fraction;
    at::Tensor const losses   = detail::pixel_cross_entropy(raw, truth, Ignore).flatten();
    at::Tensor const counted  = truth.ne(Ignore).flatten();
    // The number of pixels that count is known on the device only, so the k-th of the largest losses is looked up there. Ignored pixels have
    // loss 0, and are behind those that count.
    auto const most           = std::max<std::int64_t>(1, std::llround(std::ceil(fraction * static_cast<double>(losses.numel()))));
    at::Tensor const sorted   = std::get<0>(losses.detach().topk(std::min(most, losses.numel())));
    at::Tensor const kth      = counted.sum().to(at::kDouble).mul(fraction).ceil().to(at::kLong).sub(1).clamp_min(0);
    at::Tensor const chosen   = losses.detach().ge(sorted.take(kth)).logical_and(counted);
    return losses.mul(chosen).sum().div(chosen.sum().clamp_min(1));
  }
};

}  // namespace c2f::loss
