// c2f/cuda/kernels/words.cuh: vectorised memory access: 16 bytes of numbers at once, the widest access of a thread.
//
//   c2f::cuda::words const eight = c2f::cuda::load_words(x + i);                     // x: bfloat16 const*, x + i aligned to 16 bytes
//   float const third            = c2f::cuda::number_of<c2f::cuda::bfloat16>(eight, 2);
#pragma once

#include <c2f/cuda/runtime/launch.cuh>

namespace c2f::cuda {

/// 8 bfloat16 or 4 float.
struct alignas(16) words {
  std::uint32_t at[4];
};
/// How many numbers fit into 16 bytes.
template <number Number>
inline constexpr int in_words = 16 / static_cast<int>(sizeof(Number));

[[nodiscard]] C2F_HOST_DEVICE inline words load_words(void const* from) {
#ifdef __CUDA_ARCH__
  return *static_cast<words const*>(from);  // one access; memcpy would be 16
#else
  words loaded;
  memcpy(&loaded, from, sizeof loaded);
  return loaded;
#endif
}
C2F_HOST_DEVICE inline void store_words(void* to, words const& stored) {
#ifdef __CUDA_ARCH__
  *static_cast<words*>(to) = stored;
#else
  memcpy(to, &stored, sizeof stored);
#endif
}

/// Number i of 16 bytes, as a float.
template <number Number>
[[nodiscard]] C2F_HOST_DEVICE inline float number_of(words const& from, int i) {
  if constexpr (std::same_as<Number, float>) {
    float value;
    memcpy(&value, &from.at[i], sizeof value);
    return value;
  } else {
    return load(bfloat16{static_cast<std::uint16_t>(from.at[i / 2] >> (16 * (i % 2)))});
  }
}
/// The inverse of number_of: rounds the floats and packs them.
template <number Number>
[[nodiscard]] C2F_HOST_DEVICE inline words words_of(float const (&numbers)[in_words<Number>]) {
  words made;
  for (int i = 0; i < 4; ++i) {
    if constexpr (std::same_as<Number, float>) {
      memcpy(&made.at[i], &numbers[i], sizeof(float));
    } else {
      bfloat16 low, high;
      store(low, numbers[2 * i]);
      store(high, numbers[2 * i + 1]);
      made.at[i] = low.bits | static_cast<std::uint32_t>(high.bits) << 16;
    }
  }
  return made;
}

}  // namespace c2f::cuda
