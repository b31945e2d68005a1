// c2f/execution/broadcast_map.hpp: small maps whose middle is repeated, and an image beside one.
//
//   c2f::stretch(tiny, 224, 224, x.suggest_memory_format())       // [N, Z, 5, 5] -> [N, Z, 224, 224]
//
// The compact encoder's answer is such a map (parts/encode_tile.hpp). Whoever joins it with an image knows more of the joined map than the map
// tells: says so for the time that a network reads it,
//
//   c2f::with_beside const scope({joined, x, tiny});
//   fine(joined, mode);
//
// and a convolution that is handed this very tensor can take its parts instead (layers/conv.hpp).
//
// Cost: two copies of the stretched map.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace c2f {

namespace detail {
/// Repeats the middle of an odd side until it has `size`; one that has it is left alone.
inline at::Tensor stretch_side(at::Tensor const& tiny, std::int64_t dim, std::int64_t size) {
  std::int64_t const have = tiny.size(dim), middle = have / 2;
  if (have == size) return tiny;
  std::array<std::int64_t, 4> sizes{-1, -1, -1, -1};
  sizes[static_cast<std::size_t>(dim)] = size - 2 * middle;
  return at::cat({tiny.narrow(dim, 0, middle), tiny.narrow(dim, middle, 1).expand(sizes), tiny.narrow(dim, middle + 1, middle)}, dim);
}
}  // namespace detail

/// tiny [N, C, h, w] -> [N, C, height, width], its middle row and column repeated. h is odd and at most height, or height itself; so is w.
/// First the side that lies closer in memory; channels-last maps as [N, H, W, C], so that the answer lies as `format` says.
[[nodiscard]] inline at::Tensor stretch(at::Tensor const& tiny, std::int64_t height, std::int64_t width, at::MemoryFormat format) {
  using detail::stretch_side;
  if (format == at::MemoryFormat::ChannelsLast)
    return stretch_side(stretch_side(tiny.permute({0, 2, 3, 1}), 2, width), 1, height).permute({0, 3, 1, 2});
  return stretch_side(stretch_side(tiny, 3, width), 2, height);
}

/// joined [N, C + Z, H, W] is x [N, C, H, W] and, behind its channels, tiny [N, Z, h, w] stretched to its size.
struct beside {
  at::Tensor joined, x, tiny;
};

/// Says it to this thread's layers, for as long as it lives.
class with_beside {
 public:
  explicit with_beside(beside said) : said_(std::move(said)), version_(version(said_.joined)), before_(std::exchange(now_, this)) {}
  with_beside(with_beside const&)            = delete;
  with_beside& operator=(with_beside const&) = delete;
  ~with_beside() { now_ = before_; }

  /// The parts of `map`, if it is the one that was said and is what it was; else nullptr.
  [[nodiscard]] static beside const* parts_of(at::Tensor const& map) {
    bool const said = now_ != nullptr && now_->said_.joined.is_same(map) && now_->version_ == version(map);
    return said ? &now_->said_ : nullptr;
  }

 private:
  // How often it was changed in place.
  static std::int64_t version(at::Tensor const& map) { return map.is_inference() ? 0 : map._version(); }

  static inline thread_local with_beside const* now_ = nullptr;
  beside said_;
  std::int64_t version_;
  with_beside const* before_;
};

}  // namespace c2f
