// c2f/train/interrupt.hpp: an observer that stops a training on Ctrl-C: after the current step, with the report so far.
//
//   c2f::interrupt on_ctrl_c;
//   auto report = c2f::fit(model, data, recipe, on_ctrl_c);      // report.stopped is true if it was pressed
//
// SIGINT and SIGTERM are caught while the object lives. All signals within one second of the first are one request: a terminal, a wrapper
// and `timeout` may each pass the same one on. A later one, either of them, ends the program as usual. With c2f::checkpoints as another
// observer, fit saves the state before it returns. Objects that live at the same time share one request: after it, all of them stop their
// trainings. When the last of them is destroyed, the request is forgotten and the handlers from before are back. A signal that the program
// ignores, as SIGINT under nohup, stays ignored.
#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <mutex>

namespace c2f {

/// Catches SIGINT and SIGTERM for its lifetime.
class interrupt {
 public:
  interrupt() {
    std::lock_guard const lock(mutex_);
    if (alive_++ > 0) return;
    first_       = 0;
    before_int_  = take(SIGINT);
    before_term_ = take(SIGTERM);
  }
  interrupt(interrupt const&)            = delete;
  interrupt& operator=(interrupt const&) = delete;
  ~interrupt() {
    std::lock_guard const lock(mutex_);
    if (--alive_ > 0) return;
    std::signal(SIGINT, before_int_);
    std::signal(SIGTERM, before_term_);
  }

  [[nodiscard]] bool stop() const { return first_ != 0; }

 private:
  static constexpr std::int64_t second = 1'000'000'000;

  using handler = void (*)(int);
  static handler take(int signal) {
    handler const before = std::signal(signal, &interrupt::note);
    if (before == SIG_IGN) std::signal(signal, SIG_IGN);
    return before;
  }
  // Runs in a signal handler: lock-free atomics, clock_gettime, signal and raise are async-signal-safe.
  static void note(int signal) {
    ::timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    std::int64_t const at = now.tv_sec * second + now.tv_nsec + 1;  // never 0
    std::int64_t first    = 0;
    if (first_.compare_exchange_strong(first, at) || at - first < second) return;
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    std::raise(signal);  // is delivered when this handler returns
  }
  inline static std::atomic<std::int64_t> first_ = 0;  ///< the time of the first signal in nanoseconds; 0: there was none
  static_assert(std::atomic<std::int64_t>::is_always_lock_free);
  inline static std::mutex mutex_;  // of the constructors and destructors; never taken in the handler
  inline static int alive_           = 0;
  inline static handler before_int_  = SIG_DFL;
  inline static handler before_term_ = SIG_DFL;
};

}  // namespace c2f
