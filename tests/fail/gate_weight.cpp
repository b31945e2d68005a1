// expect-error: the weight of a gate's own loss is 0 or more
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using head    = c2f::sequential<c2f::global_average_pool, c2f::linear<2>>;
#ifdef CORRECTED
  using combine = c2f::combine::gate<head, 0.1>;
#else
  using combine = c2f::combine::gate<head, -0.1>;
#endif
};
static_assert(c2f::task<mine>);
