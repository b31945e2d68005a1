// c2f/networks/cnn13.hpp: the network of 13 layers that semi-supervised learning compares itself with.
//
//   using network = c2f::cnn13<c2f::class_vector<10>>;             // 3,123,850 parameters on 3 channels
//   using network = c2f::cnn13<c2f::class_vector<10>, 0.5>;        // with dropout behind the poolings
//
// Laine and Aila, "Temporal ensembling", ICLR 2017, table 5, with batch norm in the place of weight normalisation (Qiao et al., "Deep
// co-training", ECCV 2018, section 4.1): three 3x3 convolutions of 128 channels, three of 256, each followed by 2x2 max pooling, a 3x3
// convolution of 512 channels without padding, 1x1 convolutions of 256 and 128, the mean over positions and a linear layer. Convolutions
// have biases; leaky ReLU with slope .1. Co-training uses no dropout, hence the default.
// Errors: an input below 12x12 is a compile error.
#pragma once

#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/dropout.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/max_pool.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <type_traits>

namespace c2f {

template <class Kind, double Dropout = 0.0>
struct cnn13 {
  using kind = Kind;

  template <shape In>
  struct on {
    template <std::int64_t Out, std::int64_t Kernel, std::int64_t Padding = Kernel / 2>
    using convolution = sequential<conv<Out, Kernel, 1, Padding, bias>, batch_norm, leaky_relu<0.1>>;
    using drop        = std::conditional_t<(Dropout > 0), dropout<Dropout>, identity>;
    using layers      = sequential<convolution<128, 3>, convolution<128, 3>, convolution<128, 3>, max_pool<2>, drop, convolution<256, 3>,
                                   convolution<256, 3>, convolution<256, 3>, max_pool<2>, drop, convolution<512, 3, 0>, convolution<256, 1>,
                                   convolution<128, 1>, global_average_pool>;
    using output      = typename Kind::template output<detail::as_map<In>>;

    network_on<layers, In> features;
    network_on<linear<output::channels>, vector<128>> fc;
    C2F_MEMBERS(features, fc);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return fc(features(x, m), m); }
    at::Tensor operator()(at::Tensor const& x, pass& p) const
      requires(Dropout > 0)
    {
      return fc(features(x, p), p.mode);
    }
  };
};

}  // namespace c2f
