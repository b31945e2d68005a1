// c2f/networks/vgg.hpp: VGG-16, complete or its convolutional part, with torchvision's names.
//
//   using network = c2f::vgg16<c2f::class_vector<1000>>;
//   using backbone = c2f::vgg16_features<4>;               // up to the fourth pooling: 512 channels, a sixteenth of the size
//
//   struct net {
//     c2f::network_on<c2f::vgg16_features<5>, c2f::image<3, 224, 224>> features;
//     C2F_MEMBERS(features);
//   };
//
// Simonyan and Zisserman, "Very deep convolutional networks", ICLR 2015, configuration D: five stages of 3x3 convolutions with biases and
// ReLU, each ended by a 2x2 pooling; followed in vgg16 by three linear layers on a 7x7 map, with dropout .5 between them in training. A
// 224x224 image has such a map; other sizes, from 32x32 or c2f::dynamic, are averaged to it, as in torchvision. Layers are numbered as in
// torchvision's vgg16().features, ReLU and pooling included, so a member called `features` has its paths: features.0.weight ...
// features.28.bias.
// Parameters up to pooling 1 ... 5: 38,720 / 260,160 / 1,735,488 / 7,635,264 / 14,714,688; vgg16 for 1,000 classes: 138,357,544.
// Errors: another number of poolings, or an input that is too small for them, is a compile error.
#pragma once

#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/dropout.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/max_pool.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <ATen/ops/adaptive_avg_pool2d.h>

#include <cstddef>
#include <tuple>

namespace c2f {

namespace detail {

template <int Until>
consteval bool check_vgg_poolings() {
  static_assert(Until >= 1 && Until <= 5, "c2f::vgg16_features has five poolings; write how many to keep, 1 to 5");
  return true;
}

template <class... Lists>
using joined_layers = decltype(std::tuple_cat(std::declval<Lists>()...));
template <std::int64_t Width>
using vgg_conv = std::tuple<conv<Width, 3, 1, 1, bias>, relu>;
template <std::int64_t Width>
using vgg_stage2 = joined_layers<vgg_conv<Width>, vgg_conv<Width>, std::tuple<max_pool<2>>>;
template <std::int64_t Width>
using vgg_stage3   = joined_layers<vgg_conv<Width>, vgg_conv<Width>, vgg_conv<Width>, std::tuple<max_pool<2>>>;
using vgg16_stages = std::tuple<vgg_stage2<64>, vgg_stage2<128>, vgg_stage3<256>, vgg_stage3<512>, vgg_stage3<512>>;

template <class Stages, class Chosen>
struct vgg_layers;
template <class Stages, std::size_t... I>
struct vgg_layers<Stages, std::index_sequence<I...>> {
  template <class... Layers>
  static sequential<Layers...> in_sequence(std::tuple<Layers...>);
  using type = decltype(in_sequence(std::declval<joined_layers<std::tuple_element_t<I, Stages>...>>()));
};

template <int Until, bool = check_vgg_poolings<Until>()>
struct vgg16_until : vgg_layers<vgg16_stages, std::make_index_sequence<(Until >= 1 && Until <= 5 ? Until : 1)>> {};

}  // namespace detail

/// The layers of VGG-16 up to and including pooling number `Until`, in sequence.
template <int Until>
using vgg16_features = typename detail::vgg16_until<Until>::type;

/// The classifier: [N, C, H, W] -> raw output of the kind, [N, K] for class_vector<K>. Training needs a pass (layers/dropout.hpp).
template <class Kind>
struct vgg16 {
  using kind = Kind;

  template <shape In>
  struct on {
    using output = typename Kind::template output<detail::as_map<In>>;
    using head   = sequential<linear<4096>, relu, dropout<0.5>, linear<4096>, relu, dropout<0.5>, linear<output::channels>>;

    network_on<vgg16_features<5>, In> features;
    network_on<head, vector<512 * 7 * 7>> classifier;
    C2F_MEMBERS(features, classifier);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return classifier(seven_by_seven(features(x, m)), m); }
    at::Tensor operator()(at::Tensor const& x, pass& p) const { return classifier(seven_by_seven(features(x, p.mode)), p); }

   private:
    // The map of 224x224 images has this size already; skipping the average avoids its non-deterministic gradient on a GPU.
    static at::Tensor seven_by_seven(at::Tensor const& map) {
      return (map.size(2) == 7 && map.size(3) == 7 ? map : at::adaptive_avg_pool2d(map, {7, 7})).flatten(1);
    }
  };
};

}  // namespace c2f
