// c2f/data/io/folder.hpp: the sorted file names of a folder.
//
//   auto const names = c2f::data::detail::names_in(dir, [](auto const& entry) { return entry.path().extension() == ".png"; });
//
// Names that begin with a dot are left out: macOS writes a metadata file ._name for each file.
// Errors: input_error for a folder that cannot be listed.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <system_error>

#include <c2f/core/errors.hpp>

namespace c2f::data::detail {

/// The names of the directory entries for which `wanted` returns true.
template <class Wanted>
std::set<std::string> names_in(std::filesystem::path const& folder, Wanted const& wanted) {
  std::set<std::string> names;
  std::error_code failed;
  for (auto const& entry : std::filesystem::directory_iterator(folder, failed)) {
    std::string const name = entry.path().filename().string();
    if (!name.starts_with(".") && wanted(entry)) names.insert(name);
  }
  if (failed) throw input_error("cannot list the folder '" + folder.string() + "': " + failed.message() + "; check its name");
  return names;
}

}  // namespace c2f::data::detail
