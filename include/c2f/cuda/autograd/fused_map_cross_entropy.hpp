// c2f/cuda/autograd/fused_map_cross_entropy.hpp: cuda/kernels/map_cross_entropy.cuh for tensors, with its gradient.
#pragma once

#include <c2f/cuda/autograd/fused_map.hpp>
#include <c2f/cuda/kernels/map_cross_entropy.cuh>

namespace c2f::cuda::detail {

struct map_cross_entropy_function : torch::autograd::Function<map_cross_entropy_function> {
  static at::Tensor forward(AutogradContext* context, at::Tensor const& raw_, at::Tensor const& truth_, std::int64_t ignore) {
    at::Tensor const raw = as_map(raw_), truth = truth_.contiguous();
    auto const floats       = raw.options().dtype(at::kFloat);
    at::Tensor const pixels = at::empty({2, truth.numel()}, floats), inverse_count = at::empty({}, floats), loss = at::empty({}, floats);
    auto* const pixel = write<float>(pixels);
    for_number(raw, [&]<class Number>(Number*) {
      map_shape const shape     = shape_of(raw);
      std::int64_t const* label = truth.const_data_ptr<std::int64_t>();
      map_cross_entropy<Number> work{read<Number>(raw), label, ignore, shape, pixel, pixel + truth.numel(), nullptr};
      std::int64_t const sums  = shape.area() == 1 ? shape.samples : work.blocks();
      at::Tensor const partial = at::empty({sums, 2}, raw.options().dtype(at::kDouble));
      work.partial             = write<double>(partial);
      if (shape.area() == 1)
        for_rows(vector_cross_entropy<Number>{work.raw, label, ignore, shape.channels, work.largest, work.logarithm, work.partial},
                 shape.samples, device_stream_of(raw));
      else
        for_blocks(work, sums, device_stream_of(raw));
      for_blocks(map_cross_entropy_mean{work.partial, sums, write<float>(loss), write<float>(inverse_count)}, 1, device_stream_of(raw));
    });
    context->save_for_backward({raw, truth, pixels, inverse_count});
    context->saved_data["ignore"] = ignore;
    return loss;
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    auto const saved      = context->get_saved_variables();
    at::Tensor const &raw = saved[0], &truth = saved[1], gradient = gradients[0].to(at::kFloat).contiguous();
    at::Tensor const to_raw = empty_map(shape_of(raw), raw, raw.scalar_type());
    auto const* const pixel = read<float>(saved[2]);
    for_number(raw, [&]<class Number>(Number*) {
      fill(
          write<Number>(to_raw), shape_of(raw),
          map_cross_entropy_backward<Number>{read<Number>(raw), truth.const_data_ptr<std::int64_t>(), context->saved_data["ignore"].toInt(),
                                             shape_of(raw), pixel, pixel + truth.numel(), read<float>(saved[3]), read<float>(gradient)},
          device_stream_of(raw));
    });
    return {to_raw, {}, {}};
  }
};

/// fused_operations::map_cross_entropy.
inline at::Tensor map_cross_entropy(at::Tensor const& raw, at::Tensor const& truth, std::int64_t ignore) {
  return map_cross_entropy_function::apply(as_number(raw), truth, ignore);
}

}  // namespace c2f::cuda::detail
