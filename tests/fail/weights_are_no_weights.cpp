// expect-error: the weights of the losses are not both 0 or more
// expect-error: got<half_and_one>
#include <c2f/c2f.hpp>

#ifdef CORRECTED
using half_and_one = c2f::loss_weights<0.5, 1.0>;
#else
struct half_and_one {
  static constexpr double values[] = {0.5, 1.0};
};
#endif

struct mine {
  using input        = c2f::image<3, 32, 32>;
  using network      = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using loss_weights = half_and_one;
};
static_assert(c2f::task<mine>);
