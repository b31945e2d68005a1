// expect-error: the task's combine cannot join the two answers
// c2f::combine::average is the mean of two distributions; the mean of the logarithms of two boxes is no box.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 64, 64>;
  using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<1>, 64>;
#ifdef TWIN_OK
  using combine = c2f::combine::fine;
#else
  using combine = c2f::combine::average;
#endif
};
static_assert(c2f::task<mine>);
