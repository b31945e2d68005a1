// c2f/execution/resize.hpp: bilinear interpolation of a map.
//
//   at::Tensor large = c2f::resize_bilinear(images, 480, 640);     // [N, C, h, w] -> [N, C, 480, 640]
//
// The corners of pixels are aligned, not their centres: torch.nn.functional.interpolate(mode="bilinear", align_corners=False). Cost: one
// call. With the fused operation the gradient is deterministic on a GPU, which that of ATen is not.
#pragma once

#include <c2f/execution/try_fused.hpp>

#include <ATen/ops/upsample_bilinear2d.h>

namespace c2f {

[[nodiscard]] inline at::Tensor resize_bilinear(at::Tensor const& map, std::int64_t height, std::int64_t width) {
  if (at::Tensor resized = try_fused::upsample_bilinear(map, height, width); resized.defined()) return resized;
  return at::upsample_bilinear2d(map, {height, width}, /*align_corners=*/false);
}

}  // namespace c2f
