// c2f/metrics/coco_ap.hpp: COCO's average precision and recall of detections, boxes or masks.
//
//   c2f::metrics::coco_ap score(80);                                        // of 80 classes
//   for (auto const& picture : pictures) score.add(picture.found, picture.objects);
//   c2f::metrics::coco_scores const made = score.scores();
//   made.ap, made.ap50, made.ap_small, made.ar100;                          // 0 ... 1; nullopt where no object is of that size
//
//   auto const& [found, objects] = pictures[0];                             // of masks:
//   score.add(found, objects, [&](std::size_t i, std::size_t j) { return c2f::data::iou(masks[i], of_objects[j], objects[j].crowd); });
//
// The twelve numbers of pycocotools (Lin et al., "Microsoft COCO", ECCV 2014; cocodataset.org): the mean over classes and IoUs of .5, .55 ... .95
// of the precision at the recalls 0, .01 ... 1, where the precision at a recall is the largest at that recall or more; the recall with at most
// 1, 10 and 100 detections of a class in a picture; and both for objects of less than 32^2, 32^2 to 96^2, and more than 96^2 pixels.
//
// In a picture and class, detections by descending score take, of the objects that are left, the one of the largest IoU at or above the
// threshold; ones to be ignored only if there is no other. A crowd can be taken by many, and its "IoU" is over the area of the detection. Objects
// that are ignored, crowds and those of another size are not missed, and detections that take one of them do not count; nor do those of another
// size that take none. Equal scores keep the order in which they were added. `area` of an object is that of its mask, where COCO's files say it.
//
// Costs: the overlaps of each picture and class; 32 bytes a detection are kept until scores(), which sorts them once. For 10,000 pictures
// of 36 objects and as many detections below a second. Errors: input_error for a score that is no number, and for a label that is no class.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/metrics/detection.hpp>

namespace c2f::metrics {

/// A detection of a picture, in pixels.
struct found_object {
  std::int64_t label = 0;
  box where{};
  double score = 0;
  double area  = -1;  ///< of its mask; below 0: of its box
};
/// An object of a picture, in pixels.
struct true_object {
  std::int64_t label = 0;
  box where{};
  double area  = -1;     ///< of its mask; below 0: of its box
  bool crowd   = false;  ///< a region of many
  bool ignored = false;  ///< neither missed nor found, such as Pascal's difficult ones
};

/// Each nullopt if there is no object that counts.
struct coco_scores {
  std::optional<double> ap, ap50, ap75, ap_small, ap_medium, ap_large;
  std::optional<double> ar1, ar10, ar100, ar_small, ar_medium, ar_large;

  /// In the order of pycocotools, -1 for nullopt.
  [[nodiscard]] std::array<double, 12> values() const {
    std::array<double, 12> made{};
    std::array const each{&ap, &ap50, &ap75, &ap_small, &ap_medium, &ap_large, &ar1, &ar10, &ar100, &ar_small, &ar_medium, &ar_large};
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = each[i]->value_or(-1);
    return made;
  }
};

/// Collects pictures; see the top of this file.
class coco_ap {
 public:
  explicit coco_ap(std::int64_t classes) : classes_(static_cast<std::size_t>(std::max<std::int64_t>(classes, 0))) {}

  /// The detections and objects of one picture.
  void add(std::span<found_object const> found, std::span<true_object const> objects) {
    add(found, objects, [&](std::size_t i, std::size_t j) { return overlap(found[i].where, objects[j].where, objects[j].crowd); });
  }
  /// With the overlap of a detection and an object, by their indices.
  template <class Overlap>
  void add(std::span<found_object const> found, std::span<true_object const> objects, Overlap const& overlap_of) {
    for (auto& each : by_class_) each.found.clear(), each.objects.clear();
    by_class_.resize(classes_.size());
    touched_.clear();
    auto const place = [&](std::int64_t label) -> picture_of_class& {
      check_label(label);
      auto& made = by_class_[static_cast<std::size_t>(label)];
      if (made.found.empty() && made.objects.empty()) touched_.push_back(static_cast<std::size_t>(label));
      return made;
    };
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (std::isnan(found[i].score))
        throw input_error("the score of detection " + std::to_string(i) + " is not a number; leave that detection out");
      place(found[i].label).found.push_back(i);
    }
    for (std::size_t j = 0; j < objects.size(); ++j) place(objects[j].label).objects.push_back(j);
    for (std::size_t const k : touched_) match(classes_[k], by_class_[k], found, objects, overlap_of);
  }
  /// What another one has collected, behind what this one has.
  void add(coco_ap const& other) {
    classes_.resize(std::max(classes_.size(), other.classes_.size()));
    for (std::size_t k = 0; k < other.classes_.size(); ++k) {
      auto& to = classes_[k];
      to.found.insert(to.found.end(), other.classes_[k].found.begin(), other.classes_[k].found.end());
      for (std::size_t a = 0; a < areas; ++a) to.objects[a] += other.classes_[k].objects[a];
    }
  }

  /// For processes that score together (core/packed.hpp).
  template <class Packer>
  void put(Packer& to) const {
    to(static_cast<std::uint64_t>(classes_.size()));
    for (auto const& each : classes_) {
      for (auto const count : each.objects) to(count);
      to(static_cast<std::uint64_t>(each.found.size()));
      for (auto const& one : each.found) {
        to(one.score, one.rank);
        for (std::size_t a = 0; a < areas; ++a) to(one.right[a], one.ignored[a]);
      }
    }
  }
  template <class Unpacker>
  void take(Unpacker& from) {
    classes_.assign(from.template get<std::uint64_t>(), {});
    for (auto& each : classes_) {
      for (auto& count : each.objects) from(count);
      for (auto left = from.template get<std::uint64_t>(); left > 0; --left) {
        matched_detection& one = each.found.emplace_back();
        from(one.score, one.rank);
        for (std::size_t a = 0; a < areas; ++a) from(one.right[a], one.ignored[a]);
      }
    }
  }

  /// Over all classes that have objects.
  [[nodiscard]] coco_scores scores() const {
    summary sum;
    for (auto const& each : classes_) sum.add(each);
    return sum.scores();
  }
  /// Of one class.
  [[nodiscard]] coco_scores scores(std::int64_t label) const {
    check_label(label);
    summary sum;
    sum.add(classes_[static_cast<std::size_t>(label)]);
    return sum.scores();
  }
  [[nodiscard]] std::int64_t classes() const { return std::ssize(classes_); }

  /// Intersection over union, or over the area of the detection if the object is a crowd.
  [[nodiscard]] static double overlap(box const& found, box const& object, bool crowd) {
    double const common = shared_area(found, object), area = found.width() * found.height();
    if (!(common > 0)) return 0;
    return common / (crowd ? area : area + object.width() * object.height() - common);
  }

 private:
  void check_label(std::int64_t label) const {
    if (label < 0 || label >= std::ssize(classes_))
      throw input_error("an object has the label " + std::to_string(label) + ", and there are " + std::to_string(classes_.size()) +
                        " classes; labels are 0 to one less");
  }
  static constexpr std::size_t areas = 4, thresholds = 10, recalls = 101;
  static constexpr std::array<std::array<double, 2>, areas> area_ranges{{{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}}};
  static constexpr std::array<std::uint32_t, 3> most_found{1, 10, 100};
  // As numpy.linspace makes them.
  static double threshold(std::size_t t) { return t + 1 == thresholds ? .95 : .5 + static_cast<double>(t) * ((.95 - .5) / 9); }
  static double recall_at(std::size_t r) { return r + 1 == recalls ? 1 : static_cast<double>(r) * .01; }

  /// A detection after matching: for each range of areas a bit for each threshold.
  struct matched_detection {
    double score;
    std::uint32_t rank;  ///< in its picture and class, from 0
    std::array<std::uint16_t, areas> right, ignored;
  };
  struct of_class {
    std::vector<matched_detection> found{};
    std::array<std::int64_t, areas> objects{};  ///< that count
  };
  struct picture_of_class {
    std::vector<std::size_t> found{}, objects{};
  };

  template <class Overlap>
  void match(of_class& to, picture_of_class& in, std::span<found_object const> found, std::span<true_object const> objects,
             Overlap const& overlap_of) {
    auto& order = in.found;
    std::sort(order.begin(), order.end(), detail::better_score([&](std::size_t i) { return found[i].score; }));
    if (order.size() > most_found.back()) order.resize(most_found.back());
    std::size_t const count                               = in.objects.size();
    // Objects that are ignored come behind the others, for each range of areas; the order is otherwise kept.
    std::array<std::vector<std::uint8_t>, areas>& ignored = ignored_;
    for (std::size_t a = 0; a < areas; ++a) {
      ignored[a].assign(count, 0);
      for (std::size_t j = 0; j < count; ++j) {
        auto const& object = objects[in.objects[j]];
        double const area  = object.area < 0 ? object.where.width() * object.where.height() : object.area;
        ignored[a][j]      = object.crowd || object.ignored || area < area_ranges[a][0] || area > area_ranges[a][1];
        to.objects[a] += ignored[a][j] == 0;
      }
      taken_[a].assign(count, 0);
    }
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      auto const& detection = found[order[rank]];
      candidates_.clear();
      for (std::size_t j = 0; j < count; ++j)
        if (double const iou = overlap_of(order[rank], in.objects[j]); iou >= threshold(0)) candidates_.push_back({j, iou});
      double const area       = detection.area < 0 ? detection.where.width() * detection.where.height() : detection.area;
      matched_detection& made = to.found.emplace_back(matched_detection{detection.score, static_cast<std::uint32_t>(rank), {}, {}});
      for (std::size_t a = 0; a < areas; ++a) {
        bool const outside = area < area_ranges[a][0] || area > area_ranges[a][1];
        if (candidates_.empty()) {
          made.ignored[a] = outside ? std::uint16_t{(1u << thresholds) - 1} : std::uint16_t{0};
          continue;
        }
        for (std::size_t t = 0; t < thresholds; ++t) {
          auto const bit          = static_cast<std::uint16_t>(1u << t);
          candidate const* chosen = nullptr;
          // The last of equal ones, as pycocotools.
          for (int const wanted : {0, 1}) {
            double least = std::min(threshold(t), 1 - 1e-10);
            for (auto const& each : candidates_) {
              if (ignored[a][each.object] != wanted || each.iou < least) continue;
              if ((taken_[a][each.object] & bit) != 0 && !objects[in.objects[each.object]].crowd) continue;
              least = each.iou, chosen = &each;
            }
            if (chosen != nullptr) break;
          }
          if (chosen != nullptr) {
            taken_[a][chosen->object] |= bit;
            (ignored[a][chosen->object] != 0 ? made.ignored[a] : made.right[a]) |= bit;
          } else if (outside) {
            made.ignored[a] |= bit;
          }
        }
      }
    }
  }

  /// Sums over classes.
  class summary {
   public:
    void add(of_class const& of) {
      if (of.objects[0] == 0) return;  // the other ranges are parts of the first
      std::vector<std::uint32_t> order(of.found.size());
      std::iota(order.begin(), order.end(), 0u);
      std::sort(order.begin(), order.end(), detail::better_score([&](std::uint32_t i) { return of.found[i].score; }));
      for (std::size_t a = 0; a < areas; ++a) {
        if (of.objects[a] == 0) continue;
        auto const objects = static_cast<double>(of.objects[a]);
        for (std::size_t t = 0; t < thresholds; ++t) {
          auto const bit = static_cast<std::uint16_t>(1u << t);
          std::array<std::int64_t, most_found.size()> right{};
          points_.clear();
          std::int64_t positives = 0, seen = 0;
          for (std::uint32_t const i : order) {
            matched_detection const& each = of.found[i];
            if ((each.ignored[a] & bit) != 0) continue;
            ++seen;
            if ((each.right[a] & bit) == 0) continue;
            ++positives;
            for (std::size_t m = 0; m < most_found.size(); ++m) right[m] += each.rank < most_found[m];
            points_.push_back(static_cast<double>(positives) / (static_cast<double>(seen) + std::numeric_limits<double>::epsilon()));
          }
          for (std::size_t i = points_.size(); i-- > 1;) points_[i - 1] = std::max(points_[i - 1], points_[i]);
          // The precision at a recall is that of the first right detection that reaches it.
          std::size_t at = 0;
          double sum     = 0;
          for (std::size_t r = 0; r < recalls; ++r) {
            while (at < points_.size() && static_cast<double>(at + 1) / objects < recall_at(r)) ++at;
            if (at == points_.size()) break;
            sum += points_[at];
          }
          precision_[a][t] += sum / static_cast<double>(recalls);
          for (std::size_t m = 0; m < most_found.size(); ++m) recall_[a][m] += static_cast<double>(right[m]) / objects;
        }
        ++classes_[a];
      }
    }
    [[nodiscard]] coco_scores scores() const {
      auto const mean = [&](std::size_t a, double sum, double of) {
        return classes_[a] == 0 ? std::nullopt : std::optional(sum / (static_cast<double>(classes_[a]) * of));
      };
      auto const ap = [&](std::size_t a) { return mean(a, std::accumulate(precision_[a].begin(), precision_[a].end(), 0.0), thresholds); };
      auto const ar = [&](std::size_t a, std::size_t m) { return mean(a, recall_[a][m], thresholds); };
      return {ap(0),
              mean(0, precision_[0][0], 1),
              mean(0, precision_[0][5], 1),
              ap(1),
              ap(2),
              ap(3),
              ar(0, 0),
              ar(0, 1),
              ar(0, 2),
              ar(1, 2),
              ar(2, 2),
              ar(3, 2)};
    }

   private:
    std::array<std::array<double, thresholds>, areas> precision_{};
    std::array<std::array<double, most_found.size()>, areas> recall_{};
    std::array<std::int64_t, areas> classes_{};
    std::vector<double> points_;
  };

  struct candidate {
    std::size_t object;
    double iou;
  };
  std::vector<of_class> classes_;
  // Of the picture that is added, kept for their memory.
  std::vector<picture_of_class> by_class_;
  std::vector<std::size_t> touched_;
  std::vector<candidate> candidates_;
  std::array<std::vector<std::uint8_t>, areas> ignored_;
  std::array<std::vector<std::uint16_t>, areas> taken_;
};

}  // namespace c2f::metrics
