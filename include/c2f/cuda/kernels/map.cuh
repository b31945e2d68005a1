// c2f/cuda/kernels/map.cuh: kernels that make maps [N, C, H, W], a number a place.
//
//   struct ramp { C2F_HOST_DEVICE float operator()(c2f::cuda::map_position const& at) const { return float(at.x); } };
//   c2f::cuda::fill(numbers, c2f::cuda::map_shape{N, C, H, W, /*last=*/true}, ramp{}, where);
//
// A kernel of this sort is a functor that says what stands at a place; fill_map asks it for 16 bytes of neighbours in memory and writes
// them at once, whatever the layout and the sizes, so that it finds its place by division once for 4 floats or 8 bfloat16. Where a number
// costs a long sum, `Per` = 1 gives it a thread of its own.
#pragma once

#include <c2f/cuda/runtime/launch.cuh>

namespace c2f::cuda {

/// Sample, channel, row and column of a number.
struct map_position {
  int n, c, y, x;
};

/// The sizes of maps that lie contiguous or, `last`, as [N, H, W, C]. Fewer than 2^31 pixels a map, so that little is computed in 64 bits,
/// which a GPU has in two halves.
struct map_shape {
  int samples, channels, height, width;
  bool last;

  C2F_HOST_DEVICE map_shape(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, bool channels_last)
      : samples(static_cast<int>(n)),
        channels(static_cast<int>(c)),
        height(static_cast<int>(h)),
        width(static_cast<int>(w)),
        last(channels_last) {}

  [[nodiscard]] C2F_HOST_DEVICE int area() const { return height * width; }
  [[nodiscard]] C2F_HOST_DEVICE std::int64_t sample() const { return static_cast<std::int64_t>(area()) * channels; }
  [[nodiscard]] C2F_HOST_DEVICE std::int64_t count() const { return sample() * samples; }
  [[nodiscard]] map_shape resized(std::int64_t h, std::int64_t w) const { return {samples, channels, h, w, last}; }
  [[nodiscard]] map_shape with_channels(std::int64_t c) const { return {samples, c, height, width, last}; }
  [[nodiscard]] map_shape with_samples(std::int64_t n) const { return {n, channels, height, width, last}; }

  [[nodiscard]] C2F_HOST_DEVICE std::int64_t at(int n, int c, int y, int x) const {
    int const pixel = y * width + x;
    return n * sample() + (last ? static_cast<std::int64_t>(pixel) * channels + c : static_cast<std::int64_t>(c) * area() + pixel);
  }
  /// What at() gives `index` for.
  [[nodiscard]] C2F_HOST_DEVICE map_position position_of(std::int64_t index) const {
    auto const n           = static_cast<int>(index / sample());
    std::int64_t const off = index - n * sample();
    auto const c           = static_cast<int>(last ? off % channels : off / area());
    auto const pixel       = static_cast<int>(last ? off / channels : off % area());
    return {n, c, pixel / width, pixel % width};
  }
  /// The first place of the i-th pack of `per` numbers, of maps that lie channels last and have whole packs of channels. Fewer than 2^32 of
  /// them are the rule, and then it takes no division of 64 bits.
  [[nodiscard]] C2F_HOST_DEVICE map_position position_of_pack(std::int64_t i, int per) const {
    if (i >> 32 != 0) return position_of(i * per);
    auto const packs = static_cast<std::uint32_t>(channels / per), across = static_cast<std::uint32_t>(width);
    auto const pack = static_cast<std::uint32_t>(i), pixel = pack / packs, row = pixel / across,
               n = row / static_cast<std::uint32_t>(height);
    return {static_cast<int>(n), static_cast<int>(pack - pixel * packs) * per, static_cast<int>(row) - static_cast<int>(n) * height,
            static_cast<int>(pixel - row * across)};
  }
  /// To the next place in memory.
  C2F_HOST_DEVICE void step(map_position& at) const {
    if (last && ++at.c < channels) return;
    if (last) at.c = 0;
    if (++at.x < width) return;
    at.x = 0;
    if (++at.y < height) return;
    at.y = 0;
    if (!last && ++at.c < channels) return;
    if (!last) at.c = 0;
    ++at.n;
  }
};

/// Element i: numbers i * Per ... of `to`, which begins at a multiple of 16 bytes.
template <number Number, class Value, int Per = 16 / sizeof(Number)>
struct fill_map {
  struct alignas(Per * sizeof(Number)) pack {
    Number number[Per];
  };
  map_shape map;
  Number* to;
  Value value;

  C2F_HOST_DEVICE void operator()(std::int64_t i) const {
    std::int64_t const begin = i * Per, left = map.count() - begin;
    map_position at = map.position_of(begin);
    pack numbers{};
#ifdef __CUDACC__
#pragma unroll
#endif
    for (int k = 0; k < Per; ++k) {
      if (k < left) store(numbers.number[k], value(at));
      map.step(at);
    }
    if (left >= Per) {
      *reinterpret_cast<pack*>(to + begin) = numbers;
      return;
    }
#ifdef __CUDACC__
#pragma unroll
#endif
    for (int k = 0; k < Per; ++k)
      if (k < left) to[begin + k] = numbers.number[k];
  }
};

/// to[map.at(n, c, y, x)] = value({n, c, y, x}).
template <int Per, number Number, class Value>
void fill(Number* to, map_shape const& map, Value const& value, device_stream where) {
  for_each(fill_map<Number, Value, Per>{map, to, value}, (map.count() + Per - 1) / Per, where);
}
template <number Number, class Value>
void fill(Number* to, map_shape const& map, Value const& value, device_stream where) {
  fill<16 / sizeof(Number)>(to, map, value, where);
}

}  // namespace c2f::cuda
