// c2f/layers/norm.hpp: batch normalisation.
//
//   c2f::batch_norm              [N, C, H, W] -> [N, C, H, W], or [N, C] -> [N, C]
//   c2f::batch_norm_with<1e-3>   with another eps, as in Inception
//
//   bn(x, mode)   bn.then_relu(x, mode)   bn.plus_then_relu(x, shortcut, mode)
//
// Ioffe and Szegedy, "Batch normalization", ICML 2015, with PyTorch's conventions: eps 1e-5, momentum .1 for the running statistics,
// unbiased running variance. Weight [C] is initially 1, bias [C] 0. `num_batches_tracked` counts training calls on the host; it exists
// because torchvision's files contain it.
//
// In training a norm needs two values of each channel or more, in the samples and pixels of the batch together: the variance of one value is
// not a number. Errors: input_error for fewer, before any buffer is changed.
//
// Recipes that train in several processes may synchronise the statistics (recipe.synchronised_norms): mean and variance are then those of
// the samples of all processes.
//
// A layer that runs a second time for its gradient (layers/gunn.hpp) leaves running statistics and counter as they are.
//
// Cost: one ATen call. In training the fused operation norm_relu is used if it supports x (execution/try_fused.hpp): norm, residual add and
// ReLU in two launches forward and two backward.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/execution/communicator.hpp>
#include <c2f/execution/folding.hpp>
#include <c2f/execution/layer_watcher.hpp>
#include <c2f/execution/try_fused.hpp>

#include <ATen/ops/batch_norm.h>

namespace c2f {

namespace detail {
/// A counter in host memory, incremented once per training call without a kernel.
struct call_counter : state_tensor {
  static constexpr std::array<std::int64_t, 0> dims{};
  static constexpr std::int64_t count = 1;
  static constexpr state_traits traits{false, dims, &initial::zeros::draw, at::kLong, true};
  void increment() const { ++*tensor().mutable_data_ptr<std::int64_t>(); }
};
}  // namespace detail

/// Batch normalisation with an eps of its own; only that of PyTorch's default has a fused operation.
template <auto Eps>
struct batch_norm_with {
  template <shape In>
  struct on {
    static constexpr double eps            = Eps;
    using output                           = In;
    static constexpr std::int64_t channels = In::channels;

    parameter<initial::ones, channels> weight;
    parameter<initial::zeros, channels> bias;
    buffer<initial::zeros, channels> running_mean;
    buffer<initial::ones, channels> running_var;
    detail::call_counter num_batches_tracked;
    C2F_MEMBERS(weight, bias, running_mean, running_var, num_batches_tracked);

    folded_norm folded;  ///< whether it was folded into a convolution (execution/folding.hpp)

    at::Tensor operator()(at::Tensor const& x, mode m) const { return normalised(x, {}, false, m); }
    /// relu(norm(x))
    at::Tensor then_relu(at::Tensor const& x, mode m) const { return normalised(x, {}, true, m); }
    /// relu(norm(x) + shortcut), where shortcut has x's shape
    at::Tensor plus_then_relu(at::Tensor const& x, at::Tensor const& shortcut, mode m) const { return normalised(x, shortcut, true, m); }

   private:
    static std::string too_few(at::Tensor const& x) {
      return "a norm in training needs two values of each channel or more, found " + detail::dims_of(x) +
             "; train on batches of two samples or more, on larger images, or with fewer strides before the norm";
    }
    at::Tensor normalised(at::Tensor const& x, at::Tensor const& shortcut, bool relu, mode m) const {
      if (folded.done) return shifted(x, shortcut, relu);
      if (auto* const watcher = execution().watcher; watcher != nullptr)
        return finished(watcher->norm(x, {&weight, &bias, &running_mean, &running_var}), shortcut, relu);
      bool const again      = execution().recomputing;  // then the running statistics have seen x already
      at::Tensor const mean = again ? running_mean.tensor().clone() : running_mean.tensor(),
                       var  = again ? running_var.tensor().clone() : running_var.tensor();
      if (m == train) {
        if (auto* const all = execution().norms; all != nullptr) {
          if (!again) num_batches_tracked.increment();
          return finished(all->batch_norm(x, weight.tensor(), bias.tensor(), mean, var, eps), shortcut, relu);
        }
        if (x.numel() < 2 * x.size(1)) throw input_error(too_few(x));
        if (!again) num_batches_tracked.increment();
        if constexpr (eps == 1e-5)
          if (at::Tensor y = try_fused::norm_relu(x, weight.tensor(), bias.tensor(), mean, var, shortcut, relu); y.defined()) return y;
      } else if (auto* const folds = execution().folding; folds != nullptr) {
        at::Tensor const factor = weight.tensor().mul(var.add(eps).rsqrt());
        folds->observe_norm(x, factor, bias.tensor().sub(mean.mul(factor)), folded);
      }
      // Half-precision inputs with float statistics and parameters: ATen normalises in float.
      return finished(at::batch_norm(x, weight.tensor(), bias.tensor(), mean, var, m == train, 0.1, eps, true), shortcut, relu);
    }
    static at::Tensor finished(at::Tensor const& y, at::Tensor const& shortcut, bool relu) {
      if (shortcut.defined()) y.add_(shortcut);  // in place: nothing else refers to y
      return relu ? y.relu_() : y;
    }
    // Adds the remaining shift of a folded norm. In place: x is a convolution's output, and the predictor has checked that it has no other
    // reader.
    at::Tensor shifted(at::Tensor const& x, at::Tensor const& shortcut, bool relu) const {
      auto const shift = folded.adds.as(x);
      if (shift)
        if (at::Tensor y = try_fused::bias_relu(x, *shift, shortcut, relu); y.defined()) return y;
      at::Tensor y = x;
      if (shift) y.add_(shift->view({-1, 1, 1}));
      if (shortcut.defined()) y.add_(shortcut);
      return relu ? y.relu_() : y;
    }
  };
};

struct batch_norm : batch_norm_with<1e-5> {};

}  // namespace c2f
