// c2f/train/optimizer.hpp: what optimisers have in common: parameters in one block, gradients, their norm. c2f::sgd (train/sgd.hpp) and
// c2f::adam (train/adam.hpp) are optimisers.
//
//   optimizer.zero_gradients();
//   step.loss().backward();
//   optimizer.step(0.1);                      // the learning rate of this step
//
// Every leaf of the network that is trained is updated; one that got no gradient in a step is left alone. How much of rate and
// decay each takes is a rule over (path, dimensions).
//
// Parameters lie in one block (train/flat.hpp), which the network's leaves are views of from then on, and so does what an optimiser
// remembers: move the network to its device and layout before. Gradients stay where backward left them: autograd takes a gradient over
// without a copy, but would add it, one kernel a parameter, to one that is already there. With `low` the optimiser also keeps a
// bfloat16 copy of the parameters, which layers read instead of converting theirs in every pass (leaf::as); forget_low() ends that.
#pragma once

#include <c2f/execution/try_fused.hpp>
#include <c2f/train/flat.hpp>

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace c2f {

/// What a parameter takes of the learning rate and of the weight decay.
struct parameter_multipliers {
  double learning_rate = 1, weight_decay = 1;
  friend bool operator==(parameter_multipliers const&, parameter_multipliers const&) = default;
};
/// A share for every parameter, by its path and dimensions.
using multiplier_rule = parameter_multipliers (*)(std::string_view path, std::span<std::int64_t const> dims);

/// Everything decays (the recipe of Ren et al. 2020's classifiers).
inline parameter_multipliers decay_all(std::string_view, std::span<std::int64_t const>) { return {}; }
/// Only weights do: biases and the parameters of norms have one dimension.
inline parameter_multipliers decay_weights(std::string_view, std::span<std::int64_t const> dims) { return {1, dims.size() > 1 ? 1.0 : 0.0}; }

class optimizer {
 public:
  optimizer(optimizer const&)            = delete;
  optimizer& operator=(optimizer const&) = delete;
  virtual ~optimizer()                   = default;

  void zero_gradients() {
    for (auto& each : entries_) {
      each.parameter.mutable_grad().reset();
      if (each.low.defined()) each.low.mutable_grad().reset();
    }
  }

  /// The norm of all gradients together, a double on their device; finite exactly where every number of them is.
  [[nodiscard]] at::Tensor gradient_norm() const {
    std::vector<at::Tensor> const all = gradients();
    at::TensorOptions const type =
        entries_.empty() ? at::TensorOptions(at::kDouble) : entries_.front().parameter.options().dtype(at::kDouble);
    if (at::Tensor norm = at::zeros({}, type.requires_grad(false)); whole() && try_fused::gradient_norm(all, places_, norm)) return norm;
    std::vector<at::Tensor> const there = defined(all);
    if (there.empty()) return at::zeros({}, type.requires_grad(false));
    // In double, where the square of no float is infinite.
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    return at::stack(at::_foreach_norm(there, 2, at::kDouble)).norm();
  }
  /// Whether every gradient is finite. Cost: one pass over them, and one number to the host.
  [[nodiscard]] bool gradients_are_finite() const { return gradient_norm().isfinite().item<bool>(); }
  /// The path of the first parameter whose gradient is not finite; empty where all are.
  [[nodiscard]] std::string first_gradient_not_finite() const {
    std::vector<at::Tensor> const all = gradients();
    for (std::size_t i = 0; i < all.size(); ++i)
      if (all[i].defined() && !all[i].isfinite().all().item<bool>()) return entries_[i].path;
    return {};
  }

  /// What gradients of this norm are multiplied by, so that their norm is at most `most`: a float on the device.
  [[nodiscard]] static at::Tensor clipping(at::Tensor const& norm, double most) {
    return norm.reciprocal().mul(most).clamp_max(1).to(at::kFloat);
  }
  /// Scales all gradients so that their norm together is at most `norm`.
  void clip(double norm) const {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    if (auto const all = defined(gradients()); !all.empty()) at::_foreach_mul_(all, clipping(gradient_norm(), norm));
  }

  /// Updates the parameters by their gradients.
  void step(double learning_rate) {
    if (!entries_.empty()) step(at::full({}, learning_rate, entries_.front().parameter.options().dtype(at::kDouble).requires_grad(false)));
  }
  /// The same with numbers that lie on the device: rate a double; `scale` a float that gradients are multiplied by; where `skip`, a
  /// float, is not 0, nothing is changed.
  void step(at::Tensor const& learning_rate, at::Tensor const& scale = {}, at::Tensor const& skip = {}) {
    std::vector<at::Tensor> const all = gradients();
    if (whole() && update_at_once({parameters_.numbers(), low_, places_, all, 0, learning_rate, scale, skip})) return;
    // The update is not part of any gradient.
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    if (scale.defined())
      if (auto const there = defined(all); !there.empty()) at::_foreach_mul_(there, scale);
    begin_update(skip);
    std::vector<bool> done(entries_.size());
    for (std::size_t first = 0; first < entries_.size(); ++first) {  // a group of equal shares and number types at a time
      if (done[first] || !all[first].defined()) continue;
      entry const& like = entries_[first];
      std::vector<std::size_t> group;
      std::vector<at::Tensor> parameters, found;
      for (std::size_t i = first; i < entries_.size(); ++i) {
        entry const& each = entries_[i];
        if (done[i] || !all[i].defined() || !(each.multipliers == like.multipliers) || each.parameter.scalar_type() != like.parameter.scalar_type())
          continue;
        done[i] = true;
        group.push_back(i);
        parameters.push_back(each.parameter);
        found.push_back(all[i].to(each.parameter.scalar_type()));
      }
      at::Tensor const share = like.multipliers.learning_rate == 1 ? learning_rate : learning_rate.mul(like.multipliers.learning_rate);
      update(group, parameters, found, share.is_cpu() ? share : share.to(at::kFloat), like.multipliers.weight_decay, skip);
    }
    refresh_low();
  }

  /// Calls f(name, tensor) for all that the optimiser remembers from step to step.
  virtual void for_each_state(std::function<void(std::string const&, at::Tensor const&)> const& f) const = 0;

  /// The parameters' numbers, one block; undefined where there are none.
  [[nodiscard]] flat const& parameters() const { return parameters_; }
  /// After the parameters were changed by others.
  void refresh_low() const {
    if (low_.defined()) low_.copy_(parameters_.numbers());
  }
  /// Takes the bfloat16 copies from the network's leaves.
  static void forget_low(any_network net) {
    for_each_tensor(net, [](std::string const&, state_tensor& each, state_traits const&) { each.set_low({}); });
  }

 protected:
  struct entry {
    std::string path;
    at::Tensor parameter, low;
    parameter_multipliers multipliers;
  };
  /// What is remembered of every parameter, in the order of the entries, and the block that it lies in.
  struct state_block {
    at::Tensor block;
    std::vector<at::Tensor> each;
  };

  optimizer(any_network net, multiplier_rule multipliers, bool low) : parameters_(net, [](state_traits const& each) { return each.trained; }) {
    if (low && !parameters_.empty()) low_ = parameters_.numbers().to(at::kBFloat16);
    for_each_tensor(net, [&](std::string const& path, state_tensor& each, state_traits const& traits) {
      if (!traits.trained) return;
      at::Tensor const& tensor = each.tensor();
      entry& one          = entries_.emplace_back(entry{path, tensor, {}, multipliers(path, {tensor.sizes().data(), tensor.sizes().size()})});
      std::size_t const i = places_.size();
      if (i == parameters_.pieces().size() || !parameters_.pieces()[i].view.is_same(tensor)) return;  // of another number type
      auto const& piece = parameters_.pieces()[i];
      places_.push_back({piece.begin, piece.size, one.multipliers.learning_rate, one.multipliers.weight_decay});
      if (low_.defined()) each.set_low(one.low = parameters_.view_of(low_, i).set_requires_grad(true));
    });
  }

  /// Zeros beside every parameter.
  [[nodiscard]] state_block make_state() const {
    state_block all;
    if (!parameters_.empty()) all.block = parameters_.like(parameters_.numbers().options());
    std::size_t i = 0;
    for (auto const& each : entries_) {
      bool const in_block = i < places_.size() && parameters_.pieces()[i].view.is_same(each.parameter);
      all.each.push_back(in_block ? parameters_.view_of(all.block, i++) : at::zeros_like(each.parameter.detach()));
    }
    return all;
  }
  [[nodiscard]] std::vector<entry> const& entries() const { return entries_; }
  static std::vector<at::Tensor> chosen(std::vector<at::Tensor> const& all, std::vector<std::size_t> const& group) {
    std::vector<at::Tensor> some;
    for (std::size_t const i : group) some.push_back(all[i]);
    return some;
  }

 private:
  /// The whole update by one fused operation; false where there is none. The weight decay is not set.
  virtual bool update_at_once(flat_update what)                                                                               = 0;
  /// Before the groups of an update.
  virtual void begin_update(at::Tensor const& skip)                                                                           = 0;
  /// Of parameters that take equal shares: `group` are their entries; `rate` is theirs, `decay` their share.
  virtual void update(std::vector<std::size_t> const& group, std::vector<at::Tensor> const& parameters,
                      std::vector<at::Tensor> const& gradients, at::Tensor const& learning_rate, double decay, at::Tensor const& skip) = 0;

  // Whether every parameter lies in the block.
  [[nodiscard]] bool whole() const { return !entries_.empty() && places_.size() == entries_.size(); }
  // One a parameter, undefined where it got none.
  [[nodiscard]] std::vector<at::Tensor> gradients() const {
    std::vector<at::Tensor> all;
    for (auto const& each : entries_) {
      at::Tensor const& own = each.parameter.grad();
      at::Tensor const low  = each.low.defined() ? each.low.grad() : at::Tensor();
      all.push_back(!low.defined() ? own : own.defined() ? own.add(low) : low);
    }
    return all;
  }
  static std::vector<at::Tensor> defined(std::vector<at::Tensor> all) {
    std::erase_if(all, [](at::Tensor const& each) { return !each.defined(); });
    return all;
  }

  flat parameters_;
  std::vector<entry> entries_;
  std::vector<flat_piece> places_;  // of the entries in the block
  at::Tensor low_;
};

}  // namespace c2f
