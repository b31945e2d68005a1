// Arbitrary bytes are read as iNaturalist's pictures and categories, or are an input_error of one line.
#include <cstdint>
#include <cstdlib>

#include <c2f/data/datasets/fine_grained.hpp>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  try {
    auto const [classes, pictures] = c2f::data::detail::parse_inat({data, size}, "input");
    if (classes.empty() || pictures.empty()) std::abort();
    for (auto const& [name, label] : pictures) {
      if (label < 0 || label >= std::ssize(classes)) std::abort();
      if (!c2f::data::detail::is_name_below(name)) std::abort();
    }
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
  return 0;
}
