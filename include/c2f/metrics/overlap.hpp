// c2f/metrics/overlap.hpp: the overlap of two masks, from exact counts: Dice and Jaccard.
//
//   c2f::metrics::overlap score;
//   score.add(prediction.values, target.values);       // for every slice or volume of one case
//   score.dsc();                                       // 2 inter / (pred + truth)
//
// Counts are integers and the quotient is rounded once, so the order of adding does not matter. Two empty masks score 1. (The DSC of a case
// of the NIH pancreas set, as Ren et al. 2020, section 4.3, and RSTN report it.)
//
// Cost: one pass, no allocation. Errors: input_error for masks of different sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <c2f/core/errors.hpp>

namespace c2f::metrics {

/// Counts of the voxels in the intersection, in the prediction and in the truth; every value but 0 is in a mask.
struct overlap {
  std::int64_t inter = 0, pred = 0, truth = 0;

  /// Adds two masks of the same size: any containers with size() and [].
  template <class Prediction, class Truth>
  void add(Prediction const& prediction, Truth const& target) {
    if (prediction.size() != target.size())
      throw input_error("a mask of " + std::to_string(prediction.size()) + " values is compared with one of " +
                        std::to_string(target.size()) + "; compare masks of the same size");
    for (std::size_t i = 0; i < prediction.size(); ++i) {
      bool const p = prediction[i] != 0, t = target[i] != 0;
      inter += p && t, pred += p, truth += t;
    }
  }
  void add(overlap const& other) { inter += other.inter, pred += other.pred, truth += other.truth; }

  /// The Dice-Sorensen coefficient, 0...1.
  [[nodiscard]] double dsc() const { return ratio(2 * inter, pred + truth); }
  /// The Jaccard index (IoU), 0...1.
  [[nodiscard]] double jaccard() const { return ratio(inter, pred + truth - inter); }

 private:
  static double ratio(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? 1.0 : static_cast<double>(part) / static_cast<double>(whole);
  }
};

}  // namespace c2f::metrics
