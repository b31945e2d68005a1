// c2f/data/io/output_names.hpp: names of output files that are made of the names of input files.
//
//   std::vector<std::filesystem::path> const scans{"s1/ct.nii.gz", "s2/mr.nii.gz"};
//   auto const masks = c2f::data::output_names(scans, out, "organ_");       // out/organ_ct.nii.gz, out/organ_mr.nii.gz
//
// Call it before anything is computed. Two inputs never share an output, and no output is one of the inputs.
// Errors: input_error with both inputs and the output.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include <c2f/core/errors.hpp>

namespace c2f::data {

namespace detail {
/// Independent of "..", links and the current folder, also for files that do not exist yet.
[[nodiscard]] inline std::filesystem::path resolved(std::filesystem::path const& path) {
  std::error_code failed;
  auto whole = std::filesystem::weakly_canonical(std::filesystem::absolute(path, failed), failed);
  return failed ? path.lexically_normal() : whole;
}
}  // namespace detail

/// For each input the file prefix + its name in `folder`.
[[nodiscard]] inline std::vector<std::filesystem::path> output_names(std::vector<std::filesystem::path> const& inputs,
                                                                     std::filesystem::path const& folder, std::string const& prefix = "") {
  std::map<std::filesystem::path, std::filesystem::path const*> given, taken;
  for (auto const& input : inputs) given.emplace(detail::resolved(input), &input);
  std::vector<std::filesystem::path> outputs;
  for (auto const& input : inputs) {
    auto const& output      = outputs.emplace_back(folder / (prefix + input.filename().string()));
    auto const [same, free] = taken.emplace(detail::resolved(output), &input);
    if (!free)
      throw input_error("the inputs '" + same->second->string() + "' and '" + input.string() + "' have one output, '" + output.string() +
                        "'; rename one of them, or process them one after the other into two folders");
    if (auto const found = given.find(same->first); found != given.end())
      throw input_error("the output of '" + input.string() + "' would replace the input '" + found->second->string() +
                        "'; choose another folder for the outputs");
  }
  return outputs;
}

}  // namespace c2f::data
