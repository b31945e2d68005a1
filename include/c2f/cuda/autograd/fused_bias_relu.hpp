// c2f/cuda/autograd/fused_bias_relu.hpp: cuda/kernels/bias_relu.cuh for tensors, with its gradient.
//
// Costs: one launch forward, two backward. Memory: y, which is saved for the backward pass, then dx and the sums of at most 128 row blocks.
// Error: channels that are not a multiple of 8.
#pragma once

#include <c2f/cuda/kernels/bias_relu.cuh>
#include <c2f/cuda/autograd/fused_tiles.hpp>

#include <optional>

namespace c2f::cuda::detail {

struct bias_relu_function : torch::autograd::Function<bias_relu_function> {
  // x, bias and shortcut of one number type.
  static at::Tensor forward(AutogradContext* context, at::Tensor const& x_, at::Tensor const& bias_,
                            std::optional<at::Tensor> const& shortcut_, bool relu) {
    if (x_.dim() != 4 || x_.size(1) % 8 != 0 || bias_.dim() != 1 || bias_.size(0) != x_.size(1))
      throw input_error("bias_relu takes a map [N, C, H, W] whose channels are a multiple of 8, and a bias [C], found " +
                        std::to_string(x_.dim()) + " dimensions, " + std::to_string(x_.dim() > 1 ? x_.size(1) : 0) +
                        " channels and a bias of " + std::to_string(bias_.numel()) + "; use at::add and at::relu");
    at::Tensor const x = as_map(x_, at::MemoryFormat::ChannelsLast), bias = bias_.contiguous(), y = at::empty_like(x),
                     shortcut = shortcut_ ? as_map(shortcut_->expand_as(x), at::MemoryFormat::ChannelsLast) : at::Tensor();
    for_number(x, [&]<class Number>(Number*) {
      cuda::bias_relu<Number> const work{
          read<Number>(x),  read<Number>(bias),          shortcut.defined() ? read<Number>(shortcut) : nullptr,
          write<Number>(y), static_cast<int>(x.size(1)), relu};
      for_each(work, x.numel() / in_words<Number>, device_stream_of(x));
    });
    context->save_for_backward({relu ? y : at::Tensor()});
    context->saved_data["shortcut"] = shortcut.defined();
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    at::Tensor const y = context->get_saved_variables()[0], dy = as_map(gradients[0], at::MemoryFormat::ChannelsLast),
                     dx = y.defined() ? at::empty_like(y) : dy, to_bias = at::empty({dy.size(1)}, dy.options());
    for_number(dy, [&]<class Number>(Number*) {
      tiles::tiling const tiling = tiling_of<Number>(dy);
      at::Tensor const partials  = empty_partials(tiling, dy);
      auto* const pairs          = partials_in(partials);
      auto const* const out      = y.defined() ? read<Number>(y) : nullptr;
      tiles::for_tiles(bias_relu_backward<Number>{read<Number>(dy), out, out != nullptr ? write<Number>(dx) : nullptr, pairs, tiling},
                       tiling, device_stream_of(dy));
      tiles::for_tiles(bias_sums<Number>{pairs, write<Number>(to_bias), tiling}, tiling.one_row_block(), device_stream_of(dy));
    });
    return {dx, to_bias, context->saved_data["shortcut"].toBool() ? dx : at::Tensor(), {}};
  }
};

/// fused_operations::bias_relu.
inline at::Tensor bias_relu(at::Tensor const& x, at::Tensor const& bias, at::Tensor const& shortcut, bool relu) {
  at::Tensor const number = as_number(x);
  auto const type         = number.scalar_type();
  return bias_relu_function::apply(number, bias.to(type), shortcut.defined() ? std::optional<at::Tensor>(shortcut.to(type)) : std::nullopt,
                                   relu);
}

}  // namespace c2f::cuda::detail
