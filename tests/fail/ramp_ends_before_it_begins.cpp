// expect-error: c2f::schedule::ramp needs an end after its beginning
// The end is the second argument and the beginning the third, which is usually left out.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using schedule = c2f::schedule::ramp<0.0, 80'000, c2f::by::iteration, 40'000>;
#else
  using schedule = c2f::schedule::ramp<0.0, 40'000, c2f::by::iteration, 80'000>;
#endif
};
static_assert(c2f::task<mine>);
