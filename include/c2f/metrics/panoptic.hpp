// c2f/metrics/panoptic.hpp: panoptic quality of images (PQ) and of videos (VPQ), and with depth (DVPQ).
//
//   c2f::metrics::panoptic_quality score({.classes = 19, .ignored = 255, .divisor = 1000});
//   score.add(true_labels, predicted_labels);                 // for every image: spans of class * divisor + instance
//   score.counts().scores().pq;                               // 0 ... 1, the mean over classes
//
//   c2f::metrics::video_panoptic_quality video({.classes = 19}, 4);        // VPQ^4: windows of four frames
//   video.add(true_labels, predicted_labels);                 // for every frame, in order
//   video.end_sequence();                                     // what follows is another video
//
// A true and a predicted segment of one class match if their IoU is above .5. For a class, PQ = SQ RQ, SQ the mean IoU of the matches (TP) and
// RQ = TP / (TP + FP / 2 + FN / 2) (Kirillov et al., "Panoptic segmentation", CVPR 2019). In VPQ^k a segment is a tube in k frames, and all
// windows of k frames are counted; a score is taken of the counts of all windows (Qiao et al. 2021, ViP-DeepLab, eq. 7.1 and 7.2; Kim et al.,
// "Video panoptic segmentation", CVPR 2020). For DVPQ^k, `without_wrong_depth` takes pixels of a wrong depth out of the prediction (eq. 7.5).
//
// Pixels of the true class `ignored` are void: they are in no union, and a predicted segment of which more than half is void is no FP. With
// an instance other than 0 the ignored class means a crowd, which deeplab2's evaluator counts as missed area, and the evaluators of ViP-DeepLab
// excuse an FP for (`crowd_excuses`). A predicted pixel of the ignored class is in no segment. Evaluators differ in classes that never occur
// (`absent_classes`).
//
// Cost: one pass a frame, and a few operations for each pair of segments; a video needs memory for k frames' pairs. Errors: input_error for
// maps of different sizes, negative labels, classes that are neither scored nor ignored, frames of other sizes within a sequence.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/metrics/segments.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace c2f::metrics {

/// How labels are read: label = class * divisor + instance.
struct panoptic_options {
  std::int64_t classes;          ///< 0 ... classes - 1 are scored, without the ignored one
  std::int64_t ignored = 255;    ///< the class of void pixels
  std::int64_t divisor = 1000;   ///< more than the largest instance number
  bool crowd_excuses   = false;  ///< whether a segment that lies mostly on instances of the ignored class is no false positive either

  void check() const {
    if (classes < 1 || divisor < 1 || ignored < 0)
      throw input_error("panoptic quality of " + std::to_string(classes) + " classes with the divisor " + std::to_string(divisor) +
                        " and the ignored class " + std::to_string(ignored) + "; write one or more, one or more, and zero or more");
  }
  /// The class of a label; input_error if it is neither scored nor ignored.
  std::int64_t class_of(std::int64_t label, char const* map) const {
    std::int64_t const found = label / divisor;
    if (found != ignored && found >= classes)
      throw input_error("a " + std::string(map) + " label map has the label " + std::to_string(label) + ", class " + std::to_string(found) +
                        ", and there are " + std::to_string(classes) + " classes and the ignored " + std::to_string(ignored) +
                        "; look at the divisor, which is " + std::to_string(divisor));
    return found;
  }
};

/// What becomes of the mean over classes where a class has no segment or no match: left out if it has no segment (deeplab2, COCO); scored 0
/// (ViP-DeepLab's evaluator for SemKITTI-DVPS, whose ε is 1e-10); or NaN without a match, and so is the mean (its evaluator for
/// Cityscapes-DVPS).
enum class absent_classes { left_out, zero, nan };

/// Means over classes, 0 ... 1, and the number of classes that they are of; NaN for none.
struct panoptic_scores {
  double pq = 0, sq = 0, rq = 0;
  std::int64_t classes = 0;
};

/// Matches and misses by class.
struct panoptic_counts {
  struct of_class {
    double iou      = 0;  ///< the sum over matches
    std::int64_t tp = 0, fp = 0, fn = 0;
    bool operator==(of_class const&) const = default;
    [[nodiscard]] bool present() const { return tp + fp + fn > 0; }
    [[nodiscard]] double sq() const { return tp == 0 ? 0 : iou / static_cast<double>(tp); }
    [[nodiscard]] double rq() const {
      return tp == 0 ? 0
                     : static_cast<double>(tp) / (static_cast<double>(tp) + 0.5 * static_cast<double>(fp) + 0.5 * static_cast<double>(fn));
    }
  };
  std::vector<of_class> classes;
  std::int64_t ignored = -1;  ///< the class that is not scored; -1: all are

  void add(panoptic_counts const& other) {
    if (classes.empty()) classes.resize(other.classes.size()), ignored = other.ignored;
    if (classes.size() != other.classes.size())
      throw input_error("panoptic counts of " + std::to_string(other.classes.size()) + " classes are added to those of " +
                        std::to_string(classes.size()) + "; add counts of the same classes");
    for (std::size_t i = 0; i < classes.size(); ++i) {
      classes[i].iou += other.classes[i].iou;
      classes[i].tp += other.classes[i].tp, classes[i].fp += other.classes[i].fp, classes[i].fn += other.classes[i].fn;
    }
  }

  /// The means over the classes first ... last - 1, such as the things, without the ignored one; last = -1: to the end.
  [[nodiscard]] panoptic_scores scores(absent_classes absent = absent_classes::left_out, std::int64_t first = 0,
                                       std::int64_t last = -1) const {
    panoptic_scores sum;
    auto const end = last < 0 ? classes.size() : std::min(static_cast<std::size_t>(last), classes.size());
    for (auto i = static_cast<std::size_t>(first); i < end; ++i) {
      if (static_cast<std::int64_t>(i) == ignored) continue;
      of_class const& each = classes[i];
      if (absent == absent_classes::left_out && !each.present()) continue;
      double const nothing = absent == absent_classes::nan && each.tp == 0 ? std::numeric_limits<double>::quiet_NaN() : 0;
      sum.sq += each.sq() + nothing, sum.rq += each.rq() + (each.present() ? 0 : nothing), sum.pq += each.sq() * each.rq() + nothing;
      ++sum.classes;
    }
    auto const n = static_cast<double>(sum.classes);
    sum.pq /= n, sum.sq /= n, sum.rq /= n;
    return sum;
  }
};

namespace detail {
inline panoptic_counts counts_of(panoptic_options const& options) {
  options.check();
  return {std::vector<panoptic_counts::of_class>(static_cast<std::size_t>(options.classes)), options.ignored};
}
/// Counts the matches of the segments of one image or clip.
inline void count_segments(segment_overlaps const& overlaps, panoptic_options const& options, panoptic_counts& into) {
  struct segment {
    std::int64_t pixels = 0, is_void = 0, excused = 0;
    bool matched = false;
  };
  std::map<std::int64_t, segment> truths, predictions;
  std::int64_t const void_label = options.ignored * options.divisor;
  for (auto const& [both, pixels] : overlaps) {
    std::int64_t const true_class = options.class_of(both.truth, "true");
    options.class_of(both.prediction, "predicted");
    segment& prediction = predictions[both.prediction];
    truths[both.truth].pixels += pixels, prediction.pixels += pixels;
    if (both.truth == void_label) prediction.is_void += pixels;
    if (both.truth == void_label || (options.crowd_excuses && true_class == options.ignored)) prediction.excused += pixels;
  }
  for (auto const& [both, pixels] : overlaps) {
    std::int64_t const c = both.truth / options.divisor;
    if (c != both.prediction / options.divisor || c == options.ignored) continue;
    segment &truth = truths[both.truth], &prediction = predictions[both.prediction];
    double const iou = static_cast<double>(pixels) / static_cast<double>(truth.pixels + prediction.pixels - pixels - prediction.is_void);
    if (!(iou > 0.5)) continue;
    auto& found = into.classes[static_cast<std::size_t>(c)];
    ++found.tp, found.iou += iou;
    truth.matched = prediction.matched = true;
  }
  for (auto const& [label, each] : truths)
    if (std::int64_t const c = label / options.divisor; !each.matched && c != options.ignored)
      ++into.classes[static_cast<std::size_t>(c)].fn;
  for (auto const& [label, each] : predictions)
    if (std::int64_t const c = label / options.divisor; !each.matched && c != options.ignored && 2 * each.excused <= each.pixels)
      ++into.classes[static_cast<std::size_t>(c)].fp;
}
}  // namespace detail

/// PQ of images: each is matched alone.
class panoptic_quality {
 public:
  explicit panoptic_quality(panoptic_options const& options) : options_(options), counts_(detail::counts_of(options)) {}
  template <std::integral Truth, std::integral Prediction>
  void add(std::span<Truth const> truth, std::span<Prediction const> prediction) {
    segment_overlaps overlaps;
    overlaps.add(truth, prediction);
    detail::count_segments(overlaps, options_, counts_);
  }
  [[nodiscard]] panoptic_counts const& counts() const { return counts_; }

 private:
  panoptic_options options_;
  panoptic_counts counts_;
};

/// VPQ^k of videos, frame by frame; a video of fewer than k frames has no window.
class video_panoptic_quality {
 public:
  video_panoptic_quality(panoptic_options const& options, std::int64_t frames)
      : options_(options), frames_(frames), counts_(detail::counts_of(options)) {
    if (frames < 1) throw input_error("VPQ of windows of " + std::to_string(frames) + " frames; write one or more");
  }
  template <std::integral Truth, std::integral Prediction>
  void add(std::span<Truth const> truth, std::span<Prediction const> prediction) {
    if (!window_.empty() && truth.size() != pixels_)
      throw input_error("a frame of " + std::to_string(truth.size()) + " pixels follows one of " + std::to_string(pixels_) +
                        " in a video; call end_sequence() before another video");
    segment_overlaps frame;
    frame.add(truth, prediction);
    pixels_ = truth.size();
    window_.push_back(std::move(frame));
    if (static_cast<std::int64_t>(window_.size()) < frames_) return;
    segment_overlaps clip;
    for (auto const& each : window_) clip.add(each);
    detail::count_segments(clip, options_, counts_);
    window_.pop_front();
  }
  /// The next frame belongs to another video.
  void end_sequence() { window_.clear(); }
  [[nodiscard]] panoptic_counts const& counts() const { return counts_; }

 private:
  panoptic_options options_;
  std::int64_t frames_;
  std::size_t pixels_ = 0;
  std::deque<segment_overlaps> window_;  ///< of up to k - 1 frames between calls
  panoptic_counts counts_;
};

/// A prediction in which the pixels with a relative depth error above `limit` (λ) are void (ViP-DeepLab, eq. 7.5): |d̂ − d| / d > λ, where
/// there is a true depth d > 0. Depths are of one unit and of any type; integers do not wrap around.
template <std::integral Label, class TrueDepth, class Depth>
[[nodiscard]] std::vector<std::int64_t> without_wrong_depth(std::span<Label const> prediction, std::span<TrueDepth const> true_depth,
                                                            std::span<Depth const> depth, double limit, panoptic_options const& options) {
  if (prediction.size() != true_depth.size() || prediction.size() != depth.size())
    throw input_error("a label map of " + std::to_string(prediction.size()) + " pixels has depths of " + std::to_string(depth.size()) +
                      " and true depths of " + std::to_string(true_depth.size()) + " pixels; give maps of the same size");
  std::vector<std::int64_t> kept(prediction.begin(), prediction.end());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    auto const truth = static_cast<double>(true_depth[i]), found = static_cast<double>(depth[i]);
    if (truth > 0 && !(std::abs(found - truth) / truth <= limit)) kept[i] = options.ignored * options.divisor;
  }
  return kept;
}

}  // namespace c2f::metrics
