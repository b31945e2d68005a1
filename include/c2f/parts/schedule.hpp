// c2f/parts/schedule.hpp: schedules of t as a function of progress, constexpr.
//
//   using schedule = c2f::schedule::ramp<0.5, 98>;                                     // .5 -> 1 in 98 epochs
//   using schedule = c2f::schedule::ramp<0.0, 80'000, c2f::by::iteration, 40'000>;     // 0 until 40K, 1 from 80K on
//   using schedule = c2f::schedule::ramp<0.5, 0.6, c2f::by::fraction>;                 // 1 after .6 of the training
//   using schedule = c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 0.5>, c2f::step<30, 1.0>>;
//   using schedule = c2f::schedule::gaussian_ramp<80>;  // the warm-up of a semi-supervised loss
//   using schedule = c2f::schedule::always_truth;       // IND, t = 0
//   using schedule = c2f::schedule::always_prediction;  // JNT, t = 1
//
// t is the probability that the fine network is conditioned on the coarse prediction instead of the truth (Ren et al. 2020, eq. 3). It is
// non-decreasing, stays in [0, 1] and ends at 1, "the same setting as in testing" (section 4.1.2); the paper's "at the end of training,
// t = 0" is a misprint. The two constant schedules are exempt. No cost at run time.
// Errors: a schedule that violates this is a compile error (task/check.hpp).
#pragma once

#include <c2f/core/progress.hpp>
#include <c2f/core/static_check.hpp>

#include <algorithm>
#include <array>
#include <concepts>

namespace c2f {

/// The unit a schedule is written in.
enum class by { epoch, iteration, fraction };

/// t = `T` from `At` on.
template <auto At, auto T>
struct step {
  static constexpr double at = At, t = T;
};

/// Requires: `unit`; `at(x)`, t after x units; `end`, the x from which t is constant; all constexpr.
template <class S>
concept schedule_of_t = requires {
  { S::unit } -> std::convertible_to<by>;
  { S::end } -> std::convertible_to<double>;
  { S::at(0.0) } -> std::convertible_to<double>;
};

/// t at the given progress.
template <schedule_of_t S>
[[nodiscard]] constexpr double t_at(progress const& now) {
  return S::at(S::unit == by::epoch       ? static_cast<double>(now.epoch)
               : S::unit == by::iteration ? static_cast<double>(now.iteration)
                                          : now.fraction);
}

namespace detail {
/// A base class with the schedule of a configuration, if that has one.
template <class With>
struct scheduled_as {};
template <class With>
  requires requires { typename With::schedule; }
struct scheduled_as<With> {
  using schedule = typename With::schedule;
};

/// exp(x) for -10 <= x <= 0, constexpr: a Taylor series at x / 64, to the 64th power. To 1e-14.
constexpr double exp_of_negative(double x) {
  double sum = 1, term = 1;
  for (int i = 1; i <= 10; ++i) sum += term *= x / 64 / i;
  for (int i = 0; i < 6; ++i) sum *= sum;
  return sum;
}

template <auto End, auto Begin>
consteval bool check_ramp() {
  static_assert(End > Begin, "c2f::schedule::ramp needs an end after its beginning; write ramp<t0, end, unit, begin>");
  return true;
}
}  // namespace detail

namespace schedule {

/// t = 0: the fine network always sees the truth (individual training, IND).
struct always_truth {
  static constexpr by unit    = by::epoch;
  static constexpr double end = 0;
  static constexpr double at(double) { return 0; }
};

/// t = 1: the fine network always sees the prediction (joint training, JNT).
struct always_prediction {
  static constexpr by unit    = by::epoch;
  static constexpr double end = 0;
  static constexpr double at(double) { return 1; }
};

/// T0 until `Begin`, then linear to 1 at `End` (progressive training, PT).
template <auto T0, auto End, by Unit = by::epoch, auto Begin = 0>
struct ramp : detail::static_check<detail::check_ramp<End, Begin>()> {
  static constexpr by unit    = Unit;
  static constexpr double end = End;
  static constexpr double at(double x) {
    constexpr double t0 = T0, begin = Begin;
    return x >= end ? 1.0 : x <= begin ? t0 : t0 + (1 - t0) * (x - begin) / (end - begin);
  }
};

/// exp(-5 (1 - x)^2) at the fraction x of `End`, then 1: from .0067, or .0076 in the first of 80 epochs, to 1. In epochs x counts the one that runs, x = (epoch + 1) / End. The
/// warm-up of semi-supervised losses (Laine and Aila, ICLR 2017; Qiao et al., ECCV 2018, section 4.1, with End = 80).
template <auto End, by Unit = by::epoch>
struct gaussian_ramp {
  static constexpr by unit    = Unit;
  static constexpr double end = Unit == by::epoch ? End - 1 : End;
  static constexpr double at(double x) {
    double const left = 1 - (Unit == by::epoch ? x + 1 : x) / static_cast<double>(End);
    return x >= end ? 1.0 : detail::exp_of_negative(-5 * left * left);
  }
};

/// Piecewise constant; before the first step, the t of the first step.
template <by Unit, class First, class... Rest>
struct steps {
  static constexpr by unit    = Unit;
  static constexpr double end = std::max({First::at, Rest::at...});
  static constexpr double at([[maybe_unused]] double x) {
    double t = First::t;
    ((t = x >= Rest::at ? Rest::t : t), ...);
    return t;
  }
};

}  // namespace schedule

namespace detail {
template <class S>
inline constexpr bool is_constant_schedule = std::same_as<S, schedule::always_truth> || std::same_as<S, schedule::always_prediction>;

enum class schedule_fault { none, leaves_range, falls, never_one };
/// Checks a schedule at 1,001 points from 0 to its end.
template <class S>
consteval schedule_fault fault_of() {
  double before = 0;
  for (int i = 0; i <= 1000; ++i) {
    double const t = S::at(S::end * i / 1000);
    if (!(t >= 0 && t <= 1)) return schedule_fault::leaves_range;
    if (i > 0 && t < before) return schedule_fault::falls;
    before = t;
  }
  if (is_constant_schedule<S>) return schedule_fault::none;
  return S::at(S::end) == 1.0 ? schedule_fault::none : schedule_fault::never_one;
}
}  // namespace detail

}  // namespace c2f
