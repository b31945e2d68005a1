// The NIfTI reader on arbitrary bytes: it returns a volume or throws input_error of one line, with limited memory.
//
// The bytes are written to a file in memory and read by its path.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <c2f/data/io/nifti.hpp>

#include "memory.hpp"

namespace {

template <class T>
void read(std::string const& path, std::size_t size) {
  limit_memory const limit(size);
  try {
    auto const v = c2f::data::read_nifti<T>(path);
    if (v.size() != v.dims[0] * v.dims[1] * v.dims[2] || v.size() < 1) std::abort();
  } catch (c2f::input_error const& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size) {
  static int const file         = ::memfd_create("volume", 0);
  static std::string const path = "/proc/self/fd/" + std::to_string(file);
  if (file < 0 || ::ftruncate(file, 0) != 0 || ::pwrite(file, bytes, size, 0) != static_cast<ssize_t>(size)) std::abort();
  read<float>(path, size);
  read<std::uint8_t>(path, size);
  return 0;
}
