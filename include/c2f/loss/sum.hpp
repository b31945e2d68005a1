// c2f/loss/sum.hpp: a weighted sum of losses of one raw output.
//
//   using loss = c2f::loss::sum<c2f::loss::dice<>, c2f::loss::weighted<c2f::loss::masked_cross_entropy<>, 0.5>>;
//
// of(raw, truth) is a scalar; shapes and units are those of the losses. A sum supports the kinds that all of its losses support.
#pragma once

#include <ATen/core/Tensor.h>

namespace c2f::loss {

namespace detail {
template <class Loss, class Kind>
consteval bool serves() {
  if constexpr (requires { Loss::template serves<Kind>; })
    return Loss::template serves<Kind>;
  else
    return true;
}
}  // namespace detail

/// `Weight` times a loss.
template <class Loss, auto Weight>
struct weighted {
  template <class Kind>
  static constexpr bool serves = detail::serves<Loss, Kind>();
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) { return Loss::of(raw, truth).mul(static_cast<double>(Weight)); }
};

/// The sum of the losses.
template <class First, class... Rest>
struct sum {
  template <class Kind>
  static constexpr bool serves = (detail::serves<First, Kind>() && ... && detail::serves<Rest, Kind>());
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    at::Tensor value = First::of(raw, truth);
    ((value = value.add(Rest::of(raw, truth))), ...);
    return value;
  }
};

}  // namespace c2f::loss
