// c2f/cuda/autograd/fused_tiles.hpp: cuda/kernels/tiles.cuh for tensors [N, C, H, W] in the memory format channels_last.
#pragma once

#include <c2f/cuda/autograd/fused_map.hpp>
#include <c2f/cuda/kernels/tiles.cuh>

namespace c2f::cuda::detail {

template <class Number>
[[nodiscard]] tiles::tiling tiling_of(at::Tensor const& map) {
  return tiles::tiling_of<Number>(map.size(0) * map.size(2) * map.size(3), map.size(1));
}
/// Memory for the partial results of the row blocks.
[[nodiscard]] inline at::Tensor empty_partials(tiles::tiling const& tiling, at::Tensor const& like) {
  return at::empty({tiling.row_blocks, tiling.channels, 2}, like.options().dtype(at::kFloat));
}
[[nodiscard]] inline tiles::pair* partials_in(at::Tensor const& memory) { return static_cast<tiles::pair*>(memory.mutable_data_ptr()); }

}  // namespace c2f::cuda::detail
