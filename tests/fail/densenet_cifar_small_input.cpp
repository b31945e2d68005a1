// expect-error: the map is smaller than this layer's window
// Two poolings halve the input, and so it has 4x4 pixels or more.
#include <c2f/c2f.hpp>
#include <c2f/networks/densenet_cifar.hpp>

struct mine {
#ifdef CORRECTED
  using input = c2f::image<3, 4, 4>;
#else
  using input = c2f::image<3, 3, 3>;
#endif
  using network = c2f::densenet_cifar<16, 4, c2f::class_vector<10>>;
};
static_assert(c2f::task<mine>);
