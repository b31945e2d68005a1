// c2f/cuda/graph.hpp: work of the current stream as a CUDA graph.
//
//   std::unique_ptr<c2f::recorded_work> work = c2f::cuda::record([&] { … });   // queued into the graph and not run
//   work->repeat();                                                            // one launch
//
// The current stream must not be the default one. Memory that the work asks for is the graph's own as long as it lives; what it reads and
// writes besides must stay where it is. Anything in the work that waits for the GPU is an error, and so is asking for page-locked memory: a
// recording that succeeds has neither. Only this thread is held to it, so loaders may go on meanwhile.
// Error: c10::Error with CUDA's words, and then the stream is as it was before.
#pragma once

#include <c2f/core/accelerator.hpp>

#include <ATen/cuda/CUDAGraph.h>

namespace c2f::cuda {

class graph : public recorded_work {
 public:
  explicit graph(std::function<void()> const& work) : graph_(/*keep_graph=*/true) {
    graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      try {
        graph_.capture_end();
      } catch (c10::Error const&) {  // of what broke the recording, which is on its way already
      }
      throw;
    }
    graph_.capture_end();
    graph_.instantiate();
  }
  void repeat() override { graph_.replay(); }
  [[nodiscard]] std::size_t operations() override {
    std::size_t nodes = 0;
    return cudaGraphGetNodes(graph_.raw_cuda_graph(), nullptr, &nodes) == cudaSuccess ? nodes : 0;
  }

 private:
  at::cuda::CUDAGraph graph_;
};

[[nodiscard]] inline std::unique_ptr<recorded_work> record(std::function<void()> const& work) { return std::make_unique<graph>(work); }

}  // namespace c2f::cuda
