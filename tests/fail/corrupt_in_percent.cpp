// expect-error: c2f::source::corrupt needs a probability from 0 to 1
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using source = c2f::source::corrupt<0.2>;
#else
  using source = c2f::source::corrupt<20>;
#endif
};
static_assert(c2f::task<mine>);
