// c2f/train/state.hpp: all that the rest of a training depends on.
//
//   struct my_keeper {
//     bool restore(c2f::training_state& state);                       // before the first step: puts one back, or says false
//     void keep(c2f::training_state const& state, c2f::moment when);  // after every step and epoch, and when the training is stopped
//   };
//
// The tensors share their memory with the training: to put a state back, copy numbers into them and assign the rest. What is not here is
// a function of it: the order of the samples, their augmentation and every random choice follow from the seed, the epoch and the sample;
// t and the learning rate from `now`. c2f::checkpoints (train/checkpoint.hpp) keeps it in files.
#pragma once

#include <c2f/core/progress.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/train/observer.hpp>

#include <string>
#include <utility>
#include <vector>

namespace c2f {

using named_tensors = std::vector<std::pair<std::string, at::Tensor>>;

struct training_state {
  // Whose state it is.
  std::uint64_t type = 0;  ///< a hash of the types that the completed task is made of
  std::uint64_t seed = 0;
  named_values recipe;

  // Its numbers, by the paths of the parameters and buffers.
  named_tensors leaves, parameters;  ///< all; those that are trained
  named_tensors momenta;
  named_tensors averages;    ///< of all leaves; empty without recipe.ema
  named_tensors generators;  ///< LibTorch's own, for networks that draw from them; here these are copies

  // Where it stands.
  progress now;
  std::int64_t step     = 0;       ///< steps of this epoch that are done
  std::int64_t in_a_row = 0;       ///< the last so many steps were skipped
  epoch_record epoch;              ///< this epoch so far; its losses are sums
  training_report report;          ///< so far
  data::replacements train, test;  ///< what could not be read
};

}  // namespace c2f
