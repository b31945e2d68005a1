// c2f/cuda/autograd/operation.hpp: what the fused operations have in common: the stream of a tensor, its data as typed pointers, and
// LibTorch's torch::autograd::Function.
//
// Cost to compile: about 6 s, for torch/csrc/autograd/custom_function.h.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/cuda/runtime/launch.cuh>

#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#ifdef C2F_WITH_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

namespace c2f::cuda {

/// The device of a tensor and its current stream.
[[nodiscard]] inline device_stream device_stream_of(at::Tensor const& tensor) {
  if (tensor.is_cpu()) return {};
#ifdef C2F_WITH_CUDA
  return {true, c10::cuda::getCurrentCUDAStream(tensor.get_device()).stream()};
#else
  throw input_error("this program has no kernels for " + tensor.device().str() + "; link the CMake target c2f::cuda");
#endif
}

namespace detail {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Calls f with a null pointer that has the tensor's number type: f(float*) or f(bfloat16*).
template <class F>
auto for_number(at::Tensor const& tensor, F const& f) {
  return tensor.scalar_type() == at::kBFloat16 ? f(static_cast<bfloat16*>(nullptr)) : f(static_cast<float*>(nullptr));
}
/// The tensor, converted to float unless it is float or bfloat16.
[[nodiscard]] inline at::Tensor as_number(at::Tensor const& tensor) {
  return tensor.scalar_type() == at::kBFloat16 || tensor.scalar_type() == at::kFloat ? tensor : tensor.to(at::kFloat);
}
template <class Number>
[[nodiscard]] Number const* read(at::Tensor const& tensor) {
  return static_cast<Number const*>(tensor.const_data_ptr());
}
template <class Number>
[[nodiscard]] Number* write(at::Tensor const& tensor) {
  return static_cast<Number*>(tensor.mutable_data_ptr());
}

}  // namespace detail
}  // namespace c2f::cuda
