// expect-error: c2f::combine::mixed needs a weight of the coarse prediction from 0 to 1
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using combine = c2f::combine::mixed<0.3>;
#else
  using combine = c2f::combine::mixed<30>;
#endif
};
static_assert(c2f::task<mine>);
