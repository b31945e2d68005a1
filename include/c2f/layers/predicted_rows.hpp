// c2f/layers/predicted_rows.hpp: a linear classifier without bias whose rows are predicted from statistics of the classes.
//
//   using classifier = c2f::predicted_rows<c2f::phi::two_layers, 100>;      // [N, C, 1, 1] or [N, C] -> [N, 100]
//   step.add_output("statistics", labels);                                  // [R]: the first R rows of a batch are statistics of these classes
//
// Qiao et al., CVPR 2018: the response of class y to the activation a is φ(s_y) · a, s_y a statistic of the class: its
// mean activation, or one activation. φ is the same for all classes. A class with several statistics has the largest of its responses, and
// one without has -infinity. The logits of a batch include those of the statistics.
//
//   phi::one_layer    φ¹: unit length, linear, unit length
//   phi::two_layers   φ²: with two linear layers and ReLU between them; 8,320 parameters for 64 channels, 8,392,704 for 2,048
//
// The linear layers start as the identity with a bias of 0, as in the published code; then the responses are |a| times the cosine of s_y and
// a, if activations are not negative, as after a ReLU. Cost: φ of R rows and a product [N, C] x [C, R]. Errors: c2f::error without
// statistics; a map as input is a compile error. In training a class has one statistic.
#pragma once

#include <c2f/core/pass.hpp>
#include <c2f/layers/linear.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/layers/sequential.hpp>

#include <ATen/ops/full.h>

#include <limits>

namespace c2f {

namespace phi {
/// φ¹: unit length, linear, unit length.
struct one_layer {
  template <shape In>
  using on = network_on<sequential<unit_length, identity_linear<In::channels>, unit_length>, In>;
};
/// φ²: two linear layers with ReLU between them.
struct two_layers {
  template <shape In>
  using on = network_on<sequential<unit_length, identity_linear<In::channels>, relu, identity_linear<In::channels>, unit_length>, In>;
};
}  // namespace phi

namespace detail {
/// A vector for an image of one pixel.
template <class S>
struct pixel_as_vector {
  using type = S;
};
template <std::int64_t C>
struct pixel_as_vector<image<C, 1, 1>> {
  using type = vector<C>;
};
}  // namespace detail

template <class Phi, std::int64_t Classes>
struct predicted_rows {
  template <shape In>
  struct on : detail::static_check<detail::check_vector<predicted_rows, typename detail::pixel_as_vector<In>::type>()> {
    using vectors = vector<In::channels>;
    using output  = detail::output_if<vector_shape<typename detail::pixel_as_vector<In>::type>, vector<Classes>>;

    network_on<Phi, vectors> phi;
    C2F_MEMBERS(phi);

    at::Tensor operator()(at::Tensor const&, mode) const {
      throw error("a classifier of predicted rows has no statistics of its own; use it in a c2f::parameter_predictor::model");
    }
    at::Tensor operator()(at::Tensor const& x, pass& p) const {
      at::Tensor const a = x.flatten(1), classes = p.output("statistics");
      if (!classes.defined()) return (*this)(x, p.mode);
      at::Tensor const responses = a.matmul(phi(a.narrow(0, 0, classes.size(0)), p.mode).t());  // [N, R]
      at::Tensor const none      = at::full({a.size(0), Classes}, -std::numeric_limits<double>::infinity(), responses.options());
      if (p.training()) return none.index_copy(1, classes, responses);
      return none.scatter_reduce(1, classes.unsqueeze(0).expand_as(responses), responses, "amax");
    }
  };
};

}  // namespace c2f
