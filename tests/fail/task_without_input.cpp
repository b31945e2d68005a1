// expect-error: a task needs an input
// expect-error: in_task<mine>
// A task must declare its input.
#include <c2f/c2f.hpp>

struct mine {
#ifdef CORRECTED
  using input = c2f::image<3, 32, 32>;
#endif
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
};
static_assert(c2f::task<mine>);
