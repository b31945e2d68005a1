// expect-error: c2f::share::weights needs one network for both
// expect-error: got<c2f::resnet_cifar<20
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#else
  using network = c2f::coarse_fine<c2f::resnet_cifar<8, c2f::class_vector<10>>, c2f::resnet_cifar<20, c2f::class_vector<10>>>;
#endif
  using share = c2f::share::weights;
  using fuse  = c2f::fuse::multiply;
};
static_assert(c2f::task<mine>);
