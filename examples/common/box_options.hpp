// The options of programs on data with boxes: where the class of an object is written, and which objects of a picture are taken.
#pragma once

#include <c2f/data/datasets/voc.hpp>

#include <CLI/CLI.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace program {

struct box_options {
  std::string class_from = "object", objects = "largest";
};

inline void add_box_options(CLI::App& app, box_options& chosen) {
  app.add_option("--class-from", chosen.class_from,
                 "Of an object's box: object: its name; file: the file's name up to the last '_'; any: one class for all")
      ->check(CLI::IsMember({"object", "file", "any"}));
  app.add_option("--objects", chosen.objects,
                 "Of boxes: largest: the largest of each class; one_a_class: classes with one object; single: pictures with one object")
      ->check(CLI::IsMember({"largest", "one_a_class", "single"}));
}

/// These options for data::voc and data::coco.
[[nodiscard]] inline c2f::data::voc_options voc_options_of(box_options const& chosen, std::filesystem::path const& root,
                                                           std::vector<std::string> const& classes) {
  using namespace c2f::data;
  return {.root       = root,
          .classes    = classes,
          .class_from = chosen.class_from == "any"    ? class_source::any
                        : chosen.class_from == "file" ? class_source::file_prefix
                                                      : class_source::object_name,
          .objects    = chosen.objects == "single"        ? object_choice::single
                        : chosen.objects == "one_a_class" ? object_choice::one_a_class
                                                          : object_choice::largest};
}

}  // namespace program
