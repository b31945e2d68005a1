// expect-error: c2f::encode::soft needs edges of some width
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 64, 64>;
  using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<1>, 64>;
#ifdef CORRECTED
  using encoder = c2f::encode::rasterize<c2f::encode::soft<2>>;
#else
  using encoder = c2f::encode::rasterize<c2f::encode::soft<0>>;
#endif
};
static_assert(c2f::task<mine>);
