// expect-error: the coarse and the fine network predict different kinds
// expect-error: got<c2f::class_vector<100>
// expect-error: wanted<c2f::class_vector<20>
// Both networks predict the same quantity; the fine one is conditioned on the coarse prediction and corrects it.
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::coarse_fine<c2f::resnet_cifar<8, c2f::class_vector<100>>, c2f::resnet_cifar<20, c2f::class_vector<100>>>;
#else
  using network = c2f::coarse_fine<c2f::resnet_cifar<8, c2f::class_vector<20>>, c2f::resnet_cifar<20, c2f::class_vector<100>>>;
#endif
};
static_assert(c2f::task<mine>);
