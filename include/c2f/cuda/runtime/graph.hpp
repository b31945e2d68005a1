// c2f/cuda/runtime/graph.hpp: work of the current stream as a CUDA graph.
//
//   std::unique_ptr<c2f::captured_graph> work = c2f::cuda::record([&] { … });   // run once, and queued into a graph
//   work->repeat();                                                            // one launch
//
// The current stream must not be the default one. Memory that the work asks for is the graph's own as long as it lives; what it reads and
// writes besides must stay where it is. Anything in the work that waits for the GPU is an error: a recording that succeeds has nothing of
// it. Only this thread is held to it while the graph is recorded, so loaders may go on.
// Cost: the work is run once before, and what LibTorch keeps of memory that is free goes back to the device: a graph cannot use it.
// Error: c10::Error with CUDA's words, and then nothing is recorded.
#pragma once

#include <c2f/execution/accelerator.hpp>

#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>

namespace c2f::cuda {

class graph : public captured_graph {
 public:
  explicit graph(std::function<void()> const& work) {
    {
      waiting_is_an_error const here;  // found before anything is recorded
      work();
    }
    c10::cuda::CUDACachingAllocator::emptyCache();
    at::MempoolId_t const pool = at::cuda::graph_pool_handle();
    graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      work();
      graph_.capture_end();
    } catch (...) {
      give_up(pool);
      throw;
    }
  }
  void replay() override { graph_.replay(); }

 private:
  /// LibTorch's operations throw where they would wait for the GPU.
  class waiting_is_an_error {
   public:
    waiting_is_an_error() { c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR); }
    waiting_is_an_error(waiting_is_an_error const&)            = delete;
    waiting_is_an_error& operator=(waiting_is_an_error const&) = delete;
    ~waiting_is_an_error() { c10::cuda::warning_state().set_sync_debug_mode(before_); }

   private:
    c10::cuda::SyncDebugMode before_ = c10::cuda::warning_state().get_sync_debug_mode();
  };

  template <class F>
  static bool tried(F const& f) noexcept {
    try {
      f();
      return true;
    } catch (...) {
      return false;
    }
  }
  // Where CUDA refuses to end a recording, LibTorch (2.11) leaves its allocators and its generator recording.
  void give_up(at::MempoolId_t pool) noexcept {
    if (tried([&] { graph_.capture_end(); })) return;
    auto const device = c10::cuda::current_device();
    tried([&] {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(device, pool);
      c10::cuda::CUDACachingAllocator::releasePool(device, pool);
    });
    tried([&] {
      at::getHostAllocator(at::kCUDA)->end_allocate_to_pool(pool);
      at::getHostAllocator(at::kCUDA)->release_pool(pool);
    });
    tried([&] {  // the generator is free when another recording has ended
      at::cuda::CUDAGraph other;
      other.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
      at::zeros({1}, at::TensorOptions(at::Device(at::kCUDA, device)));
      other.capture_end();
    });
  }

  at::cuda::CUDAGraph graph_;
};

[[nodiscard]] inline std::unique_ptr<captured_graph> capture(std::function<void()> const& work) { return std::make_unique<graph>(work); }

}  // namespace c2f::cuda
