// expect-error: c2f::densenet_cifar has no such depth
// Three blocks of n layers of two convolutions, one before, one behind each of two blocks, and the linear layer: 6n + 4.
#include <c2f/c2f.hpp>
#include <c2f/networks/densenet_cifar.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using network = c2f::densenet_cifar<16, 4, c2f::class_vector<10>>;
#else
  using network = c2f::densenet_cifar<15, 4, c2f::class_vector<10>>;
#endif
};
static_assert(c2f::task<mine>);
