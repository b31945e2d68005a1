// c2f/cuda/kernels/map.cuh: kernels that compute maps [N, C, H, W] element by element.
//
//   struct ramp { C2F_HOST_DEVICE float operator()(c2f::cuda::map_position const& at) const { return float(at.x); } };
//   c2f::cuda::fill(numbers, c2f::cuda::map_shape{N, C, H, W, /*channels_last=*/true}, ramp{}, where);
//
// Such a kernel is a functor that returns the value at a position. A thread of fill_map calls it for 16 bytes of neighbours in memory and
// writes them with one access, for any memory format and sizes, so that a position is computed by division once for 4 floats or 8 bfloat16.
// If a value is a long sum, `Per` = 1 gives each element its own thread.
#pragma once

#include <c2f/cuda/runtime/launch.cuh>

namespace c2f::cuda {

/// Sample, channel, row and column of an element.
struct map_position {
  int n, c, y, x;
};

/// The sizes of maps in the memory format contiguous or, if `last`, channels_last. A map has fewer than 2^31 pixels, so that most of the
/// index arithmetic has 32 bits; 64-bit arithmetic takes several instructions on a GPU.
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
  /// The inverse of at().
  [[nodiscard]] C2F_HOST_DEVICE map_position position_of(std::int64_t index) const {
    auto const n           = static_cast<int>(index / sample());
    std::int64_t const off = index - n * sample();
    auto const c           = static_cast<int>(last ? off % channels : off / area());
    auto const pixel       = static_cast<int>(last ? off / channels : off % area());
    return {n, c, pixel / width, pixel % width};
  }
  /// The first position of the i-th pack of `per` elements, for maps in channels_last whose channels are a multiple of `per`. With fewer
  /// than 2^32 packs, the usual case, there is no 64-bit division.
  [[nodiscard]] C2F_HOST_DEVICE map_position position_of_pack(std::int64_t i, int per) const {
    if (i >> 32 != 0) return position_of(i * per);
    auto const packs = static_cast<std::uint32_t>(channels / per), across = static_cast<std::uint32_t>(width);
    auto const pack = static_cast<std::uint32_t>(i), pixel = pack / packs, row = pixel / across,
               n = row / static_cast<std::uint32_t>(height);
    return {static_cast<int>(n), static_cast<int>(pack - pixel * packs) * per, static_cast<int>(row) - static_cast<int>(n) * height,
            static_cast<int>(pixel - row * across)};
  }
  /// Moves to the next position in memory order.
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

/// Thread i: elements i * Per ... i * Per + Per - 1 of `to`, which is aligned to 16 bytes.
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
