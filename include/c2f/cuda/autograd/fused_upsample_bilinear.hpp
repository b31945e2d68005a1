// c2f/cuda/autograd/fused_upsample_bilinear.hpp: cuda/kernels/upsample_bilinear.cuh for tensors, with its gradient.
#pragma once

#include <c2f/cuda/autograd/fused_map.hpp>
#include <c2f/cuda/kernels/upsample_bilinear.cuh>

namespace c2f::cuda::detail {

struct upsample_bilinear_function : torch::autograd::Function<upsample_bilinear_function> {
  static at::Tensor forward(AutogradContext* context, at::Tensor const& x, std::int64_t height, std::int64_t width) {
    at::Tensor const small = as_map(x);
    map_shape const large  = shape_of(small).resized(height, width);
    at::Tensor const to    = empty_map(large, small, small.scalar_type());
    for_number(small, [&]<class Number>(Number*) {
      fill(write<Number>(to), large, upsample_bilinear<Number>{read<Number>(small), shape_of(small), large}, device_stream_of(small));
    });
    save_shape(*context, shape_of(small));
    return to;
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    map_shape const small     = saved_shape(*context);
    at::Tensor const gradient = as_map(gradients[0], format_of(small));
    map_shape const large     = shape_of(gradient, format_of(small));
    map_shape const narrow    = large.resized(large.height, small.width);
    at::Tensor const columns = empty_map(narrow, gradient, at::kFloat), to_small = empty_map(small, gradient, gradient.scalar_type());
    for_number(gradient, [&]<class Number>(Number*) {
      device_stream const where = device_stream_of(gradient);
      fill<1>(write<float>(columns), narrow, upsample_bilinear_backward<Number>{read<Number>(gradient), large, small.width, false}, where);
      fill<1>(write<Number>(to_small), small, upsample_bilinear_backward<float>{read<float>(columns), narrow, small.height, true}, where);
    });
    return {to_small, {}, {}};
  }
};

/// fused_operations::upsample_bilinear.
inline at::Tensor upsample_bilinear(at::Tensor const& x, std::int64_t height, std::int64_t width) {
  return upsample_bilinear_function::apply(as_number(x), height, width);
}

}  // namespace c2f::cuda::detail
