// c2f/metrics/confusion.hpp: which classes are taken for which: confusion matrix, precision, recall, F1, IoU; and the area under a ROC curve.
//
//   c2f::metrics::confusion matrix(3);
//   matrix.add(2, 1);                                              // a sample of class 2 that was taken for class 1
//   matrix.accuracy(), matrix.recall(2), matrix.macro_f1();        // 0, 0, 0
//   double const area = c2f::metrics::roc_area(scores, {false, true, true});      // of one class against the others
//
// With c(t, p) the samples of class t that were taken for p: recall(k) = c(k, k) / sum over p of c(k, p), precision(k) = c(k, k) / sum over t of
// c(t, k), F1 their harmonic mean, IoU(k) = c(k, k) / (both sums - c(k, k)). A class that is in neither truths nor predictions has none of them
// (NaN), and means over classes leave it out; one with truths and no prediction has precision 0.
//
// The area under the ROC curve is the probability that a positive sample has a higher score than a negative one, ties counting half (Hanley
// and McNeil, Radiology 1982); NaN without both. Cost: a sort.
// Errors: input_error for a class that the matrix does not have, for a matrix of other classes, for scores and labels of different numbers, and
// for a score that is not a number.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <c2f/core/errors.hpp>

namespace c2f::metrics {

/// Counts of (true class, predicted class).
class confusion {
 public:
  explicit confusion(std::int64_t classes) : classes_(classes), counts_(static_cast<std::size_t>(classes * classes)) {}

  void add(std::int64_t truth, std::int64_t predicted, std::int64_t count = 1) {
    for (std::int64_t const each : {truth, predicted})
      if (each < 0 || each >= classes_)
        throw input_error("a confusion matrix of " + std::to_string(classes_) + " classes has no class " + std::to_string(each) +
                          "; make it with as many classes as there are");
    counts_[index(truth, predicted)] += count;
  }
  /// Adds another matrix of as many classes.
  void add(confusion const& other) {
    if (other.classes_ != classes_)
      throw input_error("a confusion matrix of " + std::to_string(other.classes_) + " classes is added to one of " +
                        std::to_string(classes_) + "; add matrices of the same classes");
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  }
  [[nodiscard]] std::int64_t classes() const { return classes_; }
  [[nodiscard]] std::int64_t count(std::int64_t truth, std::int64_t predicted) const { return counts_[index(truth, predicted)]; }
  /// The samples of a true class, and those taken for a class.
  [[nodiscard]] std::int64_t of_class(std::int64_t truth) const {
    return sum([&](std::int64_t k) { return count(truth, k); });
  }
  [[nodiscard]] std::int64_t taken_for(std::int64_t predicted) const {
    return sum([&](std::int64_t k) { return count(k, predicted); });
  }
  [[nodiscard]] std::int64_t total() const { return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0}); }

  [[nodiscard]] double accuracy() const {
    return ratio(sum([&](std::int64_t k) { return count(k, k); }), total());
  }
  [[nodiscard]] double recall(std::int64_t k) const { return ratio(count(k, k), of_class(k)); }
  [[nodiscard]] double precision(std::int64_t k) const {
    return taken_for(k) == 0 && of_class(k) > 0 ? 0 : ratio(count(k, k), taken_for(k));
  }
  [[nodiscard]] double f1(std::int64_t k) const { return ratio(2 * count(k, k), of_class(k) + taken_for(k)); }
  [[nodiscard]] double iou(std::int64_t k) const { return ratio(count(k, k), of_class(k) + taken_for(k) - count(k, k)); }
  [[nodiscard]] double macro_f1() const {
    return mean([&](std::int64_t k) { return f1(k); });
  }
  [[nodiscard]] double macro_recall() const {
    return mean([&](std::int64_t k) { return recall(k); });
  }
  [[nodiscard]] double mean_iou() const {
    return mean([&](std::int64_t k) { return iou(k); });
  }

 private:
  [[nodiscard]] std::size_t index(std::int64_t truth, std::int64_t predicted) const {
    return static_cast<std::size_t>(truth * classes_ + predicted);
  }
  template <class Of>
  [[nodiscard]] std::int64_t sum(Of const& of) const {
    std::int64_t all = 0;
    for (std::int64_t k = 0; k < classes_; ++k) all += of(k);
    return all;
  }
  template <class Of>
  [[nodiscard]] double mean(Of const& of) const {
    double all = 0, number = 0;
    for (std::int64_t k = 0; k < classes_; ++k)
      if (double const value = of(k); !std::isnan(value)) all += value, ++number;
    return number > 0 ? all / number : std::numeric_limits<double>::quiet_NaN();
  }
  static double ratio(std::int64_t part, std::int64_t whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : std::numeric_limits<double>::quiet_NaN();
  }

  std::int64_t classes_;
  std::vector<std::int64_t> counts_;
};

/// The area under the ROC curve of scores; positive[i]: whether sample i is of the class.
[[nodiscard]] inline double roc_area(std::span<double const> scores, std::vector<bool> const& positive) {
  if (scores.size() != positive.size())
    throw input_error("a ROC curve of " + std::to_string(scores.size()) + " scores was asked for with " + std::to_string(positive.size()) +
                      " labels; pass one for each");
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t const i : order)
    if (std::isnan(scores[i]))
      throw input_error("the score of sample " + std::to_string(i) + " is not a number; look at the network's weights");
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double ranks = 0, positives = 0;
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && scores[order[last]] == scores[order[first]]) ++last;
    double const rank = static_cast<double>(first + 1 + last) / 2;  // the mean of first + 1 ... last
    for (std::size_t i = first; i < last; ++i)
      if (positive[order[i]]) ranks += rank, ++positives;
  }
  double const negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return std::numeric_limits<double>::quiet_NaN();
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

}  // namespace c2f::metrics
