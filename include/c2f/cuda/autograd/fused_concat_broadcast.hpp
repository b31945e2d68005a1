// c2f/cuda/autograd/fused_concat_broadcast.hpp: cuda/kernels/concat_broadcast.cuh for tensors, with its gradients.
#pragma once

#include <c2f/cuda/autograd/fused_broadcast_interior.hpp>
#include <c2f/cuda/kernels/concat_broadcast.cuh>

namespace c2f::cuda::detail {

struct concat_broadcast_function : torch::autograd::Function<concat_broadcast_function> {
  // x and tiny of one number type.
  static at::Tensor forward(AutogradContext* context, at::Tensor const& x_, at::Tensor const& tiny_) {
    at::Tensor const x    = as_map(x_);
    at::Tensor const tiny = tiny_.contiguous(x.suggest_memory_format());
    map_shape const of_x = shape_of(x), of_tiny = shape_of(tiny, x.suggest_memory_format());
    map_shape const joined  = of_x.with_channels(of_x.channels + of_tiny.channels);
    at::Tensor const result = empty_map(joined, x, x.scalar_type());
    for_number(x, [&]<class Number>(Number*) {
      fill(write<Number>(result), joined, concat_broadcast<Number>{read<Number>(x), read<Number>(tiny), of_x, of_tiny},
           device_stream_of(x));
    });
    save_shape(*context, of_tiny);
    return result;
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    map_shape const of_tiny = saved_shape(*context);
    auto const channels     = static_cast<int>(gradients[0].size(1)) - of_tiny.channels;
    return {context->needs_input_grad(0) ? gradients[0].narrow(1, 0, channels) : at::Tensor(),
            context->needs_input_grad(1) ? broadcast_interior_backward(gradients[0], of_tiny, channels) : at::Tensor()};
  }
};

/// fused_operations::concat_broadcast.
inline at::Tensor concat_broadcast(at::Tensor const& x, at::Tensor const& tiny) {
  at::Tensor const number = as_number(x);
  return concat_broadcast_function::apply(number, tiny.to(number.scalar_type()));
}

}  // namespace c2f::cuda::detail
