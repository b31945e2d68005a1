// c2f/layers/upsample.hpp: transposed convolutions, learnt and bilinear.
//
//   c2f::up_conv<32, 2, 2>                twice the size, 32 channels: the "up-convolution" of a U-Net, with a bias
//   c2f::bilinear_up<4, 2>                twice the size by bilinear interpolation, as in FCN: not trained
//
// [N, C, H, W] -> [N, Out, (H - 1) * Stride + Kernel, (W - 1) * Stride + Kernel]; bilinear_up keeps the channels. Weights are
// [C, Out, Kernel, Kernel] as in PyTorch's ConvTranspose2d. up_conv has a bias [Out] and is initially he_normal. The weight of bilinear_up
// is a buffer, so files that contain it can be loaded: a bilinear kernel from each channel to itself, else 0 (Long et al., CVPR 2015).
// Cost: one call each. Errors: an input that is not a map is a compile error.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/layers/layer_check.hpp>

#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/zeros.h>

#include <cmath>

namespace c2f {

namespace detail {
/// The output shape of a transposed convolution.
template <image_shape S, std::int64_t Channels, std::int64_t Kernel, std::int64_t Stride>
using enlarged = image<Channels, S::height == dynamic ? dynamic : (S::height - 1) * Stride + Kernel,
                       S::width == dynamic ? dynamic : (S::width - 1) * Stride + Kernel>;

/// A buffer whose value is set by its constructor.
template <std::int64_t Channels, std::int64_t Kernel>
struct bilinear_kernel : state_tensor {
  static constexpr std::array<std::int64_t, 4> dims{Channels, Channels, Kernel, Kernel};
  static constexpr std::int64_t count = Channels * Channels * Kernel * Kernel;
  static constexpr state_traits traits{false, dims, nullptr};

  bilinear_kernel() {
    at::Tensor kernel = at::zeros({Channels, Channels, Kernel, Kernel}, at::TensorOptions(at::kFloat));
    auto* const value = kernel.mutable_data_ptr<float>();
    double const half = (Kernel + 1) / 2, middle = (Kernel - 1) / 2.0;
    for (std::int64_t c = 0; c < Channels; ++c)
      for (std::int64_t i = 0; i < Kernel; ++i)
        for (std::int64_t j = 0; j < Kernel; ++j)
          value[((c * Channels + c) * Kernel + i) * Kernel + j] = static_cast<float>(
              (1 - std::abs(static_cast<double>(i) - middle) / half) * (1 - std::abs(static_cast<double>(j) - middle) / half));
    assign(kernel);
  }
};
}  // namespace detail

/// A learnt transposed convolution.
template <std::int64_t Out, std::int64_t Kernel, std::int64_t Stride>
struct up_conv {
  template <shape In>
  struct on : detail::static_check<detail::check_map<up_conv, In>()> {
    using output = detail::output_if<image_shape<In>, detail::enlarged<detail::as_map<In>, Out, Kernel, Stride>>;

    parameter<initial::he_normal, In::channels, Out, Kernel, Kernel> weight;
    parameter<initial::zeros, Out> bias;
    C2F_MEMBERS(weight, bias);

    at::Tensor operator()(at::Tensor const& x, mode) const { return at::conv_transpose2d(x, weight.as(x), bias.as(x), {Stride, Stride}); }
  };
};

/// Bilinear interpolation as a transposed convolution with a constant kernel.
template <std::int64_t Kernel, std::int64_t Stride>
struct bilinear_up {
  template <shape In>
  struct on : detail::static_check<detail::check_map<bilinear_up, In>()> {
    using output = detail::output_if<image_shape<In>, detail::enlarged<detail::as_map<In>, In::channels, Kernel, Stride>>;

    detail::bilinear_kernel<In::channels, Kernel> weight;
    C2F_MEMBERS(weight);

    at::Tensor operator()(at::Tensor const& x, mode) const { return at::conv_transpose2d(x, weight.as(x), {}, {Stride, Stride}); }
  };
};

}  // namespace c2f
