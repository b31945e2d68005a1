// The pictures of --predict, and the files that their predictions become.
#pragma once

#include "common/program.hpp"

#include <c2f/core/errors.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/output_names.hpp>
#include <c2f/data/io/picture_file.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace program {

/// Refuses a picture whose page, of this size, cannot be drawn.
inline void check_page(std::filesystem::path const& file, std::int64_t height, std::int64_t width) {
  if (std::max(height, width) > c2f::data::canvas::largest_side)
    throw c2f::input_error("the prediction of '" + file.string() + "' would be drawn on " + std::to_string(width) + " x " +
                           std::to_string(height) + " pixels, and its sides are at most " +
                           std::to_string(c2f::data::canvas::largest_side) + "; make the picture smaller");
}

/// Folders in `predict` become their pictures, and `outputs` the PNG files in --out, whose names begin with `prefix`. Everything is decoded, so
/// that no picture is refused after hours of training, turned by EXIF's orientation; check(file, picture) may refuse more.
template <class Check>
void check_predictions(options const& chosen, std::vector<std::filesystem::path>& predict, std::vector<std::filesystem::path>& outputs,
                       std::string const& prefix, Check const& check) {
  if (predict.empty()) return;
  if (chosen.out.empty()) throw c2f::input_error("--predict writes pictures, and there is no folder for them; give --out");
  std::vector<std::filesystem::path> files, names;
  for (auto const& each : predict) {
    if (!std::filesystem::is_directory(each)) {
      files.push_back(each);
      continue;
    }
    auto const found = c2f::data::detail::files_in(each, {".jpg", ".jpeg", ".png"});
    if (found.empty())
      throw c2f::input_error("'" + each.string() + "', which is to be predicted, has no .jpg, .jpeg or .png; name another folder");
    for (auto const& name : found) files.push_back(each / name);
  }
  for (auto const& file : files) {
    check(file, c2f::data::read_picture(file, c2f::data::exif::apply));
    names.push_back(file.parent_path() / (file.stem().string() + ".png"));
  }
  predict = files;
  outputs = c2f::data::output_names(names, chosen.out, prefix);
}
/// Of predictions that are drawn onto their pictures.
inline void check_predictions(options const& chosen, std::vector<std::filesystem::path>& predict,
                              std::vector<std::filesystem::path>& outputs, std::string const& prefix) {
  check_predictions(chosen, predict, outputs, prefix,
                    [](auto const& file, auto const& picture) { check_page(file, picture.height, picture.width); });
}

}  // namespace program
