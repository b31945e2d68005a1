// c2f/systems/coarse2fine.hpp: Coarse2Fine, which classifies fine-grained classes by a second look at what the first one attended to.
//
//   using kind = c2f::class_vector<200>;
//   using task = c2f::systems::coarse2fine<kind, c2f::inception_v3_features<>, c2f::image<3, 448, 448>>;   // the published backbone
//   using all  = c2f::systems::coarse2fine_variants<task>;                                                // with its ablations, by name
//
// Eshratifar et al. 2019 (Coarse2Fine): a backbone and bilinear attention pooling run on the image and again on the image times a mask,
// each time with a head of its own; the mask is one of the attention maps of the first pass, up-sampled by learnt transposed convolutions,
// so that the fine loss also trains where the coarse pass attends. At inference the mask is the mean of the maps, and the answer the mean
// of both predictions. The loss is L(coarse) + L(fine) + Lambda L(centre) of both passes. The attention's weight begins with orthonormal
// rows.
//
// Not published, chosen here: the size of the images; the mask goes through a ReLU and is divided by its maximum, a map is drawn for each sample, the number of
// doublings of the up-sampler (`Up`; two, then bilinear to the image), Beta (.05), one set of centres for both passes, the centre loss as the
// mean over samples (eq. 2: over classes) of features of length 1. The ReLU of the maps, the signed root and the length of the pooled
// features are those of WS-DAN's code. Recipes, and a training in stages with the up-sampler alone first: systems/coarse2fine_training.hpp.
// Costs and figures: docs/fine-grained.md. Errors: those of a task.
#pragma once

#include <c2f/layers/attention_pooling.hpp>
#include <c2f/layers/centred.hpp>
#include <c2f/networks/predicts.hpp>
#include <c2f/parts/encode_attention.hpp>
#include <c2f/parts/encode_tile.hpp>
#include <c2f/parts/fuse_zoom.hpp>
#include <c2f/task/complete.hpp>
#include <c2f/task/registry.hpp>

namespace c2f::systems {

/// `Up`: an architecture from one map to one map; `Lambda`: the weight of the centre loss; `Scale`: the length of the pooled features.
template <class Kind, class Backbone, class Input = image<3, dynamic, dynamic>, std::int64_t Maps = 8, class Up = upsampler<2>,
          auto Lambda = 1.0, std::int64_t Scale = 100>
struct coarse2fine {
  static constexpr char const* name  = "coarse2fine";
  static constexpr std::int64_t maps = Maps;
  template <class Initial, class Penalty = no_penalty, auto Weight = Lambda>
  using trunk =
      c2f::share::backbone<sequential<Backbone, attention_pooling<Maps, Initial, Penalty, Scale>, centred<Kind, Weight, 0.05, Scale>>>;
  using backbone = Backbone;
  using up       = Up;

  using input    = Input;
  using share    = trunk<initial::orthogonal<>>;
  using network  = predicts<Kind, linear<Kind::template output<image<1, 1, 1>>::channels>>;
  using source   = c2f::source::prediction;
  using schedule = c2f::schedule::always_prediction;
  using encoder  = encode::attention<Up>;
  using fuse     = c2f::fuse::multiply;
  using combine  = c2f::combine::average;
};

/// The backbone alone, with the mean of its features.
template <class C>
struct coarse2fine_plain : C {
  static constexpr char const* name = "plain";
  using share                       = c2f::share::features<typename C::backbone>;
  using network =
      predicts<typename C::network::kind, global_average_pool, linear<C::network::kind::template output<image<1, 1, 1>>::channels>>;
  using refine = c2f::refine::no_fine_network;
};
/// The first pass alone, with attention pooling.
template <class C>
struct coarse2fine_coarse : C {
  static constexpr char const* name = "coarse";
  using refine                      = c2f::refine::no_fine_network;
};
/// The fine output as the answer.
template <class C>
struct coarse2fine_fine : C {
  static constexpr char const* name = "fine";
  using combine                     = c2f::combine::fine;
};
/// The rows of the attention's weight begin as PyTorch's default, uniform in +-1/sqrt(C).
template <class C>
struct coarse2fine_random : C {
  static constexpr char const* name = "random";
  using share                       = typename C::template trunk<initial::uniform<>>;
};
/// The mask is up-sampled bilinearly.
template <class C>
struct coarse2fine_bilinear : C {
  static constexpr char const* name = "bilinear";
  using encoder                     = encode::attention<identity>;
};
/// The mask is the mean of the maps in training, too.
template <class C>
struct coarse2fine_mean : C {
  static constexpr char const* name = "mean";
  using encoder                     = encode::attention<typename C::up, attend::mean>;
};
/// What is not attended to keeps half of its intensity.
template <class C>
struct coarse2fine_dimmed : C {
  static constexpr char const* name = "dimmed";
  using encoder                     = encode::attention<typename C::up, attend::random, attend::dimmed<0.5>>;
};
/// The attended part is enlarged instead of the rest being masked; a box has no gradient, so the up-sampler learns nothing and is bilinear.
template <class C>
struct coarse2fine_zoom : coarse2fine_bilinear<C> {
  static constexpr char const* name = "zoom";
  using fuse                        = c2f::fuse::zoom<>;
};
/// Without the centre loss.
template <class C>
struct coarse2fine_uncentred : C {
  static constexpr char const* name = "uncentred";
  using share                       = typename C::template trunk<initial::orthogonal<>, no_penalty, 0>;
};
/// A penalty on the products of maps, |a_i a_j| (Norm 1) or its square.
template <class C, int Norm>
struct coarse2fine_apart : C {
  static constexpr char const* name = Norm == 1 ? "l1" : "l2";
  using share                       = typename C::template trunk<initial::orthogonal<>, overlap_penalty<Norm, 1.0>>;
};
/// The class says which maps matter: in training that of the truth, at inference the predicted one.
template <class C>
struct coarse2fine_truth : C {
  static constexpr char const* name = "truth";
  using encoder                     = encode::class_attention<C::maps, typename C::up>;
  using source                      = c2f::source::sample;
  using schedule                    = c2f::schedule::always_truth;
};
/// The same with progressive training (Ren et al. 2020): at first the truth, and increasingly often the prediction.
template <class C>
struct coarse2fine_progressive : coarse2fine_truth<C> {
  static constexpr char const* name = "pt";
  using schedule                    = c2f::schedule::ramp<0.5, 0.3, by::fraction>;
};
/// The g of Ren et al. 2020, of the coarse prediction or the truth, added to the mask.
template <class C>
struct coarse2fine_beside : C {
  static constexpr char const* name = "beside";
  using encoder                     = encode::sum<typename C::encoder, encode::tile<>>;
  using source                      = c2f::source::sample;
  using schedule                    = c2f::schedule::ramp<0.5, 0.3, by::fraction>;
};

/// The system and its ablations, by name.
template <class C>
using coarse2fine_variants =
    registry<coarse2fine_plain<C>, coarse2fine_coarse<C>, C, coarse2fine_fine<C>, coarse2fine_random<C>, coarse2fine_bilinear<C>,
             coarse2fine_mean<C>, coarse2fine_dimmed<C>, coarse2fine_zoom<C>, coarse2fine_uncentred<C>, coarse2fine_apart<C, 1>,
             coarse2fine_apart<C, 2>, coarse2fine_truth<C>, coarse2fine_progressive<C>, coarse2fine_beside<C>>;

}  // namespace c2f::systems
