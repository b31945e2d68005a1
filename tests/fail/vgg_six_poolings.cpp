// expect-error: c2f::vgg16_features has five poolings; write how many to keep, 1 to 5
#include <c2f/networks/vgg.hpp>

#ifdef CORRECTED
using backbone = c2f::vgg16_features<5>;
#else
using backbone = c2f::vgg16_features<6>;
#endif
using net = c2f::network_on<backbone, c2f::image<3, 224, 224>>;
net::output map;
