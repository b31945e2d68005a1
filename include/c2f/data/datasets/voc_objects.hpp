// c2f/data/datasets/voc_objects.hpp: pictures with all of their objects, from files in Pascal VOC's format.
//
//   c2f::data::voc_objects<40, 192, 256> const data{{.root = "/data/BCCD", .classes = {"WBC", "RBC", "Platelets"}}};
//   std::vector<float> pixels(3 * 192 * 256), truth(40 * 7);
//   data.train.read(7, nullptr, pixels.data(), truth.data());
//
// The splits are those of coco_objects.hpp, with <difficult> in the place of crowds: class, centre x, centre y, width, height as fractions of
// the canvas, 2 if the object is difficult, else 0; and 1; then rows of zeros. Layouts, lists, classes and faulty samples are those of voc.hpp, but every
// picture is a sample, also one without wanted objects. Of the options, `objects` has no effect.
//
// Costs: those of voc.hpp. Needs nlohmann/json besides what voc.hpp needs, for what it shares with coco_objects.hpp.
// Errors: those of voc.hpp; more than Most objects make a faulty sample.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/data/datasets/coco_objects.hpp>
#include <c2f/data/datasets/voc.hpp>

namespace c2f::data {

/// Lists the samples of a root.
[[nodiscard]] inline coco_samples list_voc_objects(voc_options const& options) {
  auto [classes, both] = detail::voc_indexer(options, 0).all();
  coco_samples made{classes, {}, {}, 0};
  for (std::size_t part : {0u, 1u})
    for (auto const& entry : both[part]) {
      auto const& from = entry.sample;
      coco_sample& to  = (part == 0 ? made.train : made.test)
                            .emplace_back(coco_sample{from.name, from.picture, from.xml, from.height, from.width, {}, from.fault});
      if (!from.fault.empty()) continue;
      try {
        for (std::size_t i = 0; i < entry.found.objects.size(); ++i) {
          auto const& object = entry.found.objects[i];
          auto const label   = std::find(classes.begin(), classes.end(), object.name) - classes.begin();
          if (label < std::ssize(classes))
            to.objects.push_back(
                {.label = label, .where = detail::checked_box(entry.found, i, from.xml.string()), .difficult = object.difficult});
        }
      } catch (input_error const& error) {
        to.fault = error.what();
        to.objects.clear();
      }
    }
  return made;
}

/// A data set of pictures with at most Most objects each.
template <std::int64_t Most, std::int64_t Height, std::int64_t Width = Height>
struct voc_objects {
  coco_objects_split<Most, Height, Width> train, test;

  explicit voc_objects(voc_options const& options)
      : voc_objects(options, list_voc_objects(options), std::make_shared<std::atomic<std::int64_t>>(options.cache_bytes)) {}

 private:
  voc_objects(voc_options const& options, coco_samples lists, std::shared_ptr<std::atomic<std::int64_t>> const& budget)
      : train("voc train", std::move(lists.train), lists.classes, options.augment, budget),
        test("voc test", std::move(lists.test), lists.classes, options.augment, budget) {}
};

}  // namespace c2f::data
