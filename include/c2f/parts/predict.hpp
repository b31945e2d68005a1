// c2f/parts/predict.hpp: how the coarse network's raw output becomes the prediction.
//
//   using predict = c2f::predict::probabilities;   // the kind's own: softmax for class vectors (default)
//   using predict = c2f::predict::logits;          // the raw output, standardised
//
// Ren et al. 2020 states only that "the classification results" are copied, which allows both. A predict may have of_truth(truth), which
// brings truths, in the shape of the kind's prediction, to the scale of its predictions.
// The result has the shape of the kind's prediction. Errors: logits for a kind that is not a distribution is a compile error
// (task/check.hpp).
#pragma once

#include <c2f/core/kind.hpp>

#include <ATen/ops/where.h>

#include <limits>

namespace c2f::detail {
/// A truth as conditioning: in the shape and on the scale of the predictions of a completed task C, with element type `type`.
template <class C>
at::Tensor shown_truth(at::Tensor const& truth, at::ScalarType type) {
  at::Tensor found = C::coarse_kind::from_truth(truth).to(type);
  if constexpr (requires { C::predict::of_truth(found); }) found = C::predict::of_truth(found);
  return found;
}
}  // namespace c2f::detail

namespace c2f::predict {

/// The prediction of the kind.
struct probabilities {
  template <output_kind Kind>
  static at::Tensor of(at::Tensor const& raw) {
    return Kind::predict(raw);
  }
};

/// The raw output, for kinds whose raw output has the shape of a prediction. Logits grow during a training, and truths do not, so both are
/// standardised: for each sample (and pixel) they have mean 0 and deviation 1 over the classes. A class whose logit is -infinity counts as one
/// that is as unlikely as the least likely of the others.
struct logits {
  template <distribution Kind>
  static at::Tensor of(at::Tensor const& raw) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    at::Tensor const excluded = raw.eq(-infinity), least = raw.masked_fill(excluded, infinity).amin(1, /*keepdim=*/true);
    return standardised(at::where(excluded, least, raw));
  }
  static at::Tensor of_truth(at::Tensor const& truth) { return standardised(truth); }

 private:
  static at::Tensor standardised(at::Tensor const& x) {
    at::Tensor const centred = x.sub(x.mean(1, /*keepdim=*/true));
    return centred.mul(centred.square().mean(1, /*keepdim=*/true).add(1e-6).rsqrt());
  }
};

}  // namespace c2f::predict
