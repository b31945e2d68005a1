// c2f/parts/encoder.hpp: the concept of an encoder g, which turns a prediction into the map z; and encode::none.
//
//   struct my_encoder {
//     template <c2f::output_kind Kind, c2f::image_shape Like> struct on {
//       using output = Like;                                                    // the shape of z
//       at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, c2f::pass&) const;   // y: a prediction, x: the image or features
//       C2F_MEMBERS();
//     };
//   };
//
// z has the size and element type of x; an encoder may also read the values of x (attention). An encoder may add a loss to the pass.
//
// The encoders: encode_tile.hpp (class vectors), encode_rasterize.hpp (boxes), encode_dense.hpp (maps), encode_saliency.hpp (RSTN).
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/kind.hpp>
#include <c2f/core/pass.hpp>

namespace c2f {

/// The output of an encoder that produces no z.
struct no_map {};

namespace detail {
template <class Kind, class Like>
using raw_of = value_of<typename Kind::template output<Like>>;
template <class Z>
struct value_of_map {
  using type = value_of<Z>;
};
template <>
struct value_of_map<no_map> {
  using type = at::Tensor;
};
}  // namespace detail

/// Requires: `on<Kind, Like>` with `output` (a shape or no_map) and `g(y, x, pass)`, its value (undefined for no_map). `In`: the input of
/// the stack, where x is a map of features.
template <class E, class Kind, class Like, class In = Like>
concept encoder_on =
    requires(typename E::template on<Kind, Like> const& g, detail::raw_of<Kind, In> const& y, value_of<Like> const& x, pass& p) {
      { g(y, x, p) } -> std::convertible_to<typename detail::value_of_map<typename E::template on<Kind, Like>::output>::type>;
    };

namespace encode {
/// No z: the fine network reads the same input as the coarse network (CasNet).
struct none {
  template <class Kind, shape Like>
  struct on {
    using output = no_map;
    C2F_MEMBERS();
    template <class Y, class X>
    at::Tensor operator()(Y const&, X const&, pass&) const {
      return {};
    }
  };
};
}  // namespace encode

}  // namespace c2f
