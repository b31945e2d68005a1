// c2f/parts/predict.hpp: what is taken for the coarse network's prediction.
//
//   using predict = c2f::predict::probabilities;   // the kind's own: softmax for class vectors (default)
//   using predict = c2f::predict::logits;          // the raw numbers
//
// Ren et al. 2020 says only that "the classification results" are copied; both readings are offered.
#pragma once

#include <c2f/core/kind.hpp>

namespace c2f::predict {

struct probabilities {
  template <output_kind Kind>
  static at::Tensor of(at::Tensor const& raw) {
    return Kind::predict(raw);
  }
};

/// For kinds whose raw numbers have the shape of a prediction.
struct logits {
  template <distribution Kind>
  static at::Tensor of(at::Tensor const& raw) {
    return raw;
  }
};

}  // namespace c2f::predict
