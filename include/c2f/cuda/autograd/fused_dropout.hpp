// c2f/cuda/autograd/fused_dropout.hpp: cuda/kernels/dropout.cuh for tensors, with its gradient.
#pragma once

#include <c2f/cuda/kernels/dropout.cuh>
#include <c2f/cuda/autograd/operation.hpp>

namespace c2f::cuda::detail {

struct dropout_function : torch::autograd::Function<dropout_function> {
  static at::Tensor forward(AutogradContext* context, at::Tensor const& x, at::Tensor const& ids, at::Tensor const& keys,
                            double probability, std::int64_t what) {
    context->save_for_backward({ids, keys});
    context->saved_data["probability"] = probability;
    context->saved_data["what"]        = what;
    return run(x, ids, keys, probability, what);
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    auto const saved = context->get_saved_variables();
    return {run(gradients[0], saved[0], saved[1], context->saved_data["probability"].toDouble(), context->saved_data["what"].toInt()),
            {},
            {},
            {},
            {}};
  }
  static at::Tensor run(at::Tensor const& x_, at::Tensor const& ids, at::Tensor const& keys, double probability, std::int64_t what) {
    at::Tensor x    = as_number(x_);
    bool const last = x.dim() == 4 && !x.is_contiguous() && x.is_contiguous(at::MemoryFormat::ChannelsLast);
    if (!last) x = x.contiguous();
    at::Tensor const to = at::empty_like(x);
    if (x.numel() == 0) return to;
    for_number(x, [&]<class Number>(Number*) {
      Number factor;
      store(factor, static_cast<float>(1 / (1 - probability)));
      cuda::dropout<Number> const work{.x           = read<Number>(x),
                                       .to          = write<Number>(to),
                                       .ids         = read<std::int64_t>(ids),
                                       .keys        = read<std::int64_t>(keys),
                                       .each        = x.numel() / x.size(0),
                                       .channels    = last ? x.size(1) : 1,
                                       .probability = probability,
                                       .factor      = load(factor),
                                       .what        = static_cast<std::uint32_t>(what)};
      for_blocks(work, x.size(0) * work.chunks(), device_stream_of(x));
    });
    return to;
  }
};

/// fused_operations::dropout.
inline at::Tensor dropout(at::Tensor const& x, at::Tensor const& ids, at::Tensor const& keys, double probability, std::uint32_t what) {
  return dropout_function::apply(x, ids, keys, probability, static_cast<std::int64_t>(what));
}

}  // namespace c2f::cuda::detail
