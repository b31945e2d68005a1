// What c2f/cuda/kernels/kernels.cu needs of CUDA, on a CPU: the kernels themselves run, not their twins, with all their threads, barriers and
// shuffles. In place of CUDA's header of this name for emulated/kernels.cpp alone; the other half is there.
//
// A block's threads take turns on one thread of the CPU, each until it waits for others or ends. Who is next is drawn anew after every
// wait, and so is the order of the blocks: what depends on an order differs from launch to launch. Memory that a block shares holds what
// another block left there. A wait for a thread that has ended, or that waits elsewhere, ends the program with a sentence.
#pragma once

#include "gpu.hpp"

#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>

#define __host__
#define __device__
#define __global__
#define __launch_bounds__(...)
#define __shared__ static
#define __CUDA_ARCH_LIST__ 900

struct uint3 {
  unsigned x = 0, y = 0, z = 0;
};
struct dim3 : uint3 {
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : uint3{x_, y_, z_} {}
};
using cudaError_t                = int;
using cudaStream_t               = void*;
inline constexpr int cudaSuccess = 0;
enum cudaLaunchAttributeID { cudaLaunchAttributeProgrammaticStreamSerialization };
struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    int programmaticStreamSerializationAllowed;
  } val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream          = nullptr;
  cudaLaunchAttribute* attrs   = nullptr;
  unsigned numAttrs            = 0;
};
// gpu.cpp's.
extern "C" cudaError_t cudaGetLastError();
extern "C" char const* cudaGetErrorString(cudaError_t error);

inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

namespace emulated {

/// Runs thread() for every thread of every block; each of a kernel that is started early must wait for those before it.
void run(dim3 grid, dim3 block, bool early, std::function<void()> const& thread);
/// How many threads of the kernel have waited for those before it. They are never behind: an early start is for a GPU.
inline std::size_t waited = 0;
/// Waits for the block.
void wait_for_block();
/// Leaves a number of at most 8 bytes for the other lanes of the warp, and gives what `lane` left.
void exchange(void* number, std::size_t size, unsigned lane);

}  // namespace emulated

inline void cudaTriggerProgrammaticLaunchCompletion() {}
inline void cudaGridDependencySynchronize() { ++emulated::waited; }
inline void __syncthreads() { emulated::wait_for_block(); }

template <class T>
T __shfl_xor_sync(unsigned, T number, int mask) {
  static_assert(sizeof number <= 8);
  emulated::exchange(&number, sizeof number, threadIdx.x % 32 ^ static_cast<unsigned>(mask));
  return number;
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(cudaLaunchConfig_t const* config, void (*kernel)(Parameters...), Arguments const&... arguments) {
  return emulated::queue(
      config->stream, __PRETTY_FUNCTION__,
      [grid = config->gridDim, block = config->blockDim, early = config->numAttrs > 0, kernel,
       kept = std::tuple<std::remove_cv_t<Parameters>...>(arguments...)] {
        emulated::run(grid, block, early, [&] { std::apply(kernel, kept); });
      });
}
