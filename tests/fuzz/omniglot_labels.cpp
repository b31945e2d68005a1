// Arbitrary bytes are read as the classes of the 20 queries of one of Omniglot's runs, or are an input_error of one line.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <c2f/data/datasets/omniglot.hpp>

#include "memory.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  limit_memory const limit(size);
  namespace detail = c2f::data::detail;
  std::string_view text(reinterpret_cast<char const*>(data), size);
  try {
    auto const labels = detail::parse_omniglot_labels(text, "run01", "input");
    if (labels.size() != 20) std::abort();
    // The labels agree with the text, except for a byte order mark, blanks around lines and blank lines.
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    for (std::int64_t item = 0; item < 20; ++item) {
      auto const label       = labels[static_cast<std::size_t>(item)];
      std::string const line = detail::numbered("run01/test/item", item) + " " + detail::numbered("run01/training/class", label);
      text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
      if (label < 0 || label >= 20 || !text.starts_with(line)) std::abort();
      text.remove_prefix(line.size());
      std::size_t const end = std::min(text.find('\n'), text.size());
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
  return 0;
}
