// c2f/layers/linear.hpp: a fully connected layer.
//
//   c2f::linear<100>                              [N, C] -> [N, 100]
//   c2f::linear<64, c2f::initial::identity<>>     with the identity as initial weight
//   c2f::identity_linear<64>                      the identity at first: that weight, and a bias of 0
//
// Weight [Out, C] and bias [Out], initially uniform in +-1/sqrt(C). Cost: one call. Error: a map as input is a compile error
// (layers/layer_check.hpp).
#pragma once

#include <c2f/execution/layer_watcher.hpp>
#include <c2f/execution/multiply_adds.hpp>
#include <c2f/core/architecture.hpp>
#include <c2f/layers/layer_check.hpp>

#include <ATen/ops/linear.h>

#include <type_traits>

namespace c2f {

namespace detail {
/// A layer [N, In] -> [N, Out]. Without a BiasInitial the bias is uniform in +-1/sqrt(In).
template <class Layer, class In, std::int64_t Out, class WeightInitial, class BiasInitial = void>
struct linear_on : static_check<check_vector<Layer, In>(), check_channels<Layer, In, Out>()> {
  using output = output_if<vector_shape<In> && !is_wrong<In> && Out >= 1, vector<Out>>;

  parameter<WeightInitial, Out, In::channels> weight;
  parameter<std::conditional_t<std::is_void_v<BiasInitial>, initial::uniform<In::channels>, BiasInitial>, Out> bias;
  C2F_MEMBERS(weight, bias);

  at::Tensor operator()(at::Tensor const& x, mode) const {
    if (auto* const watcher = execution().watcher; watcher != nullptr)
      return watcher->layer(x, at::linear(x.detach(), weight.as(x), bias.as(x)), {&weight, &bias});
    return counted(at::linear(x, weight.as(x), bias.as(x)), x.size(-1));
  }
};
}  // namespace detail

template <std::int64_t Out, class WeightInitial = initial::uniform<>>
struct linear {
  template <shape In>
  using on = detail::linear_on<linear, In, Out, WeightInitial>;
};

/// A layer [N, Size] -> [N, Size] that is the identity at first.
template <std::int64_t Size>
struct identity_linear {
  template <shape In>
  using on = detail::linear_on<identity_linear, In, Size, initial::identity<>, initial::zeros>;
};

}  // namespace c2f
