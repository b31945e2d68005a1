// The safetensors reader on arbitrary bytes: it returns tensors or throws input_error of one line; memory use is limited by the size of
// the input; and the tensors survive writing and reading again. So do the blocks of channels in its metadata, each of a convolution.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <c2f/data/io/safetensors.hpp>
#include <c2f/data/io/weights.hpp>

#include "memory.hpp"

namespace {

bool same(c2f::data::safetensors const& a, c2f::data::safetensors const& b) {
  if (a.metadata != b.metadata || a.tensors.size() != b.tensors.size()) return false;
  for (auto const& [name, value] : a.tensors) {
    auto const other = b.tensors.find(name);
    if (other == b.tensors.end() || other->second.scalar_type() != value.scalar_type() || other->second.sizes() != value.sizes() ||
        (value.nbytes() > 0 && std::memcmp(other->second.const_data_ptr(), value.const_data_ptr(), value.nbytes()) != 0))
      return false;
  }
  return true;
}

void read(std::string_view bytes) {
  try {
    auto const found = [&] {
      limit_memory const limit(bytes.size(), 1 << 20);
      return c2f::data::parse_safetensors(bytes, "file");
    }();
    std::string written;
    c2f::data::serialize(found, [&](void const* from, std::size_t count) { written.append(static_cast<char const*>(from), count); });
    if (!same(found, c2f::data::parse_safetensors(written, "again"))) std::abort();
    for (auto const& [path, of] : c2f::detail::blocks_of(found)) {
      auto const& weight = found.tensors.at(path);
      if (weight.dim() != 4 || of.in < 1 || of.in >= weight.size(1) || of.out < 1 || of.out >= weight.size(0)) std::abort();
    }
  } catch (c2f::input_error const& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size) {
  std::string file(reinterpret_cast<char const*>(bytes), size);
  read(file);
  // Most mutations move the end of the header; here its length is corrected.
  auto const brace = file.rfind('}');
  if (brace == std::string::npos || brace < 8) return 0;
  std::uint64_t const length = brace - 7;
  std::memcpy(file.data(), &length, 8);
  read(file);
  return 0;
}
