// c2f/networks/unet.hpp: a U-Net with norms, small enough for machines without a GPU.
//
//   using network = c2f::unet<4, 16, c2f::dense<1>>;           // four levels below the first, 16 channels at full size
//
// Ronneberger et al., MICCAI 2015, with padded convolutions, so that the output has the image's size, and a norm after each: two 3x3
// convolutions per level; down by 2x2 max pooling, which doubles the channels; up by a 2x2 up-convolution, concatenated with the map of the
// level before pooling; a final 1x1 convolution with a bias. [N, C, H, W] -> logits [N, K, H, W].
// Errors: a size that is not a multiple of 2^Depth is a compile error, or a c2f::input_error if it is dynamic.
#pragma once

#include <c2f/kinds/dense.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/max_pool.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>
#include <c2f/layers/upsample.hpp>

#include <ATen/ops/cat.h>

#include <string>

namespace c2f {

namespace detail {
template <int Depth>
consteval bool check_unet_depth() {
  static_assert(Depth >= 1 && Depth <= 8, "c2f::unet needs 1 to 8 levels below the first; write c2f::unet<4, 16, kind>");
  return true;
}
template <class In, std::int64_t Step>
inline constexpr bool halves =
    (as_map<In>::height == dynamic || as_map<In>::height % Step == 0) && (as_map<In>::width == dynamic || as_map<In>::width % Step == 0);
template <class Network, class In, bool Halves>
consteval bool check_unet_size() {
  static_assert(
      Halves || mismatch<in_layer<Network>, got<In>>,
      "c2f::unet halves the map once a level, so 2^levels must divide its height and width; use fewer levels, or another size for "
      "the task's input");
  return true;
}

template <std::int64_t Width>
using two_convolutions = sequential<conv<Width, 3>, batch_norm, relu, conv<Width, 3>, batch_norm, relu>;

/// A level of the U-Net and all levels below it.
template <int Depth, std::int64_t Width>
struct unet_level {
  template <shape In>
  struct on {
    using output = with_channels<In, Width>;
    using lower  = network_on<unet_level<Depth - 1, 2 * Width>, output>;

    network_on<two_convolutions<Width>, In> down;
    lower below;
    network_on<up_conv<Width, 2, 2>, typename lower::output> up;
    network_on<two_convolutions<Width>, with_channels<In, 2 * Width>> joined;
    C2F_MEMBERS(down, below, up, joined);

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      at::Tensor const y = down(x, m);
      return joined(at::cat({y, up(below(detail::max_pooled(y, 2, 2, 0), m), m)}, 1), m);
    }
  };
};
template <std::int64_t Width>
struct unet_level<0, Width> : two_convolutions<Width> {};
}  // namespace detail

/// `Depth` levels below the first, which has `Width` channels.
template <int Depth, std::int64_t Width, class Kind>
struct unet : detail::static_check<detail::check_unet_depth<Depth>()> {
  using kind                         = Kind;
  /// Height and width must be multiples of this.
  static constexpr std::int64_t step = std::int64_t{1} << (Depth < 0 || Depth > 8 ? 0 : Depth);

  template <shape In>
  struct on
      : detail::static_check<
            detail::check_map<unet, In>(),
            detail::check_unet_size<unet, In, !image_shape<In> || std::same_as<In, detail::wrong_shape> || detail::halves<In, step>>()> {
    using map                  = typename Kind::template output<detail::as_map<In>>;
    static constexpr bool fits = image_shape<In> && detail::halves<In, step>;
    using output               = detail::output_if<fits, map>;
    // The inner sizes are dynamic: the checks above make sure that they fit.
    using top                  = detail::unet_level<(Depth < 1 || Depth > 8 ? 1 : Depth), Width>;

    network_on<top, image<In::channels, dynamic, dynamic>> levels;
    network_on<conv<map::channels, 1, 1, 0, bias>, image<Width, dynamic, dynamic>> head;
    C2F_MEMBERS(levels, head);

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      if (x.size(2) % step != 0 || x.size(3) % step != 0)
        throw input_error("c2f::unet takes maps whose sides are multiples of " + std::to_string(step) + ", found " +
                          std::to_string(x.size(2)) + " x " + std::to_string(x.size(3)) + "; pad or resize them, or use fewer levels");
      return head(levels(x, m), m);
    }
  };
};

}  // namespace c2f
