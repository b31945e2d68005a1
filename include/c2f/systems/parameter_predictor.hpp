// c2f/systems/parameter_predictor.hpp: a classifier whose rows are predicted from the activations of a class, alone or coarse to fine.
//
//   namespace pp = c2f::parameter_predictor;
//   struct large_categories { c2f::data::statistic_batches<64> train; c2f::data::table<64> test; };      // data/statistic_batches.hpp
//   large_categories const data{activations, held};
//   pp::model<pp::alone<64, 100>> model(seed);                              // 64 channels, up to 100 classes
//   model.classes(data.train.means());                                      // what it predicts at inference
//   c2f::fit(model, data, pp::recipe_of_paper().batch(data.train.rows()));  // trains φ
//   model.add(support, 80);                                                 // [n, 64]: class 80, from n samples
//   at::Tensor const logits = model(images, c2f::eval).answer;              // [N, 100]; -infinity where there is no class
//
// Qiao, Liu, Shen and Yuille, "Few-shot image recognition by predicting parameters from activations", CVPR 2018. φ maps a statistic of a
// class, its mean activation or one activation, to its row (layers/predicted_rows.hpp). It is trained on the large categories, each given by
// its mean; a few-shot category is given by each of its samples, and adding it trains nothing.
//
// A batch begins with its statistics: in training those of statistic_batches, at inference those of classes() and add(), which the model puts
// before the images. They pass through the whole stack, so a task with a fine network works, too. In `pair` both networks predict their rows,
// the fine one from activations that are fused with the encoding of what the coarse one predicts. This composition is ours.
//
// The statistics of the classes are no parameters: files of weights and checkpoints do not have them, so call classes() and add() again after
// loading one.
//
// Cost: a pass has R more rows, R the number of statistics. Errors: c2f::input_error for statistics of another width, classes out of range,
// inference before classes(), a training batch with an odd number of rows, and a training in several processes.
#pragma once

#include <c2f/data/statistic_batches.hpp>
#include <c2f/kinds/class_vector.hpp>
#include <c2f/layers/predicted_rows.hpp>
#include <c2f/parts/refine.hpp>
#include <c2f/task/model.hpp>
#include <c2f/train/recipe.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include <string>
#include <utility>

namespace c2f::parameter_predictor {

/// The classifier (layers/predicted_rows.hpp) and its kind.
template <class Phi, std::int64_t Classes>
struct network : predicted_rows<Phi, Classes> {
  using kind = class_vector<Classes>;
};

/// The cross-entropy of the second half of a batch, the activations.
struct loss_of_activations : loss::cross_entropy {
  static at::Tensor of(at::Tensor const& logits, at::Tensor const& truth) {
    std::int64_t const half = truth.size(0) / 2;
    return loss::cross_entropy::of(logits.narrow(0, half, half), truth.narrow(0, half, half));
  }
};

/// One classifier.
template <std::int64_t Channels, std::int64_t Classes, class Phi = phi::two_layers>
struct alone {
  static constexpr char const* name = "parameter_predictor";
  using input                       = image<Channels, 1, 1>;
  using network                     = parameter_predictor::network<Phi, Classes>;
  using loss                        = loss_of_activations;
  using refine                      = c2f::refine::no_fine_network;
};
/// Coarse and fine classifier, trained progressively.
template <std::int64_t Channels, std::int64_t Classes, class Phi = phi::two_layers>
struct pair : alone<Channels, Classes, Phi> {
  static constexpr char const* name = "parameter_predictor pair";
  using refine                      = c2f::refine::once;
};

/// A stack of predicted classifiers, as a model; see the top of this file.
template <class Task>
class model : public stack<Task> {
 public:
  static constexpr bool whole_batches = true;
  explicit model(std::uint64_t seed = 0) : stack<Task>(seed) {}

  /// The classes at inference, in place of those before. Several statistics may be of one class.
  void classes(data::statistics const& known) {
    known_ = {};
    add(known.means, known.classes);
  }
  /// More samples [n, C], each of which is a statistic, and the class of each [n].
  void add(at::Tensor const& samples, at::Tensor const& of_class) {
    constexpr std::int64_t most = complete<Task>::kind::classes;
    if (samples.dim() != 2 || samples.size(1) != Task::input::channels || samples.size(0) < 1 || of_class.numel() != samples.size(0) ||
        of_class.min().template item<std::int64_t>() < 0 || of_class.max().template item<std::int64_t>() >= most)
      throw input_error("a parameter predictor was given statistics " + c2f::detail::dims_of(samples) + " of classes " +
                        c2f::detail::dims_of(of_class) + "; give it [R, " + std::to_string(Task::input::channels) +
                        "] and R class numbers from 0 to " + std::to_string(most - 1));
    at::Tensor const more = samples.detach().to(at::kFloat);
    known_                = known_.means.defined() ? data::statistics{at::cat({known_.means, more}), at::cat({known_.classes, of_class})}
                                                   : data::statistics{more, of_class};
  }
  /// A class, or more samples of one.
  void add(at::Tensor const& samples, std::int64_t number) {
    add(samples, at::full({samples.size(0)}, number, at::TensorOptions(at::kLong).device(samples.device())));
  }
  [[nodiscard]] data::statistics const& known() const { return known_; }

  outputs operator()(at::Tensor const& images, mode m) const {
    pass p{.mode = m};
    return (*this)(images, p);
  }
  outputs operator()(at::Tensor const& images, pass& p) const {
    if (p.training()) {
      if (images.size(0) % 2 != 0 || !p.truth.defined() || p.truth.size(0) != images.size(0))
        throw input_error("a parameter predictor trains on as many statistics as activations, but a batch has " +
                          std::to_string(images.size(0)) + " rows; train it on a c2f::data::statistic_batches");
      show(p.truth.narrow(0, 0, images.size(0) / 2), p);
      return stack<Task>::operator()(images, p);
    }
    if (!known_.means.defined())
      throw input_error("a parameter predictor has no classes at inference; give it their statistics with .classes(train.means())");
    if (known_.means.device() != images.device())
      p.requires_host("c2f::parameter_predictor::model, whose statistics are on another device");
    std::int64_t const shown = known_.means.size(0), asked = images.size(0);
    show(known_.classes.to(images.device()), p);
    at::Tensor const statistics = known_.means.to(images.options()).unsqueeze(2).unsqueeze(3);
    outputs found               = stack<Task>::operator()(at::cat({statistics, images}), p);
    auto const of_images        = [&](at::Tensor& each) {
      if (each.defined() && each.dim() > 0 && each.size(0) == shown + asked) each = each.narrow(0, shown, asked);
    };
    for (at::Tensor* each : {&found.coarse, &found.fine, &found.answer}) of_images(*each);
    for (auto& each : found.side) of_images(each.value);
    for (auto& each : p.outputs) of_images(each.value);
    return found;
  }

 private:
  static void show(at::Tensor const& classes, pass& p) {
    p.add_output("coarse.statistics", classes);
    p.add_output("fine.statistics", classes);
  }
  data::statistics known_;
};

/// 300 epochs of 250 batches with p_mean .9, as in the paper. The batch is statistic_batches::rows().
[[nodiscard]] inline recipe::settings recipe_of_paper() {
  return recipe::settings{}.epochs(300).learning_rate(1e-3).momentum(0.9).weight_decay(5e-4).no_milestones();
}
/// 50 epochs, as in the published code for mini-ImageNet, whose p_mean is .3 (data::statistic_options).
[[nodiscard]] inline recipe::settings recipe_of_code() { return recipe_of_paper().epochs(50); }

}  // namespace c2f::parameter_predictor
