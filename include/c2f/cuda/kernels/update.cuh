// c2f/cuda/kernels/update.cuh: the end of a training step in a few launches, whatever the number of parameters: SGD, Adam, the norm of all
// gradients, and whether the step is skipped.
//
//   c2f::cuda::flat_table<160> table;                             // the gradient of each piece of the flat buffers
//   c2f::cuda::for_blocks(c2f::cuda::sgd_update<160>{table, parameters, momenta, low, &rate, scale, skip, 0.9f}, table.chunks(), where);
//
// Parameters, momenta and a bfloat16 copy of the parameters are one flat buffer each; piece i begins at element begin(i), a multiple of 64,
// and elements between two pieces are never written. Gradients stay where the backward pass wrote them, float or bfloat16, in the memory
// order of their piece. The formulas are PyTorch's:
//
//   SGD    g = gradient * scale + decay * p;  m = momentum * m + g;  p -= rate * (nesterov ? g + momentum * m : m)
//   Adam   g = gradient * scale + decay * p;  m = b1 * m + (1 - b1) * g;  v = b2 * v + (1 - b2) * g^2
//          p -= rate / (1 - b1^k) * m / (sqrt(v) / sqrt(1 - b2^k) + epsilon)         in update k = 1, 2, ...
//   AdamW  the same with p *= 1 - rate * decay in place of decay * p
//
// where p is a parameter, rate = learning rate * multiplier and decay = weight decay * multiplier, each with the multiplier of its piece.
// Learning rate, scale, skip and k are in device memory: no launch depends on a number of the host, and a captured graph reads them at
// every replay. Where *skip is not 0 nothing is changed.
//
// ATen's fused optimisers launch once per 50 tensors or so of each parameter group, and the bfloat16 copy is another kernel. This one reads
// and writes each operand once, 20 bytes per parameter for SGD with momentum and 2 for the copy, in one launch up to 1,300 pieces
// (many_parts). The table is a kernel argument, so it needs no device memory, and a captured graph holds it.
#pragma once

#include <c2f/cuda/runtime/launch.cuh>

namespace c2f::cuda {

/// A part of the flat buffers that has a gradient.
struct flat_part {
  void const* gradient;           // float or bfloat16
  std::uint32_t begin : 31;       // in units of 64 elements
  std::uint32_t in_bfloat16 : 1;  // the gradient
  std::uint32_t size;             // elements
  float learning_rate_multiplier;
  float decay;  // weight decay times its multiplier
};
static_assert(sizeof(flat_part) == 24);

/// The sizes of the tables that are compiled. A kernel takes 32,764 bytes of arguments (CUDA 12.1, compute capability 7.0), which is the
/// limit for many_parts and the other members of the functors.
inline constexpr int few_parts = 160, many_parts = 1300;

/// The parts of one launch, in the order of their positions.
template <int Most>
struct flat_table {
  static constexpr std::int64_t chunk = 2048;  // elements per thread block
  static constexpr std::int64_t group = 4;     // elements that a lane processes at a time: 16 bytes of float
  flat_part parts[Most];
  int count;

  [[nodiscard]] C2F_HOST_DEVICE std::int64_t begin(int i) const { return std::int64_t{64} * parts[i].begin; }
  /// From the beginning of the first part to the end of the last one.
  [[nodiscard]] std::int64_t chunks() const {
    return count == 0 ? 0 : (begin(count - 1) - begin(0) + std::int64_t{parts[count - 1].size} + chunk - 1) / chunk;
  }

  /// f(part, position in the buffers, position in the part, number of elements: 1 to 4) for every group of a chunk that is inside of a
  /// part. Parts begin at multiples of a group, so no group is in two parts.
  template <class Lanes, class F>
  C2F_HOST_DEVICE void for_groups(Lanes const& lanes, std::int64_t number, F const& f) const {
    std::int64_t const first = begin(0) + number * chunk;
    int now = 0, behind = count;  // binary search: begin(now) <= first < begin(behind)
    while (behind - now > 1) {
      int const middle                        = (now + behind) / 2;
      (begin(middle) <= first ? now : behind) = middle;
    }
    for (std::int64_t i = lanes.first(); i < chunk / group; i += lanes.count()) {
      std::int64_t const at = first + group * i;
      while (now + 1 < count && begin(now + 1) <= at) ++now;
      std::int64_t const inside = at - begin(now), left = std::int64_t{parts[now].size} - inside;
      if (left > 0) f(parts[now], at, inside, static_cast<int>(left < group ? left : group));
    }
  }
};

namespace detail {

template <number Number>
struct alignas(4 * sizeof(Number)) four {
  Number of[4];
};
template <number Number>
[[nodiscard]] C2F_HOST_DEVICE bool is_aligned(Number const* at) {
  return reinterpret_cast<std::uintptr_t>(at) % sizeof(four<Number>) == 0;
}
/// Loads n of 4 numbers, with one access where n is 4 and they are aligned: a gradient may have any address.
template <number Number>
C2F_HOST_DEVICE void load_group(Number const* from, int n, float (&to)[4]) {
  if (n == 4 && is_aligned(from)) {
    four<Number> const all = *reinterpret_cast<four<Number> const*>(from);
    for (int i = 0; i < 4; ++i) to[i] = load(all.of[i]);
  } else {
    for (int i = 0; i < 4; ++i) to[i] = i < n ? load(from[i]) : 0.0f;
  }
}
C2F_HOST_DEVICE inline void load_gradient(flat_part const& part, std::int64_t inside, int n, float (&to)[4]) {
  if (part.in_bfloat16 != 0)
    load_group(static_cast<bfloat16 const*>(part.gradient) + inside, n, to);
  else
    load_group(static_cast<float const*>(part.gradient) + inside, n, to);
}
// One instruction: the compiler would split a plain store of four numbers, because the other branch stores fewer.
template <number Number>
C2F_HOST_DEVICE void store_four(Number* to, four<Number> const& all) {
#ifdef __CUDA_ARCH__
  if constexpr (sizeof all == sizeof(float4))
    __stwb(reinterpret_cast<float4*>(to), reinterpret_cast<float4 const&>(all));
  else
    __stwb(reinterpret_cast<uint2*>(to), reinterpret_cast<uint2 const&>(all));
#else
  memcpy(to, &all, sizeof all);
#endif
}
template <number Number>
C2F_HOST_DEVICE void store_group(Number* to, int n, float const (&from)[4]) {
  if (n == 4 && is_aligned(to)) {
    four<Number> all;
    for (int i = 0; i < 4; ++i) store(all.of[i], from[i]);
    store_four(to, all);
  } else {
    for (int i = 0; i < 4; ++i)
      if (i < n) store(to[i], from[i]);
  }
}
// Not <cmath>'s isfinite, which has different names on host and device.
[[nodiscard]] C2F_HOST_DEVICE inline bool is_finite(double value) { return value - value == 0; }

}  // namespace detail

/// momenta may be nullptr where momentum is 0; low, scale and skip are optional.
template <int Most>
struct sgd_update {
  flat_table<Most> table;
  float* parameters;
  float* momenta;
  bfloat16* low;
  double const* learning_rate;
  float const* scale;
  float const* skip;
  float momentum;
  bool nesterov;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t chunk) const {
    if (skip != nullptr && *skip != 0) return;
    float const factor     = scale != nullptr ? *scale : 1.0f;
    double const base_rate = *learning_rate;
    table.for_groups(lanes, chunk, [&](flat_part const& part, std::int64_t at, std::int64_t inside, int n) {
      float const step = static_cast<float>(base_rate * static_cast<double>(part.learning_rate_multiplier));
      float p[4], g[4], m[4] = {};
      detail::load_group(parameters + at, n, p);
      detail::load_gradient(part, inside, n, g);
      if (momenta != nullptr) detail::load_group(momenta + at, n, m);
      for (int i = 0; i < 4; ++i) {
        g[i] *= factor;
        if (part.decay != 0) g[i] += part.decay * p[i];
        m[i] = momentum * m[i] + g[i];
        p[i] -= step * (nesterov ? g[i] + momentum * m[i] : m[i]);
      }
      if (momenta != nullptr) detail::store_group(momenta + at, n, m);
      detail::store_group(parameters + at, n, p);
      if (low != nullptr) detail::store_group(low + at, n, p);
    });
  }
};

/// Counts the update, unless it is skipped, and computes corrections = {1 - beta1^k, sqrt(1 - beta2^k)}. One thread, before adam_update.
struct adam_advance {
  std::int64_t* step;
  float const* skip;
  double beta1, beta2;
  double* corrections;

  C2F_HOST_DEVICE void operator()(std::int64_t) const {
    if (skip != nullptr && *skip != 0) return;
    double const k = static_cast<double>(++*step);
    corrections[0] = 1 - pow(beta1, k);
    corrections[1] = sqrt(1 - pow(beta2, k));
  }
};

template <int Most>
struct adam_update {
  flat_table<Most> table;
  float* parameters;
  float* first;   // m
  float* second;  // v
  bfloat16* low;
  double const* learning_rate;
  float const* scale;
  float const* skip;
  double const* corrections;
  double beta1, beta2, epsilon;
  bool decoupled;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t chunk) const {
    if (skip != nullptr && *skip != 0) return;
    float const factor     = scale != nullptr ? *scale : 1.0f;
    double const base_rate = *learning_rate, correction = corrections[0];
    float const root = static_cast<float>(corrections[1]), small = static_cast<float>(epsilon);
    float const keep1 = static_cast<float>(beta1), keep2 = static_cast<float>(beta2), take1 = static_cast<float>(1 - beta1),
                take2 = static_cast<float>(1 - beta2);
    table.for_groups(lanes, chunk, [&](flat_part const& part, std::int64_t at, std::int64_t inside, int n) {
      double const rate = base_rate * static_cast<double>(part.learning_rate_multiplier);
      float const step = static_cast<float>(rate / correction), shrink = static_cast<float>(rate * static_cast<double>(part.decay));
      float p[4], g[4], m[4], v[4];
      detail::load_group(parameters + at, n, p);
      detail::load_gradient(part, inside, n, g);
      detail::load_group(first + at, n, m);
      detail::load_group(second + at, n, v);
      for (int i = 0; i < 4; ++i) {
        g[i] *= factor;
        if (part.decay != 0 && decoupled) p[i] -= shrink * p[i];
        if (part.decay != 0 && !decoupled) g[i] += part.decay * p[i];
        m[i] = keep1 * m[i] + take1 * g[i];
        v[i] = keep2 * v[i] + take2 * g[i] * g[i];
        p[i] -= step * m[i] / (sqrtf(v[i]) / root + small);
      }
      detail::store_group(first + at, n, m);
      detail::store_group(second + at, n, v);
      detail::store_group(parameters + at, n, p);
      if (low != nullptr) detail::store_group(low + at, n, p);
    });
  }
};

static_assert(sizeof(adam_update<many_parts>) + sizeof(std::int64_t) <= 32764);  // the largest

/// partial[chunk] = the sum of the squares of its gradients, in double, where the square of a float does not overflow: the sum is finite if
/// and only if all gradients are.
template <int Most>
struct sum_of_squares {
  flat_table<Most> table;
  double* partial;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t chunk) const {
    double sum = 0;
    table.for_groups(lanes, chunk, [&](flat_part const& part, std::int64_t, std::int64_t inside, int n) {
      float g[4];
      detail::load_gradient(part, inside, n, g);
      for (int i = 0; i < 4; ++i) sum += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    });
    sum = lanes.sum(sum);
    if (lanes.first() == 0) partial[chunk] = sum;
  }
};

/// norm = the square root of the sum of all partial sums, in a fixed order. One block.
struct norm_of_sums {
  double const* partial;
  std::int64_t count;
  double* norm;

  template <class Lanes>
  C2F_HOST_DEVICE void operator()(Lanes const& lanes, std::int64_t) const {
    double sum = 0;
    for (std::int64_t i = lanes.first(); i < count; i += lanes.count()) sum += partial[i];
    sum = lanes.sum(sum);
    if (lanes.first() == 0) *norm = sqrt(sum);
  }
};

/// Whether the step is skipped, and the factor that clips its gradients. One thread: a step has a handful of losses.
///   skip = 1 where the norm or a loss is not finite, else 0;  scale = clip / norm where clip > 0 and norm > clip, else 1
///   result [count + 1] = the losses, then skip: what the host reads later
struct decide_step {
  double const* norm;
  double const* losses;
  std::int64_t count;
  double clip;
  float* skip;
  float* scale;
  double* result;

  C2F_HOST_DEVICE void operator()(std::int64_t) const {
    bool finite = detail::is_finite(*norm);
    for (std::int64_t i = 0; i < count; ++i) {
      finite    = finite && detail::is_finite(losses[i]);
      result[i] = losses[i];
    }
    *skip         = finite ? 0.0f : 1.0f;
    *scale        = finite && clip > 0 && *norm > clip ? static_cast<float>(clip / *norm) : 1.0f;
    result[count] = finite ? 0 : 1;
  }
};

}  // namespace c2f::cuda
