// c2f/cuda/autograd/fused_max_pool.hpp: cuda/kernels/max_pool.cuh for tensors, with its gradient.
//
// Costs: one launch forward, one backward. Memory: y and, where x has a gradient, one byte per element of y, which is all that is saved.
// Errors: channels that are not a multiple of 8, or a kernel of more than 16.
#pragma once

#include <c2f/cuda/autograd/fused_map.hpp>
#include <c2f/cuda/kernels/max_pool.cuh>

namespace c2f::cuda::detail {

struct max_pool_function : torch::autograd::Function<max_pool_function> {
  static at::Tensor forward(AutogradContext* context, at::Tensor const& x_, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                            bool ceil) {
    if (x_.dim() != 4 || x_.size(1) % 8 != 0 || kernel > 16)
      throw input_error("max_pool takes a map [N, C, H, W] whose channels are a multiple of 8 and a kernel of at most 16, found " +
                        std::to_string(x_.dim()) + " dimensions, " + std::to_string(x_.dim() > 1 ? x_.size(1) : 0) +
                        " channels and a kernel of " + std::to_string(kernel) + "; use at::max_pool2d");
    at::Tensor const x   = as_map(x_, at::MemoryFormat::ChannelsLast);
    map_shape const of_x = shape_of(x, at::MemoryFormat::ChannelsLast);
    map_shape const of_y = of_x.resized(pooled(x.size(2), kernel, stride, padding, ceil), pooled(x.size(3), kernel, stride, padding, ceil));
    pool_window const window{static_cast<int>(kernel), static_cast<int>(stride), static_cast<int>(padding)};
    at::Tensor const y       = empty_map(of_y, x, x.scalar_type());
    at::Tensor const indices = x_.requires_grad() ? empty_map(of_y, x, at::kByte) : at::Tensor();
    for_number(x, [&]<class Number>(Number*) {
      cuda::max_pool<Number> const work{
          read<Number>(x), write<Number>(y), indices.defined() ? write<std::uint8_t>(indices) : nullptr, window, of_x, of_y};
      for_each(work, work.count(), device_stream_of(x));
    });
    save_shape(*context, of_x);
    context->saved_data["window"] = std::vector<std::int64_t>{kernel, stride, padding};
    if (indices.defined()) context->save_for_backward({indices});
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    auto const window        = context->saved_data["window"].toIntVector();
    map_shape const of_x     = saved_shape(*context);
    at::Tensor const indices = context->get_saved_variables()[0], dy = as_map(gradients[0], at::MemoryFormat::ChannelsLast);
    at::Tensor const dx = empty_map(of_x, dy, dy.scalar_type());
    for_number(dy, [&]<class Number>(Number*) {
      max_pool_backward<Number> const work{read<Number>(dy),
                                           read<std::uint8_t>(indices),
                                           write<Number>(dx),
                                           {static_cast<int>(window[0]), static_cast<int>(window[1]), static_cast<int>(window[2])},
                                           of_x,
                                           shape_of(dy, at::MemoryFormat::ChannelsLast)};
      for_each(work, work.count(), device_stream_of(dy));
    });
    return {dx, {}, {}, {}, {}};
  }

 private:
  // The number of windows along a side. Each begins inside of x or in the padding before it, as in ATen.
  static std::int64_t pooled(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t padding, bool ceil) {
    std::int64_t const windows = (size + 2 * padding - kernel + (ceil ? stride - 1 : 0)) / stride + 1;
    return ceil && (windows - 1) * stride >= size + padding ? windows - 1 : windows;
  }
};

/// fused_operations::max_pool.
inline at::Tensor max_pool(at::Tensor const& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding, bool ceil) {
  return max_pool_function::apply(as_number(x), kernel, stride, padding, ceil);
}

}  // namespace c2f::cuda::detail
