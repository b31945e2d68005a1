// c2f/systems/sparse_model.hpp: a model with an L1 loss on the weights of its norms, and the search for the weight of that loss.
//
//   c2f::systems::sparse_model sparse(model, c2f::systems::rejuvenation_options{.target = 0.5});
//   sparse.look();                                                              // finds the channels
//   c2f::fit(sparse, data, recipe);                                             // losses of the model, and "sparsity"
//   double const used = sparse.adapt(1).utilisation;                            // at the end of an epoch
//
// The loss is lambda * sum |weight| over the norms whose channels may be replaced (execution/channel_graph.hpp). lambda and the utilisation at
// the end of the last epoch are buffers, and so part of checkpoints. c2f::systems::fit_rejuvenated (systems/rejuvenation.hpp) trains it.
//
// Cost: one sum over the norms' weights; adapt() reads them on the host. Errors: c2f::error for a training before look().
#pragma once

#include <c2f/task/model.hpp>
#include <c2f/train/channel_surgery.hpp>
#include <c2f/train/recipe.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace c2f::systems {

struct rejuvenation_options {
  c2f::recipe::settings sparse = recipe::settings{}, dense = recipe::settings{};
  double target = 0.5;             ///< a sparse stage ends when r is below
  double budget = 1;               ///< of the widths after a surgery, as a part of the model's cost before the first one
  std::optional<double> lambda{};  ///< fixed; none: searched
  double lambda_step = 5e-5, fall = 0.01;
  std::int64_t times = 1;      ///< how often channels are replaced
  bool from_scratch  = false;  ///< the last stage begins with initial values in the widths that were found (NR-FS)
  bool equal_epochs  = false;  ///< the epochs of sparse stages are taken from those of `dense`, of which one is left at least
  surgery_options surgery{};   ///< its budget, seed and number are set by the training
};
/// The channels of a network at some moment of a training.
struct channel_record {
  std::string stage;
  std::int64_t epoch = 0;              ///< completed ones of the stage
  double lambda = 0, utilisation = 1;  ///< the weight of the loss in that epoch; r at its end
  std::vector<channel_count> norms;
};
namespace detail {
/// A graph that points into its owner: copies have none.
struct own_graph {
  std::unique_ptr<channel_graph> graph{};
  own_graph() = default;
  own_graph(own_graph const&) {}
  own_graph& operator=(own_graph const&) { return graph.reset(), *this; }
};
}  // namespace detail

/// The model of a sparse stage: `Model` with the penalty. A model (task/model.hpp).
template <class Model>
struct sparse_model {
  static constexpr char const* name = Model::name;
  using input                       = typename Model::input;
  using kind                        = typename Model::kind;
  using schedule                    = c2f::detail::schedule_of<Model>;

  Model model;
  buffer<initial::zeros> lambda;
  buffer<initial::ones> utilisation;  ///< r at the end of the last epoch
  C2F_MEMBERS(model, lambda, utilisation);

  sparse_model(Model const& of, rejuvenation_options const& how) : model(of), how_(how) {
    at::TensorOptions const scalar(at::kFloat);
    lambda.assign(at::full({}, how.lambda.value_or(0), scalar)), utilisation.assign(at::ones({}, scalar));
  }
  [[nodiscard]] std::uint64_t fingerprint() const {
    std::uint64_t hash          = 0;
    surgery_options const& then = how_.surgery;  // a stage that is resumed would have been followed by another surgery
    for (double const each :
         {how_.target, how_.budget, how_.lambda_step, how_.fall, how_.lambda.value_or(-1), static_cast<double>(how_.times),
          static_cast<double>(how_.from_scratch), then.dead, static_cast<double>(then.counted), static_cast<double>(then.regrow),
          static_cast<double>(then.compensate), static_cast<double>(then.rescale), static_cast<double>(then.cross), then.weight,
          static_cast<double>(then.multiple)})
      hash = data::detail::hash_after(hash, std::bit_cast<std::uint64_t>(each));
    hash = data::detail::hash_after(hash, then.seed);
    if constexpr (requires { model.fingerprint(); }) hash = data::detail::hash_after(hash, model.fingerprint());
    return hash;
  }
  /// For fit: a sentence if a searched lambda may not bring r below the target in the epochs of the recipe; else an empty text.
  [[nodiscard]] std::string remark(c2f::recipe::settings const& recipe) const {
    double const most = how_.fall > 0 ? std::ceil((1 - how_.target) / how_.fall - 1e-9) : 0;
    if (how_.lambda || static_cast<double>(recipe.epochs()) >= most) return {};
    char text[256];
    std::snprintf(
        text, sizeof text,
        "lambda is searched until the utilisation is below %.2f, which may take %.0f epochs and more, and the sparse stage has %lld; "
        "give it more epochs, or a fixed lambda",
        how_.target, most, static_cast<long long>(recipe.epochs()));
    return text;
  }
  auto operator()(at::Tensor const& images, pass& p) const {
    auto found = model(images, p);
    if (p.training()) {
      std::vector<at::Tensor> weights;
      for (auto const& norm : graph().norms())
        if (norm.free) weights.push_back(norm.weight->tensor());
      p.add("sparsity", lambda.tensor().mul(at::cat(weights).abs().sum()));
    }
    return found;
  }
  /// Looks for the channels. Called before a training, as the pass of a training may not.
  channel_graph const& look() {
    own_.graph.reset(new channel_graph(channels_of(model)));
    return *own_.graph;
  }
  [[nodiscard]] channel_graph const& graph() const {
    if (own_.graph == nullptr) throw error("a sparse_model was trained before its look()");
    return *own_.graph;
  }
  /// At the end of an epoch: measures r and adapts lambda.
  channel_record adapt(std::int64_t epochs) {
    channel_masks const living = graph().living(how_.surgery.dead);
    double const before = utilisation.tensor().item<double>(), now = graph().utilisation(living, how_.surgery.counted);
    at::NoGradGuard const no_gradients;
    channel_record record{{}, epochs, lambda.tensor().item<double>(), now, {}};
    if (!how_.lambda && !(now < before - how_.fall)) lambda.tensor().add_(how_.lambda_step);
    utilisation.tensor().fill_(now);
    for (std::size_t n = 0; n < living.size(); ++n) {
      std::int64_t const all = std::ssize(living[n]), live = std::count(living[n].begin(), living[n].end(), true);
      record.norms.push_back({graph().norms()[n].path, graph().norms()[n].free, all, live, live, all});
    }
    return record;
  }
  [[nodiscard]] bool reached() const { return utilisation.tensor().item<float>() < static_cast<float>(how_.target); }

 private:
  rejuvenation_options how_;
  detail::own_graph own_;
};

}  // namespace c2f::systems
