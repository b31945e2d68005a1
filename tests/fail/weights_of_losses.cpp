// expect-error: a task has no member '.*', so it would have no effect; write
// expect-error: write 'using loss_weights = ...;'
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using loss_weights = c2f::loss_weights<0.5, 1.0>;
#else
  using weights = c2f::loss_weights<0.5, 1.0>;
#endif
};
static_assert(c2f::task<mine>);
