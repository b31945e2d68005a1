// Arbitrary bytes are read as a model.json, or are an input_error of one line; what is read is written and read again as the same.
#include <c2f/inference/model_description.hpp>

#include <cstdint>
#include <cstdlib>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  try {
    auto const about = c2f::parse_model_description({reinterpret_cast<char const*>(data), size}, "input");
    if (about.channels < 1 || about.height > c2f::largest_described_side || about.width > c2f::largest_described_side) std::abort();
    for (float const each : about.normalised.deviation)
      if (!(each > 0)) std::abort();
    std::string const text = c2f::text_of(about);
    if (c2f::text_of(c2f::parse_model_description(text, "again")) != text) std::abort();
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
  return 0;
}
