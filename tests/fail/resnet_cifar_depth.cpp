// expect-error: c2f::resnet_cifar has no such depth
// Three stages of n blocks of two layers, one layer before and one after them: 6n + 2.
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::resnet_cifar<20, c2f::class_vector<10>>;
#else
  using network = c2f::resnet_cifar<19, c2f::class_vector<10>>;
#endif
};
static_assert(c2f::task<mine>);
