// c2f/networks/localiser.hpp: a backbone and a head that regresses boxes.
//
//   using network = c2f::localiser<c2f::resnet_features<50, 3>, c2f::boxes<1>>;             // the paper's, for 192x192 images
//   using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<1>, 256>;        // for machines without a GPU
//   using network = c2f::localiser<backbone, c2f::boxes<3>, 64>;                            // any architecture that ends in a map
//
// Ren et al. 2020, section 4.1.2, which uses ScaleNet (Qiao et al., ICCV 2017): ResNet-50 without its last stage (39 layers, 1,024
// channels, stride 16), two 1x1 convolutions to `Width` channels, each with a norm and ReLU, a 1x1 convolution to the outputs of the kind,
// and the mean over all positions. [N, C, H, W] -> raw [N, 4K] for c2f::boxes<K>.
// Errors: a backbone that ends in a vector is a compile error (layers/layer_check.hpp).
#pragma once

#include <c2f/kinds/boxes.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

namespace c2f {

template <class Backbone, class Kind, std::int64_t Width = 4096>
struct localiser {
  using kind = Kind;

  template <shape In>
  struct on {
    using output      = typename Kind::template output<detail::as_map<In>>;
    using head_layers = sequential<conv<Width, 1>, batch_norm, relu, conv<Width, 1>, batch_norm, relu,
                                   conv<output::channels, 1, 1, 0, bias>, global_average_pool>;

    network_on<Backbone, In> backbone;
    network_on<head_layers, typename network_on<Backbone, In>::output> head;
    C2F_MEMBERS(backbone, head);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return head(backbone(x, m), m); }
  };
};

}  // namespace c2f
