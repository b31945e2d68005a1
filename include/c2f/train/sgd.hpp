// c2f/train/sgd.hpp: stochastic gradient descent with momentum.
//
//   c2f::sgd optimizer{model, {.momentum = 0.9, .weight_decay = 1e-4}};
//   optimizer.zero_gradients();
//   step.loss().backward();
//   optimizer.step(0.1);                      // the learning rate of this step
//
// PyTorch's update: g += decay * p;  m = momentum * m + g;  p -= rate * (nesterov ? g + momentum * m : m).
// Cost: one at::_fused_sgd_ a group of equal shares, or one kernel for all (execution/fused_operations.hpp); momentum is one more copy of the parameters.
#pragma once

#include <c2f/train/optimizer.hpp>

#include <ATen/ops/_fused_sgd.h>

namespace c2f {

struct sgd_options {
  double momentum     = 0.9;
  double weight_decay = 0;
  bool nesterov       = false;
  multiplier_rule multipliers   = &decay_all;
};

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
  bool update_at_once(flat_update what) override {
    what.weight_decay = options_.weight_decay;
    return try_fused::sgd(what, {options_.momentum, options_.nesterov, momenta_.block});
  }
  void begin_update(at::Tensor const&) override {}
  void update(std::vector<std::size_t> const& group, std::vector<at::Tensor> const& parameters, std::vector<at::Tensor> const& gradients,
              at::Tensor const& learning_rate, double decay, at::Tensor const& skip) override {
    // Without momentum the kernel takes none. A momentum that begins at zero makes the first step like every other.
    at::_fused_sgd_(parameters, gradients, options_.momentum == 0 ? std::vector<at::Tensor>() : chosen(momenta_.each, group),
                    options_.weight_decay * decay, options_.momentum, learning_rate, /*dampening=*/0, options_.nesterov, /*maximize=*/false,
                    /*is_first_step=*/false, /*grad_scale=*/{}, skip.defined() ? std::optional(skip) : std::nullopt);
  }

  sgd_options options_;
  state_block momenta_;
};

}  // namespace c2f
