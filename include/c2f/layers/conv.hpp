// c2f/layers/conv.hpp: two-dimensional convolution.
//
//   c2f::conv<16, 3>                       16 channels, 3x3, padding that keeps the size, no bias (a norm follows)
//   c2f::conv<64, 7, 2>                    stride 2
//   c2f::conv<100, 1, 1, 0, c2f::bias>     with a bias
//   c2f::conv<21, 1, 1, 0, c2f::bias, 1, c2f::initial::zeros>     with initial weight zero
//
//   conv(x, mode)   conv.then_relu(x, mode)
//
// [N, C, H, W] -> [N, Out, H', W'].  Weight [Out, C, Kernel, Kernel], initially he_normal; bias [Out]. Cost: one convolution call; for the
// concatenation with a broadcast map and a kernel of more than 3x3, two cheaper ones (layers/conv_broadcast.hpp).
// Errors: an input that is not a map or smaller than the window is a compile error (layers/layer_check.hpp).
#pragma once

#include <c2f/execution/multiply_adds.hpp>
#include <c2f/core/architecture.hpp>
#include <c2f/execution/folding.hpp>
#include <c2f/execution/layer_watcher.hpp>
#include <c2f/execution/try_fused.hpp>
#include <c2f/layers/layer_check.hpp>
#include <c2f/layers/conv_broadcast.hpp>
#include <c2f/layers/conv_blocks.hpp>

#include <ATen/ops/conv2d.h>

#include <array>
#include <optional>
#include <type_traits>

namespace c2f {

/// Whether a convolution adds a bias per channel, and the bias's initial value.
struct no_bias {};
template <class Initial>
struct bias_from {};
using bias = bias_from<initial::zeros>;

namespace detail {
/// The bias [Out]; without a bias it has no tensor and stores the shift of a folded norm.
template <class Bias, std::int64_t Out>
struct bias_tensor : folded_shift {
  C2F_MEMBERS();
};
template <class Initial, std::int64_t Out>
struct bias_tensor<bias_from<Initial>, Out> : parameter<Initial, Out> {};
}  // namespace detail

template <std::int64_t Out, std::int64_t Kernel, std::int64_t Stride = 1, std::int64_t Padding = Kernel / 2, class Bias = no_bias,
          std::int64_t Dilation = 1, class WeightInitial = initial::he_normal>
struct conv {
  template <shape In>
  struct on : detail::static_check<detail::check_map<conv, In>(), detail::check_channels<conv, In, Out>(),
                                   detail::check_window<conv, In, Kernel, Stride, Padding, Dilation>()> {
    static constexpr bool fits =
        image_shape<In> && !detail::is_wrong<In> && Out >= 1 && window_fits<detail::as_map<In>, Kernel, Stride, Padding, Dilation>;
    using output = detail::output_if<fits, with_channels<strided<detail::as_map<In>, Kernel, Stride, Padding, Dilation>, Out>>;

    parameter<WeightInitial, Out, In::channels, Kernel, Kernel> weight;
    detail::bias_tensor<Bias, Out> bias;
    C2F_MEMBERS(weight, bias);

    at::Tensor operator()(at::Tensor const& x, mode) const {
      if (auto* const watcher = execution().watcher; watcher != nullptr)
        return watcher->layer(x, convolved(x.detach(), bias.as(x)), {&weight, own_bias(), Padding > 0});
      at::Tensor y = convolved(x, bias.as(x));
      if (auto* const folds = execution().folding; folds != nullptr && !detail::attends(weight))
        folds->observe_convolution(y, weight, bias);
      return y;
    }
    /// relu(conv(x))
    at::Tensor then_relu(at::Tensor const& x, mode m) const {
      if constexpr (has_bias)
        if (!detail::attends(weight) && try_fused::takes_bias_relu(x, weight.tensor().size(0)))  // today's width, which may differ from Out
          return try_fused::bias_relu(convolved(x, std::nullopt), bias.as(x), {}, /*relu=*/true);
      return (*this)(x, m).relu_();  // in place: nothing else refers to it
    }

   private:
    static constexpr bool has_bias = std::is_base_of_v<state_tensor, detail::bias_tensor<Bias, Out>>;
    [[nodiscard]] state_tensor const* own_bias() const {
      if constexpr (has_bias)
        return &bias;
      else
        return nullptr;
    }
    at::Tensor convolved(at::Tensor const& x, std::optional<at::Tensor> const& added) const {
      static constexpr std::array stride{Stride, Stride}, padding{Padding, Padding}, dilation{Dilation, Dilation};
      if (weight.blocks() != nullptr) return detail::conv_in_blocks(x, weight, added, stride, padding, dilation);
      broadcast_concat const* const parts = Kernel > 3 ? broadcast_concat_scope::parts_of(x) : nullptr;
      return parts != nullptr ? detail::conv_broadcast_concat(*parts, weight.as(x), added, stride, padding, dilation)
                              : detail::counted_convolution(at::conv2d(x, weight.as(x), added, stride, padding, dilation), weight.tensor());
    }
  };
};

}  // namespace c2f
