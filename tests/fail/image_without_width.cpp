// expect-error: c2f::image needs a height and a width of 1 or more
// Channels, height, width: both are needed for a square image, too.
#include <c2f/c2f.hpp>

struct mine {
#ifdef CORRECTED
  using input = c2f::image<3, 32, 32>;
#else
  using input = c2f::image<3, 32>;
#endif
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
};
static_assert(c2f::task<mine>);
