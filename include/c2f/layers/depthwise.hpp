// c2f/layers/depthwise.hpp: depthwise convolutions, one kernel a channel, and separable ones.
//
//   using filter = c2f::depthwise_conv<5>;              // 5x5; the channels stay apart; no bias, as a norm follows
//   using halved = c2f::depthwise_conv<3, 2>;           // with stride 2
//   using layer  = c2f::separable_conv<32, 5>;          // depthwise 5x5, norm, ReLU, 1x1 to 32 channels, norm, ReLU
//
// [N, C, H, W] -> the same shape, or a smaller one with a stride; separable_conv: [N, Out, H, W]. Weight [C, 1, Kernel, Kernel], initially he_normal of its inputs (Chollet,
// "Xception", CVPR 2017; the norms and ReLU between as in DeepLab). Cost: one convolution call with C groups.
// Errors: an input that is not a map is a compile error.
#pragma once

#include <c2f/execution/layer_watcher.hpp>
#include <c2f/execution/multiply_adds.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <ATen/ops/conv2d.h>

#include <array>
#include <cstdint>

namespace c2f {

template <std::int64_t Kernel, std::int64_t Stride = 1>
struct depthwise_conv {
  template <shape In>
  struct on : detail::static_check<detail::check_map<depthwise_conv, In>(),
                                   detail::check_window<depthwise_conv, In, Kernel, Stride, Kernel / 2>()> {
    static constexpr bool fits = image_shape<In> && !detail::is_wrong<In> && window_fits<detail::as_map<In>, Kernel, Stride, Kernel / 2, 1>;
    using output               = detail::output_if<fits, strided<detail::as_map<In>, Kernel, Stride, Kernel / 2, 1>>;

    parameter<initial::he_normal_in, In::channels, 1, Kernel, Kernel> weight;
    C2F_MEMBERS(weight);

    at::Tensor operator()(at::Tensor const& x, mode) const {
      if (auto* const watcher = execution().watcher; watcher != nullptr)
        return watcher->layer(x, convolved(x.detach()), {&weight, nullptr, Kernel > 1, /*depthwise=*/true});
      return convolved(x);
    }

   private:
    at::Tensor convolved(at::Tensor const& x) const {
      static constexpr std::array stride{Stride, Stride}, padding{Kernel / 2, Kernel / 2}, dilation{std::int64_t{1}, std::int64_t{1}};
      return detail::counted_convolution(at::conv2d(x, weight.as(x), {}, stride, padding, dilation, /*groups=*/x.size(1)), weight.tensor());
    }
  };
};

template <std::int64_t Out, std::int64_t Kernel>
using separable_conv = sequential<depthwise_conv<Kernel>, batch_norm, relu, conv<Out, 1, 1, 0>, batch_norm, relu>;

}  // namespace c2f
