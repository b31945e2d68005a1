// c2f/layers/norm.hpp: batch normalisation.
//
//   c2f::batch_norm      [N, C, H, W] -> [N, C, H, W], or [N, C] -> [N, C]
//
// Ioffe and Szegedy, "Batch normalization", ICML 2015, with PyTorch's conventions: eps 1e-5, running statistics move by a
// tenth, the running variance is the unbiased one. Weight 1 and bias 0 at the start. `num_batches_tracked` counts training
// calls on the host; it is there because torchvision's files hold it.
#pragma once

#include <c2f/core/architecture.hpp>

#include <ATen/ops/batch_norm.h>

namespace c2f {

namespace detail {
/// A count that lives on the host: one increment a training call, no kernel.
struct call_counter : leaf {
  static constexpr std::array<std::int64_t, 0> dims{};
  static constexpr std::int64_t count = 1;
  static constexpr leaf_traits traits{false, dims, &initial::zeros::draw, at::kLong, true};
  void increment() const { ++*tensor().mutable_data_ptr<std::int64_t>(); }
};
}  // namespace detail

struct batch_norm {
  template <shape In>
  struct on {
    using output                           = In;
    static constexpr std::int64_t channels = In::channels;

    parameter<initial::ones, channels> weight;
    parameter<initial::zeros, channels> bias;
    buffer<initial::zeros, channels> running_mean;
    buffer<initial::ones, channels> running_var;
    detail::call_counter num_batches_tracked;
    C2F_MEMBERS(weight, bias, running_mean, running_var, num_batches_tracked);

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      if (m == train) num_batches_tracked.increment();
      // Half-precision inputs keep float statistics and parameters: ATen normalises them in float.
      return at::batch_norm(x, weight.tensor(), bias.tensor(), running_mean.tensor(), running_var.tensor(), m == train, 0.1, 1e-5, true);
    }
  };
};

}  // namespace c2f
