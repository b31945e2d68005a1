// expect-error: a task's '.*' is no type that c2f can see
// expect-error: write 'using refine = ...;'
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifdef CORRECTED
  using refine = c2f::refine::times<2>;
#else
  static constexpr int refine = 2;
#endif
};
static_assert(c2f::task<mine>);
