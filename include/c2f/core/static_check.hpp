// c2f/core/static_check.hpp: reports a mistake as exactly one compile error with a readable message.
//
//   template <std::int64_t Classes>
//   consteval bool check_classes() {
//     static_assert(Classes >= 2, "c2f::class_vector needs two classes or more");
//     return true;
//   }
//   template <std::int64_t Classes> struct class_vector : c2f::detail::static_check<check_classes<Classes>()> { … };
//
// The static_assert is in a function and not in the class itself: clang treats a class with a failed assertion as broken, and would report
// every use of it as a further error.
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
/// An empty base class that evaluates static checks: its arguments are calls of check functions.
template <bool...>
struct static_check {};
}  // namespace detail

}  // namespace c2f
