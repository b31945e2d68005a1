// c2f/parts/encoder.hpp: what g is, and no g at all.
//
//   struct my_encoder {
//     template <c2f::output_kind Kind, c2f::image_shape Like> struct on {
//       using output = Like;                                                    // the shape of z
//       at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, c2f::pass&) const;   // y: a prediction, x: what z will meet
//       C2F_MEMBERS();
//     };
//   };
//
// x is there for its size, its number type and its content (an attention map needs it); an encoder may add a loss to the pass.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/kind.hpp>
#include <c2f/core/pass.hpp>

namespace c2f {

/// The shape of the z that is not there.
struct no_map {};

/// Requires: `on<Kind, Like>` with `output` (an image shape or no_map) and `g(y, x, pass)`, a tensor.
template <class E, class Kind, class Like>
concept encoder_on = requires(typename E::template on<Kind, Like> const& g, at::Tensor const& tensor, pass& p) {
  typename E::template on<Kind, Like>::output;
  { g(tensor, tensor, p) } -> std::convertible_to<at::Tensor>;
};

namespace encode {
/// No z: the fine network sees what the coarse network sees (CasNet).
struct none {
  template <class Kind, shape Like>
  struct on {
    using output = no_map;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const&, at::Tensor const&, pass&) const { return {}; }
  };
};
}  // namespace encode

}  // namespace c2f
