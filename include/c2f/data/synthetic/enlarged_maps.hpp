// c2f/data/synthetic/enlarged_maps.hpp: drawn maps and the same maps enlarged, to train an up-sampler on.
//
//   c2f::data::enlarged_maps<8, 4> const data(60'000, seed);              // data.train, data.test: [1, 8, 8] and the truth [32, 32]
//
// A map has one to three bumps of different widths and a little noise. It is enlarged bilinearly, bicubically or to nearest neighbours, one of
// them at random (Eshratifar et al. 2019), as by PyTorch's interpolate without align_corners. A pair is a function of (seed, id), drawn when
// it is read; nothing is kept. Cost: a pair of 8x8 and 32x32 pixels takes about 20 us.
#pragma once

#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace c2f::data {

/// How a map is enlarged.
enum class interpolation : std::uint32_t { nearest, bilinear, bicubic };

namespace detail {
/// A line of `size` numbers, each `step` after the one before, enlarged `factor` times: align_corners false, PyTorch's bicubic (a = -.75).
inline void enlarge_line(float const* in, std::int64_t size, std::int64_t step, std::int64_t factor, interpolation how, float* out,
                         std::int64_t out_step) {
  auto const at = [&](std::int64_t i) { return in[std::clamp<std::int64_t>(i, 0, size - 1) * step]; };
  for (std::int64_t o = 0; o < size * factor; ++o) {
    double const middle = (static_cast<double>(o) + .5) / static_cast<double>(factor) - .5;
    auto const first    = static_cast<std::int64_t>(std::floor(middle));
    double const part   = middle - static_cast<double>(first);
    float value         = at(o / factor);
    if (how == interpolation::bilinear) value = static_cast<float>((1 - part) * at(first) + part * at(first + 1));
    if (how == interpolation::bicubic) {
      constexpr double a = -.75;
      auto const near    = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
      auto const far     = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
      value              = static_cast<float>(far(part + 1) * at(first - 1) + near(part) * at(first) + near(1 - part) * at(first + 1) +
                                              far(2 - part) * at(first + 2));
    }
    out[o * out_step] = value;
  }
}
}  // namespace detail

/// A square map of `side`, enlarged `factor` times; `to` has (factor side)^2 numbers.
inline void enlarge(float const* map, std::int64_t side, std::int64_t factor, interpolation how, float* to) {
  std::vector<float> wide(static_cast<std::size_t>(side * side * factor));
  for (std::int64_t y = 0; y < side; ++y) detail::enlarge_line(map + y * side, side, 1, factor, how, wide.data() + y * side * factor, 1);
  for (std::int64_t x = 0; x < side * factor; ++x)
    detail::enlarge_line(wide.data() + x, side, side * factor, factor, how, to + x, side * factor);
}

/// Pairs of a map and the same map enlarged, drawn from (seed, which, id): one to three bumps of different widths, and a little noise.
template <std::int64_t Side, std::int64_t Factor>
struct enlarged_pairs {
  using image       = c2f::image<1, Side, Side>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 2> truth_dims{Factor * Side, Factor* Side};
  std::int64_t count;
  std::uint64_t seed;
  std::uint64_t which = 0;  ///< 0: to train on; 1: to test

  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "maps to enlarge"; }
  [[nodiscard]] std::uint64_t fingerprint() const {
    return hash_of(name() + ' ' + std::to_string(Side) + ' ' + std::to_string(Factor) + ' ' + std::to_string(seed) + ' ' +
                   std::to_string(which));
  }
  void read(std::int64_t id, random_stream*, float* pixels, float* truth) const {
    random_stream draw{seed, purpose::synthesis, which, static_cast<std::uint64_t>(id)};
    std::fill(pixels, pixels + Side * Side, 0.0f);
    for (std::uint32_t bumps = 1 + draw.below(3); bumps > 0; --bumps) {
      double const s = Side, x = s * draw.uniform(), y = s * draw.uniform(), width = s * (.05 + .25 * draw.uniform()),
                   height = draw.uniform();
      for (std::int64_t i = 0; i < Side; ++i)
        for (std::int64_t j = 0; j < Side; ++j) {
          double const dx = static_cast<double>(j) + .5 - x, dy = static_cast<double>(i) + .5 - y;
          pixels[i * Side + j] += static_cast<float>(height * std::exp(-(dx * dx + dy * dy) / (2 * width * width)));
        }
    }
    for (std::int64_t i = 0; i < Side * Side; ++i) pixels[i] += static_cast<float>(.05 * draw.uniform());
    enlarge(pixels, Side, Factor, static_cast<interpolation>(draw.below(3)), truth);
  }
};
/// Pairs to train on, and as many others to score as a tenth of them.
template <std::int64_t Side, std::int64_t Factor>
struct enlarged_maps {
  enlarged_pairs<Side, Factor> train, test;
  explicit enlarged_maps(std::int64_t count = 60'000, std::uint64_t seed = 1)
      : train{count, seed}, test{std::max<std::int64_t>(count / 10, 1), seed, 1} {}
};

}  // namespace c2f::data
