// c2f/core/progress.hpp: how far a training is, and the pass of a stack that it is told to.
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
#include <vector>

namespace c2f {

/// How much of the training is done, in each of the units a schedule may be written in.
struct progress {
  std::int64_t epoch     = 0;  ///< whole epochs done
  std::int64_t iteration = 0;  ///< steps done
  double fraction        = 0;  ///< steps done / all steps, in [0, 1]
};

/// A loss that a pass collected.
struct named_loss {
  char const* name;
  at::Tensor value;  ///< a scalar, its weight applied
};

/// A part of a pass wanted the host, where the pass is being recorded.
struct needs_host : error {
  using error::error;
};

/// What changes from step to step, in the memory of the device: for work that is recorded once and then repeated with other numbers.
struct device_numbers {
  at::Tensor t;        ///< one double
  at::Tensor uniform;  ///< [levels, N] double: the number of purpose::source of each sample in (0, 1], for stacks in stacks a row each
  at::Tensor keys;     ///< [2] int64: seed and epoch
  at::Tensor ids;      ///< [N] int64
  mutable std::int64_t levels = 0;  ///< rows that were asked for

  /// The row of a level; undefined where there is none.
  [[nodiscard]] at::Tensor uniform_at(std::uint32_t level) const {
    levels = std::max<std::int64_t>(levels, level + 1);
    return uniform.defined() && level < uniform.size(0) ? uniform.select(0, level) : at::Tensor();
  }
};

/// What the parts of a stack are told of one pass, and where they leave their losses.
struct pass {
  c2f::mode mode = eval;
  at::Tensor truth{};                   ///< undefined at inference
  double t           = 1;               ///< probability that the fine network sees the prediction
  std::uint64_t seed = 0, epoch = 0;    ///< with the sample's id, all that a random choice depends on
  std::span<std::int64_t const> ids{};  ///< the samples of the batch; empty: 0, 1, 2, ...
  std::vector<named_loss> losses{};     ///< filled by the pass
  at::Tensor told{};                    ///< ỹ, while encoder and fuse run
  std::uint32_t level = 0;              ///< depth of nesting when a stack is the coarse network of another
  std::uint32_t drops = 0;              ///< how many dropouts have drawn in this pass
  device_numbers const* device{};       ///< where set, t and random numbers are taken from here by the parts that can
  bool recorded{};                      ///< the pass is being recorded: nothing may come from the host

  [[nodiscard]] bool training() const { return mode == train; }

  void add(char const* name, at::Tensor value) { losses.push_back({name, std::move(value)}); }

  /// The sum of what the pass collected.
  [[nodiscard]] at::Tensor loss() const {
    at::Tensor sum;
    for (auto const& each : losses) sum = sum.defined() ? sum.add(each.value) : each.value;
    return sum;
  }

  /// Said by a part that works on the host.
  void on_host(char const* part) const {
    if (recorded) throw needs_host(part);
  }

  /// The purpose at this level, so that a stack in a stack draws numbers of its own.
  [[nodiscard]] purpose here(purpose what) const { return static_cast<purpose>(static_cast<std::uint32_t>(what) + (level << 8)); }

  /// The numbers of sample `index` of the batch: a function of (seed, purpose, level, epoch, id).
  [[nodiscard]] random_stream draws(purpose what, std::int64_t index) const {
    on_host("a random choice made on the host");
    auto const id = ids.empty() ? index : ids[static_cast<std::size_t>(index)];
    return {seed, here(what), epoch, static_cast<std::uint64_t>(id)};
  }
};

namespace detail {

/// A network that wants to know the whole pass and not only its mode: a stack, or one that has a dropout in it.
template <class Net>
concept wants_pass = requires(Net const& net, at::Tensor const& x, pass& p) { net(x, p); };

template <class Net>
at::Tensor run(Net const& net, at::Tensor const& x, pass& p) {
  if constexpr (wants_pass<Net>) {
    ++p.level;
    at::Tensor const answer = net(x, p);
    --p.level;
    return answer;
  } else {
    return net(x, p.mode);
  }
}

}  // namespace detail
}  // namespace c2f
