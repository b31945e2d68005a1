// c2f/cuda/kernels/multiply_crop.cuh: rectangles of the product of an image and a map, in one kernel.
//
//   c2f::cuda::fill(parts, shape, c2f::cuda::multiply_crop<float>{x, z, of_x, of_z, corners}, where);
//
// x [N, C, H, W], z [N, C or 1, H, W] -> [N, C, h, w]: for each sample the rectangle of x * z that begins at its corner (fuse::multiply and
// fuse::crop). The gradient of a factor is the other factor times the gradient inside of the rectangle, summed over channels where z has
// one and x has several, and 0 outside.
//
// ATen multiplies whole images, reading x and z and writing the product, and then copies the rectangles; this kernel reads and writes only
// the rectangles. Backward, ATen fills zeros, copies the rectangles into them one sample at a time and multiplies whole images twice; this
// writes each gradient once. The corners are kernel arguments: no copy to the device.
#pragma once

#include <c2f/cuda/kernels/map.cuh>

namespace c2f::cuda {

/// The corners of the rectangles of one launch's samples.
struct map_corners {
  static constexpr int most = 128;
  std::int32_t row[most], column[most];
};

template <number Number>
struct multiply_crop {
  Number const* x;
  Number const* z;
  map_shape of_x, of_z;
  map_corners corners;

  C2F_HOST_DEVICE float operator()(map_position const& at) const {
    int const y = at.y + corners.row[at.n], column = at.x + corners.column[at.n];
    return load(x[of_x.at(at.n, at.c, y, column)]) * load(z[of_z.at(at.n, of_z.channels == 1 ? 0 : at.c, y, column)]);
  }
};

/// The gradient of one factor, x or z; the map that is filled has the factor's channels.
template <number Number>
struct multiply_crop_backward {
  Number const* gradient;  // of the result
  Number const* other;     // the other factor
  map_shape of_gradient, of_other;
  int channels;  // of the factor
  map_corners corners;

  C2F_HOST_DEVICE float operator()(map_position const& at) const {
    int const y = at.y - corners.row[at.n], x = at.x - corners.column[at.n];
    if (y < 0 || y >= of_gradient.height || x < 0 || x >= of_gradient.width) return 0;
    int const begin = channels == 1 ? 0 : at.c, end = channels == 1 ? of_gradient.channels : at.c + 1;
    float sum = 0;
    for (int c = begin; c < end; ++c)
      sum += load(gradient[of_gradient.at(at.n, c, y, x)]) * load(other[of_other.at(at.n, of_other.channels == 1 ? 0 : c, at.y, at.x)]);
    return sum;
  }
};

}  // namespace c2f::cuda
