// Arbitrary bytes are read as a zip and its entries, or are an input_error of one line. Memory is limited whatever the headers say.
//
// A mutated entry mostly fails at a wrong checksum, which is verified after everything else has been read.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <c2f/data/io/zip.hpp>

#include "memory.hpp"

namespace {

void one_line(c2f::input_error const& error) {
  for (char const* c = error.what(); *c != '\0'; ++c)
    if (static_cast<unsigned char>(*c) < ' ') std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  try {
    c2f::data::zip_archive const archive({data, size}, "input");
    for (std::size_t i = 0; i < std::min<std::size_t>(archive.names().size(), 8); ++i) {
      std::string const& entry = archive.names()[i];
      if (entry.empty() || entry.front() == '/' || !archive.has(entry)) std::abort();
      try {
        if (archive.read(entry).size() > std::max<std::size_t>(std::size_t{1} << 26, 4 * size)) std::abort();
      } catch (c2f::input_error const& error) {
        one_line(error);
      }
    }
  } catch (c2f::input_error const& error) {
    one_line(error);
  }
  return 0;
}
