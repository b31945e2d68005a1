// c2f/cuda/kernels/words.cuh: 16 bytes of numbers at once, the widest access that a thread has.
//
//   c2f::cuda::words const eight = c2f::cuda::load_words(x + i);                     // x: bfloat16 const*, x + i a multiple of 16 bytes
//   float const third            = c2f::cuda::number_of<c2f::cuda::bfloat16>(eight, 2);
#pragma once

#include <c2f/cuda/runtime/launch.cuh>

namespace c2f::cuda {

/// 8 bfloat16 or 4 float.
struct alignas(16) words {
  std::uint32_t at[4];
};
template <number Number>
inline constexpr int in_words = 16 / static_cast<int>(sizeof(Number));

[[nodiscard]] C2F_HOST_DEVICE inline words load_words(void const* from) {
#ifdef __CUDA_ARCH__
  return *static_cast<words const*>(from);  // one access; memcpy would make 16
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

/// The i-th number.
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
