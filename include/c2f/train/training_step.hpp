// c2f/train/training_step.hpp: one training step (forward, losses, backward, update), queued without waiting for the device.
//
//   c2f::training_step<cifar100> step(model, recipe);
//   step.queue({batch}, {.t = 0.5, .learning_rate = 0.1});      // returns before a GPU has finished
//   while (auto done = step.next()) use(done->losses);          // results of finished steps, in order
//
// The inputs and decisions of a step are tensors on the device: t, the learning rate and the keys of random choices
// (train/step_staging.hpp), and whether the step is skipped (train/skip_policy.hpp). A CPU runs the same code.
//
// If the recipe has an accelerator with graph capture (recipe.on), a step of full batches is captured once and then replayed: the host
// queues one graph instead of hundreds of operations. Before the capture the step is run a few times on the first batch, so that libraries
// choose their algorithms, and everything that it changed is restored. A smaller last batch is run eagerly and not padded, since padding
// would change the statistics of batch norms. Steps with parts that need the host (fuse::crop, dropout without a kernel) are run eagerly,
// too; why_not_captured() names the part.
//
// If several processes train together (recipe.on), the gradients of a step are those of all batches of all processes, each weighted by its
// samples: they are summed while the backward pass runs. Losses and the decision to skip are those of all processes, too. A batch that was
// not divided by a loader (data::batch::whole) counts as the same one in every process.
//
// Cost: parameters, optimiser state, running statistics and averages are one flat buffer each (train/flat.hpp); a copy of the statistics.
// Up to four steps are queued (train/step_ring.hpp); then next() must be called before queue(). Errors: those of the stack; c2f::not_finite
// from count_skips().
#pragma once

#include <c2f/data/loader.hpp>
#include <c2f/data/resident.hpp>
#include <c2f/execution/communicator.hpp>
#include <c2f/execution/streams.hpp>
#include <c2f/task/model.hpp>
#include <c2f/train/average.hpp>
#include <c2f/train/forward_state.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/skip_policy.hpp>
#include <c2f/train/snapshot.hpp>
#include <c2f/train/step_ring.hpp>
#include <c2f/train/step_staging.hpp>

#include <ATen/ops/cat.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

/// The part of training_step<T> that does not depend on the model, so that it is compiled once.
class any_training_step {
 public:
  any_training_step(any_training_step const&)            = delete;
  any_training_step& operator=(any_training_step const&) = delete;

  [[nodiscard]] c2f::optimizer& optimizer() { return *optimizer_; }
  /// Call it after changing the parameters other than by a step.
  void refresh() { optimizer_->refresh_bf16_copy(); }

  /// From now on batches are assembled on the device by read(ids [N], keys [2], images, truth) (data/resident.hpp); queue() then uses only
  /// the ids of its batches. For recipes with graph capture.
  void read_on_device(data::device_reader read) { staging_.read_on_device(std::move(read)); }

  /// Queues a step of these batches with t, learning rate and iteration of `record`. Not while full(): call next() first.
  void queue(std::vector<data::batch> const& batches, step_record record) {
    with_fused const scope(recipe_.accelerator().table);
    detail::step_slot& slot = ring_.free_slot();
    slot.record             = std::move(record);
    bool const whole        = capturable_ && staging_.are_full(batches);
    staging_.send_numbers(batches, slot);
    last_ = whole ? staging_.fill(batches) : staging_.move(batches);
    if (whole && !graph_) capture(batches, slot);
    if (whole && graph_) {
      graph_->replay();
      slot.calls = captured_calls_;
      for (std::size_t i = 0; i < slot.calls.size(); ++i) detail::forward_state::add(state_.counters()[i].tensor, slot.calls[i]);
    } else {
      run(last_, slot.record, /*capturing=*/false);
      slot.calls = calls_;
    }
    slot.result.copy_(outcome_.result, /*non_blocking=*/true);
    slot.done.record(current_stream(recipe_.device()));
    ring_.push();
  }

  /// Whether no more steps can be queued.
  [[nodiscard]] bool full() const { return ring_.full(); }
  /// Whether steps are queued that next() has not returned.
  [[nodiscard]] bool pending() const { return ring_.pending(); }
  /// The oldest queued step, with its losses and whether it was skipped; nullopt if there is none or, unless `wait`, it is not finished.
  std::optional<step_record> next(bool wait = false) {
    detail::step_slot* const slot = ring_.pop(wait);
    if (slot == nullptr) return {};
    auto const* const found = slot->result.const_data_ptr<double>();
    step_record& record     = slot->record;
    record.losses.clear();
    for (std::size_t i = 0; i < names_.size(); ++i) record.losses.emplace_back(names_[i], found[i]);
    record.skipped      = found[names_.size()] != 0;
    bool const averages = !record.skipped && moving_average::weight(recipe_.ema(), record.iteration) != 0;
    for (std::size_t i = 0; i < state_.counters().size(); ++i) {
      auto const& [counter, averaged] = state_.counters()[i];
      if (record.skipped) detail::forward_state::add(counter, -slot->calls[i]);
      if (!averages) continue;
      std::int64_t calls = detail::forward_state::value(counter);  // includes the pending steps
      ring_.for_each_pending([&](detail::step_slot const& later) { calls -= later.calls[i]; });
      averaged.fill_(calls);
    }
    return record;
  }

  /// Call it with every step that next() returns: updates the number of skipped steps in a row, and throws c2f::not_finite, with the
  /// reason, when that number reaches recipe.stop_after_skips().
  void count_skips(step_record const& step, std::int64_t& in_a_row) {
    in_a_row = step.skipped ? in_a_row + 1 : 0;
    if (in_a_row < recipe_.stop_after_skips()) return;
    // The last queued step is computed again, for its gradients.
    with_fused const scope(recipe_.accelerator().table);
    detail::snapshot const before(state_.tensors(), recipe_.device());
    differentiate(last_, step, /*capturing=*/false, /*reducing=*/false);
    try {
      detail::throw_skipped(step, in_a_row, model_, *optimizer_);
    } catch (...) {
      before.restore();
      throw;
    }
  }

  /// Copies the moving average, if there is one, into the model.
  void leave_average() {
    if (!averaged_) return;
    at::NoGradGuard const no_gradients;
    std::vector<at::Tensor> from;
    for_each_tensor(*averaged_, [&](std::string const&, state_tensor const& each, state_traits const&) { from.push_back(each.tensor()); });
    std::size_t i = 0;
    for_each_tensor(model_, [&](std::string const&, state_tensor const& each, state_traits const&) { each.tensor().copy_(from[i++]); });
  }

  /// Whether steps are captured and replayed.
  [[nodiscard]] bool captured() const { return graph_ != nullptr; }
  /// Why steps are not captured; empty if they are, or if no capture was attempted yet.
  [[nodiscard]] std::string const& why_not_captured() const { return why_; }

 protected:
  using forward = std::function<void(at::Tensor const& images, pass& p)>;

  any_training_step(any_network model, forward run, recipe::settings const& recipe)
      : model_(model),
        forward_(std::move(run)),
        recipe_(recipe),
        stream_(recipe.device()),
        optimizer_(recipe.make_optimizer(model, recipe.bf16())),
        state_(model),
        staging_(recipe),
        ring_(recipe.device()),
        capturable_(staging_.numbers_on_device()) {
    if (recipe.world() == nullptr) return;
    std::vector<at::Tensor> leaves, rare;
    for (auto const& [parameter, low] : optimizer_->leaves()) {
      leaves.push_back(low.defined() ? low : parameter);
      if (low.defined()) rare.push_back(parameter);
    }
    reduction_ = recipe.world()->reduce(std::move(leaves), std::move(rare));
  }
  ~any_training_step() { c2f::optimizer::remove_bf16_copy(model_); }

  /// From now on `averaged`, which is a copy of the model, is updated as its moving average.
  void begin_average(any_network averaged) {
    averaged_.emplace(averaged);
    flat const parameters(averaged, [](state_traits const& each) { return each.trained; });
    flat const statistics(averaged, &detail::forward_state::is_statistic);
    std::vector<std::pair<at::Tensor, at::Tensor>> pairs;
    if (!parameters.empty()) pairs.emplace_back(optimizer_->parameters().numbers(), parameters.numbers());
    if (!statistics.empty()) pairs.emplace_back(state_.statistics().numbers(), statistics.numbers());
    std::vector<std::pair<at::Tensor, bool>> own;  // the model's tensors, and whether they stay on the host
    for_each_tensor(model_, [&](std::string const&, state_tensor const& each, state_traits const& traits) {
      own.emplace_back(each.tensor().detach(), traits.on_host);
    });
    std::size_t i = 0, counter = 0;
    for_each_tensor(averaged, [&](std::string const&, state_tensor const& each, state_traits const&) {
      auto const& [from, stays] = own[i++];
      if (stays)
        state_.counters()[counter++].averaged = each.tensor();
      else if (from.scalar_type() != at::kFloat)  // in no flat buffer
        pairs.emplace_back(from, each.tensor().detach());
    });
    average_ = moving_average(std::move(pairs));
  }

 private:
  // Losses and gradients; reducing: of all processes together.
  void differentiate(std::vector<detail::step_input> const& inputs, step_record const& record, bool capturing, bool reducing) {
    optimizer_->zero_gradients();
    losses_.reset();
    for (detail::step_input const& each : inputs) {
      bool const last = &each == &inputs.back();
      with_norms const norms(each.divided && std::as_const(recipe_).synchronised_norms() ? recipe_.world() : nullptr);
      // A host value would be a constant of the graph, so a captured pass gets NaN and must read t from the device.
      pass p{.mode      = train,
             .truth     = each.truth,
             .t         = capturing ? std::numeric_limits<double>::quiet_NaN() : record.t,
             .seed      = recipe_.seed(),
             .epoch     = each.epoch,
             .ids       = each.ids,
             .now       = capturing ? std::nullopt : std::optional(progress{record.epoch, record.iteration, record.fraction}),
             .device    = staging_.numbers_on_device() ? &each.numbers : nullptr,
             .capturing = capturing};
      auto const here = [&] {
        return "epoch " + std::to_string(record.epoch) + ", step " + std::to_string(record.step) + ", images " +
               detail::text_of(each.images) + ", truth " + detail::text_of(each.truth);
      };
      detail::explained([&] { forward_(each.images, p); }, here);
      at::Tensor const loss = p.loss();
      std::vector<at::Tensor> values;
      names_.clear();
      for (auto const& [name, value] : p.losses) {
        names_.emplace_back(name);
        values.push_back(value.detach().to(at::kDouble).view({1}));
      }
      at::Tensor const sums  = at::cat(values);
      at::Tensor const found = each.fraction == 1 ? sums : sums.mul(each.fraction);
      losses_                = losses_.defined() ? losses_.add(found) : found;
      if (last && reducing && reduction_) begin_reduction();
      detail::explained([&] { (each.fraction == 1 ? loss : loss.mul(each.fraction)).backward(); },
                        [&] { return "backward pass of " + here(); });
    }
    if (reducing && reduction_) finish_reduction();
  }

  // The losses, and the running statistics, of which the mean over the processes is kept.
  void begin_reduction() {
    std::vector<at::Tensor> also{losses_};
    if (!state_.statistics().empty()) also.push_back(state_.statistics().numbers());
    reduction_->begin(std::move(also));
  }
  void finish_reduction() {
    reduction_->finish();
    at::NoGradGuard const no_gradients;
    if (!state_.statistics().empty()) state_.statistics().numbers().div_(recipe_.share().of);
  }

  void run(std::vector<detail::step_input> const& inputs, step_record const& record, bool capturing) {
    state_.save();
    std::vector<std::int64_t> const before = state_.counts();
    try {
      differentiate(inputs, record, capturing, /*reducing=*/true);
    } catch (...) {
      at::NoGradGuard const no_gradients;
      if (!capturing) state_.restore(before);
      throw;
    }
    calls_ = state_.counts();
    for (std::size_t i = 0; i < before.size(); ++i) calls_[i] -= before[i];
    at::NoGradGuard const no_gradients;
    if (!outcome_.result.defined()) {
      outcome_ = detail::empty_outcome(losses_.numel(), staging_.double_options());
      for (auto& each : ring_.slots()) each.result = staging_.on_host(outcome_.result.sizes(), at::kDouble);
    }
    detail::decide_step(optimizer_->gradient_norm(), losses_, recipe_.clip(), outcome_);
    auto const& [skip, scale, result] = outcome_;
    optimizer_->step(staging_.learning_rate(), recipe_.clip() > 0 ? scale : at::Tensor(), skip);
    state_.restore_where(skip);
    if (averaged_) average_.update(staging_.average_weight().mul(skip.eq(0)));
  }

  // Captures the step on its fixed inputs, then restores everything that the runs before the capture changed.
  void capture(std::vector<data::batch> const& batches, detail::step_slot& slot) {
    std::vector<at::Tensor> changing = state_.tensors();
    if (!optimizer_->parameters().empty()) changing.push_back(optimizer_->parameters().numbers());
    optimizer_->for_each_state([&](std::string const&, at::Tensor const& each) { changing.push_back(each); });
    if (averaged_)
      for_each_tensor(*averaged_,
                      [&](std::string const&, state_tensor const& each, state_traits const&) { changing.push_back(each.tensor()); });
    detail::snapshot const before(std::move(changing), recipe_.device());
    try {
      run(staging_.fixed(), slot.record, /*capturing=*/false);  // the pass requests what it reads from the device
      staging_.send_requested(batches, slot);
      capture_result made = warm_up_and_capture(recipe_.accelerator(),
                                                [this, record = slot.record](bool capturing) { run(staging_.fixed(), record, capturing); });
      graph_              = std::move(made.work);
      why_                = std::move(made.why);
      captured_calls_     = calls_;
    } catch (...) {
      before.restore();
      throw;
    }
    capturable_ = graph_ != nullptr;
    before.restore();
    optimizer_->refresh_bf16_copy();
  }

  any_network model_;
  forward forward_;
  recipe::settings recipe_;
  side_stream stream_;
  std::unique_ptr<c2f::optimizer> optimizer_;
  std::unique_ptr<gradient_reduction> reduction_;  // where several processes train together
  detail::forward_state state_;
  std::optional<any_network> averaged_;
  moving_average average_;
  detail::step_staging staging_;
  detail::step_ring ring_;

  at::Tensor losses_;  // of the last step, [L] double
  step_outcome outcome_;
  std::vector<std::string> names_;                    // of the losses
  std::vector<std::int64_t> calls_, captured_calls_;  // increments of the counters of batch norms by the last run, and by a replay
  std::vector<detail::step_input> last_;              // the inputs of the last queued step

  bool capturable_;
  std::string why_;
  std::unique_ptr<captured_graph> graph_;  // declared last, so that it is destroyed before the tensors it uses
};

// For what is no model: diagnostic emitted, follow-on errors suppressed.
template <class T>
class training_step {
 public:
  training_step(detail::model_of<T>&, recipe::settings const&, std::function<void(at::Tensor const&, pass&)> const& = {}) {}
  void queue(std::vector<data::batch> const&, step_record const&) {}
  std::optional<step_record> next(bool = false) { return {}; }
};

/// The training step of a model. T: a model, or the task of a stack.
template <class T>
  requires detail::valid_model<detail::model_of<T>>
class training_step<T> : public any_training_step {
 public:
  using model_type = detail::model_of<T>;

  /// The model must be on the recipe's device, in its memory format (move_to, to_channels_last), and must keep its address.
  training_step(model_type& model, recipe::settings const& recipe)
      : training_step(model, recipe, [&model](at::Tensor const& images, pass& p) { model(images, p); }) {}
  /// With another forward pass: run(images, p) adds its losses to p.
  training_step(model_type& model, recipe::settings const& recipe, forward run)
      : any_training_step(any_network(model), std::move(run), recipe) {
    if (recipe.ema().on()) begin_average(any_network(averaged_.emplace(model)));
  }
  /// The moving average of the model; nullptr without recipe.ema().
  [[nodiscard]] model_type* averaged() { return averaged_ ? &*averaged_ : nullptr; }

 private:
  std::optional<model_type> averaged_;
};
template <class Task, class... Rest>
training_step(stack<Task>&, Rest const&...) -> training_step<Task>;
template <class M, class... Rest>
training_step(M&, Rest const&...) -> training_step<M>;

}  // namespace c2f
