// c2f/train/evaluate.hpp: the metrics of every stage of a model on a split.
//
//   auto scores = c2f::evaluate(model, data.test, recipe);         // {"coarse", {{"top1", …}, …}}, {"fine", …}
//
// Samples are read in order and without augmentation. The metrics are those of the kind (K::score), fractions 0 ... 1, or errors in their
// own unit where K::score::lower_is_better(metric). The stages of a stack
// are "coarse", "fine", "answer" if the task combines the two outputs, and what networks and parts add to the pass as scored outputs; stages
// of a nested stack begin with "coarse.". Those of another model are its scored outputs, or "answer" if it has none. A score with
// `add(raw, truth, outputs)` gets the outputs of the pass, too. c2f::fit does the same after every epoch; there, passes are captured once for
// the whole training if the accelerator has graph capture, and a split of small pictures is kept in device memory.
//
// If several processes train together (recipe.on), every process calls it, and they divide the batches if the score is mergeable: an
// aggregate of numbers with add(other), or one with add(other), put and take (core/packed.hpp). Otherwise each process scores the whole split. All get the same scores.
//
// Cost: one pass per batch of recipe.batch() samples. Errors: those of the split's read and of the stack; data that do not fit the task are
// a compile error.
#pragma once

#include <c2f/core/packed.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/resident.hpp>
#include <c2f/inference/captured_passes.hpp>
#include <c2f/task/model.hpp>
#include <c2f/train/check_data.hpp>
#include <c2f/train/deterministic.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/processes.hpp>
#include <c2f/train/recipe.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace c2f {

namespace detail {

/// Assembles batches on the device from a split that is resident there (data/resident.hpp); empty if the accelerator has no kernel for it.
/// Kind: of the model; its labels are checked once, since those in device memory are not read again.
template <class Kind, class Split>
data::device_reader reader_on_device([[maybe_unused]] Split const& samples, [[maybe_unused]] recipe::settings const& recipe,
                                     [[maybe_unused]] bool augment) {
  if constexpr (data::can_be_resident<Split>) {
    accelerator const& with = recipe.accelerator();
    if (with.capture != nullptr && with.table != nullptr && with.table->augment_pictures != nullptr && recipe.channels_last()) {
      data::detail::check_labels(samples, labels_of_kind<Kind>);
      return
          [held = data::resident(samples, recipe.device()), augment](auto const& ids, auto const& keys, auto const& images,
                                                                     auto const& truth) { held.batch(ids, keys, images, truth, augment); };
    }
  }
  return {};
}

/// A score that says itself how it is sent: put(packer&) const, take(unpacker&).
template <class Score>
concept packable_score = requires(Score const& from, Score& to, packer& out, unpacker& in) { from.put(out), to.take(in); };
/// A score that processes can divide between them: add(other) adds what was counted of other samples, and it can be sent.
template <class Score>
concept mergeable_score =
    (std::is_trivially_copyable_v<Score> || packable_score<Score>) && requires { static_cast<void (Score::*)(Score const&)>(&Score::add); };

/// The metrics of which lower is better, as their score says.
template <class Score>
error_metrics errors_of([[maybe_unused]] std::vector<stage_score> const& scores) {
  error_metrics all;
  if constexpr (requires { Score::lower_is_better(std::string_view{}); })
    for (auto const& [stage, values] : scores)
      for (auto const& [metric, value] : values)
        if (Score::lower_is_better(metric) && !all.contains(metric)) all.push_back(metric);
  return all;
}

/// The metrics of several stages, batch by batch. The stages of a batch are added in the same order every time; a later batch may have fewer.
template <class Score>
class stage_metrics {
 public:
  void begin_batch() { next_ = 0; }
  /// found: the outputs of the pass, for a score with add(raw, truth, outputs).
  void add(std::string_view stage, at::Tensor const& raw, at::Tensor const& truth, outputs const& found) {
    if (next_ == stages_.size()) stages_.emplace_back(stage, Score{});
    Score& into = stages_[next_++].second;
    if constexpr (requires { into.add(raw, truth, found); })
      into.add(raw, truth, found);
    else
      into.add(raw, truth);
  }
  /// Adds those of another batch, or of several.
  void add(stage_metrics const& other)
    requires mergeable_score<Score>
  {
    for (auto const& [stage, found] : other.stages_) {
      auto const same = std::ranges::find(stages_, stage, [](auto const& each) { return each.first; });
      if (same == stages_.end())
        stages_.emplace_back(stage, found);
      else
        same->second.add(found);
    }
  }
  void put(packer& to) const
    requires mergeable_score<Score>
  {
    to(static_cast<std::uint64_t>(stages_.size()));
    for (auto const& [stage, found] : stages_) {
      to(stage);
      if constexpr (packable_score<Score>)
        found.put(to);
      else
        to(std::string(reinterpret_cast<char const*>(&found), sizeof found));
    }
  }
  void take(unpacker& from)
    requires mergeable_score<Score>
  {
    for (auto count = from.get<std::uint64_t>(); count > 0; --count) {
      Score& found = stages_.emplace_back(from.get<std::string>(), Score{}).second;
      if constexpr (packable_score<Score>) {
        found.take(from);
      } else {
        auto const bytes = from.get<std::string>();
        std::memcpy(static_cast<void*>(&found), bytes.data(), sizeof(Score));
      }
    }
  }
  /// Whether the batch has a stage so far.
  [[nodiscard]] bool any() const { return next_ > 0; }
  [[nodiscard]] std::vector<stage_score> scores() const {
    std::vector<stage_score> all;
    for (auto const& [stage, scored] : stages_) {
      stage_score& into = all.emplace_back(stage_score{stage, {}});
      for (auto const& [name, value] : scored.values()) into.values.emplace_back(name, value);
    }
    return all;
  }

 private:
  std::vector<std::pair<std::string, Score>> stages_;
  std::size_t next_ = 0;  ///< the stage of the batch that is added next
};

/// Evaluates one model on one split, once or many times.
template <class Model, data::split Split>
class evaluator {
 public:
  /// The model must keep its address. often: captures passes and makes the split resident, which costs a few passes once.
  evaluator(Model const& model, Split const& samples, recipe::settings const& recipe, bool often)
      : model_(model),
        recipe_(recipe),
        passes_({recipe.device(), recipe.accelerator().table, often ? recipe.accelerator().capture : nullptr},
                {recipe.bf16(), recipe.channels_last()}),
        read_(often ? reader_on_device<typename Model::kind>(samples, recipe, /*augment=*/false) : nullptr),
        batches_(samples, {.batch   = recipe.batch(),
                           .threads = recipe.threads(),
                           .shuffle = false,
                           .augment = false,
                           .strict  = recipe.strict(),
                           .read    = !read_,
                           .pinned  = !recipe.device().is_cpu(),
                           .share   = divided ? recipe.share() : process_share{},
                           .labels  = labels_of_kind<typename Model::kind>}) {
    if (samples.size() < 1)
      throw input_error("the split " + std::string(samples.name()) + ", which is to be scored, has no samples; add some");
  }

  /// The metrics of each stage; nullopt if stop() returned true. batches: how many are scored.
  template <class Stop>
  [[nodiscard]] std::optional<std::vector<stage_score>> scores(Stop const& stop,
                                                               std::int64_t batches = std::numeric_limits<std::int64_t>::max()) {
    at::NoGradGuard const no_gradients;
    processes const all(recipe_);
    metrics stages;
    std::vector<std::pair<std::int64_t, metrics>> of_batches;  // where several processes divide them
    bool stopped = false;
    for (auto const& batch : batches_.epoch(0)) {
      if (batch.index >= batches || (stopped = stop())) break;
      auto const [images, truth] = on_device(batch);
      outputs const& found       = passes_(model_, images);
      stages.begin_batch();
      for (auto const& each : found.side)
        if (each.scored) stages.add(each.name, each.value, truth, found);
      if (!stages.any()) stages.add("answer", found.answer, truth, found);
      if (divided && all.several()) of_batches.emplace_back(batch.index, std::exchange(stages, {}));
      if (batch.index + recipe_.share().of >= batches) break;
    }
    if (all.any(stopped, batches_)) return {};
    if constexpr (divided)
      if (all.several()) stages = merged(all, of_batches);
    return stages.scores();
  }

  [[nodiscard]] data::loader<Split>& batches() { return batches_; }

 private:
  using metrics                 = stage_metrics<typename Model::kind::score>;
  static constexpr bool divided = mergeable_score<typename Model::kind::score>;

  // Adds the metrics of the batches of all processes in the order of the batches, so that sums do not depend on the number of processes.
  static metrics merged(processes const& all, std::vector<std::pair<std::int64_t, metrics>> const& own)
    requires divided
  {
    packer to;
    for (auto const& [batch, found] : own) {
      to(batch);
      found.put(to);
    }
    std::map<std::int64_t, metrics> of_batches;
    for (auto const& bytes : all.gather(to.bytes()))
      for (unpacker from(bytes); !from.empty();) {
        auto const batch = from.get<std::int64_t>();
        of_batches[batch].take(from);
      }
    metrics whole;
    for (auto const& [batch, found] : of_batches) whole.add(found);
    return whole;
  }

  [[nodiscard]] std::pair<at::Tensor, at::Tensor> on_device(data::batch const& batch) const {
    if (!read_) return {batch.images, batch.truth.to(recipe_.device())};
    with_fused const scope(recipe_.accelerator().table);
    auto const n = static_cast<std::int64_t>(batch.ids.size());
    at::TensorOptions const integers(at::kLong);
    at::Tensor const ids = at::empty({n}, integers), keys = at::zeros({2}, integers.device(recipe_.device()));
    std::ranges::copy(batch.ids, ids.mutable_data_ptr<std::int64_t>());
    data::resident_batch const to(n, recipe_.device(), recipe_.bf16() ? at::kBFloat16 : at::kFloat);
    read_(ids.to(recipe_.device()), keys, to.images, to.truth);
    return {to.images, to.truth};
  }

  Model const& model_;
  recipe::settings recipe_;
  captured_passes<Model> passes_;
  data::device_reader read_;
  data::loader<Split> batches_;
};

}  // namespace detail

/// The metrics of every stage of a model on a split.
template <class Model, class Split>
[[nodiscard]] std::vector<stage_score> evaluate(Model const& model, Split const& samples, recipe::settings const& recipe = {}) {
  if constexpr (!detail::valid_model<Model>) {
    return {};  // diagnostic emitted; follow-on errors suppressed
  } else if constexpr (!detail::check_data<Model, Split>()) {
    return {};
  } else {
    return deterministically(recipe.deterministic(), [&] {
      return *detail::evaluator<Model, Split>(model, samples, recipe, /*often=*/false).scores([] { return false; });
    });
  }
}

}  // namespace c2f
