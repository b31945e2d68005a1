// c2f/loss/weighted_hardest.hpp: the weighted cross-entropy of the hardest pixels, as DeepLab's panoptic networks are trained on.
//
//   using loss = c2f::loss::weighted_hardest<0.2, 255>;      // of the fifth of the pixels whose weighted losses are largest
//
// raw [N, K, H, W], truth float [N, 2, H, W]: classes, and weights -> a scalar, in nats: the mean of the `Fraction` largest weighted
// cross-entropies of the batch, rounded down, over those that are not 0. An ignored pixel has loss 0. For c2f::weighted_dense. Cost: the
// cross-entropy and one top-k. Errors: a fraction outside of (0, 1] is a compile error. loss/hardest.hpp is that without weights, whose
// fraction is of the pixels that are not ignored.
#pragma once

#include <c2f/loss/pixel_cross_entropy.hpp>

#include <ATen/ops/topk.h>

#include <algorithm>
#include <cstdint>

namespace c2f::loss {

template <auto Fraction, std::int64_t Ignore = 255>
struct weighted_hardest : c2f::detail::static_check<detail::check_hardest_fraction<Fraction>()> {
  template <class Kind>
  static constexpr bool serves = requires {
    requires Kind::weighted;
    requires Kind::ignore == Ignore;
  };

  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    at::Tensor const each    = detail::pixel_cross_entropy(raw, truth.select(1, 0).to(at::kLong), Ignore).mul(truth.select(1, 1)).flatten();
    auto const most          = std::max<std::int64_t>(1, static_cast<std::int64_t>(Fraction * static_cast<double>(each.numel())));
    at::Tensor const hardest = std::get<0>(each.topk(most));
    return hardest.sum().div(hardest.detach().gt(0).sum().clamp_min(1));
  }
};

}  // namespace c2f::loss
