// c2f/cuda/kernels/draw_boxes.cuh: draws boxes as maps, in one kernel.
//
//   c2f::cuda::fill(maps, shape, c2f::cuda::draw_boxes{boxes, edge, shape}, where);          // boxes [N, K, 4], maps [N, K, H, W]
//   c2f::cuda::for_blocks(c2f::cuda::draw_boxes_backward{boxes, gradient, to_boxes, edge, shape}, N * K, where);
//
// A box is (centre x, centre y, width, height) in fractions of the image. On a side of `size` pixels, pixel i has its centre at i + .5, and
// the box covers f(half - |i + .5 - centre|) of it, both in pixels: f(d) = d > 0 where edge is 0 (hard), else clamp(d / edge + .5, 0, 1); 0
// where half is 0 (parts/encode_rasterize.hpp). The value of a pixel is the product of its row's and its column's coverage. Products are
// rounded one by one (no fused multiply-add), so that hard edges fall on the same pixels as with ATen. The gradient (edge > 0) is four sums
// over the map, computed by one block per box in a fixed order; it reads only the gradient inside of the box.
//
// ATen runs a dozen operations on [N, K, H] and [N, K, W] and one on the map, and twice as many backward; here it is one launch each.
#pragma once

#include <c2f/cuda/kernels/map.cuh>

namespace c2f::cuda {

/// a * b without fusing it into a multiply-add.
[[nodiscard]] C2F_HOST_DEVICE inline float times(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

/// The coverage of pixel i of a side, and its derivatives by the box's centre and size.
struct box_side {
  float covered = 0, by_centre = 0, by_size = 0;

  C2F_HOST_DEVICE box_side(float centre, float size, int i, int pixels, float edge) {
    float const all = static_cast<float>(pixels), half = times(size, 0.5f * all);
    float const off = static_cast<float>(i) + 0.5f - times(centre, all), inside = half - fabsf(off), drawn = half > 0 ? 1.0f : 0.0f;
    if (edge == 0) {
      covered = inside > 0 ? drawn : 0.0f;
      return;
    }
    float const fraction = inside / edge + 0.5f;
    covered              = (fraction < 0 ? 0.0f : fraction > 1 ? 1.0f : fraction) * drawn;
    if (fraction < 0 || fraction > 1) return;
    by_centre = (off > 0 ? all : off < 0 ? -all : 0.0f) / edge * drawn;
    by_size   = 0.5f * all / edge * drawn;
  }
  /// Whether the pixel contributes nothing.
  [[nodiscard]] C2F_HOST_DEVICE bool out() const { return covered == 0 && by_size == 0; }
};

struct draw_boxes {
  float const* boxes;
  float edge;
  map_shape maps;

  C2F_HOST_DEVICE float operator()(map_position const& at) const {
    float const* const box = boxes + (at.n * maps.channels + at.c) * 4;
    return box_side(box[1], box[3], at.y, maps.height, edge).covered * box_side(box[0], box[2], at.x, maps.width, edge).covered;
  }
};

struct draw_boxes_backward {
  float const* boxes;
  float const* gradient;
  float* to_boxes;
  float edge;
  map_shape maps;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t index) const {
    float const* const box = boxes + index * 4;
    auto const n = static_cast<int>(index / maps.channels), c = static_cast<int>(index % maps.channels);
    float x = 0, y = 0, width = 0, height = 0;
    for (auto i = static_cast<int>(lanes.first()); i < maps.area(); i += static_cast<int>(lanes.count())) {
      box_side const row(box[1], box[3], i / maps.width, maps.height, edge);
      if (row.out()) continue;
      box_side const column(box[0], box[2], i % maps.width, maps.width, edge);
      if (column.out()) continue;
      float const change = gradient[maps.at(n, c, i / maps.width, i % maps.width)];
      x += change * row.covered * column.by_centre;
      y += change * row.by_centre * column.covered;
      width += change * row.covered * column.by_size;
      height += change * row.by_size * column.covered;
    }
    x      = lanes.sum(x);
    y      = lanes.sum(y);
    width  = lanes.sum(width);
    height = lanes.sum(height);
    if (lanes.first() != 0) return;
    float* const to = to_boxes + index * 4;
    to[0]           = x;
    to[1]           = y;
    to[2]           = width;
    to[3]           = height;
  }
};

}  // namespace c2f::cuda
