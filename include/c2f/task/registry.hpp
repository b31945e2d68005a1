// c2f/task/registry.hpp: a list of tasks, selected by name at run time.
//
//   using variants = c2f::registry<ind, pt>;
//   variants::with("pt", [&]<class Task>(c2f::chosen<Task>) { c2f::stack<Task> model; … });
//   for (auto name : variants::names()) …
//
// Code is compiled for every task of the list. Errors: a task without a name, or two with the same name, is a compile error; a name that
// is not in the list is a c2f::input_error that lists the valid names.
#pragma once

#include <c2f/task/task.hpp>

#include <boost/hana/at_key.hpp>
#include <boost/hana/map.hpp>
#include <boost/hana/type.hpp>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace c2f {

/// A tag that carries the chosen task.
template <class Task>
struct chosen {
  using task = Task;
};

namespace detail {

// A variable, because g++ 12 does not accept a pack of calls of a consteval function.
template <class Task>
inline constexpr char const* registered_name = name_of<Task>();
template <class Task>
concept named = requires {
  { Task::name } -> std::convertible_to<char const*>;
};
template <class Task>
consteval bool check_has_name() {
  static_assert(named<Task> || mismatch<in_task<Task>>,
                "a task in a c2f::registry needs a name; write 'static constexpr char const* name = \"...\";'");
  return named<Task>;
}
template <bool Distinct, class... Tasks>
consteval bool check_names_differ() {
  static_assert(Distinct || mismatch<in_task<Tasks>...>, "two tasks in a c2f::registry have the same name; rename one");
  return Distinct;
}

template <class Task, std::size_t... I>
constexpr auto name_string(std::index_sequence<I...>) {
  return boost::hana::string_c<Task::name[I]...>;
}
template <class Task>
constexpr auto name_string() {
  return name_string<Task>(std::make_index_sequence<std::string_view(Task::name).size()>());
}

template <class... Tasks>
consteval bool names_differ() {
  std::array<std::string_view, sizeof...(Tasks)> const names{registered_name<Tasks>...};
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (names[i] == names[j]) return false;
  return true;
}

}  // namespace detail

/// Tasks by name; see the top of this file.
template <class... Tasks>
struct registry
    : detail::static_check<detail::check_has_name<Tasks>()...,
                           detail::check_names_differ<!(detail::named<Tasks> && ...) || detail::names_differ<Tasks...>(), Tasks...>()> {
  /// A Hana map from name to type.
  static constexpr auto map() {
    return boost::hana::make_map(boost::hana::make_pair(detail::name_string<Tasks>(), boost::hana::type_c<Tasks>)...);
  }

  [[nodiscard]] static constexpr std::array<std::string_view, sizeof...(Tasks)> names() { return {detail::registered_name<Tasks>...}; }

  /// Calls f(chosen<Task>{}) with the task of that name. Error: c2f::input_error for an unknown name.
  template <class F>
  static void with(std::string_view name, F&& f) {
    bool found = false;
    ((found || name != detail::registered_name<Tasks> ? void() : (found = true, f(chosen<Tasks>{}))), ...);
    if (found) return;
    std::string known;
    for (auto const each : names()) (known += known.empty() ? "'" : ", '").append(each) += '\'';
    throw input_error("no task is called '" + std::string(name) + "'; write one of " + known);
  }
};

}  // namespace c2f
