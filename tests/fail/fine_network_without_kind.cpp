// expect-error: a task's network must say what it predicts
// expect-error: got<my_network>
// Both networks must have a member `kind`; the fine network has it under a wrong name.
#include <c2f/c2f.hpp>

struct my_network : c2f::sequential<c2f::conv<16, 3>, c2f::relu, c2f::global_average_pool, c2f::linear<10>> {
#ifdef CORRECTED
  using kind = c2f::class_vector<10>;
#else
  using output = c2f::class_vector<10>;
#endif
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::coarse_fine<c2f::resnet_cifar<8, c2f::class_vector<10>>, my_network>;
};
static_assert(c2f::task<mine>);
