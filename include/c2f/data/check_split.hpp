// c2f/data/check_split.hpp: compile-time messages about types that should be a split or a data set and are not.
//
//   static_assert(c2f::data::checked_split<decltype(data.train)>);
//   static_assert(c2f::data::checked_dataset<c2f::data::cifar100>);
//
// The members are checked in order, and the first mistake ends the check: one mistake, one error, which says what to write. c2f::fit and
// c2f::evaluate do this check. docs/errors.md explains each message, and tests/fail has a wrong and a right split for each.
#pragma once

#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/core/static_check.hpp>
#include <c2f/data/split.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace c2f {

// Names for diagnostics, as in core/static_check.hpp.
template <class>
struct in_split;
template <class>
struct in_dataset;

namespace data {
namespace detail {

// Each function asserts one message and returns false.
template <class S>
consteval bool check_split_image() {
  static_assert(mismatch<in_split<S>>, "a split has images of one shape; write 'using image = c2f::image<channels, height, width>;'");
  return false;
}
template <class S>
consteval bool check_split_truth_value() {
  static_assert(mismatch<in_split<S>>, "a split has truths of one type; write 'using truth_value = std::int64_t;', or float for boxes");
  return false;
}
template <class S>
consteval bool check_split_truth_dims() {
  static_assert(mismatch<in_split<S>>,
                "a split has truths of one size; write 'static constexpr std::array<std::int64_t, 0> truth_dims{};' for one number, or its "
                "dimensions, as in 'static constexpr std::array<std::int64_t, 2> truth_dims{height, width};'");
  return false;
}
template <class S>
consteval bool check_split_size() {
  static_assert(mismatch<in_split<S>>, "a split has a number of samples; write 'std::int64_t size() const'");
  return false;
}
template <class S>
consteval bool check_split_name() {
  static_assert(mismatch<in_split<S>>, "a split has a name, which messages use; write 'std::string name() const'");
  return false;
}
template <class S>
consteval bool check_split_read_const() {
  static_assert(mismatch<in_split<S>>,
                "the split's read is not const, but several threads call it at once; write 'void read(std::int64_t id, c2f::random_stream* "
                "augment, float* pixels, truth_value* truth) const'");
  return false;
}
template <class S, class Wanted>
consteval bool check_split_read_truth() {
  static_assert(mismatch<in_split<S>, wanted<Wanted>>,
                "the split's read writes a truth of another type than its truth_value; write 'truth_value* truth' for its last argument");
  return false;
}
template <class S>
consteval bool check_split_read() {
  static_assert(mismatch<in_split<S>>,
                "a split reads a sample; write 'void read(std::int64_t id, c2f::random_stream* augment, float* pixels, truth_value* truth) "
                "const'");
  return false;
}
template <class S>
consteval bool check_split_copy() {
  static_assert(mismatch<in_split<S>>,
                "a split is copied into loaders, but this one cannot be; keep what it holds in a std::shared_ptr<T const>");
  return false;
}
template <class S>
consteval bool check_split_order() {
  static_assert(
      mismatch<in_split<S>>,
      "a split that composes its batches has both 'std::int64_t batches(std::int64_t batch) const' and 'std::vector<std::int64_t> "
      "order(std::uint64_t seed, std::uint64_t epoch, std::int64_t batch) const'; write both like this");
  return false;
}
template <class D>
consteval bool check_dataset_train() {
  static_assert(mismatch<in_dataset<D>>, "a data set has a split to train on; give it a member 'train'");
  return false;
}
template <class D>
consteval bool check_dataset_test() {
  static_assert(mismatch<in_dataset<D>>, "a data set has a split to test on; give it a member 'test'");
  return false;
}

/// Becomes a pointer of any type.
struct any_pointer {
  template <class T>
  operator T*() const;
};
template <class S, class Truth>
concept reads = requires(S& s, std::int64_t id, random_stream* augment, float* pixels, Truth truth) { s.read(id, augment, pixels, truth); };
template <class S>
inline constexpr bool has_function_order = false;
template <class S>
  requires std::is_member_function_pointer_v<decltype(&S::order)>
inline constexpr bool has_function_order<S> = true;
template <class S>
inline constexpr bool has_function_batches = false;
template <class S>
  requires std::is_member_function_pointer_v<decltype(&S::batches)>
inline constexpr bool has_function_batches<S> = true;

template <class S>
consteval bool check_split() {
  if constexpr (!requires { requires image_shape<typename S::image>; }) {
    return check_split_image<S>();
  } else if constexpr (!requires { typename S::truth_value; }) {
    return check_split_truth_value<S>();
  } else if constexpr (!requires { typename std::integral_constant<std::size_t, (&S::truth_dims)->size()>; }) {  // static
    return check_split_truth_dims<S>();
  } else if constexpr (!requires(S const& s) {
                         { s.size() } -> std::convertible_to<std::int64_t>;
                       }) {
    return check_split_size<S>();
  } else if constexpr (!requires(S const& s) {
                         { s.name() } -> std::convertible_to<std::string>;
                       }) {
    return check_split_name<S>();
  } else if constexpr (!reads<S const, typename S::truth_value*>) {
    if constexpr (reads<S, typename S::truth_value*>)
      return check_split_read_const<S>();
    else if constexpr (reads<S, any_pointer>)
      return check_split_read_truth<S, typename S::truth_value*>();
    else
      return check_split_read<S>();
  } else if constexpr (!std::copy_constructible<S>) {
    return check_split_copy<S>();
  } else if constexpr (!ordered_split<S> && (has_function_order<S> || has_function_batches<S>)) {
    return check_split_order<S>();
  }
  return true;
}

/// A variable, so that a split that is used twice is reported once.
template <class S>
inline constexpr bool split_is_right = check_split<S>();

template <class D>
consteval bool check_dataset() {
  if constexpr (!requires(D const& d) { d.train; })
    return check_dataset_train<D>();
  else if constexpr (!requires(D const& d) { d.test; })
    return check_dataset_test<D>();
  else if constexpr (!split_is_right<std::remove_cvref_t<decltype(std::declval<D const&>().train)>>)
    return false;
  else if constexpr (!split_is_right<std::remove_cvref_t<decltype(std::declval<D const&>().test)>>)
    return false;
  else if constexpr (requires(D const& d) { d.validation; })
    return split_is_right<std::remove_cvref_t<decltype(std::declval<D const&>().validation)>>;
  return true;
}
template <class D>
inline constexpr bool dataset_is_right = check_dataset<D>();

}  // namespace detail

/// True for a split or data set. Anything else is a compile error that says what is missing.
template <class S>
inline constexpr bool checked_split = detail::split_is_right<S> || true;
template <class D>
inline constexpr bool checked_dataset = detail::dataset_is_right<D> || true;

}  // namespace data
}  // namespace c2f
