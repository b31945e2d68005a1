// c2f/execution/broadcast_map.hpp: small maps whose interior is broadcast, and the concatenation of an image with one.
//
//   c2f::broadcast_interior(tiny, 224, 224, x.suggest_memory_format())       // [N, Z, 5, 5] -> [N, Z, 224, 224]
//
// The middle row and column of `tiny` are repeated until the map has the size; its border rows and columns stay. The compact encoder's
// output is such a map (parts/encode_tile.hpp). A layer that reads the concatenation of an image with it can compute on the small map
// instead (layers/conv.hpp), which a scope around the call makes known:
//
//   c2f::broadcast_concat_scope const scope({joined, x, tiny});
//   fine(joined, mode);
//
// Cost: two copies of the large map.
#pragma once

#include <c2f/execution/context.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace c2f {

namespace detail {
/// Repeats the middle of an odd side until it has `size`; a side of that size is left alone.
inline at::Tensor broadcast_side(at::Tensor const& tiny, std::int64_t dim, std::int64_t size) {
  std::int64_t const have = tiny.size(dim), middle = have / 2;
  if (have == size) return tiny;
  std::array<std::int64_t, 4> sizes{-1, -1, -1, -1};
  sizes[static_cast<std::size_t>(dim)] = size - 2 * middle;
  return at::cat({tiny.narrow(dim, 0, middle), tiny.narrow(dim, middle, 1).expand(sizes), tiny.narrow(dim, middle + 1, middle)}, dim);
}
}  // namespace detail

/// tiny [N, C, h, w] -> [N, C, height, width], its middle row and column repeated. h is odd and at most height, or height itself; so is w.
/// The result has the memory format `format`.
[[nodiscard]] inline at::Tensor broadcast_interior(at::Tensor const& tiny, std::int64_t height, std::int64_t width, at::MemoryFormat format) {
  using detail::broadcast_side;
  if (format == at::MemoryFormat::ChannelsLast)  // as [N, H, W, C]; the side that is closer in memory first
    return broadcast_side(broadcast_side(tiny.permute({0, 2, 3, 1}), 2, width), 1, height).permute({0, 3, 1, 2});
  return broadcast_side(broadcast_side(tiny, 3, width), 2, height);
}

/// A concatenation with a broadcast map: joined [N, C + Z, H, W] is x [N, C, H, W] and, as further channels, tiny [N, Z, h, w] broadcast to
/// its size.
struct broadcast_concat {
  at::Tensor joined, x, tiny;
};

/// Makes it known to this thread's layers, for as long as it lives.
class broadcast_concat_scope {
 public:
  explicit broadcast_concat_scope(broadcast_concat parts) : parts_(std::move(parts)), version_(version(parts_.joined)), scope_(this) {}

  /// The parts of `map`, if it is the tensor of the innermost scope and was not changed in place since; else nullptr.
  [[nodiscard]] static broadcast_concat const* parts_of(at::Tensor const& map) {
    auto const* const now = execution().concatenation;
    return now != nullptr && now->parts_.joined.is_same(map) && now->version_ == version(map) ? &now->parts_ : nullptr;
  }

 private:
  // How often it was changed in place.
  static std::int64_t version(at::Tensor const& map) { return map.is_inference() ? 0 : map._version(); }

  broadcast_concat parts_;
  std::int64_t version_;
  detail::context_scope<&execution_context::concatenation> scope_;
};

}  // namespace c2f
