// c2f/train/forward_state.hpp: saves and restores the buffers of a model that a forward pass in training changes.
//
//   c2f::detail::forward_state state{c2f::any_network(model)};
//   state.save();                       // before the pass
//   …                                   // the pass updates running statistics and the counters of batch norms
//   state.restore_where(skip);          // on the device: restores the statistics if skip is not 0
//
// Running statistics are in one flat buffer (train/flat.hpp); tensors of other element types, which torch::nn modules may have, are saved
// one by one, trained ones, too. What is below c2f::frozen does not change. num_batches_tracked is a counter in host memory, which is incremented when the pass is queued. Cost: a copy of the buffers.
#pragma once

#include <c2f/train/flat.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/where.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace c2f::detail {

class forward_state {
 public:
  /// A counter in host memory, and its counterpart in the moving average (undefined without one).
  struct host_counter {
    at::Tensor tensor, averaged;
  };

  /// Whether a tensor is a buffer that a pass may change.
  static bool is_statistic(state_traits const& each) { return !each.trained && !each.frozen; }

  explicit forward_state(any_network model) : statistics_(model, &is_statistic) {
    for_each_tensor(model, [&](std::string const&, state_tensor const& each, state_traits const& traits) {
      if (traits.on_host)
        counters_.push_back({each.tensor(), {}});
      else if (each.tensor().scalar_type() != at::kFloat && !traits.frozen)
        others_.push_back(each.tensor().detach());
    });
    for (auto const& each : others_) others_before_.push_back(each.clone());
    if (!statistics_.empty()) before_ = at::empty_like(statistics_.numbers());
  }

  [[nodiscard]] flat const& statistics() const { return statistics_; }
  [[nodiscard]] std::vector<host_counter>& counters() { return counters_; }

  static std::int64_t value(at::Tensor const& counter) { return *counter.const_data_ptr<std::int64_t>(); }
  static void add(at::Tensor const& counter, std::int64_t calls) { *counter.mutable_data_ptr<std::int64_t>() += calls; }
  [[nodiscard]] std::vector<std::int64_t> counts() const {
    std::vector<std::int64_t> all;
    for (auto const& each : counters_) all.push_back(value(each.tensor));
    return all;
  }

  void save() const {
    if (!statistics_.empty()) before_.copy_(statistics_.numbers());
    for (std::size_t i = 0; i < others_.size(); ++i) others_before_[i].copy_(others_[i]);
  }
  /// After a pass that failed: restores the statistics, and the counters to `counts`.
  void restore(std::vector<std::int64_t> const& counts) const {
    if (!statistics_.empty()) statistics_.numbers().copy_(before_);
    for (std::size_t i = 0; i < others_.size(); ++i) others_[i].copy_(others_before_[i]);
    for (std::size_t i = 0; i < counters_.size(); ++i) add(counters_[i].tensor, counts[i] - value(counters_[i].tensor));
  }
  /// skip: [] float on the device. Does not change the counters, which are in host memory.
  void restore_where(at::Tensor const& skip) const {
    if (!statistics_.empty()) statistics_.numbers().copy_(at::where(skip.ne(0), before_, statistics_.numbers()));
    for (std::size_t i = 0; i < others_.size(); ++i) others_[i].copy_(at::where(skip.ne(0), others_before_[i], others_[i]));
  }

  /// All tensors that a pass changes.
  [[nodiscard]] std::vector<at::Tensor> tensors() const {
    std::vector<at::Tensor> all;
    if (!statistics_.empty()) all.push_back(statistics_.numbers());
    for (auto const& each : counters_) all.push_back(each.tensor);
    all.insert(all.end(), others_.begin(), others_.end());
    return all;
  }

 private:
  flat statistics_;
  at::Tensor before_;                               // the statistics before the pass
  std::vector<at::Tensor> others_, others_before_;  // tensors that are not float
  std::vector<host_counter> counters_;
};

}  // namespace c2f::detail
