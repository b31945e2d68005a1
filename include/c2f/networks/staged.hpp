// c2f/networks/staged.hpp: backbones that give the map of every stage, and that feedback can reach.
//
//   using body   = c2f::small_stages<16, 24, 48, 96>;          // a stem of 16 channels, three stages; strides 4, 8 and 16
//   using resnet = c2f::resnet_stages<50>;                     // torchvision's names; strides 4, 8, 16 and 32
//   using switchable = c2f::resnet_stages<50, c2f::block_layers, c2f::switchable<>>;   // switchable convolutions in stages 2 to 4
//   using frozen = c2f::resnet_stages<50, c2f::frozen_norms<>>;
//
// An image -> c2f::maps of the stages. On an image with a map for each stage, c2f::maps<image, R...>, the first block of stage i adds a 1x1
// convolution of R_i, initially zero, to its sum before the last ReLU: the feedback of the recursive feature pyramid (Qiao et al., DetectoRS,
// CVPR 2021, section 3.1). R_i has the size of the stage. An R_i that is undefined is none.
//
// c2f::staged<Stem, Stages...> is the general form: Stem has the first layers, whose names are those of the backbone; the stages are
// c2f::stage_of<blocks, first block, other blocks> and are called layer1, layer2, ... Costs: the stages. Errors: those of the layers; another
// depth of a ResNet is a compile error.
#pragma once

#include <c2f/layers/max_pool.hpp>
#include <c2f/layers/residual.hpp>
#include <c2f/networks/resnet.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace c2f {

namespace detail {

/// `Block`, which has `plus(x, term, mode)`, on a map and the feedback to it.
template <class Block>
struct with_feedback {
  template <class In>
  struct on;
  template <image_shape X, image_shape R>
  struct on<maps<X, R>> : network_on<Block, X> {
    using block  = network_on<Block, X>;
    using output = typename block::output;
    network_on<conv<output::channels, 1, 1, 0, bias, 1, initial::zeros>, R> rfp_conv;

    at::Tensor operator()(std::array<at::Tensor, 2> const& x, mode m) const {
      return block::plus(x[0], x[1].defined() ? rfp_conv(x[1], m) : at::Tensor(), m);
    }
    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      each_member_of<block>(self, f);
      f("rfp_conv", self.rfp_conv);
    }
    static constexpr std::int64_t count_of_parameters() { return parameter_count<block> + parameter_count<decltype(rfp_conv)>; }
  };
};

// The networks of stages, each on the output of the one before it and, with feedback, on a map R.
template <class Done, class In, class Feedback, class... Stages>
struct stage_chain;
template <class... Nets, class In, class Feedback>
struct stage_chain<std::tuple<Nets...>, In, Feedback> {
  using nets   = std::tuple<Nets...>;
  using output = maps<typename Nets::output...>;
  static constexpr std::int64_t count() { return (std::int64_t{0} + ... + parameter_count<Nets>); }
};
template <class... Nets, class In, class First, class... Rest>
struct stage_chain<std::tuple<Nets...>, In, std::tuple<>, First, Rest...>
    : stage_chain<std::tuple<Nets..., network_on<typename First::plain, In>>, typename network_on<typename First::plain, In>::output,
                  std::tuple<>, Rest...> {};
template <class... Nets, class In, class R, class... More, class First, class... Rest>
struct stage_chain<std::tuple<Nets...>, In, std::tuple<R, More...>, First, Rest...>
    : stage_chain<std::tuple<Nets..., network_on<typename First::fed, maps<In, R>>>, typename network_on<typename First::plain, In>::output,
                  std::tuple<More...>, Rest...> {};

}  // namespace detail

/// A stage: `First`, then `Times` - 1 times `Next`; a block has `plus(x, term, mode)`, as those of layers/residual.hpp.
template <std::size_t Times, class First, class Next = First>
struct stage_of {
  using plain = repeat<Times, First, Next>;
  using fed   = repeat<Times, detail::with_feedback<First>, Next>;
};

template <class Stem, class... Stages>
struct staged {
  template <class In, class... Feedback>
  struct network_of {
    using stem_net = network_on<Stem, In>;
    using chain    = detail::stage_chain<std::tuple<>, typename stem_net::output, std::tuple<Feedback...>, Stages...>;
    using output   = typename chain::output;
    using values   = std::array<at::Tensor, sizeof...(Stages)>;

    stem_net stem;
    typename chain::nets stages;

    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      detail::each_member_of<stem_net>(self.stem, f);
      int index = 0;
      std::apply([&](auto&... stage) { (f("layer" + std::to_string(++index), stage), ...); }, self.stages);
    }
    static constexpr std::int64_t count_of_parameters() { return parameter_count<stem_net> + chain::count(); }

   protected:
    template <class Input>
    values run(at::Tensor const& x, mode m, Input const& input) const {
      values found;
      at::Tensor y  = stem(x, m);
      std::size_t i = 0;
      std::apply([&](auto const&... stage) { ((y = found[i] = stage(input(y, i), m), ++i), ...); }, stages);
      return found;
    }
  };

  template <shape In>
  struct on;
  template <image_shape In>
  struct on<In> : network_of<In> {
    typename on::values operator()(at::Tensor const& x, mode m) const {
      return on::run(x, m, [](at::Tensor const& y, std::size_t) -> at::Tensor const& { return y; });
    }
  };
  template <image_shape In, image_shape... R>
    requires(sizeof...(R) == sizeof...(Stages))
  struct on<maps<In, R...>> : network_of<In, R...> {
    typename on::values operator()(std::array<at::Tensor, 1 + sizeof...(R)> const& x, mode m) const {
      return on::run(x[0], m, [&](at::Tensor const& y, std::size_t i) { return std::array<at::Tensor, 2>{y, x[i + 1]}; });
    }
  };
};

/// A strided 3x3 convolution with a norm.
template <std::int64_t Width, class Layers = block_layers>
struct small_stem {
  template <shape In>
  struct on {
    using first  = conv<Width, 3, 2>;
    using output = typename network_on<first, In>::output;
    network_on<first, In> conv1;
    network_on<typename Layers::norm, output> bn1;
    C2F_MEMBERS(conv1, bn1);
    at::Tensor operator()(at::Tensor const& x, mode m) const { return bn1.then_relu(conv1(x, m), m); }
  };
};
/// The first layers of a ResNet: a 7x7 convolution, a norm and a pooling; stride 4.
template <class Layers = block_layers>
struct resnet_stem {
  template <shape In>
  struct on {
    using first  = conv<64, 7, 2>;
    using middle = typename network_on<first, In>::output;
    using output = typename network_on<max_pool<3, 2, 1>, middle>::output;
    network_on<first, In> conv1;
    network_on<typename Layers::norm, middle> bn1;
    network_on<max_pool<3, 2, 1>, middle> maxpool;
    C2F_MEMBERS(conv1, bn1, maxpool);
    at::Tensor operator()(at::Tensor const& x, mode m) const { return maxpool(bn1.then_relu(conv1(x, m), m), m); }
  };
};

namespace detail {
template <std::int64_t Width, class Layers>
using small_stage = stage_of<1, dilated_basic_block<Width, 2, 1, Layers>, dilated_basic_block<Width, 1, 1, Layers>>;
}  // namespace detail
/// A stem and stages of one basic block, each of stride 2. `Layers`: of the first stage, `Later`: of the others.
template <class Layers, class Later, std::int64_t Stem, std::int64_t First, std::int64_t... Widths>
using small_stages_with = staged<small_stem<Stem, Layers>, detail::small_stage<First, Layers>, detail::small_stage<Widths, Later>...>;
template <std::int64_t Stem, std::int64_t First, std::int64_t... Widths>
using small_stages = small_stages_with<block_layers, block_layers, Stem, First, Widths...>;

namespace detail {
template <int Depth, class Layers, class Later>
struct resnet_stages_of : static_check<check_resnet_depth<Depth>()> {
  template <std::int64_t W, std::int64_t S, class L>
  using block = std::conditional_t<Depth == 50, dilated_bottleneck<W, S, 1, L>, dilated_basic_block<W, S, 1, L>>;
  template <std::size_t I, std::int64_t W, std::int64_t S, class L>
  using stage = stage_of<resnet_features<Depth>::blocks[I], block<W, S, L>, block<W, 1, L>>;
  using type =
      staged<resnet_stem<Layers>, stage<0, 64, 1, Layers>, stage<1, 128, 2, Later>, stage<2, 256, 2, Later>, stage<3, 512, 2, Later>>;
};
}  // namespace detail
/// ResNet-10, -18, -34 or -50. `Layers`: of the first stage, `Later`: of the others.
template <int Depth, class Layers = block_layers, class Later = Layers>
using resnet_stages = typename detail::resnet_stages_of<Depth, Layers, Later>::type;

}  // namespace c2f
