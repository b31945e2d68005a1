// c2f/execution/folding.hpp: finds the norms that can become part of the convolution before them.
//
//   c2f::folding folds;
//   { c2f::folding::scope const looking(folds);  network(example, c2f::eval); }
//   folds.apply();                        // from now on these norms do nothing, and their convolutions do it for them
//
// At inference a norm is y = a x + b, a and b a number a channel; after a convolution with weight w and bias c it is a convolution with
// weight a w and bias a c + b (exact to rounding). Where a fused operation adds b with what else follows the norm (execution/fused_operations.hpp), the
// norm keeps it: apply(/*keep_shift=*/true). Which norm follows which convolution is seen and not declared: a norm may be folded when it is
// handed the very tensor that a convolution gave, unchanged, and when both were called once. That nothing else read this tensor cannot be
// seen, so whoever folds compares the answers before and after (inference/predictor.hpp). A folded network is for inference only: its
// weights are no longer those that were trained.
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

/// What is left of a norm that became part of a convolution: b [C]. No member of a network: it is not trained or saved.
class folded_shift {
 public:
  void set(at::Tensor shift) { shift_ = std::move(shift); }
  /// In x's number type, or nothing where there is none.
  [[nodiscard]] std::optional<at::Tensor> as(at::Tensor const& x) const {
    if (!shift_.defined()) return std::nullopt;
    if (shift_.scalar_type() != x.scalar_type()) shift_ = shift_.to(x.scalar_type());  // once
    return shift_;
  }

 private:
  mutable at::Tensor shift_;
};
/// How a norm knows.
struct folded_norm {
  bool done = false;
  folded_shift adds;  ///< what it still has to add
};

class folding {
 public:
  /// Observes the networks that this thread runs, for as long as it lives.
  struct scope : detail::context_scope<&execution_context::folding> {
    explicit scope(folding& into) : context_scope(&into) {}
  };

  /// A convolution has computed y. `bias` is a state_tensor or, where it has none, a folded_shift.
  template <class Bias>
  void observe_convolution(at::Tensor const& y, state_tensor const& weight, Bias const& bias) {
    // Whoever folds owns the network; the layers' calls are const because nothing else may change them.
    auto& own              = const_cast<Bias&>(bias);
    constexpr bool has_one = std::is_base_of_v<state_tensor, Bias>;
    convolutions_.push_back(
        {y, y._version(), const_cast<state_tensor*>(&weight), has_one, [&own](at::Tensor const& factor, at::Tensor const& shift) {
           if constexpr (has_one)
             own.assign(own.tensor().mul(factor).add(shift));
           else
             own.set(shift);
         }});
  }
  /// A norm is given x and computes factor * x + shift, [C] each; `folded` is set where its convolution does that from now on.
  void observe_norm(at::Tensor const& x, at::Tensor factor, at::Tensor shift, folded_norm const& folded) {
    for (auto const& each : convolutions_)
      if (each.y.is_same(x) && each.version == x._version())
        norms_.push_back({&each - convolutions_.data(), std::move(factor), std::move(shift), const_cast<folded_norm*>(&folded)});
  }

  /// Folds what can be folded; how many norms that are. keep_shift: a norm behind a convolution without a bias keeps its shift.
  std::int64_t apply(bool keep_shift = false) {
    auto const often = [](auto const& all, auto const& member, auto const& what) {
      return std::count_if(all.begin(), all.end(), [&](auto const& each) { return each.*member == what; }) > 1;
    };
    std::int64_t count = 0;
    for (auto const& norm : norms_) {
      convolved const& before = convolutions_[static_cast<std::size_t>(norm.convolution)];
      if (often(norms_, &taken::convolution, norm.convolution) || often(norms_, &taken::folded, norm.folded) ||
          often(convolutions_, &convolved::weight, before.weight))
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
  struct convolved {
    at::Tensor y;
    std::int64_t version;
    state_tensor* weight;
    bool has_bias;
    std::function<void(at::Tensor const& factor, at::Tensor const& shift)> set_bias;
  };
  struct taken {
    std::ptrdiff_t convolution;
    at::Tensor factor, shift;
    folded_norm* folded;
  };
  std::vector<convolved> convolutions_;
  std::vector<taken> norms_;
};

}  // namespace c2f
