// Arbitrary bytes are a size, and compressed runs or the corners of a polygon; what is accepted fills its picture and comes back the same.
#include <c2f/data/run_lengths.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "memory.hpp"

namespace {

void check(c2f::data::run_lengths const& found, std::int64_t height, std::int64_t width) {
  using c2f::data::run_lengths;
  std::int64_t sum = 0;
  for (auto const each : found.counts) sum += each;
  if (sum != height * width) std::abort();
  auto const mask     = found.mask();
  std::int64_t inside = 0;
  for (auto const each : mask) inside += each;
  if (inside != found.area()) std::abort();
  run_lengths const again = run_lengths::of_mask(mask, height, width);
  if (again.area() != inside || run_lengths::of_text(again.text(), height, width) != again) std::abort();
  run_lengths const both[]{found, again};
  if (c2f::data::merged(both) != c2f::data::merged(both, true) || c2f::data::merged(both) != again) std::abort();
  auto const box = found.box();
  if (box.x1 > static_cast<double>(width) || box.y1 > static_cast<double>(height) || box.x0 < 0 || box.y0 < 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size < 3) return 0;
  limit_memory const limit(size);
  std::int64_t const height = data[1] % 100, width = data[2] % 100;
  try {
    if (data[0] % 2 == 0) {
      check(c2f::data::run_lengths::of_text({reinterpret_cast<char const*>(data) + 3, size - 3}, height, width), height, width);
    } else {
      // Corners of 32 bits; numbers of any kind, but short ones, as a long edge takes long.
      std::vector<double> corners((size - 3) / 4);
      for (std::size_t i = 0; i < corners.size(); ++i) {
        float corner = 0;
        std::memcpy(&corner, data + 3 + 4 * i, 4);
        corners[i] = static_cast<double>(corner);
      }
      if (corners.size() > 64) corners.resize(64);
      check(c2f::data::of_polygon(corners, height, width), height, width);
    }
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
  return 0;
}
