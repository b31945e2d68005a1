// c2f/execution/folding.hpp: folds norms into the convolutions before them, for inference.
//
//   c2f::folding folds;
//   {
//     c2f::folding::scope const observing(folds);
//     net(images, c2f::eval);
//   }
//   folds.apply();                        // these norms are now the identity, and their convolutions compute them
//
// At inference a norm is y = a x + b with a and b per channel; after a convolution with weight w and bias c it is a convolution with weight
// a w and bias a c + b (exact to rounding). Where a fused operation adds b together with the operations after the norm
// (execution/fused_operations.hpp), the norm keeps b: apply(/*keep_shift=*/true). Which norm follows which convolution is observed and not
// declared: a norm is folded if its input is the unmodified output tensor of a convolution and both were called exactly once. Whether
// something else read this tensor cannot be observed, so the caller compares the outputs before and after (inference/predictor.hpp).
// A folded network is for inference only: its weights are no longer the trained ones.
#pragma once

#include <c2f/core/state_tensor.hpp>
#include <c2f/execution/context.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace c2f {

/// The remaining shift b [C] of a folded norm. Not a listed member of a network: it is neither trained nor saved.
class folded_shift {
 public:
  void set(at::Tensor shift) { shift_ = std::move(shift); }
  /// In the element type of x; nullopt if there is no shift.
  [[nodiscard]] std::optional<at::Tensor> as(at::Tensor const& x) const {
    if (!shift_.defined()) return std::nullopt;
    if (shift_.scalar_type() != x.scalar_type()) shift_ = shift_.to(x.scalar_type());  // converted once
    return shift_;
  }

 private:
  mutable at::Tensor shift_;
};
/// Whether a norm was folded into a convolution.
struct folded_norm {
  bool done = false;
  folded_shift adds;  ///< the shift that the norm still adds
};

/// Observes one forward pass and folds the norms it found. See the top of this file.
class folding {
 public:
  /// Observes the networks that this thread runs, for the lifetime of the scope.
  struct scope : detail::context_scope<&execution_context::folding> {
    explicit scope(folding& into) : context_scope(&into) {}
  };

  /// Called by a convolution with its output y. `bias` is a state_tensor, or a folded_shift if the convolution has no bias.
  template <class Bias>
  void observe_convolution(at::Tensor const& y, state_tensor const& weight, Bias const& bias) {
    // A forward pass sees const layers; apply changes them later, on behalf of the network's owner.
    auto& own               = const_cast<Bias&>(bias);
    constexpr bool has_bias = std::is_base_of_v<state_tensor, Bias>;
    convolutions_.push_back(
        {y, y._version(), const_cast<state_tensor*>(&weight), has_bias, [&own](at::Tensor const& factor, at::Tensor const& shift) {
           if constexpr (has_bias)
             own.assign(own.tensor().mul(factor).add(shift));
           else
             own.set(shift);
         }});
  }
  /// Called by a norm that computes factor * x + shift, each [C]; apply sets `folded` if the convolution computes it instead.
  void observe_norm(at::Tensor const& x, at::Tensor factor, at::Tensor shift, folded_norm const& folded) {
    for (auto const& each : convolutions_)
      if (each.y.is_same(x) && each.version == x._version())
        norms_.push_back({&each - convolutions_.data(), std::move(factor), std::move(shift), const_cast<folded_norm*>(&folded)});
  }

  /// Folds every norm that can be folded and returns their number. keep_shift: a norm after a convolution without a bias keeps its shift.
  std::int64_t apply(bool keep_shift = false) {
    // Whether more than one element has this value of `member`.
    auto const used_twice = [](auto const& all, auto const& member, auto const& what) {
      return std::count_if(all.begin(), all.end(), [&](auto const& each) { return each.*member == what; }) > 1;
    };
    std::int64_t count = 0;
    for (auto const& norm : norms_) {
      convolution_call const& before = convolutions_[static_cast<std::size_t>(norm.convolution)];
      if (used_twice(norms_, &norm_call::convolution, norm.convolution) || used_twice(norms_, &norm_call::folded, norm.folded) ||
          used_twice(convolutions_, &convolution_call::weight, before.weight))
        continue;
      at::Tensor const& weight = before.weight->tensor();
      before.weight->assign(weight.mul(norm.factor.view({-1, 1, 1, 1})).contiguous(weight.suggest_memory_format()));
      if (keep_shift && !before.has_bias)
        norm.folded->adds.set(norm.shift);
      else
        before.set_bias(norm.factor, norm.shift);
      norm.folded->done = true;
      ++count;
    }
    convolutions_.clear();
    norms_.clear();
    return count;
  }

 private:
  struct convolution_call {
    at::Tensor y;
    std::int64_t version;
    state_tensor* weight;
    bool has_bias;
    std::function<void(at::Tensor const& factor, at::Tensor const& shift)> set_bias;
  };
  struct norm_call {
    std::ptrdiff_t convolution;
    at::Tensor factor, shift;
    folded_norm* folded;
  };
  std::vector<convolution_call> convolutions_;
  std::vector<norm_call> norms_;
};

}  // namespace c2f
