// Arbitrary bytes are read as CIFAR records with labels in range, or as class names, or are an input_error of one line.
//
// The bytes are written to a file in memory and read by its path, once unchanged and once truncated to whole records.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <c2f/data/datasets/cifar.hpp>

#include "memory.hpp"

namespace {

using namespace c2f::data;

template <class Read>
void attempt(std::size_t size, Read const& read) {
  try {
    limit_memory const limit(size);
    read();
  } catch (c2f::input_error const& error) {
    for (char const* c = error.what(); *c != '\0'; ++c)
      if (static_cast<unsigned char>(*c) < ' ') std::abort();
  }
}

template <std::int64_t Classes>
void records(std::string const& path, std::size_t size, detail::cifar_layout const& layout) {
  attempt(size, [&] {
    pictures<Classes> const split("input", detail::read_records({path}, layout, 2, counts::any), layout.format(), {});
    if (split.size() < 1 || split.size() > 2) std::abort();
    float pixels[3 * 32 * 32];
    std::int64_t label = -1;
    split.read(split.size() - 1, nullptr, pixels, &label);
    if (label < 0 || label >= Classes || !(std::abs(pixels[static_cast<std::size_t>(label)]) < 3)) std::abort();
  });
}

void names(std::string const& path, std::size_t size, detail::cifar_layout const& layout) {
  attempt(size, [&] {
    auto const found = detail::read_names(path, layout);
    if (found.size() != 20) std::abort();
    for (auto const& name : found)
      if (name.empty() || name.find('\n') != name.npos) std::abort();
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size) {
  static int const file         = ::memfd_create("records", 0);
  static std::string const path = "/proc/self/fd/" + std::to_string(file);
  auto const write              = [&](std::size_t n) {
    if (file < 0 || ::ftruncate(file, 0) != 0 || ::pwrite(file, bytes, n, 0) != static_cast<ssize_t>(n)) std::abort();
  };
  static auto const ten = detail::cifar10_layout(), hundred = detail::cifar100_layout(false), coarse = detail::cifar100_layout(true);
  write(size);
  records<10>(path, size, ten);
  records<100>(path, size, hundred);
  names(path, size, coarse);
  std::size_t const whole = size / coarse.record_bytes() * coarse.record_bytes();
  if (whole == size || whole == 0) return 0;
  write(whole);
  records<20>(path, whole, coarse);
  return 0;
}
