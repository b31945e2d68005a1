// c2f/cuda/kernels/norm_relu.cuh: batch normalisation while training, with the sum and the ReLU that follow it, and the way back.
//
//   auto const cut = c2f::cuda::tiles::tiling_of<float>(rows, channels);
//   c2f::cuda::tiles::for_tiles(c2f::cuda::norm::statistics<float>{x, partials, cut}, cut, where);
//   c2f::cuda::tiles::for_tiles(c2f::cuda::norm::apply<float>{x, shortcut, partials, weight, bias, y, ..., cut}, cut, where);
//
// x [rows, channels], channels last (cuda/kernels/tiles.cuh):
//   y = relu((x - mean) * invstd * weight + bias + shortcut)         shortcut and relu may be left out
//   dz = dy where y > 0;  d shortcut = dz;  d bias = sum dz;  d weight = sum dz * xhat;  xhat = (x - mean) * invstd
//   dx = weight * invstd * (dz - mean(dz) - xhat * mean(dz * xhat))
//
// dy may come as two gradients, of two readers of y.
//
// Two launches each way. The first leaves partial results of every strip of rows; in the second every block pools those of its channels
// before it goes over its rows, so there is no third launch. Bytes an element in bfloat16, without / with a shortcut: forward 6 / 8 (of it
// 2 / 2 read a second time, from L2 where the map fits), backward 14 / 14, and 2 more where two readers of y each have a gradient, as in a
// residual block, whose sum would else be a pass of 6. ATen's passes (statistics, transform, add, relu; mask, reduction, transform): 10 /
// 16 and 16 / 16 in 4 or 5 and 3 launches.
//
// Statistics do not cancel: a thread sums differences from the first value it sees, over a few rows; means and squared deviations of
// threads and strips are pooled as Chan, Golub and LeVeque do ("Updating formulae and a pairwise algorithm for computing sample
// variances", 1979).
#pragma once

#include <c2f/cuda/kernels/tiles.cuh>

namespace c2f::cuda::norm {

using namespace tiles;

/// As it is after it was stored.
template <number Number>
[[nodiscard]] C2F_HOST_DEVICE inline float rounded(float value) {
  Number stored;
  store(stored, value);
  return load(stored);
}

/// Pools means and squared deviations of up to `radix` parts; an empty part counts 0, and the first is empty only if all are.
struct moments {
  template <class Part, class Count>
  C2F_HOST_DEVICE static pair pooled(int parts, Part const& part, Count const& count) {
    pair each[radix];
    float counts[radix];
    float all = 0, moved = 0;
    for (int i = 0; i < radix; ++i) {
      each[i]   = i < parts ? part(i) : pair{0, 0};
      counts[i] = i < parts ? static_cast<float>(count(i)) : 0.0f;
      all += counts[i];
      if (counts[i] > 0) moved += counts[i] * (each[i].first - each[0].first);
    }
    if (!(all > 0)) return {0, 0};
    pair whole{each[0].first + moved / all, 0};
    for (int i = 0; i < radix; ++i) {
      float const away = each[i].first - whole.first;
      if (counts[i] > 0) whole.second += each[i].second + counts[i] * away * away;
    }
    return whole;
  }
};

/// Means and squared deviations of x for each strip and channel.
template <number Number>
struct statistics {
  static constexpr int size = in_words<Number>, shared_size = 2 * size * threads;
  Number const* x;
  pair* partials;  ///< [strips, channels]
  tiles::cut cut;

  template <class Team>
  C2F_HOST_DEVICE void operator()(Team const& team, std::int64_t tile, std::int64_t strip, float* shared) const {
    int const columns = cut.tile / size;
    team.each([&](int thread) {
      part<Number> const mine(cut, tile, strip, thread);
      float shift[size] = {}, sum[size] = {}, squares[size] = {};
      if (mine.lane < mine.rows) {
        words const first = load_words(x + mine.from + mine.lane * mine.step);
        for (int i = 0; i < size; ++i) shift[i] = number_of<Number>(first, i);
      }
      mine.template each<4>([&](int const(&places)[4]) {
        words in[4];
        for (int k = 0; k < 4; ++k)
          if (places[k] >= 0) in[k] = load_words(x + mine.from + places[k]);
        for (int k = 0; k < 4; ++k)
          if (places[k] >= 0)
            for (int i = 0; i < size; ++i) {
              float const away = number_of<Number>(in[k], i) - shift[i];
              sum[i] += away;
              squares[i] += away * away;
            }
      });
      auto const count   = static_cast<float>(dealt(mine.rows, mine.lane, mine.lanes));
      float const shares = count > 0 ? 1.0f / count : 0.0f;
      for (int i = 0; i < size; ++i) {
        float const squared                   = squares[i] - sum[i] * sum[i] * shares;
        shared[i * threads + thread]          = shift[i] + sum[i] * shares;
        shared[(size + i) * threads + thread] = squared < 0 ? 0.0f : squared;  // not a number stays
      }
    });
    int const rows = cut.rows_of(static_cast<int>(strip));
    pool_lanes<moments>(team, shared, size, columns, [&](int lane, int lanes) { return dealt(rows, lane, lanes); });
    team.each([&](int c) {
      if (c < cut.tile)
        partials[strip * cut.channels + tile * cut.tile + c] = {shared[c % size * threads + c / size],
                                                                shared[(size + c % size) * threads + c / size]};
    });
  }
};

/// From the strips' statistics those of all rows; y, what the way back needs of the statistics, and the running ones.
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
  tiles::cut cut;

  template <class Team>
  C2F_HOST_DEVICE void operator()(Team const& team, std::int64_t tile, std::int64_t strip, float* shared) const {
    pool_row_blocks<moments>(team, cut, partials, tile, shared);
    team.each([&](int c) {
      if (c >= cut.tile) return;
      std::int64_t const channel = tile * cut.tile + c;
      float const center = shared[c], squared = shared[threads + c];
      float const scale       = 1.0f / sqrtf(squared / static_cast<float>(cut.rows) + eps);
      shared[threads + c]     = scale * weight[channel];
      shared[2 * threads + c] = bias[channel];
      if (strip == 0) {
        mean[channel]         = center;
        invstd[channel]       = scale;
        running_mean[channel] = momentum * center + (1 - momentum) * running_mean[channel];
        running_var[channel]  = momentum * (squared / static_cast<float>(cut.rows - 1)) + (1 - momentum) * running_var[channel];
      }
    });
    team.each([&](int thread) {
      part<Number> const mine(cut, tile, strip, thread);
      float center[size], scale[size], offset[size];
      for (int i = 0; i < size; ++i) {
        int const c = mine.column * size + i;
        center[i]   = shared[c];
        scale[i]    = shared[threads + c];
        offset[i]   = shared[2 * threads + c];
      }
      mine.template each<2>([&](int const(&places)[2]) {
        words in[2], more[2];
        for (int k = 0; k < 2; ++k)
          if (places[k] >= 0) {
            in[k] = load_words(x + mine.from + places[k]);
            if (shortcut != nullptr) more[k] = load_words(shortcut + mine.from + places[k]);
          }
        for (int k = 0; k < 2; ++k)
          if (places[k] >= 0) {
            float out[size];
            for (int i = 0; i < size; ++i) {
              out[i] = (number_of<Number>(in[k], i) - center[i]) * scale[i] + offset[i];
              if (shortcut != nullptr) out[i] += number_of<Number>(more[k], i);
              if (relu && out[i] < 0) out[i] = 0;  // not a number stays
            }
            store_words(y + mine.from + places[k], words_of<Number>(out));
          }
      });
    });
  }
};

/// Calls work(place, through, in) for a thread's rows: what of dy + more (nullptr: 0) passes the ReLU that made y (nullptr: there was
/// none), and x.
template <number Number, class Work>
C2F_HOST_DEVICE void each_gradient(part<Number> const& mine, Number const* dy, Number const* more, Number const* y, Number const* x,
                                   Work const& work) {
  mine.template each<2>([&](int const(&places)[2]) {
    words gradient[2], second[2], out[2], in[2];
    C2F_UNROLL
    for (int k = 0; k < 2; ++k)
      if (places[k] >= 0) {
        gradient[k] = load_words(dy + mine.from + places[k]);
        in[k]       = load_words(x + mine.from + places[k]);
        if (more != nullptr) second[k] = load_words(more + mine.from + places[k]);
        if (y != nullptr) out[k] = load_words(y + mine.from + places[k]);
      }
    C2F_UNROLL
    for (int k = 0; k < 2; ++k)
      if (places[k] >= 0) {
        float through[in_words<Number>];
        for (int i = 0; i < in_words<Number>; ++i) {
          through[i] = number_of<Number>(gradient[k], i);
          if (more != nullptr) through[i] = rounded<Number>(through[i] + number_of<Number>(second[k], i));
          if (y != nullptr && number_of<Number>(out[k], i) <= 0) through[i] = 0;
        }
        work(places[k], through, in[k]);
      }
  });
}

/// The sums of dz and of dz * xhat for each strip and channel, and dz where it is read again.
template <number Number>
struct backward_sums {
  static constexpr int size = in_words<Number>, shared_size = 2 * size * threads;
  Number const* dy;
  Number const* more;  ///< of a second reader of y, or nullptr
  Number const* y;     ///< or nullptr: there was no ReLU
  Number const* x;
  float const* mean;
  float const* invstd;
  Number* dz;      ///< or nullptr
  pair* partials;  ///< [strips, channels]
  tiles::cut cut;

  template <class Team>
  C2F_HOST_DEVICE void operator()(Team const& team, std::int64_t tile, std::int64_t strip, float* shared) const {
    int const columns = cut.tile / size;
    team.each([&](int thread) {
      part<Number> const mine(cut, tile, strip, thread);
      float center[size], sum[size] = {}, product[size] = {};
      for (int i = 0; i < size; ++i) center[i] = mean[tile * cut.tile + mine.column * size + i];
      each_gradient(mine, dy, more, y, x, [&](int place, float const(&through)[size], words const& in) {
        for (int i = 0; i < size; ++i) {
          sum[i] += through[i];
          product[i] += through[i] * (number_of<Number>(in, i) - center[i]);
        }
        if (dz != nullptr) store_words(dz + mine.from + place, words_of<Number>(through));
      });
      for (int i = 0; i < size; ++i) {
        shared[i * threads + thread]          = sum[i];
        shared[(size + i) * threads + thread] = product[i];
      }
    });
    pool_lanes<sums>(team, shared, size, columns, [](int, int) { return 0; });
    team.each([&](int c) {
      if (c >= cut.tile) return;
      std::int64_t const channel               = tile * cut.tile + c;
      partials[strip * cut.channels + channel] = {shared[c % size * threads + c / size],
                                                  shared[(size + c % size) * threads + c / size] * invstd[channel]};
    });
  }
};

/// dx, and the gradients of weight and bias.
template <number Number>
struct backward_apply {
  static constexpr int size = in_words<Number>, shared_size = 4 * threads;
  Number const* dy;  ///< or dz, with y nullptr
  Number const* y;   ///< or nullptr
  Number const* x;
  float const* mean;
  float const* invstd;
  float const* weight;
  pair const* partials;
  Number* dx;
  float* to_weight;
  float* to_bias;
  tiles::cut cut;

  template <class Team>
  C2F_HOST_DEVICE void operator()(Team const& team, std::int64_t tile, std::int64_t strip, float* shared) const {
    pool_row_blocks<sums>(team, cut, partials, tile, shared);
    team.each([&](int c) {
      if (c >= cut.tile) return;
      std::int64_t const channel = tile * cut.tile + c;
      float const sum = shared[c], product = shared[threads + c];
      if (strip == 0) {
        to_bias[channel]   = sum;
        to_weight[channel] = product;
      }
      // dx = scale * dz - slope * (x - mean) - level
      auto const rows         = static_cast<float>(cut.rows);
      float const scale       = weight[channel] * invstd[channel];
      shared[c]               = mean[channel];
      shared[threads + c]     = scale;
      shared[2 * threads + c] = scale * invstd[channel] * (product / rows);
      shared[3 * threads + c] = scale * (sum / rows);
    });
    team.each([&](int thread) {
      part<Number> const mine(cut, tile, strip, thread);
      float center[size], scale[size], slope[size], level[size];
      for (int i = 0; i < size; ++i) {
        int const c = mine.column * size + i;
        center[i]   = shared[c];
        scale[i]    = shared[threads + c];
        slope[i]    = shared[2 * threads + c];
        level[i]    = shared[3 * threads + c];
      }
      each_gradient(mine, dy, static_cast<Number const*>(nullptr), y, x, [&](int place, float const(&through)[size], words const& in) {
        float to[size];
        for (int i = 0; i < size; ++i) to[i] = scale[i] * through[i] - slope[i] * (number_of<Number>(in, i) - center[i]) - level[i];
        store_words(dx + mine.from + place, words_of<Number>(to));
      });
    });
  }
};

}  // namespace c2f::cuda::norm
