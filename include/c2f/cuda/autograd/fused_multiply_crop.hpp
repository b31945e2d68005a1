// c2f/cuda/autograd/fused_multiply_crop.hpp: cuda/kernels/multiply_crop.cuh for tensors, with its gradients.
#pragma once

#include <c2f/cuda/autograd/fused_map.hpp>
#include <c2f/cuda/kernels/multiply_crop.cuh>

#include <algorithm>
#include <vector>

namespace c2f::cuda::detail {

/// f(corners, first sample, samples) for the samples of each launch. corners: [row, column] of each sample, one after the other.
template <class F>
void for_corners(at::IntArrayRef corners, F const& f) {
  auto const samples = static_cast<std::int64_t>(corners.size() / 2);
  for (std::int64_t begin = 0; begin < samples; begin += map_corners::most) {
    std::int64_t const count = std::min<std::int64_t>(map_corners::most, samples - begin);
    map_corners some{};
    for (std::int64_t i = 0; i < count; ++i) {
      auto const at  = static_cast<std::size_t>(2 * (begin + i));
      some.row[i]    = static_cast<std::int32_t>(corners[at]);
      some.column[i] = static_cast<std::int32_t>(corners[at + 1]);
    }
    f(some, begin, count);
  }
}

struct multiply_crop_function : torch::autograd::Function<multiply_crop_function> {
  // x and z of one number type.
  static at::Tensor forward(AutogradContext* context, at::Tensor const& x_, at::Tensor const& z_, at::IntArrayRef corners,
                            std::int64_t height, std::int64_t width) {
    at::Tensor const x = as_map(x_), z = as_map(z_);
    map_shape const of_x = shape_of(x), of_z = shape_of(z), part = of_x.resized(height, width);
    at::Tensor const parts = empty_map(part, x, x.scalar_type());
    for_number(x, [&]<class Number>(Number*) {
      for_corners(corners, [&](map_corners const& some, std::int64_t begin, std::int64_t count) {
        fill(write<Number>(parts) + begin * part.sample(), part.with_samples(count),
             multiply_crop<Number>{read<Number>(x) + begin * of_x.sample(), read<Number>(z) + begin * of_z.sample(), of_x, of_z, some},
             device_stream_of(x));
      });
    });
    context->save_for_backward({x, z});
    context->saved_data["corners"] = corners;
    return parts;
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    auto const saved    = context->get_saved_variables();
    at::Tensor const &x = saved[0], &z = saved[1];
    auto const corners     = context->saved_data["corners"].toIntVector();
    at::Tensor const parts = as_map(gradients[0].to(x.scalar_type()), x.suggest_memory_format());
    auto const gradient_of = [&](at::Tensor const& factor, at::Tensor const& other) {
      map_shape const to = shape_of(factor), of_other = shape_of(other), part = shape_of(parts, x.suggest_memory_format());
      at::Tensor const gradient = empty_map(to, factor, factor.scalar_type());
      for_number(x, [&]<class Number>(Number*) {
        for_corners(corners, [&](map_corners const& some, std::int64_t begin, std::int64_t count) {
          fill(write<Number>(gradient) + begin * to.sample(), to.with_samples(count),
               multiply_crop_backward<Number>{read<Number>(parts) + begin * part.sample(), read<Number>(other) + begin * of_other.sample(),
                                              part, of_other, to.channels, some},
               device_stream_of(x));
        });
      });
      return gradient;
    };
    return {context->needs_input_grad(0) ? gradient_of(x, z) : at::Tensor(),
            context->needs_input_grad(1) ? gradient_of(z, x) : at::Tensor(),
            {},
            {},
            {}};
  }
};

/// fused_operations::multiply_crop.
inline at::Tensor multiply_crop(at::Tensor const& x, at::Tensor const& z, at::IntArrayRef corners, std::int64_t height,
                                std::int64_t width) {
  at::Tensor const number = as_number(x);
  return multiply_crop_function::apply(number, z.to(number.scalar_type()), corners, height, width);
}

}  // namespace c2f::cuda::detail
