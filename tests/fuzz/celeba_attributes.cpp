// Arbitrary bytes are read as CelebA's attributes, or are an input_error of one line.
#include <cstdint>
#include <cstdlib>

#include <c2f/data/datasets/fine_grained.hpp>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  try {
    auto const table = c2f::data::detail::parse_attributes({data, data + size}, "input");
    if (table.names.empty()) std::abort();
    for (auto const& [name, row] : table.pictures) {
      if (name.empty() || name.front() == '/' || row.size() != table.names.size()) std::abort();
      for (auto const value : row)
        if (value > 1) std::abort();
    }
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
  return 0;
}
