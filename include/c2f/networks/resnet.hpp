// c2f/networks/resnet.hpp: ResNet-10, -18, -34 and -50 for 224x224 images, with torchvision's names.
//
//   using network = c2f::resnet<18, c2f::class_vector<1000>>;
//   using backbone = c2f::resnet_features<50, 3>;      // without the last stage: 1,024 channels, stride 16
//   using backbone = c2f::resnet_features<50, 4, 8>;   // all stages at stride 8, for segmentation
//
// He et al., CVPR 2016, table 1; the stride of a bottleneck is on its 3x3 convolution, as in torchvision. ResNet-10 is not in that table:
// it has one basic block per stage. Sizes from 32x32. Parameters with 1,000 classes: 5,418,792 / 11,689,512 / 21,797,672 / 25,557,032.
// Errors: another depth, number of stages or output stride, or an input that is not a map, is a compile error.
#pragma once

#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/max_pool.hpp>
#include <c2f/layers/residual.hpp>

#include <algorithm>
#include <type_traits>

namespace c2f {

namespace detail {
template <int Depth>
consteval bool check_resnet_depth() {
  static_assert(Depth == 10 || Depth == 18 || Depth == 34 || Depth == 50,
                "c2f::resnet knows the depths 10, 18, 34 and 50; write one of them, or c2f::resnet_cifar for 32x32 images");
  return true;
}
template <int Stages>
consteval bool check_resnet_stages() {
  static_assert(Stages >= 1 && Stages <= 4, "c2f::resnet_features has four stages; write how many of them, 1 to 4");
  return true;
}
template <std::int64_t OutputStride>
consteval bool check_output_stride() {
  static_assert(OutputStride == 8 || OutputStride == 16 || OutputStride == 32,
                "c2f::resnet_features has output stride 8, 16 or 32; write one of them");
  return true;
}
template <int Depth, std::int64_t W, std::int64_t S, std::int64_t D>
using resnet_block = std::conditional_t<Depth == 50, dilated_bottleneck<W, S, D>, dilated_basic_block<W, S, D>>;
}  // namespace detail

/// The convolutional part with the first `Stages` of four stages: [N, C, H, W] -> a map of stride 4, 8, 16 or 32, or of `OutputStride` if
/// that is smaller. Later stages then have stride 1 and dilation instead; the first block of a stage keeps the dilation of the stage before
/// it, as with torchvision's replace_stride_with_dilation.
template <int Depth, int Stages = 4, std::int64_t OutputStride = 32>
struct resnet_features {
  static constexpr std::array<std::size_t, 4> blocks = Depth == 10   ? std::array<std::size_t, 4>{1, 1, 1, 1}
                                                       : Depth == 18 ? std::array<std::size_t, 4>{2, 2, 2, 2}
                                                                     : std::array<std::size_t, 4>{3, 4, 6, 3};

  template <shape In>
  struct on : detail::static_check<detail::check_resnet_depth<Depth>(), detail::check_resnet_stages<Stages>(),
                                   detail::check_output_stride<OutputStride>()> {
    // Stage i without dilation ends at stride 4 * 2^i; the excess over OutputStride becomes dilation.
    static constexpr std::int64_t dilation(int i) { return std::max<std::int64_t>(1, (std::int64_t{4} << i) / OutputStride); }
    template <int I, std::int64_t Width, std::int64_t Stride>
    using stage =
        std::conditional_t<(I < Stages),
                           repeat<blocks[I], detail::resnet_block<Depth, Width, dilation(I) == 1 ? Stride : 1, dilation(I - (I > 0))>,
                                  detail::resnet_block<Depth, Width, 1, dilation(I)>>,
                           identity>;
    // at0 ... at4: the shapes after the stem, the pooling and each stage but the last.
    using stem   = conv<64, 7, 2>;
    using at0    = typename network_on<stem, In>::output;
    using at1    = typename network_on<max_pool<3, 2, 1>, at0>::output;
    using at2    = typename network_on<stage<0, 64, 1>, at1>::output;
    using at3    = typename network_on<stage<1, 128, 2>, at2>::output;
    using at4    = typename network_on<stage<2, 256, 2>, at3>::output;
    using output = typename network_on<stage<3, 512, 2>, at4>::output;

    network_on<stem, In> conv1;
    network_on<batch_norm, at0> bn1;
    network_on<max_pool<3, 2, 1>, at0> maxpool;
    network_on<stage<0, 64, 1>, at1> layer1;
    network_on<stage<1, 128, 2>, at2> layer2;
    network_on<stage<2, 256, 2>, at3> layer3;
    network_on<stage<3, 512, 2>, at4> layer4;
    C2F_MEMBERS(conv1, bn1, maxpool, layer1, layer2, layer3, layer4);

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      at::Tensor const y = maxpool(bn1.then_relu(conv1(x, m), m), m);
      return layer4(layer3(layer2(layer1(y, m), m), m), m);
    }
  };
};

/// The classifier: [N, C, H, W] -> raw output of the kind, [N, K] for class_vector<K>.
template <int Depth, class Kind>
struct resnet {
  using kind = Kind;

  template <shape In>
  struct on : network_on<resnet_features<Depth>, In> {
    using features = network_on<resnet_features<Depth>, In>;
    using output   = typename Kind::template output<detail::as_map<In>>;

    network_on<linear<output::channels>, vector<features::output::channels>> fc;
    C2F_MEMBERS(conv1, bn1, maxpool, layer1, layer2, layer3, layer4, fc);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return fc(features::operator()(x, m).mean({2, 3}), m); }
  };
};

}  // namespace c2f
