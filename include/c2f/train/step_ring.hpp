// c2f/train/step_ring.hpp: a ring buffer of the training steps that are queued on a device and not yet finished.
//
//   c2f::detail::step_ring ring(device);
//   auto& slot = ring.free_slot();           // host memory for the next step; not while full()
//   …  slot.done.record(stream);  ring.push();
//   if (auto* done = ring.pop(/*wait=*/false)) use(done->result);
//
// Error: c2f::error from free_slot() while full().
// Each slot has its own page-locked host memory for the values that its step reads and writes, so the host can be `capacity` steps ahead.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/execution/streams.hpp>
#include <c2f/train/observer.hpp>

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace c2f::detail {

/// The host side of a queued step.
struct step_slot {
  explicit step_slot(at::Device device) : done(device) {}
  step_record record;
  at::Tensor numbers, draws, keys;  ///< on the host: the values that the step reads (train/step_staging.hpp)
  at::Tensor result;                ///< [L + 1] double, on the host: its losses, and whether it was skipped
  std::vector<std::int64_t> calls;  ///< by how much it increments each counter of batch norms
  event done;                       ///< recorded behind the copy to `result`
};

class step_ring {
 public:
  static constexpr std::size_t capacity = 4;

  explicit step_ring(at::Device device) {
    for (std::size_t i = 0; i < capacity; ++i) slots_.emplace_back(device);
  }

  [[nodiscard]] bool full() const { return pushed_ - popped_ == capacity; }
  [[nodiscard]] bool pending() const { return pushed_ != popped_; }
  [[nodiscard]] step_slot& free_slot() {
    if (full())
      throw error(std::to_string(capacity) + " training steps are queued and their results were not read; call next(true) before queue()");
    return slots_[pushed_ % capacity];
  }
  [[nodiscard]] std::vector<step_slot>& slots() { return slots_; }

  /// Marks the step of free_slot() as queued.
  void push() { ++pushed_; }
  /// Removes and returns the oldest pending step; nullptr if there is none or, unless `wait`, its result has not arrived. The pointer is
  /// valid until the next push().
  [[nodiscard]] step_slot* pop(bool wait) {
    if (!pending()) return nullptr;
    step_slot& slot = slots_[popped_ % capacity];
    if (!wait && !slot.done.query()) return nullptr;
    slot.done.synchronize();
    ++popped_;
    return &slot;
  }
  /// Calls f(slot) for the pending steps, the oldest first.
  template <class F>
  void for_each_pending(F const& f) const {
    for (std::size_t i = popped_; i != pushed_; ++i) f(slots_[i % capacity]);
  }

 private:
  std::vector<step_slot> slots_;
  std::size_t pushed_ = 0, popped_ = 0;
};

}  // namespace c2f::detail
