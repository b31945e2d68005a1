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
    if (found.width < 1 || found.height < 1) std::abort();
    for (std::size_t i = 0; i < found.objects.size(); ++i) {
      try {
        auto const box = c2f::data::detail::checked_box(found, i, "input");
        bool const inside =
            box.x0 >= 0 && box.y0 >= 0 && box.x1 <= static_cast<double>(found.width) && box.y1 <= static_cast<double>(found.height);
        if (!inside || !(box.area() > 0)) std::abort();
      } catch (c2f::input_error const& error) {
        one_line(error);
      }
    }
  } catch (c2f::input_error const& error) {
    one_line(error);
  }
  return 0;
}
