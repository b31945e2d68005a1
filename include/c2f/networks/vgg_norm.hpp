// c2f/networks/vgg_norm.hpp: VGGs of convolutions with a norm each, for neural rejuvenation (Qiao et al., CVPR 2019).
//
//   using network = c2f::vgg19_cifar<c2f::class_vector<100>>;          // 20,081,188 parameters
//   using network = c2f::vgg16_convolutional<c2f::class_vector<1000>>; // 37,706,664
//   using small   = c2f::norm_vgg<c2f::class_vector<10>, c2f::vgg_layers<32, 32, c2f::vgg_pool, 64, 64, c2f::vgg_pool, 128, 128>>;
//
// vgg_layers is a list of widths of 3x3 convolutions, each followed by a norm and ReLU; `vgg_pool` is 2x2 max pooling. Then come the mean over
// positions and a linear layer. VGG-19 for 32x32 images has two poolings, behind its 4th and its 10th convolution: 20,035,018 parameters for
// 10 classes. VGG-16 for ImageNet has 1x1 convolutions of 4,096 channels in the place of two linear layers, as the paper's text says.
// Errors: an input that is too small for the poolings is a compile error.
#pragma once

#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/max_pool.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <cstdint>
#include <tuple>

namespace c2f {

inline constexpr std::int64_t vgg_pool = 0;
/// Widths of convolutions, and `vgg_pool`.
template <std::int64_t... Widths>
struct vgg_layers {};

namespace detail {
template <std::int64_t Width, std::int64_t Kernel = 3>
struct vgg_norm_layer {
  using type = std::tuple<conv<Width, Kernel>, batch_norm, relu>;
};
template <std::int64_t Kernel>
struct vgg_norm_layer<vgg_pool, Kernel> {
  using type = std::tuple<max_pool<2>>;
};
template <class List>
struct sequential_of;
template <class... Layers>
struct sequential_of<std::tuple<Layers...>> {
  using type = sequential<Layers...>;
};
}  // namespace detail

/// The classifier: [N, C, H, W] -> raw output of the kind, [N, K] for class_vector<K>. More: layers behind the last convolution.
template <class Kind, class Layers, class... More>
struct norm_vgg;
template <class Kind, std::int64_t... Widths, class... More>
struct norm_vgg<Kind, vgg_layers<Widths...>, More...> {
  using kind          = Kind;
  using features_type = typename detail::sequential_of<decltype(std::tuple_cat(
      std::declval<typename detail::vgg_norm_layer<Widths>::type>()..., std::declval<std::tuple<More...>>()))>::type;

  template <shape In>
  struct on {
    using output = typename Kind::template output<detail::as_map<In>>;

    network_on<features_type, In> features;
    network_on<linear<output::channels>, vector<network_on<features_type, In>::output::channels>> fc;
    C2F_MEMBERS(features, fc);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return fc(features(x, m).mean({2, 3}), m); }
  };
};

template <class Kind>
using vgg19_cifar =
    norm_vgg<Kind, vgg_layers<64, 64, 128, 128, vgg_pool, 256, 256, 256, 256, 512, 512, vgg_pool, 512, 512, 512, 512, 512, 512>>;
template <class Kind>
using vgg16_convolutional =
    norm_vgg<Kind,
             vgg_layers<64, 64, vgg_pool, 128, 128, vgg_pool, 256, 256, 256, vgg_pool, 512, 512, 512, vgg_pool, 512, 512, 512, vgg_pool>,
             conv<4096, 1>, batch_norm, relu, conv<4096, 1>, batch_norm, relu>;

}  // namespace c2f
