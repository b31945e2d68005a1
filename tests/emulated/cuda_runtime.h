// What c2f/cuda/kernels/kernels.cu uses of CUDA, on a CPU: the kernels themselves run, not their CPU versions, with all their threads,
// barriers and shuffles. It replaces CUDA's header of this name for emulated/kernels.cpp alone, which implements it.
//
// The threads of a block are coroutines on one thread of the CPU: each runs until it waits for others or ends. Which one is next is drawn
// at random after every wait, and so is the order of the blocks: results that depend on an order differ from launch to launch. Shared
// memory contains what another block left there. Waiting for a thread that has ended, or that waits at another barrier, ends the program
// with a message.
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
// Defined in gpu.cpp.
extern "C" cudaError_t cudaGetLastError();
extern "C" char const* cudaGetErrorString(cudaError_t error);

inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

namespace emulated {

/// Runs thread() for every thread of every block. Where `early`, the kernel is launched with programmatic dependent launch: every thread
/// must wait for the kernels before it.
void run(dim3 grid, dim3 block, bool early, std::function<void()> const& thread);
/// How many threads of the kernel have waited for the kernels before it. Nothing overlaps here, so the wait itself does nothing.
inline std::size_t waited = 0;
/// __syncthreads().
void wait_for_block();
/// Gives a number of at most 8 bytes to the other lanes of the warp, and returns that of `lane`.
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
  return emulated::queue(config->stream, __PRETTY_FUNCTION__,
                         [grid = config->gridDim, block = config->blockDim, early = config->numAttrs > 0, kernel,
                          kept = std::tuple<std::remove_cv_t<Parameters>...>(arguments...)] {
                           emulated::run(grid, block, early, [&] { std::apply(kernel, kept); });
                         });
}
