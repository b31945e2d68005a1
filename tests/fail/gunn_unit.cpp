// expect-error: c2f::gunn_unit takes an expansion and a number of stacked units
#include <c2f/layers/gunn.hpp>

#ifdef CORRECTED
using layer = c2f::gunn<4, c2f::gunn_unit<2, 1>>;
#else
using layer = c2f::gunn<4, c2f::gunn_unit<2, 0>>;
#endif
c2f::network_on<layer, c2f::image<48, 8, 8>> net;
