// expect-error: c2f::gunn takes a number of groups, a unit such as c2f::gunn_unit<2>
// The unit was left out.
#include <c2f/layers/gunn.hpp>

#ifdef CORRECTED
using layer = c2f::gunn<4, c2f::gunn_unit<>, c2f::update::simultaneous>;
#else
using layer = c2f::gunn<4, c2f::update::simultaneous>;
#endif
c2f::network_on<layer, c2f::image<48, 8, 8>> net;
