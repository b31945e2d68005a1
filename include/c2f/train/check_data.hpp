// c2f/train/check_data.hpp: compile-time checks that the images and truths of a split fit a model.
//
//   static_assert(c2f::detail::check_data<c2f::stack<cifar100>, decltype(c2f::data::cifar100::train)>());
//
// Error: a static_assert that names the first mismatch: image shape, type of truth, or number of classes (docs/errors.md).
#pragma once

#include <c2f/data/split.hpp>
#include <c2f/task/model.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>

namespace c2f::detail {

template <class Task, class Got, class Wanted>
consteval bool check_data_image() {
  static_assert(same_size<Got, Wanted> || mismatch<in_task<Task>, got<Got>, wanted<Wanted>>,
                "the data's images are not of the task's input shape; change 'using input', or choose data of that shape");
  return same_size<Got, Wanted>;
}
template <class Split, class Kind>
consteval bool truth_fits() {
  if constexpr (!std::same_as<typename Split::truth_value, typename Kind::truth_value>)
    return false;
  else if constexpr (requires { Kind::template truth_dims<typename Split::image>; })
    return std::ranges::equal(Split::truth_dims, Kind::template truth_dims<typename Split::image>);
  else
    return true;
}
template <class Task, class Split, class Kind>
consteval bool check_data_truth() {
  constexpr bool same = truth_fits<Split, Kind>();
  static_assert(same || mismatch<in_task<Task>, got<Split>, wanted<Kind>>,
                "the data's truth is not what the task's networks predict; choose data for this kind, or another kind");
  return same;
}
template <class Task, std::int64_t Found, std::int64_t Wanted>
consteval bool check_data_classes() {
  static_assert(Found == Wanted || mismatch<in_task<Task>, got<vector<Found>>, wanted<vector<Wanted>>>,
                "the data does not have as many classes as the task's networks predict; write c2f::class_vector<K> with the data's number");
  return true;
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
template <class Model, class Split>
consteval bool check_data() {
  using kind = typename Model::kind;
  using Task = typename named_by<Model>::type;
  if constexpr (!check_data_image<Task, typename Split::image, typename Model::input>()) {
    return true;
  } else if constexpr (!check_data_truth<Task, Split, kind>()) {
    return true;
  } else if constexpr (!requires { Split::class_count(); }) {
    return true;
  } else if constexpr (requires { kind::labels; }) {  // labels, where they differ from the classes: a mask of one class has two
    return check_data_classes<Task, Split::class_count(), kind::labels>();
  } else if constexpr (requires { kind::classes; }) {
    return check_data_classes<Task, Split::class_count(), kind::classes>();
  }
  return true;
}

}  // namespace c2f::detail
