// c2f/cuda/kernels/dropout.cuh: dropout whose random numbers are computed in the kernel.
//
//   c2f::cuda::dropout<float> const work{x, to, ids, keys, each, channels, 0.5, factor, what};
//   c2f::cuda::for_blocks(work, samples * work.chunks(), where);
//
// x [N, each], ids [N], keys = {seed, epoch}: element k of sample i, counted in the order of the dimensions, is multiplied by 0 or `factor`
// as random number k of random_stream(seed, what, epoch, ids[i]) decides: what layers/dropout.hpp computes on the host, bit for bit.
// channels: the number of channels where x has the memory format channels_last, else 1. The gradient is the same kernel on the gradient, so
// no mask is saved.
//
// With random numbers of the host, ATen's operations need N * each of them from one core, a copy to the device and a multiplication; ATen's
// own dropout saves a mask. This kernel reads x once and writes once. Philox makes four numbers at a time, for four neighbours in the order
// of the dimensions; in channels_last the lanes take neighbouring channels, so accesses stay coalesced.
#pragma once

#include <c2f/core/random.hpp>
#include <c2f/cuda/runtime/launch.cuh>

namespace c2f::cuda {

template <number Number>
struct dropout {
  static constexpr std::int64_t chunk = 1024;  // groups of four numbers per thread block
  Number const* x;
  Number* to;
  std::int64_t const* ids;
  std::int64_t const* keys;
  std::int64_t each;
  std::int64_t channels;
  double probability;
  float factor;        // 1 / (1 - probability), rounded to a Number
  std::uint32_t what;  // the purpose of random_stream

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
