// c2f/cuda/kernels/dropout.cuh: dropout, with random numbers that are drawn where they are needed.
//
//   c2f::cuda::drop<float> const work{x, to, ids, keys, each, channels, 0.5, factor, what};
//   c2f::cuda::for_blocks(work, samples * work.chunks(), where);
//
// x [N, each], ids [N], keys = {seed, epoch}: number k of sample i, k counted in the order of the dimensions, becomes 0 or `factor` times
// itself, by number k of random_stream(seed, what, epoch, ids[i]): what layers/dropout.hpp draws on the host, bit for bit. channels: 1, or
// that of x where x is channels last in memory. The gradient is the same work on the gradient, so no mask is kept.
//
// ATen's way with numbers from the host draws N * each of them on one core, sends them and multiplies; its own dropout keeps a mask. This
// reads x once and writes once. Philox makes four numbers at a time, which are four neighbours in the order of the dimensions; in channels
// last, lanes take neighbouring channels, so accesses stay side by side.
#pragma once

#include <c2f/core/random.hpp>
#include <c2f/cuda/runtime/launch.cuh>

namespace c2f::cuda {

template <number Number>
struct drop {
  static constexpr std::int64_t chunk = 1024;  // fours that one block works on
  Number const* x;
  Number* to;
  std::int64_t const* ids;
  std::int64_t const* keys;
  std::int64_t each;
  std::int64_t channels;
  double probability;
  float factor;  // 1 / (1 - probability), rounded to a Number
  std::uint32_t what;

  [[nodiscard]] C2F_HOST_DEVICE std::int64_t chunks() const { return (each + 4 * chunk - 1) / (4 * chunk); }

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t row) const {
    std::int64_t const sample = row / chunks(), first = row % chunks() * chunk, fours = (each + 3) / 4, pixels = each / channels;
    std::int64_t const end = first + chunk < fours ? first + chunk : fours;
    random_stream const numbers(static_cast<std::uint64_t>(keys[0]), static_cast<purpose>(what), static_cast<std::uint64_t>(keys[1]),
                                static_cast<std::uint64_t>(ids[sample]));
    for (std::int64_t i = first + lanes.first(); i < end; i += lanes.count()) {
      std::int64_t const four = pixels % 4 == 0 ? i % channels * (pixels / 4) + i / channels : i;
      auto const bits         = numbers.block(static_cast<std::uint64_t>(four));
      std::int64_t channel = 4 * four / pixels, pixel = 4 * four % pixels;
      for (int k = 0; k < 4; ++k) {
        if (4 * four + k < each) {
          bool const kept       = random_stream::uniform_of(bits[static_cast<std::size_t>(k)]) > probability;
          std::int64_t const at = sample * each + pixel * channels + channel;
          store(to[at], load(x[at]) * (kept ? factor : 0.0f));
        }
        if (++pixel == pixels) pixel = 0, ++channel;
      }
    }
  }
};

}  // namespace c2f::cuda
