// expect-error: c2f::resnet knows the depths 10, 18, 34 and 50
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 224, 224>;
#ifdef CORRECTED
  using network = c2f::resnet<18, c2f::class_vector<1000>>;
#else
  using network = c2f::resnet<20, c2f::class_vector<1000>>;
#endif
};
static_assert(c2f::task<mine>);
