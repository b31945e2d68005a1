// expect-error: the task's combine cannot combine the coarse and the fine output
// c2f::combine::average is the mean of two distributions; boxes are not distributions.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 64, 64>;
  using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<1>, 64>;
#ifdef CORRECTED
  using combine = c2f::combine::fine;
#else
  using combine = c2f::combine::average;
#endif
};
static_assert(c2f::task<mine>);
