// c2f/core/errors.hpp: the exceptions of c2f.
//
// Errors that can only be found at run time (a file, a path, an option, a number that is not finite) are thrown as one of these. what() is
// one line: what is wrong, what was found, what to do. The example programs print it on stderr and exit with code 2 for an input_error, 1 for
// others (docs/reliability.md).
#pragma once

#include <stdexcept>

namespace c2f {

/// Base of all exceptions that c2f throws.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A file, a folder, an option or an argument is invalid. Nothing was changed or written.
struct input_error : error {
  using error::error;
};

/// LibTorch refused an operation. what() is one line, without LibTorch's stack frames; LibTorch's own error is nested in this one
/// (std::rethrow_if_nested).
struct libtorch_error : error {
  using error::error;
};

/// The loss or the gradients are not finite; the message names epoch, step and the first parameter with such a value.
struct not_finite : error {
  using error::error;
};

}  // namespace c2f
