// c2f/parts/encode_tile.hpp: the encoder g for class vectors, and other predictions that are a vector for an image.
//
//   using encoder = c2f::encode::tile<>;                                  // two 3x3 convolutions, compact evaluation
//   using encoder = c2f::encode::tile<c2f::encode::naive>;                // the definition
//   using encoder = c2f::encode::tile<c2f::encode::compact, 16, 3, 5>;    // 16 hidden channels, 3x3 then 5x5
//
// y [N, K] -> z [N, C, H, W] in the shape of the image: y is copied to every pixel, [N, K, H, W], and passed through two convolutions with
// ReLU (Ren et al. 2020, section 3.1; parts/encode_project.hpp).
//
// Compact evaluation. The tiled map is constant, so z at a pixel depends only on how much of the zero padding the pixel's receptive field
// covers, that is, on min(distance to the border, R) on each side, where R is the sum of the kernels' half widths. A map of 2R + 1 pixels a
// side contains each case once. g is therefore evaluated on that small map (5x5 for two 3x3 convolutions), and the interior of the result
// is broadcast: the middle row and column are repeated (execution/broadcast_map.hpp). The [N, K, H, W] tile is never created. Sides shorter
// than 2R + 1 are evaluated at full length. Exact to rounding; the gradient of the broadcast is a deterministic sum.
//
// Cost: two convolutions on [N, K, 5, 5] and two copies of z, for any K and image size. With a fused operation
// (execution/fused_operations.hpp), and if z is concatenated with x, broadcast and concatenation are one copy.
// Errors: an even kernel is a compile error; so is a kind that predicts no vector (task/check.hpp).
#pragma once

#include <c2f/execution/broadcast_map.hpp>
#include <c2f/parts/encoder.hpp>
#include <c2f/parts/encode_project.hpp>
#include <c2f/fwd.hpp>

#include <algorithm>

namespace c2f::encode {

/// Evaluate g on a small map and broadcast the interior of the result.
struct compact {};
/// Evaluate g by its definition, on the full tiled map.
struct naive {};

/// The encoder for vectors; see the top of this file.
template <class Evaluation, std::int64_t Hidden, std::int64_t... Kernels>
struct tile {
  using projection = project<Hidden, Kernels...>;

  template <shaped_as_raw Kind, image_shape Like>
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
    /// z before its interior is broadcast, [N, C, h, w] with h, w at most 2R + 1: for a fuse that broadcasts it itself.
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

/// The default kernels: 3x3 twice.
template <class Evaluation, std::int64_t Hidden>
struct tile<Evaluation, Hidden> : tile<Evaluation, Hidden, 3, 3> {};

}  // namespace c2f::encode
