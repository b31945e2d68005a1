// expect-error: c2f::vector needs 1 or more channels
// also-on: nvcc
#include <c2f/core/shapes.hpp>

#ifdef CORRECTED
using output = c2f::vector<10>;
#else
using output = c2f::vector<0>;
#endif
auto const channels = output::channels;
