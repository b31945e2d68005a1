// c2f/networks/fcn.hpp: fully convolutional networks for dense maps.
//
//   using network = c2f::fcn<c2f::resnet_features<18, 3>, c2f::dense<19>>;       // any backbone that ends in a map
//   using network = c2f::fcn8s<c2f::dense<1>>;                                   // VGG-16, as in RSTN
//   using network = c2f::fcn8s<c2f::dense<1>, 256, 8>;                           // narrow: 256 instead of 4,096 channels, 8 instead of 64
//
// Both map [N, C, H, W] to logits [N, K, H, W].
//
// fcn: the backbone, a 3x3 convolution to `Width` channels (0: a quarter of the backbone's), a norm, ReLU and a 1x1 convolution to the
// classes, resized to the image by bilinear interpolation. torchvision's names: classifier.0 ... classifier.4, where 3 is the identity in
// place of torchvision's dropout.
//
// fcn8s: Long et al., CVPR 2015, with the names of the usual PyTorch translations (conv1_1 ... conv5_3, fc6, fc7, score_fr,
// score_pool3, score_pool4, upscore2, upscore_pool4, upscore8): padding 100, poolings that round up, scores of the third and fourth
// pooling added, crop offsets 5, 9 and 31. Score layers are initially zero, as published; the up-sampling is not trained. Accepts maps of
// any size. Parameters with three channels and 21 classes: 134,362,751.
// Difference: no dropout after fc6 and fc7. fcn8s is called with the mode only, and c2f::dropout needs the pass (layers/dropout.hpp).
// Errors: an input that is not a map is a compile error; so is a backbone of fcn that ends in a vector (layers/layer_check.hpp).
#pragma once

#include <c2f/execution/resize.hpp>
#include <c2f/kinds/dense.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/max_pool.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>
#include <c2f/layers/upsample.hpp>

namespace c2f {

/// A backbone with a convolutional head.
template <class Backbone, class Kind, std::int64_t Width = 0>
struct fcn {
  using kind = Kind;

  template <shape In>
  struct on {
    using output                        = typename Kind::template output<detail::as_map<In>>;
    using features                      = typename network_on<Backbone, In>::output;
    static constexpr std::int64_t width = Width > 0 ? Width : (features::channels + 3) / 4;
    using head                          = sequential<conv<width, 3>, batch_norm, relu, identity, conv<output::channels, 1, 1, 0, bias>>;

    network_on<Backbone, In> backbone;
    network_on<head, features> classifier;
    C2F_MEMBERS(backbone, classifier);

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      return resize_bilinear(classifier(backbone(x, m), m), x.size(2), x.size(3));
    }
    at::Tensor operator()(at::Tensor const& x, pass& p) const
      requires detail::wants_pass<network_on<Backbone, In>>
    {
      return resize_bilinear(classifier(run_network(backbone, x, p), p.mode), x.size(2), x.size(3));
    }
  };
};

/// FCN-8s on VGG-16. `Hidden`: channels of fc6 and fc7; `Width`: channels of the first stage.
template <class Kind, std::int64_t Hidden = 4096, std::int64_t Width = 64>
struct fcn8s {
  using kind = Kind;

  template <shape In>
  struct on : detail::static_check<detail::check_map<fcn8s, In>()> {
    using output                          = typename Kind::template output<detail::as_map<In>>;
    static constexpr std::int64_t classes = output::channels;
    // The inner sizes are dynamic: the padding makes every image large enough.
    template <std::int64_t Channels, std::int64_t Out, std::int64_t Kernel = 3, std::int64_t Padding = 1>
    using convolution = network_on<conv<Out, Kernel, 1, Padding, bias>, image<Channels, dynamic, dynamic>>;
    template <std::int64_t Channels>
    using score = network_on<conv<classes, 1, 1, 0, bias, 1, initial::zeros>, image<Channels, dynamic, dynamic>>;
    template <std::int64_t Kernel, std::int64_t Stride>
    using upscore = network_on<bilinear_up<Kernel, Stride>, image<classes, dynamic, dynamic>>;

    convolution<In::channels, Width, 3, 100> conv1_1;
    convolution<Width, Width> conv1_2;
    convolution<Width, 2 * Width> conv2_1;
    convolution<2 * Width, 2 * Width> conv2_2;
    convolution<2 * Width, 4 * Width> conv3_1;
    convolution<4 * Width, 4 * Width> conv3_2, conv3_3;
    convolution<4 * Width, 8 * Width> conv4_1;
    convolution<8 * Width, 8 * Width> conv4_2, conv4_3, conv5_1, conv5_2, conv5_3;
    convolution<8 * Width, Hidden, 7, 0> fc6;
    convolution<Hidden, Hidden, 1, 0> fc7;
    score<Hidden> score_fr;
    score<4 * Width> score_pool3;
    score<8 * Width> score_pool4;
    upscore<4, 2> upscore2;
    upscore<16, 8> upscore8;
    upscore<4, 2> upscore_pool4;
    C2F_MEMBERS(conv1_1, conv1_2, conv2_1, conv2_2, conv3_1, conv3_2, conv3_3, conv4_1, conv4_2, conv4_3, conv5_1, conv5_2, conv5_3, fc6,
                fc7, score_fr, score_pool3, score_pool4, upscore2, upscore8, upscore_pool4);

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      auto const pooled = [](at::Tensor const& y) { return detail::max_pooled(y, 2, 2, 0, /*ceil=*/true); };
      auto const after  = [&](at::Tensor const& y, auto const&... layer) {
        at::Tensor z = y;
        ((z = layer.then_relu(z, m)), ...);
        return z;
      };
      auto const cropped = [](at::Tensor const& y, std::int64_t from, at::Tensor const& like) {
        return y.narrow(2, from, like.size(2)).narrow(3, from, like.size(3));
      };
      at::Tensor const pool2  = pooled(after(pooled(after(x, conv1_1, conv1_2)), conv2_1, conv2_2));
      at::Tensor const pool3  = pooled(after(pool2, conv3_1, conv3_2, conv3_3));
      at::Tensor const pool4  = pooled(after(pool3, conv4_1, conv4_2, conv4_3));
      at::Tensor const pool5  = pooled(after(pool4, conv5_1, conv5_2, conv5_3));
      at::Tensor const large  = upscore2(score_fr(after(pool5, fc6, fc7), m), m);
      at::Tensor const medium = upscore_pool4(cropped(score_pool4(pool4, m), 5, large).add(large), m);
      at::Tensor const small  = upscore8(cropped(score_pool3(pool3, m), 9, medium).add(medium), m);
      return cropped(small, 31, x).contiguous();
    }
  };
};

}  // namespace c2f
