// c2f/fuse/fuse.hpp: how z meets x; its output is what the fine network stands on.
//
//   using fuse = c2f::fuse::concatenate;     // x beside z: the fine network reads twice the channels (default, paper 000)
//   using fuse = c2f::fuse::multiply;        // x times z: the fine network reads what the coarse one reads
//
// [N, C, H, W] and z [N, C', H, W] -> [N, C + C', H, W] (concatenate) or [N, C, H, W] (multiply; C' = C or 1). One copy of x.
#pragma once

#include <c2f/encode/encoder.hpp>

#include <ATen/ops/cat.h>

namespace c2f {

/// Requires: `on<X, Z>` with `output` (a shape) and `fuse(x, z, pass)`, a tensor.
template <class F, class X, class Z>
concept fuse_on = requires(typename F::template on<X, Z> const& joined, at::Tensor const& tensor, pass& p) {
  requires shape<typename F::template on<X, Z>::output>;
  { joined(tensor, tensor, p) } -> std::convertible_to<at::Tensor>;
};

namespace fuse {

struct concatenate {
  template <class X, class Z>
  struct on;

  template <image_shape X, image_shape Z>
    requires same_size<X, with_channels<Z, X::channels>>
  struct on<X, Z> {
    using output = widen<X, Z::channels>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, at::Tensor const& z, pass&) const { return at::cat({x, z}, 1); }
  };

  template <shape X>
  struct on<X, no_map> {
    using output = X;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, at::Tensor const&, pass&) const { return x; }
  };
};

struct multiply {
  template <class X, class Z>
  struct on;

  template <image_shape X, image_shape Z>
    requires(same_size<X, with_channels<Z, X::channels>> && (Z::channels == X::channels || Z::channels == 1))
  struct on<X, Z> {
    using output = X;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, at::Tensor const& z, pass&) const { return x.mul(z); }
  };
};

}  // namespace fuse
}  // namespace c2f
