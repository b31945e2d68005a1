// c2f/train/recipe.hpp: the settings of a training: epochs, batch, learning rate, optimiser, device.
//
//   c2f::fit(model, data, c2f::recipe::cifar{}.epochs(30).seed(7));
//   c2f::fit(model, data, c2f::recipe::settings{}.epochs(10).learning_rate(0.05).warm_up(200).milestone(0.5).milestone(0.75));
//
// Milestones of the learning rate are fractions of the training, so that a shorter run has the same schedule. Other schedules are set by
// .decay(...) (train/learning_rate.hpp).
//
// .multiply(path, {.learning_rate = 10}) and .freeze(path) apply to the parameters below a path: "fine" means "fine" and "fine.fc.weight",
// not "finer.weight". Where several paths fit a parameter, their factors are multiplied. A frozen parameter keeps its bits and has no
// weight decay; its gradient is computed, but counts neither in clip() nor in the check for non-finite gradients. Running statistics of
// frozen norms are still updated; c2f::frozen (layers/frozen.hpp) keeps them constant, computes no gradients of parameters, and is part
// of the task's type.
//
// .ema(0.999) keeps a moving average of the networks' parameters and running statistics. Every evaluation, and so every score and the
// choice of the best checkpoint, uses the average, and fit leaves it in the model when it returns. Integer buffers are copied.
//
// Errors: c2f::input_error for a value out of range; when a training begins, for a path of multiply() or freeze() that no parameter has.
#pragma once

#include <c2f/execution/accelerator.hpp>
#include <c2f/execution/communicator.hpp>
#include <c2f/core/device.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/core/progress.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/adam.hpp>
#include <c2f/train/early_stopping.hpp>
#include <c2f/train/learning_rate.hpp>
#include <c2f/train/sgd.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace c2f::recipe {

/// A moving average of a network's tensors, updated after every `every`-th step: average += (1 - d) * (value - average), where d =
/// min(decay, (1 + k) / (warm_up + k)) in update k = 0, 1, ...; with warm_up = 1, d is `decay` from the first update on. k counts the steps that
/// are multiples of `every`: of one that is skipped the update is left out, and k goes on.
struct ema_options {
  double decay         = 0;  ///< 0: no average
  std::int64_t every   = 1;
  std::int64_t warm_up = 10;
  [[nodiscard]] bool on() const { return decay > 0; }
};

/// The settings, with defaults. Each setter returns the recipe, so that calls chain. A value out of range is a c2f::input_error.
class settings {
 public:
  settings& epochs(std::int64_t n) { return set(epochs_, n, n >= 1, "epochs", "1 or more"); }
  settings& batch(std::int64_t n) { return set(batch_, n, n >= 1, "batch", "1 or more"); }
  settings& learning_rate(double value) { return set(learning_rate_, value, value > 0, "learning_rate", "above 0"); }
  settings& momentum(double value) { return set(sgd_.momentum, value, value >= 0 && value < 1, "momentum", "from 0 to below 1"); }
  settings& nesterov(bool on) { return set(sgd_.nesterov, on, true, "", ""); }
  settings& weight_decay(double value, multiplier_rule rule = &decay_all) {
    sgd_.multipliers = adam_.multipliers = rule;
    adam_.weight_decay                   = value;
    return set(sgd_.weight_decay, value, value >= 0, "weight_decay", "0 or more");
  }
  /// Adam, or AdamW where .decoupled, instead of SGD with momentum. A weight decay other than 0, and a rule, are as in weight_decay(); without
  /// them, those of weight_decay() stay.
  settings& adam(adam_options const& options) {
    auto const fits = [](double beta) { return beta >= 0 && beta < 1; };
    set(adam_.beta1, options.beta1, fits(options.beta1), "beta1", "from 0 to below 1");
    set(adam_.beta2, options.beta2, fits(options.beta2), "beta2", "from 0 to below 1");
    set(adam_.epsilon, options.epsilon, options.epsilon > 0, "epsilon", "above 0");
    adam_.decoupled = options.decoupled;
    uses_adam_      = true;
    if (options.multipliers) sgd_.multipliers = adam_.multipliers = options.multipliers;
    return options.weight_decay != 0 ? weight_decay(options.weight_decay, sgd_.multipliers) : *this;
  }
  /// The learning rate rises linearly over the first `steps` steps.
  settings& warm_up(std::int64_t steps) { return set(warm_up_, steps, steps >= 0, "warm_up", "0 or more"); }
  /// From this fraction of the epochs on, the learning rate is multiplied by `factor`.
  settings& milestone(double fraction, double factor = 0.1) {
    milestones_.push_back({fraction, factor});
    return set(milestones_.back().at, fraction, fraction > 0 && fraction <= 1, "milestone", "above 0 and up to 1");
  }
  /// The fraction of the training before the first milestone; 1 if there is none.
  [[nodiscard]] double first_milestone() const {
    double first = 1;
    for (auto const& each : milestones_) first = std::min(first, each.at);
    return first;
  }
  settings& no_milestones() {
    milestones_.clear();
    return *this;
  }
  /// From the first step on, the learning rate follows this schedule instead of the milestones set before.
  settings& decay(c2f::decay::cosine const& schedule) {
    check_floor("cosine", schedule.floor);
    check(schedule.period, schedule.period >= 1e-4 && schedule.period <= 1, "cosine's period", "from 0.0001 to 1");
    check(schedule.multiplier, schedule.multiplier >= 1 && std::isfinite(schedule.multiplier), "cosine's multiplier", "1 or more");
    return follow({.cosine = schedule});
  }
  settings& decay(c2f::decay::polynomial const& schedule) {
    check_floor("polynomial", schedule.floor);
    check(schedule.power, schedule.power > 0 && std::isfinite(schedule.power), "polynomial's power", "above 0");
    return follow({.polynomial = schedule});
  }
  settings& decay(c2f::decay::plateau const& schedule) {
    check_floor("plateau", schedule.floor);
    check(schedule.factor, schedule.factor > 0 && schedule.factor < 1, "plateau's factor", "above 0 and below 1");
    check(schedule.patience, schedule.patience >= 0, "plateau's patience", "0 or more");
    check(schedule.threshold, schedule.threshold >= 0 && std::isfinite(schedule.threshold), "plateau's threshold", "0 or more");
    return follow({.plateau = schedule});
  }
  /// Ends the training when a score has stopped improving, and keeps the best weights (train/early_stopping.hpp).
  settings& stop_early(c2f::early_stopping const& when) {
    check(when.patience, when.patience >= 1, "early stopping's patience", "1 or more");
    check(when.threshold, when.threshold >= 0 && std::isfinite(when.threshold), "early stopping's threshold", "0 or more");
    early_stopping_ = when;
    return *this;
  }
  [[nodiscard]] std::optional<c2f::early_stopping> const& early_stopping() const { return early_stopping_; }
  /// No progress bar where fit would show one by itself: on a terminal, without an observer.
  settings& quiet(bool on = true) { return set(quiet_, on, true, "", ""); }
  [[nodiscard]] bool quiet() const { return quiet_; }
  /// Multiplies learning rate and weight decay of the parameters below a path, such as "encoder".
  settings& multiply(std::string const& path, parameter_multipliers const& by) {
    auto const fits = [](double value) { return value >= 0 && std::isfinite(value); };
    check(by.learning_rate, fits(by.learning_rate), "multiplier of the learning rate", "0 or more");
    check(by.weight_decay, fits(by.weight_decay), "multiplier of the weight decay", "0 or more");
    parameter_multipliers& all = multipliers_of(path);
    all                        = {all.learning_rate * by.learning_rate, all.weight_decay * by.weight_decay};
    return *this;
  }
  /// The parameters below a path are not updated.
  settings& freeze(std::string const& path) { return multiply(path, {.learning_rate = 0, .weight_decay = 0}); }
  /// Keeps a moving average of the networks (ema_options) and evaluates it.
  settings& ema(double decay, std::int64_t every = 1, std::int64_t warm_up = 10) {
    set(ema_.every, every, every >= 1, "ema's every", "1 or more");
    set(ema_.warm_up, warm_up, warm_up >= 1, "ema's warm_up", "1 or more");
    return set(ema_.decay, decay, decay >= 0 && decay < 1, "ema", "from 0 to below 1");
  }
  /// Clips the gradients to this common norm (torch.nn.utils.clip_grad_norm_); 0: no clipping.
  settings& clip(double norm) { return set(clip_, norm, norm >= 0, "clip", "0 or more"); }
  /// The batches whose gradients are accumulated in a step, each weighted by its samples; the last step of an epoch may have fewer.
  settings& accumulate(std::int64_t batches) { return set(accumulate_, batches, batches >= 1, "accumulate", "1 or more"); }
  /// A step whose loss or gradient is not finite is skipped; this many skipped steps in a row end the training.
  settings& stop_after_skips(std::int64_t n) { return set(stop_after_skips_, n, n >= 1, "stop_after_skips", "1 or more"); }
  /// Every run of the same program on the same kind of machine gives the same bytes. An operation without a deterministic algorithm is an
  /// error (train/deterministic.hpp).
  settings& deterministic(bool on = true) { return set(deterministic_, on, true, "", ""); }
  /// The seed of order, augmentation, source and all other random choices, and of LibTorch's generators.
  settings& seed(std::uint64_t value) { return set(seed_, value, true, "", ""); }
  /// The number of threads that prepare batches; 0: the training thread does it.
  settings& threads(int n) { return set(threads_, n, n >= 0, "threads", "0 or more"); }
  /// A sample that cannot be read stops the training instead of being replaced by another.
  settings& strict(bool on = true) { return set(strict_, on, true, "", ""); }
  settings& augment(bool on) { return set(augment_, on, true, "", ""); }
  /// Images and activations in bfloat16; parameters, statistics and losses stay in float.
  settings& bf16(bool on = true) { return set(bf16_, on, true, "", ""); }
  settings& channels_last(bool on) { return set(channels_last_, on, true, "", ""); }
  settings& device(at::Device where) { return on({.device = where}); }
  /// A device with fused operations and graph capture, such as c2f::cuda::gpu() (c2f/cuda/gpu.hpp). Error: input_error if it is not there.
  settings& on(c2f::accelerator const& accelerator) {
    detail::require_device(accelerator.device);
    accelerator_ = accelerator;
    return *this;
  }

  /// The processes that train together, such as c2f::dist::world (c2f/dist/world.hpp), which must outlive the training. Batches are then those
  /// of all processes together. A world of one process changes nothing.
  settings& on(c2f::communicator& world) {
    world_ = world.size() > 1 ? &world : nullptr;
    return *this;
  }
  /// Norms of c2f compute the statistics of a batch over all processes, so that the training does not depend on their number. Otherwise each
  /// process normalises its share by its own statistics, and the running statistics are the means over the processes.
  settings& synchronised_norms(bool on = true) { return set(synchronised_norms_, on, true, "", ""); }

  [[nodiscard]] std::int64_t epochs() const { return epochs_; }
  [[nodiscard]] std::int64_t batch() const { return batch_; }
  [[nodiscard]] sgd_options const& optimizer() const { return sgd_; }
  /// This recipe's optimiser for a network; low: with a bfloat16 copy of the parameters (train/optimizer.hpp).
  [[nodiscard]] std::unique_ptr<c2f::optimizer> make_optimizer(any_network net, bool low = false) const {
    sgd_options sgd   = sgd_;
    adam_options adam = adam_;
    if (!multipliers_.empty()) sgd.multipliers = adam.multipliers = rule_for(net);
    if (uses_adam_) return std::make_unique<c2f::adam>(net, adam, low);
    return std::make_unique<c2f::sgd>(net, sgd, low);
  }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] int threads() const { return threads_; }
  [[nodiscard]] bool strict() const { return strict_; }
  [[nodiscard]] bool augment() const { return augment_; }
  [[nodiscard]] bool bf16() const { return bf16_; }
  [[nodiscard]] bool channels_last() const { return channels_last_; }
  [[nodiscard]] at::Device device() const { return accelerator_.device; }
  [[nodiscard]] c2f::accelerator const& accelerator() const { return accelerator_; }
  /// The processes of on(world); nullptr for one process.
  [[nodiscard]] c2f::communicator* world() const { return world_; }
  [[nodiscard]] bool synchronised_norms() const { return synchronised_norms_; }
  /// This process's share of the data.
  [[nodiscard]] process_share share() const { return world_ == nullptr ? process_share{} : process_share{world_->rank(), world_->size()}; }
  [[nodiscard]] ema_options const& ema() const { return ema_; }
  [[nodiscard]] double clip() const { return clip_; }
  [[nodiscard]] std::int64_t accumulate() const { return accumulate_; }
  [[nodiscard]] std::int64_t stop_after_skips() const { return stop_after_skips_; }
  [[nodiscard]] bool deterministic() const { return deterministic_; }

  /// All settings that affect the results of one process, except the seed, by the names that checkpoints store (setting_of). The
  /// multiplier rule is a function and not included.
  [[nodiscard]] named_values values() const {
    named_values all{{"epochs", static_cast<double>(epochs_)},
                     {"batch", static_cast<double>(batch_)},
                     {"accumulate", static_cast<double>(accumulate_)},
                     {"rate", learning_rate_},
                     {"warm_up", static_cast<double>(warm_up_)},
                     {"momentum", sgd_.momentum},
                     {"nesterov", sgd_.nesterov},
                     {"weight_decay", sgd_.weight_decay},
                     {"clip", clip_},
                     {"ema", ema_.decay},
                     {"ema's every", static_cast<double>(ema_.every)},
                     {"ema's warm_up", static_cast<double>(ema_.warm_up)},
                     {"augment", augment_},
                     {"bf16", bf16_},
                     {"channels_last", channels_last_}};
    if (uses_adam_)
      for (auto const& [name, value] : named_values{{"adam's beta1", adam_.beta1},
                                                    {"adam's beta2", adam_.beta2},
                                                    {"adam's epsilon", adam_.epsilon},
                                                    {"adam's decoupled", static_cast<double>(adam_.decoupled)}})
        all.emplace_back(name, value);
    for (std::size_t i = 0; i < milestones_.size(); ++i) {
      all.emplace_back("drop_at " + std::to_string(i + 1), milestones_[i].at);
      all.emplace_back("factor of drop_at " + std::to_string(i + 1), milestones_[i].factor);
    }
    if (auto const& cosine = decay_.cosine; cosine) {
      all.emplace_back("cosine's floor", cosine->floor);
      all.emplace_back("cosine's period", cosine->period);
      all.emplace_back("cosine's multiplier", cosine->multiplier);
    } else if (auto const& polynomial = decay_.polynomial; polynomial) {
      all.emplace_back("polynomial's power", polynomial->power);
      all.emplace_back("polynomial's floor", polynomial->floor);
    } else if (auto const& plateau = decay_.plateau; plateau) {
      all.emplace_back("plateau's factor for '" + plateau->score + "'", plateau->factor);
      all.emplace_back("plateau's patience", static_cast<double>(plateau->patience));
      all.emplace_back("plateau's threshold", plateau->threshold);
      all.emplace_back("plateau's floor", plateau->floor);
    }
    if (early_stopping_) {
      all.emplace_back("early stopping's patience for '" + early_stopping_->score + "'", static_cast<double>(early_stopping_->patience));
      all.emplace_back("early stopping's threshold", early_stopping_->threshold);
      if (early_stopping_->lower_is_better) all.emplace_back("early stopping's lower_is_better", *early_stopping_->lower_is_better);
    }
    for (auto const& [path, by] : multipliers_) {
      all.emplace_back("multiplier of the learning rate of '" + path + "'", by.learning_rate);
      all.emplace_back("multiplier of the weight decay of '" + path + "'", by.weight_decay);
    }
    return all;
  }

  /// The learning rate of a step; completed: the epochs before, with their scores, which only decay::plateau reads.
  [[nodiscard]] double learning_rate_at(progress const& now, std::span<epoch_record const> completed = {}) const {
    double learning_rate = learning_rate_;
    for (auto const& each : milestones_)
      if (static_cast<double>(now.epoch) >= each.at * static_cast<double>(epochs_) - 1e-9) learning_rate *= each.factor;
    if (auto const& cosine = decay_.cosine; cosine) {
      learning_rate *= cosine->factor_at(now.fraction);
    } else if (auto const& polynomial = decay_.polynomial; polynomial) {
      learning_rate *= polynomial->factor_at(now.fraction);
    } else if (auto const& plateau = decay_.plateau; plateau) {
      if (std::ssize(completed) < now.epoch)
        throw input_error("the learning rate is reduced by the score '" + plateau->score +
                          "', and this training has no scores after epoch " + std::to_string(completed.size()) +
                          "; train with c2f::fit, or choose another decay");
      learning_rate *= plateau->factor_after(completed);
    }
    return now.iteration < warm_up_ ? learning_rate * static_cast<double>(now.iteration + 1) / static_cast<double>(warm_up_)
                                    : learning_rate;
  }
  /// Whether the learning rate or the end depends on scores; input_error if it depends on one that this epoch does not have.
  [[nodiscard]] bool decides_by_scores() const { return decay_.plateau.has_value() || early_stopping_.has_value(); }
  void check_scores(epoch_record const& epoch) const {
    if (auto const& plateau = decay_.plateau; plateau) (void)plateau->gain_of(epoch);
    if (early_stopping_) (void)early_stopping_->gain_of(epoch);
  }

 private:
  template <class V>
  static void check(V value, bool fits, std::string const& name, char const* range) {
    if (!fits) throw input_error("the recipe's " + name + " is " + std::to_string(value) + "; it must be " + range);
  }
  template <class V>
  settings& set(V& member, V value, bool fits, char const* name, char const* range) {
    check(value, fits, name, range);
    member = value;
    return *this;
  }
  static void check_floor(std::string const& of, double floor) {
    check(floor, floor >= 0 && floor < 1, of + "'s floor", "from 0 to below 1");
  }
  settings& follow(c2f::decay::any schedule) {
    milestones_.clear();
    decay_ = std::move(schedule);
    return *this;
  }

  static bool is_below(std::string_view parameter, std::string_view path) {
    return parameter.starts_with(path) && (parameter.size() == path.size() || parameter[path.size()] == '.');
  }
  /// The multipliers of a path, 1 at first.
  parameter_multipliers& multipliers_of(std::string const& path) {
    auto at = multipliers_.begin();
    while (at != multipliers_.end() && at->first < path) ++at;
    if (at == multipliers_.end() || at->first != path) at = multipliers_.insert(at, {path, {}});
    return at->second;
  }
  /// The multipliers of weight_decay()'s rule, times those of the paths; input_error for a path that no trained parameter has.
  [[nodiscard]] multiplier_rule rule_for(any_network net) const {
    std::vector<std::string> parameters, first;
    for_each_tensor(net, [&](std::string const& path, state_tensor const&, state_traits const& traits) {
      if (!traits.trained) return;
      parameters.push_back(path);
      std::string component = path.substr(0, path.find('.'));
      if (std::find(first.begin(), first.end(), component) == first.end()) first.push_back(std::move(component));
    });
    for (auto const& each : multipliers_) {
      std::string const& path = each.first;
      if (std::any_of(parameters.begin(), parameters.end(), [&](auto const& parameter) { return is_below(parameter, path); })) continue;
      std::string known;
      for (auto const& component : first) known += (known.empty() ? "'" : ", '") + component + "'";
      throw input_error("the recipe multiplies or freezes '" + path + "', and no trained parameter has that path; the paths begin with " +
                        known);
    }
    return [rule = sgd_.multipliers, multipliers = multipliers_](std::string_view parameter, std::span<std::int64_t const> dims) {
      parameter_multipliers found = rule(parameter, dims);
      for (auto const& [path, by] : multipliers)
        if (is_below(parameter, path)) found = {found.learning_rate * by.learning_rate, found.weight_decay * by.weight_decay};
      return found;
    };
  }

  struct scaling {
    double at, factor;  ///< from this fraction of the epochs on, times this
  };
  std::int64_t epochs_ = 10, batch_ = 128, warm_up_ = 0, accumulate_ = 1, stop_after_skips_ = 10;
  double learning_rate_ = 0.1, clip_ = 0;
  ema_options ema_;
  std::vector<scaling> milestones_;
  c2f::decay::any decay_;
  std::optional<c2f::early_stopping> early_stopping_;
  std::vector<std::pair<std::string, parameter_multipliers>> multipliers_;  // by path, in its order
  sgd_options sgd_;
  adam_options adam_;
  std::uint64_t seed_ = 1;
  int threads_        = 1;
  bool strict_ = false, augment_ = true, bf16_ = false, channels_last_ = true, deterministic_ = false, uses_adam_ = false,
       synchronised_norms_ = false, quiet_ = false;
  c2f::accelerator accelerator_;
  c2f::communicator* world_ = nullptr;
};

/// The name of the setter for a value that checkpoints store under another name.
[[nodiscard]] inline std::string setting_of(std::string stored) {
  if (stored == "rate") return "learning_rate";
  if (auto const at = stored.find("drop_at"); at != std::string::npos) stored.replace(at, std::string_view("drop_at").size(), "milestone");
  return stored;
}

/// Ren et al. 2020, section 4.2.1, for CIFAR: 164 epochs, batch 128, learning rate .1, a tenth of it from epochs 81 and 122 on, momentum .9
/// without Nesterov, weight decay 1e-4 on everything; pad-4 crop, flip and normalisation come with the data.
struct cifar : settings {
  cifar() {
    epochs(164).batch(128).learning_rate(0.1).momentum(0.9).weight_decay(1e-4);
    milestone(81.0 / 164).milestone(122.0 / 164);
  }
};

/// Ren et al. 2020, section 4.2.1, for ImageNet: 90 epochs, batch 256, learning rate .1, a tenth of it from epochs 31 and 61 on.
struct imagenet : settings {
  imagenet() {
    epochs(90).batch(256).learning_rate(0.1).momentum(0.9).weight_decay(1e-4);
    milestone(31.0 / 90).milestone(61.0 / 90);
  }
};

}  // namespace c2f::recipe
