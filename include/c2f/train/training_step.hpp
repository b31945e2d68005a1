// c2f/train/training_step.hpp: one step of training: source, encoder, both networks, losses, backward and the update, without a look at the
// host.
//
//   c2f::training_step<cifar100> step(model, recipe);
//   step.queue({batch}, {.t = 0.5, .rate = 0.1});        // returns before a GPU has begun
//   while (auto done = step.next()) use(done->losses);    // what steps found, in their order, when it has arrived
//
// What a step decides, it decides by numbers on the device: t, the learning rate and the keys of random choices lie there, and so does
// whether the step is skipped. A step is skipped where a loss or a gradient is not finite: then parameters, momenta and averages are not
// touched and running statistics are put back, bit for bit. A CPU runs the same lines.
//
// Where the recipe names an accelerator that can record (recipe.on), a step of whole batches is recorded and from then on repeated: the
// host queues one thing instead of hundreds. Before, it is run a few times on the first batch, so that libraries have chosen their
// algorithms, and everything it changed is put back. A smaller last batch is run as it is: padded samples would have a part in the
// statistics of norms. Parts that work on the host (fuse::crop, dropout without a kernel) are run as they are, too, and why() says which it
// was.
//
// Images come from pinned memory through two places on the device, copied while the step before runs; those of a split that is on the
// device are made there.
//
// Cost: parameters, momenta, running statistics and averages lie in a block each (train/flat.hpp); a copy of the statistics. Up to four
// steps are queued before next() waits.
#pragma once

#include <c2f/execution/streams.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/resident.hpp>
#include <c2f/task/stack.hpp>
#include <c2f/train/average.hpp>
#include <c2f/train/generators.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/recipe.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace c2f {

namespace detail {

inline at::Tensor ready(at::Tensor const& images, recipe::settings const& recipe) {
  // First the copy and then the cast: both at once turns the images on the host.
  return images.to(recipe.device(), images.scalar_type(), /*non_blocking=*/true)
      .to(recipe.bf16() ? at::kBFloat16 : at::kFloat)
      .contiguous(recipe.channels_last() ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

/// The path of the first leaf, parameters before buffers, that holds a number that is not finite.
inline std::string first_not_finite(any_network net) {
  for (bool const trained : {true, false}) {
    std::string found;
    for_each_tensor(net, [&](std::string const& path, state_tensor const& each, state_traits const& traits) {
      if (found.empty() && traits.trained == trained && !each.tensor().isfinite().all().item<bool>()) found = path;
    });
    if (!found.empty()) return found;
  }
  return {};
}

/// Copies of tensors, and LibTorch's generators, to be put back.
class snapshot {
 public:
  snapshot(std::vector<at::Tensor> tensors, at::Device device) : tensors_(std::move(tensors)), generators_(device) {
    for (auto const& each : tensors_) before_.push_back(each.detach().clone());
  }
  void restore() const {
    at::NoGradGuard const no_gradients;
    for (std::size_t i = 0; i < tensors_.size(); ++i) tensors_[i].copy_(before_[i]);
    generators_.assign(drawn_before_);
  }

 private:
  std::vector<at::Tensor> tensors_, before_;
  generators generators_;
  named_tensors drawn_before_ = generators_.states();
};

}  // namespace detail

/// A step of a stack of any task, so that it is compiled once; c2f::training_step<Task> is what programs make.
class any_training_step {
 public:
  any_training_step(any_training_step const&)            = delete;
  any_training_step& operator=(any_training_step const&) = delete;

  [[nodiscard]] c2f::optimizer& optimizer() { return *optimizer_; }
  /// After others changed parameters.
  void refresh() { optimizer_->refresh_low(); }

  /// From now on batches are made on the device by read(ids [N], keys [2], images, truth), of the samples whose ids are given; what
  /// queue() is given besides the ids is not looked at. For recipes that record (data/resident.hpp).
  void read_on_device(data::device_reader read) { read_ = std::move(read); }

  /// Queues a step of these batches, at record's t, rate and iteration. Where full(), next() must be called before.
  void queue(std::vector<data::batch> const& batches, step_record record) {
    with_fused const scope(recipe_.accelerator().table);
    slot& place          = ring_[queued_ % slots_];
    place.record         = std::move(record);
    std::int64_t samples = 0;
    for (auto const& each : batches) samples += static_cast<std::int64_t>(each.ids.size());
    bool const whole = capturable_ && static_cast<std::int64_t>(batches.size()) == recipe_.accumulate() &&
                       samples == recipe_.accumulate() * recipe_.batch();
    send_numbers(batches, place);
    if (whole && inputs_.empty()) make_inputs(batches);
    std::vector<input> const now = whole ? fill(batches) : moved(batches, samples);
    last_                        = now;
    if (whole && !work_) prepare(batches, place);
    if (whole && work_) {
      work_->replay();
      place.calls = captured_calls_;
      for (std::size_t i = 0; i < host_counters_.size(); ++i) count(host_counters_[i].tensor, place.calls[i]);
    } else {
      run(now, place.record, false);
      place.calls = calls_;
    }
    ++queued_;
    place.result.copy_(outcome_.result, /*non_blocking=*/true);
    place.done.set(stream());
  }

  /// Whether no more steps can be queued.
  [[nodiscard]] bool full() const { return queued_ - taken_ == slots_; }
  /// Whether steps are under way.
  [[nodiscard]] bool pending() const { return queued_ != taken_; }
  /// The oldest step that was queued, with its losses and whether it was skipped; nothing where there is none or, unless `wait`, it has not
  /// arrived.
  std::optional<step_record> next(bool wait = false) {
    if (!pending()) return {};
    slot& place = ring_[taken_ % slots_];
    if (!wait && !place.done.reached()) return {};
    place.done.wait();
    ++taken_;
    auto const* const found = place.result.const_data_ptr<double>();
    step_record& record     = place.record;
    record.losses.clear();
    for (std::size_t i = 0; i < names_.size(); ++i) record.losses.emplace_back(names_[i], found[i]);
    record.skipped      = found[names_.size()] != 0;
    bool const averages = !record.skipped && moving_average::weight(recipe_.ema(), record.iteration) != 0;
    for (std::size_t i = 0; i < host_counters_.size(); ++i) {
      auto const& [counter, averaged] = host_counters_[i];
      if (record.skipped) count(counter, -place.calls[i]);
      if (!averages) continue;
      std::int64_t calls = value(counter);  // which is ahead by the steps that are under way
      for (std::size_t later = taken_; later != queued_; ++later) calls -= ring_[later % slots_].calls[i];
      averaged.fill_(calls);
    }
    return record;
  }

  /// For every step that next() gives: counts those that were skipped in a row, and throws c2f::not_finite, which says why, where they are
  /// as many as the recipe allows.
  void count_skips(step_record const& step, std::int64_t& in_a_row) {
    in_a_row = step.skipped ? in_a_row + 1 : 0;
    if (in_a_row >= recipe_.stop_after_skips()) stop_at_skipped(step, in_a_row);
  }

  /// Leaves the moving average, where there is one, in the model.
  void leave_average() {
    if (!averaged_) return;
    at::NoGradGuard const no_gradients;
    std::vector<at::Tensor> from;
    for_each_tensor(*averaged_, [&](std::string const&, state_tensor const& each, state_traits const&) { from.push_back(each.tensor()); });
    std::size_t i = 0;
    for_each_tensor(model_, [&](std::string const&, state_tensor const& each, state_traits const&) { each.tensor().copy_(from[i++]); });
  }

  /// Whether steps are recorded and repeated.
  [[nodiscard]] bool captured() const { return work_ != nullptr; }
  /// What keeps them from being recorded; empty where nothing does or it is not known yet.
  [[nodiscard]] std::string const& why() const { return why_; }

 protected:
  using forward = std::function<void(at::Tensor const& images, pass& p)>;

  any_training_step(any_network model, forward run, recipe::settings const& recipe)
      : model_(model),
        forward_(std::move(run)),
        recipe_(recipe),
        stream_(recipe.device()),
        optimizer_(recipe.make_optimizer(model, recipe.bf16())),
        statistics_(model, [](state_traits const& each) { return !each.trained; }) {
    for_each_tensor(model_, [&](std::string const&, state_tensor const& each, state_traits const& traits) {
      if (traits.on_host)
        host_counters_.push_back({each.tensor(), {}});
      else if (each.tensor().scalar_type() != at::kFloat)
        others_.push_back(each.tensor().detach());
    });
    for (auto const& each : others_) others_before_.push_back(each.clone());
    if (!statistics_.empty()) before_ = at::empty_like(statistics_.numbers());
    at::TensorOptions const on(device());
    numbers_ = at::zeros({3}, on.dtype(at::kDouble));
    for (std::size_t i = 0; i < slots_; ++i) ring_.emplace_back(device());
  }
  ~any_training_step() { c2f::optimizer::forget_low(model_); }

  /// From now on `averaged`, a copy of the model, is its moving average.
  void begin_average(any_network averaged) {
    averaged_.emplace(averaged);
    flat const parameters(averaged, [](state_traits const& each) { return each.trained; });
    flat const statistics(averaged, [](state_traits const& each) { return !each.trained; });
    std::vector<std::pair<at::Tensor, at::Tensor>> pairs;
    if (!parameters.empty()) pairs.emplace_back(optimizer_->parameters().numbers(), parameters.numbers());
    if (!statistics.empty()) pairs.emplace_back(statistics_.numbers(), statistics.numbers());
    std::vector<std::pair<at::Tensor, bool>> own;  // the model's leaves, and whether they stay on the host
    for_each_tensor(model_, [&](std::string const&, state_tensor const& each, state_traits const& traits) {
      own.emplace_back(each.tensor().detach(), traits.on_host);
    });
    std::size_t i = 0, counter = 0;
    for_each_tensor(averaged, [&](std::string const&, state_tensor const& each, state_traits const&) {
      auto const& [from, stays] = own[i++];
      if (stays)
        host_counters_[counter++].averaged = each.tensor();
      else if (from.scalar_type() != at::kFloat)  // in no block
        pairs.emplace_back(from, each.tensor().detach());
    });
    average_ = moving_average(std::move(pairs));
  }

 private:
  static constexpr std::size_t slots_ = 4;

  // Says why the step that was queued last was skipped; it is computed once more for that.
  [[noreturn]] void stop_at_skipped(step_record const& at, std::int64_t in_a_row) {
    with_fused const scope(recipe_.accelerator().table);
    detail::snapshot const before(changing_in_forward(), recipe_.device());
    differentiate(last_, at, false);
    std::string what, path = detail::first_not_finite(model_);
    for (auto const& [name, value] : at.losses)
      if (what.empty() && !std::isfinite(value)) what = "the loss '" + name + "'";
    bool const loss = !what.empty();
    if (!loss) {
      std::string const parameter = optimizer_->first_gradient_not_finite();  // on a GPU the last step may be a later one
      what                        = parameter.empty() ? "a gradient" : "the gradient of '" + parameter + "'";
    }
    std::string const remedy = !loss          ? "lower the learning rate or clip the gradient"
                               : path.empty() ? "every parameter is finite, so look at the images and the loss"
                                              : "the first number of the model that is not is in '" + path + "'; lower the learning rate";
    before.restore();
    throw not_finite(what + " is not finite at epoch " + std::to_string(at.epoch) + ", step " + std::to_string(at.step) + " (" +
                     std::to_string(in_a_row) + " skipped in a row); " + remedy);
  }

  /// A batch as the step takes it.
  struct input {
    at::Tensor images, truth;
    device_numbers numbers{};  // where the step has its numbers on the device
    std::vector<std::int64_t> ids{};
    std::uint64_t epoch = 0;
    double share        = 1;  // of the step's samples
  };
  /// A step that is under way.
  struct slot {
    explicit slot(at::Device device) : done(device) {}
    step_record record;
    at::Tensor numbers, draws, keys, result;  // on the host
    std::vector<std::int64_t> calls;          // by which the counters of norms have moved
    event done;
  };
  /// A counter that a training call of a norm increments.
  struct host_counter {
    at::Tensor tensor, averaged;
  };
  /// A place on the device that batches are copied to while the step before runs.
  struct staging_buffer {
    explicit staging_buffer(at::Device device) : arrived(device), free(device) {}
    at::Tensor images, truth;
    event arrived, free;
  };

  [[nodiscard]] at::Device device() const { return recipe_.device(); }
  [[nodiscard]] bool on_gpu() const { return !device().is_cpu(); }
  /// Whether t and random numbers are taken from the device.
  [[nodiscard]] bool accelerated() const { return recipe_.accelerator().capture != nullptr; }
  [[nodiscard]] c10::Stream stream() const { return current_stream(device()); }
  static std::int64_t value(at::Tensor const& counter) { return *counter.const_data_ptr<std::int64_t>(); }
  [[nodiscard]] std::vector<std::int64_t> counts() const {
    std::vector<std::int64_t> all;
    for (auto const& each : host_counters_) all.push_back(value(each.tensor));
    return all;
  }
  static void count(at::Tensor const& counter, std::int64_t calls) { *counter.mutable_data_ptr<std::int64_t>() += calls; }
  [[nodiscard]] at::Tensor requires_host(at::IntArrayRef sizes, at::ScalarType type) const {
    return at::empty(sizes, at::TensorOptions(type).pinned_memory(on_gpu()));
  }

  // ---- numbers that change from step to step ----

  // t, rate and the average's weight; for accelerators also the draws of the source [batches, levels, N] and the keys: seed, epoch, ids.
  void send_numbers(std::vector<data::batch> const& batches, slot& place) {
    if (!place.numbers.defined()) place.numbers = requires_host({3}, at::kDouble);
    double* const number = place.numbers.mutable_data_ptr<double>();
    number[0]            = place.record.t;
    number[1]            = place.record.learning_rate;
    number[2]            = moving_average::weight(recipe_.ema(), place.record.iteration);
    numbers_.copy_(place.numbers, /*non_blocking=*/true);
    if (!accelerated()) return;
    std::int64_t const n = recipe_.batch(), k = recipe_.accumulate();
    if (!keys_.defined()) keys_ = at::zeros({2 + k * n}, at::TensorOptions(device()).dtype(at::kLong));
    if (!draws_.defined() || draws_.size(1) != levels_) draws_ = at::zeros({k, levels_, n}, numbers_.options());
    if (!place.keys.defined()) place.keys = requires_host(keys_.sizes(), at::kLong);
    if (!place.draws.defined() || place.draws.size(1) != levels_) place.draws = requires_host(draws_.sizes(), at::kDouble);
    std::int64_t* const key = place.keys.mutable_data_ptr<std::int64_t>();
    double* const draw      = place.draws.mutable_data_ptr<double>();
    key[0]                  = static_cast<std::int64_t>(recipe_.seed());
    key[1]                  = static_cast<std::int64_t>(batches.front().epoch);
    for (std::size_t i = 0; i < batches.size(); ++i) {
      pass p{.seed = recipe_.seed(), .epoch = batches[i].epoch, .ids = batches[i].ids};
      for (std::size_t j = 0; j < batches[i].ids.size(); ++j) {
        auto const at = static_cast<std::int64_t>(i) * n + static_cast<std::int64_t>(j);
        key[2 + at]   = batches[i].ids[j];
        for (p.level = 0; p.level < levels_; ++p.level)
          draw[(static_cast<std::int64_t>(i) * levels_ + p.level) * n + static_cast<std::int64_t>(j)] =
              p.draws(purpose::source, static_cast<std::int64_t>(j)).uniform();
      }
    }
    keys_.copy_(place.keys, /*non_blocking=*/true);
    draws_.copy_(place.draws, /*non_blocking=*/true);
  }
  [[nodiscard]] device_numbers numbers_of(std::int64_t i, std::int64_t samples) const {
    if (!accelerated()) return {};
    return {numbers_.select(0, 0), draws_.select(0, i).narrow(1, 0, samples), keys_.narrow(0, 0, 2),
            keys_.narrow(0, 2 + i * recipe_.batch(), samples)};
  }

  // ---- images and truths ----

  [[nodiscard]] std::vector<input> moved(std::vector<data::batch> const& batches, std::int64_t samples) const {
    std::vector<input> all;
    for (auto const& each : batches) {
      auto const own = static_cast<std::int64_t>(each.ids.size());
      input& to      = all.emplace_back(input{{},
                                              {},
                                         numbers_of(static_cast<std::int64_t>(all.size()), own),
                                         each.ids,
                                         each.epoch,
                                         own == samples ? 1 : static_cast<double>(own) / static_cast<double>(samples)});
      if (read_) {
        make_places(to, own);
        read_(to.numbers.ids, to.numbers.keys, to.images, to.truth);
      } else {
        to.images = detail::ready(each.images, recipe_);
        to.truth  = each.truth.to(device(), each.truth.scalar_type(), /*non_blocking=*/true);
      }
    }
    return all;
  }
  // Places for samples that are read on the device.
  void make_places(input& to, std::int64_t samples) const {
    data::resident_batch const made(samples, device(), recipe_.bf16() ? at::kBFloat16 : at::kFloat);
    to.images = made.images;
    to.truth  = made.truth;
  }
  // The fixed places of a recorded step.
  void make_inputs(std::vector<data::batch> const& batches) {
    for (auto const& each : batches) {
      input& to = inputs_.emplace_back();
      to.share  = 1 / static_cast<double>(recipe_.accumulate());
      if (read_) {
        make_places(to, recipe_.batch());
      } else {
        to.images = at::empty_like(detail::ready(each.images, recipe_));
        to.truth  = at::empty_like(each.truth, at::TensorOptions(device()));
      }
    }
    if (on_gpu())
      for (std::size_t i = 0; i < 2; ++i) staging_buffers_.emplace_back(device());
  }
  std::vector<input> const& fill(std::vector<data::batch> const& batches) {
    for (std::size_t i = 0; i < batches.size(); ++i) {
      input& to  = inputs_[i];
      to.numbers = numbers_of(static_cast<std::int64_t>(i), recipe_.batch());
      to.ids     = batches[i].ids;
      to.epoch   = batches[i].epoch;
      if (read_) {
        read_(to.numbers.ids, to.numbers.keys, to.images, to.truth);
      } else if (on_gpu() && batches[i].images.is_cpu()) {
        stage(batches[i], to);
      } else {
        to.images.copy_(batches[i].images);
        to.truth.copy_(batches[i].truth);
      }
    }
    return inputs_;
  }
  // To the device in a stream of its own, and from there, in the order of the steps, to its place.
  void stage(data::batch const& batch, input const& to) {
    staging_buffer& place = staging_buffers_[staged_++ % staging_buffers_.size()];
    {
      if (!place.images.defined()) {
        place.images = at::empty_like(batch.images, at::TensorOptions(device()));
        place.truth  = at::empty_like(batch.truth, at::TensorOptions(device()));
        place.free.set(stream());
      }
      c10::Stream const copying = copying_ ? *copying_ : copying_.emplace(pool_stream(device()));
      c10::StreamGuard const there(copying);
      place.free.wait_in(copying);
      place.images.copy_(batch.images, /*non_blocking=*/true);
      place.truth.copy_(batch.truth, /*non_blocking=*/true);
      place.arrived.set(copying);
    }
    place.arrived.wait_in(stream());
    to.images.copy_(place.images);
    to.truth.copy_(place.truth);
    place.free.set(stream());
  }

  // ---- the step itself ----

  // Losses and gradients.
  void differentiate(std::vector<input> const& inputs, step_record const& record, bool captured) {
    optimizer_->zero_gradients();
    losses_.reset();
    for (input const& each : inputs) {
      // In a recorded pass what the host says is said once for all steps, so it says nothing.
      pass p{.mode     = train,
             .truth    = each.truth,
             .t        = captured ? std::numeric_limits<double>::quiet_NaN() : record.t,
             .seed     = recipe_.seed(),
             .epoch    = each.epoch,
             .ids      = each.ids,
             .device   = accelerated() ? &each.numbers : nullptr,
             .capturing = captured};
      forward_(each.images, p);
      std::vector<at::Tensor> values;
      names_.clear();
      for (auto const& [name, value] : p.losses) {
        names_.emplace_back(name);
        values.push_back(value.detach().to(at::kDouble).view({1}));
      }
      at::Tensor const sums  = at::cat(values);
      at::Tensor const found = each.share == 1 ? sums : sums.mul(each.share);
      losses_                = losses_.defined() ? losses_.add(found) : found;
      (each.share == 1 ? p.loss() : p.loss().mul(each.share)).backward();
      if (accelerated()) levels_wanted_ = std::max(levels_wanted_, each.numbers.levels);
    }
  }

  void run(std::vector<input> const& inputs, step_record const& record, bool captured) {
    if (!statistics_.empty()) before_.copy_(statistics_.numbers());
    for (std::size_t i = 0; i < others_.size(); ++i) others_before_[i].copy_(others_[i]);
    std::vector<std::int64_t> const before = counts();
    differentiate(inputs, record, captured);
    calls_ = counts();
    for (std::size_t i = 0; i < before.size(); ++i) calls_[i] -= before[i];
    at::NoGradGuard const no_gradients;
    if (!outcome_.result.defined()) allocate_outcomes();
    auto const& [skip, scale, result] = judge();
    optimizer_->step(numbers_.select(0, 1), recipe_.clip() > 0 ? scale : at::Tensor(), skip);
    if (!statistics_.empty()) statistics_.numbers().copy_(at::where(skip.ne(0), before_, statistics_.numbers()));
    for (std::size_t i = 0; i < others_.size(); ++i) others_[i].copy_(at::where(skip.ne(0), others_before_[i], others_[i]));
    if (averaged_) average_.update(numbers_.select(0, 2).mul(skip.eq(0)));
  }

  void allocate_outcomes() {
    at::TensorOptions const on = numbers_.options();
    outcome_ = {at::zeros({}, on.dtype(at::kFloat)), at::ones({}, on.dtype(at::kFloat)), at::zeros({losses_.numel() + 1}, on)};
    for (auto& each : ring_) each.result = requires_host(outcome_.result.sizes(), at::kDouble);
  }
  // Whether the step is skipped, and what its gradient is multiplied by where it is clipped.
  step_outcome const& judge() {
    at::Tensor const norm = optimizer_->gradient_norm();
    if (!try_fused::decide_step(norm, losses_, recipe_.clip(), outcome_)) {
      outcome_.skip.copy_(at::cat({losses_, norm.view({1})}).isfinite().all().logical_not());
      if (recipe_.clip() > 0) outcome_.scale.copy_(c2f::optimizer::clipping(norm, recipe_.clip()));
      outcome_.result.copy_(at::cat({losses_, outcome_.skip.view({1})}));
    }
    return outcome_;
  }

  // ---- recording ----

  [[nodiscard]] std::vector<at::Tensor> changing_in_forward() const {
    std::vector<at::Tensor> all;
    if (!statistics_.empty()) all.push_back(statistics_.numbers());
    for (auto const& each : host_counters_) all.push_back(each.tensor);
    all.insert(all.end(), others_.begin(), others_.end());
    return all;
  }
  // Records the step on what is in its places, and puts everything back that the runs before have changed.
  void prepare(std::vector<data::batch> const& batches, slot& place) {
    std::vector<at::Tensor> changing = changing_in_forward();
    if (!optimizer_->parameters().empty()) changing.push_back(optimizer_->parameters().numbers());
    optimizer_->for_each_state([&](std::string const&, at::Tensor const& each) { changing.push_back(each); });
    if (averaged_)
      for_each_tensor(*averaged_, [&](std::string const&, state_tensor const& each, state_traits const&) { changing.push_back(each.tensor()); });
    detail::snapshot const before(std::move(changing), recipe_.device());
    try {
      run(inputs_, place.record, /*captured=*/false);  // which says how many levels draw
      if (levels_wanted_ != levels_) {
        levels_ = levels_wanted_;
        send_numbers(batches, place);
        for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i].numbers = numbers_of(static_cast<std::int64_t>(i), recipe_.batch());
      }
      capture_result made =
          warm_up_and_capture(recipe_.accelerator(), [this, record = place.record](bool captured) { run(inputs_, record, captured); });
      work_           = std::move(made.work);
      why_            = std::move(made.why);
      captured_calls_ = calls_;
    } catch (...) {
      before.restore();
      throw;
    }
    capturable_ = work_ != nullptr;
    before.restore();
    optimizer_->refresh_low();
  }

  any_network model_;
  forward forward_;
  recipe::settings recipe_;
  side_stream stream_;
  std::unique_ptr<c2f::optimizer> optimizer_;
  flat statistics_;
  std::vector<host_counter> host_counters_;
  std::vector<std::int64_t> calls_, captured_calls_;  // of norms, in the last run and in a recorded step
  std::optional<any_network> averaged_;
  moving_average average_;
  at::Tensor before_;                               // the statistics before the step
  std::vector<at::Tensor> others_, others_before_;  // leaves that are in no block, of modules of LibTorch
  at::Tensor numbers_, draws_, keys_;               // what changes from step to step, on the device
  at::Tensor losses_;                               // of the last step, [L] double
  step_outcome outcome_;
  std::vector<std::string> names_;  // of the losses
  std::int64_t levels_ = 1, levels_wanted_ = 1;

  std::vector<input> inputs_, last_;  // the places of a recorded step; what the last step was given
  std::vector<staging_buffer> staging_buffers_;
  std::optional<c10::Stream> copying_;
  std::vector<slot> ring_;
  std::size_t queued_ = 0, taken_ = 0, staged_ = 0;

  data::device_reader read_;
  bool capturable_ = accelerated();
  std::string why_;
  std::unique_ptr<captured_graph> work_;  // refers to the rest, so it goes first
};

// Of a wrong task, which has said its sentence; what is asked of it besides is no error of its own.
template <class Task>
class training_step {
 public:
  training_step(stack<Task>&, recipe::settings const&, std::function<void(at::Tensor const&, pass&)> const& = {}) {}
  void queue(std::vector<data::batch> const&, step_record const&) {}
  std::optional<step_record> next(bool = false) { return {}; }
};

template <class Task>
  requires detail::checked<Task>
class training_step<Task> : public any_training_step {
 public:
  /// The model must be where the recipe says, in its layout (move_to, to_channels_last), and must stay where it is.
  training_step(stack<Task>& model, recipe::settings const& recipe)
      : training_step(model, recipe, [&model](at::Tensor const& images, pass& p) { model(images, p); }) {}
  /// With another way from the images of a batch to the losses of p.
  training_step(stack<Task>& model, recipe::settings const& recipe, forward run)
      : any_training_step(any_network(model), std::move(run), recipe) {
    if (recipe.ema().on()) begin_average(any_network(averaged_.emplace(model)));
  }
  /// The moving average of the model; nullptr without recipe.ema.
  [[nodiscard]] stack<Task>* averaged() { return averaged_ ? &*averaged_ : nullptr; }

 private:
  std::optional<stack<Task>> averaged_;
};

}  // namespace c2f
