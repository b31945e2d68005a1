// c2f/metrics/low_shot.hpp: the accuracies of ImageNet low-shot classification, where base classes must not be forgotten.
//
//   c2f::metrics::low_shot score{base_classes, novel_classes};    // column indices of the scores
//   score.add(logits, labels);                                    // for every batch
//   score.novel().top5;                                           // 0...1
//
// The four accuracies of Wang, Girshick, Hebert and Hariharan, "Low-shot learning from imaginary data", CVPR 2018, as Gidaris and Komodakis
// compute them (CVPR 2018; FewShotWithoutForgetting, algorithms/ImageNetLowShotExperiments.py):
//   novel            images of novel classes, classified among the novel classes
//   base             images of base classes, classified among the base classes
//   all              images of both, among both
//   all_with_prior   images of both, among both by probability: prior * softmax over the novel classes, and (1 - prior) * softmax over the
//                    base classes; prior is .8
// A prediction is correct if the true class has the highest score (top 1) or one of the five highest (top 5); ties go to the lower class
// number. Columns in neither list, and images whose label is in neither, are ignored: they belong to the cross-validation classes.
// Results are means over images for one draw of the novel classes' support. The protocol repeats it with 100 draws: metrics/interval.hpp.
//
// Cost: add copies the scores to the CPU as doubles and makes one pass over them. Errors: input_error for lists that overlap or
// are empty, a prior outside 0...1, tensors of other shapes, scores that are not finite.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>

namespace c2f::metrics {

/// Fractions of `count` images that are classified correctly; 0 if count is 0.
struct top_accuracy {
  double top1 = 0, top5 = 0;
  std::int64_t count = 0;
};

/// Accumulates the four accuracies over batches.
class low_shot {
 public:
  /// Class numbers are column indices of the scores, disjoint and not empty; novel_prior is 0 ... 1.
  low_shot(std::vector<std::int64_t> base, std::vector<std::int64_t> novel, double novel_prior = .8)
      : base_(std::move(base)), novel_(std::move(novel)), both_(base_) {
    if (!(novel_prior >= 0 && novel_prior <= 1))
      throw input_error("the prior of novel classes is " + std::to_string(novel_prior) + "; it must be 0 to 1");
    both_.insert(both_.end(), novel_.begin(), novel_.end());
    std::set<std::int64_t> const different(both_.begin(), both_.end());
    if (base_.empty() || novel_.empty() || different.size() != both_.size() || *different.begin() < 0)
      throw input_error("low-shot accuracies of " + std::to_string(base_.size()) + " base and " + std::to_string(novel_.size()) +
                        " novel classes, " + std::to_string(different.size()) +
                        " different ones; name one or more of each, from 0 on, and none twice");
    most_            = *different.rbegin();
    log_novel_prior_ = std::log(novel_prior);
    log_base_prior_  = std::log(1 - novel_prior);
  }

  /// Adds a batch: scores [N, K], logits (only all_with_prior needs more than their order); labels [N] int64.
  void add(at::Tensor const& scores, at::Tensor const& labels) {
    bool const right = scores.dim() == 2 && labels.dim() == 1 && scores.size(0) == labels.size(0) && scores.size(1) > most_;
    if (!right)
      throw input_error("low-shot accuracies need scores [N, K] with K above " + std::to_string(most_) + " and labels [N], not " +
                        c2f::detail::dims_of(scores) + " and " + c2f::detail::dims_of(labels));
    at::Tensor const values = scores.detach().to(at::kCPU, at::kDouble).contiguous(), truths = labels.to(at::kCPU, at::kLong).contiguous();
    if (!values.isfinite().all().item<bool>())
      throw input_error("a score of low-shot classification is not finite; look at the network's weights");
    std::int64_t const columns = values.size(1);
    for (std::int64_t i = 0; i < values.size(0); ++i)
      add(values.const_data_ptr<double>() + i * columns, truths.const_data_ptr<std::int64_t>()[i]);
  }

  [[nodiscard]] top_accuracy novel() const { return of(counts_[0]); }
  [[nodiscard]] top_accuracy base() const { return of(counts_[1]); }
  [[nodiscard]] top_accuracy all() const { return of(counts_[2]); }
  [[nodiscard]] top_accuracy all_with_prior() const { return of(counts_[3]); }

 private:
  struct counts {
    std::int64_t top1 = 0, top5 = 0, count = 0;
  };

  static top_accuracy of(counts const& c) {
    auto const n = static_cast<double>(std::max<std::int64_t>(c.count, 1));
    return {static_cast<double>(c.top1) / n, static_cast<double>(c.top5) / n, c.count};
  }
  static bool in(std::vector<std::int64_t> const& classes, std::int64_t k) {
    return std::find(classes.begin(), classes.end(), k) != classes.end();
  }

  void add(double const* scores, std::int64_t truth) {
    bool const is_novel = in(novel_, truth);
    if (!is_novel && !in(base_, truth)) return;
    std::vector<double> plain(scores, scores + most_ + 1), weighted = plain;
    if (is_novel)
      count(counts_[0], novel_, plain, truth);
    else
      count(counts_[1], base_, plain, truth);
    count(counts_[2], both_, plain, truth);
    weigh(weighted, novel_, log_novel_prior_);
    weigh(weighted, base_, log_base_prior_);
    count(counts_[3], both_, weighted, truth);
  }

  // Replaces the scores of these classes by log(prior * softmax).
  static void weigh(std::vector<double>& scores, std::vector<std::int64_t> const& classes, double log_prior) {
    auto const at  = [&](std::int64_t k) -> double& { return scores[static_cast<std::size_t>(k)]; };
    double highest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (auto const k : classes) highest = std::max(highest, at(k));
    for (auto const k : classes) sum += std::exp(at(k) - highest);
    for (auto const k : classes) at(k) += log_prior - highest - std::log(sum);
  }

  static void count(counts& to, std::vector<std::int64_t> const& among, std::vector<double> const& scores, std::int64_t truth) {
    double const own    = scores[static_cast<std::size_t>(truth)];
    std::int64_t better = 0;
    for (auto const k : among) {
      double const score = scores[static_cast<std::size_t>(k)];
      better += score > own || (score == own && k < truth);
    }
    ++to.count;
    to.top1 += better < 1;
    to.top5 += better < 5;
  }

  std::vector<std::int64_t> base_, novel_, both_;
  std::int64_t most_      = 0;
  double log_novel_prior_ = 0, log_base_prior_ = 0;
  counts counts_[4];  // novel, base, all, all with prior
};

}  // namespace c2f::metrics
