// expect-error: the encoder cannot encode what the networks predict
// expect-error: got<c2f::encode::dense<.*wanted<c2f::class_vector
// c2f::encode::dense takes a map; a class vector has no pixels and needs c2f::encode::tile.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using encoder = c2f::encode::tile<>;
#else
  using encoder = c2f::encode::dense<>;
#endif
};
static_assert(c2f::task<mine>);
