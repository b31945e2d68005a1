// expect-error: the task's schedule is not a schedule
// expect-error: got<square>
// A schedule declares its unit, the point from which t is constant, and t before it.
#include <c2f/c2f.hpp>

struct square {
  static constexpr c2f::by unit = c2f::by::epoch;
#ifdef CORRECTED
  static constexpr double end = 30;
#endif
  static constexpr double at(double epoch) { return epoch < 30 ? epoch * epoch / 900 : 1; }
};
struct mine {
  using input    = c2f::image<3, 32, 32>;
  using network  = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using schedule = square;
};
static_assert(c2f::task<mine>);
