// c2f/core/libtorch_error.hpp: LibTorch's errors as one sentence.
//
//   at::Tensor const y = c2f::detail::explained([&] { return net(x, c2f::eval); }, [] { return std::string("my network"); });
//
// what() of a LibTorch error is some thirty lines of stack frames behind its message. Around what calls code of the user or takes tensors
// of the user, `explained` turns it into a c2f::libtorch_error that says where it happened, with LibTorch's error nested in it. Other
// exceptions are passed on. Costs nothing where nothing is thrown.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>
#include <string_view>

namespace c2f::detail {

/// The message of a LibTorch error: its first line.
inline std::string first_line(c10::Error const& error) {
  std::string const whole = error.what_without_backtrace();
  return whole.substr(0, whole.find('\n'));
}

/// "[8, 3, 32, 32] of Float on cpu".
inline std::string text_of(at::Tensor const& tensor) {
  if (!tensor.defined()) return "none";
  return dims_of(tensor) + " of " + c10::toString(tensor.scalar_type()) + " on " + tensor.device().str();
}

/// Whether memory is exhausted; LibTorch's allocator for the CPU has no exception of its own.
inline bool is_out_of_memory(std::exception const& error) {
  return dynamic_cast<c10::OutOfMemoryError const*>(&error) != nullptr || dynamic_cast<std::bad_alloc const*>(&error) != nullptr ||
         std::string_view(error.what()).find("can't allocate memory") != std::string_view::npos;
}

/// To be called in a catch clause.
[[noreturn]] inline void throw_explained(c10::Error const& error, std::string const& where) {
  if (is_out_of_memory(error))
    std::throw_with_nested(libtorch_error(where + ": there is not enough memory, LibTorch says '" + first_line(error) +
                                          "'; choose a smaller batch or smaller images"));
  std::throw_with_nested(libtorch_error(where + ": LibTorch says '" + first_line(error) + "'; check sizes, element types and devices"));
}

/// run(); where() says what it is about.
template <class Run, class Where>
auto explained(Run const& run, Where const& where) -> decltype(run()) {
  try {
    return run();
  } catch (c10::Error const& error) {
    throw_explained(error, where());
  }
}

}  // namespace c2f::detail
