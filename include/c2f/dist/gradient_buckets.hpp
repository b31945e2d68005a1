// c2f/dist/gradient_buckets.hpp: sums the gradients of a network over processes, bucket by bucket, while the backward pass still runs.
//
//   std::vector<at::Tensor> const parameters{x, raw};
//   auto sums = world.reduce(parameters, {});      // a gradient_buckets of c2f::dist::world
//   sums->begin({logits});
//   step.loss().backward();                        // a bucket is sent as soon as all of its gradients are there
//   sums->finish();
//
// Buckets are fixed: consecutive parameters from the last one to the first, which is about the order in which the backward pass reaches
// them, of one element type, and of an eighth of the gradients each, but at most 4 MiB and at least 64 KiB: what is left to be sent when the
// backward pass ends is the last bucket. A bucket is one flat buffer; after the
// step the gradients are views of it. All processes send them in the same order, however their backward passes are ordered, so sums have the
// same bytes in all of them. A parameter that has no gradient in this process counts as zeros.
//
// The design is that of Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", VLDB 2020; c10d's own Reducer has
// no stable interface.
//
// Costs: memory for the gradients, and a copy of each. On the CPU a sum of one number per parameter decides which parameters have a gradient in
// any process; on a GPU all processes must agree on it. Errors: those of the sum.
#pragma once

#include <c2f/execution/communicator.hpp>

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/as_strided.h>
#include <ATen/ops/zeros.h>

#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace c2f::dist {

/// How long the sums of gradients took, over all steps so far.
struct reduction_times {
  double running = 0;  ///< seconds in which a sum was on its way (on the CPU; else from the first one to the end)
  double waited  = 0;  ///< seconds for which a step waited for sums behind its backward pass
  /// The part of the sums' time that the backward pass hid.
  [[nodiscard]] double hidden() const { return running > 0 ? std::max(0.0, 1 - waited / running) : 0; }
};

namespace detail {

/// A sum that is on its way.
class pending_sum {
 public:
  pending_sum()                              = default;
  pending_sum(pending_sum const&)            = delete;
  pending_sum& operator=(pending_sum const&) = delete;
  virtual ~pending_sum()                     = default;
  virtual void wait()                        = 0;
  /// When it was complete, if that is known after wait().
  [[nodiscard]] virtual std::optional<std::chrono::steady_clock::time_point> ended() const { return {}; }
};
/// Begins to sum a contiguous tensor in place.
using begin_sum = std::function<std::unique_ptr<pending_sum>(at::Tensor const&)>;

class gradient_buckets : public gradient_reduction {
 public:
  static constexpr std::int64_t least_bytes = 64 << 10, most_bytes = 4 << 20, wanted_buckets = 8;

  gradient_buckets(std::vector<at::Tensor> leaves, std::vector<at::Tensor> rare, begin_sum sum, reduction_times& times)
      : sum_(std::move(sum)), times_(times) {
    add(std::move(leaves), false);
    add(std::move(rare), true);
    if (!slots_.empty())
      present_ =
          at::zeros({static_cast<std::int64_t>(slots_.size())}, slots_.front().leaf.options().dtype(at::kFloat).requires_grad(false));
    for (std::size_t i = 0; i < slots_.size(); ++i)
      torch::autograd::impl::set_post_acc_grad_hooks(slots_[i].leaf, std::make_unique<hook>(*this, i));
  }
  ~gradient_buckets() override {
    for (auto& each : slots_) torch::autograd::impl::set_post_acc_grad_hooks(each.leaf, nullptr);
  }

  void begin(std::vector<at::Tensor> also) override {
    pending_.clear();
    for (auto& each : slots_) each.here = false;
    for (auto& each : buckets_) each.missing = each.count;
    next_   = 0;
    active_ = true;
    begun_  = clock::now();
    for (auto const& each : also) send(each);
  }

  void finish() override {
    active_          = false;
    auto const ended = clock::now();
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    bool const on_host = !slots_.empty() && present_.is_cpu();
    // A gradient that did not come in the last batch of the step is that of the earlier ones, or counts as zeros; whether it came in another
    // process is known after the sum of `present_`.
    for (auto& each : slots_)
      if (!each.here) {
        each.here = each.leaf.grad().defined();
        if (each.here)
          take(each);
        else
          each.in_bucket.zero_();
      }
    for (; next_ < buckets_.size() && !buckets_[next_].rare; ++next_) send(buckets_[next_].numbers);
    // Behind the buckets that the backward pass may have sent, so that all processes begin the same sums in the same order.
    if (on_host) {
      auto* const present = present_.mutable_data_ptr<float>();
      for (std::size_t i = 0; i < slots_.size(); ++i) present[i] = slots_[i].here ? 1.0f : 0.0f;
      sum_(present_)->wait();
    }
    auto const in_any = [&](slot const& each) { return on_host ? present_.const_data_ptr<float>()[&each - slots_.data()] > 0 : each.here; };
    for (; next_ < buckets_.size(); ++next_) {
      bucket const& each = buckets_[next_];
      auto const begin   = slots_.begin() + static_cast<std::ptrdiff_t>(each.first);
      if (std::any_of(begin, begin + static_cast<std::ptrdiff_t>(each.count), in_any)) send(each.numbers);
    }
    for (auto const& each : pending_) each.sum->wait();
    clock::time_point const now = clock::now();
    clock::duration running{};
    for (clock::time_point until = begun_; auto const& each : pending_) {  // the union of their times
      clock::time_point const end = std::min(each.sum->ended().value_or(now), now);
      if (end > std::max(each.begun, until)) running += end - std::max(each.begun, until);
      until = std::max(until, end);
    }
    pending_.clear();
    for (auto& each : slots_)
      if (!each.here && in_any(each)) each.leaf.mutable_grad() = each.in_bucket;
    auto const seconds = [](auto span) { return std::chrono::duration<double>(span).count(); };
    times_.waited += seconds(now - ended);
    times_.running += seconds(running);
  }

 private:
  using clock = std::chrono::steady_clock;

  struct slot {
    at::Tensor leaf, in_bucket;
    std::size_t bucket = 0;
    bool here          = false;
  };
  struct bucket {
    at::Tensor numbers;
    std::size_t first = 0, count = 0;  // of slots_
    bool rare           = false;
    std::size_t missing = 0;  // gradients of this step that have not come
  };
  struct sent {
    std::unique_ptr<pending_sum> sum;
    clock::time_point begun;
  };
  class hook : public torch::autograd::PostAccumulateGradHook {
   public:
    hook(gradient_buckets& all, std::size_t index) : all_(all), index_(index) {}
    void operator()(at::Tensor const&) override { all_.arrived(index_); }

   private:
    gradient_buckets& all_;
    std::size_t index_;
  };

  void add(std::vector<at::Tensor> leaves, bool rare) {
    std::stable_partition(leaves.begin(), leaves.end(),
                          [&](at::Tensor const& each) { return each.scalar_type() == leaves.front().scalar_type(); });
    std::reverse(leaves.begin(), leaves.end());
    std::int64_t all = 0;
    for (auto const& each : leaves) all += each.numel() * each.element_size();
    std::int64_t const most = std::clamp(all / wanted_buckets, least_bytes, most_bytes);
    for (std::size_t first = 0; first < leaves.size();) {
      std::int64_t elements = 0;
      std::size_t last      = first;
      for (; last < leaves.size() && leaves[last].scalar_type() == leaves[first].scalar_type() &&
             (last == first || (elements + leaves[last].numel()) * leaves[last].element_size() <= most);
           ++last)
        elements += leaves[last].numel();
      bucket& made = buckets_.emplace_back();
      made.numbers = at::zeros({elements}, leaves[first].options().requires_grad(false));
      made.first   = slots_.size();
      made.count   = last - first;
      made.rare    = rare;
      for (std::int64_t begin = 0; first < last; ++first) {
        at::Tensor const& leaf = leaves[first];
        // variable_data(): each view has a version counter of its own.
        slots_.push_back({leaf, at::as_strided(made.numbers, leaf.sizes(), leaf.strides(), begin).variable_data(), buckets_.size() - 1});
        begin += leaf.numel();
      }
    }
  }

  void send(at::Tensor const& numbers) {
    clock::time_point const begun = clock::now();
    pending_.push_back({sum_(numbers), begun});
  }

  // Moves a gradient into its bucket.
  static void take(slot const& each) {
    each.in_bucket.copy_(each.leaf.grad());
    each.leaf.mutable_grad() = each.in_bucket;
  }

  // Called by autograd when a gradient is complete.
  void arrived(std::size_t index) {
    if (!active_) return;  // an earlier batch of the step
    slot& each = slots_[index];
    if (each.here) return;
    each.here = true;
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    take(each);
    --buckets_[each.bucket].missing;
    while (next_ < buckets_.size() && buckets_[next_].missing == 0 && !buckets_[next_].rare) send(buckets_[next_++].numbers);
  }

  begin_sum sum_;
  reduction_times& times_;
  std::vector<slot> slots_;
  std::vector<bucket> buckets_;
  std::vector<sent> pending_;
  at::Tensor present_;    // [P] float: in how many processes each parameter has a gradient
  std::size_t next_ = 0;  // the next bucket to send
  bool active_      = false;
  clock::time_point begun_;
};

}  // namespace detail
}  // namespace c2f::dist
