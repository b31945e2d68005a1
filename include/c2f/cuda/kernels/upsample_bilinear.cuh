// c2f/cuda/kernels/upsample_bilinear.cuh: bilinear interpolation of maps, with a deterministic gradient.
//
//   c2f::cuda::fill(large, shape, c2f::cuda::upsample_bilinear<float>{small, of_small, of_large}, where);
//
// [N, C, h, w] -> [N, C, H, W] with align_corners = false: pixel i of H reads the position s = max(0, (i + .5) h / H - .5), that is the
// pixels floor(s) and floor(s) + 1 with the weights 1 - frac(s) and frac(s), and likewise along the other side. The gradient of a small
// pixel is gathered: it sums the weighted gradients of the large pixels that read it, first along rows, which gives [N, C, H, w] in float,
// then along columns.
//
// ATen's backward on a GPU adds to the small map with atomics, four per large pixel, so the order of its sums is not fixed. This reads the
// large gradient twice, the second time from cache, and writes the small one once.
#pragma once

#include <c2f/cuda/kernels/map.cuh>

namespace c2f::cuda {

/// The two pixels of a small side that pixel `at` of a large one reads, and the weight of the second.
struct bilinear_taps {
  int first, second;
  float weight;

  C2F_HOST_DEVICE bilinear_taps(int at, int small, int large) {
    float const scale    = static_cast<float>(small) / static_cast<float>(large);
    float const position = fmaxf(scale * (static_cast<float>(at) + 0.5f) - 0.5f, 0.0f);
    first                = static_cast<int>(position);
    if (first > small - 1) first = small - 1;
    second = first < small - 1 ? first + 1 : first;
    weight = fminf(fmaxf(position - static_cast<float>(first), 0.0f), 1.0f);
  }
  /// The weight of pixel `at` of the small side; 0 where it is not read.
  [[nodiscard]] C2F_HOST_DEVICE float of(int at) const { return (at == first ? 1.0f - weight : 0.0f) + (at == second ? weight : 0.0f); }
};

template <number Number>
struct upsample_bilinear {
  Number const* small;
  map_shape of_small, of_large;

  C2F_HOST_DEVICE float operator()(map_position const& at) const {
    bilinear_taps const row(at.y, of_small.height, of_large.height), column(at.x, of_small.width, of_large.width);
    auto const along = [&](int y) {
      return (1.0f - column.weight) * load(small[of_small.at(at.n, at.c, y, column.first)]) +
             column.weight * load(small[of_small.at(at.n, at.c, y, column.second)]);
    };
    return (1.0f - row.weight) * along(row.first) + row.weight * along(row.second);
  }
};

/// The gradient along one side: from `large` to a map that is `small` wide (or high, where `rows`).
template <number Number>
struct upsample_bilinear_backward {
  Number const* large;
  map_shape of_large;
  int small;
  bool rows;

  C2F_HOST_DEVICE float operator()(map_position const& to) const {
    int const at = rows ? to.y : to.x, size = rows ? of_large.height : of_large.width;
    // The large pixels that read `at` have s between at - 1 and at + 1, at a border also beyond; one more on each side because of rounding.
    float const scale = static_cast<float>(size) / static_cast<float>(small);
    auto const from   = static_cast<int>((static_cast<float>(at) - 0.5f) * scale - 0.5f) - 1,
               until  = static_cast<int>((static_cast<float>(at) + 1.5f) * scale - 0.5f) + 2;
    int const begin = at == 0 || from < 0 ? 0 : from, end = at == small - 1 || until > size ? size : until;
    float sum = 0;
    for (int i = begin; i < end; ++i)
      sum += bilinear_taps(i, small, size).of(at) * load(large[rows ? of_large.at(to.n, to.c, i, to.x) : of_large.at(to.n, to.c, to.y, i)]);
    return sum;
  }
};

}  // namespace c2f::cuda
