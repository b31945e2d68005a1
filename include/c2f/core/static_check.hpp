// c2f/core/static_check.hpp: how a mistake becomes one error with one sentence.
//
//   template <std::int64_t Classes>
//   consteval bool check_classes() {
//     static_assert(Classes >= 2, "c2f::class_vector needs two classes or more");
//     return true;
//   }
//   template <std::int64_t Classes> struct class_vector : detail::holds<detail::check_classes<Classes>()> { … };
//
// A sentence is asserted in a function and not in the class itself: clang takes a class whose assertion failed for broken, so that
// everything that uses it would be an error as well.
#pragma once

namespace c2f {

// Names that make a diagnostic readable: `mismatch<in_layer<...>, got<...>, wanted<...>> evaluates to false`.
template <class>
struct in_layer;
template <class>
struct in_task;
template <class>
struct got;
template <class>
struct wanted;
template <class...>
inline constexpr bool mismatch = false;

namespace detail {
/// A base that only asks: its arguments are calls of check functions.
template <bool...>
struct static_check {};
}  // namespace detail

}  // namespace c2f
