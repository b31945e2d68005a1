// c2f/cuda/runtime/graph.hpp: captures the work of the current stream as a CUDA graph.
//
//   std::unique_ptr<c2f::captured_graph> work = c2f::cuda::capture([&] { … });   // run once, then captured
//   work->replay();                                                              // one launch
//
// The current stream must not be the default one. Memory that the work allocates belongs to the graph as long as the graph lives; all other
// memory that it reads or writes must keep its address. Anything in the work that synchronises with the GPU is an error, so a successful
// capture contains no synchronisation. The check applies to this thread only: loader threads may use the GPU meanwhile.
// Cost: the work is run once before the capture, and the free memory that LibTorch caches goes back to the device: a graph cannot use it.
// Error: c10::Error with CUDA's message; nothing is captured then.
#pragma once

#include <c2f/execution/accelerator.hpp>

#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>

namespace c2f::cuda {

/// A CUDA graph of the work that was captured.
class graph : public captured_graph {
 public:
  explicit graph(std::function<void()> const& work) {
    {
      error_on_synchronization const scope;  // found before the capture begins
      work();
    }
    c10::cuda::CUDACachingAllocator::emptyCache();
    at::MempoolId_t const pool = at::cuda::graph_pool_handle();
    graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      work();
      graph_.capture_end();
    } catch (...) {
      abandon(pool);
      throw;
    }
  }
  void replay() override { graph_.replay(); }

 private:
  /// LibTorch's operations throw where they would synchronise with the GPU.
  class error_on_synchronization {
   public:
    error_on_synchronization() { c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR); }
    error_on_synchronization(error_on_synchronization const&)            = delete;
    error_on_synchronization& operator=(error_on_synchronization const&) = delete;
    ~error_on_synchronization() { c10::cuda::warning_state().set_sync_debug_mode(before_); }

   private:
    c10::cuda::SyncDebugMode before_ = c10::cuda::warning_state().get_sync_debug_mode();
  };

  template <class F>
  static bool succeeds(F const& f) noexcept {
    try {
      f();
      return true;
    } catch (...) {
      return false;
    }
  }
  // Where CUDA refuses to end a capture, LibTorch (2.11) leaves its allocators and its generator in capture mode.
  void abandon(at::MempoolId_t pool) noexcept {
    if (succeeds([&] { graph_.capture_end(); })) return;
    auto const device = c10::cuda::current_device();
    succeeds([&] {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(device, pool);
      c10::cuda::CUDACachingAllocator::releasePool(device, pool);
    });
    succeeds([&] {
      at::getHostAllocator(at::kCUDA)->end_allocate_to_pool(pool);
      at::getHostAllocator(at::kCUDA)->release_pool(pool);
    });
    succeeds([&] {  // the end of another capture resets the generator
      at::cuda::CUDAGraph other;
      other.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
      at::zeros({1}, at::TensorOptions(at::Device(at::kCUDA, device)));
      other.capture_end();
    });
  }

  at::cuda::CUDAGraph graph_;
};

/// The capture function of an accelerator: runs `work`, then captures it from the current stream.
[[nodiscard]] inline std::unique_ptr<captured_graph> capture(std::function<void()> const& work) { return std::make_unique<graph>(work); }

}  // namespace c2f::cuda
