// c2f/cuda/kernels/tiles.cuh: work on maps [rows, channels] that sums over rows.
//
//   auto const cut = c2f::cuda::tiles::tiling_of<float>(rows, channels);
//   c2f::cuda::tiles::for_tiles(work, cut, where);               // work(team, tile, strip, shared) for every block
//
// Channels last: rows = N * H * W; channels a multiple of 8, every pointer to a map 16-byte aligned. The launches of launch.cuh give lanes
// one row; here a block of 512 threads owns a tile of `cut.tile` channels and a strip of rows, each thread 16 bytes of channels and every
// so many-th row. team.each(f) calls f(thread) for all threads and waits for them. On the CPU that is a loop, and so the twin takes the
// same sums in the same order, rounding apart. `shared` has Work::shared_size numbers.
//
// What a block says of its strip is left in partials [strips, channels]; whoever wants the whole pools those of its channels before it does
// anything else (pool_row_blocks), so there is no counter and nothing to reset between two replays of a graph. Sums are taken in trees of 8. No
// floating-point atomics: all orders are fixed, and by the sizes alone, not by the GPU.
#pragma once

#include <c2f/cuda/kernels/words.cuh>

namespace c2f::cuda::tiles {

inline constexpr int threads     = 512;
inline constexpr int max_row_blocks = 128;  // so that with tiles of at most 32 channels no thread pools more than `radix` of them
inline constexpr int radix       = 8;

/// What is kept a channel: two sums, or a mean and a sum of squared deviations.
struct alignas(8) pair {
  float first, second;
};

// Threads, tiles and lanes are powers of two: a division by one is a shift, which a compiler that does not know it cannot tell.
// (std::countr_zero is 32 for every number in a kernel: nvcc 13.0 with libstdc++ 12.)
[[nodiscard]] C2F_HOST_DEVICE inline int over(int number, int power) {
#ifdef __CUDA_ARCH__
  return number >> (__ffs(power) - 1);
#else
  return number / power;
#endif
}
[[nodiscard]] C2F_HOST_DEVICE inline int modulo(int number, int power) { return number & (power - 1); }

/// How many of 0 ... n - 1 are `lane` modulo `lanes`.
[[nodiscard]] C2F_HOST_DEVICE inline int dealt(int n, int lane, int lanes) { return lane < n ? over(n - lane + lanes - 1, lanes) : 0; }

/// How [rows, channels] is cut into blocks of `tile` channels (8, 16 or 32) and `strip` rows.
struct cut {
  std::int64_t rows, channels, strip;
  int tile, strips;

  /// Only the last strip may be short.
  [[nodiscard]] C2F_HOST_DEVICE int rows_of(int which) const { return static_cast<int>(which + 1 < strips ? strip : rows - which * strip); }
  /// Of the strips that are `lane` modulo `lanes`.
  [[nodiscard]] C2F_HOST_DEVICE std::int64_t rows_of(int lane, int lanes) const {
    std::int64_t const full = dealt(strips, lane, lanes) * strip;
    return modulo(strips - 1, lanes) == lane ? full - (strips * strip - rows) : full;
  }
  /// A block a tile: for work that only pools what the strips have said.
  [[nodiscard]] cut one_row_block() const {
    cut one    = *this;
    one.strips = 1;
    return one;
  }
};

/// From the sizes alone. Few rows make blocks of two rows a thread, so that small maps still fill many blocks.
template <number Number>
[[nodiscard]] constexpr cut tiling_of(std::int64_t rows, std::int64_t channels) {
  // Narrow tiles make many blocks out of few strips, and a block reads the partial results of all strips; 32 bytes are a sector of L2.
  int const tile           = channels > 64 && channels % 32 == 0 ? 32 : channels % 16 == 0 ? 16 : 8;
  std::int64_t const lanes = threads / (tile / in_words<Number>), share = (rows + max_row_blocks - 1) / max_row_blocks,
                     even = (share + lanes - 1) / lanes * lanes, strip = even > 2 * lanes ? even : 2 * lanes;
  return {rows, channels, strip, tile, static_cast<int>((rows + strip - 1) / strip)};
}

/// Adds up to `radix` pairs.
struct sums {
  template <class Part, class Count>
  C2F_HOST_DEVICE static pair pooled(int parts, Part const& part, Count const&) {
    pair whole{0, 0};
    for (int i = 0; i < radix; ++i)
      if (i < parts) {
        pair const one = part(i);
        whole.first += one.first;
        whole.second += one.second;
      }
    return whole;
  }
};

/// Pools shared[2][planes][threads] down to its first `columns` places: place p belongs to column p % columns and to lane p / columns.
/// count(lane, lanes) is how many rows the lanes that are `lane` modulo `lanes` have.
template <class Pool, class Team, class Count>
C2F_HOST_DEVICE void pool_lanes(Team const& team, float* shared, int planes, int columns, Count const& count) {
  for (int width = threads; width > columns;) {
    int const next = width / radix > columns ? width / radix : columns;
    team.each([&](int thread) {
      // Place p takes p, p + next, p + 2 next, ...: neighbours read neighbours, and nobody reads what another one writes.
      for (int i = thread; i < planes * next; i += threads) {
        int const plane = over(i, next), p = modulo(i, next);
        float* const first  = shared + plane * threads;
        float* const second = first + planes * threads;
        pair const whole    = Pool::pooled(
            over(width, next), [&](int k) { return pair{first[p + k * next], second[p + k * next]}; },
            [&](int k) { return count(over(p + k * next, columns), over(width, columns)); });
        first[p]  = whole.first;
        second[p] = whole.second;
      }
    });
    width = next;
  }
}

/// Leaves what all strips say of the tile's channel c in shared[c] and shared[threads + c].
template <class Pool, class Team>
C2F_HOST_DEVICE void pool_row_blocks(Team const& team, cut const& all, pair const* partials, std::int64_t tile, float* shared) {
  team.each([&](int thread) {
    int const c = modulo(thread, all.tile), lane = over(thread, all.tile), lanes = over(threads, all.tile);
    pair const whole = Pool::pooled(
        dealt(all.strips, lane, lanes), [&](int k) { return partials[(lane + k * lanes) * all.channels + tile * all.tile + c]; },
        [&](int k) { return all.rows_of(lane + k * lanes); });
    shared[thread]           = whole.first;
    shared[threads + thread] = whole.second;
  });
  pool_lanes<Pool>(team, shared, 1, all.tile, [&](int lane, int lanes) { return all.rows_of(lane, lanes); });
}

/// A thread's part of a block: 16 bytes of channels, and every `lanes`-th row of the strip.
template <number Number>
struct part {
  int columns, column, lane, lanes;
  int rows, step;     ///< rows of the strip; numbers from row to row
  std::int64_t from;  ///< the first number of the strip's first row

  C2F_HOST_DEVICE part(cut const& all, std::int64_t tile, std::int64_t strip, int thread)
      : columns(all.tile / in_words<Number>),
        column(modulo(thread, columns)),
        lane(over(thread, columns)),
        lanes(over(threads, columns)),
        rows(all.rows_of(static_cast<int>(strip))),
        step(static_cast<int>(all.channels)),
        from(strip * all.strip * all.channels + tile * all.tile + column * in_words<Number>) {}

  /// Calls work(places) for groups of `Rows` of its rows: places[k] is where the row's first number is behind `from`, or -1 behind the
  /// last row. Who reads all before it computes has several loads on their way.
  template <int Rows, class Work>
  C2F_HOST_DEVICE void each(Work const& work) const {
    for (int row = lane; row < rows; row += Rows * lanes) {
      int places[Rows];
      for (int k = 0; k < Rows; ++k) places[k] = row + k * lanes < rows ? (row + k * lanes) * step : -1;
      work(places);
    }
  }
};

/// The CPU's team: one after the other.
struct one_by_one {
  template <class F>
  void each(F const& f) const {
    for (int thread = 0; thread < threads; ++thread) f(thread);
  }
};

#ifdef __CUDACC__

/// The threads of a block.
struct block {
  template <class F>
  __device__ void each(F const& f) const {
    f(static_cast<int>(threadIdx.x));
    __syncthreads();
  }
};

template <class Work>
__global__ void __launch_bounds__(threads) tiles_kernel(Work const work) {
  cuda::detail::begin();
  __shared__ float shared[Work::shared_size];
  work(block{}, std::int64_t{blockIdx.x}, std::int64_t{blockIdx.y}, shared);
}
template <class Work>
void launch_tiles(Work const& work, cut const& all, void* stream) {
  // Tiles are next to each other, so that the sectors of a row are read at about the same time.
  dim3 const grid(static_cast<unsigned>(all.channels / all.tile), static_cast<unsigned>(all.strips));
  cuda::detail::start(tiles_kernel<Work>, grid, threads, stream, work);
}

#else

template <class Work>
void launch_tiles(Work const& work, cut const& all, void* stream);

#endif

/// Calls work(team, tile, strip, shared) for every block of a cut.
template <class Work>
void for_tiles(Work const& work, cut const& all, device_stream where) {
  if (all.rows == 0) return;
  if constexpr (has_kernels)
    if (where.on_gpu) return launch_tiles(work, all, where.stream);
  alignas(16) float shared[Work::shared_size];
  for (std::int64_t strip = 0; strip < all.strips; ++strip)
    for (std::int64_t tile = 0; tile < all.channels / all.tile; ++tile) work(one_by_one{}, tile, strip, shared);
}

}  // namespace c2f::cuda::tiles
