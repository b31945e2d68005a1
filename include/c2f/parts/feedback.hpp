// c2f/parts/feedback.hpp: the parts of a stack whose answer is a pyramid of maps: encoder, fuse, share and combine for several levels.
//
//   using encoder = c2f::encode::each_level<c2f::joined_aspp<256, 3, 6>>;    // one module for all levels
//   using fuse    = c2f::fuse::feedback;                                     // the image with the encoded levels
//   using combine = c2f::combine::gated_levels;                              // a sigmoid of the new level decides between new and old
//   using share   = c2f::share::first_look<c2f::fpn<256>, 256, 4>;           // one backbone for all looks, the first without feedback
//
// Qiao et al., DetectoRS, CVPR 2021, sections 3.1 and 3.3. each_level: z_i = R(f_i), the same R for all levels. feedback: (x, z_1, ..., z_n), which
// backbones of networks/staged.hpp take. gated_levels: w f_new + (1 - w) f_old with w = sigmoid of a 1x1 convolution of f_new, the same for all
// levels, initially zero (w = 1/2). systems/recursive_pyramid.hpp puts them together.
// Costs: as many calls as levels. Errors: levels that do not fit are compile errors (task/check.hpp).
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/parts/combine.hpp>
#include <c2f/parts/fuse.hpp>
#include <c2f/parts/share.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace c2f {

namespace detail {
/// c2f::maps of `Count` equal shapes.
template <class S, std::size_t Count, class... So>
struct same_maps : same_maps<S, Count - 1, So..., S> {};
template <class S, class... So>
struct same_maps<S, 0, So...> {
  using type = maps<So...>;
};
/// An image followed by maps.
template <class X, class Maps>
struct beside_maps;
template <class X, class... S>
struct beside_maps<X, maps<S...>> {
  using type = maps<X, S...>;
};
}  // namespace detail

namespace encode {
/// `Module` on every level, with the same parameters.
template <class Module>
struct each_level {
  template <class Kind, shape X>
  struct on {
    using levels = typename Kind::template output<image<1, dynamic, dynamic>>;
    using module = network_on<Module, typename levels::template at<0>>;
    using output = typename c2f::detail::same_maps<typename module::output, levels::count>::type;
    module shared;
    C2F_MEMBERS(shared);
    template <class Features>
    value_of<output> operator()(value_of<levels> const& y, Features const&, pass& p) const {
      value_of<output> z;
      for (std::size_t i = 0; i < y.size(); ++i) z[i] = shared(y[i], p.mode);
      return z;
    }
  };
};
}  // namespace encode

namespace fuse {
/// The image with the encoded levels; in the place of the levels that are there.
struct feedback {
  template <class X, class Z>
  struct on;
  template <image_shape X, image_shape... Z>
  struct on<X, maps<Z...>> {
    using output = maps<X, Z...>;
    C2F_MEMBERS();
    value_of<output> operator()(at::Tensor const& x, value_of<maps<Z...>> const& z, pass&) const {
      value_of<output> all{x};
      for (std::size_t i = 0; i < z.size(); ++i) all[i + 1] = z[i];
      return all;
    }
  };
  template <image_shape X, image_shape... R, image_shape... Z>
    requires(sizeof...(R) == sizeof...(Z))
  struct on<maps<X, R...>, maps<Z...>> {
    using output = maps<X, R...>;
    C2F_MEMBERS();
    value_of<output> operator()(value_of<output> const& x, value_of<maps<Z...>> const& z, pass&) const {
      value_of<output> all{x[0]};
      for (std::size_t i = 0; i < z.size(); ++i) all[i + 1] = z[i];
      return all;
    }
  };
};
}  // namespace fuse

namespace share {
/// One network for all looks, which ends in `Ending`; it stands on the image with `Levels` maps of `Channels` channels, which are undefined in
/// its first look.
template <class Ending, std::int64_t Channels, std::size_t Levels>
struct first_look {
  static constexpr bool one_network = true;
  using end                         = Ending;
  template <shape In>
  struct on {
    using output =
        typename c2f::detail::beside_maps<In, typename c2f::detail::same_maps<image<Channels, dynamic, dynamic>, Levels>::type>::type;
    C2F_MEMBERS();
    value_of<output> operator()(at::Tensor const& x, mode) const { return {x}; }
  };
};
}  // namespace share

namespace combine {
/// For kinds of several maps with the same number of channels.
struct gated_levels {
  template <class Kind, shape F>
  struct on {
    using levels = typename Kind::template output<image<1, dynamic, dynamic>>;
    using raw    = value_of<levels>;
    network_on<conv<1, 1, 1, 0, bias, 1, initial::zeros>, typename levels::template at<0>> attention;
    C2F_MEMBERS(attention);
    template <class Features>
    basic_combined<raw> operator()(Features const&, raw const& old, raw const& now, pass& p) const {
      raw both;
      for (std::size_t i = 0; i < both.size(); ++i) both[i] = old[i].lerp(now[i], attention(now[i], p.mode).sigmoid());
      return {both, both};
    }
  };
};
}  // namespace combine

}  // namespace c2f
