// c2f/cuda/autograd/fused_broadcast_interior.hpp: cuda/kernels/broadcast_interior.cuh for tensors, with its gradient.
#pragma once

#include <c2f/cuda/autograd/fused_map.hpp>
#include <c2f/cuda/kernels/broadcast_interior.cuh>

#include <optional>

namespace c2f::cuda::detail {

/// Whether a thread can process 16 bytes of channels of maps of this shape.
[[nodiscard]] inline bool in_whole_words(map_shape const& map) { return map.last && map.channels % 8 == 0; }

/// The gradient of the small map: sums of the broadcast map's gradient, from its channel `first` on.
[[nodiscard]] inline at::Tensor broadcast_interior_backward(at::Tensor const& gradient_, map_shape const& of_tiny, int first) {
  auto const format         = format_of(of_tiny);
  at::Tensor const gradient = as_map(gradient_, format);
  map_shape const whole     = shape_of(gradient, format), of_sums{whole.samples, of_tiny.channels, whole.height, of_tiny.width, whole.last};
  at::Tensor const sums = empty_map(of_sums, gradient, at::kFloat), to_tiny = empty_map(of_tiny, gradient, gradient.scalar_type());
  device_stream const where = device_stream_of(gradient);
  for_number(gradient, [&]<class Number>(Number*) {
    if (sum_columns_of_words<Number> const columns{read<Number>(gradient), write<float>(sums), whole, of_sums};
        first == 0 && whole.channels == of_tiny.channels && in_whole_words(whole))
      for_each(columns, columns.count(), where);
    else
      for_rows(sum_columns<Number>{read<Number>(gradient), write<float>(sums), whole, of_sums, first},
               of_sums.resized(whole.height, 1).count(), where);
    for_rows(sum_rows<Number>{read<float>(sums), write<Number>(to_tiny), of_sums, of_tiny}, of_tiny.count(), where);
  });
  return to_tiny;
}

struct broadcast_interior_function : torch::autograd::Function<broadcast_interior_function> {
  // tiny and onto of one number type.
  static at::Tensor forward(AutogradContext* context, at::Tensor const& tiny_, std::optional<at::Tensor> const& onto_, std::int64_t height,
                            std::int64_t width, at::MemoryFormat format) {
    at::Tensor const tiny = as_map(tiny_, format), onto = onto_ ? as_map(*onto_, format) : at::Tensor();
    map_shape const of_tiny = shape_of(tiny, format), large = of_tiny.resized(height, width);
    at::Tensor const to = empty_map(large, tiny, tiny.scalar_type());
    for_number(tiny, [&]<class Number>(Number*) {
      Number const* const addend = onto.defined() ? read<Number>(onto) : nullptr;
      if (broadcast_interior_words<Number> const work{read<Number>(tiny), addend, write<Number>(to), of_tiny, large}; in_whole_words(large))
        for_each(work, work.count(), device_stream_of(tiny));
      else
        fill(write<Number>(to), large, cuda::broadcast_interior<Number>{read<Number>(tiny), addend, of_tiny, large},
             device_stream_of(tiny));
    });
    save_shape(*context, of_tiny);
    context->saved_data["onto"] = onto.defined();
    return to;
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    map_shape const of_tiny = saved_shape(*context);
    return {context->needs_input_grad(0) ? broadcast_interior_backward(gradients[0], of_tiny, 0) : at::Tensor(),
            context->saved_data["onto"].toBool() ? gradients[0] : at::Tensor(),
            {},
            {},
            {}};
  }
};

/// fused_operations::broadcast_interior.
inline at::Tensor broadcast_interior(at::Tensor const& tiny, std::int64_t height, std::int64_t width, at::MemoryFormat format,
                                     at::Tensor const& onto) {
  at::Tensor const number = as_number(onto.defined() ? onto : tiny);
  return broadcast_interior_function::apply(tiny.to(number.scalar_type()),
                                            onto.defined() ? std::optional<at::Tensor>(number) : std::nullopt, height, width, format);
}

}  // namespace c2f::cuda::detail
