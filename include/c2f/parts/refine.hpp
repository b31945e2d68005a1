// c2f/parts/refine.hpp: how often the fine network runs.
//
//   using refine = c2f::refine::once;        // (default)
//   using refine = c2f::refine::times<3>;    // at inference the fine network runs three times, each on its last answer
//   using refine = c2f::refine::until<0.95, 10>;   // until two answers in a row agree by .95, 10 rounds at most
//   using refine = c2f::refine::no_fine_network;       // no fine network: the coarse network alone, the baseline BL of Ren et al. 2020
//
// until: RSTN's stop rule ("until convergence", Ren et al. 2020, section 3.2). The kind measures the agreement of an answer with the one
// before it, the coarse one to begin with: Dice for masks, IoU for boxes, the same class for class vectors. Every sample stops by
// itself. In training the fine network runs once (or never).
#pragma once

#include <c2f/core/static_check.hpp>

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
template <auto Agreement, int Rounds>
consteval bool check_until() {
  static_assert(Agreement > 0 && Agreement <= 1 && Rounds >= 1,
                "c2f::refine::until needs an agreement above 0 and up to 1 and a number of rounds of 1 or more; write "
                "c2f::refine::until<0.95, 10>");
  return true;
}
}  // namespace detail

namespace refine {
template <int Rounds>
struct times : detail::static_check<detail::check_rounds<Rounds>()> {
  static constexpr int rounds = Rounds;
  static constexpr bool stops(double, int round) { return round >= Rounds; }
};
template <auto Agreement, int Rounds = 10>
struct until : detail::static_check<detail::check_until<Agreement, Rounds>()> {
  static constexpr int rounds       = Rounds;
  static constexpr double agreement = Agreement;
  /// Whether `round`, counted from 1, is the last; its answer agrees that much with the one before it.
  static constexpr bool stops(double agrees, int round) { return agrees >= agreement || round >= Rounds; }
};
using once  = times<1>;
using never = times<0>;
}  // namespace refine

}  // namespace c2f
