// c2f/core/members.hpp: lists the members of a struct, which makes it a Boost.Hana Struct.
//
//   template <class Conv, class Norm> struct block { Conv conv1; Norm bn1;  C2F_MEMBERS(conv1, bn1); };
//
// The names become components of parameter paths ("conv1.weight"). Up to 256 members; C2F_MEMBERS() for a struct without members.
// Unlike with BOOST_HANA_DEFINE_STRUCT, members are ordinary declarations with comments and default values; unlike
// BOOST_HANA_ADAPT_STRUCT, the macro is written inside the struct and therefore works for templates.
#pragma once

#include <boost/hana/accessors.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/pair.hpp>
#include <boost/hana/string.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/unpack.hpp>

// Recursive expansion of a variadic macro (__VA_OPT__): SCAN scans its argument 4^4 = 256 times, and each scan expands one member.
#define C2F_DETAIL_AGAIN() C2F_DETAIL_LIST
#define C2F_DETAIL_PARENS ()
#define C2F_DETAIL_SCAN(...) C2F_DETAIL_SCAN3(C2F_DETAIL_SCAN3(C2F_DETAIL_SCAN3(C2F_DETAIL_SCAN3(__VA_ARGS__))))
#define C2F_DETAIL_SCAN3(...) C2F_DETAIL_SCAN2(C2F_DETAIL_SCAN2(C2F_DETAIL_SCAN2(C2F_DETAIL_SCAN2(__VA_ARGS__))))
#define C2F_DETAIL_SCAN2(...) C2F_DETAIL_SCAN1(C2F_DETAIL_SCAN1(C2F_DETAIL_SCAN1(C2F_DETAIL_SCAN1(__VA_ARGS__))))
#define C2F_DETAIL_SCAN1(...) C2F_DETAIL_SCAN0(C2F_DETAIL_SCAN0(C2F_DETAIL_SCAN0(C2F_DETAIL_SCAN0(__VA_ARGS__))))
#define C2F_DETAIL_SCAN0(...) __VA_ARGS__
#define C2F_DETAIL_LIST(name, ...)                                                                  \
  ::boost::hana::make_pair(BOOST_HANA_STRING(#name), [](auto& self) -> auto& { return self.name; }) \
      __VA_OPT__(, C2F_DETAIL_AGAIN C2F_DETAIL_PARENS(__VA_ARGS__))

/// Lists the members of the enclosing struct, in the order of their paths.
#define C2F_MEMBERS(...)                                                                                                           \
  struct hana_accessors_impl {                                                                                                     \
    static constexpr auto apply() { return ::boost::hana::make_tuple(__VA_OPT__(C2F_DETAIL_SCAN(C2F_DETAIL_LIST(__VA_ARGS__)))); } \
  };                                                                                                                               \
  static_assert(true)

namespace c2f {

/// A struct whose members are listed.
template <class T>
concept has_members = boost::hana::Struct<T>::value;

}  // namespace c2f
