// c2f/parts/predict.hpp: how the coarse network's raw output becomes the prediction.
//
//   using predict = c2f::predict::probabilities;   // the kind's own: softmax for class vectors (default)
//   using predict = c2f::predict::logits;          // the raw output
//
// Ren et al. 2020 states only that "the classification results" are copied, which allows both.
// The result has the shape of the kind's prediction. Errors: logits for a kind that is not a distribution is a compile error
// (task/check.hpp).
#pragma once

#include <c2f/core/kind.hpp>

namespace c2f::predict {

/// The prediction of the kind.
struct probabilities {
  template <output_kind Kind>
  static at::Tensor of(at::Tensor const& raw) {
    return Kind::predict(raw);
  }
};

/// The raw output, for kinds whose raw output has the shape of a prediction.
struct logits {
  template <distribution Kind>
  static at::Tensor of(at::Tensor const& raw) {
    return raw;
  }
};

}  // namespace c2f::predict
