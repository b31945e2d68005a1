// c2f/layers/norm.hpp: batch normalisation.
//
//   c2f::batch_norm      [N, C, H, W] -> [N, C, H, W], or [N, C] -> [N, C]
//
//   bn(x, mode)   bn.then_relu(x, mode)   bn.plus_then_relu(x, shortcut, mode)
//
// Ioffe and Szegedy, "Batch normalization", ICML 2015, with PyTorch's conventions: eps 1e-5, running statistics move by a
// tenth, the running variance is the unbiased one. Weight 1 and bias 0 at the start. `num_batches_tracked` counts training
// calls on the host; it is there because torchvision's files hold it.
//
// While training, maps that lie channels last and have a multiple of 8 channels take the fused operation norm_relu where there is one
// (execution/fused_operations.hpp): two launches each way, whatever is added and cut off behind the norm.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/execution/folding.hpp>
#include <c2f/execution/fused_operations.hpp>

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

    folded_norm folded;  ///< whether a convolution does it (execution/folding.hpp)

    at::Tensor operator()(at::Tensor const& x, mode m) const {
      if (folded.done) return shifted(x, {}, false);
      if (auto* const folds = folding::now(); folds != nullptr && m == eval) tell(*folds, x);
      if (fuses(x, m)) return fused_form(x, {}, false);
      if (m == train) num_batches_tracked.increment();
      // Half-precision inputs keep float statistics and parameters: ATen normalises them in float.
      return at::batch_norm(x, weight.tensor(), bias.tensor(), running_mean.tensor(), running_var.tensor(), m == train, 0.1, 1e-5, true);
    }
    /// relu(norm(x))
    at::Tensor then_relu(at::Tensor const& x, mode m) const {
      if (folded.done) return shifted(x, {}, true);
      return fuses(x, m) ? fused_form(x, {}, true) : (*this)(x, m).relu_();  // in place: nothing else has seen it
    }
    /// relu(norm(x) + shortcut), where shortcut is like x
    at::Tensor plus_then_relu(at::Tensor const& x, at::Tensor const& shortcut, mode m) const {
      if (folded.done) return shifted(x, shortcut, true);
      return fuses(x, m) ? fused_form(x, shortcut, true) : (*this)(x, m).add_(shortcut).relu_();
    }

   private:
    void tell(folding& folds, at::Tensor const& x) const {
      at::Tensor const factor = weight.tensor().mul(running_var.tensor().add(1e-5).rsqrt());
      folds.took(x, factor, bias.tensor().sub(running_mean.tensor().mul(factor)), folded);
    }
    bool fuses(at::Tensor const& x, mode m) const {
      auto const* const table = fused();
      return table != nullptr && table->norm_relu != nullptr && m == train && channels % 8 == 0 && x.dim() == 4 && x.numel() > 0 &&
             (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) && weight.tensor().scalar_type() == at::kFloat &&
             x.is_contiguous(at::MemoryFormat::ChannelsLast);
    }
    // What is left of a folded norm. In place: x is a convolution's answer, and whoever folds has seen that nothing else reads it.
    at::Tensor shifted(at::Tensor const& x, at::Tensor const& shortcut, bool relu) const {
      auto const shift = folded.adds.as(x);
      if (auto const* const table = fused_for(x);
          shift && channels % 8 == 0 && table != nullptr && table->bias_relu != nullptr && x.is_contiguous(at::MemoryFormat::ChannelsLast))
        return table->bias_relu(x, *shift, shortcut, relu);
      at::Tensor y = x;
      if (shift) y.add_(shift->view({-1, 1, 1}));
      if (shortcut.defined()) y.add_(shortcut);
      return relu ? y.relu_() : y;
    }
    at::Tensor fused_form(at::Tensor const& x, at::Tensor const& shortcut, bool relu) const {
      num_batches_tracked.increment();
      return fused()->norm_relu(x, weight.tensor(), bias.tensor(), running_mean.tensor(), running_var.tensor(), shortcut, relu);
    }
  };
};

}  // namespace c2f
