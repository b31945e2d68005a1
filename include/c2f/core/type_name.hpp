// c2f/core/type_name.hpp: the name of a type as text, for messages.
//
//   c2f::type_name<c2f::class_vector<10>>()      // "class_vector<10>"
#pragma once

#include <string>
#include <string_view>

namespace c2f {

namespace detail {
template <class T>
constexpr std::string_view signature() {
  return __PRETTY_FUNCTION__;
}

inline void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}
}  // namespace detail

/// The name of a type as written inside namespace c2f.
template <class T>
[[nodiscard]] std::string type_name() {
  constexpr std::string_view before = detail::signature<void>();
  constexpr auto begin              = before.find("void");
  constexpr auto tail               = before.size() - begin - 4;
  constexpr std::string_view whole  = detail::signature<T>();
  std::string name(whole.substr(begin, whole.size() - begin - tail));
  detail::replace_all(name, "c2f::", "");
  detail::replace_all(name, " >", ">");
  return name;
}

}  // namespace c2f
