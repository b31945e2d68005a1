// expect-error: the task's share runs one network on the image and on what the fuse gives, so the fuse must keep the image's shape
// expect-error: got<c2f::image<6, 32, 32>
// expect-error: wanted<c2f::image<3, 32, 32>
// One network cannot read three channels in its first pass and six in its second.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using share   = c2f::share::weights;
#ifdef CORRECTED
  using fuse = c2f::fuse::multiply;
#endif
};
static_assert(c2f::task<mine>);
