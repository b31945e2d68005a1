// c2f/core/pass.hpp: the context of one forward pass of a stack.
//
//   c2f::pass step{.mode = c2f::train, .truth = labels, .t = 0.5, .seed = 1, .epoch = 3, .ids = ids};
//   auto out = model(images, step);
//   step.loss().backward();
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/mode.hpp>
#include <c2f/core/random.hpp>

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace c2f {

/// A loss that was collected during a pass.
struct named_loss {
  char const* name;
  at::Tensor value;  ///< a scalar, already weighted
};

/// Thrown by a part that needs the host, while the pass is being captured into a graph.
struct needs_host : error {
  using error::error;
};

/// The values that change from step to step, in device memory, so that a captured step can be replayed with new ones.
struct device_numbers {
  at::Tensor t;        ///< one double
  at::Tensor uniform;  ///< [levels, N] double: the random number in (0, 1] of each sample for purpose::source, one row per nesting level
  at::Tensor keys;     ///< [2] int64: seed and epoch
  at::Tensor ids;      ///< [N] int64
  mutable std::int64_t levels = 0;  ///< how many rows were requested

  /// The row of a level; undefined where there is none.
  [[nodiscard]] at::Tensor uniform_at(std::uint32_t level) const {
    levels = std::max<std::int64_t>(levels, level + 1);
    return uniform.defined() && level < uniform.size(0) ? uniform.select(0, level) : at::Tensor();
  }
};

/// One forward pass of a stack: the inputs of its parts, and the losses they add.
///
///   truth          in training the truths of the batch: the kind's truth_value and [N, truth_dims...] (int64 [N] for class_vector, float
///                  [N, K, 5] for boxes, int64 [N, H, W] for dense), on the device of the images; undefined at inference
///   conditioning   ỹ, a prediction of the kind ([N, K], [N, K, 4] or [N, K, H, W]): in training the result of the source (the truth
///                  or the coarse prediction), at inference the coarse prediction; set before encoder and fuse run
struct pass {
  c2f::mode mode = eval;
  at::Tensor truth{};
  double t           = 1;               ///< probability that the fine network sees the prediction (Ren et al. 2020, eq. 3)
  std::uint64_t seed = 0, epoch = 0;    ///< random choices depend on these and the sample's id alone
  std::span<std::int64_t const> ids{};  ///< the samples of the batch; empty: 0, 1, 2, ...
  std::vector<named_loss> losses{};     ///< filled by the pass
  at::Tensor conditioning{};
  std::uint32_t level = 0;         ///< nesting depth of a stack that is the coarse network of another
  std::uint32_t drops = 0;         ///< dropout layers evaluated so far in this pass
  device_numbers const* device{};  ///< if set, parts that support it read t and random numbers from here
  bool capturing{};                ///< a graph capture is running: nothing may be read from the host

  [[nodiscard]] bool training() const { return mode == train; }

  void add(char const* name, at::Tensor value) { losses.push_back({name, std::move(value)}); }

  /// The sum of the losses.
  [[nodiscard]] at::Tensor loss() const {
    at::Tensor sum;
    for (auto const& each : losses) sum = sum.defined() ? sum.add(each.value) : each.value;
    return sum;
  }

  /// Called by a part before it uses the host; throws needs_host during graph capture.
  void requires_host(char const* part) const {
    if (capturing) throw needs_host(part);
  }

  /// The purpose at this nesting level, so that a nested stack draws independent numbers.
  [[nodiscard]] purpose here(purpose what) const { return static_cast<purpose>(static_cast<std::uint32_t>(what) + (level << 8)); }

  /// The random numbers of sample `index` of the batch: a function of (seed, purpose, level, epoch, id).
  [[nodiscard]] random_stream draws(purpose what, std::int64_t index) const {
    requires_host("a random choice made on the host");
    auto const id = ids.empty() ? index : ids[static_cast<std::size_t>(index)];
    return {seed, here(what), epoch, static_cast<std::uint64_t>(id)};
  }
};

namespace detail {

/// A network that takes the whole pass instead of the mode: a stack, or a network with a dropout layer.
template <class Net>
concept wants_pass = requires(Net const& net, at::Tensor const& x, pass& p) { net(x, p); };

template <class Net>
at::Tensor run(Net const& net, at::Tensor const& x, pass& p) {
  if constexpr (wants_pass<Net>) {
    ++p.level;
    at::Tensor const raw = net(x, p);
    --p.level;
    return raw;
  } else {
    return net(x, p.mode);
  }
}

}  // namespace detail
}  // namespace c2f
