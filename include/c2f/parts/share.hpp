// c2f/parts/share.hpp: what the coarse and the fine network have in common.
//
//   using share = c2f::share::nothing;               // two networks (default, Ren et al. 2020)
//   using share = c2f::share::features<backbone>;    // both stand on the same features, computed once (CasNet)
//   using share = c2f::share::weights;               // one network, two passes (Coarse2Fine)
//
// With shared features the task's networks stand on the backbone's output. With shared weights the fuse must keep the shape.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/layers/plain.hpp>

namespace c2f {

/// Requires: `on<In>`, a network; `one_network`, whether the fine network is the coarse one.
template <class S, class In>
concept share_on = architecture_on<S, In> && requires {
  { S::one_network } -> std::convertible_to<bool>;
};

namespace share {

struct nothing : identity {
  static constexpr bool one_network = false;
};

template <class Backbone>
struct features {
  static constexpr bool one_network = false;
  template <shape In>
  using on = network_on<Backbone, In>;
};

struct weights : identity {
  static constexpr bool one_network = true;
};

}  // namespace share
}  // namespace c2f
