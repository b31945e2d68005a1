// c2f/networks/resnet_cifar.hpp: the ResNets for 32x32 images.
//
//   using network = c2f::resnet_cifar<20, c2f::class_vector<100>>;                    // basic blocks
//   using network = c2f::resnet_cifar<110, c2f::class_vector<100>, c2f::bottleneck>;
//
// He et al., CVPR 2016, section 4.2: a 3x3 convolution to 16 channels, three stages of n blocks with 16, 32 and 64 channels at full, half
// and quarter size, global average pooling and a linear layer. Depth = 6n + 2, the number of layers with basic blocks; bottlenecks use the
// same n, which gives 9n + 2 layers ("ResNet-110" with bottlenecks has 164), the convention of the code that published 1.70 M parameters
// for it. Where the shape changes, the shortcut is a 1x1 convolution with a norm. Parameters for 10 / 100 classes:
//   basic        20: 272,474 / 278,324     56: 855,770 / 861,620     110: 1,730,714 / 1,736,564
//   bottleneck                             56: 869,530 / 892,660     110: 1,704,154 / 1,727,284
// Errors: another depth, or an input that is not a map, is a compile error.
#pragma once

#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/residual.hpp>

namespace c2f {

namespace detail {
template <int Depth>
consteval bool check_resnet_cifar_depth() {
  static_assert(Depth >= 8 && (Depth - 2) % 6 == 0, "c2f::resnet_cifar has no such depth; write 6n + 2: 8, 14, 20, 32, 44, 56, 110");
  return true;
}
}  // namespace detail

/// The convolutional part, [N, C, H, W] -> a map at a quarter of the size that the first convolution outputs. `Stride` is the stride of
/// that convolution: 1 for 32x32 images, more for larger ones.
template <int Depth, template <std::int64_t, std::int64_t> class Block = basic_block, std::int64_t Stride = 1>
struct resnet_cifar_features {
  static constexpr std::size_t blocks = Depth >= 8 ? (Depth - 2) / 6 : 1;

  template <shape In>
  struct on : detail::static_check<detail::check_resnet_cifar_depth<Depth>()> {
    template <std::int64_t Width, std::int64_t First>
    using stage  = repeat<blocks, Block<Width, First>, Block<Width, 1>>;
    // at1, at2, at3: the shapes after the stem and each stage but the last.
    using stem   = conv<16, 3, Stride>;
    using at1    = typename network_on<stem, In>::output;
    using at2    = typename network_on<stage<16, 1>, at1>::output;
    using at3    = typename network_on<stage<32, 2>, at2>::output;
    using output = typename network_on<stage<64, 2>, at3>::output;

    network_on<stem, In> conv1;
    network_on<batch_norm, at1> bn1;
    network_on<stage<16, 1>, at1> layer1;
    network_on<stage<32, 2>, at2> layer2;
    network_on<stage<64, 2>, at3> layer3;
    C2F_MEMBERS(conv1, bn1, layer1, layer2, layer3);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return layer3(layer2(layer1(bn1.then_relu(conv1(x, m), m), m), m), m); }
  };
};

/// The classifier: [N, C, H, W] -> raw output of the kind, [N, K] for class_vector<K>.
template <int Depth, class Kind, template <std::int64_t, std::int64_t> class Block = basic_block>
struct resnet_cifar {
  using kind = Kind;

  template <shape In>
  struct on : network_on<resnet_cifar_features<Depth, Block>, In> {
    using features = network_on<resnet_cifar_features<Depth, Block>, In>;
    using output   = typename Kind::template output<detail::as_map<In>>;

    network_on<linear<output::channels>, vector<features::output::channels>> fc;
    C2F_MEMBERS(conv1, bn1, layer1, layer2, layer3, fc);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return fc(features::operator()(x, m).mean({2, 3}), m); }
  };
};

}  // namespace c2f
