// c2f/core/architecture.hpp: architectures, and the networks they become on a shape.
//
//   struct my_layer {                                     // an architecture
//     template <c2f::shape In> struct on {                // the network it becomes on inputs of shape In
//       using output = In;                                // its output shape, known at compile time
//       at::Tensor operator()(at::Tensor const& x, c2f::mode) const { return x; }
//       C2F_MEMBERS();                                    // its parameters, buffers and inner networks
//     };
//   };
//   auto net = c2f::make_network<my_layer, c2f::image<3, 32, 32>>(seed);
//
// A network on several maps (c2f::maps) takes and returns a std::array of tensors, one for each.
//
// The fine network of a stack is by default the coarse architecture on an input with more channels: only the first layer's weight has
// another shape.
#pragma once

#include <c2f/core/mode.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/core/visit.hpp>

#include <array>
#include <concepts>

namespace c2f {

/// The network that an architecture becomes on inputs of a shape.
template <class Architecture, shape In>
using network_on = typename Architecture::template on<In>;

namespace detail {
template <class S>
struct value_of_shape {
  using type = at::Tensor;
};
template <class... S>
struct value_of_shape<maps<S...>> {
  using type = std::array<at::Tensor, sizeof...(S)>;
};
}  // namespace detail
/// What has a shape: a tensor; an array of tensors for several maps.
template <class S>
using value_of = typename detail::value_of_shape<S>::type;

/// Requires: `output`, a shape; `net(x, mode)`, its value (a tensor, or an array for several maps); parameters that c2f can see (C2F_MEMBERS
/// or each_member). `In`: the shape of x.
template <class Net, class In = image<1, 1, 1>>
concept network = shape<typename Net::output> && requires(Net const& net, value_of<In> const& x) {
  { net(x, eval) } -> std::convertible_to<value_of<typename Net::output>>;
};

/// Requires: `on<In>`, a network, for every shape it accepts.
template <class A, class In>
concept architecture_on = shape<In> && network<network_on<A, In>, In>;

/// The network on a shape, with the initial values of `seed`.
template <class Architecture, shape In>
  requires architecture_on<Architecture, In>
[[nodiscard]] network_on<Architecture, In> make_network(std::uint64_t seed = 0) {
  network_on<Architecture, In> net;
  initialize(net, seed);
  return net;
}

}  // namespace c2f
