// c2f/refine/refine.hpp: how often the fine network runs.
//
//   using refine = c2f::refine::once;        // (default)
//   using refine = c2f::refine::times<3>;    // at inference the fine network runs three times, each on its last answer
//   using refine = c2f::refine::never;       // no fine network: the coarse network alone, the baseline BL of paper 000
//
// In training the fine network runs once (or never).
#pragma once

#include <c2f/core/sentence.hpp>

#include <concepts>

namespace c2f {

/// Requires: `rounds`, a number known while compiling.
template <class R>
concept refinement = requires {
  { R::rounds } -> std::convertible_to<int>;
};

namespace detail {
template <int Rounds>
consteval bool check_rounds() {
  static_assert(Rounds >= 0, "c2f::refine::times needs a number of rounds of 0 or more");
  return true;
}
}  // namespace detail

namespace refine {
template <int Rounds>
struct times : detail::holds<detail::check_rounds<Rounds>()> {
  static constexpr int rounds = Rounds;
};
using once  = times<1>;
using never = times<0>;
}  // namespace refine

}  // namespace c2f
