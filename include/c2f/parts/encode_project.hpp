// c2f/parts/encode_project.hpp: the convolutions at the end of the encoder g.
//
//   c2f::encode::project<0, 3, 3>        two 3x3 convolutions, each followed by ReLU, with as many hidden channels as x
//
// [N, K, H, W] -> [N, C, H, W], C the channels of the image: "g(.) has two convolutional layers, each of which is followed by a
// ReLU ... The output of g(.) has exactly the same dimensions as x" (Ren et al. 2020, section 3.1). Kernels and hidden channels are not
// stated there; 3x3 and C are the defaults. Weights are initially he_normal and biases 1, as in the saliency module of RSTN: with zero
// biases and three channels, one of three initialisations has a dead ReLU channel.
// Errors: an even kernel, or none, is a compile error.
#pragma once

#include <c2f/layers/conv.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

namespace c2f::encode {

namespace detail {

template <std::int64_t Kernel>
consteval bool check_odd() {
  static_assert(Kernel % 2 == 1 && Kernel > 0,
                "the convolutions of an encoder need odd kernels, so that its map keeps the image's size; write 1, 3, 5 or 7");
  return true;
}

template <std::size_t Kernels>
consteval bool check_some() {
  static_assert(Kernels >= 1, "c2f::encode::project needs a kernel size or more; write c2f::encode::project<hidden maps, 3, 3>");
  return true;
}

template <std::int64_t Out, std::int64_t Kernel>
struct conv_relu : c2f::detail::static_check<check_odd<Kernel>()> {
  using convolution = conv<Out, Kernel, 1, Kernel / 2, bias_from<initial::ones>>;
  template <shape In>
  struct on : network_on<convolution, In> {
    using base = network_on<convolution, In>;
    at::Tensor operator()(at::Tensor const& x, mode m) const { return base::then_relu(x, m); }
  };
};

// All but the last convolution have Hidden output channels, the last one Out.
template <std::int64_t Out, std::int64_t Hidden, class Done, std::int64_t... Kernels>
struct projected;
template <std::int64_t Out, std::int64_t Hidden, class... Done, std::int64_t Last>
struct projected<Out, Hidden, sequential<Done...>, Last> {
  using type = sequential<Done..., conv_relu<Out, Last>>;
};
template <std::int64_t Out, std::int64_t Hidden, class... Done, std::int64_t First, std::int64_t Second, std::int64_t... Rest>
struct projected<Out, Hidden, sequential<Done...>, First, Second, Rest...>
    : projected<Out, Hidden, sequential<Done..., conv_relu<Hidden, First>>, Second, Rest...> {};

}  // namespace detail

/// `Hidden` channels between the convolutions; 0: as many as the image.
template <std::int64_t Hidden, std::int64_t... Kernels>
struct project : c2f::detail::static_check<detail::check_some<sizeof...(Kernels)>()> {
  /// Half the receptive field, in pixels.
  static constexpr std::int64_t radius = (std::int64_t{0} + ... + (Kernels / 2));
  template <std::int64_t Out>
  using onto = typename detail::projected<Out, Hidden == 0 ? Out : Hidden, sequential<>, Kernels...>::type;
};

}  // namespace c2f::encode
