// c2f/train/optimizer.hpp: the base class of the optimisers c2f::sgd (train/sgd.hpp) and c2f::adam (train/adam.hpp).
//
//   optimizer.zero_gradients();
//   step.loss().backward();
//   optimizer.step(0.1);                      // the learning rate of this step
//
// Every trained parameter of the network that has a gradient is updated. A rule over (path, sizes) gives each parameter its multipliers of
// learning rate and weight decay, as PyTorch's parameter groups do. A parameter whose learning rate is multiplied by 0 is frozen: it keeps
// its bits, has no weight decay, and its gradient counts neither in the norm nor in the check that all gradients are finite.
//
// The constructor moves the parameters into one flat buffer (train/flat.hpp), of which the network's tensors become views; the optimiser
// state has a buffer of the same layout. So move the network to its device and memory format first. Gradients are not in a flat buffer:
// autograd stores the first gradient of a parameter without a copy, but adds it to an existing tensor with one kernel per parameter. With
// `low` the optimiser also maintains a bfloat16 copy of the parameters, which layers read instead of converting the parameters in every
// pass (state_tensor::as); remove_bf16_copy() removes it from the network.
//
// Cost: at construction a copy of the parameters; a step is a fused operation, or one ATen operation per group of equal multipliers.
// Errors: those of ATen.
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
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace c2f {

/// Factors of the learning rate and of the weight decay for one parameter.
struct parameter_multipliers {
  double learning_rate = 1, weight_decay = 1;
  friend bool operator==(parameter_multipliers const&, parameter_multipliers const&) = default;
};
/// Returns the multipliers of a parameter, given its path and sizes.
using multiplier_rule = std::function<parameter_multipliers(std::string_view path, std::span<std::int64_t const> dims)>;

/// Weight decay on every parameter (the classifiers of Ren et al. 2020).
inline parameter_multipliers decay_all(std::string_view, std::span<std::int64_t const>) { return {}; }
/// Weight decay on weights only, not on biases and the parameters of norms, which have one dimension.
inline parameter_multipliers decay_weights(std::string_view, std::span<std::int64_t const> dims) {
  return {1, dims.size() > 1 ? 1.0 : 0.0};
}

/// Updates the parameters of one network.
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

  /// The L2 norm of all gradients together, [] double on their device. It is finite if and only if all gradients are.
  [[nodiscard]] at::Tensor gradient_norm() const {
    std::vector<at::Tensor> const all = gradients();
    at::TensorOptions const type =
        entries_.empty() ? at::TensorOptions(at::kDouble) : entries_.front().parameter.options().dtype(at::kDouble);
    if (at::Tensor norm = at::zeros({}, type.requires_grad(false)); all_in_buffer() && try_fused::gradient_norm(all, pieces_, norm))
      return norm;
    std::vector<at::Tensor> const found = defined(all);
    if (found.empty()) return at::zeros({}, type.requires_grad(false));
    // In double, where the square of a float does not overflow.
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    return at::stack(at::_foreach_norm(found, 2, at::kDouble)).norm();
  }
  /// The path of the first parameter whose gradient is not finite; empty if all are.
  [[nodiscard]] std::string first_gradient_not_finite() const {
    std::vector<at::Tensor> const all = gradients();
    for (std::size_t i = 0; i < all.size(); ++i)
      if (all[i].defined() && !all[i].isfinite().all().item<bool>()) return entries_[i].path;
    return {};
  }

  /// The factor that clips gradients of this norm to a norm of at most `most`: [] float on the device.
  [[nodiscard]] static at::Tensor clipping(at::Tensor const& norm, double most) {
    return norm.reciprocal().mul(most).clamp_max(1).to(at::kFloat);
  }

  /// Updates the parameters by their gradients.
  void step(double learning_rate) {
    if (!entries_.empty()) step(at::full({}, learning_rate, entries_.front().parameter.options().dtype(at::kDouble).requires_grad(false)));
  }
  /// The same with values in device memory: learning_rate [] double; scale [] float, which multiplies the gradients; skip [] float: if it
  /// is not 0, nothing is changed.
  void step(at::Tensor const& learning_rate, at::Tensor const& scale = {}, at::Tensor const& skip = {}) {
    std::vector<at::Tensor> const all = gradients();
    if (all_in_buffer() && fused_update({parameters_.numbers(), low_, pieces_, all, 0, learning_rate, scale, skip})) return;
    // The update is not part of any gradient.
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    if (scale.defined())
      if (auto const found = defined(all); !found.empty()) at::_foreach_mul_(found, scale);
    begin_update(skip);
    std::vector<bool> done(entries_.size());
    for (std::size_t first = 0; first < entries_.size(); ++first) {  // one group of equal multipliers and element types at a time
      if (done[first] || !all[first].defined()) continue;
      entry const& like = entries_[first];
      std::vector<std::size_t> group;
      std::vector<at::Tensor> parameters, found;
      for (std::size_t i = first; i < entries_.size(); ++i) {
        entry const& each = entries_[i];
        if (done[i] || !all[i].defined() || !(each.multipliers == like.multipliers) ||
            each.parameter.scalar_type() != like.parameter.scalar_type())
          continue;
        done[i] = true;
        group.push_back(i);
        parameters.push_back(each.parameter);
        found.push_back(all[i].to(each.parameter.scalar_type()));
      }
      at::Tensor const group_rate = like.multipliers.learning_rate == 1 ? learning_rate : learning_rate.mul(like.multipliers.learning_rate);
      update(group, parameters, found, group_rate.is_cpu() ? group_rate : group_rate.to(at::kFloat), like.multipliers.weight_decay, skip);
    }
    refresh_bf16_copy();
  }

  /// Calls f(name, tensor) for each tensor of the optimiser state.
  virtual void for_each_state(std::function<void(std::string const&, at::Tensor const&)> const& f) const = 0;

  /// The tensors in which autograd stores the gradients that step() uses: each parameter, and its bfloat16 copy or an undefined tensor.
  [[nodiscard]] std::vector<std::pair<at::Tensor, at::Tensor>> leaves() const {
    std::vector<std::pair<at::Tensor, at::Tensor>> all;
    for (auto const& each : entries_)
      if (each.multipliers.learning_rate != 0) all.emplace_back(each.parameter, each.low);
    return all;
  }

  /// The flat buffer of the parameters.
  [[nodiscard]] flat const& parameters() const { return parameters_; }
  /// Updates the bfloat16 copy; call it after changing parameters other than by step().
  void refresh_bf16_copy() const {
    if (low_.defined()) low_.copy_(parameters_.numbers());
  }
  /// Removes the bfloat16 copies from the network.
  static void remove_bf16_copy(any_network net) {
    for_each_tensor(net, [](std::string const&, state_tensor& each, state_traits const&) { each.set_bf16_copy({}); });
  }

 protected:
  struct entry {
    std::string path;
    at::Tensor parameter, low;
    parameter_multipliers multipliers;
  };
  /// A state tensor for every parameter, in the order of the entries, and the flat buffer of which they are views.
  struct state_block {
    at::Tensor block;
    std::vector<at::Tensor> each;
  };

  optimizer(any_network net, multiplier_rule const& multipliers, bool low)
      : parameters_(net, [](state_traits const& each) { return each.trained; }) {
    if (low && !parameters_.empty()) low_ = parameters_.numbers().to(at::kBFloat16);
    for_each_tensor(net, [&](std::string const& path, state_tensor& each, state_traits const& traits) {
      if (!traits.trained) return;
      at::Tensor const& tensor = each.tensor();
      entry& one               = entries_.emplace_back(entry{path, tensor, {}, {}});
      if (multipliers) one.multipliers = multipliers(path, {tensor.sizes().data(), tensor.sizes().size()});
      std::size_t const i = pieces_.size();
      // A parameter that is not float is not in the flat buffer.
      if (i == parameters_.pieces().size() || !parameters_.pieces()[i].view.is_same(tensor)) return;
      auto const& piece = parameters_.pieces()[i];
      pieces_.push_back({piece.begin, piece.size, one.multipliers.learning_rate, one.multipliers.weight_decay});
      if (low_.defined()) each.set_bf16_copy(one.low = parameters_.view_of(low_, i).set_requires_grad(true));
    });
  }

  /// Zeros for every parameter.
  [[nodiscard]] state_block make_state() const {
    state_block all;
    if (!parameters_.empty()) all.block = parameters_.like(parameters_.numbers().options());
    std::size_t i = 0;
    for (auto const& each : entries_) {
      bool const in_block = i < pieces_.size() && parameters_.pieces()[i].view.is_same(each.parameter);
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
  /// The whole update by one fused operation; false if there is none. `what` has no weight decay yet.
  virtual bool fused_update(flat_update what)                                                                                          = 0;
  /// Called before the groups of an update.
  virtual void begin_update(at::Tensor const& skip)                                                                                    = 0;
  /// Updates parameters with equal multipliers: `group` are the indices of their entries, `learning_rate` includes its multiplier, `decay`
  /// is the multiplier of the weight decay.
  virtual void update(std::vector<std::size_t> const& group, std::vector<at::Tensor> const& parameters,
                      std::vector<at::Tensor> const& gradients, at::Tensor const& learning_rate, double decay, at::Tensor const& skip) = 0;

  // Whether every parameter is in the flat buffer.
  [[nodiscard]] bool all_in_buffer() const { return !entries_.empty() && pieces_.size() == entries_.size(); }
  // The gradient of every parameter; undefined if it has none or the parameter is frozen.
  [[nodiscard]] std::vector<at::Tensor> gradients() const {
    std::vector<at::Tensor> all;
    for (auto const& each : entries_) {
      if (each.multipliers.learning_rate == 0) {
        all.emplace_back();
        continue;
      }
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
  std::vector<flat_piece> pieces_;  // of the entries in the flat buffer, in their order
  at::Tensor low_;
};

}  // namespace c2f
