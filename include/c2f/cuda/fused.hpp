// c2f/cuda/fused.hpp: the fused operations of core/fused.hpp, with their gradients.
//
//   c2f::with_fused const scope(&c2f::cuda::fused);
//
// On CPU tensors they run as the kernels' twins, which is slow and for tests; on GPU tensors as kernels in the current stream, where the
// program links the CMake target c2f::cuda. Tensors of other number types than float and bfloat16 and layouts that a kernel does not know
// are brought into one that it does, which costs a copy. Cost to compile: about 6 s, LibTorch's header for functions with a gradient of
// their own. Include it in one file of a program.
#pragma once

#include <c2f/core/fused.hpp>
#include <c2f/cuda/fused_tell.hpp>

namespace c2f::cuda {

/// The table for c2f::with_fused.
inline constexpr fused_operations fused{
    .tell = &detail::tell,
};

}  // namespace c2f::cuda
