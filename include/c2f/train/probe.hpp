// c2f/train/probe.hpp: what the fine network of a stack reads: its scores when it is conditioned on something else than the prediction.
//
//   c2f::probe_report const found = c2f::probe(model, data.test, recipe);
//   found.scores;        // stages "coarse", "prediction", "truth", "argmax", "nothing", "shuffled", "copier", each with the metrics of the kind
//   c2f::probe_curve curve(model, data.test, recipe, 5);           // the same after every fifth epoch of c2f::fit(..., curve)
//   found.fixed;         // of all answers, the fraction that is wrong in the coarse output and right in the fine one; .broken the opposite
//
// The stages after "coarse" are the fine output, conditioned on
//   prediction   the coarse prediction, as at inference
//   truth        the truth: what progressive training begins with (t = 0)
//   argmax       the most likely truth, such as a one-hot vector: the prediction without its doubt (kinds with labels_of)
//   nothing      zeros
//   shuffled     the prediction for another sample: the one before it in the batch, where batches are in random order
// With refine::times<N> the first round is conditioned so, and the output after all rounds is scored.
// "copier" is that other sample's coarse output itself, scored as an answer: what a fine network that copies scores when shuffled. It is chance
// for classes, and more where answers are alike, such as centred objects. It is there if coarse and fine network predict the same kind.
// A fine network that scores near 100 % with the truth and near the copier when shuffled copies its conditioning, and its answer is the coarse
// one. One whose scores are all alike ignores its conditioning. A useful one is in between, and fixes more answers than it breaks.
// docs/evidence.md has examples.
//
// Cost: four passes of the stack for a batch, five for kinds with labels_of. Errors: those of c2f::evaluate; a stack without a fine network,
// or whose coarse network nobody supervises, is a compile error.
#pragma once

#include <c2f/data/loader.hpp>
#include <c2f/task/model.hpp>
#include <c2f/train/check_data.hpp>
#include <c2f/train/deterministic.hpp>
#include <c2f/train/evaluate.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/step_staging.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/roll.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/DeviceGuard.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace c2f {

/// What c2f::probe has found.
struct probe_report {
  std::vector<stage_score> scores{};
  error_metrics errors{};  ///< among their metrics
  /// Fractions of all answers (images, boxes of an IoU of .5 or more, pixels) that have a truth; 0 for kinds without correct().
  double fixed = 0, broken = 0;
  double agreement = 0;  ///< the mean agreement of coarse and fine output; 0 for kinds without agreement()
};

namespace detail {

template <class Task>
consteval bool check_probe() {
  constexpr bool fits = complete<Task>::refine::rounds > 0 && supervised_kind<typename complete<Task>::coarse_kind>;
  static_assert(fits || mismatch<in_task<Task>>,
                "c2f::probe asks what the fine network reads of the coarse prediction, and this task has no fine network or no coarse "
                "prediction; use c2f::evaluate");
  return fits;
}

template <class Task, class Split>
probe_report probe_on(stack<Task> const& model, Split const& samples, recipe::settings const& recipe) {
  using C      = complete<Task>;
  using coarse = typename C::coarse_kind;
  using kind   = typename C::kind;
  at::NoGradGuard const no_gradients;
  c10::DeviceGuard const here(recipe.device());
  with_fused const scope(recipe.accelerator().table);
  stage_metrics<typename kind::score> stages;
  probe_report report;
  double counted = 0, passes = 0;
  // In random order, since neighbours in a split are often alike: slices of one volume, frames of one video, pictures of one class.
  auto const order = data::detail::order_of(samples.size(), /*shuffled=*/true, recipe.seed(), 0);
  data::loader const batches(data::subset(samples, order), {.batch   = recipe.batch(),
                                                            .threads = recipe.threads(),
                                                            .shuffle = false,
                                                            .augment = false,
                                                            .strict  = recipe.strict(),
                                                            .labels  = labels_of_kind<kind>});
  for (auto const& batch : batches.epoch(0)) {
    at::Tensor const images = ready(batch.images, recipe), truth = batch.truth.to(recipe.device());
    auto const fine_for = [&](at::Tensor const& conditioning) {
      pass p{.given = conditioning};
      return model(images, p);
    };
    stages.begin_batch();
    auto const add      = [&](char const* name, outputs const& found) { stages.add(name, found.fine, truth, found); };
    auto const as_truth = [&](at::Tensor const& labels) { return shown_truth<C>(labels, images.scalar_type()); };

    auto const own             = fine_for({});
    at::Tensor const predicted = C::predict::template of<coarse>(own.coarse);
    if constexpr (std::same_as<coarse, kind>) stages.add("coarse", own.coarse, truth, own);
    add("prediction", own);
    add("truth", fine_for(as_truth(truth)));
    if constexpr (requires { coarse::labels_of(own.coarse); }) add("argmax", fine_for(as_truth(coarse::labels_of(own.coarse))));
    add("nothing", fine_for(at::zeros_like(predicted)));
    if (predicted.size(0) > 1) {  // last, as a last batch of one sample has none
      add("shuffled", fine_for(at::roll(predicted, 1, 0)));
      if constexpr (std::same_as<coarse, kind>) stages.add("copier", at::roll(own.coarse, 1, 0), truth, own);
    }

    auto const n = static_cast<double>(images.size(0));
    passes += n;
    if constexpr (std::same_as<coarse, kind> && requires { kind::correct(own.fine, truth); }) {
      auto const [before, counts] = kind::correct(own.coarse, truth);
      at::Tensor const after      = kind::correct(own.fine, truth).first;
      auto const number           = [&](at::Tensor const& which) {
        return static_cast<double>(which.logical_and(counts).sum().template item<std::int64_t>());
      };
      counted += number(counts);
      report.fixed += number(after.logical_and(before.logical_not()));
      report.broken += number(before.logical_and(after.logical_not()));
    }
    if constexpr (std::same_as<coarse, kind> && requires { kind::agreement(own.coarse, own.fine); })
      report.agreement += n * kind::agreement(own.coarse, own.fine).mean().template item<double>();
  }
  if (counted > 0) report.fixed /= counted, report.broken /= counted;
  if (passes > 0) report.agreement /= passes;
  report.scores = stages.scores();
  report.errors = errors_of<typename kind::score>(report.scores);
  return report;
}

}  // namespace detail

/// What the fine network of a stack reads on a split. See the top of this file.
template <class Task, class Split>
[[nodiscard]] probe_report probe(stack<Task> const& model, Split const& samples, recipe::settings const& recipe = {}) {
  if constexpr (!detail::valid_model<stack<Task>>) {
    return {};  // diagnostic emitted; follow-on errors suppressed
  } else if constexpr (!detail::check_data<stack<Task>, Split>() || !detail::check_probe<Task>()) {
    return {};
  } else {
    if (samples.size() < 1)
      throw input_error("the split " + std::string(samples.name()) + ", which is to be probed, has no samples; add some");
    return deterministically(recipe.deterministic(), [&] { return detail::probe_on(model, samples, recipe); });
  }
}

/// An observer of c2f::fit that probes after every `every`-th epoch, and after the last of recipe.epochs(). It keeps references to model and
/// samples. With a moving average it probes the networks that are trained, not their average. A resumed training begins with no points.
template <class Task, class Split>
class probe_curve {
 public:
  probe_curve(stack<Task> const& model, Split const& samples, recipe::settings const& recipe, std::int64_t every = 1)
      : model_(&model), samples_(&samples), recipe_(recipe), every_(every) {
    if (every < 1) throw input_error("c2f::probe_curve was given every " + std::to_string(every) + " epochs; write 1 or more");
  }
  void on_epoch(epoch_record const& epoch) {
    std::int64_t const done = epoch.epoch + 1;
    if (done % every_ == 0 || done == recipe_.epochs()) points.push_back({done, probe(*model_, *samples_, recipe_)});
  }

  struct point {
    std::int64_t epochs;  ///< finished ones
    probe_report found;
  };
  std::vector<point> points{};

 private:
  stack<Task> const* model_;
  Split const* samples_;
  recipe::settings recipe_;
  std::int64_t every_;
};

}  // namespace c2f
