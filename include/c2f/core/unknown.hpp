// c2f/core/unknown.hpp: the truth of a number that nobody knows.
//
//   float const truth[]{1, 0, c2f::unknown};          // of c2f::multi_label<3> or c2f::regression<3>
//
// NaN: losses and metrics of these kinds leave it out, and a mixture with it is unknown, too.
#pragma once

#include <limits>

namespace c2f {
inline constexpr float unknown = std::numeric_limits<float>::quiet_NaN();
}  // namespace c2f
