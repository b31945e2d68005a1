// c2f/core/random.hpp: counter-based random numbers, a function of (seed, purpose, epoch, id).
//
//   c2f::random_stream draw{seed, c2f::purpose::source, epoch, sample_id};
//   double a = draw.uniform();                         // in (0, 1]
//
// There is no global state: a stream is computed from (seed, purpose, epoch, id), so a sample gets the same numbers for any batch size
// and number of threads or processes, and after a run is resumed.
//
// The generator is Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011: ten rounds of two
// 32x32 -> 64 bit multiplications map a 128-bit counter and a 64-bit key to 128 bits.
//
// Cost: about 10 ns on a CPU for a block of four numbers; no allocation.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

namespace c2f {

/// Philox4x32-10: 128 random bits from a 128-bit counter and a 64-bit key.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    std::uint64_t const product0 = std::uint64_t{0xD2511F53u} * counter[0];
    std::uint64_t const product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter                      = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
                                    static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// 64-bit FNV-1a hash of a text, or of what `hash` is the hash of, followed by it: a parameter's path becomes the id of its stream.
[[nodiscard]] constexpr std::uint64_t hash_of(std::string_view text, std::uint64_t hash = 0xcbf29ce484222325u) {
  for (char const c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// What a stream is used for. Streams of different purposes are independent.
enum class purpose : std::uint32_t {
  initial_value = 1,   ///< id = hash of the parameter's path, epoch = 0
  order         = 2,   ///< the order of the samples in an epoch, id = 0; of a stream's pass (data/streams.hpp), id = 1 + stream + 2^32 pass
  augment       = 3,   ///< crop and flip of one sample
  source        = 4,   ///< truth or prediction as the conditioning of a sample (Ren et al. 2020, eq. 3)
  corrupt       = 5,   ///< how source::corrupt changes a truth
  synthesis     = 6,   ///< procedural data
  replace       = 7,   ///< the replacement of a sample that cannot be read
  crop          = 8,   ///< jitter of the margins of a crop in training
  partition     = 9,   ///< the test or validation samples of a random split, id = hash of a sample's name, or its id
  episode       = 10,  ///< a few-shot episode, id = its number; epoch = 0: its classes and samples, 1: more queries in training
  dropout       = 11,  ///< which activations of a sample are dropped
  bootstrap     = 12,  ///< the samples of a resample (metrics/bootstrap.hpp), id = its number
  attention     = 13,  ///< which attention map of a sample becomes the mask (parts/encode_attention.hpp)
  pairing       = 14,  ///< which views of co-training are pairs in a step (systems/deep_co_training.hpp), id = the step
  noise         = 15,  ///< which samples the teacher of systems/mean_teacher.hpp sees mirrored
  box_sampling  = 24,  ///< which boxes of a picture a loss is computed of (detection/assign.hpp)
};
/// Purposes for parts outside of c2f: number 0 ... 127.
[[nodiscard]] constexpr purpose user_purpose(std::uint32_t number) { return static_cast<purpose>(128 + number % 128); }

/// The sequence of numbers of one (seed, purpose, epoch, id).
class random_stream {
 public:
  constexpr random_stream(std::uint64_t seed, purpose what, std::uint64_t epoch, std::uint64_t id) {
    // (purpose, epoch) and the seed make the key; the id and a running index make the counter.
    auto const mixed =
        philox({static_cast<std::uint32_t>(what), static_cast<std::uint32_t>(epoch), static_cast<std::uint32_t>(epoch >> 32), 0x63326600u},
               {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    key_ = {mixed[0], mixed[1]};
    id_  = id;
  }

  /// 32 uniform random bits.
  [[nodiscard]] constexpr std::uint32_t bits() {
    if (left_ == 0) {
      block_ = block(next_++);
      left_  = 4;
    }
    return block_[static_cast<std::size_t>(4 - left_--)];
  }

  /// Uniform in (0, 1], a multiple of 2^-32: never 0, so that `uniform() > t` is always true for t = 0 and always false for t = 1.
  [[nodiscard]] constexpr double uniform() { return uniform_of(bits()); }
  [[nodiscard]] static constexpr double uniform_of(std::uint32_t bits) { return (static_cast<double>(bits) + 1.0) * 0x1p-32; }

  /// Numbers 4 index ... 4 index + 3 of bits(), independent of the position of the stream.
  [[nodiscard]] constexpr std::array<std::uint32_t, 4> block(std::uint64_t index) const {
    return philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), static_cast<std::uint32_t>(id_),
                   static_cast<std::uint32_t>(id_ >> 32)},
                  key_);
  }

  /// Uniform in 0 ... n-1, n > 0.
  [[nodiscard]] constexpr std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>((std::uint64_t{bits()} * n) >> 32); }

  /// Standard normal (Box-Muller, the cosine branch): consumes two uniform numbers.
  [[nodiscard]] double normal() {
    double const radius = std::sqrt(-2.0 * std::log(uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  std::array<std::uint32_t, 2> key_{};
  std::uint64_t id_ = 0, next_ = 0;  // next_: index of the next block
  std::array<std::uint32_t, 4> block_{};
  int left_ = 0;
};

}  // namespace c2f
