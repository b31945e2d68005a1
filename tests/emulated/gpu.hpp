// tests/emulated: a GPU that is not there, for LibTorch and for c2f's kernels.
//
//   kernels.cpp      c2f's kernels, all threads of all blocks, on the CPU; it and kernels.cu stand on the cuda_runtime.h of this folder
//   gpu.cpp          the functions of CUDA's runtime that LibTorch calls: memory, streams, events, graphs
//   operations.cpp   LibTorch's operations on CUDA tensors, computed by its operations on CPU tensors
//
// A program that is linked with them (the CMake target c2f_emulated_cuda) finds one GPU. What it queues is not done at once: as on a GPU it
// is done when somebody waits for it, or at any time before. So a number that is read too early, or a buffer that is used again too early,
// gives other results than on the CPU. When, C2F_EMULATED_SCHEDULE says: 'late' (when somebody waits), 'soon' (at once), or the seed of
// a random choice; without it the seed is 1. With 'late' the host may not touch the device's memory: a segmentation fault.
//
// What CUDA's rules forbid is an error as it is there: waiting, allocating or freeing while a stream is recorded, a recorded stream that
// waits for one that is not, work in a stream that is not recorded while another one is (which CUDA permits, but which a recording misses).
// A kernel of LibTorch that nothing stands for ends the program with its name. New memory is full of numbers that are none.
// With C2F_EMULATED_GRAPHS=1 each graph is described on stderr when it is made: how often it does what; with 2 also to tensors of which
// sizes.
#pragma once

#include <functional>
#include <string>

namespace emulated {

/// Work for a stream, a cudaStream_t, which may be done more than once: a graph repeats it. `what` is its name. A cudaError_t.
[[nodiscard]] int queue(void* stream, std::string what, std::function<void()> work);
/// Work on the device's memory by which the host waits, at once.
void at_once(std::function<void()> const& work);

}  // namespace emulated
