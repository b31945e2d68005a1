// c2f/train/sgd.hpp: stochastic gradient descent with momentum, one fused call for all tensors of a group.
//
//   c2f::sgd optimizer{model, {.momentum = 0.9, .weight_decay = 1e-4}};
//   optimizer.zero_gradients();
//   step.loss().backward();
//   optimizer.step(0.1);                      // the learning rate of this step
//
// PyTorch's update: g += decay * p;  m = momentum * m + g;  p -= rate * (nesterov ? g + momentum * m : m).
// Every leaf of the network that is trained is updated; one that got no gradient in a step is left alone. How much of rate and
// decay each takes is a rule over (path, dimensions). Cost: one at::_fused_sgd_ a group of equal shares; the momentum is one more copy of
// the parameters. The optimiser holds the tensors themselves: move the network to its device and layout before.
#pragma once

#include <c2f/core/visit.hpp>

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace c2f {

/// What a parameter takes of the learning rate and of the weight decay.
struct share_of {
  double rate = 1, decay = 1;
  friend bool operator==(share_of const&, share_of const&) = default;
};
/// A share for every parameter, by its path and dimensions.
using share_rule = share_of (*)(std::string_view path, std::span<std::int64_t const> dims);

/// Everything decays (the recipe of paper 000's classifiers).
inline share_of decay_all(std::string_view, std::span<std::int64_t const>) { return {}; }
/// Only weights do: biases and the parameters of norms have one dimension.
inline share_of decay_weights(std::string_view, std::span<std::int64_t const> dims) { return {1, dims.size() > 1 ? 1.0 : 0.0}; }

struct sgd_options {
  double momentum     = 0.9;
  double weight_decay = 0;
  bool nesterov       = false;
  share_rule shares   = &decay_all;
};

class sgd {
 public:
  template <class Net>
  sgd(Net const& net, sgd_options const& options) : options_(options) {
    for_each_leaf(net, [&](std::string const& path, leaf const& each, leaf_traits const& traits) {
      if (!traits.trained) return;
      at::Tensor const& tensor = each.tensor();
      std::span<std::int64_t const> const dims(tensor.sizes().data(), tensor.sizes().size());
      group& into = group_of(options_.shares(path, dims));
      into.paths.push_back(path);
      into.parameters.push_back(tensor);
      into.momenta.push_back(at::zeros_like(tensor.detach()));
    });
  }

  void zero_gradients() {
    for (auto& each : groups_)
      for (auto& parameter : each.parameters) parameter.mutable_grad().reset();
  }

  /// Whether every gradient is finite. Cost: one pass over them, and one number to the host.
  [[nodiscard]] bool gradients_are_finite() const {
    auto const all = gradients();
    if (all.empty()) return true;
    // The norm is fast, and finite only where every number is; it also overflows, and then the largest magnitude decides.
    auto const finite = [&](double order) { return at::stack(at::_foreach_norm(all, order)).isfinite().all().item<bool>(); };
    return finite(2) || finite(std::numeric_limits<double>::infinity());
  }
  /// The path of the first parameter whose gradient is not finite; empty where all are.
  [[nodiscard]] std::string first_gradient_not_finite() const {
    for (auto const& each : groups_)
      for (std::size_t i = 0; i < each.parameters.size(); ++i)
        if (at::Tensor const& gradient = each.parameters[i].grad(); gradient.defined() && !gradient.isfinite().all().item<bool>())
          return each.paths[i];
    return {};
  }
  /// Scales all gradients so that their norm together is at most `norm`.
  void clip(double norm) const {
    auto all = gradients();
    if (all.empty()) return;
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    double const found = at::stack(at::_foreach_norm(all, 2)).norm().item<double>();
    if (found > norm) at::_foreach_mul_(all, norm / found);
  }

  /// Calls f(path, momentum) for every parameter's momentum.
  template <class F>
  void for_each_momentum(F const& f) const {
    for (auto const& each : groups_)
      for (std::size_t i = 0; i < each.paths.size(); ++i) f(each.paths[i], each.momenta[i]);
  }

  void step(double rate) {
    for (auto& each : groups_) update(each, rate * each.share.rate, options_.weight_decay * each.share.decay);
  }

 private:
  struct group {
    share_of share;
    std::vector<std::string> paths{};
    std::vector<at::Tensor> parameters{}, momenta{};
  };

  group& group_of(share_of const& share) {
    for (auto& each : groups_)
      if (each.share == share) return each;
    return groups_.emplace_back(group{share});
  }

  [[nodiscard]] std::vector<at::Tensor> gradients() const {
    std::vector<at::Tensor> all;
    for (auto const& each : groups_)
      for (auto const& parameter : each.parameters)
        if (parameter.grad().defined()) all.push_back(parameter.grad());
    return all;
  }

  void update(group& each, double rate, double decay) {
    std::vector<at::Tensor> parameters, gradients, momenta;
    for (std::size_t i = 0; i < each.parameters.size(); ++i) {
      at::Tensor const& gradient = each.parameters[i].grad();
      if (!gradient.defined()) continue;
      parameters.push_back(each.parameters[i]);
      gradients.push_back(gradient);
      if (options_.momentum != 0) momenta.push_back(each.momenta[i]);  // without momentum the kernel takes none
    }
    if (parameters.empty()) return;
    // The update is not part of any gradient. A momentum that begins at zero makes the first step like every other.
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    at::_fused_sgd_(parameters, gradients, momenta, decay, options_.momentum, rate, /*dampening=*/0, options_.nesterov, /*maximize=*/false,
                    /*is_first_step=*/false);
  }

  sgd_options options_;
  std::vector<group> groups_;
};

}  // namespace c2f
