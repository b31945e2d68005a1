// c2f/cuda/autograd/fused_map.hpp: cuda/kernels/map.cuh for tensors [N, C, H, W].
#pragma once

#include <c2f/cuda/kernels/map.cuh>
#include <c2f/cuda/autograd/operation.hpp>

#include <ATen/ops/empty.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace c2f::cuda::detail {

/// The tensor as kernels read it: float or bfloat16, dense in `format`, aligned to 16 bytes. A copy where it is not.
[[nodiscard]] inline at::Tensor as_map(at::Tensor const& tensor, at::MemoryFormat format) {
  at::Tensor const dense = as_number(tensor).contiguous(format);
  return reinterpret_cast<std::uintptr_t>(dense.const_data_ptr()) % 16 == 0 ? dense : dense.clone();
}
/// The same in the memory format that the tensor has.
[[nodiscard]] inline at::Tensor as_map(at::Tensor const& tensor) { return as_map(tensor, tensor.suggest_memory_format()); }

/// The shape of a tensor that as_map returned.
[[nodiscard]] inline map_shape shape_of(at::Tensor const& map, at::MemoryFormat format) {
  if (map.size(2) * map.size(3) > std::numeric_limits<int>::max())
    throw input_error("a fused operation takes maps of fewer than 2^31 pixels, found " + std::to_string(map.size(2)) + " x " +
                      std::to_string(map.size(3)) + "; train without fused operations");
  return {map.size(0), map.size(1), map.size(2), map.size(3), format == at::MemoryFormat::ChannelsLast};
}
[[nodiscard]] inline map_shape shape_of(at::Tensor const& map) { return shape_of(map, map.suggest_memory_format()); }

[[nodiscard]] inline at::MemoryFormat format_of(map_shape const& shape) {
  return shape.last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}
/// Saves a shape for the backward pass.
inline void save_shape(AutogradContext& context, map_shape const& shape) {
  context.saved_data["shape"] = std::vector<std::int64_t>{shape.samples, shape.channels, shape.height, shape.width, shape.last};
}
[[nodiscard]] inline map_shape saved_shape(AutogradContext& context) {
  auto const saved = context.saved_data["shape"].toIntVector();
  return {saved[0], saved[1], saved[2], saved[3], saved[4] != 0};
}

/// An uninitialised tensor of that shape on the device of `like`.
[[nodiscard]] inline at::Tensor empty_map(map_shape const& shape, at::Tensor const& like, at::ScalarType type) {
  return at::empty({shape.samples, shape.channels, shape.height, shape.width}, like.options().dtype(type), format_of(shape));
}

}  // namespace c2f::cuda::detail
