// c2f/networks/levels.hpp: backbones that return three maps, from fine to coarse, for decoders.
//
//   using backbone = c2f::small_levels<16, 32, 64>;      // strides 2, 4 and 8, from 16 to 64 channels; 61 thousand parameters
//   using backbone = c2f::resnet_levels<50, 32>;         // ResNet-50: stages 1, 2 and 4, strides 4, 8 and 32
//
// Output: c2f::maps of the three shapes. Errors: those of the layers, and of resnet_features (networks/resnet.hpp).
#pragma once

#include <c2f/networks/resnet.hpp>

#include <array>
#include <cstdint>

namespace c2f {

/// Three times a strided 3x3 convolution; a second, dilated one at the last stride.
template <std::int64_t First, std::int64_t Second, std::int64_t Third>
struct small_levels {
  template <std::int64_t Width, std::int64_t Stride, std::int64_t Dilation>
  using block = sequential<conv<Width, 3, Stride, Dilation, no_bias, Dilation>, batch_norm, relu>;

  template <shape In>
  struct on {
    using fine   = typename network_on<block<First, 2, 1>, In>::output;
    using middle = typename network_on<block<Second, 2, 1>, fine>::output;
    using deeper = sequential<block<Third, 2, 1>, block<Third, 1, 2>>;
    using deep   = typename network_on<deeper, middle>::output;
    using output = maps<fine, middle, deep>;

    network_on<block<First, 2, 1>, In> layer1;
    network_on<block<Second, 2, 1>, fine> layer2;
    network_on<deeper, middle> layer3;
    C2F_MEMBERS(layer1, layer2, layer3);

    std::array<at::Tensor, 3> operator()(at::Tensor const& x, mode m) const {
      at::Tensor const a = layer1(x, m), b = layer2(a, m);
      return {a, b, layer3(b, m)};
    }
  };
};

/// A ResNet with torchvision's names.
template <int Depth, std::int64_t OutputStride = 32>
struct resnet_levels {
  template <shape In>
  struct on : network_on<resnet_features<Depth, 4, OutputStride>, In> {
    using whole  = network_on<resnet_features<Depth, 4, OutputStride>, In>;
    using output = maps<typename whole::at2, typename whole::at3, typename whole::output>;
    C2F_MEMBERS(conv1, bn1, maxpool, layer1, layer2, layer3, layer4);

    std::array<at::Tensor, 3> operator()(at::Tensor const& x, mode m) const {
      at::Tensor const fine   = this->layer1(this->maxpool(this->bn1.then_relu(this->conv1(x, m), m), m), m);
      at::Tensor const middle = this->layer2(fine, m);
      return {fine, middle, this->layer4(this->layer3(middle, m), m)};
    }
  };
};

}  // namespace c2f
