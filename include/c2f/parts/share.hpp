// c2f/parts/share.hpp: what the coarse and the fine network share.
//
//   using share = c2f::share::nothing;               // two networks (default, Ren et al. 2020)
//   using share = c2f::share::features<backbone>;    // both read the same features, computed once (CasNet)
//   using share = c2f::share::weights;               // one network, two passes (Coarse2Fine)
//
// With shared features, the input of the task's networks is the backbone's output. With shared weights, the fuse must keep the shape.
// Errors: a choice that does not fit the input or the fuse is a compile error (task/check.hpp).
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/layers/plain.hpp>

namespace c2f {

/// Requires: `on<In>`, a network; `one_network`, whether coarse and fine network are the same.
template <class S, class In>
concept share_on = architecture_on<S, In> && requires {
  { S::one_network } -> std::convertible_to<bool>;
};

namespace share {

/// Two separate networks on the image.
struct nothing : identity {
  static constexpr bool one_network = false;
};

/// Two networks on the output of `Backbone`.
template <class Backbone>
struct features {
  static constexpr bool one_network = false;
  template <shape In>
  using on = network_on<Backbone, In>;
};

/// One network for both passes.
struct weights : identity {
  static constexpr bool one_network = true;
};

}  // namespace share
}  // namespace c2f
