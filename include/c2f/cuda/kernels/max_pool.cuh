// c2f/cuda/kernels/max_pool.cuh: max pooling, forward and backward.
//
//   c2f::cuda::max_pool<float> const pool{x, y, indices, {3, 2, 1}, of_x, of_y};
//   c2f::cuda::for_each(pool, pool.count(), where);
//
// x [N, C, H, W] -> y [N, C, H', W'], memory format channels_last, C a multiple of 8, maps aligned to 16 bytes: y is the maximum over a
// window of kernel * kernel that moves by `stride` over x and `padding` pixels around it, which are never the maximum. indices [N, H', W',
// C]: the position of the maximum in its window, row * kernel + column, the first one of equal maxima; NaN counts as the largest number, as
// in ATen. The gradient of a pixel is gathered: the sum over the windows whose maximum it is, in a fixed order.
//
// A thread computes 16 bytes of channels of one pixel; what neighbouring windows share is read from cache. An index is one byte, where ATen
// saves an int64, and the gradient is written once, where ATen zeroes it first. Bytes per element of y for 3x3 by 2 in bfloat16: 11 forward
// and 11 backward, ATen's 18 and 26.
#pragma once

#include <c2f/cuda/kernels/map.cuh>
#include <c2f/cuda/kernels/words.cuh>

namespace c2f::cuda {

/// A window; its kernel is at most 16, so that an index fits into a byte.
struct pool_window {
  int kernel, stride, padding;
};

template <number Number>
struct max_pool {
  static constexpr int per = in_words<Number>;
  struct alignas(per) bytes {
    std::uint8_t at[per];
  };

  Number const* x;
  Number* y;
  std::uint8_t* indices;  // nullptr: there is no backward pass
  pool_window window;
  map_shape of_x, of_y;

  /// The number of threads.
  [[nodiscard]] std::int64_t count() const { return of_y.count() / per; }

  C2F_HOST_DEVICE void operator()(std::int64_t i) const {
    map_position const at = of_y.position_of_pack(i, per);
    int const top = at.y * window.stride - window.padding, left = at.x * window.stride - window.padding;
    int const first_row = top < 0 ? -top : 0, first_column = left < 0 ? -left : 0;
    float largest[per];
    std::uint8_t index[per];
    C2F_UNROLL
    for (int k = 0; k < per; ++k) {
      largest[k] = -INFINITY;
      index[k]   = static_cast<std::uint8_t>(first_row * window.kernel + first_column);
    }
    for (int row = first_row; row < window.kernel && top + row < of_x.height; ++row)
      for (int column = first_column; column < window.kernel && left + column < of_x.width; ++column) {
        words const read = load_words(x + of_x.at(at.n, at.c, top + row, left + column));
        C2F_UNROLL
        for (int k = 0; k < per; ++k) {
          float const value = number_of<Number>(read, k);
          if (!(value > largest[k]) && value == value) continue;
          largest[k] = value;
          index[k]   = static_cast<std::uint8_t>(row * window.kernel + column);
        }
      }
    store_words(y + i * per, words_of<Number>(largest));
    if (indices == nullptr) return;
    bytes stored;
    C2F_UNROLL
    for (int k = 0; k < per; ++k) stored.at[k] = index[k];
    *reinterpret_cast<bytes*>(indices + i * per) = stored;
  }
};

template <number Number>
struct max_pool_backward {
  static constexpr int per = in_words<Number>;
  using bytes              = typename max_pool<Number>::bytes;

  Number const* dy;
  std::uint8_t const* indices;
  Number* dx;
  pool_window window;
  map_shape of_x, of_y;

  [[nodiscard]] std::int64_t count() const { return of_x.count() / per; }

  C2F_HOST_DEVICE void operator()(std::int64_t i) const {
    map_position const at = of_x.position_of_pack(i, per);
    // The windows that contain the pixel: from the first one that ends behind it to the last one that begins before it or at it.
    int const y = at.y + window.padding, x = at.x + window.padding, reach = window.kernel - window.stride;
    int const first_row = y > reach ? (y - reach) / window.stride : 0, first_column = x > reach ? (x - reach) / window.stride : 0;
    float sum[per];
    C2F_UNROLL
    for (int k = 0; k < per; ++k) sum[k] = 0;
    for (int row = first_row; row < of_y.height && row * window.stride <= y; ++row)
      for (int column = first_column; column < of_y.width && column * window.stride <= x; ++column) {
        int const index         = (y - row * window.stride) * window.kernel + x - column * window.stride;
        std::int64_t const from = of_y.at(at.n, at.c, row, column);
        words const read        = load_words(dy + from);
        bytes const which       = *reinterpret_cast<bytes const*>(indices + from);
        C2F_UNROLL
        for (int k = 0; k < per; ++k)
          if (which.at[k] == index) sum[k] += number_of<Number>(read, k);
      }
    store_words(dx + i * per, words_of<Number>(sum));
  }
};

}  // namespace c2f::cuda
