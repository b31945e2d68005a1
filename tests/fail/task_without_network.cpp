// expect-error: a task needs a network
// expect-error: in_task<mine>
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#endif
};
static_assert(c2f::task<mine>);
