// expect-error: a task has no member '.*', so it would have no effect; write
// expect-error: write 'using schedule = ...;'
// The task it derives from has a schedule, so nothing is missing, and every run of this one would be the other's.
#include <c2f/c2f.hpp>

struct joint {
  using input    = c2f::image<3, 32, 32>;
  using network  = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using schedule = c2f::schedule::always_prediction;
};
struct individual : joint {
#ifdef CORRECTED
  using schedule = c2f::schedule::always_truth;
#else
  using shedule = c2f::schedule::always_truth;
#endif
};
static_assert(c2f::task<individual>);
