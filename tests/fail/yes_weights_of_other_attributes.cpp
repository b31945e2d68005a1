// expect-error: the task's loss has not one weight for each attribute
// expect-error: multi_label<3>
#include <c2f/c2f.hpp>
#include <c2f/kinds/multi_label.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::multi_label<3>>;
#ifdef CORRECTED
  using loss = c2f::loss::binary_cross_entropy<std::array{1.0, 2.0, 4.0}>;
#else
  using loss = c2f::loss::binary_cross_entropy<std::array{1.0, 2.0}>;
#endif
};
static_assert(c2f::task<mine>);
