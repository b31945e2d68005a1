// expect-error: the task's loss is not a loss
// expect-error: got<squared_error>
#include <c2f/c2f.hpp>

struct squared_error {
#ifdef CORRECTED
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) { return raw.gather(1, truth.unsqueeze(1)).sub(1).square().mean(); }
#else
  at::Tensor operator()(at::Tensor const& raw, at::Tensor const& truth) const {
    return raw.gather(1, truth.unsqueeze(1)).sub(1).square().mean();
  }
#endif
};
struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
  using loss    = squared_error;
};
static_assert(c2f::task<mine>);
