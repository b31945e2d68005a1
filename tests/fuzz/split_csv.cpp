// Arbitrary bytes are read as a list of pictures and their classes, or are an input_error of one line.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>
#include <vector>

#include <c2f/data/datasets/image_folder.hpp>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  try {
    auto const list = c2f::data::detail::parse_split_csv({data, data + size}, "input");
    if (list.lines.empty() || list.lines.size() > size / 4 || !std::is_sorted(list.classes.begin(), list.classes.end())) std::abort();
    std::set<std::string_view> files;
    std::set<std::uint32_t> labels;
    for (std::size_t i = 0; i < list.lines.size(); ++i) {
      std::string_view const file = list.file(i);
      if (file.empty() || file.front() == '/' || file == ".." || file.starts_with("../") || file.find("/../") != file.npos) std::abort();
      if (file.ends_with("/..") || !files.insert(file).second) std::abort();
      labels.insert(list.lines[i].label);
    }
    // Each class has a picture.
    if (labels.size() != list.classes.size() || *labels.rbegin() >= list.classes.size()) std::abort();
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
  return 0;
}
