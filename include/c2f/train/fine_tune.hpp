// c2f/train/fine_tune.hpp: trains a stack on a handful of samples that fit into one batch.
//
//   auto model = pretrained;                                           // a copy: networks are values
//   c2f::fine_tune(model, images, labels, c2f::recipe::settings{}.epochs(50).rate(0.01));     // 50 steps
//
// One step an epoch, with all samples in it, as they are. t, rate and random choices are those of c2f::fit; no split, no loader, no test.
// This is how paper 000, section 4.2.2, learns new classes from a few samples: a network that was trained on the base classes is fine-tuned
// on the support of an episode, alone or in a stack with t rising.
// Errors: losses that are not finite end it with c2f::not_finite.
#pragma once

#include <c2f/task/stack.hpp>
#include <c2f/train/recipe.hpp>

#include <cmath>
#include <string>

namespace c2f {

template <class Task>
void fine_tune(stack<Task>& model, at::Tensor const& images, at::Tensor const& truth, recipe::settings const& recipe) {
  sgd optimizer(model, recipe.optimizer());
  progress now;
  for (; now.epoch < recipe.epochs(); ++now.epoch, ++now.iteration) {
    now.fraction = static_cast<double>(now.epoch) / static_cast<double>(recipe.epochs());
    pass p{.mode  = train,
           .truth = truth,
           .t     = t_at<typename complete<Task>::schedule>(now),
           .seed  = recipe.seed(),
           .epoch = static_cast<std::uint64_t>(now.epoch)};
    model(images, p);
    at::Tensor const loss = p.loss();
    if (double const value = loss.template item<double>(); !std::isfinite(value))
      throw not_finite("the loss of step " + std::to_string(now.epoch) + " of a fine-tuning is " + std::to_string(value) +
                       "; lower the learning rate, or look at the images");
    optimizer.zero_gradients();
    loss.backward();
    optimizer.step(recipe.rate_at(now));
  }
}

}  // namespace c2f
