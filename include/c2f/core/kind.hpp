// c2f/core/kind.hpp: what a network predicts.
//
// A kind says how its networks end, how an answer is scored, and which task encoding carries it into a map. The smallest is
// kinds/class_vector.hpp. Three spaces are told apart:
//   raw         what a network gives (logits)                                 [N, ...], the shape of output<In>
//   prediction  what the fine network is told, whether guessed or true        [N, ...], the same shape for both
//   truth       what the data holds (a class index)                           [N, ...]
#pragma once

#include <c2f/core/shapes.hpp>

#include <ATen/core/Tensor.h>

#include <concepts>
#include <cstdint>

namespace c2f {

/// Requires:
///   K::output<In>           the shape a network on images In must end in
///   K::truth_value          the number type of a truth
///   K::predict(raw)         the prediction, differentiable
///   K::from_truth(truth)    the truth in the shape of a prediction, without gradient
///   K::default_encoder      the encoder g of a task that names none
///   K::default_loss         a loss: `default_loss::of(raw, truth)`, a scalar, the mean over the batch
///   K::score                counts of an evaluation: samples, add(raw, truth), values()
/// What some parts ask besides:
///   K::distribution         true: predictions are probabilities along dimension 1 (tile, average, gate, logits)
///   K::truth_dims<In>       the dimensions of one truth, std::array<std::int64_t, R> (fit compares the data's with it)
///   K::agreement(a, b)      how far two raw answers say the same, [N] from 0 to 1 (refine::until)
///   K::corrupt(truth, rate, pass), K::corrupt_rate    a damaged truth (source::corrupt)
///   K::example<In>(n)       n truths that differ (conformance)
template <class K>
concept output_kind = requires(at::Tensor const& tensor, typename K::score& score) {
  typename K::truth_value;
  typename K::default_encoder;
  { K::predict(tensor) } -> std::convertible_to<at::Tensor>;
  { K::from_truth(tensor) } -> std::convertible_to<at::Tensor>;
  { K::default_loss::of(tensor, tensor) } -> std::convertible_to<at::Tensor>;
  score.add(tensor, tensor);
  score.values();
};

/// A kind whose predictions are probabilities along dimension 1.
template <class K>
concept distribution = output_kind<K> && requires { requires K::distribution; };

/// A loss or a fuse may say which kinds it serves: `template <class Kind> static constexpr bool serves`. Else it serves all.
template <class Part, class Kind>
inline constexpr bool serves_kind = true;
template <class Part, class Kind>
  requires requires { Part::template serves<Kind>; }
inline constexpr bool serves_kind<Part, Kind> = Part::template serves<Kind>;

/// An architecture that knows what it predicts: `using kind = ...` beside `on<In>`.
template <class A>
concept has_kind = output_kind<typename A::kind>;

}  // namespace c2f
