// c2f/systems/few_label_training.hpp: data and recipe of models that learn from few labels.
//
//   c2f::systems::deep_co_training<photographs> model({.labelled = 8, .unlabelled = 92}, seed);     // or mean_teacher
//   auto const data = c2f::systems::few_label_data(model, cifar10, 4000, seed);                     // 4,000 labels
//   c2f::fit(model, data, c2f::systems::few_label_recipe(model));
//
// Such a model has `labelled_streams`, how many streams of labelled rows a batch has, `options()` with `labelled` and `unlabelled`, the rows
// of each stream and those without a label, and `rows()`, their sum.
// Errors: input_error as data::few_labels, and of a model for a batch of another number of rows.
#pragma once

#include <c2f/data/few_labels.hpp>
#include <c2f/kinds/class_vector.hpp>
#include <c2f/task/model.hpp>
#include <c2f/train/recipe.hpp>

#include <cstdint>
#include <string>

namespace c2f::systems {

namespace detail {
template <class Kind>
consteval bool check_probabilities() {
  static_assert(
      requires { requires Kind::distribution && vector_shape<typename Kind::template output<image<1, 8, 8>>>; } || mismatch<got<Kind>>,
      "a model that learns from few labels compares class probabilities; use a network of a c2f::class_vector");
  return true;
}
template <class Task>
struct warm_up_of {
  using type = c2f::schedule::gaussian_ramp<80>;
};
template <class Task>
  requires requires { typename Task::schedule; }
struct warm_up_of<Task> {
  using type = typename Task::schedule;
};
inline void check_rows(char const* model, at::Tensor const& images, std::int64_t rows) {
  if (images.size(0) != rows)
    throw input_error("a batch of " + std::to_string(images.size(0)) + " images was given to " + model +
                      ", whose labelled and unlabelled rows are " + std::to_string(rows) +
                      "; train on few_label_data(...) in one process, with batches of rows()");
}
}  // namespace detail

/// `labels` samples of data.train keep their label, chosen by the seed; a validation split and the test split are kept.
template <class Model, data::dataset D>
[[nodiscard]] auto few_label_data(Model const& model, D const& data, std::int64_t labels, std::uint64_t seed) {
  return data::partly_labelled_streams<Model::labelled_streams>(data, labels, seed, model.options().labelled, model.options().unlabelled);
}

/// The settings of deep co-training for CIFAR: 600 epochs, SGD with momentum .9 and weight decay 1e-4, learning rate .1 falling by a half cosine.
template <class Model>
[[nodiscard]] recipe::settings few_label_recipe(Model const& model) {
  return recipe::settings{}.epochs(600).batch(model.rows()).learning_rate(0.1).momentum(0.9).weight_decay(1e-4).decay(decay::cosine{});
}

}  // namespace c2f::systems
