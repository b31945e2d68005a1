// c2f/networks/feature_pyramid.hpp: feature pyramids on the maps of a backbone.
//
//   using levels = c2f::pyramid_on<c2f::resnet_stages<50>, c2f::fpn<256>>;      // an image -> four maps of 256 channels
//   using both   = c2f::pyramid_on<c2f::resnet_stages<50>, c2f::panet<256>>;    // with a bottom-up path
//
// fpn: Lin et al., "Feature pyramid networks", CVPR 2017: a 1x1 convolution of every map (inner_blocks), from coarse to fine the upsampled
// coarser one added to it (nearest pixel), and a 3x3 convolution of the sum (layer_blocks). panet: Liu et al., "Path aggregation network", CVPR
// 2018: from fine to coarse, a strided 3x3 convolution of the finer one added to each, and a 3x3 convolution of the sum, each with ReLU
// (down_blocks, out_blocks). c2f::maps<...> -> c2f::maps of `Channels` channels and the same sizes. Names of torchvision's FeaturePyramidNetwork;
// pyramid_on calls its two parts body and fpn, as torchvision's detectors do. Biases are initially 0; weights uniform in
// +-1/sqrt(fan-in/3) (kaiming_uniform_ with a = 1).
// Costs: two convolutions a level, panet four. Errors: a backbone that does not give several maps is a compile error.
#pragma once

#include <c2f/layers/conv.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <ATen/ops/upsample_nearest2d.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <utility>

namespace c2f {

namespace initial {
/// Uniform in +-sqrt(3 / fan_in): kaiming_uniform_ with a = 1, of torchvision's and Detectron's pyramids.
struct kaiming_uniform_linear {
  static double draw(random_stream& random, std::span<std::int64_t const> dims, std::int64_t) {
    return (2 * random.uniform() - 1) * std::sqrt(3.0 / static_cast<double>(fan_in(dims)));
  }
};
}  // namespace initial

namespace detail {
template <class In>
consteval bool check_levels() {
  static_assert(maps_shape<In> || mismatch<got<In>>,
                "a feature pyramid stands on several maps; give it a backbone that returns the map of every stage, such as "
                "c2f::resnet_stages<50> or c2f::small_stages<16, 24, 48, 96>");
  return true;
}
/// Placeholder where the input is wrong.
struct no_levels {
  using output = wrong_shape;
  C2F_MEMBERS();
  at::Tensor operator()(at::Tensor const& x, mode) const { return x; }
};

template <std::int64_t Channels, std::int64_t Kernel, std::int64_t Stride = 1>
using level_conv = sequential<conv<Channels, Kernel, Stride, Kernel / 2, bias, 1, initial::kaiming_uniform_linear>>;

/// Calls f(name + "." + number, net) for each of several networks.
template <class Nets, class F>
void each_numbered(Nets& nets, std::string const& name, F&& f) {
  int index = 0;
  std::apply([&](auto&... net) { (f(name + '.' + std::to_string(index++), net), ...); }, nets);
}
template <class Nets, class Values>
Values each_on_its_own(Nets const& nets, Values const& x, mode m) {
  Values y;
  std::size_t i = 0;
  std::apply([&](auto const&... net) { ((y[i] = net(x[i], m), ++i), ...); }, nets);
  return y;
}

template <std::int64_t Channels, class In>
struct fpn_on : static_check<check_levels<In>()>, no_levels {};
template <std::int64_t Channels, class... S>
struct fpn_on<Channels, maps<S...>> {
  using output = maps<with_channels<S, Channels>...>;
  using values = std::array<at::Tensor, sizeof...(S)>;

  std::tuple<network_on<level_conv<Channels, 1>, S>...> inner_blocks;
  std::tuple<network_on<level_conv<Channels, 3>, with_channels<S, Channels>>...> layer_blocks;

  values operator()(values const& x, mode m) const {
    values y = each_on_its_own(inner_blocks, x, m);
    for (std::size_t i = y.size() - 1; i-- > 0;) y[i] = y[i].add(at::upsample_nearest2d(y[i + 1], {y[i].size(2), y[i].size(3)}));
    return each_on_its_own(layer_blocks, y, m);
  }
  template <class Self, class F>
  static void each_member(Self& self, F&& f) {
    each_numbered(self.inner_blocks, "inner_blocks", f);
    each_numbered(self.layer_blocks, "layer_blocks", f);
  }
  static constexpr std::int64_t count_of_parameters() {
    return (std::int64_t{0} + ... + (Channels * S::channels + Channels + Channels * Channels * 9 + Channels));
  }
};

template <std::int64_t Channels, class In>
struct panet_on : static_check<check_levels<In>()>, no_levels {};
template <std::int64_t Channels, class First, class... S>
struct panet_on<Channels, maps<First, S...>> : fpn_on<Channels, maps<First, S...>> {
  using top_down = fpn_on<Channels, maps<First, S...>>;
  using typename top_down::values;

  template <class>
  using down_block = network_on<level_conv<Channels, 3, 2>, image<Channels, dynamic, dynamic>>;
  std::tuple<down_block<S>...> down_blocks;  // one to each level but the finest
  std::tuple<network_on<level_conv<Channels, 3>, with_channels<S, Channels>>...> out_blocks;

  values operator()(values const& x, mode m) const {
    values y       = top_down::operator()(x, m);
    auto const add = [&]<std::size_t I>() {
      at::Tensor const down = std::get<I>(down_blocks)(y[I], m).relu();
      y[I + 1]              = std::get<I>(out_blocks)(down.add(y[I + 1]), m).relu();
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) { (add.template operator()<I>(), ...); }(std::make_index_sequence<sizeof...(S)>());
    return y;
  }
  template <class Self, class F>
  static void each_member(Self& self, F&& f) {
    top_down::each_member(self, f);
    each_numbered(self.down_blocks, "down_blocks", f);
    each_numbered(self.out_blocks, "out_blocks", f);
  }
  static constexpr std::int64_t count_of_parameters() {
    return top_down::count_of_parameters() + static_cast<std::int64_t>(sizeof...(S)) * 2 * (Channels * Channels * 9 + Channels);
  }
};
}  // namespace detail

template <std::int64_t Channels>
struct fpn {
  static constexpr std::int64_t channels = Channels;
  template <class In>
  using on = detail::fpn_on<Channels, In>;
};

template <std::int64_t Channels>
struct panet {
  static constexpr std::int64_t channels = Channels;
  template <class In>
  using on = detail::panet_on<Channels, In>;
};

/// A backbone and a pyramid on its maps.
template <class Body, class Pyramid>
struct pyramid_on {
  template <shape In>
  struct on {
    using maps   = typename network_on<Body, In>::output;
    using output = typename network_on<Pyramid, maps>::output;
    network_on<Body, In> body;
    network_on<Pyramid, maps> fpn;
    C2F_MEMBERS(body, fpn);
    value_of<output> operator()(at::Tensor const& x, mode m) const { return fpn(body(x, m), m); }
    value_of<output> operator()(at::Tensor const& x, pass& p) const
      requires detail::wants_pass<network_on<Body, In>>
    {
      return fpn(run_network(body, x, p), p.mode);
    }
  };
};

}  // namespace c2f
