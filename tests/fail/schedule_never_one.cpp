// expect-error: the schedule never reaches 1
// expect-error: got<c2f::schedule::steps<
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using schedule = c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 0.5>, c2f::step<30, 0.75>, c2f::step<40, 1.0>>;
#else
  using schedule = c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 0.5>, c2f::step<30, 0.75>>;
#endif
};
static_assert(c2f::task<mine>);
