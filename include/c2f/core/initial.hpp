// c2f/core/initial.hpp: initial values of parameters and buffers.
//
// An initialiser is a type with `static double draw(random_stream&, std::span<std::int64_t const> dims, std::int64_t index)`, called
// once per element, in order. The stream is a function of (seed, path of the parameter) alone, so a network has the same initial values
// in every stack: the coarse network of IND equals the network of BL bit for bit.
#pragma once

#include <c2f/core/random.hpp>

#include <cmath>
#include <cstdint>
#include <span>

namespace c2f::initial {

/// Fan-in and fan-out of a weight [out, in, kernel, kernel] (convolution) or [out, in] (linear).
[[nodiscard]] constexpr std::int64_t fan_in(std::span<std::int64_t const> dims) {
  std::int64_t product = 1;
  for (std::size_t i = 1; i < dims.size(); ++i) product *= dims[i];
  return product;
}
[[nodiscard]] constexpr std::int64_t fan_out(std::span<std::int64_t const> dims) {
  std::int64_t product = dims.empty() ? 1 : dims[0];
  for (std::size_t i = 2; i < dims.size(); ++i) product *= dims[i];
  return product;
}

/// Normal with deviation sqrt(2 / (k*k*c_out)): He et al., "Delving deep into rectifiers", ICCV 2015, eq. 14.
struct he_normal {
  static double draw(random_stream& random, std::span<std::int64_t const> dims, std::int64_t) {
    return random.normal() * std::sqrt(2.0 / static_cast<double>(fan_out(dims)));
  }
};

/// Normal with deviation sqrt(2 / c_in), for the rows of a cosine classifier: the published code of Gidaris and Komodakis, CVPR 2018.
struct he_normal_in {
  static double draw(random_stream& random, std::span<std::int64_t const> dims, std::int64_t) {
    return random.normal() * std::sqrt(2.0 / static_cast<double>(fan_in(dims)));
  }
};

/// Normal with deviation sqrt(2 / (fan_in + fan_out)): Glorot and Bengio, AISTATS 2010.
struct xavier_normal {
  static double draw(random_stream& random, std::span<std::int64_t const> dims, std::int64_t) {
    return random.normal() * std::sqrt(2.0 / static_cast<double>(fan_in(dims) + fan_out(dims)));
  }
};

/// Uniform in +-1/sqrt(fan_in), PyTorch's default for a linear layer. `FanIn` is needed for a bias, whose shape does not contain it.
template <std::int64_t FanIn = 0>
struct uniform {
  static double draw(random_stream& random, std::span<std::int64_t const> dims, std::int64_t) {
    return (2.0 * random.uniform() - 1.0) / std::sqrt(static_cast<double>(FanIn > 0 ? FanIn : fan_in(dims)));
  }
};

/// Every element is `Value`.
template <double Value>
struct constant {
  static double draw(random_stream&, std::span<std::int64_t const>, std::int64_t) { return Value; }
};

/// The identity matrix [n, n] plus normal noise of deviation `Noise`.
template <double Noise = 0.0>
struct identity {
  static double draw(random_stream& random, std::span<std::int64_t const> dims, std::int64_t index) {
    double const one = index / dims[1] == index % dims[1] ? 1.0 : 0.0;
    return Noise == 0 ? one : one + Noise * random.normal();
  }
};

using zeros = constant<0.0>;
using ones  = constant<1.0>;

}  // namespace c2f::initial
