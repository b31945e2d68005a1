// c2f/execution/multiply_adds.hpp: counts the multiply-adds of the convolutions and matrix products of c2f's layers.
//
//   std::int64_t const count = c2f::multiply_adds([&] { model(images, c2f::eval); });     // of all images
//
// Counted is what layers report in the calling thread while `run` runs: conv, conv_rectangle, depthwise_conv, up_conv, bilinear_up (which is
// a convolution), linear, cosine. Sums, norms, activations, pooling and interpolation are not counted; they are a few percent of a network's
// arithmetic. Nor are layers of LibTorch and of your own, unless they call detail::counted. Shortcuts count as what they compute: a compact
// encoder is cheap. A multiply-add is two FLOPs.
//
// Cost: one thread-local load for each layer of a pass that is not counted. Errors: none.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <c2f/execution/context.hpp>

namespace c2f {

/// The multiply-adds of what `run` does in this thread.
template <class Run>
[[nodiscard]] std::int64_t multiply_adds(Run const& run) {
  std::int64_t count = 0;
  detail::context_scope<&execution_context::multiply_adds> const scope(&count);
  run();
  return count;
}

namespace detail {
/// A result, each of whose elements took `each` multiply-adds.
inline at::Tensor counted(at::Tensor result, std::int64_t each) {
  if (auto* const count = execution().multiply_adds; count != nullptr) *count += result.numel() * each;
  return result;
}
/// The result of a convolution with a weight [out, in / groups, kernel, kernel].
inline at::Tensor counted_convolution(at::Tensor result, at::Tensor const& weight) {
  if (execution().multiply_adds == nullptr) return result;
  return counted(std::move(result), weight.size(1) * weight.size(2) * weight.size(3));
}
/// The result of a transposed convolution of x with a weight [in, out, kernel, kernel].
inline at::Tensor counted_transposed(at::Tensor result, at::Tensor const& x, at::Tensor const& weight) {
  if (auto* const count = execution().multiply_adds; count != nullptr)
    *count += x.numel() * weight.size(1) * weight.size(2) * weight.size(3);
  return result;
}
}  // namespace detail

}  // namespace c2f
