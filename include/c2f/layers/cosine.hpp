// c2f/layers/cosine.hpp: a classifier by cosine similarity.
//
//   c2f::cosine<64>         [N, C] -> [N, 64]:   scale * cos(x, w_k)
//
// Gidaris and Komodakis, "Dynamic few-shot visual learning without forgetting", CVPR 2018, section 3.1. Weight [Out, C], initially normal
// with deviation sqrt(2 / C); one learnt scale [1], initially 10. Error: a map as input is a compile error (layers/layer_check.hpp).
#pragma once

#include <c2f/execution/multiply_adds.hpp>
#include <c2f/core/architecture.hpp>
#include <c2f/layers/layer_check.hpp>
#include <c2f/layers/plain.hpp>

#include <ATen/ops/linear.h>

namespace c2f {

template <std::int64_t Out>
struct cosine {
  template <shape In>
  struct on : detail::static_check<detail::check_vector<cosine, In>()> {
    using output = detail::output_if<vector_shape<In>, vector<Out>>;

    parameter<initial::he_normal_in, Out, In::channels> weight;
    parameter<initial::constant<10.0>, 1> scale;
    C2F_MEMBERS(weight, scale);

    at::Tensor operator()(at::Tensor const& x, mode) const {
      return detail::counted(at::linear(detail::unit_rows(x), detail::unit_rows(weight.as(x))), x.size(-1)).mul(scale.as(x));
    }
  };
};

}  // namespace c2f
