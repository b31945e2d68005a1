// c2f/cuda/fused_bias_relu.hpp: cuda/bias_relu.cuh for tensors, with its gradient.
//
// Costs: one launch, and two for the way back; y, which is kept, then dx and the sums of at most 128 strips. Error: channels that are not a
// multiple of 8.
#pragma once

#include <c2f/cuda/bias_relu.cuh>
#include <c2f/cuda/fused_map.hpp>

namespace c2f::cuda::detail {

struct bias_relu_function : torch::autograd::Function<bias_relu_function> {
  // x and bias of one number type.
  static at::Tensor forward(AutogradContext* context, at::Tensor const& x_, at::Tensor const& bias_) {
    if (x_.dim() != 4 || x_.size(1) % 8 != 0 || bias_.dim() != 1 || bias_.size(0) != x_.size(1))
      throw input_error("bias_relu takes a map [N, C, H, W] whose channels are a multiple of 8, and a bias [C], found " +
                        std::to_string(x_.dim()) + " dimensions, " + std::to_string(x_.dim() > 1 ? x_.size(1) : 0) +
                        " channels and a bias of " + std::to_string(bias_.numel()) + "; use at::relu");
    at::Tensor const x = as_map(x_, at::MemoryFormat::ChannelsLast), bias = bias_.contiguous(), y = at::empty_like(x);
    for_number(x, [&]<class Number>(Number*) {
      for_each(cuda::bias_relu<Number>{read<Number>(x), read<Number>(bias), write<Number>(y), static_cast<int>(x.size(1))},
               x.numel() / in_words<Number>, place_of(x));
    });
    context->save_for_backward({y});
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    at::Tensor const y = context->get_saved_variables()[0], dy = as_map(gradients[0].to(y.scalar_type()), at::MemoryFormat::ChannelsLast),
                     dx = at::empty_like(y), to_bias = at::empty({y.size(1)}, y.options());
    for_number(y, [&]<class Number>(Number*) {
      tiles::cut const cut      = tiles::cut_of<Number>(y.size(0) * y.size(2) * y.size(3), y.size(1));
      at::Tensor const partials = at::empty({cut.strips, cut.channels, 2}, y.options().dtype(at::kFloat));
      auto* const pairs         = static_cast<tiles::pair*>(partials.mutable_data_ptr());
      tiles::for_tiles(bias_relu_backward<Number>{read<Number>(dy), read<Number>(y), write<Number>(dx), pairs, cut}, cut, place_of(y));
      tiles::for_tiles(bias_sums<Number>{pairs, write<Number>(to_bias), cut}, cut.one_strip(), place_of(y));
    });
    return {dx, to_bias};
  }
};

/// fused_operations::bias_relu.
inline at::Tensor bias_relu(at::Tensor const& x, at::Tensor const& bias) {
  at::Tensor const number = as_number(x);
  return bias_relu_function::apply(number, bias.to(number.scalar_type()));
}

}  // namespace c2f::cuda::detail
