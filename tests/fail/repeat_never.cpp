// expect-error: c2f::repeat needs a number of 1 or more
#include <c2f/layers/residual.hpp>

#ifdef CORRECTED
using stage = c2f::repeat<1, c2f::basic_block<16>>;
#else
using stage = c2f::repeat<0, c2f::basic_block<16>>;
#endif
c2f::network_on<stage, c2f::image<16, 32, 32>> net;
