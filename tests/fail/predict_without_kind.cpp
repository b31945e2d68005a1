// expect-error: the task's predict does not make a prediction of raw numbers
// expect-error: got<sharpened>
// A prediction depends on the kind, so 'of' is a template over it.
#include <c2f/c2f.hpp>

struct sharpened {
#ifdef CORRECTED
  template <c2f::output_kind Kind>
#endif
  static at::Tensor of(at::Tensor const& raw) {
    return raw.mul(2).softmax(1);
  }
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using predict = sharpened;
};
static_assert(c2f::task<mine>);
