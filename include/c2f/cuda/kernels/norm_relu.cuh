// c2f/cuda/kernels/norm_relu.cuh: batch normalisation in training, fused with residual add and ReLU, forward and backward.
//
//   auto const tiling = c2f::cuda::tiles::tiling_of<float>(rows, channels);
//   c2f::cuda::tiles::for_tiles(c2f::cuda::norm::statistics<float>{x, partials, tiling}, tiling, where);
//   c2f::cuda::norm::apply<float> const work{x, shortcut, partials, weight, bias, y, mean, invstd, running_mean, running_var, 0.1f, 1e-5f,
//                                            true, tiling};
//   c2f::cuda::tiles::for_tiles(work, tiling, where);
//
// x [rows, channels], memory format channels_last (cuda/kernels/tiles.cuh):
//   y = relu((x - mean) * invstd * weight + bias + shortcut)         shortcut and relu are optional
//   dz = dy where y > 0;  d shortcut = dz;  d bias = sum dz;  d weight = sum dz * xhat;  xhat = (x - mean) * invstd
//   dx = weight * invstd * (dz - mean(dz) - xhat * mean(dz * xhat))
//
// dy may be given as two gradients, one from each of two consumers of y.
//
// Two launches forward, two backward. The first kernel writes partial results of every row block; in the second one every thread block
// reduces those of its channels before it processes its rows, so there is no third launch. Bytes per element in bfloat16, without / with a
// shortcut: forward 6 / 8 (2 / 2 of them a second read of x, from L2 where the map fits), backward 14 / 14. Two gradients of y, as in a
// residual block, cost 2 bytes more; a separate kernel for their sum would cost 6. ATen's kernels (statistics, transform, add, relu;
// mask, reduction, transform): 10 / 16 in 4 or 5 launches and 16 / 16 in 3.
//
// Variances are computed without cancellation: a thread sums differences from the first value it reads, over few rows, and the means and
// squared deviations of threads and row blocks are combined as in Chan, Golub and LeVeque ("Updating formulae and a pairwise algorithm for
// computing sample variances", 1979).
#pragma once

#include <c2f/cuda/kernels/tiles.cuh>

namespace c2f::cuda::norm {

using namespace tiles;

/// `value` rounded to the number type.
template <number Number>
[[nodiscard]] C2F_HOST_DEVICE inline float rounded(float value) {
  Number stored;
  store(stored, value);
  return load(stored);
}

/// Combines means and squared deviations of up to `radix` parts. An empty part has count 0; the first part is empty only if all are.
struct moments {
  template <class Part, class Count>
  C2F_HOST_DEVICE static pair pooled(int parts, Part const& part, Count const& count) {
    pair each[radix];
    float counts[radix];
    float all = 0, weighted = 0;
    for (int i = 0; i < radix; ++i) {
      each[i]   = i < parts ? part(i) : pair{0, 0};
      counts[i] = i < parts ? static_cast<float>(count(i)) : 0.0f;
      all += counts[i];
      if (counts[i] > 0) weighted += counts[i] * (each[i].first - each[0].first);
    }
    if (!(all > 0)) return {0, 0};
    pair whole{each[0].first + weighted / all, 0};
    for (int i = 0; i < radix; ++i) {
      float const away = each[i].first - whole.first;
      if (counts[i] > 0) whole.second += each[i].second + counts[i] * away * away;
    }
    return whole;
  }
};

/// Means and squared deviations of x for each row block and channel.
template <number Number>
struct statistics {
  static constexpr int size = in_words<Number>, shared_size = 2 * size * threads;
  Number const* x;
  pair* partials;  ///< [row_blocks, channels]
  tiles::tiling tiling;

  template <class ThreadBlock>
  C2F_HOST_DEVICE void operator()(ThreadBlock const& thread_block, std::int64_t tile, std::int64_t row_block, float* shared) const {
    int const columns = tiling.channels_per_tile / size;
    thread_block.each([&](int thread) {
      part<Number> const mine(tiling, tile, row_block, thread);
      float shift[size] = {}, sum[size] = {}, squares[size] = {};
      if (mine.lane < mine.rows) {
        words const first = load_words(x + mine.from + mine.lane * mine.step);
        for (int i = 0; i < size; ++i) shift[i] = number_of<Number>(first, i);
      }
      mine.template each<4>([&](int const(&offsets)[4]) {
        words in[4];
        for (int k = 0; k < 4; ++k)
          if (offsets[k] >= 0) in[k] = load_words(x + mine.from + offsets[k]);
        for (int k = 0; k < 4; ++k)
          if (offsets[k] >= 0)
            for (int i = 0; i < size; ++i) {
              float const away = number_of<Number>(in[k], i) - shift[i];
              sum[i] += away;
              squares[i] += away * away;
            }
      });
      auto const count    = static_cast<float>(count_of_lane(mine.rows, mine.lane, mine.lanes));
      float const inverse = count > 0 ? 1.0f / count : 0.0f;
      for (int i = 0; i < size; ++i) {
        float const squared                   = squares[i] - sum[i] * sum[i] * inverse;
        shared[i * threads + thread]          = shift[i] + sum[i] * inverse;
        shared[(size + i) * threads + thread] = squared < 0 ? 0.0f : squared;  // NaN stays NaN
      }
    });
    int const rows = tiling.rows_of(static_cast<int>(row_block));
    pool_lanes<moments>(thread_block, shared, size, columns, [&](int lane, int lanes) { return count_of_lane(rows, lane, lanes); });
    thread_block.each([&](int c) {
      if (c < tiling.channels_per_tile)
        partials[row_block * tiling.channels + tile * tiling.channels_per_tile + c] = {shared[c % size * threads + c / size],
                                                                                       shared[(size + c % size) * threads + c / size]};
    });
  }
};

/// Combines the statistics of the row blocks; writes y, the statistics for the backward pass, and the running statistics.
template <number Number>
struct apply {
  static constexpr int size = in_words<Number>, shared_size = 3 * threads;
  Number const* x;
  Number const* shortcut;  ///< or nullptr
  pair const* partials;
  float const* weight;
  float const* bias;
  Number* y;
  float* mean;
  float* invstd;
  float* running_mean;
  float* running_var;
  float momentum, eps;
  bool relu;
  tiles::tiling tiling;

  template <class ThreadBlock>
  C2F_HOST_DEVICE void operator()(ThreadBlock const& thread_block, std::int64_t tile, std::int64_t row_block, float* shared) const {
    pool_row_blocks<moments>(thread_block, tiling, partials, tile, shared);
    thread_block.each([&](int c) {
      if (c >= tiling.channels_per_tile) return;
      std::int64_t const channel = tile * tiling.channels_per_tile + c;
      float const center = shared[c], squared = shared[threads + c];
      float const scale       = 1.0f / sqrtf(squared / static_cast<float>(tiling.rows) + eps);
      shared[threads + c]     = scale * weight[channel];
      shared[2 * threads + c] = bias[channel];
      if (row_block == 0) {
        mean[channel]         = center;
        invstd[channel]       = scale;
        running_mean[channel] = momentum * center + (1 - momentum) * running_mean[channel];
        running_var[channel]  = momentum * (squared / static_cast<float>(tiling.rows - 1)) + (1 - momentum) * running_var[channel];
      }
    });
    thread_block.each([&](int thread) {
      part<Number> const mine(tiling, tile, row_block, thread);
      float center[size], scale[size], offset[size];
      for (int i = 0; i < size; ++i) {
        int const c = mine.column * size + i;
        center[i]   = shared[c];
        scale[i]    = shared[threads + c];
        offset[i]   = shared[2 * threads + c];
      }
      mine.template each<2>([&](int const(&offsets)[2]) {
        words in[2], residual[2];
        for (int k = 0; k < 2; ++k)
          if (offsets[k] >= 0) {
            in[k] = load_words(x + mine.from + offsets[k]);
            if (shortcut != nullptr) residual[k] = load_words(shortcut + mine.from + offsets[k]);
          }
        for (int k = 0; k < 2; ++k)
          if (offsets[k] >= 0) {
            float out[size];
            for (int i = 0; i < size; ++i) {
              out[i] = (number_of<Number>(in[k], i) - center[i]) * scale[i] + offset[i];
              if (shortcut != nullptr) out[i] += number_of<Number>(residual[k], i);
              if (relu && out[i] < 0) out[i] = 0;  // NaN stays NaN
            }
            store_words(y + mine.from + offsets[k], words_of<Number>(out));
          }
      });
    });
  }
};

/// Calls work(offset, dz_here, in) for a thread's rows: dz_here is dy + second_dy (nullptr: 0) where y > 0 (y is nullptr: there was no
/// ReLU), in is x.
template <number Number, class Work>
C2F_HOST_DEVICE void each_gradient(part<Number> const& mine, Number const* dy, Number const* second_dy, Number const* y, Number const* x,
                                   Work const& work) {
  mine.template each<2>([&](int const(&offsets)[2]) {
    words gradient[2], second[2], out[2], in[2];
    C2F_UNROLL
    for (int k = 0; k < 2; ++k)
      if (offsets[k] >= 0) {
        gradient[k] = load_words(dy + mine.from + offsets[k]);
        in[k]       = load_words(x + mine.from + offsets[k]);
        if (second_dy != nullptr) second[k] = load_words(second_dy + mine.from + offsets[k]);
        if (y != nullptr) out[k] = load_words(y + mine.from + offsets[k]);
      }
    C2F_UNROLL
    for (int k = 0; k < 2; ++k)
      if (offsets[k] >= 0) {
        float dz_here[in_words<Number>];
        for (int i = 0; i < in_words<Number>; ++i) {
          dz_here[i] = number_of<Number>(gradient[k], i);
          if (second_dy != nullptr) dz_here[i] = rounded<Number>(dz_here[i] + number_of<Number>(second[k], i));
          if (y != nullptr && number_of<Number>(out[k], i) <= 0) dz_here[i] = 0;
        }
        work(offsets[k], dz_here, in[k]);
      }
  });
}

/// The sums of dz and of dz * xhat for each row block and channel, and dz where the second kernel or the shortcut reads it.
template <number Number>
struct backward_sums {
  static constexpr int size = in_words<Number>, shared_size = 2 * size * threads;
  Number const* dy;
  Number const* second_dy;  ///< the gradient from a second consumer of y, or nullptr
  Number const* y;          ///< or nullptr: there was no ReLU
  Number const* x;
  float const* mean;
  float const* invstd;
  Number* dz;      ///< or nullptr
  pair* partials;  ///< [row_blocks, channels]
  tiles::tiling tiling;

  template <class ThreadBlock>
  C2F_HOST_DEVICE void operator()(ThreadBlock const& thread_block, std::int64_t tile, std::int64_t row_block, float* shared) const {
    int const columns = tiling.channels_per_tile / size;
    thread_block.each([&](int thread) {
      part<Number> const mine(tiling, tile, row_block, thread);
      float center[size], sum[size] = {}, product[size] = {};
      for (int i = 0; i < size; ++i) center[i] = mean[tile * tiling.channels_per_tile + mine.column * size + i];
      each_gradient(mine, dy, second_dy, y, x, [&](int offset, float const(&dz_here)[size], words const& in) {
        for (int i = 0; i < size; ++i) {
          sum[i] += dz_here[i];
          product[i] += dz_here[i] * (number_of<Number>(in, i) - center[i]);
        }
        if (dz != nullptr) store_words(dz + mine.from + offset, words_of<Number>(dz_here));
      });
      for (int i = 0; i < size; ++i) {
        shared[i * threads + thread]          = sum[i];
        shared[(size + i) * threads + thread] = product[i];
      }
    });
    pool_lanes<sums>(thread_block, shared, size, columns, [](int, int) { return 0; });
    thread_block.each([&](int c) {
      if (c >= tiling.channels_per_tile) return;
      std::int64_t const channel                      = tile * tiling.channels_per_tile + c;
      partials[row_block * tiling.channels + channel] = {shared[c % size * threads + c / size],
                                                         shared[(size + c % size) * threads + c / size] * invstd[channel]};
    });
  }
};

/// dx, and the gradients of weight and bias.
template <number Number>
struct backward_apply {
  static constexpr int size = in_words<Number>, shared_size = 4 * threads;
  Number const* dy;  ///< or dz, and then y is nullptr
  Number const* y;   ///< or nullptr
  Number const* x;
  float const* mean;
  float const* invstd;
  float const* weight;
  pair const* partials;
  Number* dx;
  float* to_weight;
  float* to_bias;
  tiles::tiling tiling;

  template <class ThreadBlock>
  C2F_HOST_DEVICE void operator()(ThreadBlock const& thread_block, std::int64_t tile, std::int64_t row_block, float* shared) const {
    pool_row_blocks<sums>(thread_block, tiling, partials, tile, shared);
    thread_block.each([&](int c) {
      if (c >= tiling.channels_per_tile) return;
      std::int64_t const channel = tile * tiling.channels_per_tile + c;
      float const sum = shared[c], product = shared[threads + c];
      if (row_block == 0) {
        to_bias[channel]   = sum;
        to_weight[channel] = product;
      }
      // dx = scale * dz - slope * (x - mean) - level
      auto const rows         = static_cast<float>(tiling.rows);
      float const scale       = weight[channel] * invstd[channel];
      shared[c]               = mean[channel];
      shared[threads + c]     = scale;
      shared[2 * threads + c] = scale * invstd[channel] * (product / rows);
      shared[3 * threads + c] = scale * (sum / rows);
    });
    thread_block.each([&](int thread) {
      part<Number> const mine(tiling, tile, row_block, thread);
      float center[size], scale[size], slope[size], level[size];
      for (int i = 0; i < size; ++i) {
        int const c = mine.column * size + i;
        center[i]   = shared[c];
        scale[i]    = shared[threads + c];
        slope[i]    = shared[2 * threads + c];
        level[i]    = shared[3 * threads + c];
      }
      each_gradient(mine, dy, static_cast<Number const*>(nullptr), y, x, [&](int offset, float const(&dz_here)[size], words const& in) {
        float to[size];
        for (int i = 0; i < size; ++i) to[i] = scale[i] * dz_here[i] - slope[i] * (number_of<Number>(in, i) - center[i]) - level[i];
        store_words(dx + mine.from + offset, words_of<Number>(to));
      });
    });
  }
};

}  // namespace c2f::cuda::norm
