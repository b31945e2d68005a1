// c2f/cuda/kernels/draw_boxes.cuh: boxes drawn as maps, in one pass.
//
//   c2f::cuda::fill(maps, shape, c2f::cuda::draw_boxes{boxes, edge, shape}, where);                    // boxes [N, K, 4], maps [N, K, H,
//   W] c2f::cuda::for_blocks(c2f::cuda::draw_boxes_backward{boxes, gradient, to_boxes, edge, shape}, N * K, where);
//
// A box is (centre x, centre y, width, height) in fractions of the image. Of a side of `size` pixels with the middles i + .5, the box
// covers f(half - |i + .5 - centre|), both in pixels, f(d) = d > 0 where edge is 0 (hard), else clamp(d / edge + .5, 0, 1), and nothing
// where the half is 0 (parts/encode_rasterize.hpp). A pixel is what the box covers of its row times what it covers of its column. Products are
// rounded one by one, so that hard edges fall on the same pixels as with ATen. The gradient (edge > 0), four sums over the map, is taken by
// a block a box, in a fixed order; it reads what lies in the box alone.
//
// ATen runs a dozen operations on [N, K, H] and [N, K, W] and one on the map, and twice as many backward; this is a launch each.
#pragma once

#include <c2f/cuda/kernels/map.cuh>

namespace c2f::cuda {

/// a * b, rounded before anything is added to it.
[[nodiscard]] C2F_HOST_DEVICE inline float times(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

/// What a box covers of pixel i of a side, and how that changes with the box's centre and size.
struct box_side {
  float covered = 0, by_centre = 0, by_size = 0;

  C2F_HOST_DEVICE box_side(float centre, float size, int i, int pixels, float edge) {
    float const all = static_cast<float>(pixels), half = times(size, 0.5f * all);
    float const off = static_cast<float>(i) + 0.5f - times(centre, all), inside = half - fabsf(off), drawn = half > 0 ? 1.0f : 0.0f;
    if (edge == 0) {
      covered = inside > 0 ? drawn : 0.0f;
      return;
    }
    float const share = inside / edge + 0.5f;
    covered           = (share < 0 ? 0.0f : share > 1 ? 1.0f : share) * drawn;
    if (share < 0 || share > 1) return;
    by_centre = (off > 0 ? all : off < 0 ? -all : 0.0f) / edge * drawn;
    by_size   = 0.5f * all / edge * drawn;
  }
  /// Whether the pixel has nothing to do with the box.
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
