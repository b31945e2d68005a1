// c2f/print.hpp: describes a task as text.
//
//   std::fputs(c2f::explain<cifar100>().c_str(), stdout);
//
//   task 'cifar100-resnet20'
//     input        [N, 3, 32, 32]
//     network      resnet_cifar<20, class_vector<100>>
//     encoder      encode::tile<>                                       by default
//     ...
//
// explain<T>() returns lines of text and is empty for an invalid task; it is composed of shape_name<S>() and the names of types.
// The only header of c2f that includes a formatter (fmt, header-only); print/observers.hpp includes it.
#pragma once

#include <c2f/core/compiler.hpp>  // first

#ifndef FMT_HEADER_ONLY
#define FMT_HEADER_ONLY
#endif
#include <fmt/format.h>

#include <c2f/core/type_name.hpp>
#include <c2f/task/stack.hpp>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

namespace c2f {

template <shape S>
[[nodiscard]] std::string shape_name();
namespace detail {
template <class... S>
std::string names_of(maps<S...> const*) {
  std::string text;
  ((text += (text.empty() ? "" : " and ") + shape_name<S>()), ...);
  return text;
}
}  // namespace detail

/// "[N, 3, 32, 32]"
template <shape S>
[[nodiscard]] std::string shape_name() {
  if constexpr (maps_shape<S>) {
    return detail::names_of(static_cast<S const*>(nullptr));
  } else if constexpr (image_shape<S>) {
    auto const side = [](std::int64_t size) { return size == dynamic ? std::string("?") : std::to_string(size); };
    return fmt::format("[N, {}, {}, {}]", S::channels, side(S::height), side(S::width));
  } else {
    return fmt::format("[N, {}]", S::channels);
  }
}

namespace detail {
/// The name of a type with its numbers in short: compilers write .3 as 2.9999999999999999e-1.
template <class T>
std::string short_name() {
  std::string const name = type_name<T>();
  std::string text;
  for (char const *at = name.data(), *const end = at + name.size(); at != end;) {
    double value          = 0;
    bool const begins     = at == name.data() || std::string_view("<, -").find(at[-1]) != std::string_view::npos;
    auto const [next, ok] = begins ? std::from_chars(at, end, value) : std::from_chars_result{at, std::errc::invalid_argument};
    if (ok == std::errc() && std::find(at, next, '.') != next)
      text += fmt::format("{}", value), at = next;
    else
      text += *at++;
  }
  return text;
}
}  // namespace detail

/// Describes a task: every part, whether it was given or is the default, the shapes between the parts and the parameters of each.
template <class Task>
  requires(!detail::checked<Task>)  // the diagnostic was emitted by the check; follow-on errors are suppressed
[[nodiscard]] std::string explain() {
  return {};
}
template <class Task>
  requires detail::checked<Task>
[[nodiscard]] std::string explain() {
  using C          = complete<Task>;
  using P          = typename C::parts;
  using S          = detail::stack_on<Task, typename C::input>;
  std::string text = fmt::format("task '{}'\n", C::name);
  auto const line  = [&](std::string_view part, std::string const& what, std::string_view remark = "") {
    text += remark.empty() ? fmt::format("  {:<12} {}\n", part, what) : fmt::format("  {:<12} {:<52} {}\n", part, what, remark);
  };
  auto const chosen = [&]<class Part>(std::string_view name, Part const&) {
    line(name, detail::short_name<typename Part::type>(), Part::given ? "" : "by default");
  };

  line("input", shape_name<typename C::input>());
  if constexpr (std::same_as<typename C::coarse, typename C::fine>) {
    line("network", detail::short_name<typename C::coarse>());
  } else {
    line("coarse", detail::short_name<typename C::coarse>());
    line("fine", detail::short_name<typename C::fine>());
  }
  chosen("refine", typename P::refine{});
  if constexpr (S::has_fine) {
    chosen("schedule", typename P::schedule{});
    chosen("source", typename P::source{});
    chosen("predict", typename P::predict{});
    chosen("encoder", typename P::encoder{});
    chosen("fuse", typename P::fuse{});
    chosen("share", typename P::share{});
    chosen("combine", typename P::combine{});
  }
  chosen("loss", typename P::loss{});
  chosen("loss_weights", typename P::loss_weights{});

  auto const count = [&]<class Net>(std::string_view name, Net const*, std::string const& shapes) {
    if constexpr (parameter_count_known<Net>)
      line(name, fmt::format("{:<36} {:>11} parameters", shapes, fmt::group_digits(parameter_count<Net>)));
  };
  using features = typename S::parts::features;
  text += '\n';
  std::string const output = shape_name<typename S::output>();
  if constexpr (!std::same_as<features, typename C::input>)
    count("share", static_cast<decltype(S::share)*>(nullptr), shape_name<typename C::input>() + " -> " + shape_name<features>());
  count("coarse", static_cast<decltype(S::coarse)*>(nullptr), shape_name<features>() + " -> " + output);
  if constexpr (S::has_fine) {
    using read = typename S::parts::read;
    if constexpr (shape<typename S::parts::encoder::output>)
      count("encoder", static_cast<decltype(S::encoder)*>(nullptr), output + " -> " + shape_name<typename S::parts::encoder::output>());
    if constexpr (!S::one_network) count("fine", static_cast<decltype(S::fine)*>(nullptr), shape_name<read>() + " -> " + output);
    using combine = decltype(S::combine);
    if constexpr (parameter_count_known<combine>)
      if constexpr (parameter_count<combine> > 0)
        count("combine", static_cast<combine*>(nullptr), shape_name<features>() + " -> " + output);
  }
  if constexpr (detail::has_ending<typename C::share>) count("ending", static_cast<decltype(S::end)*>(nullptr), "-> " + output);
  count("stack", static_cast<S*>(nullptr), shape_name<typename C::input>() + " -> " + output);
  return text;
}

}  // namespace c2f
