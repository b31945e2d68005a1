// c2f/core/kind.hpp: kinds, that is, what a network predicts.
//
// A kind defines the output shape of its networks, how predictions are scored, and which encoder turns a prediction into a map. The
// smallest is kinds/class_vector.hpp. Three representations are distinguished:
//   raw         a network's output (logits)                                   [N, ...], the shape of output<In>
//   prediction  the conditioning of the fine network, predicted or true       [N, ...], the same shape for both
//   truth       the label in the data (a class index)                         [N, ...]
//
// A kind that nobody supervises has no truth, loss or metrics, and its prediction is the raw output: feature maps between networks.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/errors.hpp>

#include <ATen/core/Tensor.h>

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace c2f {

/// Requires:
///   K::output<In>           the output shape of a network on images In
///   K::truth_value          the element type of a truth
///   K::predict(raw)         the prediction, differentiable
///   K::from_truth(truth)    the truth in the shape of a prediction, without gradient
///   K::default_encoder      the default encoder g of a task
///   K::default_loss         the default loss: `default_loss::of(raw, truth)`, a scalar, the mean over the batch; loss::of_model if a model
///                           adds the losses, which refuses tasks
///   K::score                accumulates an evaluation: samples, add(raw, truth), values()
/// Required by some parts only:
///   K::log_predict(raw)     the logarithm of the prediction, finite where the prediction is rounded to 0 (mixtures)
///   K::distribution         true: predictions are probabilities along dimension 1 (tile, average, gate, logits)
///   K::elementwise          true: a prediction is made of its number in the raw output alone, and has its shape (tile)
///   K::truth_dims<In>       the dimensions of one truth, std::array<std::int64_t, R> (fit checks the data against it)
///   K::weighed_truths       true: truths may also be float [N, classes], how much each class counts
///   K::labels, K::ignore    integer truths are 0 ... labels - 1, or `ignore` (-100 if it is not given); the loader checks them (losses
///                           of labels, fuse::crop)
///   K::agreement(a, b)      how far two raw outputs agree, [N] in [0, 1] (refine::until)
///   K::labels_of(raw)       the most likely truth (c2f::probe)
///   K::correct(raw, truth)  {which answers (images, boxes, pixels) are correct, which have a truth}, two bool tensors (c2f::probe)
///   K::corrupt(truth, rate, pass), K::corrupt_rate    a corrupted truth (source::corrupt)
///   K::with_error_of(other, other_truth, truth)       a truth with the error of another prediction (source::borrow; not for distributions)
///   K::example<In>(n)       n different truths (conformance)
///   K::resized(raw, h, w)   a raw output of another height and width (networks that end in a fraction of the image's size)
///   K::prediction           a type that names the sort of prediction: networks of two kinds with the same one may be coarse and fine
///   K::supervised           false: the kind has output and default_encoder alone
template <class K>
concept output_kind = requires {
  typename K::default_encoder;
  requires !K::supervised;
} || requires(at::Tensor const& tensor, typename K::score& score) {
  typename K::truth_value;
  typename K::default_encoder;
  { K::predict(tensor) } -> std::convertible_to<at::Tensor>;
  { K::from_truth(tensor) } -> std::convertible_to<at::Tensor>;
  { K::default_loss::of(tensor, tensor) } -> std::convertible_to<at::Tensor>;
  score.add(tensor, tensor);
  score.values();
};

namespace loss {
/// For kinds whose losses are added by a model, which chooses what they are computed of (kinds/detections.hpp).
struct of_model {
  static at::Tensor of(at::Tensor const&, at::Tensor const&) {
    throw error("networks of this kind have no loss of their own; the model that has them adds its losses");
  }
};
}  // namespace loss

/// A kind with truths, a loss and metrics.
template <class K>
concept supervised_kind = output_kind<K> && !requires { requires !K::supervised; };
/// A kind whose integer truths are labels, of which `Ignore` is ignored.
template <class K, std::int64_t Ignore>
concept labelled_kind = requires {
  K::labels;
  requires K::ignore == Ignore;
};

namespace detail {
/// Whether a network adds the loss of its output itself (task/training_loss.hpp).
template <class Net>
inline constexpr bool supervises_itself = requires { requires Net::supervises_itself; };

template <class C, class F>
inline constexpr bool same_prediction = std::is_same_v<C, F>;
template <class C, class F>
  requires requires {
    typename C::prediction;
    typename F::prediction;
  }
inline constexpr bool same_prediction<C, F> = std::is_same_v<typename C::prediction, typename F::prediction>;

/// A raw output in the size of x, if the kind can resize it.
template <class Kind, class Raw>
Raw sized_as(Raw const& raw, at::Tensor const& x) {
  if constexpr (requires { Kind::resized(raw, std::int64_t{}, std::int64_t{}); }) {
    if (raw.size(2) != x.size(2) || raw.size(3) != x.size(3)) return Kind::resized(raw, x.size(2), x.size(3));
  }
  return raw;
}
}  // namespace detail

/// A kind whose predictions are probabilities along dimension 1.
template <class K>
concept distribution = output_kind<K> && requires { requires K::distribution; };

/// A kind whose predictions have the shape of its raw outputs.
template <class K>
concept shaped_as_raw = distribution<K> || (output_kind<K> && requires { requires K::elementwise; });

namespace detail {
/// The element type of logarithms: double if x is, else float.
inline at::ScalarType wide(at::Tensor const& x) { return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }
/// Along dimension 1. For a map in channels_last, ATen works on a copy in the other format, unless the classes are the last dimension; with
/// fewer of them than a vector register has numbers, the copy is faster.
inline at::Tensor log_softmax(at::Tensor const& raw) {
  at::Tensor const x = raw.to(wide(raw));
  if (x.dim() == 4 && x.size(1) >= 16 && x.is_contiguous(at::MemoryFormat::ChannelsLast))
    return x.permute({0, 2, 3, 1}).log_softmax(3).permute({0, 3, 1, 2});
  return x.log_softmax(1);
}
/// The logarithm of a prediction; for kinds without log_predict, of at least 1e-12.
template <distribution Kind>
at::Tensor log_prediction(at::Tensor const& raw) {
  if constexpr (requires { Kind::log_predict(raw); })
    return Kind::log_predict(raw);
  else
    return Kind::predict(raw).clamp_min(1e-12).log();
}
}  // namespace detail

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
