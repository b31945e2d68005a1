// c2f/layers/upsample.hpp: transposed convolutions, learnt and bilinear.
//
//   c2f::up_conv<32, 2, 2>                twice the size, 32 channels: the "up-convolution" of a U-Net, with a bias
//   c2f::up_conv<32, 4, 2, c2f::initial::bilinear>     learnt, and initially bilinear interpolation
//   c2f::bilinear_up<4, 2>                twice the size by bilinear interpolation, as in FCN: not trained
//   c2f::doubling                         exactly twice the size, learnt, and initially bilinear interpolation: one map
//
// [N, C, H, W] -> [N, Out, (H - 1) * Stride + Kernel, (W - 1) * Stride + Kernel]; bilinear_up keeps the channels. Weights are
// [C, Out, Kernel, Kernel] as in PyTorch's ConvTranspose2d. up_conv has a bias [Out] and is initially he_normal. The weight of bilinear_up
// is a buffer, so files that contain it can be loaded: initial::bilinear (Long et al., CVPR 2015).
//
// doubling is a 4x4 transposed convolution of stride 2 on a map whose border is replicated by one pixel, cut to twice the size: with its
// initial weight that is resize_bilinear exactly, at the border, too. Each channel is enlarged by the same kernel, so it has 17 parameters.
// Cost: one call each. Errors: an input that is not a map is a compile error.
#pragma once

#include <c2f/execution/multiply_adds.hpp>
#include <c2f/core/architecture.hpp>
#include <c2f/layers/layer_check.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/conv_transpose2d.h>

namespace c2f {

namespace detail {
/// The output shape of a transposed convolution.
template <image_shape S, std::int64_t Channels, std::int64_t Kernel, std::int64_t Stride>
using enlarged = image<Channels, S::height == dynamic ? dynamic : (S::height - 1) * Stride + Kernel,
                       S::width == dynamic ? dynamic : (S::width - 1) * Stride + Kernel>;
}  // namespace detail

/// A learnt transposed convolution.
template <std::int64_t Out, std::int64_t Kernel, std::int64_t Stride, class WeightInitial = initial::he_normal>
struct up_conv {
  template <shape In>
  struct on : detail::static_check<detail::check_map<up_conv, In>()> {
    using output = detail::output_if<image_shape<In>, detail::enlarged<detail::as_map<In>, Out, Kernel, Stride>>;

    parameter<WeightInitial, In::channels, Out, Kernel, Kernel> weight;
    parameter<initial::zeros, Out> bias;
    C2F_MEMBERS(weight, bias);

    at::Tensor operator()(at::Tensor const& x, mode) const {
      return detail::counted_transposed(at::conv_transpose2d(x, weight.as(x), bias.as(x), {Stride, Stride}), x, weight.tensor());
    }
  };
};

/// A learnt transposed convolution that doubles a map's size and begins as bilinear interpolation.
struct doubling {
  template <shape In>
  struct on : detail::static_check<detail::check_map<doubling, In>()> {
    using map    = detail::as_map<In>;
    using output = detail::output_if<image_shape<In>, image<map::channels, map::height == dynamic ? dynamic : 2 * map::height,
                                                            map::width == dynamic ? dynamic : 2 * map::width>>;

    parameter<initial::bilinear, 1, 1, 4, 4> weight;
    parameter<initial::zeros, 1> bias;
    C2F_MEMBERS(weight, bias);

    at::Tensor operator()(at::Tensor const& x, mode) const {
      at::Tensor const maps = x.contiguous().view({x.size(0) * x.size(1), 1, x.size(2), x.size(3)});
      // Padding 3 removes the replicated border and the half of the kernel that reaches beyond it.
      at::Tensor const y    = at::conv_transpose2d(replicated(replicated(maps, 2), 3), weight.as(x), bias.as(x), {2, 2}, {3, 3});
      return y.view({x.size(0), x.size(1), 2 * x.size(2), 2 * x.size(3)});
    }

   private:
    // By cat: the gradient of ATen's replication padding is not deterministic on a GPU.
    static at::Tensor replicated(at::Tensor const& x, std::int64_t dim) {
      return at::cat({x.narrow(dim, 0, 1), x, x.narrow(dim, x.size(dim) - 1, 1)}, dim);
    }
  };
};

/// Bilinear interpolation as a transposed convolution with a constant kernel.
template <std::int64_t Kernel, std::int64_t Stride>
struct bilinear_up {
  template <shape In>
  struct on : detail::static_check<detail::check_map<bilinear_up, In>()> {
    using output = detail::output_if<image_shape<In>, detail::enlarged<detail::as_map<In>, In::channels, Kernel, Stride>>;

    buffer<initial::bilinear, In::channels, In::channels, Kernel, Kernel> weight;
    C2F_MEMBERS(weight);

    at::Tensor operator()(at::Tensor const& x, mode) const {
      return detail::counted_transposed(at::conv_transpose2d(x, weight.as(x), {}, {Stride, Stride}), x, weight.tensor());
    }
  };
};

}  // namespace c2f
