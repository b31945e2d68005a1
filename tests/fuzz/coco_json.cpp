// Arbitrary bytes are read as COCO's instances, or are an input_error of one line.
#include <c2f/data/datasets/coco.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  try {
    auto const list = c2f::data::parse_coco({data, size}, "input");
    if (list.classes.empty() || list.pictures.empty() || list.crowds < 0) std::abort();
    for (auto const& picture : list.pictures) {
      if (picture.width < 1 || picture.height < 1 || picture.file.empty() || picture.file.front() == '/') std::abort();
      if (!c2f::data::detail::is_name_below(picture.file)) std::abort();
      for (auto const& [label, box] : picture.objects) {
        if (label < 0 || label >= std::ssize(list.classes)) std::abort();
        if (std::isnan(box.x0) || std::isnan(box.y0)) std::abort();
      }
    }
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
  return 0;
}
