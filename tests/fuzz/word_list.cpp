// Arbitrary bytes are read as a list of words, one a line with something after it, or are an input_error of one line: the lists of CUB,
// Aircraft, Cars, Dogs and CelebA's parts.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>

#include <c2f/data/datasets/fine_grained.hpp>

#include "memory.hpp"

namespace {
void one_line(c2f::input_error const& error) {
  for (char const* c = error.what(); *c != '\0'; ++c)
    if (static_cast<unsigned char>(*c) < ' ') std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  try {
    auto const list = c2f::data::detail::parse_words({data, data + size}, "input");
    if (list.lines.empty() || list.lines.size() > size) std::abort();
    std::set<std::string_view> words;
    std::size_t last = 0;
    for (auto const& line : list.lines) {
      if (line.word.empty() || !words.insert(line.word).second || line.number <= last) std::abort();
      last = line.number;
      try {
        for (double const each : c2f::data::detail::numbers_of<4>(list, line, "write four numbers"))
          if (!(each > -1e9 && each < 1e9)) std::abort();
      } catch (c2f::input_error const& error) {
        one_line(error);
      }
      try {
        auto const name = c2f::data::detail::picture_name(list, line, line.rest);
        if (name.empty() || name.front() == '/' || name.starts_with("../") || name.find("/../") != name.npos) std::abort();
      } catch (c2f::input_error const& error) {
        one_line(error);
      }
    }
  } catch (c2f::input_error const& error) {
    one_line(error);
  }
  return 0;
}
