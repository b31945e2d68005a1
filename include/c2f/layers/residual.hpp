// c2f/layers/residual.hpp: residual blocks, the sum of a body and a shortcut.
//
//   c2f::residual<c2f::sequential<c2f::conv<16, 3>, c2f::batch_norm>>                      relu(body(x) + x)
//   c2f::residual<body, c2f::sequential<c2f::conv<32, 1, 2, 0>, c2f::batch_norm>>          relu(body(x) + shortcut(x))
//   c2f::residual<body, shortcut, c2f::identity>                                          body(x) + shortcut(x)
//   c2f::basic_block<64>   c2f::bottleneck<64, 2>                                          the blocks of ResNet
//
// He et al., "Deep residual learning", CVPR 2016, figure 5. The two blocks use torchvision's names (conv1, bn1, ..., downsample.0) and have
// the stride on the 3x3 convolution; their shortcut is a 1x1 convolution and a norm if the stride is not 1 or the channels change, else x.
// Errors: branches of different shapes are a compile error (layers/layer_check.hpp).
#pragma once

#include <c2f/layers/conv.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <type_traits>

namespace c2f {

/// after(body(x) + shortcut(x)); body and shortcut end in the same shape, which is the output.
template <class Body, class Shortcut = identity, class After = relu>
struct residual {
  template <shape In>
  struct on : detail::static_check<
                  detail::check_sum<residual, typename network_on<Body, In>::output, typename network_on<Shortcut, In>::output>()> {
    using output = detail::output_if<same_size<typename network_on<Body, In>::output, typename network_on<Shortcut, In>::output>,
                                     typename network_on<Body, In>::output>;

    network_on<Body, In> body;
    network_on<Shortcut, In> shortcut;
    network_on<After, output> after;
    C2F_MEMBERS(body, shortcut, after);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return after(body(x, m).add(shortcut(x, m)), m); }
    at::Tensor operator()(at::Tensor const& x, pass& p) const
      requires detail::wants_pass<network_on<Body, In>> || detail::wants_pass<network_on<Shortcut, In>> ||
               detail::wants_pass<network_on<After, output>>
    {
      at::Tensor const y = detail::run(body, x, p);
      return detail::run(after, y.add(detail::run(shortcut, x, p)), p);
    }
  };
};

namespace detail {
/// The shortcut of a ResNet block that ends in `Out` channels. `AfterStride`: the shape after the strided convolution; if it is
/// wrong_shape, that layer has emitted the diagnostic, and none follows here.
template <shape In, shape AfterStride, std::int64_t Out, std::int64_t Stride, class Norm = batch_norm>
using downsample = network_on<std::conditional_t<Stride == 1 && In::channels == Out, identity, sequential<conv<Out, 1, Stride, 0>, Norm>>,
                              std::conditional_t<is_wrong<AfterStride>, wrong_shape, In>>;
inline at::Tensor sum_of(at::Tensor const& x, at::Tensor const& term) { return term.defined() ? x.add(term) : x; }

}  // namespace detail

/// The layers of a ResNet block: its 3x3 convolutions and its norms. Another struct with these members gives a block others.
struct block_layers {
  template <std::int64_t Width, std::int64_t Stride, std::int64_t Dilation>
  using convolution = conv<Width, 3, Stride, Dilation, no_bias, Dilation>;
  using norm        = batch_norm;
};

/// A basic block whose 3x3 convolutions have dilation `Dilation`.
template <std::int64_t Width, std::int64_t Stride, std::int64_t Dilation, class Layers = block_layers>
struct dilated_basic_block {
  static constexpr std::int64_t expansion = 1;

  template <shape In>
  struct on {
    using first  = typename Layers::template convolution<Width, Stride, Dilation>;
    using second = typename Layers::template convolution<Width, 1, Dilation>;
    using norm   = typename Layers::norm;
    using middle = typename network_on<first, In>::output;
    using output = middle;

    network_on<first, In> conv1;
    network_on<norm, middle> bn1;
    network_on<second, middle> conv2;
    network_on<norm, output> bn2;
    detail::downsample<In, middle, Width, Stride, norm> downsample;
    C2F_MEMBERS(conv1, bn1, conv2, bn2, downsample);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return plus(x, {}, m); }
    /// With another term in the sum before the last ReLU; undefined: none.
    at::Tensor plus(at::Tensor const& x, at::Tensor const& term, mode m) const {
      at::Tensor const y = bn1.then_relu(conv1(x, m), m), z = conv2(y, m);
      return bn2.plus_then_relu(z, detail::sum_of(downsample(try_fused::gradient_fan_out(x), m), term), m);
    }
  };
};

/// ResNet's basic block: two 3x3 convolutions, each with a norm. [N, C, H, W] -> [N, Width, ceil(H / Stride), ceil(W / Stride)].
/// Errors: an input that is not a map is a compile error.
template <std::int64_t Width, std::int64_t Stride = 1>
struct basic_block : dilated_basic_block<Width, Stride, 1> {};

/// A bottleneck whose 3x3 convolution has dilation `Dilation`.
template <std::int64_t Width, std::int64_t Stride, std::int64_t Dilation, class Layers = block_layers>
struct dilated_bottleneck {
  static constexpr std::int64_t expansion = 4;

  template <shape In>
  struct on {
    using wide   = typename Layers::template convolution<Width, Stride, Dilation>;
    using norm   = typename Layers::norm;
    using narrow = typename network_on<conv<Width, 1>, In>::output;
    using middle = typename network_on<wide, narrow>::output;
    using output = detail::output_if<!detail::is_wrong<middle>, with_channels<middle, 4 * Width>>;

    network_on<conv<Width, 1>, In> conv1;
    network_on<norm, narrow> bn1;
    network_on<wide, narrow> conv2;
    network_on<norm, middle> bn2;
    network_on<conv<4 * Width, 1>, middle> conv3;
    network_on<norm, output> bn3;
    detail::downsample<In, middle, 4 * Width, Stride, norm> downsample;
    C2F_MEMBERS(conv1, bn1, conv2, bn2, conv3, bn3, downsample);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return plus(x, {}, m); }
    /// With another term in the sum before the last ReLU; undefined: none.
    at::Tensor plus(at::Tensor const& x, at::Tensor const& term, mode m) const {
      at::Tensor const y = bn1.then_relu(conv1(x, m), m), z = bn2.then_relu(conv2(y, m), m), last = conv3(z, m);
      return bn3.plus_then_relu(last, detail::sum_of(downsample(try_fused::gradient_fan_out(x), m), term), m);
    }
  };
};

/// ResNet's bottleneck block: 1x1, 3x3 and 1x1 convolutions, each with a norm. [N, C, H, W] -> [N, 4 Width, ceil(H / Stride),
/// ceil(W / Stride)]. Errors: an input that is not a map is a compile error.
template <std::int64_t Width, std::int64_t Stride = 1>
struct bottleneck : dilated_bottleneck<Width, Stride, 1> {};

}  // namespace c2f
