// c2f/parts/encode_rasterize.hpp: the encoder g for boxes.
//
//   using encoder = c2f::encode::rasterize<>;                            // 1 inside, 0 outside, then two 3x3 convolutions
//   using encoder = c2f::encode::rasterize<c2f::encode::soft<2>>;        // edges two pixels wide, with a gradient
//   using encoder = c2f::encode::rasterize<c2f::encode::hard, 16, 3, 5>; // 16 hidden channels, 3x3 then 5x5
//
// y [N, K, 4] (centre x, centre y, width, height in fractions of the image) -> maps [N, K, H, W], one per class -> z [N, C, H, W] in the
// shape of the image, by two convolutions with ReLU (Ren et al. 2020, section 3.1; parts/encode_project.hpp).
//
// A pixel is inside if its centre is. Hard edges have no gradient with respect to the box, so the fine loss trains only g and the fine
// network; the paper does not state how the gradient is meant to pass. Soft edges rise linearly from 0 to 1 over W pixels around the box's
// side and have a gradient. A box of size 0 is drawn as an empty map with both.
//
// A map is the outer product of a row and a column, [N, K, 1, W] and [N, K, H, 1]. Cost: a dozen small operations and one of the map's size
// per batch, and two convolutions on [N, K, H, W].
// Errors: a kind without boxes is a compile error (task/check.hpp); so are edges of width 0 or less.
#pragma once

#include <c2f/execution/try_fused.hpp>
#include <c2f/parts/encoder.hpp>
#include <c2f/parts/encode_project.hpp>
#include <c2f/fwd.hpp>

#include <ATen/ops/arange.h>

namespace c2f::encode {

/// Hard edges: 1 inside and 0 outside.
struct hard {
  static constexpr bool differentiable = false;
  static constexpr double width        = 0;
  /// Signed distance to the edge in pixels, positive inside -> coverage in [0, 1].
  static at::Tensor drawn(at::Tensor const& inside) { return inside.gt(0); }
};

namespace detail {
template <auto Width>
consteval bool check_edges() {
  static_assert(Width > 0,
                "c2f::encode::soft needs edges of some width; write c2f::encode::soft<2>, or c2f::encode::hard for edges of none");
  return true;
}
}  // namespace detail

/// Soft edges, `Width` pixels wide.
template <auto Width>
struct soft : c2f::detail::static_check<detail::check_edges<Width>()> {
  static constexpr bool differentiable = true;
  static constexpr double width        = static_cast<double>(Width);
  static at::Tensor drawn(at::Tensor const& inside) { return inside.div(static_cast<double>(Width)).add(0.5).clamp(0, 1); }
};

/// y [N, K, 4] drawn as [N, K, height, width] in y's element type. A fused form uses the memory format `format`.
template <class Edges>
[[nodiscard]] at::Tensor draw_boxes(at::Tensor const& y, std::int64_t height, std::int64_t width,
                                    at::MemoryFormat format = at::MemoryFormat::Contiguous) {
  if constexpr (requires { Edges::width; })
    if (at::Tensor maps = try_fused::draw_boxes(y, height, width, Edges::width, format); maps.defined()) return maps;
  // The coverage of each row or column by the box: [N, K, size].
  auto const along = [&](std::int64_t axis, std::int64_t size) {
    at::Tensor const middles = at::arange(size, y.options()).add(0.5);
    at::Tensor const centre  = y.select(2, axis).unsqueeze(2).mul(static_cast<double>(size));
    at::Tensor const half    = y.select(2, axis + 2).unsqueeze(2).mul(0.5 * static_cast<double>(size));
    return Edges::drawn(half.sub(middles.sub(centre).abs())).to(y.scalar_type()).mul(half.gt(0));
  };
  return along(1, height).unsqueeze(3).mul(along(0, width).unsqueeze(2));
}

/// The encoder for boxes; see the top of this file.
template <class Edges, std::int64_t Hidden, std::int64_t... Kernels>
struct rasterize {
  using projection                     = project<Hidden, Kernels...>;
  static constexpr bool differentiable = Edges::differentiable;

  template <output_kind Kind, image_shape Like>
    requires(Kind::has_boxes && sizeof(Edges) > 0)  // sizeof instantiates Edges, and with it the check of its width
  struct on {
    using output = Like;

    network_on<typename projection::template onto<Like::channels>, with_channels<Like, Kind::classes>> project;
    C2F_MEMBERS(project);

    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, pass& p) const {
      // Drawn in float: bfloat16 is too coarse for the position of an edge.
      auto const format = x.suggest_memory_format();
      at::Tensor const map =
          draw_boxes<Edges>(y.to(y.scalar_type() == at::kDouble ? at::kDouble : at::kFloat), x.size(2), x.size(3), format);
      return project(map.to(x.scalar_type()).contiguous(format), p.mode);
    }
  };
};

/// The default kernels: 3x3 twice.
template <class Edges, std::int64_t Hidden>
struct rasterize<Edges, Hidden> : rasterize<Edges, Hidden, 3, 3> {};

}  // namespace c2f::encode
