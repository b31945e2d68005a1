// c2f/cuda/autograd/fused_augment_pictures.hpp: cuda/kernels/augment_pictures.cuh for tensors.
#pragma once

#include <c2f/execution/fused_operations.hpp>
#include <c2f/cuda/kernels/augment_pictures.cuh>
#include <c2f/cuda/autograd/operation.hpp>

namespace c2f::cuda::detail {

/// fused_operations::augment_pictures.
inline void augment_pictures(picture_source const& from, at::Tensor const& ids, at::Tensor const& keys, bool augment,
                             at::Tensor const& images, at::Tensor const& truth) {
  for_number(images, [&]<class Number>(Number*) {
    for_blocks(
        cuda::augment_pictures<Number>{read<std::uint8_t>(from.bytes), read<std::int64_t>(from.labels), read<float>(from.normalised),
                                       read<std::int64_t>(ids), read<std::int64_t>(keys), write<Number>(images), write<std::int64_t>(truth),
                                       from.bytes.size(0), static_cast<int>(from.pad), from.flip, augment},
        ids.size(0), device_stream_of(images));
  });
}

}  // namespace c2f::cuda::detail
