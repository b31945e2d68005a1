// The memory that LibTorch allocates for what a thread runs.
//
//   auto const bytes = std::make_shared<counted_bytes>();
//   {
//     c10::DebugInfoGuard const counting(c10::DebugInfoKind::PROFILER_STATE, bytes);
//     y = net(x, c2f::train);
//   }
//   std::printf("%ld kept, %ld at the peak\n", bytes->now, bytes->peak);
#pragma once

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

/// The bytes that this thread has allocated and not freed since counting began.
class counted_bytes : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t, c10::Device) override {
    now += bytes;
    peak = std::max(peak, now);
  }
  bool memoryProfilingEnabled() const override { return true; }
  std::int64_t now = 0, peak = 0;
};
