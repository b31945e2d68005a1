// expect-error: a cross-entropy needs a label smoothing from 0 to 1
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using loss = c2f::loss::cross_entropy_with<0.1>;
#else
  using loss = c2f::loss::cross_entropy_with<10>;
#endif
};
static_assert(c2f::task<mine>);
