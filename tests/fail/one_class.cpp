// expect-error: c2f::class_vector needs two classes or more
// A binary question has two classes.
#include <c2f/c2f.hpp>

#ifdef CORRECTED
using is_cat = c2f::class_vector<2>;
#else
using is_cat = c2f::class_vector<1>;
#endif
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, is_cat>;
};
static_assert(c2f::task<mine>);
