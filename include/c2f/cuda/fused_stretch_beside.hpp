// c2f/cuda/fused_stretch_beside.hpp: cuda/stretch_beside.cuh for tensors, with its gradients.
#pragma once

#include <c2f/cuda/fused_map.hpp>
#include <c2f/cuda/stretch_beside.cuh>

namespace c2f::cuda::detail {

struct stretch_beside_function : torch::autograd::Function<stretch_beside_function> {
  // x and tiny of one number type.
  static at::Tensor forward(AutogradContext* context, at::Tensor const& x_, at::Tensor const& tiny_) {
    at::Tensor const x    = as_map(x_);
    at::Tensor const tiny = tiny_.contiguous(x.suggest_memory_format());
    map_shape const of_x = shape_of(x), of_tiny = shape_of(tiny, x.suggest_memory_format());
    map_shape const joined = of_x.with_channels(of_x.channels + of_tiny.channels);
    at::Tensor const both  = empty_map(joined, x, x.scalar_type());
    for_number(x, [&]<class Number>(Number*) {
      fill(write<Number>(both), joined, stretch_beside<Number>{read<Number>(x), read<Number>(tiny), of_x, of_tiny}, place_of(x));
    });
    context->saved_data["tiny"] = tiny.sizes();
    context->saved_data["last"] = joined.last;
    return both;
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    auto const tiny   = context->saved_data["tiny"].toIntVector();
    bool const last   = context->saved_data["last"].toBool();
    auto const format = last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    map_shape const of_tiny{tiny[0], tiny[1], tiny[2], tiny[3], last};
    auto const channels = static_cast<int>(gradients[0].size(1)) - of_tiny.channels;
    at::Tensor to_tiny;
    if (context->needs_input_grad(1)) {
      at::Tensor const gradient = as_map(gradients[0], format);
      map_shape const whole     = shape_of(gradient, format), of_sums{whole.samples, of_tiny.channels, whole.height, of_tiny.width, last};
      at::Tensor const sums     = empty_map(of_sums, gradient, at::kFloat);
      to_tiny                   = empty_map(of_tiny, gradient, gradient.scalar_type());
      for_number(gradient, [&]<class Number>(Number*) {
        place const where = place_of(gradient);
        for_rows(stretch_columns<Number>{read<Number>(gradient), write<float>(sums), whole, of_sums, channels},
                 of_sums.resized(whole.height, 1).count(), where);
        for_rows(stretch_rows<Number>{read<float>(sums), write<Number>(to_tiny), of_sums, of_tiny}, of_tiny.count(), where);
      });
    }
    return {context->needs_input_grad(0) ? gradients[0].narrow(1, 0, channels) : at::Tensor(), to_tiny};
  }
};

/// fused_operations::stretch_beside.
inline at::Tensor stretch_beside(at::Tensor const& x, at::Tensor const& tiny) {
  at::Tensor const number = as_number(x);
  return stretch_beside_function::apply(number, tiny.to(number.scalar_type()));
}

}  // namespace c2f::cuda::detail
