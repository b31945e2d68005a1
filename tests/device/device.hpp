// The device of the tests of this folder. They are one program that is run twice, on the CPU and on the emulated CUDA device
// (../emulated/gpu.hpp). Linked with the kernels that nvcc compiled they are c2f_cuda_tests, whose tests print that they are skipped where
// there is no GPU.
#pragma once

#include <c2f/core/random.hpp>
#include <c2f/cuda/fused.hpp>

#include <ATen/Context.h>
#include <ATen/ops/empty.h>

#ifdef C2F_WITH_CUDA
#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>
#endif

#include <cstdio>
#include <cstdlib>
#include <string>

namespace tests {

/// False with C2F_TEST_DEVICE=cpu, and where LibTorch has no CUDA.
inline bool on_gpu() {
#ifdef C2F_WITH_CUDA
  static bool const gpu = [] {
    char const* const device = std::getenv("C2F_TEST_DEVICE");
    return device == nullptr || std::string(device) != "cpu";
  }();
  return gpu;
#else
  return false;
#endif
}
inline at::Device device() { return on_gpu() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU); }

#ifdef C2F_WITH_CUDA
inline bool has_device() {
  static bool const found = [] {
    bool const gpu = !on_gpu() || c10::cuda::device_count() > 0;
    if (!gpu) std::printf("skipped: no GPU\n");
    // The tests compare float arithmetic, so TensorFloat-32 is off.
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setDeterministicCuDNN(true);  // gradients of weights are compared bit by bit, too
    return gpu;
  }();
  return found;
}
/// Whether training steps are fast: on a GPU that is not emulated.
inline bool fast() {
  cudaDeviceProp properties;
  return on_gpu() && cudaGetDeviceProperties(&properties, 0) == cudaSuccess && std::string(properties.name) != "emulated GPU";
}
#else
inline bool has_device() { return true; }
inline bool fast() { return false; }
#endif
inline bool emulated() { return on_gpu() && !fast(); }

/// The same numbers in every run: draw(stream) for each element, on the device.
template <class Number, class Draw>
at::Tensor drawn(std::vector<std::int64_t> const& dims, at::ScalarType type, std::uint64_t seed, Draw const& draw) {
  at::Tensor numbers = at::empty(dims, at::TensorOptions(type));
  c2f::random_stream stream(seed, c2f::purpose::synthesis, 0, 0);
  auto* const number = numbers.mutable_data_ptr<Number>();
  for (std::int64_t i = 0; i < numbers.numel(); ++i) number[i] = static_cast<Number>(draw(stream));
  return numbers.to(device());
}
/// float, normal.
inline at::Tensor normal(std::vector<std::int64_t> const& dims, std::uint64_t seed) {
  return drawn<float>(dims, at::kFloat, seed, [](c2f::random_stream& s) { return s.normal(); });
}
/// double, in (0, 1].
inline at::Tensor uniform(std::vector<std::int64_t> const& dims, std::uint64_t seed) {
  return drawn<double>(dims, at::kDouble, seed, [](c2f::random_stream& s) { return s.uniform(); });
}
/// int64, in 0 ... below - 1.
inline at::Tensor integers(std::int64_t below, std::vector<std::int64_t> const& dims, std::uint64_t seed) {
  return drawn<std::int64_t>(dims, at::kLong, seed, [&](c2f::random_stream& s) { return s.below(static_cast<std::uint32_t>(below)); });
}

/// The largest absolute difference of two elements at the same position, computed in double.
inline double furthest(at::Tensor const& a, at::Tensor const& b) {
  return a.to(at::kDouble).sub(b.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace tests

/// Leaves a test case where there is no device to run it on.
#define C2F_NEEDS_DEVICE() \
  if (!tests::has_device()) return
