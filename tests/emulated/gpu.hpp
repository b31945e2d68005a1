// tests/emulated: an emulated CUDA device, for LibTorch and for c2f's kernels.
//
//   kernels.cpp      c2f's kernels on the CPU, all threads of all blocks; it includes kernels.cu with the cuda_runtime.h of this folder
//   gpu.cpp          the functions of CUDA's runtime that LibTorch calls: memory, streams, events, graphs
//   operations.cpp   LibTorch's operations on CUDA tensors, computed by its operations on CPU tensors
//
// A program that links them (the CMake target c2f_emulated_cuda) finds one GPU. Work is asynchronous, as on a GPU: it is done when the host
// or another stream waits for it, or at any time before. So a number that is read too early, or a buffer that is used again too early,
// gives other results than on the CPU. The schedule is C2F_EMULATED_SCHEDULE: 'late' (only when something waits), 'soon' (at once), or the
// seed of a random schedule; the default is seed 1. With 'late' an access of the host to device memory is a segmentation fault.
//
// What CUDA forbids is an error, as there: synchronising, allocating or freeing during a capture, a capturing stream that waits for one
// that is not captured. Also work in another stream during a capture, which CUDA permits but the graph would miss. A kernel of LibTorch
// that has no replacement ends the program with its name. New memory is filled with NaN.
// With C2F_EMULATED_GRAPHS=1 each graph is printed on stderr when it is instantiated: its operations and how often each occurs; with 2 also
// the sizes of their tensors.
#pragma once

#include <functional>
#include <string>

namespace emulated {

/// Queues work in a stream, a cudaStream_t. A graph that captured it does it at every replay. `what` is its name. Returns a cudaError_t.
[[nodiscard]] int queue(void* stream, std::string what, std::function<void()> work);
/// Does work on device memory at once, while the host waits.
void at_once(std::function<void()> const& work);

}  // namespace emulated
