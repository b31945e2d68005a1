// c2f/execution/streams.hpp: side streams and events of a device.
//
//   c2f::side_stream const training(device);      // this thread submits work to it, ordered after the work submitted before
//
// Graph capture needs a stream other than the default one, and overlapping copies with computation needs two. On a CPU all of this does
// nothing. Uses LibTorch's device-independent streams; includes no CUDA header.
#pragma once

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <optional>

namespace c2f {

/// A device event: a point in the work of a stream that the host or another stream can wait for.
class event {
 public:
  explicit event(at::Device device) {
    if (!device.is_cpu()) event_.emplace(device.type());
  }
  /// Marks the point after all work submitted to the stream so far.
  void record(c10::Stream const& stream) {
    if (event_) event_->record(stream);
  }
  /// Whether that point was reached.
  [[nodiscard]] bool query() const { return !event_ || event_->query(); }
  /// The host waits until it is reached.
  void synchronize() const {
    if (event_) event_->synchronize();
  }
  /// Work submitted to the stream from here on waits for it; the host does not.
  void block(c10::Stream const& stream) const {
    if (event_) event_->block(stream);
  }

 private:
  std::optional<c10::Event> event_;
};

/// This thread's current stream of the device.
[[nodiscard]] inline c10::Stream current_stream(at::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }
/// A stream of LibTorch's pool, which is not the default stream.
[[nodiscard]] inline c10::Stream pool_stream(at::Device device) {
  return c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device, /*isHighPriority=*/false);
}

/// Makes a stream of the pool this thread's current stream for its lifetime. It starts after the previous stream's work, and the previous
/// stream waits for it at the end.
class side_stream {
 public:
  explicit side_stream(at::Device device) : device_(device) {
    if (device.is_cpu()) return;
    c10::Stream const before = current_stream(device), mine = pool_stream(device);
    event queued(device);
    queued.record(before);
    queued.block(mine);
    guard_.reset_stream(mine);
  }
  side_stream(side_stream const&)            = delete;
  side_stream& operator=(side_stream const&) = delete;
  ~side_stream() {
    if (device_.is_cpu()) return;
    try {
      event done(device_);
      done.record(*guard_.current_stream());
      done.block(*guard_.original_stream());
    } catch (c10::Error const&) {  // the device failed, which was already thrown as an error
    }
  }

 private:
  at::Device device_;
  c10::OptionalStreamGuard guard_;
};

}  // namespace c2f
