// Arbitrary bytes are read as an annotation, or are an input_error of one line.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include <c2f/data/datasets/voc.hpp>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  auto const one_line = [](c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  };
  try {
    auto const found = c2f::data::detail::parse_annotation({data, size}, "input");
    if (found.objects.empty() || found.width < 1 || found.height < 1) std::abort();
    for (std::size_t i = 0; i < found.objects.size(); ++i) {
      try {
        c2f::data::detail::check_box(found, i, "input");
        if (!(found.objects[i].where.area() > 0)) std::abort();
      } catch (c2f::input_error const& error) {
        one_line(error);
      }
    }
  } catch (c2f::input_error const& error) {
    one_line(error);
  }
  return 0;
}
