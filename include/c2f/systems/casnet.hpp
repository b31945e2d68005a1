// c2f/systems/casnet.hpp: CasNet (CCFNet, HMNet): segmentation by a coarse and a fine head on shared features and a learned gate.
//
//   using kind = c2f::dense<33, 255>;
//   using task = c2f::systems::casnet<kind, c2f::resnet_features<50, 4, 8>>;      // the published network
//   using all  = c2f::systems::casnet_variants<task>;                             // with its ablations, by name
//   c2f::fit(model, data, c2f::systems::casnet_recipe{}.epochs(100));
//
// Wang et al. 2019: a backbone of output stride 8 is computed once; the coarse head is an FCN, the fine head pools a pyramid (PSPNet), and
// the attention head is a classifier of pixels into "hard" and "easy". p_a is the probability of "easy", whose label is 1 where the coarse
// prediction is correct. The answer is p_a p_c + (1 - p_a) p_f, and the loss is L(coarse) + L(attention) + L(answer): the fine head has no
// loss of its own. Logits are resized to the image.
//
// Not published, chosen here: the channels of the heads (512), the weights of the losses (1), the bins (1, 2, 3, 6) and their channels (a
// quarter of 2,048), dilations 2 and 4. The weights are the task's: `loss_weights` of coarse and answer, and the second argument of its
// gate. Costs: docs/cascades.md. Errors: those of a task.
#pragma once

#include <c2f/loss/hardest.hpp>
#include <c2f/networks/dense_heads.hpp>
#include <c2f/networks/resnet.hpp>
#include <c2f/parts/encode_dense.hpp>
#include <c2f/task/complete.hpp>
#include <c2f/task/registry.hpp>
#include <c2f/train/recipe.hpp>

#include <string>
#include <utility>

namespace c2f::systems {

/// The head of a gate for maps. Parameters on 2,048 channels: 9,439,234.
template <std::int64_t Width = 512>
struct attention_head : sequential<conv<Width, 3>, batch_norm, relu, conv<2, 1, 1, 0, bias>> {};

/// `Width`: channels of the heads; `Attention`: the weight of the attention loss.
template <class Kind, class Backbone, class Input = image<3, dynamic, dynamic>, std::int64_t Width = 512, std::int64_t Pooled = Width,
          auto Attention = 1.0>
struct casnet {
  static constexpr char const* name = "gate";
  using input                       = Input;
  using share                       = c2f::share::features<Backbone>;
  using network                     = coarse_fine<fcn_head<Kind, Width>, psp_head<Kind, Width, Pooled>>;
  using encoder                     = c2f::encode::none;
  using source                      = c2f::source::prediction;
  using schedule                    = c2f::schedule::always_prediction;
  using loss_weights                = c2f::loss_weights<1.0, 1.0>;
  template <auto Weight>
  using soft_gate = c2f::combine::gate<attention_head<Width>, Weight>;
  template <auto Weight>
  using hard_gate = c2f::combine::hard_gate<attention_head<Width>, Weight>;
  using combine   = soft_gate<Attention>;
};

/// The coarse head alone.
template <class Casnet>
struct casnet_coarse : Casnet {
  static constexpr char const* name = "coarse";
  using refine                      = c2f::refine::no_fine_network;
};
/// The fine head alone, a PSPNet.
template <class Casnet>
struct casnet_fine : Casnet {
  static constexpr char const* name = "fine";
  using network                     = typename Casnet::network::fine;
  using refine                      = c2f::refine::no_fine_network;
};
/// The mean of both predictions, without an attention head.
template <class Casnet>
struct casnet_static : Casnet {
  static constexpr char const* name = "static";
  using combine                     = c2f::combine::mixed<0.5>;
};
/// The gate without a loss of its own: p_a is learnt from the answer alone, as in a mixture of experts (Jacobs et al. 1991).
template <class Casnet>
struct casnet_mixture : Casnet {
  static constexpr char const* name = "mixture";
  using combine                     = typename Casnet::template soft_gate<0>;
};
/// Hard selection of pixels instead of the mixture.
template <class Casnet>
struct casnet_hard : Casnet {
  static constexpr char const* name = "hard";
  using combine                     = typename Casnet::template hard_gate<1.0>;
};
/// The losses of the fifth of the pixels that are hardest.
template <class Casnet>
struct casnet_hardest : Casnet {
  static constexpr char const* name = "ohem";
  using loss                        = c2f::loss::hardest<0.2, Casnet::network::coarse::kind::ignore>;
};
/// Progressive training (Ren et al. 2020): the fine head also reads the coarse prediction, in training at first the truth.
template <class Casnet>
struct casnet_progressive : Casnet {
  static constexpr char const* name = "pt";
  using encoder                     = c2f::encode::dense<>;
  using source                      = c2f::source::sample;
  using schedule                    = c2f::schedule::ramp<0.5, 0.3, by::fraction>;
};
/// Progressive training, and at inference the fine head reads its own prediction until two of them agree, as in RSTN.
template <class Casnet>
struct casnet_refined : casnet_progressive<Casnet> {
  static constexpr char const* name = "refined";
  using refine                      = c2f::refine::until<0.95, 10>;
};

/// The system and its ablations, by name.
template <class Casnet>
using casnet_variants = registry<casnet_coarse<Casnet>, casnet_fine<Casnet>, casnet_static<Casnet>, Casnet, casnet_mixture<Casnet>,
                                 casnet_hardest<Casnet>, casnet_hard<Casnet>, casnet_progressive<Casnet>, casnet_refined<Casnet>>;

/// The published training, from weights of ImageNet: batch 4, learning rate 1e-4, a tenth of it when `score` has stopped to improve, twice,
/// momentum .9, weight decay 1e-4. The number of epochs is not published.
struct casnet_recipe : recipe::settings {
  explicit casnet_recipe(std::string score = "answer pixel") {
    batch(4).learning_rate(1e-4).momentum(0.9).weight_decay(1e-4);
    decay(c2f::decay::plateau{.score = std::move(score), .factor = 0.1, .patience = 5, .floor = 0.01});
  }
};
/// A training from random weights: learning rate .05, which falls to 0 by (1 - fraction)^.9 ("poly").
struct casnet_scratch_recipe : recipe::settings {
  casnet_scratch_recipe() {
    batch(4).learning_rate(0.05).momentum(0.9).weight_decay(5e-4);
    decay(c2f::decay::polynomial{.power = 0.9});
  }
};

}  // namespace c2f::systems
