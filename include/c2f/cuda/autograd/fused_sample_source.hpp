// c2f/cuda/autograd/fused_sample_source.hpp: cuda/kernels/sample_source.cuh for tensors, with its gradient.
#pragma once

#include <c2f/cuda/autograd/operation.hpp>
#include <c2f/cuda/kernels/sample_source.cuh>

namespace c2f::cuda::detail {

struct sample_source_function : torch::autograd::Function<sample_source_function> {
  static at::Tensor forward(AutogradContext* context, at::Tensor const& raw_, at::Tensor const& truth, at::Tensor const& uniform,
                            at::Tensor const& t) {
    at::Tensor const raw = as_number(raw_).contiguous(), conditioning = at::empty_like(raw);
    for_number(raw, [&]<class Number>(Number*) {
      for_rows(sample_source<Number>{read<Number>(raw), truth.const_data_ptr<std::int64_t>(), uniform.const_data_ptr<double>(),
                                     t.const_data_ptr<double>(), write<Number>(conditioning), raw.size(1)},
               raw.size(0), device_stream_of(raw));
    });
    context->save_for_backward({conditioning, uniform, t});
    return conditioning;
  }
  static variable_list backward(AutogradContext* context, variable_list const& gradients) {
    auto const saved               = context->get_saved_variables();
    at::Tensor const &conditioning = saved[0], gradient = gradients[0].to(conditioning.scalar_type()).contiguous();
    at::Tensor const to_raw = at::empty_like(conditioning);
    for_number(conditioning, [&]<class Number>(Number*) {
      for_rows(sample_source_backward<Number>{read<Number>(conditioning), read<Number>(gradient), saved[1].const_data_ptr<double>(),
                                              saved[2].const_data_ptr<double>(), write<Number>(to_raw), conditioning.size(1)},
               conditioning.size(0), device_stream_of(conditioning));
    });
    return {to_raw, {}, {}, {}};
  }
};

/// fused_operations::sample_source.
inline at::Tensor sample_source(at::Tensor const& raw, at::Tensor const& truth, at::Tensor const& uniform, at::Tensor const& t) {
  return sample_source_function::apply(raw, truth, uniform, t);
}

}  // namespace c2f::cuda::detail
