// expect-error: the convolutions of an encoder need odd kernels
// With an even kernel the map is one pixel smaller or larger than the image.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using encoder = c2f::encode::tile<c2f::encode::compact, 16, 5, 3>;
#else
  using encoder = c2f::encode::tile<c2f::encode::compact, 16, 4, 3>;
#endif
};
static_assert(c2f::task<mine>);
