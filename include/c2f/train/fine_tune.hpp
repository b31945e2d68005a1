// c2f/train/fine_tune.hpp: trains a model on a few samples in memory.
//
//   auto tuned = model;                                                // a copy: networks are values
//   c2f::fine_tune(tuned, images, labels, c2f::recipe::settings{}.epochs(50).learning_rate(0.01));     // up to 128 samples: 50 steps
//
// images are [N, C, H, W] and truth [N, ...] of the task's kind, on any device. They are not augmented and are read in batches of
// recipe.batch(), in an order that is a function of seed and epoch. Steps, t, learning rate and random choices are those of c2f::fit; there
// is no split, no loader and no evaluation.
//
// Ren et al. 2020, section 4.2.2, learn new classes from a few samples this way: a network that was trained on the base classes is
// fine-tuned on the support set of an episode, alone or in a stack with rising t.
//
// Errors: c2f::input_error if there are no images, or another number of truths; c2f::not_finite after recipe.stop_after_skips() steps in a row whose
// loss or gradient is not finite.
#pragma once

#include <c2f/train/deterministic.hpp>
#include <c2f/train/step_loop.hpp>
#include <c2f/train/training_scope.hpp>

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <string>

namespace c2f {

/// Trains a model on samples in memory.
template <class Model>
void fine_tune(Model& model, at::Tensor const& images, at::Tensor const& truth, recipe::settings const& recipe) {
  if constexpr (detail::valid_model<Model>) {  // else: diagnostic emitted; follow-on errors suppressed
    if (images.dim() == 0 || truth.dim() == 0 || images.size(0) != truth.size(0))
      throw input_error("fine_tune was given " + std::to_string(images.dim() == 0 ? 0 : images.size(0)) + " images and " +
                        std::to_string(truth.dim() == 0 ? 0 : truth.size(0)) + " truths; pass a truth for each image");
    if (images.size(0) == 0) throw input_error("fine_tune was given no samples; give it one or more images with their truths");
    deterministically(recipe.deterministic(), [&] {
      detail::training_scope const scope(model, recipe);
      training_step training(model, recipe);
      std::int64_t const samples = images.size(0);
      std::vector<std::int64_t> order;
      detail::run_epochs(
          training, &t_at<detail::schedule_of<Model>>, recipe, data::detail::training_batches_of(samples, recipe.batch()),
          [&](std::int64_t epoch, std::int64_t i) {
            if (i == 0) order = data::detail::order_of(samples, true, recipe.seed(), static_cast<std::uint64_t>(epoch));
            auto const begin = order.begin() + i * recipe.batch(), end = order.begin() + std::min(samples, (i + 1) * recipe.batch());
            std::vector<std::int64_t> ids(begin, end);
            at::Tensor const chosen = at::tensor(ids);
            return data::batch{images.index_select(0, chosen.to(images.device())), truth.index_select(0, chosen.to(truth.device())),
                               std::move(ids), static_cast<std::uint64_t>(epoch), i};
          },
          /*wait=*/false, [](step_record const&) {});
    });
  }
}

}  // namespace c2f
