// expect-error: c2f::resnet_features has output stride 8, 16 or 32
#include <c2f/c2f.hpp>

#ifdef CORRECTED
using backbone = c2f::resnet_features<18, 4, 8>;
#else
using backbone = c2f::resnet_features<18, 4, 4>;
#endif
using net = c2f::network_on<backbone, c2f::image<3, 64, 64>>;
static_assert(c2f::image_shape<net::output>);
