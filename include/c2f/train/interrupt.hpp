// c2f/train/interrupt.hpp: an observer that stops a training on Ctrl-C: after the current step, with the report so far.
//
//   c2f::interrupt on_ctrl_c;
//   auto report = c2f::fit(model, data, recipe, on_ctrl_c);      // report.stopped is true if it was pressed
//
// SIGINT and SIGTERM are caught while the object lives; a second signal, either of them, ends the program as usual. With c2f::checkpoints
// as another observer, fit saves the state before it returns. Objects that live at the same time share one signal: after it, all of them
// stop their trainings. When the last of them is destroyed, the signal is forgotten and the handlers from before are back.
#pragma once

#include <atomic>
#include <csignal>

namespace c2f {

/// Catches SIGINT and SIGTERM for its lifetime.
class interrupt {
 public:
  interrupt() {
    if (alive_++ > 0) return;
    caught_      = 0;
    before_int_  = std::signal(SIGINT, &interrupt::note);
    before_term_ = std::signal(SIGTERM, &interrupt::note);
  }
  interrupt(interrupt const&)            = delete;
  interrupt& operator=(interrupt const&) = delete;
  ~interrupt() {
    if (--alive_ > 0) return;
    std::signal(SIGINT, before_int_);
    std::signal(SIGTERM, before_term_);
  }

  [[nodiscard]] bool stop() const { return caught_ != 0; }

 private:
  static void note(int) {
    caught_ = 1;
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }
  inline static std::sig_atomic_t volatile caught_ = 0;
  inline static std::atomic<int> alive_            = 0;
  inline static void (*before_int_)(int)           = SIG_DFL;
  inline static void (*before_term_)(int)          = SIG_DFL;
};

}  // namespace c2f
