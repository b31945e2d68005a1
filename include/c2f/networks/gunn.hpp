// c2f/networks/gunn.hpp: gradually updated networks, GUNN-15, -24 and -18.
//
//   using network = c2f::gunn15<c2f::class_vector<100>>;
//   using sunn    = c2f::gunn15<c2f::class_vector<100>, c2f::gunn15_unit, c2f::update::simultaneous>;
//   using plain   = c2f::gunn15<c2f::class_vector<100>, c2f::gunn_unit<2, 1, c2f::shortcut::per_unit, false>>;    // no residual
//   using dense   = c2f::fcn<c2f::gunn15_features<>, c2f::dense<19>>;                                             // as a backbone
//   using small   = c2f::predicts<c2f::class_vector<10>, c2f::conv<16, 3>, c2f::batch_norm, c2f::relu, c2f::gunn_stage<48, 8, 1>,
//                                 c2f::gunn_stage<96, 8, 2>, c2f::global_average_pool, c2f::linear<10>>;
//
// Qiao et al., "Gradually updated neural networks for large-scale image recognition", ICML 2018, tables 1 and 2. A stage is a 1x1
// convolution to its channels, a norm, ReLU, average pooling where it halves the map, and a layer of layers/gunn.hpp.
//
//   CIFAR, 32x32       3x3 convolution of 64 channels, three stages at 1, 1/2 and 1/4, a 1x1 convolution, mean over positions, classifier
//     gunn15           240, 300, 360 channels in 20, 25, 30 groups       1,585,746 / 1,618,236 parameters with 10 / 100 classes
//     gunn24           720, 900, 1080 channels, two units a group       29,534,106 / 29,631,396
//   ImageNet, 224x224  7x7 convolution, max pooling, four stages at 1/4 ... 1/32, mean over positions, classifier
//     gunn18           400, 800, 1600, 2000 channels in 10, 20, 40, 50 groups      28,909,736 with 1,000 classes
//     wide_gunn18      1200, 1600, 2000, 2000 channels in 30, 40, 50, 50 groups    45,624,936
//
// The published code of the networks for CIFAR has shortcuts that the text does not mention: one for each unit in GUNN-15, and, as its
// number of parameters tells, one for both units of a group in GUNN-24. gunn15_unit and gunn24_unit have them; without, the counts are
// 1,306,746 / 1,339,236 and 27,033,906 / 27,131,196. Convolutions have no bias.
// Errors: an input that is too small is a compile error.
#pragma once

#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/average_pool.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/gunn.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/max_pool.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <cstdint>
#include <type_traits>

namespace c2f {

/// [N, C, H, W] -> [N, Channels, H / Pool, W / Pool], whose channels are updated in `Groups` groups.
template <std::int64_t Channels, std::int64_t Groups, std::int64_t Pool, class Unit = gunn_unit<>, class Update = update::gradual,
          class Activations = activations::recomputed>
struct gunn_stage {
  template <shape In>
  struct on {
    using pooling = std::conditional_t<Pool == 1, identity, average_pool<Pool>>;
    using updated = gunn<Groups, Unit, Update, Activations>;
    using wide    = typename network_on<conv<Channels, 1>, In>::output;
    using pooled  = typename network_on<pooling, wide>::output;
    using output  = typename network_on<updated, pooled>::output;

    network_on<conv<Channels, 1>, In> conv1;
    network_on<batch_norm, wide> bn1;
    network_on<pooling, wide> pool;
    network_on<updated, pooled> gunn1;
    C2F_MEMBERS(conv1, bn1, pool, gunn1);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return gunn1(pool(bn1.then_relu(conv1(x, m), m), m), m); }
  };
};

using gunn15_unit = gunn_unit<2, 1, shortcut::per_unit>;
using gunn24_unit = gunn_unit<3, 2, shortcut::per_stack>;

/// The convolutional part of GUNN-15: [N, C, H, W] -> [N, 360, H / 4, W / 4].
template <class Unit = gunn15_unit, class Update = update::gradual, class Activations = activations::recomputed>
using gunn15_features = sequential<conv<64, 3>, batch_norm, relu, gunn_stage<240, 20, 1, Unit, Update, Activations>,
                                   gunn_stage<300, 25, 2, Unit, Update, Activations>, gunn_stage<360, 30, 2, Unit, Update, Activations>,
                                   conv<360, 1>, batch_norm, relu>;
/// Of GUNN-24: [N, C, H, W] -> [N, 1080, H / 4, W / 4].
template <class Unit = gunn24_unit, class Update = update::gradual, class Activations = activations::recomputed>
using gunn24_features = sequential<conv<64, 3>, batch_norm, relu, gunn_stage<720, 20, 1, Unit, Update, Activations>,
                                   gunn_stage<900, 25, 2, Unit, Update, Activations>, gunn_stage<1080, 30, 2, Unit, Update, Activations>,
                                   conv<1080, 1>, batch_norm, relu>;
/// Of GUNN-18: [N, C, H, W] -> [N, 2000, H / 32, W / 32].
template <class Unit = gunn_unit<>, class Update = update::gradual, class Activations = activations::recomputed>
using gunn18_features = sequential<conv<64, 7, 2>, batch_norm, relu, max_pool<3, 2, 1>, gunn_stage<400, 10, 1, Unit, Update, Activations>,
                                   gunn_stage<800, 20, 2, Unit, Update, Activations>, gunn_stage<1600, 40, 2, Unit, Update, Activations>,
                                   gunn_stage<2000, 50, 2, Unit, Update, Activations>>;
/// Of Wide-GUNN-18.
template <class Unit = gunn_unit<>, class Update = update::gradual, class Activations = activations::recomputed>
using wide_gunn18_features =
    sequential<conv<64, 7, 2>, batch_norm, relu, max_pool<3, 2, 1>, gunn_stage<1200, 30, 1, Unit, Update, Activations>,
               gunn_stage<1600, 40, 2, Unit, Update, Activations>, gunn_stage<2000, 50, 2, Unit, Update, Activations>,
               gunn_stage<2000, 50, 2, Unit, Update, Activations>>;

namespace detail {
/// The mean over positions and a linear layer: [N, C, H, W] -> raw output of the kind, [N, K] for class_vector<K>.
template <class Kind, class Features>
struct gunn_classifier {
  using kind = Kind;

  template <shape In>
  struct on {
    using output = typename Kind::template output<as_map<In>>;

    network_on<Features, In> features;
    network_on<linear<output::channels>, vector<network_on<Features, In>::output::channels>> fc;
    C2F_MEMBERS(features, fc);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return fc(features(x, m).mean({2, 3}), m); }
  };
};
}  // namespace detail

/// The classifiers, [N, C, H, W] -> raw output of the kind, [N, K] for class_vector<K>.
template <class Kind, class Unit = gunn15_unit, class Update = update::gradual, class Activations = activations::recomputed>
struct gunn15 : detail::gunn_classifier<Kind, gunn15_features<Unit, Update, Activations>> {};
template <class Kind, class Unit = gunn24_unit, class Update = update::gradual, class Activations = activations::recomputed>
struct gunn24 : detail::gunn_classifier<Kind, gunn24_features<Unit, Update, Activations>> {};
template <class Kind, class Unit = gunn_unit<>, class Update = update::gradual, class Activations = activations::recomputed>
struct gunn18 : detail::gunn_classifier<Kind, gunn18_features<Unit, Update, Activations>> {};
template <class Kind, class Unit = gunn_unit<>, class Update = update::gradual, class Activations = activations::recomputed>
struct wide_gunn18 : detail::gunn_classifier<Kind, wide_gunn18_features<Unit, Update, Activations>> {};

}  // namespace c2f
