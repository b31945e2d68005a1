// expect-error: the schedule falls, but t may only grow
// expect-error: in_task<mine>
// The error of a task is reported once, however often the task is used.
#include <c2f/c2f.hpp>

struct mine {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<10>>;
#ifndef CORRECTED
  using schedule = c2f::schedule::steps<c2f::by::epoch, c2f::step<0, 1.0>, c2f::step<30, 0.0>>;
#endif
};
static_assert(c2f::task<mine>);

at::Tensor step(at::Tensor const& images, at::Tensor const& labels) {
  c2f::stack<mine> model(1);
  auto [coarse, fine] = model(images, c2f::eval);
  c2f::pass step{.mode = c2f::train, .truth = labels, .t = 0.5};
  model(images, step);
  c2f::sgd{model, {}}.step(0.1);
  c2f::training_step<mine>(model, c2f::recipe::cifar{}).next();
  c2f::predictor<mine>{model}(at::Tensor());
  return step.loss();
}
