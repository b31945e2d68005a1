// expect-error: c2f::refine::times needs a number of rounds of 0 or more
// c2f::refine::no_fine_network is times<0>.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using refine = c2f::refine::no_fine_network;
#else
  using refine = c2f::refine::times<-1>;
#endif
};
static_assert(c2f::task<mine>);
