// c2f/train/sgd.hpp: stochastic gradient descent with momentum.
//
//   c2f::sgd optimizer{model, {.momentum = 0.9, .weight_decay = 1e-4}};
//   optimizer.zero_gradients();
//   step.loss().backward();
//   optimizer.step(0.1);                      // the learning rate of this step
//
// The update is that of torch.optim.SGD; rate is the learning rate, and both rate and decay include the parameter's multipliers:
//   g += decay * p;  m = momentum * m + g;  p -= rate * (nesterov ? g + momentum * m : m)
// Cost: one at::_fused_sgd_ per group of equal multipliers, or the fused operation for all (execution/fused_operations.hpp). Memory: with
// momentum one copy of the parameters.
#pragma once

#include <c2f/train/optimizer.hpp>

#include <ATen/ops/_fused_sgd.h>

namespace c2f {

/// The settings of SGD; the learning rate is an argument of step().
struct sgd_options {
  double momentum             = 0.9;
  double weight_decay         = 0;
  bool nesterov               = false;
  multiplier_rule multipliers = &decay_all;
};

/// SGD for all parameters of a network. low: with a bfloat16 copy of the parameters (train/optimizer.hpp).
class sgd : public optimizer {
 public:
  template <class Net>
  sgd(Net& net, sgd_options const& options, bool low = false) : sgd(any_network(net), options, low) {}
  sgd(any_network net, sgd_options const& options, bool low = false) : optimizer(net, options.multipliers, low), options_(options) {
    if (options_.momentum != 0) momenta_ = make_state();
  }

  void for_each_state(std::function<void(std::string const&, at::Tensor const&)> const& f) const override {
    for (std::size_t i = 0; i < momenta_.each.size(); ++i) f(entries()[i].path, momenta_.each[i]);
  }

 private:
  bool fused_update(flat_update what) override {
    what.weight_decay = options_.weight_decay;
    return try_fused::sgd(what, {options_.momentum, options_.nesterov, momenta_.block});
  }
  void begin_update(at::Tensor const&) override {}
  void update(std::vector<std::size_t> const& group, std::vector<at::Tensor> const& parameters, std::vector<at::Tensor> const& gradients,
              at::Tensor const& learning_rate, double decay, at::Tensor const& skip) override {
    // Without momentum the operation takes an empty list. The momentum starts at zero, so the first step needs no special case.
    at::_fused_sgd_(parameters, gradients, options_.momentum == 0 ? std::vector<at::Tensor>() : chosen(momenta_.each, group),
                    options_.weight_decay * decay, options_.momentum, learning_rate, /*dampening=*/0, options_.nesterov, /*maximize=*/false,
                    /*is_first_step=*/false, /*grad_scale=*/{}, skip.defined() ? std::optional(skip) : std::nullopt);
  }

  sgd_options options_;
  state_block momenta_;
};

}  // namespace c2f
