// expect-error: the task's loss does not support what the networks predict
// expect-error: got<c2f::loss::cross_entropy>.*wanted<c2f::boxes
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 64, 64>;
  using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<1>, 64>;
#ifdef CORRECTED
  using loss = c2f::loss::log_l1;
#else
  using loss = c2f::loss::cross_entropy;
#endif
};
static_assert(c2f::task<mine>);
