// c2f/task/training_loss.hpp: the loss of a stack in training.
//
//   loss = w_coarse L(yC, y*) + w_fine L(s, y*) + losses added by parts        (Ren et al. 2020, eq. 4, where both weights are 1)
//
// L is the task's `loss`, by default that of its kind (folder loss/); the weights are its `loss_weights` (task/complete.hpp). s is the
// supervised output of the task's combine (parts/combine.hpp): the fine output, or the mixture of a gate, which adds a loss of its own. Each
// term is added to the pass under its name, "coarse" and "fine"; pass::loss() is their sum.
#pragma once

#include <c2f/core/pass.hpp>

namespace c2f::detail {

/// Adds weight * L(raw, p.truth) to the pass; nothing where the weight is 0.
template <class Loss>
void add_supervised_loss(pass& p, char const* name, at::Tensor const& raw, double weight) {
  if (weight == 0) return;
  at::Tensor const value = Loss::of(raw, p.truth);
  p.add(name, weight == 1 ? value : value.mul(weight));
}

}  // namespace c2f::detail
