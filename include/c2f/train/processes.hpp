// c2f/train/processes.hpp: what the processes of a training tell each other, besides gradients.
//
//   c2f::detail::processes const all(recipe);
//   if (all.first()) use("this process writes");
//   bool const stops = all.any(step.training());        // in all processes, if in any
//
// In a training of one process nothing is sent and nothing changes. Only rank 0 has observers that write or restore; its state is copied to
// the others before the first step, so they need no access to its files, and a training may go on with another number of processes.
//
// Errors: input_error if the processes do not agree; those of the communicator.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/packed.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/numbers.hpp>
#include <c2f/data/split_identity.hpp>
#include <c2f/execution/communicator.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/state.hpp>
#include <c2f/version.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace c2f::detail {

class processes {
 public:
  explicit processes(recipe::settings const& recipe) : world_(recipe.world()) {}

  [[nodiscard]] bool several() const { return world_ != nullptr; }
  /// Whether this is rank 0, which writes.
  [[nodiscard]] bool first() const { return world_ == nullptr || world_->rank() == 0; }

  /// Whether a condition holds in any process.
  [[nodiscard]] bool any(bool own) const { return !several() ? own : any_of(world_->gather(own ? "1" : "")); }
  /// The same, and what loaders could not read since the last call, of all processes, is counted in each.
  template <class... Loaders>
  [[nodiscard]] bool any(bool own, Loaders&... loaders) const {
    if (!several()) return own;
    packer to;
    data::replacements const fresh[]{loaders.take_fresh()...};
    bool const says_nothing = std::ranges::all_of(fresh, [](auto const& each) { return each.reasons.empty() && each.total == 0; });
    if (own || !says_nothing) {
      to(own);
      for (auto const& each : fresh) to(each.total, each.reasons);
    }
    bool found                         = false;
    std::vector<std::string> const all = world_->gather(to.bytes());
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      if (all[rank].empty()) continue;
      unpacker from(all[rank]);
      found            = from.get<bool>() || found;
      auto const count = [&](auto& loader) {
        data::replacements theirs;
        from(theirs.total, theirs.reasons);
        if (rank != static_cast<std::size_t>(world_->rank())) loader.count_others(theirs);
      };
      (count(loaders), ...);
    }
    return found;
  }
  [[nodiscard]] std::vector<std::string> gather(std::string const& own) const { return world_->gather(own); }

  /// input_error in all processes if one has another training than rank 0.
  void agree(training_state const& state, recipe::settings const& recipe, std::string_view task, std::int64_t batches) const {
    if (!several()) return;
    std::vector<std::pair<std::string, std::string>> own{{"the task", "'" + std::string(task) + "'"},
                                                         {"the hash of the task's types", std::to_string(state.type)},
                                                         {"c2f's version", std::to_string(C2F_VERSION)},
                                                         {"the seed", std::to_string(state.seed)}};
    for (auto const& [name, value] : state.recipe)
      own.emplace_back("the recipe's " + recipe::setting_of(name), data::detail::text_of(value));
    own.emplace_back("the recipe's stop_after_skips", std::to_string(recipe.stop_after_skips()));
    own.emplace_back("the recipe's strict", std::to_string(recipe.strict()));
    own.emplace_back("the recipe's synchronised_norms", std::to_string(recipe.synchronised_norms()));
    own.emplace_back("the recipe's deterministic", std::to_string(recipe.deterministic()));
    own.emplace_back("the recipe's kind of device", recipe.device().is_cpu() ? "a CPU" : "a GPU");
    for (auto const& [what, of] : {std::pair{"training data", &state.train_data}, std::pair{"data that are scored", &state.scored_data}}) {
      std::string const which = std::string(" of the ") + what;
      own.emplace_back("the number of samples" + which, std::to_string(of->size));
      own.emplace_back("the number of classes" + which, std::to_string(of->classes.size()));
      for (std::size_t k = 0; k < of->classes.size(); ++k)
        own.emplace_back("class " + std::to_string(k) + which, "'" + of->classes[k] + "'");
      own.emplace_back("the hash of the samples" + which, std::to_string(of->samples));
      if (of->settings)
        for (auto const& [name, value] : *of->settings) own.emplace_back("the " + name + which, data::detail::text_of(value));
    }
    own.emplace_back("the number of batches an epoch", std::to_string(batches));
    for (auto const& [path, tensor] : state.model)
      own.emplace_back("the number of elements of '" + path + "'", std::to_string(tensor.numel()));
    packer to;
    to(own);
    std::vector<std::string> const all = world_->gather(to.bytes());
    std::vector<std::pair<std::string, std::string>> first, other;
    unpacker{all.front()}(first);
    for (std::size_t rank = 1; rank < all.size(); ++rank) {
      unpacker{all[rank]}(other);
      for (std::size_t i = 0; i < std::max(first.size(), other.size()); ++i) {
        if (i < first.size() && i < other.size() && first[i] == other[i]) continue;
        std::string const& what = i < first.size() ? first[i].first : other[i].first;
        auto const value = [&](auto const& of) { return i < of.size() && of[i].first == what ? of[i].second : std::string("not given"); };
        throw input_error("the processes of this training do not agree: " + what + " is " + value(first) + " in rank 0 and " +
                          value(other) + " in rank " + std::to_string(rank) +
                          "; start all of them with the same program, options and data");
      }
    }
  }

  /// Copies the state of rank 0, which may be that of a checkpoint, to all processes.
  void share(training_state& state, bool& resumed) const {
    if (!several()) return;
    at::NoGradGuard const no_gradients;
    packer to;
    if (first()) {
      to(resumed, state.now.epoch, state.now.iteration, state.now.fraction, state.step, state.skipped_in_a_row, state.report.skipped);
      put(to, state.epoch);
      to(static_cast<std::uint64_t>(state.report.epochs.size()));
      for (auto const& each : state.report.epochs) put(to, each);
      to(static_cast<std::uint64_t>(state.generators.size()));
      for (auto const& [name, tensor] : state.generators) to(name, bytes_of(tensor));
      for (auto const* seen : {&state.train, &state.test}) to(seen->ids, seen->total, seen->reasons);
    }
    std::string const bytes = std::move(world_->gather(to.bytes()).front());
    if (!first()) {
      unpacker from(bytes);
      from(resumed, state.now.epoch, state.now.iteration, state.now.fraction, state.step, state.skipped_in_a_row, state.report.skipped);
      take(from, state.epoch);
      state.report.epochs.resize(from.get<std::uint64_t>());
      for (auto& each : state.report.epochs) take(from, each);
      state.generators.clear();
      for (auto count = from.get<std::uint64_t>(); count > 0; --count) {
        auto const name = from.get<std::string>();
        state.generators.emplace_back(name, tensor_of(from.get<std::string>()));
      }
      for (auto* seen : {&state.train, &state.test}) from(seen->ids, seen->total, seen->reasons);
    }
    for (auto const* tensors : {&state.model, &state.optimizer_state, &state.averages, &state.best})
      for (auto const& [path, tensor] : *tensors) world_->broadcast(tensor.detach());
  }

 private:
  static bool any_of(std::vector<std::string> const& all) {
    return std::ranges::any_of(all, [](std::string const& each) { return !each.empty(); });
  }
  static std::string bytes_of(at::Tensor const& tensor) {
    at::Tensor const whole = tensor.contiguous();
    return {static_cast<char const*>(whole.const_data_ptr()), whole.nbytes()};
  }
  static at::Tensor tensor_of(std::string const& bytes) {  // the state of a generator
    at::Tensor const made = at::empty({static_cast<std::int64_t>(bytes.size())}, at::TensorOptions(at::kByte));
    std::ranges::copy(bytes, static_cast<char*>(made.mutable_data_ptr()));
    return made;
  }
  static void put(packer& to, epoch_record const& of) {
    to(of.epoch, of.t, of.learning_rate, of.losses, of.skipped, of.train_seconds, of.test_seconds, of.steps_a_second,
       static_cast<std::uint64_t>(of.scores.size()));
    for (auto const& each : of.scores) to(each.stage, each.values);
  }
  static void take(unpacker& from, epoch_record& of) {
    from(of.epoch, of.t, of.learning_rate, of.losses, of.skipped, of.train_seconds, of.test_seconds, of.steps_a_second);
    of.scores.resize(from.get<std::uint64_t>());
    for (auto& each : of.scores) from(each.stage, each.values);
  }

  communicator* world_;
};

}  // namespace c2f::detail
