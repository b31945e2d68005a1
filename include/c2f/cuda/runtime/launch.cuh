// c2f/cuda/runtime/launch.cuh: one source for a kernel and its CPU version.
//
//   template <c2f::cuda::number Number>
//   struct scale_rows {                                     // one row, computed by the lanes together
//     Number const* from;
//     Number* to;
//     std::int64_t width;
//     template <class Lanes>
//     C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t row) const {
//       float sum = 0;
//       for (std::int64_t i = lanes.first(); i < width; i += lanes.count()) sum += c2f::cuda::load(from[row * width + i]);
//       sum = lanes.sum(sum);
//       for (std::int64_t i = lanes.first(); i < width; i += lanes.count())
//         c2f::cuda::store(to[row * width + i], c2f::cuda::load(from[row * width + i]) / sum);
//     }
//   };
//   c2f::cuda::for_rows(scale_rows<float>{from, to, width}, rows, where);       // where: c2f::cuda::device_stream{} is the CPU
//
// for_each(work, n, where)   calls work(i), one thread per element
// for_rows(work, n, where)   calls work(lanes, row), one warp per row: 32 lanes that compute sums and maxima together
// for_blocks(work, n, where) calls work(lanes, row), one block of 256 lanes per row, for rows that are long or few
//
// The CPU has one lane per row, so a loop over lanes.first(), lanes.count() is a plain loop there. Sums over lanes are taken in a fixed
// order: the same input gives the same bits in every run, but not the bits of the CPU, which adds in another order.
//
// From Hopper on, a kernel is launched while the one before it in its stream still runs (programmatic dependent launch): its blocks are
// scheduled, then wait until all work before it has ended and its results are visible, which hides most of the launch latency. The order of
// the stream is unchanged, also in a captured graph.
//
// Included by C++ and by CUDA. C++ gets the CPU version and, where C2F_WITH_CUDA is defined, the declarations of the launches, which
// c2f/cuda/kernels/kernels.cu instantiates. This header includes nothing of LibTorch, Hana or fmt; pointers are raw.
// Cost: one launch, no allocation, no synchronisation. Error: std::runtime_error with CUDA's message where CUDA refuses a launch.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#include <cuda_runtime.h>

#include <stdexcept>
#include <string>
#define C2F_HOST_DEVICE __host__ __device__
/// Unrolls the next loop. An array stays in registers only if all its indices are constants.
#define C2F_UNROLL _Pragma("unroll")
#else
#define C2F_HOST_DEVICE
#define C2F_UNROLL
#endif

namespace c2f::cuda {

/// A device and a stream: the CPU, or a stream (a cudaStream_t) of the current GPU.
struct device_stream {
  bool on_gpu  = false;
  void* stream = nullptr;
};

/// Whether kernels use programmatic dependent launch where they can. For measurements; it changes no result.
inline bool start_early = true;

/// The bits of a bfloat16.
struct bfloat16 {
  std::uint16_t bits;
};
template <class T>
concept number = std::same_as<T, float> || std::same_as<T, bfloat16>;

[[nodiscard]] C2F_HOST_DEVICE inline float load(float value) { return value; }
[[nodiscard]] C2F_HOST_DEVICE inline float load(bfloat16 value) {
  std::uint32_t const bits = static_cast<std::uint32_t>(value.bits) << 16;
  float number;
  memcpy(&number, &bits, sizeof number);
  return number;
}
C2F_HOST_DEVICE inline void store(float& to, float value) { to = value; }
/// Rounds to nearest even; NaN stays NaN.
C2F_HOST_DEVICE inline void store(bfloat16& to, float value) {
  std::uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  to.bits = value != value ? std::uint16_t{0x7FC0} : static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

/// The single lane of the CPU, or of one thread.
struct one_lane {
  [[nodiscard]] C2F_HOST_DEVICE std::int64_t first() const { return 0; }
  [[nodiscard]] C2F_HOST_DEVICE std::int64_t count() const { return 1; }
  template <class T>
  [[nodiscard]] C2F_HOST_DEVICE T sum(T value) const {
    return value;
  }
  [[nodiscard]] C2F_HOST_DEVICE float max(float value) const { return value; }
};

#ifdef __CUDACC__

/// Whether programmatic dependent launch is possible: every architecture that is compiled for must support it.
inline constexpr bool can_start_early = [] {
  for (int const architecture : {__CUDA_ARCH_LIST__})
    if (architecture < 900) return false;
  return true;
}();

/// The lanes of a warp.
struct warp_lanes {
  [[nodiscard]] __device__ std::int64_t first() const { return threadIdx.x % 32; }
  [[nodiscard]] __device__ std::int64_t count() const { return 32; }
  template <class T>
  [[nodiscard]] __device__ T sum(T value) const {
    return pooled(value, [](T a, T b) { return a + b; });
  }
  [[nodiscard]] __device__ float max(float value) const {
    return pooled(value, [](float a, float b) { return fmaxf(a, b); });
  }
  template <class T, class Pool>
  [[nodiscard]] __device__ T pooled(T value, Pool const& pool) const {
    for (int offset = 16; offset > 0; offset /= 2) value = pool(value, __shfl_xor_sync(0xFFFFFFFFu, value, offset));
    return value;
  }
};

/// The lanes of a block of 256: all of them must take part in sum and max.
struct block_lanes {
  static constexpr int size = 256;
  [[nodiscard]] __device__ std::int64_t first() const { return threadIdx.x; }
  [[nodiscard]] __device__ std::int64_t count() const { return size; }
  template <class T>
  [[nodiscard]] __device__ T sum(T value) const {
    return pooled(value, [](T a, T b) { return a + b; });
  }
  [[nodiscard]] __device__ float max(float value) const {
    return pooled(value, [](float a, float b) { return fmaxf(a, b); });
  }

 private:
  template <class T, class Pool>
  [[nodiscard]] __device__ T pooled(T value, Pool const& pool) const {
    __shared__ T parts[size / 32];
    value = warp_lanes{}.pooled(value, pool);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
    __syncthreads();
    T all = parts[0];
    for (int i = 1; i < size / 32; ++i) all = pool(all, parts[i]);
    __syncthreads();  // before the next call writes
    return all;
  }
};

namespace detail {

/// The beginning of each kernel: it lets the next kernel be scheduled, and waits for the kernels before it.
__device__ inline void begin() {
  if constexpr (can_start_early) {
    cudaTriggerProgrammaticLaunchCompletion();
    cudaGridDependencySynchronize();
  }
}

template <class Work>
__global__ void __launch_bounds__(256) each_kernel(Work const work, std::int64_t count) {
  begin();
  for (std::int64_t i = blockIdx.x * std::int64_t{256} + threadIdx.x; i < count; i += std::int64_t{256} * gridDim.x) work(i);
}
template <class Work>
__global__ void __launch_bounds__(256) rows_kernel(Work const work, std::int64_t rows) {
  begin();
  for (std::int64_t row = blockIdx.x * std::int64_t{8} + threadIdx.x / 32; row < rows; row += std::int64_t{8} * gridDim.x)
    work(warp_lanes{}, row);
}
template <class Work>
__global__ void __launch_bounds__(block_lanes::size) blocks_kernel(Work const work, std::int64_t rows) {
  begin();
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) work(block_lanes{}, row);
}

/// Queues a kernel in a stream.
template <class... Parameters, class... Arguments>
void start(void (*kernel)(Parameters...), dim3 grid, int threads, void* stream, Arguments const&... arguments) {
  cudaLaunchAttribute early{.id = cudaLaunchAttributeProgrammaticStreamSerialization};
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t const config{.gridDim  = grid,
                                  .blockDim = dim3(threads),
                                  .stream   = static_cast<cudaStream_t>(stream),
                                  .attrs    = &early,
                                  .numAttrs = can_start_early && start_early ? 1u : 0u};
  cudaError_t const error = cudaLaunchKernelEx(&config, kernel, arguments...);
  if (error == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // clears the error, so that a later check does not report it again
  throw std::runtime_error(std::string("CUDA refused a launch: ") + cudaGetErrorString(error));
}
/// The number of blocks to launch for `wanted` of them; the loops in the kernels process the rest.
inline unsigned blocks(std::int64_t wanted) { return static_cast<unsigned>(wanted < 1 ? 1 : wanted > 65535 * 16 ? 65535 * 16 : wanted); }

}  // namespace detail

template <class Work>
void launch_each(Work const& work, std::int64_t count, void* stream) {
  detail::start(detail::each_kernel<Work>, detail::blocks((count + 255) / 256), 256, stream, work, count);
}
template <class Work>
void launch_rows(Work const& work, std::int64_t rows, void* stream) {
  detail::start(detail::rows_kernel<Work>, detail::blocks((rows + 7) / 8), 256, stream, work, rows);
}
template <class Work>
void launch_blocks(Work const& work, std::int64_t rows, void* stream) {
  detail::start(detail::blocks_kernel<Work>, detail::blocks(rows), block_lanes::size, stream, work, rows);
}

#else

// Defined where nvcc compiles them (c2f/cuda/kernels/kernels.cu).
template <class Work>
void launch_each(Work const& work, std::int64_t count, void* stream);
template <class Work>
void launch_rows(Work const& work, std::int64_t rows, void* stream);
template <class Work>
void launch_blocks(Work const& work, std::int64_t rows, void* stream);

#endif

/// Whether the program has the CUDA kernels.
#if defined(__CUDACC__) || defined(C2F_WITH_CUDA)
inline constexpr bool has_kernels = true;
#else
inline constexpr bool has_kernels = false;
#endif

template <class Work>
void for_each(Work const& work, std::int64_t count, device_stream where) {
  if (count == 0) return;
  if constexpr (has_kernels)
    if (where.on_gpu) return launch_each(work, count, where.stream);
  for (std::int64_t i = 0; i < count; ++i) work(i);
}
template <class Work>
void for_rows(Work const& work, std::int64_t rows, device_stream where) {
  if (rows == 0) return;
  if constexpr (has_kernels)
    if (where.on_gpu) return launch_rows(work, rows, where.stream);
  for (std::int64_t row = 0; row < rows; ++row) work(one_lane{}, row);
}
template <class Work>
void for_blocks(Work const& work, std::int64_t rows, device_stream where) {
  if (rows == 0) return;
  if constexpr (has_kernels)
    if (where.on_gpu) return launch_blocks(work, rows, where.stream);
  for (std::int64_t row = 0; row < rows; ++row) work(one_lane{}, row);
}

}  // namespace c2f::cuda
