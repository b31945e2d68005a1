// c2f/networks/few_shot_resnet.hpp: the residual feature extractor of few-shot classification on 84x84 images.
//
//   using features = c2f::few_shot_resnet_features;                                       // [N, 3, 84, 84] -> [N, 512]
//   using network  = c2f::predicts<c2f::class_vector<64>, features, c2f::cosine<64>>;     // the first stage of training
//
// Gidaris and Komodakis, CVPR 2018, section 4.1, and their published code: a 3x3 convolution to 64 channels; four blocks of 64, 96, 128 and
// 256 channels, each followed by a 2x2 max pooling; global average pooling; norm, ReLU, linear to 384, dropout; norm, ReLU, linear to 512,
// norm, dropout. A block is the sum of three times (norm, leaky ReLU with slope .1, 3x3 convolution) and a 1x1 convolution as shortcut.
// There is no final ReLU, so that features have both signs, as cosine similarity needs. Convolutions are initially he_normal and their
// biases 0 (the published code keeps PyTorch's default for biases). Parameters with three channels: 2,570,464. Sizes from 16x16.
// Errors: an input that is not a map, or is too small, is a compile error.
#pragma once

#include <c2f/layers/conv.hpp>
#include <c2f/layers/dropout.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/max_pool.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/residual.hpp>

namespace c2f {

namespace detail {
template <std::int64_t Width>
using pre_activated = sequential<batch_norm, leaky_relu<0.1>, conv<Width, 3>, batch_norm, leaky_relu<0.1>, conv<Width, 3>, batch_norm,
                                 leaky_relu<0.1>, conv<Width, 3>>;
template <std::int64_t Width>
using few_shot_block = residual<pre_activated<Width>, conv<Width, 1, 1, 0, bias>, identity>;
template <double Drop>
using few_shot_layers =
    sequential<conv<64, 3, 1, 1, bias>, few_shot_block<64>, max_pool<2>, few_shot_block<96>, max_pool<2>, few_shot_block<128>, max_pool<2>,
               few_shot_block<256>, max_pool<2>, global_average_pool, batch_norm, relu, linear<384, initial::he_normal>, dropout<Drop>,
               batch_norm, relu, linear<512, initial::he_normal>, batch_norm, dropout<Drop>>;
}  // namespace detail

/// [N, C, H, W] -> [N, 512].
struct few_shot_resnet_features : detail::few_shot_layers<0.5> {};

}  // namespace c2f
