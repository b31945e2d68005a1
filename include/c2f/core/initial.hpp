// c2f/core/initial.hpp: initial values of parameters and buffers.
//
// An initialiser is a type with `static double draw(random_stream&, std::span<std::int64_t const> dims, std::int64_t index)`, called
// once per element, in order. An optional `static void finish(std::span<std::int64_t const> dims, float* values)` may then change all
// elements together. The stream is a function of (seed, path of the parameter) alone, so a network has the same initial values
// in every stack: the coarse network of IND equals the network of BL bit for bit.
#pragma once

#include <c2f/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

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

/// Normal with this deviation; the heads of detectors.
template <double Deviation>
struct normal {
  static double draw(random_stream& random, std::span<std::int64_t const>, std::int64_t) { return random.normal() * Deviation; }
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

namespace detail {
inline double dot(double const* a, double const* b, std::size_t size) {
  double sums[4] = {};  // several, so that the loop is vectorised
  std::size_t i  = 0;
  for (; i + 4 <= size; i += 4)
    for (std::size_t lane = 0; lane < 4; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  for (; i < size; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}
/// Makes `count` rows of `size` numbers orthonormal by modified Gram-Schmidt: the Q of a QR decomposition with a positive diagonal of R. In
/// double its rounding errors, about 1e-16 times the condition number, do not matter for float.
inline void orthonormalise(std::vector<double>& rows, std::size_t count, std::size_t size) {
  for (std::size_t i = 0; i < count; ++i) {
    double* const row = rows.data() + i * size;
    for (std::size_t j = 0; j < i; ++j) {
      double const* const other = rows.data() + j * size;
      double const along        = dot(row, other, size);
      for (std::size_t k = 0; k < size; ++k) row[k] -= along * other[k];
    }
    double const norm = std::sqrt(dot(row, row, size));
    for (std::size_t k = 0; k < size; ++k) row[k] /= norm;
  }
}
}  // namespace detail

/// `Gain` times a random matrix with orthonormal rows, or columns if there are fewer of them, for a weight [out, in * kernel * kernel]:
/// torch.nn.init.orthogonal_. Saxe et al., ICLR 2014. Cost: n * n * m multiplications, n the shorter side: .5 s for
/// 512 x 4,608.
template <double Gain = 1.0>
struct orthogonal {
  static double draw(random_stream& random, std::span<std::int64_t const>, std::int64_t) { return random.normal(); }
  static void finish(std::span<std::int64_t const> dims, float* values) {
    auto const rows = static_cast<std::size_t>(dims[0]), columns = static_cast<std::size_t>(fan_in(dims));
    bool const wide        = rows <= columns;
    std::size_t const many = std::min(rows, columns), size = std::max(rows, columns);
    auto const at = [&](std::size_t i, std::size_t j) -> float& { return values[wide ? i * size + j : j * many + i]; };
    std::vector<double> all(many * size);
    for (std::size_t i = 0; i < many; ++i)
      for (std::size_t j = 0; j < size; ++j) all[i * size + j] = at(i, j);
    detail::orthonormalise(all, many, size);
    for (std::size_t i = 0; i < many; ++i)
      for (std::size_t j = 0; j < size; ++j) at(i, j) = static_cast<float>(Gain * all[i * size + j]);
  }
};

/// Bilinear interpolation as the weight [in, out, k, k] of a transposed convolution with stride k / 2: a kernel from each channel to
/// itself, else 0; or [in, 1, k, k] with one group per channel. Long et al., CVPR 2015.
struct bilinear {
  static double draw(random_stream&, std::span<std::int64_t const> dims, std::int64_t index) {
    std::int64_t const size = dims[3], j = index % size, i = index / size % dims[2], pair = index / size / dims[2];
    if (dims[1] > 1 && pair / dims[1] != pair % dims[1]) return 0;
    double const half = static_cast<double>((size + 1) / 2), middle = static_cast<double>(size - 1) / 2;
    auto const tent = [&](std::int64_t at) { return 1 - std::abs(static_cast<double>(at) - middle) / half; };
    return tent(i) * tent(j);
  }
};

using zeros = constant<0.0>;
using ones  = constant<1.0>;

}  // namespace c2f::initial
