// expect-error: this layer works on a map
#include <c2f/layers/gunn.hpp>

#ifdef CORRECTED
using layers = c2f::sequential<c2f::gunn<4>, c2f::global_average_pool>;
#else
using layers = c2f::sequential<c2f::global_average_pool, c2f::gunn<4>>;
#endif
c2f::network_on<layers, c2f::image<48, 8, 8>> net;
