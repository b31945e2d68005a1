// expect-error: this layer works on a map
// expect-error: got<c2f::vector<16>
// The shared features are the input of both networks, so they must be a map.
#include <c2f/c2f.hpp>

struct mine {
  using input = c2f::image<3, 32, 32>;
#ifdef CORRECTED
  using share = c2f::share::features<c2f::sequential<c2f::conv<16, 3>, c2f::relu>>;
#else
  using share = c2f::share::features<c2f::sequential<c2f::conv<16, 3>, c2f::relu, c2f::global_average_pool>>;
#endif
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using encoder = c2f::encode::none;
};
static_assert(c2f::task<mine>);
