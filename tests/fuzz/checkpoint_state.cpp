// Arbitrary bytes as state.json of a checkpoint are read, or refused with a message of one line. Memory use is limited by the size of the
// input, and a state that is read has a valid step of a training.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <c2f/train/checkpoint.hpp>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size) {
  std::string const text(reinterpret_cast<char const*>(bytes), size);
  limit_memory const limit(size);
  try {
    c2f::detail::read_checkpoint read;
    c2f::detail::read_state(text, "state.json", read);
    auto const& state = read.state;
    if (state.step < 0 || state.step > state.report.start.steps_an_epoch ||
        state.now.iteration != state.now.epoch * state.report.start.steps_an_epoch + state.step)
      std::abort();
  } catch (c2f::input_error const& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
