// expect-error: c2f::vector needs 1 or more channels
// also-on: nvcc
#include <c2f/core/shapes.hpp>

#ifdef TWIN_OK
using answer = c2f::vector<10>;
#else
using answer = c2f::vector<0>;
#endif
auto const channels = answer::channels;
