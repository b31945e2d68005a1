// c2f/cuda/kernels/bias_relu.cuh: bias, residual add and ReLU after a convolution without a norm or with a folded one, forward and
// backward.
//
//   c2f::cuda::for_each(c2f::cuda::bias_relu<float>{x, bias, shortcut, y, channels, true}, rows * channels / 4, where);
//   c2f::cuda::tiles::for_tiles(c2f::cuda::bias_relu_backward<float>{dy, y, dx, partials, tiling}, tiling, where);
//   c2f::cuda::tiles::for_tiles(c2f::cuda::bias_sums<float>{partials, to_bias, tiling}, tiling.one_row_block(), where);
//
// x [rows, channels], memory format channels_last (cuda/kernels/tiles.cuh):
//   y = relu(x + bias + shortcut)      shortcut and relu are optional
//   dx = dy where y > 0;   d shortcut = dx;   d bias = sum dx
//
// Bytes per element in bfloat16: 4 forward, 6 backward. ATen adds the bias after cuDNN's convolution, applies the ReLU, masks the gradient
// and sums it, each in a separate kernel: 8 and 8. With a shortcut: 6 forward instead of 14.
#pragma once

#include <c2f/cuda/kernels/tiles.cuh>

namespace c2f::cuda {

/// One thread: 16 bytes of channels of a row.
template <number Number>
struct bias_relu {
  static constexpr int size = in_words<Number>;
  Number const* x;
  Number const* bias;
  Number const* shortcut;  ///< or nullptr
  Number* y;
  int channels;
  bool relu;

  C2F_HOST_DEVICE void operator()(std::int64_t i) const {
    auto const packs     = static_cast<std::uint32_t>(channels / size);
    auto const pack      = i >> 32 == 0 ? static_cast<std::uint32_t>(i) % packs : static_cast<std::uint32_t>(i % packs);
    words const in       = load_words(x + i * size);
    words const residual = shortcut != nullptr ? load_words(shortcut + i * size) : words{};  // zeros
    float out[size];
    C2F_UNROLL
    for (int k = 0; k < size; ++k) {
      out[k] = number_of<Number>(in, k) + load(bias[pack * size + k]) + number_of<Number>(residual, k);
      if (relu && out[k] < 0) out[k] = 0;  // NaN stays NaN
    }
    store_words(y + i * size, words_of<Number>(out));
  }
};

/// dx, where there was a ReLU, and its sums for each row block and channel.
template <number Number>
struct bias_relu_backward {
  static constexpr int size = in_words<Number>, shared_size = 2 * size * tiles::threads;
  Number const* dy;
  Number const* y;  ///< or nullptr: there was no ReLU, and dx is dy
  Number* dx;
  tiles::pair* partials;  ///< [row_blocks, channels]; the second sum is not used
  tiles::tiling tiling;

  template <class ThreadBlock>
  C2F_HOST_DEVICE void operator()(ThreadBlock const& thread_block, std::int64_t tile, std::int64_t row_block, float* shared) const {
    thread_block.each([&](int thread) {
      tiles::part<Number> const mine(tiling, tile, row_block, thread);
      float sum[size] = {};
      mine.template each<4>([&](int const(&offsets)[4]) {
        words gradient[4], out[4];
        C2F_UNROLL
        for (int k = 0; k < 4; ++k)
          if (offsets[k] >= 0) {
            gradient[k] = load_words(dy + mine.from + offsets[k]);
            if (y != nullptr) out[k] = load_words(y + mine.from + offsets[k]);
          }
        C2F_UNROLL
        for (int k = 0; k < 4; ++k)
          if (offsets[k] >= 0) {
            float masked[size];
            for (int i = 0; i < size; ++i) {
              masked[i] = y != nullptr && number_of<Number>(out[k], i) <= 0 ? 0.0f : number_of<Number>(gradient[k], i);
              sum[i] += masked[i];
            }
            if (y != nullptr) store_words(dx + mine.from + offsets[k], words_of<Number>(masked));
          }
      });
      for (int i = 0; i < size; ++i) {
        shared[i * tiles::threads + thread]          = sum[i];
        shared[(size + i) * tiles::threads + thread] = 0;
      }
    });
    tiles::pool_lanes<tiles::sums>(thread_block, shared, size, tiling.channels_per_tile / size, [](int, int) { return 0; });
    thread_block.each([&](int c) {
      if (c < tiling.channels_per_tile)
        partials[row_block * tiling.channels + tile * tiling.channels_per_tile + c] = {shared[c % size * tiles::threads + c / size], 0};
    });
  }
};

/// The gradient of the bias.
template <number Number>
struct bias_sums {
  static constexpr int shared_size = 2 * tiles::threads;
  tiles::pair const* partials;
  Number* to_bias;
  tiles::tiling tiling;

  template <class ThreadBlock>
  C2F_HOST_DEVICE void operator()(ThreadBlock const& thread_block, std::int64_t tile, std::int64_t, float* shared) const {
    tiles::pool_row_blocks<tiles::sums>(thread_block, tiling, partials, tile, shared);
    thread_block.each([&](int c) {
      if (c < tiling.channels_per_tile) store(to_bias[tile * tiling.channels_per_tile + c], shared[c]);
    });
  }
};

}  // namespace c2f::cuda
