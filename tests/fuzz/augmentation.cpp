// Arbitrary bytes are read as the words of an augmentation, within its ranges, or are an input_error of one line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <c2f/data/augment.hpp>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  try {
    auto const made = c2f::data::read_augmentation({reinterpret_cast<char const*>(data), size}, 96);
    try {
      (void)c2f::data::checked(made);
    } catch (c2f::input_error const&) {
      std::abort();  // what a text may say is what an augmentation may be
    }
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
  return 0;
}
