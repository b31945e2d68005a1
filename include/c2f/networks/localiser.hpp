// c2f/networks/localiser.hpp: a backbone and a head that regresses boxes.
//
//   using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<1>, 256>;                     // for machines without a GPU
//   using network = c2f::localiser<backbone, c2f::boxes<3>, 64>;                                         // any that ends in a map
//   using network = c2f::localiser<c2f::resnet_features<50, 3>, c2f::boxes<1>, 4096, c2f::head::average>;    // the paper's, 192x192
//
// Ren et al. 2020, section 4.1.2, which uses ScaleNet (Qiao et al., ICCV 2017): ResNet-50 without its last stage (39 layers, 1,024
// channels, stride 16), two 1x1 convolutions to `Width` channels, each with a norm and ReLU, then a head:
//   head::flatten   (default) a linear layer on the numbers of all positions: it knows where in the image each is
//   head::average   a 1x1 convolution and the mean over all positions: ScaleNet, which estimates sizes. The mean throws positions away but
//                   for what the padding of the convolutions tells, so boxes are worse: docs/boxes.md has figures
// [N, C, H, W] -> raw [N, 4] for c2f::boxes<1>, [N, 5K] for c2f::boxes<K>.
// Errors: a backbone that ends in a vector is a compile error (layers/layer_check.hpp), and so is head::flatten on maps of c2f::dynamic size.
#pragma once

#include <c2f/kinds/boxes.hpp>
#include <c2f/layers/conv.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <cmath>

namespace c2f {

namespace detail {
/// Divides a map by the square root of its number of positions: a linear layer on all of them then has inputs of the same norm as one on a
/// single position, and learns at the same rate. Undivided it diverges at usual learning rates.
struct by_root_of_positions {
  template <shape In>
  struct on : static_check<check_map<by_root_of_positions, In>()> {
    using output = In;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, mode) const { return x.mul(1 / std::sqrt(static_cast<double>(x.size(2) * x.size(3)))); }
  };
};
}  // namespace detail

namespace head {
/// A linear layer on all positions, for maps of a known size.
struct flatten {
  template <std::int64_t Outputs, class... Before>
  using layers = sequential<Before..., detail::by_root_of_positions, c2f::flatten, linear<Outputs>>;
};
/// A 1x1 convolution and the mean over all positions.
struct average {
  template <std::int64_t Outputs, class... Before>
  using layers = sequential<Before..., conv<Outputs, 1, 1, 0, bias>, global_average_pool>;
};
}  // namespace head

template <class Backbone, class Kind, std::int64_t Width = 4096, class Head = head::flatten>
struct localiser {
  using kind = Kind;

  template <shape In>
  struct on {
    using output = typename Kind::template output<detail::as_map<In>>;
    using head_layers =
        typename Head::template layers<output::channels, conv<Width, 1>, batch_norm, relu, conv<Width, 1>, batch_norm, relu>;

    network_on<Backbone, In> backbone;
    network_on<head_layers, typename network_on<Backbone, In>::output> head;
    C2F_MEMBERS(backbone, head);

    at::Tensor operator()(at::Tensor const& x, mode m) const { return head(backbone(x, m), m); }
    at::Tensor operator()(at::Tensor const& x, pass& p) const
      requires detail::wants_pass<network_on<Backbone, In>>
    {
      return head(run_network(backbone, x, p), p.mode);
    }
  };
};

}  // namespace c2f
