// c2f/parts/share.hpp: what the coarse and the fine network share.
//
//   using share = c2f::share::nothing;               // two networks (default, Ren et al. 2020)
//   using share = c2f::share::features<backbone>;    // both read the same features, computed once (CasNet)
//   using share = c2f::share::weights;               // one network, two passes
//   using share = c2f::share::backbone<backbone>;    // one backbone, two passes, a head for each (Coarse2Fine)
//   using share = c2f::share::ending<c2f::relu>;     // two networks that end in the same layers (the recursive feature pyramid)
//
// With shared features, the input of the task's networks is the backbone's output, and so is what the fuse joins with z. With a shared
// backbone it is, too, but the fuse joins z with the image, whose shape it must keep, and the backbone runs again. With shared weights the
// fuse must keep the shape. With a shared ending the kinds of the networks are what the ending gives.
// Errors: a choice that does not fit the input or the fuse is a compile error (task/check.hpp).
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/layers/plain.hpp>

namespace c2f {

/// Requires: `on<In>`, a network; `one_network`, whether coarse and fine network are the same. Optional: `twice`, whether it runs once for
/// each network; `end`, an architecture for the outputs of both networks.
template <class S, class In>
concept share_on = architecture_on<S, In> && requires {
  { S::one_network } -> std::convertible_to<bool>;
};

namespace detail {
template <class Share>
inline constexpr bool runs_twice = requires { requires Share::twice; };
template <class Share>
concept has_ending = requires { typename Share::end; };
}  // namespace detail

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

/// Two networks on the output of `Backbone`, which runs on the image for the coarse and on the fused image for the fine one.
template <class Backbone>
struct backbone : features<Backbone> {
  static constexpr bool twice = true;
};

/// Two networks whose outputs go through the same `Ending`.
template <class Ending>
struct ending : identity {
  static constexpr bool one_network = false;
  using end                         = Ending;
};

/// One network for both passes.
struct weights : identity {
  static constexpr bool one_network = true;
};

}  // namespace share
}  // namespace c2f
