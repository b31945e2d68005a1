// Baseline of the benchmarks of a coarse-to-fine step: the two networks of a task alone, the fine one on a precomputed input.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/members.hpp>

namespace bench {

template <class Task>
struct pair {
  using wide = c2f::widen<typename Task::input, Task::input::channels>;
  c2f::network_on<typename Task::network, typename Task::input> coarse;
  c2f::network_on<typename Task::network, wide> fine;
  C2F_MEMBERS(coarse, fine);
};

}  // namespace bench
