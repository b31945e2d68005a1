// expect-error: the schedule falls, but t may only grow
// expect-error: stage
// The error of a stage is reported once, and not again by the task that it is a stage of.
#include <c2f/c2f.hpp>

using small = c2f::resnet_cifar<8, c2f::class_vector<4>>;
struct stage {
  using network = small;
#ifndef CORRECTED
  using schedule = c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 1.0>, c2f::step<30, 0.0>>;
#endif
};
struct mine {
  static constexpr char const* name = "mine";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::coarse_fine<c2f::stack<stage>, small>;
};
static_assert(c2f::task<mine>);

void use(at::Tensor const& images) {
  c2f::stack<mine> model(1);
  model(images, c2f::eval);
}
