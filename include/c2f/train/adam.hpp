// c2f/train/adam.hpp: the optimisers Adam and AdamW.
//
//   c2f::adam optimizer{model, {.weight_decay = 1e-2, .decoupled = true}};      // AdamW
//   c2f::fit(model, data, c2f::recipe::settings{}.adam({}).learning_rate(1e-3));
//
// Kingma and Ba, "Adam", ICLR 2015; decoupled: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019. The update is
// that of PyTorch; rate is the learning rate, and both rate and decay include the parameter's multipliers (train/optimizer.hpp):
//   p *= 1 - rate * decay (decoupled), or g += decay * p;   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
//   p -= rate * (m / (1 - beta1^k)) / (sqrt(v / (1 - beta2^k)) + epsilon)          in update k = 1, 2, ...
// k counts the updates that were not skipped; all parameters share it.
// Cost: one at::_fused_adam_ per group of equal multipliers, or the fused operation for all (execution/fused_operations.hpp). Memory: two
// moments per parameter.
#pragma once

#include <c2f/train/optimizer.hpp>

#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/zeros.h>

namespace c2f {

/// The settings of Adam; the learning rate is an argument of step().
struct adam_options {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled      = false;    ///< AdamW
  multiplier_rule multipliers{};  ///< none: 1 for every parameter
};

/// Adam or AdamW for all parameters of a network. low: with a bfloat16 copy of the parameters (train/optimizer.hpp).
class adam : public optimizer {
 public:
  template <class Net>
  adam(Net& net, adam_options const& options, bool low = false) : adam(any_network(net), options, low) {}
  adam(any_network net, adam_options const& options, bool low = false)
      : optimizer(net, options.multipliers, low), options_(options), first_(make_state()), second_(make_state()) {
    if (!entries().empty()) updates_ = at::zeros({}, entries().front().parameter.options().dtype(at::kLong).requires_grad(false));
  }

  void for_each_state(std::function<void(std::string const&, at::Tensor const&)> const& f) const override {
    for (std::size_t i = 0; i < entries().size(); ++i) {
      f(entries()[i].path + ".first_moment", first_.each[i]);
      f(entries()[i].path + ".second_moment", second_.each[i]);
    }
    if (updates_.defined()) f("updates", updates_);
  }

 private:
  bool fused_update(flat_update what) override {
    what.weight_decay = options_.weight_decay;
    return try_fused::adam(what,
                           {options_.beta1, options_.beta2, options_.epsilon, options_.decoupled, first_.block, second_.block, updates_});
  }
  void begin_update(at::Tensor const& skip) override {
    if (skip.defined())
      updates_.add_(skip.eq(0));
    else
      updates_.add_(1);
  }
  void update(std::vector<std::size_t> const& group, std::vector<at::Tensor> const& parameters, std::vector<at::Tensor> const& gradients,
              at::Tensor const& learning_rate, double decay, at::Tensor const& skip) override {
    std::vector<at::Tensor> const counts(group.size(), updates_.to(at::kFloat));
    (options_.decoupled ? adamw : plain)(parameters, gradients, chosen(first_.each, group), chosen(second_.each, group), {}, counts,
                                         learning_rate, options_.beta1, options_.beta2, options_.weight_decay * decay, options_.epsilon,
                                         /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{},
                                         skip.defined() ? std::optional(skip) : std::nullopt);
  }

  using operation = void (*)(at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList,
                             at::Tensor const&, double, double, double, double, bool, bool, std::optional<at::Tensor> const&,
                             std::optional<at::Tensor> const&);
  static constexpr operation plain = &at::_fused_adam_, adamw = &at::_fused_adamw_;

  adam_options options_;
  state_block first_, second_;
  at::Tensor updates_;
};

}  // namespace c2f
