// c2f/execution/streams.hpp: a queue of work of its own on a device.
//
//   c2f::side_stream const training(device);      // what this thread queues goes there, after what was queued before
//
// Recording a step needs a stream that is not the default one, and copying while computing needs two. On a CPU there is nothing of this and
// everything here does nothing. LibTorch's device-independent streams: no CUDA header.
#pragma once

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <optional>

namespace c2f {

/// A point in a stream's work, which others may wait for.
class event {
 public:
  explicit event(at::Device device) {
    if (!device.is_cpu()) event_.emplace(device.type());
  }
  /// After all that was queued in the stream so far.
  void set(c10::Stream const& stream) {
    if (event_) event_->record(stream);
  }
  [[nodiscard]] bool reached() const { return !event_ || event_->query(); }
  /// The host waits.
  void wait() const {
    if (event_) event_->synchronize();
  }
  /// What is queued in the stream from now on waits.
  void wait_in(c10::Stream const& stream) const {
    if (event_) event_->block(stream);
  }

 private:
  std::optional<c10::Event> event_;
};

[[nodiscard]] inline c10::Stream current_stream(at::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }
[[nodiscard]] inline c10::Stream pool_stream(at::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device, /*isHighPriority=*/false);
}

/// The stream of this thread, for as long as it lives; the one before waits for it at the end.
class side_stream {
 public:
  explicit side_stream(at::Device device) : device_(device) {
    if (device.is_cpu()) return;
    c10::Stream const before = current_stream(device), mine = pool_stream(device);
    event queued(device);
    queued.set(before);
    queued.wait_in(mine);
    guard_.reset_stream(mine);
  }
  side_stream(side_stream const&)            = delete;
  side_stream& operator=(side_stream const&) = delete;
  ~side_stream() {
    if (device_.is_cpu()) return;
    try {
      event done(device_);
      done.set(*guard_.current_stream());
      done.wait_in(*guard_.original_stream());
    } catch (c10::Error const&) {  // the device is lost, which is on its way as an error already
    }
  }

 private:
  at::Device device_;
  c10::OptionalStreamGuard guard_;
};

}  // namespace c2f
