// expect-error: c2f::image needs 0 or more channels
// Only height and width may be c2f::dynamic: the parameters depend on the channels.
#include <c2f/layers/conv.hpp>

#ifdef CORRECTED
using input = c2f::image<3, c2f::dynamic, c2f::dynamic>;
#else
using input = c2f::image<c2f::dynamic, 32, 32>;
#endif
c2f::network_on<c2f::conv<16, 3>, input> net;
