// c2f/layers/average_pool.hpp: average pooling.
//
//   c2f::average_pool<2>            2x2, stride 2
//   c2f::average_pool<3, 2>         3x3, stride 2
//
// [N, C, H, W] -> [N, C, H', W'], as PyTorch's AvgPool2d without padding. Cost: one call. Errors: an input that is not a map and a window
// that does not fit are compile errors (layers/layer_check.hpp).
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/layers/layer_check.hpp>

#include <ATen/ops/avg_pool2d.h>

namespace c2f {

template <std::int64_t Kernel, std::int64_t Stride = Kernel>
struct average_pool {
  template <shape In>
  struct on : detail::static_check<detail::check_map<average_pool, In>(), detail::check_window<average_pool, In, Kernel, Stride, 0>()> {
    static constexpr bool fits = image_shape<In> && !detail::is_wrong<In> && window_fits<detail::as_map<In>, Kernel, Stride, 0>;
    using output               = detail::output_if<fits, strided<detail::as_map<In>, Kernel, Stride, 0>>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return at::avg_pool2d(x, {Kernel, Kernel}, {Stride, Stride}); }
  };
};

}  // namespace c2f
