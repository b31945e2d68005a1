// c2f/train/training_scope.hpp: the global settings of a training, which are restored at its end.
//
//   c2f::detail::training_scope const scope(model, recipe);
//
// The model is moved to the recipe's device and memory format and stays there. LibTorch's generators are seeded and, on a GPU with tensors
// of fixed sizes, cuDNN's benchmark mode is turned on; the end of the scope restores both.
#pragma once

#include <c2f/task/model.hpp>
#include <c2f/train/generators.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/state.hpp>

#include <ATen/Context.h>

#include <cstdint>
#include <type_traits>

namespace c2f::detail {

/// Seeds LibTorch's generators for its lifetime.
class seeded_generators {
 public:
  seeded_generators(at::Device device, std::uint64_t seed) : all(device), before_(all.states()) { all.seed(seed); }
  seeded_generators(seeded_generators const&)            = delete;
  seeded_generators& operator=(seeded_generators const&) = delete;
  ~seeded_generators() { all.assign(before_); }

  generators const all;

 private:
  named_tensors before_;
};

/// Whether the sizes of a model's tensors are the same in every pass.
template <class Model>
consteval bool sizes_are_fixed() {
  auto const fixed = []<class Shape>(std::type_identity<Shape>) {
    if constexpr (image_shape<Shape>)
      return Shape::height != dynamic && Shape::width != dynamic;
    else
      return true;
  };
  if constexpr (requires { typename Model::parts::joined; })
    return fixed(std::type_identity<typename Model::input>{}) && fixed(std::type_identity<typename Model::parts::joined>{});
  else
    return fixed(std::type_identity<typename Model::input>{});
}

/// Turns on cuDNN's benchmark mode, which times its algorithms for each size and uses the fastest. Not for deterministic recipes: the
/// choice depends on timing.
class fastest_convolutions {
 public:
  fastest_convolutions(recipe::settings const& recipe, bool sizes_are_fixed) {
    if (sizes_are_fixed && !recipe.device().is_cpu() && !recipe.deterministic()) at::globalContext().setBenchmarkCuDNN(true);
  }
  fastest_convolutions(fastest_convolutions const&)            = delete;
  fastest_convolutions& operator=(fastest_convolutions const&) = delete;
  ~fastest_convolutions() { at::globalContext().setBenchmarkCuDNN(before_); }

 private:
  bool before_ = at::globalContext().benchmarkCuDNN();
};

struct training_scope {
  template <class Model>
  training_scope(Model& model, recipe::settings const& recipe)
      : fastest(recipe, sizes_are_fixed<Model>()), random(recipe.device(), recipe.seed()) {
    move_to(model, recipe.device());
    if (recipe.channels_last()) to_channels_last(model);
  }
  fastest_convolutions const fastest;
  seeded_generators const random;
};

}  // namespace c2f::detail
