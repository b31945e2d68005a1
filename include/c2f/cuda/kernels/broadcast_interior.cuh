// c2f/cuda/kernels/broadcast_interior.cuh: broadcasts a small map to an image's size by repeating its middle row and column
// (execution/broadcast_map.hpp), and its gradient.
//
//   c2f::cuda::fill(large, shape, c2f::cuda::broadcast_interior<float>{tiny, onto, of_tiny, shape}, where);
//   c2f::cuda::broadcast_interior_words<float> const work{tiny, onto, large, of_tiny, shape};
//   c2f::cuda::for_each(work, work.count(), where);
//
// tiny [N, C, h, w] -> [N, C, H, W], h odd and at most H, or H itself; so is w. `onto`, a map of the result's shape, is added; nullptr:
// none. broadcast_interior_words is for maps in channels_last with a multiple of 8 channels: a thread computes 16 bytes. All maps have the
// same memory format, contiguous or channels_last.
//
// The gradient of an element of tiny is the sum over the rectangle that it was copied to, taken in two steps of fixed order: over columns,
// which gives [N, C, H, w] in float (a warp per row or, for words, a thread per 16 bytes of channels of a row), then over rows (a warp per
// element).
#pragma once

#include <c2f/cuda/kernels/map.cuh>
#include <c2f/cuda/kernels/words.cuh>

namespace c2f::cuda {

/// The index in a side of `tiny` elements that is copied to index i of the broadcast side of `size` elements.
[[nodiscard]] C2F_HOST_DEVICE inline int source_index(int i, int size, int tiny) {
  int const middle = tiny / 2, more = size - tiny;
  return i <= middle ? i : i <= middle + more ? middle : i - more;
}

/// The index in the small map of the element that is copied to a position of the large map.
[[nodiscard]] C2F_HOST_DEVICE inline std::int64_t source_index(map_position const& at, map_shape const& large, map_shape const& tiny) {
  return tiny.at(at.n, at.c, source_index(at.y, large.height, tiny.height), source_index(at.x, large.width, tiny.width));
}

template <number Number>
struct broadcast_interior {
  Number const* tiny;
  Number const* onto;
  map_shape of_tiny, of_large;

  C2F_HOST_DEVICE float operator()(map_position const& at) const {
    float const value = load(tiny[source_index(at, of_large, of_tiny)]);
    return onto == nullptr ? value : value + load(onto[of_large.at(at.n, at.c, at.y, at.x)]);
  }
};

template <number Number>
struct broadcast_interior_words {
  static constexpr int per = in_words<Number>;
  Number const* tiny;
  Number const* onto;
  Number* large;
  map_shape of_tiny, of_large;

  /// The number of threads.
  [[nodiscard]] std::int64_t count() const { return of_large.count() / per; }

  C2F_HOST_DEVICE void operator()(std::int64_t i) const {
    map_position const at = of_large.position_of_pack(i, per);
    words const value     = load_words(tiny + source_index(at, of_large, of_tiny));
    if (onto == nullptr) return store_words(large + i * per, value);
    words const addend = load_words(onto + i * per);
    float sum[per];
    C2F_UNROLL
    for (int k = 0; k < per; ++k) sum[k] = number_of<Number>(value, k) + number_of<Number>(addend, k);
    store_words(large + i * per, words_of<Number>(sum));
  }
};

/// Sums over columns, for one row of the large map and one channel, in memory order. The gradient is read from channel `first` on.
template <number Number>
struct sum_columns {
  Number const* gradient;
  float* sums;  // [N, C, H, w]
  map_shape of_gradient, of_sums;
  int first;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t row) const {
    map_position const at = map_shape{of_sums.samples, of_sums.channels, of_sums.height, 1, of_sums.last}.position_of(row);
    auto const number     = [&](int i) { return load(gradient[of_gradient.at(at.n, first + at.c, at.y, i)]); };
    int const tiny = of_sums.width, middle = tiny / 2, more = of_gradient.width - tiny;
    float sum = 0;
    for (auto i = static_cast<int>(lanes.first()); i <= more; i += static_cast<int>(lanes.count())) sum += number(middle + i);
    sum = lanes.sum(sum);
    for (auto i = static_cast<int>(lanes.first()); i < tiny; i += static_cast<int>(lanes.count()))
      sums[of_sums.at(at.n, at.c, at.y, i)] = i == middle ? sum : number(i < middle ? i : i + more);
  }
};

/// The same for all channels of maps in channels_last: 16 bytes of channels of one row.
template <number Number>
struct sum_columns_of_words {
  static constexpr int per = in_words<Number>;
  Number const* gradient;
  float* sums;
  map_shape of_gradient, of_sums;

  [[nodiscard]] std::int64_t count() const { return of_sums.resized(of_sums.height, 1).count() / per; }

  C2F_HOST_DEVICE void operator()(std::int64_t i) const {
    map_position const at = map_shape{of_sums.samples, of_sums.channels, of_sums.height, 1, true}.position_of_pack(i, per);
    auto const read       = [&](int column) { return load_words(gradient + of_gradient.at(at.n, at.c, at.y, column)); };
    auto const write      = [&](int column, float const(&numbers)[per]) {
      float* const to = sums + of_sums.at(at.n, at.c, at.y, column);
      C2F_UNROLL
      for (int k = 0; k < per; k += 4) {
        float const four[4]{numbers[k], numbers[k + 1], numbers[k + 2], numbers[k + 3]};
        store_words(to + k, words_of<float>(four));
      }
    };
    int const tiny = of_sums.width, middle = tiny / 2, more = of_gradient.width - tiny;
    float sum[per];
    for (int column = 0; column < tiny; ++column) {
      int const from = column <= middle ? column : column + more, count = column == middle ? more + 1 : 1;
      C2F_UNROLL
      for (int k = 0; k < per; ++k) sum[k] = 0;
      for (int j = 0; j < count; ++j) {
        words const numbers = read(from + j);
        C2F_UNROLL
        for (int k = 0; k < per; ++k) sum[k] += number_of<Number>(numbers, k);
      }
      write(column, sum);
    }
  }
};

/// The sum over rows, for one element of the small map, in memory order.
template <number Number>
struct sum_rows {
  float const* sums;
  Number* to_tiny;
  map_shape of_sums, of_tiny;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t index) const {
    map_position const at = of_tiny.position_of(index);
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
