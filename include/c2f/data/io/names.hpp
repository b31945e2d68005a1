// c2f/data/io/names.hpp: the rule for names in every reader: of files in folders and archives, and in lists, a name a line.
//
//   auto const names = c2f::data::detail::names_in(dir, [](auto const& entry) { return entry.path() != dir; });       // "ship (1).PNG"
//   bool const is_png = c2f::data::detail::has_ending("ship (1).PNG", ".png");                                        // true
//   c2f::data::detail::for_each_line("\xef\xbb\xbfship (1)\r\n", [](std::string_view line, std::size_t number) { use(line, number); });
//
// The rule:
//   - A file or folder whose name begins with a dot is no data: macOS writes a metadata file ._name for each file.
//   - Endings are compared in any case (".PNG", ".Jpg", ".NII.GZ"), and so are the endings of two files that make a pair. Letters before
//     the ending are compared as they are.
//   - Blanks inside belong to a name ("ship (1)", "traffic light"), those around it in a list do not.
//   - A list may begin with a byte order mark (UTF-8); its lines end in LF or CRLF; blank lines are ignored.
//
// Errors: input_error for a folder that cannot be listed, and for two files of a folder that differ in the case of their ending alone, where
// they would be one sample.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/text.hpp>

namespace c2f::data::detail {

using endings_list = std::initializer_list<std::string_view>;

/// A ... Z as a ... z; all other bytes unchanged.
[[nodiscard]] constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
[[nodiscard]] inline std::string lower(std::string_view text) {
  std::string made(text);
  for (char& c : made) c = lower(c);
  return made;
}

/// Whether a name ends with `ending`, in lower case ".png" or the like, in any case, and has something before it.
[[nodiscard]] inline bool has_ending(std::string_view name, std::string_view ending) {
  return name.size() > ending.size() &&
         std::equal(ending.begin(), ending.end(), name.end() - ending.size(), [](char a, char b) { return a == lower(b); });
}
[[nodiscard]] inline bool has_ending(std::string_view name, endings_list endings) {
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view each) { return has_ending(name, each); });
}

/// A name with its ending in lower case, if it is one of these: equal for the two files of a pair.
[[nodiscard]] inline std::string with_lower_ending(std::string const& name, endings_list endings) {
  for (std::string_view const each : endings)
    if (has_ending(name, each)) return name.substr(0, name.size() - each.size()) + std::string(each);
  return name;
}

/// A piece of a text for a message.
[[nodiscard]] inline std::string printable(std::string_view piece, std::size_t longest = 60) { return text::printable(piece, longest); }

/// A part of the data, by a word that folders and files are named with.
enum class part { train, validation, test, none };
[[nodiscard]] inline part part_named(std::string_view word) {
  std::string const name = lower(word);
  if (name == "train" || name == "training") return part::train;
  if (name == "val" || name == "valid" || name == "validation") return part::validation;
  if (name == "test" || name == "testing") return part::test;
  return part::none;
}

/// Its place among train, validation and test.
[[nodiscard]] constexpr std::size_t index_of(part which) { return static_cast<std::size_t>(which); }

/// Gives a part of the data the file or folder that was found for it; there may be no other.
inline void take_part_from(std::filesystem::path& place, std::filesystem::path found) {
  if (!place.empty())
    throw input_error("'" + place.string() + "' and '" + found.string() + "' are of one part of the data; take one of them out");
  place = std::move(found);
}

/// Refuses a picture that is there twice, in one of the lists or in two: a test would score what was trained on. `name` returns a reference
/// to the name of an element.
template <class Name, class... Lists>
void check_once(std::filesystem::path const& source, Name const& name, Lists const&... lists) {
  std::unordered_set<std::string_view> seen;
  auto const add = [&](auto const& list) {
    for (auto const& each : list)
      if (std::string const& own = name(each); !seen.insert(own).second)
        throw input_error("'" + source.string() + "' lists the picture '" + printable(own) +
                          "' twice; a picture is of one part of the data, so take one of the two out");
  };
  (add(lists), ...);
}

/// Whether a path relative to the data has a name that begins with a dot.
[[nodiscard]] inline bool is_hidden(std::string_view path) {
  if (!path.starts_with('.') && path.find("/.") == std::string_view::npos) return false;
  for (std::size_t at = 0; at < path.size();) {
    std::size_t const end       = std::min(path.find('/', at), path.size());
    std::string_view const name = path.substr(at, end - at);
    if (name.size() > 1 && name.starts_with('.') && name != "..") return true;  // "." and ".." are folders
    at = end + 1;
  }
  return false;
}

/// Whether a name, with '/' between folders, is none or may lead out of the folder that it is below.
[[nodiscard]] inline bool leads_out(std::string_view name) {
  if (name.empty() || name.front() == '/') return true;
  for (std::size_t begin = 0; begin <= name.size();) {
    std::size_t const end = std::min(name.find('/', begin), name.size());
    if (name.substr(begin, end - begin) == "..") return true;
    begin = end + 1;
  }
  return false;
}
/// Whether a file name in a list stays below its folder and has no control characters and backslashes.
[[nodiscard]] inline bool is_name_below(std::string_view name) {
  return !leads_out(name) &&
         std::none_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f || c == '\\'; });
}

/// Without blanks around it.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) {
  constexpr auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Calls use(line, number) for each line that is not blank. A line is a part of `text`, without the blanks around it; numbers begin at 1.
template <class Use>
void for_each_line(std::string_view text, Use const& use) {
  std::size_t at = text.starts_with("\xef\xbb\xbf") ? 3 : 0;
  for (std::size_t number = 1; at < text.size(); ++number) {
    std::size_t const end       = std::min(text.find('\n', at), text.size());
    std::string_view const line = trimmed(text.substr(at, end - at));
    if (!line.empty()) use(line, number);
    at = end + 1;
  }
}

/// The names of the directory entries for which `wanted` returns true, sorted.
template <class Wanted>
std::set<std::string> names_in(std::filesystem::path const& folder, Wanted const& wanted) {
  std::set<std::string> names;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    std::string const name = at->path().filename().string();
    if (!is_hidden(name) && wanted(*at)) names.insert(name);
  }
  if (failed) throw input_error("cannot list the folder '" + folder.string() + "': " + failed.message() + "; check its name");
  return names;
}

/// The names of the files with one of these endings.
[[nodiscard]] inline std::set<std::string> files_in(std::filesystem::path const& folder, endings_list endings) {
  return names_in(folder, [&](auto const& entry) { return has_ending(entry.path().filename().string(), endings); });
}

/// The names of two files, one in each of two folders.
struct name_pair {
  std::string first, second;
};

/// Pairs files of two folders whose names differ at most in the case of their ending. A file without a partner is paired with its own name.
[[nodiscard]] inline std::vector<name_pair> pairs_of(std::filesystem::path const& first, std::set<std::string> const& first_names,
                                                     std::filesystem::path const& second, std::set<std::string> const& second_names,
                                                     endings_list endings) {
  std::map<std::string, name_pair> pairs;
  auto const add = [&](std::filesystem::path const& folder, std::set<std::string> const& names, std::string name_pair::* which) {
    for (auto const& name : names) {
      std::string& known = pairs[with_lower_ending(name, endings)].*which;
      if (!known.empty())
        throw input_error("the files '" + (folder / known).string() + "' and '" + name + "' differ in the case of their ending alone; " +
                          "rename one, or take it out of the folder");
      known = name;
    }
  };
  add(first, first_names, &name_pair::first);
  add(second, second_names, &name_pair::second);
  std::vector<name_pair> made;
  for (auto& [key, pair] : pairs) {
    if (pair.first.empty()) pair.first = pair.second;
    if (pair.second.empty()) pair.second = pair.first;
    made.push_back(std::move(pair));
  }
  return made;
}

}  // namespace c2f::data::detail
