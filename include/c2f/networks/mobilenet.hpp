// c2f/networks/mobilenet.hpp: MobileNet, of depthwise and pointwise convolutions.
//
//   using network = c2f::mobilenet<c2f::class_vector<1000>>;                 // 4,231,976 parameters
//   using half    = c2f::mobilenet<c2f::class_vector<1000>, 0.5>;            // half of the channels: 1,331,592
//
// Howard et al., "MobileNets", 2017, table 1: a 3x3 convolution to 32 channels with stride 2, then 13 pairs of a 3x3 depthwise convolution
// and a 1x1 convolution to 64 ... 1,024 channels, four of stride 2, each followed by a norm and ReLU; the mean over positions and a linear
// layer. `Width` multiplies the channels: .25, .5, .75 or 1. Sizes from 32x32; the paper's are 224, 192, 160 and 128. A quarter: 470,072.
// Errors: a width that leaves no channel is a compile error.
#pragma once

#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/depthwise.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <cstdint>

namespace c2f {

namespace detail {
/// The features of a MobileNet whose channels are multiplied by Width.
template <double Width>
struct mobilenet_layers {
  static constexpr std::int64_t width(std::int64_t channels) { return static_cast<std::int64_t>(static_cast<double>(channels) * Width); }
  template <std::int64_t Out, std::int64_t Stride = 1>
  using pair                      = sequential<depthwise_conv<3, Stride>, batch_norm, relu, conv<Out, 1>, batch_norm, relu>;
  static constexpr std::int64_t a = width(32), b = width(64), c = width(128), d = width(256), e = width(512), f = width(1024);
  using type = sequential<conv<a, 3, 2>, batch_norm, relu, pair<b>, pair<c, 2>, pair<c>, pair<d, 2>, pair<d>, pair<e, 2>, pair<e>, pair<e>,
                          pair<e>, pair<e>, pair<e>, pair<f, 2>, pair<f>, global_average_pool>;
};
}  // namespace detail

template <class Kind, double Width = 1.0>
struct mobilenet {
  using kind     = Kind;
  using sequence = typename detail::mobilenet_layers<Width>::type;

  template <shape In>
  struct on {
    using output = typename Kind::template output<detail::as_map<In>>;

    network_on<sequence, In> features;
    network_on<linear<output::channels>, vector<detail::mobilenet_layers<Width>::f>> fc;
    C2F_MEMBERS(features, fc);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return fc(features(x, m), m); }
  };
};

}  // namespace c2f
