// c2f/train/check_data.hpp: compile-time checks that the images and truths of a split fit a model.
//
//   static_assert(c2f::detail::check_data<c2f::stack<cifar100>, decltype(c2f::data::cifar100::train)>());
//
// Error: a static_assert that names the first mistake: a split that lacks a member (data/check_split.hpp), image shape, type and dimensions
// of the truth, or number of classes (docs/errors.md). After it the result is false, so that follow-on errors can be suppressed.
#pragma once

#include <c2f/data/check_split.hpp>
#include <c2f/data/split.hpp>
#include <c2f/task/model.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace c2f {
/// A truth in diagnostics: its type and dimensions.
template <class Value, std::int64_t... Dims>
struct truth_of;
}  // namespace c2f

namespace c2f::detail {

template <class Task, class Got, class Wanted>
consteval bool check_data_image() {
  static_assert(same_size<Got, Wanted> || mismatch<in_task<Task>, got<Got>, wanted<Wanted>>,
                "the data's images are not of the task's input shape; change 'using input', or choose data of that shape");
  return same_size<Got, Wanted>;
}
/// Whether a split's truths say how much each class counts, and the kind takes such ones.
template <class Split, class Kind>
consteval bool is_weighed_truth() {
  if constexpr (std::same_as<typename Split::truth_value, float> && Split::truth_dims.size() == 1 && requires { Kind::weighed_truths; })
    return Split::truth_dims[0] == Kind::classes;
  return false;
}
template <class Split, class Kind>
consteval bool truth_fits() {
  if constexpr (is_weighed_truth<Split, Kind>())
    return true;
  else if constexpr (!std::same_as<typename Split::truth_value, typename Kind::truth_value>)
    return false;
  else if constexpr (requires { Kind::template truth_dims<typename Split::image>; })
    return std::ranges::equal(Split::truth_dims, Kind::template truth_dims<typename Split::image>);
  else
    return true;
}
template <class Value, auto Dims, std::size_t... I>
truth_of<Value, Dims[I]...> truth_of_dims(std::index_sequence<I...>);
template <class Value, auto Dims>
using truth_named = decltype(truth_of_dims<Value, Dims>(std::make_index_sequence<Dims.size()>()));
/// The truth that a kind wants for a split; a kind that does not say its dimensions takes those of the split.
template <class Split, class Kind>
consteval auto wanted_truth() {
  if constexpr (requires { Kind::template truth_dims<typename Split::image>; })
    return std::type_identity<truth_named<typename Kind::truth_value, Kind::template truth_dims<typename Split::image>>>();
  else
    return std::type_identity<truth_named<typename Kind::truth_value, Split::truth_dims>>();
}
template <class Task, class Split, class Got, class Wanted>
consteval bool check_data_truth() {
  static_assert(mismatch<in_task<Task>, in_split<Split>, got<Got>, wanted<Wanted>>,
                "the data's truth is not what the task's networks predict; give the split the truth_value and the truth_dims that are "
                "wanted, or choose another kind");
  return false;
}
template <class Task, std::int64_t Found, std::int64_t Wanted>
consteval bool check_data_classes() {
  static_assert(Found == Wanted || mismatch<in_task<Task>, got<vector<Found>>, wanted<vector<Wanted>>>,
                "the data does not have as many classes as the task's networks predict; write c2f::class_vector<K> with the data's number");
  return Found == Wanted;
}
/// The task of a stack, for messages; else the model.
template <class M>
struct named_by {
  using type = M;
};
template <class Task>
struct named_by<stack<Task>> {
  using type = Task;
};
/// Whether a split can be used for a model.
template <class Model, class Split>
consteval bool check_data() {
  using Task = typename named_by<Model>::type;
  if constexpr (!data::detail::split_is_right<Split>) {
    return false;
  } else if constexpr (!check_data_image<Task, typename Split::image, typename Model::input>()) {
    return false;
  } else {
    using kind = typename Model::kind;
    if constexpr (!truth_fits<Split, kind>()) {
      return check_data_truth<Task, Split, truth_named<typename Split::truth_value, Split::truth_dims>,
                              typename decltype(wanted_truth<Split, kind>())::type>();
    } else if constexpr (!requires { Split::class_count(); }) {
      return true;
    } else if constexpr (requires { kind::labels; }) {  // labels, where they differ from the classes: a mask of one class has two
      return check_data_classes<Task, Split::class_count(), kind::labels>();
    } else if constexpr (requires { kind::classes; }) {
      return check_data_classes<Task, Split::class_count(), kind::classes>();
    }
  }
  return true;
}

/// Whether a data set can be used for a model.
template <class Model, class Data>
consteval bool check_dataset() {
  if constexpr (!data::detail::dataset_is_right<Data>) {
    return false;
  } else if constexpr (!check_data<Model, std::remove_cvref_t<decltype(std::declval<Data const&>().train)>>()) {
    return false;
  } else if constexpr (!check_data<Model, std::remove_cvref_t<decltype(std::declval<Data const&>().test)>>()) {
    return false;
  } else if constexpr (data::has_validation<Data>) {
    return check_data<Model, std::remove_cvref_t<decltype(std::declval<Data const&>().validation)>>();
  }
  return true;
}

}  // namespace c2f::detail
