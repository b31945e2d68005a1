// expect-error: the task's refine does not say how often the fine network runs
// expect-error: got<three_times>
#include <c2f/c2f.hpp>

#ifdef CORRECTED
using three_times = c2f::refine::times<3>;
#else
struct three_times {
  static constexpr int times = 3;
};
#endif

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using refine  = three_times;
};
static_assert(c2f::task<mine>);
