// expect-error: a task's '.*' is no type that c2f can see
// expect-error: write 'using input = ...;'
#include <c2f/c2f.hpp>

struct mine {
#ifdef CORRECTED
  using input = c2f::image<3, 32, 32>;
#else
  static constexpr c2f::image<3, 32, 32> input{};
#endif
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
};
static_assert(c2f::task<mine>);
