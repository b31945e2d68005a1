// c2f/task/training_loss.hpp: the loss of a stack in training.
//
//   loss = w_coarse L(yC, y*) + w_fine L(s, y*) + losses added by parts        (Ren et al. 2020, eq. 4, where both weights are 1)
//
// L is the task's `loss`, by default that of its kind (folder loss/); the weights are its `loss_weights` (task/complete.hpp). s is the
// supervised output of the task's combine (parts/combine.hpp): the fine output, or the mixture of a gate, which adds a loss of its own. Each
// term is added to the pass under its name, "coarse" and "fine"; pass::loss() is their sum. A loss that reads the pass, for instance its
// side outputs, has `of(raw, truth, pass)`; one of several parts has `each(raw, truth)`, and each part a name, such as "fine.depth"
// (kinds/bundle.hpp).
//
// A network that supervises itself, as a stack does, adds its own losses to the pass and says `supervises_itself`. Its place in a stack then
// adds no L: w_coarse or w_fine scales what it has added. So in a stack of stacks each output is supervised once. Where s is not the output
// of such a fine network but a mixture with it, L(s, y*) is added.
#pragma once

#include <c2f/core/pass.hpp>

#include <cstddef>
#include <string>

namespace c2f::detail {

template <class Loss>
at::Tensor loss_of(at::Tensor const& raw, pass const& p) {
  if constexpr (requires { Loss::of(raw, p.truth, p); })
    return Loss::of(raw, p.truth, p);
  else
    return Loss::of(raw, p.truth);
}

/// Adds weight * L(raw, p.truth) to the pass; nothing where the weight is 0.
template <class Loss>
void add_supervised_loss(pass& p, char const* name, at::Tensor const& raw, double weight) {
  if (weight == 0) return;
  if constexpr (requires { Loss::each(raw, p.truth); }) {
    for (auto const& one : Loss::each(raw, p.truth))
      p.add(std::string(name) + '.' + one.name, weight == 1 ? one.value : one.value.mul(weight));
    return;
  }
  at::Tensor const value = loss_of<Loss>(raw, p);
  p.add(name, weight == 1 ? value : value.mul(weight));
}

/// Scales the losses from number `first` on; removes them where the weight is 0.
inline void scale_losses(pass& p, std::size_t first, double weight) {
  if (weight == 1) return;
  if (weight == 0) p.losses.resize(first);
  for (std::size_t i = first; i < p.losses.size(); ++i) p.losses[i].value = p.losses[i].value.mul(weight);
}

}  // namespace c2f::detail
