// c2f/cuda/gpu.hpp: a GPU with fused operations and CUDA graphs.
//
//   c2f::fit(model, data, c2f::recipe::cifar{}.on(c2f::cuda::gpu()).bf16());
//
// It has the fused operations of cuda/fused.hpp and captures training steps as CUDA graphs (cuda/runtime/graph.hpp). For programs that link
// the CMake target c2f::cuda. Cost to compile: that of cuda/fused.hpp, so include it in one file of a program.
// Error: c2f::input_error where there is no such GPU.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/cuda/fused.hpp>
#include <c2f/cuda/runtime/graph.hpp>

#include <c10/cuda/CUDAFunctions.h>

#include <string>

namespace c2f::cuda {

/// GPU `index` of this machine, counted from 0 by CUDA.
[[nodiscard]] inline accelerator gpu(int index = 0) {
  int const found = c10::cuda::device_count();
  if (index < 0 || index >= found)
    throw input_error("there is no GPU " + std::to_string(index) + ": this machine has " + std::to_string(found) +
                      " that LibTorch can use; choose another one, or train on the CPU");
  return {at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index)), &fused, &capture};
}

}  // namespace c2f::cuda
