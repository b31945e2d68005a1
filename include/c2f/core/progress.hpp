// c2f/core/progress.hpp: how far a training is, and the pass of a stack that it is told to.
//
//   c2f::pass step{.mode = c2f::train, .truth = labels, .t = 0.5, .seed = 1, .epoch = 3, .ids = ids};
//   auto out = model(images, step);
//   step.loss().backward();
#pragma once

#include <c2f/core/mode.hpp>
#include <c2f/core/random.hpp>

#include <ATen/core/Tensor.h>

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

  [[nodiscard]] bool training() const { return mode == train; }

  void add(char const* name, at::Tensor value) { losses.push_back({name, std::move(value)}); }

  /// The sum of what the pass collected.
  [[nodiscard]] at::Tensor loss() const {
    at::Tensor sum;
    for (auto const& each : losses) sum = sum.defined() ? sum.add(each.value) : each.value;
    return sum;
  }

  /// The numbers of sample `index` of the batch: a function of (seed, purpose, level, epoch, id).
  [[nodiscard]] random_stream draws(purpose what, std::int64_t index) const {
    auto const id = ids.empty() ? index : ids[static_cast<std::size_t>(index)];
    return {seed, static_cast<purpose>(static_cast<std::uint32_t>(what) + (level << 8)), epoch, static_cast<std::uint64_t>(id)};
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
