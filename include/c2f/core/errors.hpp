// c2f/core/errors.hpp: the exceptions of c2f.
//
// Everything that only a run can find out (a file, a path, an option, a number that is not finite) is reported by one of
// these. what() is one line: what is wrong, what was found, what to do. Programs print it on stderr and leave with code 2.
#pragma once

#include <stdexcept>

namespace c2f {

/// Base of everything c2f throws on purpose.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A file, a folder, an option or an argument is not what it should be. Nothing was changed or written.
struct input_error : error {
  using error::error;
};

/// Training met a number that is not finite; the message names epoch, step and the first parameter that is not.
struct not_finite : error {
  using error::error;
};

}  // namespace c2f
