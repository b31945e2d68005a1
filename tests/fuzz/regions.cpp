// Arbitrary bytes are read as a label map of Stanford Background, a row of numbers a line, or are an input_error of one line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <c2f/data/datasets/stanford_background.hpp>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  try {
    auto const map = c2f::data::detail::parse_regions({reinterpret_cast<char const*>(data), size}, "input");
    if (map.height < 1 || map.width < 1 || map.labels.size() != static_cast<std::size_t>(map.height * map.width)) std::abort();
    for (std::uint8_t const label : map.labels)
      if (label > 7 && label != 255) std::abort();
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
  return 0;
}
