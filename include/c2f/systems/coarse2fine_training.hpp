// c2f/systems/coarse2fine_training.hpp: recipes of Coarse2Fine, and its training in three stages: up-sampler, coarse pass, both passes.
//
//   using task = c2f::systems::coarse2fine<c2f::class_vector<100>, c2f::resnet_cifar_features<8>, c2f::image<3, 32, 32>>;
//   c2f::stack<task> both(seed);
//   c2f::checkpoints kept(out / "checkpoints");
//   auto reports = c2f::systems::fit_coarse2fine(both, data, {.coarse = recipe, .joint = recipe}, kept);
//
// "upsampler"  the up-sampler alone, on pairs of a map and the same map enlarged bilinearly, bicubically or to nearest neighbours, with the
//              mean squared error (Eshratifar et al. 2019: 60,000 pairs, 100 epochs). A pair is a function of (seed, id), drawn when it is
//              read. The targets differ, so what is learnt is near their mean. Left out where the encoder has no up-sampler with
//              parameters.
// "coarse"     the first pass alone: backbone, attention, centres and coarse head
// "joint"      everything, from these values; the fine head begins as the coarse one. The published up-sampler "sits between two already
//              pre-trained models"
// Each stage is a call of c2f::fit_stage, so the same call with c2f::checkpoints resumes inside of any stage, bit for bit. The first
// two may be left out.
//
// Costs and errors: those of c2f::fit; a pair of 8x8 and 32x32 pixels takes about 20 us to draw.
#pragma once

#include <c2f/systems/coarse2fine.hpp>
#include <c2f/task/model.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/training_stages.hpp>

#include <ATen/ops/mse_loss.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
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
    [[nodiscard]] std::array<std::pair<char const*, double>, 1> values() const {
      return {{{"mse", sum_ / static_cast<double>(std::max<std::int64_t>(samples, 1))}}};
    }

   private:
    double sum_ = 0;
  };
};

/// How a map is enlarged.
enum class interpolation : std::uint32_t { nearest, bilinear, bicubic };

namespace detail {
/// A line of `size` numbers, each `step` after the one before, enlarged `factor` times: align_corners false, PyTorch's bicubic (a = -.75).
inline void enlarge_line(float const* in, std::int64_t size, std::int64_t step, std::int64_t factor, interpolation how, float* out,
                         std::int64_t out_step) {
  auto const at = [&](std::int64_t i) { return in[std::clamp<std::int64_t>(i, 0, size - 1) * step]; };
  for (std::int64_t o = 0; o < size * factor; ++o) {
    double const middle = (static_cast<double>(o) + .5) / static_cast<double>(factor) - .5;
    auto const first    = static_cast<std::int64_t>(std::floor(middle));
    double const part   = middle - static_cast<double>(first);
    float value         = at(o / factor);
    if (how == interpolation::bilinear) value = static_cast<float>((1 - part) * at(first) + part * at(first + 1));
    if (how == interpolation::bicubic) {
      constexpr double a = -.75;
      auto const near    = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
      auto const far     = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
      value              = static_cast<float>(far(part + 1) * at(first - 1) + near(part) * at(first) + near(1 - part) * at(first + 1) +
                                              far(2 - part) * at(first + 2));
    }
    out[o * out_step] = value;
  }
}
}  // namespace detail

/// A square map of `side`, enlarged `factor` times; `to` has (factor side)^2 numbers.
inline void enlarge(float const* map, std::int64_t side, std::int64_t factor, interpolation how, float* to) {
  std::vector<float> wide(static_cast<std::size_t>(side * side * factor));
  for (std::int64_t y = 0; y < side; ++y) detail::enlarge_line(map + y * side, side, 1, factor, how, wide.data() + y * side * factor, 1);
  for (std::int64_t x = 0; x < side * factor; ++x)
    detail::enlarge_line(wide.data() + x, side, side * factor, factor, how, to + x, side * factor);
}

/// Pairs of a map and the same map enlarged, drawn from (seed, id): one to three bumps of different widths, and a little noise.
template <std::int64_t Side, std::int64_t Factor>
struct enlarged_pairs {
  using image       = c2f::image<1, Side, Side>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 2> truth_dims{Factor * Side, Factor* Side};
  std::int64_t count;
  std::uint64_t seed;

  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "maps to enlarge"; }
  void read(std::int64_t id, random_stream*, float* pixels, float* truth) const {
    random_stream draw{seed, purpose::synthesis, 0, static_cast<std::uint64_t>(id)};
    std::fill(pixels, pixels + Side * Side, 0.0f);
    for (std::uint32_t bumps = 1 + draw.below(3); bumps > 0; --bumps) {
      double const s = Side, x = s * draw.uniform(), y = s * draw.uniform(), width = s * (.05 + .25 * draw.uniform()),
                   height = draw.uniform();
      for (std::int64_t i = 0; i < Side; ++i)
        for (std::int64_t j = 0; j < Side; ++j) {
          double const dx = static_cast<double>(j) + .5 - x, dy = static_cast<double>(i) + .5 - y;
          pixels[i * Side + j] += static_cast<float>(height * std::exp(-(dx * dx + dy * dy) / (2 * width * width)));
        }
    }
    for (std::int64_t i = 0; i < Side * Side; ++i) pixels[i] += static_cast<float>(.05 * draw.uniform());
    enlarge(pixels, Side, Factor, static_cast<interpolation>(draw.below(3)), truth);
  }
};
/// Pairs to train on, and as many others to score as a tenth of them.
template <std::int64_t Side, std::int64_t Factor>
struct enlarged_pair_sets {
  enlarged_pairs<Side, Factor> train, test;
  explicit enlarged_pair_sets(std::int64_t count = 60'000, std::uint64_t seed = 1)
      : train{count, seed}, test{std::max<std::int64_t>(count / 10, 1), seed + 1} {}
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
      if (!trained("upsampler", first, enlarged_pair_sets<8, decltype(first)::factor>(how.pairs, how.upsampler->seed()), *how.upsampler))
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
