// expect-error: c2f::resnet_features has four stages
#include <c2f/c2f.hpp>

#ifdef CORRECTED
using backbone = c2f::resnet_features<18, 4>;
#else
using backbone = c2f::resnet_features<18, 5>;
#endif
using net = c2f::network_on<backbone, c2f::image<3, 64, 64>>;
static_assert(c2f::image_shape<net::output>);
