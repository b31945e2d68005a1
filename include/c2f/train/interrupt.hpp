// c2f/train/interrupt.hpp: Ctrl-C ends a training after the step it is in, with the report so far.
//
//   c2f::interrupt on_ctrl_c;
//   auto report = c2f::fit(model, data, recipe, on_ctrl_c);      // report.stopped is true when it was pressed
//
// SIGINT and SIGTERM are caught while the object lives; a second signal, either of them, ends the program as if it had not been there.
// With c2f::checkpoints in the call, what was done is kept before fit returns; a program that returns 0 then has ended cleanly.
#pragma once

#include <csignal>

namespace c2f {

class interrupt {
 public:
  interrupt() : before_int_(std::signal(SIGINT, &interrupt::note)), before_term_(std::signal(SIGTERM, &interrupt::note)) {}
  interrupt(interrupt const&)            = delete;
  interrupt& operator=(interrupt const&) = delete;
  ~interrupt() {
    std::signal(SIGINT, before_int_);
    std::signal(SIGTERM, before_term_);
  }

  [[nodiscard]] bool stop() const { return asked_ != 0; }

 private:
  static void note(int) {
    asked_ = 1;
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }
  inline static std::sig_atomic_t volatile asked_ = 0;
  void (*before_int_)(int);
  void (*before_term_)(int);
};

}  // namespace c2f
