// c2f/loss/relative_depth.hpp: scale-invariant logarithmic error plus relative error of depth maps (Qiao et al. 2021, eq. 7.4).
//
//   using loss = c2f::loss::relative_depth;      // the default of c2f::depth_map
//
// With e = ln d - ln d^ over the pixels of an image with a known depth d: mean e^2 - (mean e)^2 + sqrt(mean ((d - d^) / d)^2); the mean over
// the images that have one. A depth of 0 is unknown; a batch without any has loss 0 and gradient 0. Computed in float or double.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/where.h>

namespace c2f::loss {

struct relative_depth {
  template <class Kind>
  static constexpr bool serves = requires { requires Kind::is_depth; };

  /// depth and truth: [N, 1, H, W] in one unit.
  static at::Tensor of_depths(at::Tensor const& depth, at::Tensor const& truth) {
    at::Tensor const known = truth.gt(0), count = known.sum({1, 2, 3}).to(truth.scalar_type());
    auto const mean    = [&](at::Tensor const& map) { return map.sum({1, 2, 3}).div(count.clamp_min(1)); };
    // The unknown ones are replaced before the logarithm, so that their gradient is 0 and not NaN.
    at::Tensor const d = at::where(known, truth, 1), found = at::where(known, depth.clamp_min(least), 1);
    at::Tensor const e   = d.log().sub(found.log());
    at::Tensor const all = mean(e.square()).sub(mean(e).square()).add(mean(d.sub(found).div(d).square()).clamp_min(1e-12).sqrt());
    at::Tensor const has = count.gt(0);
    return all.mul(has).sum().div(has.sum().clamp_min(1));
  }
  template <class Kind>
  static at::Tensor of_kind(at::Tensor const& raw, at::Tensor const& truth) {
    return of_depths(Kind::predict(raw.scalar_type() == at::kDouble ? raw : raw.to(at::kFloat)), truth);
  }
  static constexpr double least = 1e-3;  ///< a predicted depth of 0 has no logarithm
};

}  // namespace c2f::loss
