// expect-error: a feature pyramid stands on several maps; give it a backbone that returns the map of every stage
// expect-error: got<c2f::image<64, 8, 8>
// A pyramid on the last map of a ResNet alone.
#include <c2f/networks/feature_pyramid.hpp>
#include <c2f/networks/staged.hpp>

#ifdef CORRECTED
using backbone = c2f::small_stages<16, 32, 64>;
#else
using backbone = c2f::sequential<c2f::conv<64, 3, 4>>;
#endif
using levels = c2f::pyramid_on<backbone, c2f::fpn<32>>;
using net    = c2f::network_on<levels, c2f::image<3, 32, 32>>;
static_assert(sizeof(net) > 0);
