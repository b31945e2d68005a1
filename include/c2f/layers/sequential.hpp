// c2f/layers/sequential.hpp: layers in sequence, and repeated blocks.
//
//   using stem = c2f::sequential<c2f::conv<16, 3>, c2f::batch_norm, c2f::relu>;
//   using tail = c2f::repeat<18, c2f::basic_block<32, 2>, c2f::basic_block<32>>;   // instantiates two block types for any number of blocks
//
// The layers are named "0", "1", ... as in PyTorch; the input of each is the output of the one before. If a layer needs the whole pass
// (dropout), so do sequential and repeat. A norm or convolution followed by relu is called as then_relu, which saves an intermediate map.
// Errors: a layer that does not fit its input is a compile error (layers/layer_check.hpp).
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/execution/fused_operations.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/layers/layer_check.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace c2f {

struct relu;

namespace detail {

// A layer on the output of the one before it, or a placeholder if it does not fit.
struct wrong_layer {
  using output = wrong_shape;
  C2F_MEMBERS();
  at::Tensor operator()(at::Tensor const& x, mode) const { return x; }
};
template <class Layer, class In, bool = layer_fits<Layer, In>()>
struct linked {
  using net = network_on<Layer, In>;
};
template <class Layer, class In>
struct linked<Layer, In, false> {
  using net = wrong_layer;
};

// The networks of a list of layers, each on the output of the one before it: a flat pack of types.
template <class Done, shape In, class... Layers>
struct chained;
template <class... Nets, shape In>
struct chained<std::tuple<Nets...>, In> {
  using nets   = std::tuple<Nets...>;
  using output = In;
};
template <class... Nets, class First, class... Rest>
struct chained<std::tuple<Nets...>, wrong_shape, First, Rest...> : chained<std::tuple<Nets...>, wrong_shape> {};
template <class... Nets, shape In, class First, class... Rest>
struct chained<std::tuple<Nets...>, In, First, Rest...>
    : chained<std::tuple<Nets..., typename linked<First, In>::net>, typename linked<First, In>::net::output, Rest...> {};

// A layer with a fused ReLU. A type derived from such a layer may compute something else, so it is excluded.
template <class Net>
concept has_then_relu = requires { requires own_member<&Net::then_relu, Net>; };

template <class Nets>
inline constexpr bool any_wants_pass = false;
template <class... Nets>
inline constexpr bool any_wants_pass<std::tuple<Nets...>> = (false || ... || wants_pass<Nets>);

}  // namespace detail

/// The composition of `Layers`.
template <class... Layers>
struct sequential {
  template <shape In>
  struct on {
    using chain  = detail::chained<std::tuple<>, In, Layers...>;
    using output = typename chain::output;

    typename chain::nets layers;

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      return run_layers(x, m, [&](auto const& layer, at::Tensor const& y) { return layer(y, m); });
    }
    at::Tensor operator()(at::Tensor const& x, pass& p) const
      requires detail::any_wants_pass<typename chain::nets>
    {
      return run_layers(x, p.mode, [&](auto const& layer, at::Tensor const& y) { return detail::run(layer, y, p); });
    }
    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      int index = 0;
      std::apply([&](auto&... layer) { (f(std::to_string(index++), layer), ...); }, self.layers);
    }
    static constexpr std::int64_t count_of_parameters() { return count(std::make_index_sequence<sizeof...(Layers)>()); }

   private:
    // Whether layer I is followed by a relu and computes it itself (then_relu).
    template <std::size_t I>
    static constexpr bool fuses_relu() {
      if constexpr (I + 1 < std::tuple_size_v<typename chain::nets>)
        return detail::has_then_relu<std::tuple_element_t<I, typename chain::nets>> &&
               std::same_as<std::tuple_element_t<I + 1, std::tuple<Layers...>>, relu>;
      else
        return false;
    }
    template <class Run>
    at::Tensor run_layers(at::Tensor const& x, mode m, Run const& run) const {
      at::Tensor y     = x;
      auto const apply = [&]<std::size_t I>() {
        auto const& layer = std::get<I>(layers);
        if constexpr (fuses_relu<I>())
          y = layer.then_relu(y, m);
        else if constexpr (I == 0 || !fuses_relu<I - (I > 0)>())  // false: a relu that the previous layer computed
          y = run(layer, y);
      };
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        (apply.template operator()<I>(), ...);
      }(std::make_index_sequence<std::tuple_size_v<typename chain::nets>>());
      return y;
    }
    template <std::size_t... I>
    static constexpr std::int64_t count(std::index_sequence<I...>) {
      return (std::int64_t{0} + ... + parameter_count<std::tuple_element_t<I, typename chain::nets>>);
    }
  };
};

namespace detail {
/// The second block of a repeat.
template <class First, class Next, shape In>
using second = network_on<Next, typename network_on<First, In>::output>;
/// What the last block of a repeat gives.
template <std::size_t Times, class First, class Next, shape In>
using repeated = std::conditional_t<(Times > 1), typename second<First, Next, In>::output, typename network_on<First, In>::output>;
}  // namespace detail

/// `First`, then `Times` - 1 times `Next`, which must keep its shape.
template <std::size_t Times, class First, class Next = First>
struct repeat : detail::static_check<detail::check_times<Times>()> {
  template <shape In>
  struct on : detail::static_check<
                  detail::check_repeat<repeat, detail::repeated<Times, First, Next, In>, typename network_on<First, In>::output>()> {
    using first_block = network_on<First, In>;
    using next_block  = detail::second<First, Next, In>;
    using output =
        detail::output_if<same_size<detail::repeated<Times, First, Next, In>, typename first_block::output>, typename first_block::output>;

    first_block first;
    std::array<next_block, Times == 0 ? 0 : Times - 1> rest;

    at::Tensor operator()(value_of<In> const& x, mode m) const {
      at::Tensor y = first(x, m);
      for (auto const& block : rest) y = block(y, m);
      return y;
    }
    at::Tensor operator()(value_of<In> const& x, pass& p) const
      requires detail::wants_pass<first_block, value_of<In>> || detail::wants_pass<next_block>
    {
      at::Tensor y = detail::run(first, x, p);
      for (auto const& block : rest) y = detail::run(block, y, p);
      return y;
    }
    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      f("0", self.first);
      for (std::size_t i = 0; i + 1 < Times; ++i) f(std::to_string(i + 1), self.rest[i]);
    }
    static constexpr std::int64_t count_of_parameters() {
      return parameter_count<first_block> + static_cast<std::int64_t>(Times - 1) * parameter_count<next_block>;
    }
  };
};

}  // namespace c2f
