// c2f/systems/rstn.hpp: RSTN, which finds one organ in slices of a scan, and the three ways it has been trained.
//
//   using task = c2f::systems::rstn<>;                                                    // progressive training, the numbers published
//   using task = c2f::systems::rstn_stepwise<c2f::systems::rstn<>>;                       // stages S, I, J
//   using task = c2f::systems::rstn_switched<c2f::systems::rstn<>>;                       // from truth to prediction all at once
//   using task = c2f::systems::rstn<c2f::unet<3, 8, c2f::dense<1>>, c2f::image<3, c2f::dynamic, c2f::dynamic>, 4, 8, 8>;   // a small one
//   c2f::fit(model, data, c2f::systems::rstn_recipe{}.epochs(n));
//
// Yu et al., CVPR 2018, "Recurrent saliency transformation network" (RSTN), as Ren et al. 2020, section 4.3, takes it up: a sample is a slice
// with its neighbours as channels; coarse and fine network are FCN-8s; the coarse mask becomes a saliency that is multiplied with the
// image; the fine network sees the smallest box around the mask (probability .5 or more) with a margin; both are judged by Dice, with
// weights 1/3 and 2/3; at inference the fine network is told of its own mask until two in a row have a Dice of .95, or ten times.
//
// Everything that changes with time is written in fractions of the training, so that a shorter one keeps the shape; with 120,000
// iterations they are the paper's: t = 0 until 40,000, rising to 1 at 80,000 (Ren et al. 2020), the rate halved at 90,000, 100,000 and 110,000.
// The stages are S to 1/8 and I to 1/2 (2, 6 and 8 epochs in the PyTorch code; 10,000, 30,000 and 40,000 iterations in the Caffe code).
// The fixed point of the switch is not published: here it is the middle, where stage J begins.
//
// The published networks begin with weights trained on PASCAL VOC, which are not part of c2f; the published rate, 1e-5 and ten times
// that with momentum .99, is meant for these. Whole volumes, of three networks that look along three axes: inference/predict_volume.hpp.
#pragma once

#include <c2f/parts/encode_saliency.hpp>
#include <c2f/parts/fuse_crop.hpp>
#include <c2f/loss/dice.hpp>
#include <c2f/networks/fcn.hpp>
#include <c2f/task/complete.hpp>
#include <c2f/train/recipe.hpp>

#include <string_view>

namespace c2f::systems {

/// Progressive training: ỹ is the truth at first and ever more often the prediction; saliency and crop are made from ỹ.
/// `Multiple`: what the sides of a crop are multiples of, for networks that halve them.
template <class Network = fcn8s<dense<1>>, class Input = image<3, dynamic, dynamic>, std::int64_t Margin = 20, std::int64_t Jitter = 40,
          std::int64_t Multiple = 1>
struct rstn {
  static constexpr char const* name = "rstn";
  /// Multiplied with the saliency, then cropped around what `From` says.
  template <class From>
  using multiply_and_crop = c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<Margin, Jitter, Multiple, From>>;

  using input    = Input;
  using network  = Network;
  using schedule = c2f::schedule::ramp<0, 2.0 / 3, by::fraction, 1.0 / 3>;
  using encoder  = c2f::encode::saliency;
  using fuse     = multiply_and_crop<c2f::fuse::by_conditioning>;
  using refine   = c2f::refine::until<0.95, 10>;
  using loss     = c2f::loss::dice<>;
  using loss_weights  = c2f::loss_weights<1.0 / 3, 2.0 / 3>;
};

/// RSTN's own training. t counts its stages: S (0), the raw image, cropped by the truth; I (.5), the image times the saliency of the coarse
/// prediction, cropped by the truth; J (1), all by the prediction.
template <class Rstn>
struct rstn_stepwise : Rstn {
  static constexpr char const* name = "rstn-stepwise";
  using schedule                    = c2f::schedule::steps<by::fraction, step<0, 0>, step<0.125, 0.5>, step<0.5, 1>>;
  using source                      = c2f::source::prediction;
  using encoder                     = c2f::encode::after<0.5, c2f::encode::saliency>;
  using fuse                        = typename Rstn::template multiply_and_crop<c2f::fuse::by_truth_until<1>>;
};

/// The truth, and from the middle on the prediction: progressive training without its progress.
template <class Rstn>
struct rstn_switched : Rstn {
  static constexpr char const* name = "rstn-switched";
  using schedule                    = c2f::schedule::steps<by::fraction, step<0, 0>, step<0.5, 1>>;
};

/// The coarse network takes the rate as it is, the rest ten times that; biases twice as much, and they do not decay.
inline parameter_multipliers rstn_multipliers(std::string_view path, std::span<std::int64_t const>) {
  double const learning_rate = path.starts_with("coarse.") ? 1 : 10;
  return path.ends_with(".bias") ? parameter_multipliers{2 * learning_rate, 0} : parameter_multipliers{learning_rate, 1};
}

/// The recipe of Ren et al. 2020, section 4.3, with momentum and decay of RSTN's code. Its 120,000 iterations are 120,000 / slices epochs.
struct rstn_recipe : recipe::settings {
  rstn_recipe() {
    batch(1).learning_rate(1e-5).momentum(0.99).weight_decay(5e-4, &rstn_multipliers);
    milestone(90.0 / 120, 0.5).milestone(100.0 / 120, 0.5).milestone(110.0 / 120, 0.5);
  }
};

}  // namespace c2f::systems
