// c2f/cuda/autograd/fused_norm_relu.hpp: cuda/kernels/norm_relu.cuh for tensors, with its gradient.
//
// Costs: two launches forward, two backward. Memory: y; for the backward pass two numbers per channel, the partial results of at most 128
// row blocks (1 KiB per channel), dx and, with a shortcut, its gradient. Saved for it: x and, with a ReLU, y, which the consumer of y
// usually saves anyway. A map that is not dense in the memory format channels_last or not aligned to 16 bytes costs a copy. The gradient
// from a second consumer of y is added inside the kernel (gradient_fan_out). Error: channels that are not a multiple of 8.
#pragma once

#include <c2f/cuda/autograd/fused_tiles.hpp>
#include <c2f/cuda/kernels/norm_relu.cuh>

#include <optional>

namespace c2f::cuda::detail {

/// As a dense map in the memory format channels_last.
[[nodiscard]] inline at::Tensor as_rows(at::Tensor const& map, at::ScalarType type) {
  return as_map(map.to(type), at::MemoryFormat::ChannelsLast);
}

struct norm_relu_function : torch::autograd::Function<norm_relu_function> {
  static at::Tensor forward(AutogradContext* context, at::Tensor const& x_, at::Tensor const& weight, at::Tensor const& bias,
                            at::Tensor const& running_mean, at::Tensor const& running_var, std::optional<at::Tensor> const& shortcut_,
                            bool relu) {
    if (x_.dim() != 4 || x_.size(1) % 8 != 0)
      throw input_error("norm_relu takes a map [N, C, H, W] whose channels are a multiple of 8, found " + std::to_string(x_.dim()) +
                        " dimensions and " + std::to_string(x_.dim() > 1 ? x_.size(1) : 0) + " channels; use at::batch_norm");
    at::Tensor const x        = as_rows(x_, as_number(x_).scalar_type());
    at::Tensor const shortcut = shortcut_ ? as_rows(shortcut_->expand_as(x), x.scalar_type()) : at::Tensor();
    at::Tensor const y = at::empty_like(x), mean = at::empty({x.size(1)}, weight.options()), invstd = at::empty_like(mean);
    for_number(x, [&]<class Number>(Number*) {
      tiles::tiling const tiling = tiling_of<Number>(x);
      at::Tensor const partials  = empty_partials(tiling, mean);
      tiles::for_tiles(norm::statistics<Number>{read<Number>(x), partials_in(partials), tiling}, tiling, device_stream_of(x));
      tiles::for_tiles(
          norm::apply<Number>{read<Number>(x), shortcut.defined() ? read<Number>(shortcut) : nullptr, partials_in(partials),
                              weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), write<Number>(y), write<float>(mean),
                              write<float>(invstd), write<float>(running_mean), write<float>(running_var), 0.1f, 1e-5f, relu, tiling},
          tiling, device_stream_of(x));
    });
    context->save_for_backward({x, relu ? y : at::Tensor(), weight, mean, invstd});
    context->saved_data["shortcut"] = shortcut.defined();
    context->set_materialize_grads(false);  // a consumer of y may have no gradient
    return y;
  }

  // One gradient of y per consumer.
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    auto const saved    = context->get_saved_variables();
    at::Tensor const &x = saved[0], &y = saved[1], &weight = saved[2], &mean = saved[3], &invstd = saved[4];
    at::Tensor dz, second;
    for (at::Tensor const& each : gradients) {
      if (!each.defined()) continue;
      at::Tensor& sum       = dz.defined() ? second : dz;
      at::Tensor const rows = as_rows(each, x.scalar_type());
      sum                   = sum.defined() ? sum.add(rows) : rows;
    }
    if (!dz.defined()) return variable_list(7);
    bool const shortcut = context->saved_data["shortcut"].toBool();
    at::Tensor const masked_dz =
        (shortcut && y.defined()) || second.defined() ? at::empty_like(x) : at::Tensor();  // dz, where it is read again
    at::Tensor const dx = at::empty_like(x), to_weight = at::empty_like(mean), to_bias = at::empty_like(mean);
    for_number(x, [&]<class Number>(Number*) {
      tiles::tiling const tiling = tiling_of<Number>(x);
      at::Tensor const partials  = empty_partials(tiling, mean);
      auto const* out            = y.defined() ? read<Number>(y) : nullptr;
      tiles::for_tiles(norm::backward_sums<Number>{read<Number>(dz), second.defined() ? read<Number>(second) : nullptr, out,
                                                   read<Number>(x), read<float>(mean), read<float>(invstd),
                                                   masked_dz.defined() ? write<Number>(masked_dz) : nullptr, partials_in(partials), tiling},
                       tiling, device_stream_of(x));
      if (masked_dz.defined()) {
        dz  = masked_dz;
        out = nullptr;
      }
      tiles::for_tiles(norm::backward_apply<Number>{read<Number>(dz), out, read<Number>(x), read<float>(mean), read<float>(invstd),
                                                    weight.const_data_ptr<float>(), partials_in(partials), write<Number>(dx),
                                                    write<float>(to_weight), write<float>(to_bias), tiling},
                       tiling, device_stream_of(x));
    });
    return {dx, to_weight, to_bias, {}, {}, shortcut ? dz : at::Tensor(), {}};
  }
};

/// fused_operations::norm_relu.
inline at::Tensor norm_relu(at::Tensor const& x, at::Tensor const& weight, at::Tensor const& bias, at::Tensor const& running_mean,
                            at::Tensor const& running_var, at::Tensor const& shortcut, bool relu) {
  return norm_relu_function::apply(x, weight, bias, running_mean, running_var,
                                   shortcut.defined() ? std::optional<at::Tensor>(shortcut) : std::nullopt, relu);
}

/// fused_operations::gradient_fan_out.
inline at::Tensor gradient_fan_out(at::Tensor const& y) {
  auto const made = y.grad_fn();
  if (dynamic_cast<torch::autograd::CppNode<norm_relu_function>*>(made.get()) == nullptr) return y;
  at::Tensor const alias = y.detach();
  torch::autograd::impl::set_gradient_edge(alias, {made, made->add_input_metadata(y)});
  return alias;
}

}  // namespace c2f::cuda::detail
