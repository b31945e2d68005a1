// c2f/loss/weighted.hpp: squared and absolute errors with a weight for every pixel.
//
//   using loss = c2f::loss::weighted_squared;      // mean over weights of (raw - value)^2
//   using loss = c2f::loss::weighted_absolute;     // of |raw - value|
//
// raw [N, C, H, W], truth [N, C + 1, H, W]: C values, and the weight of the pixel, 0 or more -> a scalar: the errors, summed over the
// channels and weighted, divided by the sum of the weights of the batch; 0 if that is 0. For c2f::field (kinds/field.hpp). Computed in float.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace c2f::loss {

namespace detail {
/// errors [N, C, H, W], weights [N, 1, H, W].
inline at::Tensor weighted_mean(at::Tensor const& errors, at::Tensor const& weights) {
  return errors.mul(weights).sum().div(weights.sum().clamp_min(1e-6));
}
inline at::Tensor difference(at::Tensor const& raw, at::Tensor const& truth) {
  return raw.to(at::kFloat).sub(truth.narrow(1, 0, raw.size(1)));
}
template <class Kind>
inline constexpr bool has_weights = requires { requires Kind::weighted; };
}  // namespace detail

struct weighted_squared {
  template <class Kind>
  static constexpr bool serves = detail::has_weights<Kind>;
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    return detail::weighted_mean(detail::difference(raw, truth).square(), truth.narrow(1, raw.size(1), 1));
  }
};

struct weighted_absolute {
  template <class Kind>
  static constexpr bool serves = detail::has_weights<Kind>;
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    return detail::weighted_mean(detail::difference(raw, truth).abs(), truth.narrow(1, raw.size(1), 1));
  }
};

}  // namespace c2f::loss
