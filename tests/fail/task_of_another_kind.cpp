// expect-error: the task's 'kind' is not what its network predicts
// expect-error: wanted<c2f::class_vector<10
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using kind = c2f::class_vector<10>;
#else
  using kind = c2f::class_vector<2>;
#endif
};
static_assert(c2f::task<mine>);
