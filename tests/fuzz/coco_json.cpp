// Arbitrary bytes are read as COCO's instances and as its panoptic JSON, or are an input_error of one line.
#include <c2f/data/datasets/coco.hpp>
#include <c2f/data/datasets/coco_panoptic.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "memory.hpp"

namespace {

template <class Read>
void refused_or(Read const& read) {
  try {
    read();
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
}

void check(c2f::data::coco_list const& list) {
  if (list.classes.empty() || list.pictures.empty() || list.crowds < 0 || list.classes.size() != list.category_ids.size()) std::abort();
  for (auto const& picture : list.pictures) {
    if (picture.width < 1 || picture.height < 1 || picture.file.empty() || picture.file.front() == '/') std::abort();
    if (!c2f::data::detail::is_name_below(picture.file)) std::abort();
    for (auto const& object : picture.objects) {
      if (object.label < 0 || object.label >= std::ssize(list.classes)) std::abort();
      if (std::isnan(object.where.x0) || std::isnan(object.where.y0) || object.area < 0) std::abort();
      if (!object.has_mask() || picture.height * picture.width > 1 << 20) continue;
      refused_or([&] {
        auto const mask = object.mask(picture.height, picture.width);
        if (mask.height != picture.height || mask.width != picture.width) std::abort();
        if (c2f::data::run_lengths::of_mask(mask.mask(), mask.height, mask.width).area() != mask.area()) std::abort();
        auto const box = mask.box();
        if (mask.area() > 0 && !(box.x0 >= 0 && box.y0 >= 0 && box.x1 <= static_cast<double>(picture.width) && box.area() > 0))
          std::abort();
      });
    }
  }
}
void check(c2f::data::coco_panoptic_list const& list) {
  if (list.classes.empty() || list.pictures.empty() || list.things.size() != list.classes.size()) std::abort();
  for (auto const& picture : list.pictures) {
    if (!c2f::data::detail::is_name_below(picture.file) || !c2f::data::detail::is_name_below(picture.segments_file)) std::abort();
    for (auto const& segment : picture.segments)
      if (segment.label < 0 || segment.label >= std::ssize(list.classes) || segment.number < 1 || segment.number > 0xffffff) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  refused_or([&] { check(c2f::data::parse_coco({data, size}, "input")); });
  refused_or([&] { check(c2f::data::parse_coco({data, size}, "input", {.segmentations = true, .crowds = true})); });
  refused_or([&] { check(c2f::data::parse_coco_panoptic({data, size}, "input")); });
  return 0;
}
