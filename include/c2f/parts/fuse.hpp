// c2f/parts/fuse.hpp: how x and z become the input of the fine network.
//
//   using fuse = c2f::fuse::concatenate;     // x concatenated with z: twice the input channels (default, Ren et al. 2020)
//   using fuse = c2f::fuse::multiply;        // x times z: the input shape of the coarse network
//   using fuse = c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<20>>;   // in sequence (RSTN)
//
// x [N, C, H, W] and z [N, C', H, W] -> [N, C + C', H, W] (concatenate) or [N, C, H, W] (multiply; C' = C or 1). Cost: the result
// is written once.
// Errors: shapes that cannot be joined are a compile error (task/check.hpp).
//
// A fuse that moves pixels (parts/fuse_crop.hpp) returns a struct that converts to the joined tensor and has `undo(raw, joined)`, which
// maps the fine network's raw output back to the image before the loss or metrics read it.
#pragma once

#include <c2f/execution/broadcast_map.hpp>
#include <c2f/execution/try_fused.hpp>
#include <c2f/parts/encoder.hpp>

#include <ATen/ops/cat.h>

namespace c2f {

/// Requires: `on<X, Z>` with `output` (a shape) and `fuse(x, z, pass)`, its value.
template <class F, class X, class Z>
concept fuse_on =
    requires(typename F::template on<X, Z> const& joined, value_of<X> const& x, typename detail::value_of_map<Z>::type const& z, pass& p) {
      requires shape<typename F::template on<X, Z>::output>;
      { joined(x, z, p) } -> std::convertible_to<value_of<typename F::template on<X, Z>::output>>;
    };

namespace detail {
/// The fine network's raw output, mapped back to the image's coordinates if the fuse moves pixels.
template <class Fuse, class Raw, class Joined>
Raw undone(Fuse const& fuse, Raw const& raw, Joined const& joined) {
  if constexpr (requires { fuse.undo(raw, joined); })
    return fuse.undo(raw, joined);
  else
    return raw;
}
}  // namespace detail

namespace fuse {

/// x concatenated with z along the channels; x alone if the encoder produces no z.
struct concatenate {
  template <class X, class Z>
  struct on;

  template <image_shape X, image_shape Z>
    requires same_size<X, with_channels<Z, X::channels>>
  struct on<X, Z> {
    using output = widen<X, Z::channels>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, at::Tensor const& z, pass&) const { return at::cat({x, z}, 1); }
    /// x concatenated with z, given z before its interior is broadcast (parts/encode_tile.hpp).
    at::Tensor concat_broadcast(at::Tensor const& x, at::Tensor const& tiny) const {
      if (at::Tensor joined = try_fused::concat_broadcast(x, tiny); joined.defined()) return joined;
      return at::cat({x, broadcast_interior(tiny, x.size(2), x.size(3), x.suggest_memory_format())}, 1);
    }
  };

  template <shape X>
  struct on<X, no_map> {
    using output = X;
    C2F_MEMBERS();
    value_of<X> operator()(value_of<X> const& x, at::Tensor const&, pass&) const { return x; }
  };
};

/// x times z, element by element.
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

namespace detail {
/// A fuse that moves pixels: a map of the image's size cannot be joined with what it gives.
template <class Fuse>
concept moves_pixels = requires(Fuse const& fuse, at::Tensor const& tensor, pass& p) { fuse.undo(tensor, fuse(tensor, tensor, p)); };
}  // namespace detail

/// `Second` applied to the result of `First`; raw outputs are mapped back in reverse order. `First` moves no pixels, unless there is no z.
template <class First, class Second>
struct in_turn {
  template <class Kind>
  static constexpr bool serves = serves_kind<First, Kind> && serves_kind<Second, Kind>;

  template <class X, class Z>
    requires fuse_on<First, X, Z> && fuse_on<Second, typename First::template on<X, Z>::output, Z> &&
             (std::same_as<Z, no_map> || !detail::moves_pixels<typename First::template on<X, Z>>)
  struct on {
    using first_fuse  = typename First::template on<X, Z>;
    using second_fuse = typename Second::template on<typename first_fuse::output, Z>;
    using output      = typename second_fuse::output;

    first_fuse first;
    second_fuse second;
    C2F_MEMBERS(first, second);

    struct both {
      decltype(std::declval<first_fuse const&>()(at::Tensor(), at::Tensor(), std::declval<pass&>())) inner;
      decltype(std::declval<second_fuse const&>()(at::Tensor(), at::Tensor(), std::declval<pass&>())) outer;
      operator at::Tensor const&() const { return outer; }
    };
    both operator()(at::Tensor const& x, at::Tensor const& z, pass& p) const {
      // Only the crop of the product is needed, so the product is computed inside of the crop.
      if constexpr (std::same_as<First, multiply> && requires { requires c2f::detail::own_member<&second_fuse::of_product, second_fuse>; })
        return {{}, second.of_product(x, z, p)};
      auto inner = first(x, z, p);
      auto outer = second(inner, z, p);
      return {std::move(inner), std::move(outer)};
    }
    at::Tensor undo(at::Tensor const& raw, both const& joined) const
      requires(detail::moves_pixels<first_fuse> || detail::moves_pixels<second_fuse>)
    {
      return c2f::detail::undone(first, c2f::detail::undone(second, raw, joined.outer), joined.inner);
    }
  };
};

}  // namespace fuse
}  // namespace c2f
