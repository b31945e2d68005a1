// c2f/cuda/kernels/tiles.cuh: kernels on maps [rows, channels] that reduce over rows.
//
//   auto const tiling = c2f::cuda::tiles::tiling_of<float>(rows, channels);
//   c2f::cuda::tiles::for_tiles(work, tiling, where);       // work(thread_block, tile, row_block, shared), once per thread block
//
// Maps have the memory format channels_last: rows = N * H * W. The number of channels is a multiple of 8, every pointer to a map is aligned
// to 16 bytes. The launches of launch.cuh give a warp or a block one row; here a block of 512 threads computes a tile of
// `tiling.channels_per_tile` channels and a block of rows: each thread 16 bytes of channels in every n-th row. thread_block.each(f) calls
// f(thread) for all threads and synchronises them. On the CPU it is a loop, so the CPU version adds the same sums in the same order, except
// for rounding. `shared` is shared memory of Work::shared_size floats.
//
// A thread block writes the partial results of its row block to partials [row_blocks, channels]. The next kernel begins by reducing those
// of its own channels (pool_row_blocks), so there is no counter to reset between two replays of a graph. Reductions are trees of radix 8
// without floating-point atomics: their order depends on the sizes alone, not on the GPU.
#pragma once

#include <c2f/cuda/kernels/words.cuh>

namespace c2f::cuda::tiles {

inline constexpr int threads        = 512;
inline constexpr int max_row_blocks = 128;  // with tiles of at most 32 channels a thread then reduces at most `radix` of them
inline constexpr int radix          = 8;

/// The partial result of a channel: two sums, or a mean and a sum of squared deviations.
struct alignas(8) pair {
  float first, second;
};

// Numbers of threads, tiles and lanes are powers of two. The compiler does not know it, so the division is written as a shift.
// (Not by std::countr_zero, which is 32 for every number in a kernel: nvcc 13.0 with libstdc++ 12.)
[[nodiscard]] C2F_HOST_DEVICE inline int divide(int number, int power_of_two) {
#ifdef __CUDA_ARCH__
  return number >> (__ffs(power_of_two) - 1);
#else
  return number / power_of_two;
#endif
}
[[nodiscard]] C2F_HOST_DEVICE inline int modulo(int number, int power_of_two) { return number & (power_of_two - 1); }

/// How many of 0 ... n - 1 belong to `lane`, where number i belongs to lane i % lanes.
[[nodiscard]] C2F_HOST_DEVICE inline int count_of_lane(int n, int lane, int lanes) {
  return lane < n ? divide(n - lane + lanes - 1, lanes) : 0;
}

/// How [rows, channels] is divided into tiles of channels (8, 16 or 32 of them) and blocks of rows.
struct tiling {
  std::int64_t rows, channels, rows_per_block;
  int channels_per_tile, row_blocks;

  /// The rows of a row block; only the last one may have fewer than rows_per_block.
  [[nodiscard]] C2F_HOST_DEVICE int rows_of(int row_block) const {
    return static_cast<int>(row_block + 1 < row_blocks ? rows_per_block : rows - row_block * rows_per_block);
  }
  /// The rows of all row blocks that belong to `lane`, as in count_of_lane.
  [[nodiscard]] C2F_HOST_DEVICE std::int64_t rows_of(int lane, int lanes) const {
    std::int64_t const full = count_of_lane(row_blocks, lane, lanes) * rows_per_block;
    return modulo(row_blocks - 1, lanes) == lane ? full - (row_blocks * rows_per_block - rows) : full;
  }
  /// The same tiles with one thread block each: for kernels that only reduce partial results.
  [[nodiscard]] tiling one_row_block() const {
    tiling one     = *this;
    one.row_blocks = 1;
    return one;
  }
};

/// A function of the sizes alone. Small maps get two rows per thread, so that they still fill many thread blocks.
template <number Number>
[[nodiscard]] constexpr tiling tiling_of(std::int64_t rows, std::int64_t channels) {
  // Narrow tiles make many thread blocks of few row blocks, and every thread block reads the partial results of all row blocks. 32 bytes
  // are a sector of the L2 cache.
  int const tile           = channels > 64 && channels % 32 == 0 ? 32 : channels % 16 == 0 ? 16 : 8;
  std::int64_t const lanes = threads / (tile / in_words<Number>), least = (rows + max_row_blocks - 1) / max_row_blocks,
                     even = (least + lanes - 1) / lanes * lanes, rows_per_block = even > 2 * lanes ? even : 2 * lanes;
  return {rows, channels, rows_per_block, tile, static_cast<int>((rows + rows_per_block - 1) / rows_per_block)};
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

/// Reduces shared[2][planes][threads] to the first `columns` positions: position p belongs to column p % columns and lane p / columns.
/// count(lane, lanes) is the number of rows of the lanes that are `lane` modulo `lanes`.
template <class Pool, class ThreadBlock, class Count>
C2F_HOST_DEVICE void pool_lanes(ThreadBlock const& thread_block, float* shared, int planes, int columns, Count const& count) {
  for (int width = threads; width > columns;) {
    int const next = width / radix > columns ? width / radix : columns;
    thread_block.each([&](int thread) {
      // Position p reduces p, p + next, p + 2 next, ...: neighbouring threads read neighbours, and no thread reads what another one writes.
      for (int i = thread; i < planes * next; i += threads) {
        int const plane = divide(i, next), p = modulo(i, next);
        float* const first  = shared + plane * threads;
        float* const second = first + planes * threads;
        pair const whole    = Pool::pooled(
            divide(width, next), [&](int k) { return pair{first[p + k * next], second[p + k * next]}; },
            [&](int k) { return count(divide(p + k * next, columns), divide(width, columns)); });
        first[p]  = whole.first;
        second[p] = whole.second;
      }
    });
    width = next;
  }
}

/// Reduces the partial results of all row blocks: channel c of the tile is left in shared[c] and shared[threads + c].
template <class Pool, class ThreadBlock>
C2F_HOST_DEVICE void pool_row_blocks(ThreadBlock const& thread_block, tiling const& all, pair const* partials, std::int64_t tile,
                                     float* shared) {
  thread_block.each([&](int thread) {
    int const width = all.channels_per_tile, c = modulo(thread, width), lane = divide(thread, width), lanes = divide(threads, width);
    pair const whole = Pool::pooled(
        count_of_lane(all.row_blocks, lane, lanes), [&](int k) { return partials[(lane + k * lanes) * all.channels + tile * width + c]; },
        [&](int k) { return all.rows_of(lane + k * lanes); });
    shared[thread]           = whole.first;
    shared[threads + thread] = whole.second;
  });
  pool_lanes<Pool>(thread_block, shared, 1, all.channels_per_tile, [&](int lane, int lanes) { return all.rows_of(lane, lanes); });
}

/// The part of a thread block's work that one thread does: 16 bytes of channels in every `lanes`-th row of the row block.
template <number Number>
struct part {
  int columns, column, lane, lanes;
  int rows, step;     ///< rows of the row block; elements from one row to the next
  std::int64_t from;  ///< the thread's first element in the first row of the row block

  C2F_HOST_DEVICE part(tiling const& all, std::int64_t tile, std::int64_t row_block, int thread)
      : columns(all.channels_per_tile / in_words<Number>),
        column(modulo(thread, columns)),
        lane(divide(thread, columns)),
        lanes(divide(threads, columns)),
        rows(all.rows_of(static_cast<int>(row_block))),
        step(static_cast<int>(all.channels)),
        from(row_block * all.rows_per_block * all.channels + tile * all.channels_per_tile + column * in_words<Number>) {}

  /// Calls work(offsets) for groups of `Rows` rows of the thread: offsets[k] is the offset of a row from `from`, or -1 behind the last row.
  /// A kernel that loads all rows of a group before it computes has several loads in flight.
  template <int Rows, class Work>
  C2F_HOST_DEVICE void each(Work const& work) const {
    for (int row = lane; row < rows; row += Rows * lanes) {
      int offsets[Rows];
      for (int k = 0; k < Rows; ++k) offsets[k] = row + k * lanes < rows ? (row + k * lanes) * step : -1;
      work(offsets);
    }
  }
};

/// The thread block of the CPU version: a loop over the threads.
struct serial_thread_block {
  template <class F>
  void each(F const& f) const {
    for (int thread = 0; thread < threads; ++thread) f(thread);
  }
};

#ifdef __CUDACC__

/// A thread block of the GPU.
struct cuda_thread_block {
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
  work(cuda_thread_block{}, std::int64_t{blockIdx.x}, std::int64_t{blockIdx.y}, shared);
}
template <class Work>
void launch_tiles(Work const& work, tiling const& all, void* stream) {
  // Tiles are adjacent in the grid, so that the sectors of a row are read at about the same time.
  dim3 const grid(static_cast<unsigned>(all.channels / all.channels_per_tile), static_cast<unsigned>(all.row_blocks));
  cuda::detail::start(tiles_kernel<Work>, grid, threads, stream, work);
}

#else

template <class Work>
void launch_tiles(Work const& work, tiling const& all, void* stream);

#endif

/// Calls work(thread_block, tile, row_block, shared) for every tile and row block.
template <class Work>
void for_tiles(Work const& work, tiling const& all, device_stream where) {
  if (all.rows == 0) return;
  if constexpr (has_kernels)
    if (where.on_gpu) return launch_tiles(work, all, where.stream);
  alignas(16) float shared[Work::shared_size];
  for (std::int64_t row_block = 0; row_block < all.row_blocks; ++row_block)
    for (std::int64_t tile = 0; tile < all.channels / all.channels_per_tile; ++tile) work(serial_thread_block{}, tile, row_block, shared);
}

}  // namespace c2f::cuda::tiles
