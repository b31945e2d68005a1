// c2f/cuda/autograd/fused_sample_source.hpp: cuda/kernels/sample_source.cuh for tensors, with its gradient.
#pragma once

#include <c2f/cuda/autograd/operation.hpp>
#include <c2f/cuda/kernels/sample_source.cuh>

namespace c2f::cuda::detail {

struct tell_function : torch::autograd::Function<tell_function> {
  static at::Tensor forward(AutogradContext* context, at::Tensor const& raw_, at::Tensor const& truth, at::Tensor const& uniform,
                            at::Tensor const& t) {
    at::Tensor const raw = as_number(raw_).contiguous(), told = at::empty_like(raw);
    for_number(raw, [&]<class Number>(Number*) {
      for_rows(tell<Number>{read<Number>(raw), truth.const_data_ptr<std::int64_t>(), uniform.const_data_ptr<double>(),
                            t.const_data_ptr<double>(), write<Number>(told), raw.size(1)},
               raw.size(0), place_of(raw));
    });
    context->save_for_backward({told, uniform, t});
    return told;
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    auto const saved       = context->get_saved_variables();
    at::Tensor const &told = saved[0], gradient = gradients[0].to(told.scalar_type()).contiguous();
    at::Tensor const to_raw = at::empty_like(told);
    for_number(told, [&]<class Number>(Number*) {
      for_rows(tell_backward<Number>{read<Number>(told), read<Number>(gradient), saved[1].const_data_ptr<double>(),
                                     saved[2].const_data_ptr<double>(), write<Number>(to_raw), told.size(1)},
               told.size(0), place_of(told));
    });
    return {to_raw, {}, {}, {}};
  }
};

/// fused_operations::tell.
inline at::Tensor tell(at::Tensor const& raw, at::Tensor const& truth, at::Tensor const& uniform, at::Tensor const& t) {
  return tell_function::apply(raw, truth, uniform, t);
}

}  // namespace c2f::cuda::detail
