// c2f/metrics/tracking.hpp: segmentation and tracking quality of videos (STQ), and with depth (DSTQ).
//
//   c2f::metrics::segmentation_and_tracking_quality score({.classes = 19, .ignored = 255, .divisor = 1000}, {11, 12, 13});
//   score.add(true_labels, predicted_labels, sequence);       // every frame of every video, in any order
//   score.scores().stq;                                       // sqrt(aq * iou)
//   c2f::metrics::depth_aware(score.scores().stq, inliers.fractions());   // DSTQ; inliers: metrics/depth.hpp
//
// AQ, the association quality: the mean over true tubes g (things, but no crowd) of 1/|g| * the sum over predicted tubes p of
// TPA² / (|g| + |p| − TPA), TPA the pixels that both share. IoU: of the classes, over all pixels whose true class is not ignored (Weber et al.,
// "STEP: Segmenting and tracking every pixel", NeurIPS 2021). DSTQ = (STQ² DQ)^(1/3) with DQ the geometric mean of the fractions of inliers at
// ratios of 1.25 and 1.1 (Qiao et al. 2021).
// A true thing with instance 0 is a crowd: its pixels are in no tube. A predicted thing with instance 0 is a tube like others. As in
// deeplab2's evaluator, predicted tubes also have pixels on void, and the ignored class counts as a class without a match where it is predicted
// for a labelled pixel.
//
// Cost: one pass a frame; memory for the tubes of all videos, not for frames, and for a matrix of the classes. Counts are
// integers, so results do not depend on the order of frames or of `add`ing other counts. Errors: those of metrics/panoptic.hpp; a thing that is no class is an input_error.
#pragma once

#include <c2f/metrics/confusion.hpp>
#include <c2f/metrics/panoptic.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

namespace c2f::metrics {

struct tracking_scores {
  double stq = 0, aq = 0, iou = 0;  ///< 0 ... 1
};

/// STQ over several videos, each identified by a number.
class segmentation_and_tracking_quality {
 public:
  segmentation_and_tracking_quality(panoptic_options const& options, std::vector<std::int64_t> const& things)
      : options_(options), things_(things) {
    options.check();
    for (std::int64_t const thing : things)
      if (thing >= options.classes)
        throw input_error("class " + std::to_string(thing) + " is listed as a thing, and there are " + std::to_string(options.classes) +
                          " classes, from 0");
  }

  template <std::integral Truth, std::integral Prediction>
  void add(std::span<Truth const> truth, std::span<Prediction const> prediction, std::int64_t sequence = 0) {
    segment_overlaps frame;
    frame.add(truth, prediction);
    for (auto const& [both, pixels] : frame) options_.class_of(both.truth, "true"), options_.class_of(both.prediction, "predicted");
    videos_[sequence].add(frame);
  }
  void add(segmentation_and_tracking_quality const& other) {
    for (auto const& [sequence, overlaps] : other.videos_) videos_[sequence].add(overlaps);
  }

  /// Over all videos: AQ is the mean over the tubes of all of them, IoU of all of their pixels.
  [[nodiscard]] tracking_scores scores() const {
    double sum         = 0;
    std::int64_t tubes = 0;
    confusion all(options_.classes + 1);
    for (auto const& [sequence, overlaps] : videos_) {
      auto const [of_video, count] = association(overlaps);
      sum += of_video, tubes += count;
      count_classes(overlaps, all);
    }
    return of(sum, tubes, all);
  }
  /// Of each video, by its number.
  [[nodiscard]] std::map<std::int64_t, tracking_scores> scores_by_sequence() const {
    std::map<std::int64_t, tracking_scores> found;
    for (auto const& [sequence, overlaps] : videos_) {
      auto const [sum, tubes] = association(overlaps);
      confusion one(options_.classes + 1);
      count_classes(overlaps, one);
      found[sequence] = of(sum, tubes, one);
    }
    return found;
  }

 private:
  // Of the pixels whose true class is not ignored; the class behind the others is the ignored one, where it is predicted.
  void count_classes(segment_overlaps const& overlaps, confusion& into) const {
    auto const class_of = [&](std::int64_t label) { return std::min(label / options_.divisor, options_.classes); };
    for (auto const& [both, pixels] : overlaps)
      if (both.truth / options_.divisor != options_.ignored) into.add(class_of(both.truth), class_of(both.prediction), pixels);
  }
  static tracking_scores of(double association, std::int64_t tubes, confusion const& classes) {
    double const aq  = tubes == 0 ? 0 : association / static_cast<double>(tubes);
    double const iou = classes.total() == 0 ? 0 : classes.mean_iou();
    return {std::sqrt(aq * iou), aq, iou};
  }
  [[nodiscard]] bool is_thing(std::int64_t label) const { return things_(label / options_.divisor); }
  // The sum over true tubes, and their number.
  [[nodiscard]] std::pair<double, std::int64_t> association(segment_overlaps const& overlaps) const {
    std::map<std::int64_t, std::int64_t> truths, predictions;
    auto const is_crowd = [&](std::int64_t label) { return label % options_.divisor == 0; };
    for (auto const& [both, pixels] : overlaps) {
      bool const thing = is_thing(both.truth);
      if (thing && is_crowd(both.truth)) continue;
      if (thing) truths[both.truth] += pixels;
      if (is_thing(both.prediction)) predictions[both.prediction] += pixels;
    }
    double sum = 0;
    for (auto const& [both, pixels] : overlaps) {
      if (!is_thing(both.truth) || is_crowd(both.truth) || !is_thing(both.prediction)) continue;
      auto const shared = static_cast<double>(pixels), truth = static_cast<double>(truths[both.truth]);
      sum += shared * shared / (truth + static_cast<double>(predictions[both.prediction]) - shared) / truth;
    }
    return {sum, static_cast<std::int64_t>(truths.size())};
  }

  panoptic_options options_;
  thing_classes things_;
  std::map<std::int64_t, segment_overlaps> videos_;
};

/// DSTQ of an STQ and the fractions of depth inliers at several ratios.
[[nodiscard]] inline double depth_aware(double stq, std::vector<double> const& inlier_fractions) {
  double product = 1;
  for (double const each : inlier_fractions) product *= each;
  double const dq = inlier_fractions.empty() ? 0 : std::pow(product, 1 / static_cast<double>(inlier_fractions.size()));
  return std::cbrt(stq * stq * dq);
}

}  // namespace c2f::metrics
