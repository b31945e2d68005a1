// c2f/networks/densenet_cifar.hpp: DenseNet with bottlenecks for 32x32 images, whose norms follow their convolutions.
//
//   using network = c2f::densenet_cifar<100, 40, c2f::class_vector<10>>;     // "DenseNet-100-40": 8,269,050 parameters
//
// Huang et al., "Densely connected convolutional networks", CVPR 2017, DenseNet-BC with depth 6n + 4, growth k and compression 1/2: a 3x3
// convolution to 2k channels, three blocks of n layers, each a 1x1 convolution to 4k and a 3x3 one to k channels, whose output stands beside
// its input; between blocks a 1x1 convolution to half of the channels and 2x2 average pooling. In the original a norm and ReLU stand before
// every convolution; here behind it, as neural rejuvenation needs it (Qiao et al., CVPR 2019). Parameters of 100-40 for 10 / 100 classes:
// 8,269,050 / 8,371,740.
// Errors: another depth, or an input that is too small for two poolings, is a compile error.
#pragma once

#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/average_pool.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <ATen/ops/cat.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace c2f {

namespace detail {
template <int Depth>
consteval bool check_densenet_depth() {
  static_assert(Depth >= 10 && (Depth - 4) % 6 == 0, "c2f::densenet_cifar has no such depth; write 6n + 4: 10, 16, 22, 40, 100, 190");
  return true;
}
template <std::int64_t Width, std::int64_t Kernel>
using norm_conv = sequential<conv<Width, Kernel>, batch_norm, relu>;
}  // namespace detail

/// `Count` layers of `Growth` channels, each of which reads the input and the outputs of all before it: [N, C, H, W] -> [N, C + Count Growth, H, W].
template <std::size_t Count, std::int64_t Growth>
struct dense_layers {
  template <shape In>
  struct on {
    using output = with_channels<In, In::channels + static_cast<std::int64_t>(Count) * Growth>;
    using layer  = sequential<detail::norm_conv<4 * Growth, 1>, detail::norm_conv<Growth, 3>>;
    template <std::size_t I>
    using layer_at = network_on<layer, with_channels<In, In::channels + static_cast<std::int64_t>(I) * Growth>>;
    template <std::size_t... I>
    static std::tuple<layer_at<I>...> all(std::index_sequence<I...>);

    decltype(all(std::make_index_sequence<Count>())) layers;

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      at::Tensor y = x;
      std::apply([&](auto const&... each) { ((y = at::cat({y, each(y, m)}, 1)), ...); }, layers);
      return y;
    }
    template <class Self, class F>
    static void each_member(Self& self, F&& f) {
      int index = 0;
      std::apply([&](auto&... each) { (f(std::to_string(index++), each), ...); }, self.layers);
    }
    static constexpr std::int64_t count_of_parameters() {
      return []<class... Net>(std::type_identity<std::tuple<Net...>>) {
        return (std::int64_t{0} + ... + parameter_count<Net>);
      }(std::type_identity<decltype(layers)>{});
    }
  };
};

/// The classifier: [N, C, H, W] -> raw output of the kind, [N, K] for class_vector<K>.
template <int Depth, std::int64_t Growth, class Kind>
struct densenet_cifar {
  using kind = Kind;

  template <shape In>
  struct on : detail::static_check<detail::check_densenet_depth<Depth>()> {
    using output                 = typename Kind::template output<detail::as_map<In>>;
    static constexpr auto layers = static_cast<std::size_t>(Depth >= 10 ? (Depth - 4) / 6 : 1);
    using block                  = dense_layers<layers, Growth>;
    // at1 ... at3: the inputs of the blocks; out1 ... out3: their outputs.
    using stem                   = detail::norm_conv<2 * Growth, 3>;
    using at1                    = typename network_on<stem, In>::output;
    using out1                   = typename network_on<block, at1>::output;
    using half1                  = with_channels<out1, out1::channels / 2>;
    using at2                    = typename network_on<average_pool<2>, half1>::output;
    using out2                   = typename network_on<block, at2>::output;
    using half2                  = with_channels<out2, out2::channels / 2>;
    using at3                    = typename network_on<average_pool<2>, half2>::output;
    using out3                   = typename network_on<block, at3>::output;

    network_on<stem, In> conv0;
    network_on<block, at1> block1;
    network_on<detail::norm_conv<out1::channels / 2, 1>, out1> transition1;
    network_on<average_pool<2>, half1> halved1;
    network_on<block, at2> block2;
    network_on<detail::norm_conv<out2::channels / 2, 1>, out2> transition2;
    network_on<average_pool<2>, half2> halved2;
    network_on<block, at3> block3;
    network_on<linear<output::channels>, vector<out3::channels>> fc;
    C2F_MEMBERS(conv0, block1, transition1, halved1, block2, transition2, halved2, block3, fc);

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      at::Tensor const y = halved1(transition1(block1(conv0(x, m), m), m), m), z = halved2(transition2(block2(y, m), m), m);
      return fc(block3(z, m).mean({2, 3}), m);
    }
  };
};

}  // namespace c2f
