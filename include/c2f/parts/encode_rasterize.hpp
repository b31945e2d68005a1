// c2f/parts/encode_rasterize.hpp: g for boxes.
//
//   using encoder = c2f::encode::rasterize<>;                            // 1 inside, 0 outside, then two 3x3 convolutions
//   using encoder = c2f::encode::rasterize<c2f::encode::soft<2>>;        // edges two pixels wide, with a gradient
//   using encoder = c2f::encode::rasterize<c2f::encode::hard, 16, 3, 5>; // 16 hidden maps, 3x3 then 5x5
//
// y [N, K, 4] (centre x, centre y, width, height in fractions of the image) -> [N, K, H, W], one map a class -> z [N, C, H, W], C, H, W
// those of the image, by two convolutions with ReLU (Ren et al. 2020, section 3.1; parts/encode_project.hpp).
//
// A pixel is inside when its middle is. Hard edges carry no gradient to the box, so with them the fine loss trains g and the fine
// network alone; the paper does not say how it meant the gradient to pass. Soft edges rise linearly from 0 to 1 over W pixels around
// the box's side and carry one. A box of no size draws nothing either way.
//
// A map is the outer product of a row and a column, [N, K, 1, W] and [N, K, H, 1], so a batch is drawn by a dozen small operations
// and one of its size. Cost besides: two convolutions on [N, K, H, W].
// Errors: a kind without boxes is a compile error (task/check.hpp), so are edges of no width.
#pragma once

#include <c2f/execution/try_fused.hpp>
#include <c2f/parts/encoder.hpp>
#include <c2f/parts/encode_project.hpp>
#include <c2f/fwd.hpp>

#include <ATen/ops/arange.h>

namespace c2f::encode {

/// 1 inside and 0 outside.
struct hard {
  static constexpr bool differentiable = false;
  static constexpr double width        = 0;
  /// How far inside a pixel is, in pixels -> how much of it is drawn.
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

/// Edges `Width` pixels wide.
template <auto Width>
struct soft : c2f::detail::static_check<detail::check_edges<Width>()> {
  static constexpr bool differentiable = true;
  static constexpr double width        = static_cast<double>(Width);
  static at::Tensor drawn(at::Tensor const& inside) { return inside.div(static_cast<double>(Width)).add(0.5).clamp(0, 1); }
};

/// y [N, K, 4] drawn as [N, K, height, width] of y's number type; a fused form lays it as `format` says.
template <class Edges>
[[nodiscard]] at::Tensor draw_boxes(at::Tensor const& y, std::int64_t height, std::int64_t width,
                                    at::MemoryFormat format = at::MemoryFormat::Contiguous) {
  if constexpr (requires { Edges::width; })
    if (at::Tensor maps = try_fused::draw_boxes(y, height, width, Edges::width, format); maps.defined()) return maps;
  // How much of each pixel of a side lies in the box: [N, K, size].
  auto const along = [&](std::int64_t axis, std::int64_t size) {
    at::Tensor const middles = at::arange(size, y.options()).add(0.5);
    at::Tensor const centre  = y.select(2, axis).unsqueeze(2).mul(static_cast<double>(size));
    at::Tensor const half    = y.select(2, axis + 2).unsqueeze(2).mul(0.5 * static_cast<double>(size));
    return Edges::drawn(half.sub(middles.sub(centre).abs())).to(y.scalar_type()).mul(half.gt(0));
  };
  return along(1, height).unsqueeze(3).mul(along(0, width).unsqueeze(2));
}

template <class Edges, std::int64_t Hidden, std::int64_t... Kernels>
struct rasterize {
  using projection                     = project<Hidden, Kernels...>;
  static constexpr bool differentiable = Edges::differentiable;

  template <output_kind Kind, image_shape Like>
    requires(Kind::has_boxes && sizeof(Edges) > 0)
  struct on {
    using output = Like;

    network_on<typename projection::template onto<Like::channels>, with_channels<Like, Kind::classes>> project;
    C2F_MEMBERS(project);

    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, pass& p) const {
      // Drawn in float: bfloat16 has too few digits for the place of an edge.
      auto const format = x.suggest_memory_format();
      at::Tensor const map =
          draw_boxes<Edges>(y.to(y.scalar_type() == at::kDouble ? at::kDouble : at::kFloat), x.size(2), x.size(3), format);
      return project(map.to(x.scalar_type()).contiguous(format), p.mode);
    }
  };
};

/// Without kernels: two of 3x3.
template <class Edges, std::int64_t Hidden>
struct rasterize<Edges, Hidden> : rasterize<Edges, Hidden, 3, 3> {};

}  // namespace c2f::encode
