// expect-error: the encoder cannot encode what the networks predict
// expect-error: got<c2f::encode::tile<.*wanted<c2f::boxes
// c2f::encode::tile copies a vector of probabilities to every pixel; a box has a position and is rasterized.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 64, 64>;
  using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<1>, 64>;
#ifdef CORRECTED
  using encoder = c2f::encode::rasterize<>;
#else
  using encoder = c2f::encode::tile<>;
#endif
};
static_assert(c2f::task<mine>);
