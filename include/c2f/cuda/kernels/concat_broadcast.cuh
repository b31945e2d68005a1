// c2f/cuda/kernels/concat_broadcast.cuh: the broadcast at the end of the compact encoder and the concatenation, in one kernel.
//
//   c2f::cuda::fill(joined, shape, c2f::cuda::concat_broadcast<float>{x, tiny, of_x, of_tiny}, where);
//
// x [N, C, H, W], tiny [N, Z, h, w] -> [N, C + Z, H, W]: x concatenated with tiny broadcast to x's size
// (cuda/kernels/broadcast_interior.cuh). The gradient of x is a slice of the result's gradient, that of tiny is a sum over the rest.
//
// ATen broadcasts with two cat, the second of which writes a map of the image's size, and concatenates with a third, which reads it again.
// This kernel reads x once, tiny from cache, and writes the result once. Backward, ATen sums a strided slice twice, with copies of its
// edges; here the gradient of the broadcast map is read once.
#pragma once

#include <c2f/cuda/kernels/broadcast_interior.cuh>

namespace c2f::cuda {

template <number Number>
struct concat_broadcast {
  Number const* x;
  Number const* tiny;
  map_shape of_x, of_tiny;

  C2F_HOST_DEVICE float operator()(map_position const& at) const {
    return at.c < of_x.channels ? load(x[of_x.at(at.n, at.c, at.y, at.x)])
                                : load(tiny[source_index({at.n, at.c - of_x.channels, at.y, at.x}, of_x, of_tiny)]);
  }
};

}  // namespace c2f::cuda
