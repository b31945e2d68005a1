// c2f/cuda/kernels/bias_relu.cuh: what follows a convolution that has a bias and no norm, or whose norm was folded, and the way back.
//
//   c2f::cuda::for_each(c2f::cuda::bias_relu<float>{x, bias, shortcut, y, channels, true}, rows * channels / 4, where);
//   c2f::cuda::tiles::for_tiles(c2f::cuda::bias_relu_backward<float>{dy, y, dx, partials, cut}, cut, where);
//   c2f::cuda::tiles::for_tiles(c2f::cuda::bias_sums<float>{partials, to_bias, cut}, cut.one_row_block(), where);
//
// x [rows, channels], channels last (cuda/kernels/tiles.cuh):
//   y = relu(x + bias + shortcut)      shortcut and relu may be left out
//   dx = dy where y > 0;   d shortcut = dx;   d bias = sum dx
//
// Bytes a number in bfloat16: 4 forward and 6 back. ATen adds the bias behind cuDNN's convolution, cuts off, cuts the gradient off and sums
// it, each in a pass of its own: 8 and 8. With a shortcut 6 forward for 14.
#pragma once

#include <c2f/cuda/kernels/tiles.cuh>

namespace c2f::cuda {

/// 16 bytes of channels of a row.
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
    auto const packs = static_cast<std::uint32_t>(channels / size);
    auto const pack  = i >> 32 == 0 ? static_cast<std::uint32_t>(i) % packs : static_cast<std::uint32_t>(i % packs);
    words const in   = load_words(x + i * size);
    words const more = shortcut != nullptr ? load_words(shortcut + i * size) : words{};  // zeros
    float out[size];
    C2F_UNROLL
    for (int k = 0; k < size; ++k) {
      out[k] = number_of<Number>(in, k) + load(bias[pack * size + k]) + number_of<Number>(more, k);
      if (relu && out[k] < 0) out[k] = 0;  // not a number stays
    }
    store_words(y + i * size, words_of<Number>(out));
  }
};

/// dx, where there was a ReLU, and its sums for each strip and channel.
template <number Number>
struct bias_relu_backward {
  static constexpr int size = in_words<Number>, shared_size = 2 * size * tiles::threads;
  Number const* dy;
  Number const* y;  ///< or nullptr: there was no ReLU, and dx is dy
  Number* dx;
  tiles::pair* partials;  ///< [strips, channels]; the second sum is of nothing
  tiles::cut cut;

  template <class Team>
  C2F_HOST_DEVICE void operator()(Team const& team, std::int64_t tile, std::int64_t strip, float* shared) const {
    team.each([&](int thread) {
      tiles::part<Number> const mine(cut, tile, strip, thread);
      float sum[size] = {};
      mine.template each<4>([&](int const(&places)[4]) {
        words gradient[4], out[4];
        C2F_UNROLL
        for (int k = 0; k < 4; ++k)
          if (places[k] >= 0) {
            gradient[k] = load_words(dy + mine.from + places[k]);
            if (y != nullptr) out[k] = load_words(y + mine.from + places[k]);
          }
        C2F_UNROLL
        for (int k = 0; k < 4; ++k)
          if (places[k] >= 0) {
            float through[size];
            for (int i = 0; i < size; ++i) {
              through[i] = y != nullptr && number_of<Number>(out[k], i) <= 0 ? 0.0f : number_of<Number>(gradient[k], i);
              sum[i] += through[i];
            }
            if (y != nullptr) store_words(dx + mine.from + places[k], words_of<Number>(through));
          }
      });
      for (int i = 0; i < size; ++i) {
        shared[i * tiles::threads + thread]          = sum[i];
        shared[(size + i) * tiles::threads + thread] = 0;
      }
    });
    tiles::pool_lanes<tiles::sums>(team, shared, size, cut.tile / size, [](int, int) { return 0; });
    team.each([&](int c) {
      if (c < cut.tile) partials[strip * cut.channels + tile * cut.tile + c] = {shared[c % size * tiles::threads + c / size], 0};
    });
  }
};

/// The gradient of the bias.
template <number Number>
struct bias_sums {
  static constexpr int shared_size = 2 * tiles::threads;
  tiles::pair const* partials;
  Number* to_bias;
  tiles::cut cut;

  template <class Team>
  C2F_HOST_DEVICE void operator()(Team const& team, std::int64_t tile, std::int64_t, float* shared) const {
    tiles::pool_row_blocks<tiles::sums>(team, cut, partials, tile, shared);
    team.each([&](int c) {
      if (c < cut.tile) store(to_bias[tile * cut.tile + c], shared[c]);
    });
  }
};

}  // namespace c2f::cuda
