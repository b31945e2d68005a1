// expect-error: the schedule falls, but t may only grow
// expect-error: got<c2f::schedule::steps<
// t = 0 is the truth, t = 1 the prediction, as at inference.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using schedule = c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 0.0>, c2f::step<30, 1.0>>;
#else
  using schedule = c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 1.0>, c2f::step<30, 0.0>>;
#endif
};
static_assert(c2f::task<mine>);
