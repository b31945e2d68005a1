// c2f/cuda/autograd/fused_tiles.hpp: cuda/kernels/tiles.cuh for tensors [N, C, H, W] that lie channels last.
#pragma once

#include <c2f/cuda/autograd/fused_map.hpp>
#include <c2f/cuda/kernels/tiles.cuh>

namespace c2f::cuda::detail {

template <class Number>
[[nodiscard]] tiles::cut tiling_of(at::Tensor const& map) {
  return tiles::tiling_of<Number>(map.size(0) * map.size(2) * map.size(3), map.size(1));
}
/// Memory for what the strips say.
[[nodiscard]] inline at::Tensor empty_partials(tiles::cut const& cut, at::Tensor const& like) {
  return at::empty({cut.strips, cut.channels, 2}, like.options().dtype(at::kFloat));
}
[[nodiscard]] inline tiles::pair* partials_in(at::Tensor const& memory) { return static_cast<tiles::pair*>(memory.mutable_data_ptr()); }

}  // namespace c2f::cuda::detail
