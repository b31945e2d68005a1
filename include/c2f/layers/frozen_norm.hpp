// c2f/layers/frozen_norm.hpp: a batch norm whose statistics and parameters are constant, for trained backbones under a detector.
//
//   using block = c2f::dilated_bottleneck<64, 1, 1, c2f::frozen_norms<>>;
//
// torchvision's FrozenBatchNorm2d, and its names: weight, bias, running_mean, running_var; all are buffers. eps 1e-5. Batches of one or two
// images, as large images force them, have too few values to train norms. Cost: one call; a predictor folds it into the convolution before it.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/execution/folding.hpp>
#include <c2f/layers/residual.hpp>

#include <ATen/ops/batch_norm.h>

#include <cstdint>

namespace c2f {

/// With an eps of its own: 0 for torchvision's detectors trained on COCO.
template <auto Eps>
struct frozen_norm_with {
  template <shape In>
  struct on {
    static constexpr double eps            = Eps;
    using output                           = In;
    static constexpr std::int64_t channels = In::channels;

    buffer<initial::ones, channels> weight;
    buffer<initial::zeros, channels> bias, running_mean;
    buffer<initial::ones, channels> running_var;
    C2F_MEMBERS(weight, bias, running_mean, running_var);

    folded_norm folded;  ///< whether it was folded into a convolution (execution/folding.hpp)

    at::Tensor operator()(at::Tensor const& x, mode) const { return normalised(x); }
    at::Tensor then_relu(at::Tensor const& x, mode) const { return normalised(x).relu(); }
    at::Tensor plus_then_relu(at::Tensor const& x, at::Tensor const& shortcut, mode) const { return normalised(x).add(shortcut).relu(); }

   private:
    at::Tensor normalised(at::Tensor const& x) const {
      if (folded.done) {
        auto const shift = folded.adds.as(x);
        return shift ? x.add(shift->view({-1, 1, 1})) : x;
      }
      if (auto* const folds = execution().folding; folds != nullptr) {
        at::Tensor const factor = weight.tensor().mul(running_var.tensor().add(eps).rsqrt());
        folds->observe_norm(x, factor, bias.tensor().sub(running_mean.tensor().mul(factor)), folded);
      }
      return at::batch_norm(x, weight.tensor(), bias.tensor(), running_mean.tensor(), running_var.tensor(), false, 0.1, eps, true);
    }
  };
};

struct frozen_norm : frozen_norm_with<1e-5> {};

/// The layers of a ResNet block (layers/residual.hpp) with frozen norms.
template <class Norm = frozen_norm>
struct frozen_norms : block_layers {
  using norm = Norm;
};

}  // namespace c2f
