// expect-error: the task's loss has not one class weight for each class
// expect-error: got<std::array<double, 2.*wanted<c2f::class_vector<3
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<3>>;
#ifdef CORRECTED
  using loss = c2f::loss::cross_entropy_with<0.1, std::array{1.0, 2.0, 0.5}>;
#else
  using loss = c2f::loss::cross_entropy_with<0.1, std::array{1.0, 2.0}>;
#endif
};
static_assert(c2f::task<mine>);
