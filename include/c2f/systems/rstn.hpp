// c2f/systems/rstn.hpp: RSTN, which segments one organ in the slices of a scan, with three training schemes.
//
//   using task = c2f::systems::rstn<>;                                                    // progressive training, published settings
//   using task = c2f::systems::rstn_stepwise<c2f::systems::rstn<>>;                       // stages S, I, J
//   using task = c2f::systems::rstn_switched<c2f::systems::rstn<>>;                       // from truth to prediction in one step
//   using task = c2f::systems::rstn<c2f::unet<3, 8, c2f::dense<1>>, c2f::image<3, c2f::dynamic, c2f::dynamic>, 4, 8, 8>;   // a small one
//   c2f::fit(model, data, c2f::systems::rstn_recipe{}.epochs(10));
//
// Yu et al., CVPR 2018, "Recurrent saliency transformation network" (RSTN), as used in Ren et al. 2020, section 4.3: a sample is a slice
// with its neighbouring slices as channels, [N, 3, H, W]; coarse and fine network are FCN-8s; the coarse mask becomes a saliency map that
// is multiplied with the image; the fine network sees the bounding box of the mask (probability at least .5) plus a margin; both have a
// Dice loss, with weights 1/3 and 2/3; at inference the fine network is conditioned on its own mask until two consecutive masks have a Dice
// coefficient of .95, at most ten times.
//
// All changes over time are given in fractions of the training. With 120,000 iterations they are the published ones: t = 0 until 40,000,
// rising to 1 at 80,000 (Ren et al. 2020), the learning rate halved at 90,000, 100,000 and 110,000. Stage S ends at 1/8 and stage I at 1/2
// (2, 6 and 8 epochs in the PyTorch code; 10,000, 30,000 and 40,000 iterations in the Caffe code). The point at which rstn_switched
// switches is not published: here it is 1/2, where stage J begins.
//
// The published networks are initialised with weights trained on PASCAL VOC, which are not part of c2f; the published learning rate, 1e-5
// and ten times that with momentum .99, is meant for these. Segmenting whole volumes with three networks for three axes:
// inference/predict_volume.hpp.
#pragma once

#include <c2f/parts/encode_saliency.hpp>
#include <c2f/parts/fuse_crop.hpp>
#include <c2f/loss/dice.hpp>
#include <c2f/networks/fcn.hpp>
#include <c2f/task/complete.hpp>
#include <c2f/train/recipe.hpp>

#include <span>
#include <string_view>

namespace c2f::systems {

/// Progressive training: the conditioning ỹ is at first the truth and increasingly often the prediction; saliency and crop use ỹ.
/// `Margin` and `Jitter` of the crop are in pixels; its sides are multiples of `Multiple`, for networks that halve them.
template <class Network = fcn8s<dense<1>>, class Input = image<3, dynamic, dynamic>, std::int64_t Margin = 20, std::int64_t Jitter = 40,
          std::int64_t Multiple = 1>
struct rstn {
  static constexpr char const* name = "rstn";
  /// Multiplication with the saliency, then a crop determined by `From`.
  template <class From>
  using multiply_and_crop = c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<Margin, Jitter, Multiple, From>>;

  using input        = Input;
  using network      = Network;
  using schedule     = c2f::schedule::ramp<0, 2.0 / 3, by::fraction, 1.0 / 3>;
  using encoder      = c2f::encode::saliency;
  using fuse         = multiply_and_crop<c2f::fuse::by_conditioning>;
  using refine       = c2f::refine::until<0.95, 10>;
  using loss         = c2f::loss::dice<>;
  using loss_weights = c2f::loss_weights<1.0 / 3, 2.0 / 3>;
};

/// RSTN's own training. t selects its stage: S (0), the raw image, cropped by the truth; I (.5), the image times the saliency of the coarse
/// prediction, cropped by the truth; J (1), saliency and crop by the prediction.
template <class Rstn>
struct rstn_stepwise : Rstn {
  static constexpr char const* name = "rstn-stepwise";
  using schedule                    = c2f::schedule::steps<by::fraction, step<0, 0>, step<0.125, 0.5>, step<0.5, 1>>;
  using source                      = c2f::source::prediction;
  using encoder                     = c2f::encode::after<0.5, c2f::encode::saliency>;
  using fuse                        = typename Rstn::template multiply_and_crop<c2f::fuse::by_truth_until<1>>;
};

/// The truth, and from the middle of the training on the prediction.
template <class Rstn>
struct rstn_switched : Rstn {
  static constexpr char const* name = "rstn-switched";
  using schedule                    = c2f::schedule::steps<by::fraction, step<0, 0>, step<0.5, 1>>;
};

/// Learning-rate multiplier 1 for the coarse network and 10 for the rest; twice that for biases, which have no weight decay.
inline parameter_multipliers rstn_multipliers(std::string_view path, std::span<std::int64_t const>) {
  double const multiplier = path.starts_with("coarse.") ? 1 : 10;
  return path.ends_with(".bias") ? parameter_multipliers{2 * multiplier, 0} : parameter_multipliers{multiplier, 1};
}

/// The recipe of Ren et al. 2020, section 4.3, with momentum and weight decay of RSTN's code. The number of epochs is not set:
/// 120,000 iterations are 120,000 / (number of slices) epochs.
struct rstn_recipe : recipe::settings {
  rstn_recipe() {
    batch(1).learning_rate(1e-5).momentum(0.99).weight_decay(5e-4, &rstn_multipliers);
    milestone(90.0 / 120, 0.5).milestone(100.0 / 120, 0.5).milestone(110.0 / 120, 0.5);
  }
};

}  // namespace c2f::systems
