// c2f/parts/refine.hpp: how many rounds the fine network runs at inference.
//
//   using refine = c2f::refine::once;               // (default)
//   using refine = c2f::refine::times<3>;           // three rounds, each conditioned on the previous prediction
//   using refine = c2f::refine::until<0.95, 10>;    // until two consecutive predictions agree by .95, at most 10 rounds
//   using refine = c2f::refine::no_fine_network;    // the coarse network alone: the baseline BL of Ren et al. 2020
//
// until: RSTN's stopping rule ("until convergence", Ren et al. 2020, section 3.2). The kind measures the agreement in [0, 1] of a
// prediction with the previous one, at first the coarse one: Dice for masks, IoU for boxes, equality of the class for class vectors. Each
// sample stops independently. In training the fine network runs once (with no_fine_network: not at all). Where nobody supervises the kind (the
// levels of a pyramid), all rounds run in training, too; each is combined with the result of those before it, on which the next is conditioned.
// Errors: a negative number of rounds, or an agreement outside of (0, 1], is a compile error.
#pragma once

#include <c2f/core/static_check.hpp>

#include <concepts>

namespace c2f {

/// Requires: `rounds`, a constant; 0: no fine network.
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
/// A fixed number of rounds.
template <int Rounds>
struct times : detail::static_check<detail::check_rounds<Rounds>()> {
  static constexpr int rounds = Rounds;
  static constexpr bool stops(double, int round) { return round >= Rounds; }
};
/// Rounds until the agreement is reached.
template <auto Agreement, int Rounds = 10>
struct until : detail::static_check<detail::check_until<Agreement, Rounds>()> {
  static constexpr int rounds       = Rounds;
  static constexpr double agreement = Agreement;
  /// Whether `round`, counted from 1, is the last one; `agrees`: the agreement of its prediction with the previous one.
  static constexpr bool stops(double agrees, int round) { return agrees >= agreement || round >= Rounds; }
};
using once            = times<1>;
using no_fine_network = times<0>;
}  // namespace refine

}  // namespace c2f
