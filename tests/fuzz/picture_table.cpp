// Arbitrary bytes are read as a table of pictures, or are an input_error of one line.
#include <c2f/data/datasets/picture_table.hpp>

#include <cstdint>
#include <cstdlib>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  try {
    auto const table = c2f::data::parse_table({data, size}, "input");
    if (table.columns.empty() || table.rows.empty()) std::abort();
    for (auto const& row : table.rows) {
      if (row.values.size() != table.columns.size() || row.picture.empty() || row.picture.front() == '/') std::abort();
      if (("/" + row.picture + "/").find("/../") != std::string::npos) std::abort();
      for (float const value : row.values)
        if (std::isinf(value)) std::abort();
    }
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
  return 0;
}
