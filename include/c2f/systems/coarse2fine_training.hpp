// c2f/systems/coarse2fine_training.hpp: recipes of Coarse2Fine, and its training in three stages: up-sampler, coarse pass, both passes.
//
//   using task = c2f::systems::coarse2fine<c2f::class_vector<100>, c2f::resnet_cifar_features<8>, c2f::image<3, 32, 32>>;
//   c2f::stack<task> both(seed);
//   c2f::checkpoints kept(out / "checkpoints");
//   auto reports = c2f::systems::fit_coarse2fine(both, data, {.coarse = recipe, .joint = recipe}, kept);
//
// "upsampler"  the up-sampler alone, on pairs of a map and the same map enlarged bilinearly, bicubically or to nearest neighbours, with the
//              mean squared error (Eshratifar et al. 2019: 60,000 pairs, 100 epochs; data/synthetic/enlarged_maps.hpp). The targets
//              differ, so what is learnt is near their mean. Left out where the encoder has no up-sampler with parameters.
// "coarse"     the first pass alone: backbone, attention, centres and coarse head
// "joint"      everything, from these values; the fine head begins as the coarse one. The published up-sampler "sits between two already
//              pre-trained models"
// Each stage is a call of c2f::fit_stage, so the same call with c2f::checkpoints resumes inside of any stage, bit for bit. The first
// two may be left out.
//
// Costs and errors: those of c2f::fit; input_error if the recipes are on different devices or processes, also where one is the default.
#pragma once

#include <c2f/data/synthetic/enlarged_maps.hpp>
#include <c2f/systems/coarse2fine.hpp>
#include <c2f/task/model.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/training_stages.hpp>

#include <ATen/ops/mse_loss.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace c2f::systems {

/// The kind of an up-sampler: a map of Factor times the size of the input. Truth: float [Factor H, Factor W]. Metric: `mse`.
template <std::int64_t Factor>
struct enlarged_map {
  static constexpr char const* name = "enlarged_map";
  struct squared {
    static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) { return at::mse_loss(raw.to(at::kFloat), truth.unsqueeze(1)); }
  };
  template <image_shape In>
  using output      = image<1, In::height == dynamic ? dynamic : Factor * In::height, In::width == dynamic ? dynamic : Factor * In::width>;
  using truth_value = float;
  using default_encoder = encode::none;
  using default_loss    = squared;
  template <image_shape In>
  static constexpr std::array<std::int64_t, 2> truth_dims{Factor * In::height, Factor* In::width};
  static at::Tensor predict(at::Tensor const& raw) { return raw; }
  static at::Tensor from_truth(at::Tensor const& truth) { return truth.unsqueeze(1); }
  struct score {
    std::int64_t samples = 0;
    void add(at::Tensor const& raw, at::Tensor const& truth) {
      sum_ += squared::of(raw, truth).template item<double>() * static_cast<double>(truth.size(0));
      samples += truth.size(0);
    }
    static bool lower_is_better(std::string_view) { return true; }
    [[nodiscard]] std::array<std::pair<char const*, double>, 1> values() const {
      return {{{"mse", sum_ / static_cast<double>(std::max<std::int64_t>(samples, 1))}}};
    }

   private:
    double sum_ = 0;
  };
};

/// An up-sampler as a model, trained on pairs of Side x Side.
template <class Up, std::int64_t Side = 8>
struct upsampler_model {
  static constexpr char const* name    = "upsampler";
  using input                          = image<1, Side, Side>;
  static constexpr std::int64_t factor = network_on<Up, input>::output::height / Side;
  using kind                           = enlarged_map<factor>;
  network_on<Up, image<1, dynamic, dynamic>> up;
  C2F_MEMBERS(up);
  explicit upsampler_model(std::uint64_t seed = 0) { initialize(*this, seed); }
  at::Tensor operator()(at::Tensor const& x, pass& p) const {
    at::Tensor const raw = up(x, p.mode);
    if (p.training()) p.add("loss", kind::default_loss::of(raw, p.truth));
    return raw;
  }
};

/// The published training: 200 epochs of batches of 64, momentum .9, weight decay 1e-5. The learning rate is not published; 1e-3, times .9
/// every second epoch, is that of WS-DAN's code, from weights of ImageNet.
struct coarse2fine_recipe : recipe::settings {
  coarse2fine_recipe() {
    epochs(200).batch(64).learning_rate(1e-3).momentum(0.9).weight_decay(1e-5);
    for (int epoch = 2; epoch < 200; epoch += 2) milestone(epoch / 200.0, 0.9);
  }
};
/// A training of a small network from random weights: learning rate .05, which falls as a cosine. It needs a `Scale` of 10: the step of a
/// linear layer's output is proportional to the square of the features' length.
struct coarse2fine_scratch_recipe : recipe::settings {
  coarse2fine_scratch_recipe() { batch(64).learning_rate(0.05).momentum(0.9).weight_decay(5e-4).decay(c2f::decay::cosine{}); }
};

/// The published 100 epochs; learning rate and batch are not published.
struct upsampler_recipe : recipe::settings {
  upsampler_recipe() { epochs(100).batch(100).learning_rate(0.2).momentum(0.9).weight_decay(0).decay(c2f::decay::cosine{}); }
};

/// The recipes of the three stages; of the first two either may be left out.
struct coarse2fine_stages {
  std::optional<recipe::settings> upsampler = upsampler_recipe{};
  std::optional<recipe::settings> coarse    = coarse2fine_recipe{};
  recipe::settings joint                    = coarse2fine_recipe{};
  std::int64_t pairs                        = 60'000;  ///< of the up-sampler
};

/// A task with two passes.
template <class Task>
concept two_passes = stack<Task>::has_fine;

/// Trains a stack of coarse2fine, or of one of its ablations with two passes, in stages, and returns their reports up to one that was
/// stopped.
template <two_passes Task, class Data, observer... Observers>
std::vector<training_report> fit_coarse2fine(stack<Task>& model, Data const& data, coarse2fine_stages const& how,
                                             Observers&&... observers) {
  for (auto const* stage : {how.upsampler ? &*how.upsampler : nullptr, how.coarse ? &*how.coarse : nullptr})
    if (stage != nullptr && (stage->world() != how.joint.world() || stage->device() != how.joint.device()))
      throw input_error(
          "the stages of Coarse2Fine are on different devices or processes; write the recipes of all with the same on(), or leave a stage "
          "out "
          "with std::nullopt");
  std::vector<training_report> reports;
  auto const trained = [&](std::string const& name, auto& stage, auto const& seen, recipe::settings const& recipe) {
    reports.push_back(fit_stage(name, stage, seen, recipe, observers...));
    return !reports.back().stopped;
  };
  // The up-sampler of the encoder, also where the encoder is the sum of a mask and another map.
  auto& masks = [&]() -> auto& {
    if constexpr (requires { model.encoder.first.up; })
      return model.encoder.first;
    else
      return model.encoder;
  }();
  if constexpr (requires { requires parameter_count<decltype(masks.up)> > 0; }) {
    if (how.upsampler) {
      upsampler_model<typename Task::up> first(how.upsampler->seed());
      if (!trained("upsampler", first, data::enlarged_maps<8, decltype(first)::factor>(how.pairs, how.upsampler->seed()), *how.upsampler))
        return reports;
      masks.up = first.up;
    }
  }
  if (how.coarse) {
    stack<coarse2fine_coarse<Task>> first;
    first.share = model.share, first.coarse = model.coarse;
    if (!trained("coarse", first, data, *how.coarse)) return reports;
    model.share = first.share, model.coarse = first.coarse, model.fine = first.coarse;
  }
  trained("joint", model, data, how.joint);
  return reports;
}

}  // namespace c2f::systems
