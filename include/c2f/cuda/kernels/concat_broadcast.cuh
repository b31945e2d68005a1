// c2f/cuda/kernels/concat_broadcast.cuh: the end of the compact encoder and the concatenation, in one pass.
//
//   c2f::cuda::fill(joined, shape, c2f::cuda::concat_broadcast<float>{x, tiny, of_x, of_tiny}, where);
//
// x [N, C, H, W], tiny [N, Z, h, w] -> [N, C + Z, H, W]: x, and beside it the tiny map stretched to x's size (cuda/kernels/broadcast_interior.cuh). The
// gradient of x is a slice of that of the answer, tiny's are the sums of the rest.
//
// ATen stretches with two cat, the second of the size of z, and joins with a third, which reads z again; this reads x once, tiny from cache
// and writes the answer once. Backward ATen sums a strided slice twice, with copies of its edges; the sums read z's gradient once.
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
