// c2f/loss/distance.hpp: distances of predicted numbers from true ones, mean over those that are known.
//
//   using loss = c2f::loss::smooth_l1<>;        // the default of c2f::regression: squared below 1, absolute above
//   using loss = c2f::loss::smooth_l1<0.1>;     // squared below .1
//   using loss = c2f::loss::l1;                 // |raw - truth|
//   using loss = c2f::loss::mse;                // (raw - truth)^2
//
// raw, truth [N, D] -> a scalar, as PyTorch's l1_loss, mse_loss and smooth_l1_loss with reduction="mean". A truth of NaN is unknown and left
// out; a batch without a known number has loss 0 and gradient 0. Computed in float, or in double if raw is.
// For c2f::regression (`serves`). Errors: a beta that is not above 0 is a compile error.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/static_check.hpp>

#include <ATen/ops/smooth_l1_loss.h>
#include <ATen/ops/zeros_like.h>

namespace c2f::loss {

namespace detail {
template <auto Beta>
consteval bool check_beta() {
  static_assert(Beta > 0, "c2f::loss::smooth_l1 needs a distance above 0 at which it becomes linear; write c2f::loss::smooth_l1<1.0>");
  return true;
}
template <class Kind>
inline constexpr bool has_numbers = requires { Kind::dimensions; };

/// The mean of distance(difference) over the known numbers.
template <class Distance>
at::Tensor mean_distance(at::Tensor const& raw, at::Tensor const& truth, Distance const& distance) {
  at::Tensor const x = raw.to(c2f::detail::wide(raw)), unknown = truth.ne(truth);
  // Unknown ones are replaced before the difference, so that their gradient is 0 and not NaN.
  at::Tensor const off = x.sub(truth.to(x.scalar_type())).masked_fill(unknown, 0);
  return distance(off).sum().div(unknown.logical_not().sum().clamp_min(1));
}
}  // namespace detail

/// The absolute difference.
struct l1 {
  template <class Kind>
  static constexpr bool serves = detail::has_numbers<Kind>;
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    return detail::mean_distance(raw, truth, [](at::Tensor const& off) { return off.abs(); });
  }
};

/// The squared difference.
struct mse {
  template <class Kind>
  static constexpr bool serves = detail::has_numbers<Kind>;
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    return detail::mean_distance(raw, truth, [](at::Tensor const& off) { return off.square(); });
  }
};

/// d^2 / (2 Beta) for differences d below Beta, |d| - Beta / 2 above (Girshick, Fast R-CNN, ICCV 2015, with Beta 1).
template <auto Beta = 1.0>
struct smooth_l1 : c2f::detail::static_check<detail::check_beta<Beta>()> {
  template <class Kind>
  static constexpr bool serves = detail::has_numbers<Kind>;
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    return detail::mean_distance(raw, truth, [](at::Tensor const& off) {
      return at::smooth_l1_loss(off, at::zeros_like(off), at::Reduction::None, static_cast<double>(Beta));
    });
  }
};

}  // namespace c2f::loss
