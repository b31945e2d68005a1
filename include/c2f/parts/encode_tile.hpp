// c2f/parts/encode_tile.hpp: g for class vectors.
//
//   using encoder = c2f::encode::tile<>;                                  // two 3x3 convolutions, evaluated compactly
//   using encoder = c2f::encode::tile<c2f::encode::naive>;                // the definition itself
//   using encoder = c2f::encode::tile<c2f::encode::compact, 16, 3, 5>;    // 16 hidden maps, 3x3 then 5x5
//
// y [N, K] -> z [N, C, H, W], C, H, W those of the image: y is copied to every pixel, [N, K, H, W], and goes through two
// convolutions with ReLU (Ren et al. 2020, section 3.1; parts/encode_project.hpp).
//
// Compact evaluation. The tiled map is constant, so z at a pixel depends on the pixel only by how many of the zeros around the
// image its window meets: by min(distance to the border, R) on each side, R the sum of the kernels' half widths. An image of
// 2R + 1 pixels a side has one pixel for each case. So g runs on that tiny image (5x5 for two 3x3 convolutions) and its answer is
// stretched: the middle row is repeated, then the middle column. The [N, K, H, W] tile never exists. Sides shorter than 2R + 1
// are taken as they are, which is the definition again. Exact to rounding; the gradient of the stretch is a sum, deterministic.
//
// Cost: two convolutions on [N, K, 5, 5] and two copies of z, whatever K and the image's size. Where there is a fused form (execution/fused_operations.hpp)
// and z is concatenated with x, the copies are one with that.
// Errors: an even kernel is a compile error; so is a kind without a class vector (task/check.hpp).
#pragma once

#include <c2f/execution/broadcast_map.hpp>
#include <c2f/parts/encoder.hpp>
#include <c2f/parts/encode_project.hpp>
#include <c2f/fwd.hpp>

#include <algorithm>

namespace c2f::encode {

/// Evaluate g on a tiny image and stretch its answer.
struct compact {};
/// Evaluate g as it is defined, on the tiled image.
struct naive {};

template <class Evaluation, std::int64_t Hidden, std::int64_t... Kernels>
struct tile {
  using projection = project<Hidden, Kernels...>;

  template <distribution Kind, image_shape Like>
    requires vector_shape<typename Kind::template output<Like>>
  struct on {
    using output                          = Like;
    static constexpr std::int64_t classes = Kind::template output<Like>::channels;

    network_on<typename projection::template onto<Like::channels>, with_channels<Like, classes>> project;
    C2F_MEMBERS(project);

    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, pass& p) const {
      if constexpr (std::same_as<Evaluation, naive>)
        return projected(y, x, x.size(2), x.size(3), p);
      else
        return broadcast_interior(tiny(y, x, p), x.size(2), x.size(3), x.suggest_memory_format());
    }
    /// z before it is stretched: for a fuse that stretches it itself.
    at::Tensor tiny(at::Tensor const& y, at::Tensor const& x, pass& p) const
      requires std::same_as<Evaluation, compact>
    {
      std::int64_t const side = 2 * projection::radius + 1;
      return projected(y, x, std::min(x.size(2), side), std::min(x.size(3), side), p);
    }

   private:
    at::Tensor projected(at::Tensor const& y, at::Tensor const& x, std::int64_t height, std::int64_t width, pass& p) const {
      at::Tensor const tiled = y.to(x.scalar_type()).unsqueeze(2).unsqueeze(3).expand({y.size(0), classes, height, width});
      return project(tiled.contiguous(x.suggest_memory_format()), p.mode);
    }
  };
};

/// Without kernels: two of 3x3.
template <class Evaluation, std::int64_t Hidden>
struct tile<Evaluation, Hidden> : tile<Evaluation, Hidden, 3, 3> {};

}  // namespace c2f::encode
