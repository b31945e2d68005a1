// expect-error: c2f::refine::until needs an agreement above 0 and up to 1
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using refine = c2f::refine::until<0.95, 10>;
#else
  using refine = c2f::refine::until<95, 10>;
#endif
};
static_assert(c2f::task<mine>);
