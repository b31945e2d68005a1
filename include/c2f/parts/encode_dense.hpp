// c2f/parts/encode_dense.hpp: the encoder g for dense maps.
//
//   using encoder = c2f::encode::dense<>;                 // two 3x3 convolutions on the map
//   using encoder = c2f::encode::dense<16, 3, 5>;         // 16 hidden channels, 3x3 then 5x5
//
// y [N, K, H, W] -> z [N, C, H, W], C the channels of the image: "we do not need to process the coarse output in this case, so g(.)
// contains two convolutional layers on the segmentation mask" (Ren et al. 2020, section 4.3; parts/encode_project.hpp). Differentiable. If
// the networks share features that are smaller than the image, y is average-pooled to their size.
// Errors: an even kernel is a compile error; so is a kind that is not a map (task/check.hpp).
#pragma once

#include <c2f/execution/context.hpp>
#include <c2f/parts/encoder.hpp>
#include <c2f/parts/encode_project.hpp>
#include <c2f/fwd.hpp>

#include <ATen/ops/adaptive_avg_pool2d.h>

namespace c2f::encode {

namespace detail {
/// A dense map in the size and element type of x.
inline at::Tensor pooled_as(at::Tensor const& y, at::Tensor const& x) {
  at::Tensor const map      = y.to(x.scalar_type());
  std::int64_t const height = x.size(2), width = x.size(3);
  if (map.size(2) == height && map.size(3) == width) return map;
  // The gradient of ATen's adaptive pooling is not deterministic on a GPU; that of a mean is.
  if (execution().fused != nullptr && map.size(2) % height == 0 && map.size(3) % width == 0)
    return map.unflatten(3, {width, -1}).unflatten(2, {height, -1}).mean(at::IntArrayRef({3, 5})).contiguous(map.suggest_memory_format());
  return at::adaptive_avg_pool2d(map, {height, width});
}
}  // namespace detail

template <std::int64_t Hidden, std::int64_t... Kernels>
struct dense {
  using projection = project<Hidden, Kernels...>;

  template <output_kind Kind, image_shape Like>
    requires image_shape<typename Kind::template output<Like>>
  struct on {
    using output = Like;

    network_on<typename projection::template onto<Like::channels>, with_channels<Like, Kind::template output<Like>::channels>> project;
    C2F_MEMBERS(project);

    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, pass& p) const { return project(detail::pooled_as(y, x), p.mode); }
  };
};

/// The default kernels: 3x3 twice.
template <std::int64_t Hidden>
struct dense<Hidden> : dense<Hidden, 3, 3> {};

}  // namespace c2f::encode
