// Arbitrary lines are taken as the paths below a folder: sorted into classes and splits, or an input_error of one line.
#include <c2f/data/datasets/class_folders.hpp>

#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  std::vector<std::string> paths;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t const end = std::min(text.find('\n', at), text.size());
    paths.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  std::size_t const count = std::set<std::string>(paths.begin(), paths.end()).size();
  try {
    auto const lists = c2f::data::detail::sort_into_classes(paths, {.validation = .2, .test = .2, .seed = 1}, "root");
    if (lists.classes.size() < 2 || lists.train.empty()) std::abort();
    if (lists.train.size() + lists.validation.size() + lists.test.size() + static_cast<std::size_t>(lists.left_out) > count) std::abort();
    std::set<std::string> names;
    for (auto const* list : {&lists.train, &lists.validation, &lists.test})
      for (auto const& each : *list) {
        if (each.label < 0 || each.label >= std::ssize(lists.classes) || !names.insert(each.name).second) std::abort();
        auto const& name = lists.classes[static_cast<std::size_t>(each.label)];
        if (('/' + each.name).find('/' + name + '/') == std::string::npos) std::abort();
      }
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
  return 0;
}
