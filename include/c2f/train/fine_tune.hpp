// c2f/train/fine_tune.hpp: trains a stack on a handful of samples.
//
//   auto model = pretrained;                                           // a copy: networks are values
//   c2f::fine_tune(model, images, labels, c2f::recipe::settings{}.epochs(50).rate(0.01));     // up to 128 samples: 50 steps
//
// The samples as they are, in batches of recipe.batch(), in an order that is a function of seed and epoch. t, rate and random choices are
// those of c2f::fit; no split, no loader, no test.
// This is how paper 000, section 4.2.2, learns new classes from a few samples: a network that was trained on the base classes is fine-tuned
// on the support of an episode, alone or in a stack with t rising.
// Errors: losses that are not finite end it with c2f::not_finite.
#pragma once

#include <c2f/data/loader.hpp>
#include <c2f/task/stack.hpp>
#include <c2f/train/recipe.hpp>

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

namespace c2f {

template <class Task>
void fine_tune(stack<Task>& model, at::Tensor const& images, at::Tensor const& truth, recipe::settings const& recipe) {
  sgd optimizer(model, recipe.optimizer());
  std::int64_t const samples = images.size(0), steps = data::detail::batches_of(samples, recipe.batch());
  progress now;
  for (; now.epoch < recipe.epochs(); ++now.epoch) {
    auto const order        = data::detail::order_of(samples, true, recipe.seed(), static_cast<std::uint64_t>(now.epoch));
    at::Tensor const places = at::tensor(order, truth.options().dtype(at::kLong));
    for (std::int64_t step = 0; step < steps; ++step, ++now.iteration) {
      now.fraction            = static_cast<double>(now.iteration) / static_cast<double>(recipe.epochs() * steps);
      std::int64_t const end  = std::min(samples, (step + 1) * recipe.batch());
      at::Tensor const chosen = places.slice(0, step * recipe.batch(), end);
      pass p{.mode  = train,
             .truth = truth.index_select(0, chosen),
             .t     = t_at<typename complete<Task>::schedule>(now),
             .seed  = recipe.seed(),
             .epoch = static_cast<std::uint64_t>(now.epoch),
             .ids   = std::span(order).subspan(static_cast<std::size_t>(step * recipe.batch()), static_cast<std::size_t>(chosen.size(0)))};
      model(images.index_select(0, chosen), p);
      at::Tensor const loss = p.loss();
      if (double const value = loss.template item<double>(); !std::isfinite(value))
        throw not_finite("the loss of step " + std::to_string(now.iteration) + " of a fine-tuning is " + std::to_string(value) +
                         "; lower the learning rate, or look at the images");
      optimizer.zero_gradients();
      loss.backward();
      optimizer.step(recipe.rate_at(now));
    }
  }
}

}  // namespace c2f
