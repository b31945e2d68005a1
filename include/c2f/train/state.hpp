// c2f/train/state.hpp: the state of a training: everything that its remaining steps depend on.
//
//   struct my_keeper {
//     bool restore(c2f::training_state& state);                       // before the first step: restores a state, or returns false
//     void keep(c2f::training_state const& state, c2f::moment when);  // after every step and epoch, and when the training is stopped
//   };
//
// The tensors share their memory with the training: to restore a state, copy values into them and assign the other members. Everything else
// is computed from the state: the order of the samples, their augmentation and all random choices from seed, epoch and sample id; t and the
// learning rate from `now`. c2f::checkpoints (train/checkpoint.hpp) saves it in files.
#pragma once

#include <c2f/core/progress.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/split_identity.hpp>
#include <c2f/train/observer.hpp>

#include <string>
#include <utility>
#include <vector>

namespace c2f {

using named_tensors = std::vector<std::pair<std::string, at::Tensor>>;

/// The state between two steps.
struct training_state {
  // The identity of the training.
  std::uint64_t type = 0;  ///< a hash of the types that the completed task is made of
  std::uint64_t seed = 0;
  named_values recipe;
  data::split_identity train_data, scored_data;  ///< what is trained on, and scored after every epoch

  // Its tensors, by path.
  named_tensors model, parameters;  ///< all parameters and buffers; the trained parameters
  named_tensors optimizer_state;    ///< the optimiser state: momenta of SGD, or moments and update count of Adam
  named_tensors averages;           ///< the moving average of the whole model; empty without recipe.ema
  named_tensors best;               ///< the model, or its average, of the best epoch; empty without recipe.stop_early
  named_tensors generators;         ///< the states of LibTorch's generators, which torch::nn modules draw from; copies, not shared

  std::string blocks;               ///< of the model's weights (channel_blocks), as text

  // Its progress.
  progress now;
  std::int64_t step             = 0;  ///< completed steps of this epoch
  std::int64_t skipped_in_a_row = 0;  ///< the number of skipped steps in a row, up to now
  epoch_record epoch;                 ///< this epoch up to now; losses are sums
  training_report report;             ///< up to now
  data::replacements train, test;     ///< the samples that could not be read
};

}  // namespace c2f
