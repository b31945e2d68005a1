// expect-error: the schedule leaves .0, 1., but t is a probability
// expect-error: got<c2f::schedule::steps<
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using schedule = c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 0.5>, c2f::step<30, 1.0>>;
#else
  using schedule = c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 50>, c2f::step<30, 100>>;
#endif
};
static_assert(c2f::task<mine>);
