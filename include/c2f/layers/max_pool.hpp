// c2f/layers/max_pool.hpp: max pooling.
//
//   c2f::max_pool<2>            2x2, stride 2
//   c2f::max_pool<3, 2, 1>      3x3, stride 2, padding 1
//
// [N, C, H, W] -> [N, C, H', W'], as PyTorch's MaxPool2d. Cost: one call. Errors: an input that is not a map, a window that does not fit
// and a padding of more than half of the kernel are compile errors (layers/layer_check.hpp).
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/execution/try_fused.hpp>
#include <c2f/layers/layer_check.hpp>

#include <ATen/ops/max_pool2d.h>

namespace c2f {

namespace detail {
/// `ceil`: the output size is rounded up, so the last windows may extend beyond x.
inline at::Tensor max_pooled(at::Tensor const& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding, bool ceil = false) {
  if (at::Tensor y = try_fused::max_pool(x, kernel, stride, padding, ceil); y.defined()) return y;
  return at::max_pool2d(x, {kernel, kernel}, {stride, stride}, {padding, padding}, {1, 1}, ceil);
}
}  // namespace detail

template <std::int64_t Kernel, std::int64_t Stride = Kernel, std::int64_t Padding = 0>
struct max_pool {
  template <shape In>
  struct on : detail::static_check<detail::check_map<max_pool, In>(), detail::check_pool_padding<max_pool, In, Kernel, Padding>(),
                                   detail::check_window<max_pool, In, Kernel, Stride, Padding>()> {
    static constexpr bool fits =
        image_shape<In> && !detail::is_wrong<In> && Padding <= Kernel / 2 && window_fits<detail::as_map<In>, Kernel, Stride, Padding>;
    using output = detail::output_if<fits, strided<detail::as_map<In>, Kernel, Stride, Padding>>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return detail::max_pooled(x, Kernel, Stride, Padding); }
  };
};

}  // namespace c2f
