// c2f/core/kind.hpp: kinds, that is, what a network predicts.
//
// A kind defines the output shape of its networks, how predictions are scored, and which encoder turns a prediction into a map. The
// smallest is kinds/class_vector.hpp. Three representations are distinguished:
//   raw         a network's output (logits)                                   [N, ...], the shape of output<In>
//   prediction  the conditioning of the fine network, predicted or true       [N, ...], the same shape for both
//   truth       the label in the data (a class index)                         [N, ...]
#pragma once

#include <c2f/core/shapes.hpp>

#include <ATen/core/Tensor.h>

#include <concepts>
#include <cstdint>

namespace c2f {

/// Requires:
///   K::output<In>           the output shape of a network on images In
///   K::truth_value          the element type of a truth
///   K::predict(raw)         the prediction, differentiable
///   K::from_truth(truth)    the truth in the shape of a prediction, without gradient
///   K::default_encoder      the default encoder g of a task
///   K::default_loss         the default loss: `default_loss::of(raw, truth)`, a scalar, the mean over the batch
///   K::score                accumulates an evaluation: samples, add(raw, truth), values()
/// Required by some parts only:
///   K::distribution         true: predictions are probabilities along dimension 1 (tile, average, gate, logits)
///   K::truth_dims<In>       the dimensions of one truth, std::array<std::int64_t, R> (fit checks the data against it)
///   K::agreement(a, b)      how far two raw outputs agree, [N] in [0, 1] (refine::until)
///   K::corrupt(truth, rate, pass), K::corrupt_rate    a corrupted truth (source::corrupt)
///   K::example<In>(n)       n different truths (conformance)
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

/// A loss or a fuse may restrict the kinds it supports: `template <class Kind> static constexpr bool serves`. The default is all kinds.
template <class Part, class Kind>
inline constexpr bool serves_kind = true;
template <class Part, class Kind>
  requires requires { Part::template serves<Kind>; }
inline constexpr bool serves_kind<Part, Kind> = Part::template serves<Kind>;

/// An architecture that declares what it predicts: `using kind = ...` next to `on<In>`.
template <class A>
concept has_kind = output_kind<typename A::kind>;

}  // namespace c2f
