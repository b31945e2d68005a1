// c2f/cuda/stretch_beside.cuh: the end of the compact encoder and the concatenation, in one pass.
//
//   c2f::cuda::fill(joined, shape, c2f::cuda::stretch_beside<float>{x, tiny, of_x, of_tiny}, where);
//
// x [N, C, H, W], tiny [N, Z, h, w] -> [N, C + Z, H, W]: x, and beside it the tiny map stretched to x's size by repeating its middle row
// and column (encode/tile.hpp). h is odd and at most H, or H itself; so is w. All lie alike, contiguous or channels last.
// The gradient of x is a slice of that of the answer. That of a number of tiny is the sum over the rectangle it was copied to, taken in two
// steps of fixed order: over columns, a warp a row of the image, which leaves [N, Z, H, w], and then over rows.
//
// ATen stretches with two cat, the second of the size of z, and joins with a third, which reads z again; this reads x once, tiny from cache
// and writes the answer once. Backward ATen sums a strided slice twice, with copies of its edges; this reads z's gradient once.
#pragma once

#include <c2f/cuda/map.cuh>

namespace c2f::cuda {

/// Which place of a tiny side of `tiny` stands at `i` of the stretched side of `size`.
[[nodiscard]] C2F_HOST_DEVICE inline int unstretched(int i, int size, int tiny) {
  int const middle = tiny / 2, more = size - tiny;
  return i <= middle ? i : i <= middle + more ? middle : i - more;
}

template <number Number>
struct stretch_beside {
  Number const* x;
  Number const* tiny;
  map_shape of_x, of_tiny;

  C2F_HOST_DEVICE float operator()(map_place const& at) const {
    return at.c < of_x.channels ? load(x[of_x.at(at.n, at.c, at.y, at.x)])
                                : load(tiny[of_tiny.at(at.n, at.c - of_x.channels, unstretched(at.y, of_x.height, of_tiny.height),
                                                       unstretched(at.x, of_x.width, of_tiny.width))]);
  }
};

/// A row of the image and a channel of z, as they lie in memory: the sums over columns. gradient: of the answer, z from channel `first` on.
template <number Number>
struct stretch_columns {
  Number const* gradient;
  float* sums;  // [N, Z, H, w]
  map_shape of_gradient, of_sums;
  int first;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t row) const {
    map_place const at = map_shape{of_sums.samples, of_sums.channels, of_sums.height, 1, of_sums.last}.place_of(row);
    auto const number  = [&](int i) { return load(gradient[of_gradient.at(at.n, first + at.c, at.y, i)]); };
    int const tiny = of_sums.width, middle = tiny / 2, more = of_gradient.width - tiny;
    float sum = 0;
    for (auto i = static_cast<int>(lanes.first()); i <= more; i += static_cast<int>(lanes.count())) sum += number(middle + i);
    sum = lanes.sum(sum);
    for (auto i = static_cast<int>(lanes.first()); i < tiny; i += static_cast<int>(lanes.count()))
      sums[of_sums.at(at.n, at.c, at.y, i)] = i == middle ? sum : number(i < middle ? i : i + more);
  }
};

/// A number of tiny, as they lie in memory: the sum over rows.
template <number Number>
struct stretch_rows {
  float const* sums;
  Number* to_tiny;
  map_shape of_sums, of_tiny;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t index) const {
    map_place const at = of_tiny.place_of(index);
    int const middle = of_tiny.height / 2, more = of_sums.height - of_tiny.height;
    int const begin = at.y <= middle ? at.y : at.y + more, count = at.y == middle ? more + 1 : 1;
    float sum = 0;
    for (auto i = static_cast<int>(lanes.first()); i < count; i += static_cast<int>(lanes.count()))
      sum += sums[of_sums.at(at.n, at.c, begin + i, at.x)];
    sum = lanes.sum(sum);
    if (lanes.first() == 0) store(to_tiny[index], sum);
  }
};

}  // namespace c2f::cuda
