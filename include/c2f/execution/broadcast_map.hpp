// c2f/execution/broadcast_map.hpp: small maps whose interior is broadcast to the image's size, and their concatenation with an image.
//
//   c2f::broadcast_interior(tiny, 224, 224, x.suggest_memory_format())       // [N, Z, 5, 5] -> [N, Z, 224, 224]
//
// The middle row and column of `tiny` are repeated until the map has the requested size; its border rows and columns are kept. The compact
// encoder produces such a map (parts/encode_tile.hpp). A layer that reads the concatenation of an image with it can compute on the small
// map instead (layers/conv.hpp). A scope around the call announces the concatenation:
//
//   c2f::broadcast_concat_scope const scope({joined, x, tiny});
//   model.fine(joined, c2f::eval);
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
/// Repeats the middle of a side of odd length until it has `size`; a side that already has it is unchanged.
inline at::Tensor broadcast_side(at::Tensor const& tiny, std::int64_t dim, std::int64_t size) {
  std::int64_t const have = tiny.size(dim), middle = have / 2;
  if (have == size) return tiny;
  std::array<std::int64_t, 4> sizes{-1, -1, -1, -1};
  sizes[static_cast<std::size_t>(dim)] = size - 2 * middle;
  return at::cat({tiny.narrow(dim, 0, middle), tiny.narrow(dim, middle, 1).expand(sizes), tiny.narrow(dim, middle + 1, middle)}, dim);
}
}  // namespace detail

/// tiny [N, C, h, w] -> [N, C, height, width] in the memory format `format`, with the middle row and column repeated. h is odd and at most
/// `height`, or equal to it; likewise w and `width`.
[[nodiscard]] inline at::Tensor broadcast_interior(at::Tensor const& tiny, std::int64_t height, std::int64_t width,
                                                   at::MemoryFormat format) {
  using detail::broadcast_side;
  if (format == at::MemoryFormat::ChannelsLast)  // as [N, H, W, C]; the inner dimension first
    return broadcast_side(broadcast_side(tiny.permute({0, 2, 3, 1}), 2, width), 1, height).permute({0, 3, 1, 2});
  return broadcast_side(broadcast_side(tiny, 3, width), 2, height);
}

/// The concatenation of x [N, C, H, W] with tiny [N, Z, h, w] broadcast to x's size: joined [N, C + Z, H, W].
struct broadcast_concat {
  at::Tensor joined, x, tiny;
};

/// Announces a concatenation to this thread's layers, for the lifetime of the scope.
class broadcast_concat_scope {
 public:
  explicit broadcast_concat_scope(broadcast_concat parts) : parts_(std::move(parts)), version_(version(parts_.joined)), scope_(this) {}

  /// The parts of `map` if it is the tensor of the innermost scope and was not modified in place since; else nullptr.
  [[nodiscard]] static broadcast_concat const* parts_of(at::Tensor const& map) {
    auto const* const scope = execution().concatenation;
    return scope != nullptr && scope->parts_.joined.is_same(map) && scope->version_ == version(map) ? &scope->parts_ : nullptr;
  }

 private:
  // The version counter of in-place modifications; inference tensors have none.
  static std::int64_t version(at::Tensor const& map) { return map.is_inference() ? 0 : map._version(); }

  broadcast_concat parts_;
  std::int64_t version_;
  detail::context_scope<&execution_context::concatenation> scope_;
};

}  // namespace c2f
