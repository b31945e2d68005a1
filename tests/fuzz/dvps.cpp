// Arbitrary bytes are the numbers of a PNG of labels or depths, and arbitrary lines the names of the files of DVPS videos; or they are an
// input_error of one line. A mutated PNG mostly fails at a wrong checksum: picture_file.cpp corrects them, for the same decoder.
#include <c2f/data/datasets/dvps.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "memory.hpp"

namespace {
void one_line(c2f::input_error const& error) {
  for (char const* c = error.what(); *c != '\0'; ++c)
    if (static_cast<unsigned char>(*c) < ' ') std::abort();
}

void decode(std::span<std::uint8_t const> data) {
  limit_memory const limit(data.size(), c2f::data::largest_picture_memory + 32000000);
  try {
    auto const map = c2f::data::decode_number_picture(data, "input");
    if (map.numbers.size() != static_cast<std::size_t>(map.height * map.width) || map.numbers.empty()) std::abort();
  } catch (c2f::input_error const& error) {
    one_line(error);
  }
}

void list(std::string_view text, bool gaps) {
  limit_memory const limit(text.size());
  std::set<std::string> names;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t const end = std::min(text.find('\n', at), text.size());
    names.emplace(text.substr(at, end - at));
    at = end + 1;
  }
  try {
    std::set<std::filesystem::path> seen;
    for (auto const& video : c2f::data::detail::dvps_sequences("folder", names, {.depth = !gaps, .gaps = gaps})) {
      if (video.size() < 2) std::abort();
      for (std::size_t t = 0; t < video.size(); ++t) {
        auto const& files = video[t];
        if (t > 0 && files.number != video[t - 1].number + 1) std::abort();
        if (files.picture.empty() || !seen.insert(files.picture).second || (!gaps && files.depth.empty())) std::abort();
        if (files.labels.empty() && (files.classes.empty() || files.instances.empty())) std::abort();
      }
    }
  } catch (c2f::input_error const& error) {
    one_line(error);
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  decode({data, size});
  for (bool const gaps : {false, true}) list({reinterpret_cast<char const*>(data), size}, gaps);
  return 0;
}
