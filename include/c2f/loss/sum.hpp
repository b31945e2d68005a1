// c2f/loss/sum.hpp: a weighted sum of losses of one raw output.
//
//   using loss = c2f::loss::sum<c2f::loss::dice<>, c2f::loss::weighted<c2f::loss::masked_cross_entropy<>, 0.5>>;
//
// of(raw, truth) is a scalar; shapes and units are those of the losses. A sum supports the kinds that all of its losses support.
#pragma once

#include <c2f/core/kind.hpp>

#include <ATen/core/Tensor.h>

namespace c2f::loss {

/// `Weight` times a loss.
template <class Loss, auto Weight>
struct weighted {
  template <class Kind>
  static constexpr bool serves = serves_kind<Loss, Kind>;
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) { return Loss::of(raw, truth).mul(static_cast<double>(Weight)); }
};

/// The sum of the losses.
template <class First, class... Rest>
struct sum {
  template <class Kind>
  static constexpr bool serves = (serves_kind<First, Kind> && ... && serves_kind<Rest, Kind>);
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
    at::Tensor value = First::of(raw, truth);
    ((value = value.add(Rest::of(raw, truth))), ...);
    return value;
  }
};

}  // namespace c2f::loss
