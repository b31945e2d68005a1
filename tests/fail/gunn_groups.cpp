// expect-error: c2f::gunn updates groups of equally many channels
// expect-error: got<c2f::image<48, 8, 8
#include <c2f/layers/gunn.hpp>

#ifdef CORRECTED
using layers = c2f::sequential<c2f::gunn<4>, c2f::conv<16, 1>>;
#else
using layers = c2f::sequential<c2f::gunn<5>, c2f::conv<16, 1>>;
#endif
c2f::network_on<layers, c2f::image<48, 8, 8>> net;
