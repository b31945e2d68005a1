// c2f/kinds/detections.hpp: the kind "boxes of as many objects as there are".
//
//   using kind = c2f::detections<3, 40>;          // three classes; at most 40 objects a picture in the truths
//   auto const found = kind::of_picture(raw, 0, 192, 256);  // of the first picture of a batch, best first: class, score and box in pixels
//
//   raw     [N, Detections, 6] float: x0, y0, x1, y1 as fractions of the input, score 0 ... 1, class; best first, then rows of zeros. With masks
//           of m x m cells (Mask = m) [N, Detections, 6 + m * m]: the probability of each cell of the box, row by row
//   truth   float [N, Most, 7], a row an object (data/objects.hpp): class, centre x, centre y, width and height as fractions of the input,
//           0, or if it is to be ignored 1 for a crowd, which many detections may match, 2 for a difficult object, which one may; and 1; then
//           rows of zeros. With masks, m * m numbers before the last one: the part of each cell of the box that the object covers
//
// Models of this kind (systems/region_detector.hpp, systems/one_stage_detector.hpp) choose which boxes their losses are computed of, so they
// add the losses themselves. Metrics: COCO's `ap`, the mean over IoU .5 ... .95, `ap50` and `ap75`; with masks `mask_ap` and `mask_ap50`, too, of
// the cells (metrics/box_mask.hpp).
// Errors: fewer than one class or object is a compile error; so is a task whose networks have this kind.
#pragma once

#include <c2f/core/kind.hpp>
#include <c2f/core/packed.hpp>
#include <c2f/core/static_check.hpp>
#include <c2f/fwd.hpp>
#include <c2f/metrics/box_mask.hpp>
#include <c2f/metrics/coco_ap.hpp>
#include <c2f/metrics/detection.hpp>

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace c2f {

/// A detection.
struct detected_box {
  std::int64_t label;
  double score;
  metrics::box where;
  std::vector<float> mask{};  ///< the probabilities of the cells of the box, row by row; empty without masks
};

namespace detail {
template <std::int64_t Classes, std::int64_t Most, std::int64_t Detections>
consteval bool check_detections() {
  static_assert(Classes >= 1 && Most >= 1 && Detections >= 1,
                "c2f::detections needs a class, an object in a picture and an answer or more; write c2f::detections<3, 40>");
  return true;
}
}  // namespace detail

template <std::int64_t Classes, std::int64_t Most, std::int64_t Detections = 100, std::int64_t Mask = 0>
struct detections : detail::static_check<detail::check_detections<Classes, Most, Detections>()> {
  static constexpr char const* name     = "detections";
  static constexpr std::int64_t classes = Classes, most = Most, mask = Mask, answers = Detections, numbers = 6 + Mask * Mask;
  static constexpr std::int64_t label_row = 7 + Mask * Mask;  ///< numbers of an object in a truth, whose first is its label
  template <class In>
  using output          = vector<(Detections < 1 ? 1 : Detections) * numbers>;
  using truth_value     = float;
  using default_encoder = encode::none;
  template <class In>
  static constexpr std::array<std::int64_t, 2> truth_dims{Most, label_row};

  static at::Tensor predict(at::Tensor const& raw) { return raw; }
  static at::Tensor from_truth(at::Tensor const& truth) { return truth.narrow(2, 1, 4); }
  using default_loss = loss::of_model;

  /// What is found in picture n of a batch, best first; in pixels of a picture of this size, or fractions.
  static std::vector<detected_box> of_picture(at::Tensor const& raw, std::int64_t n, double height = 1, double width = 1) {
    at::Tensor const rows = raw.select(0, n).to(at::kCPU, at::kFloat).contiguous();
    float const* row      = rows.const_data_ptr<float>();
    std::vector<detected_box> found;
    for (std::int64_t i = 0; i < rows.size(0) && row[4] > 0; ++i, row += numbers)
      found.push_back({static_cast<std::int64_t>(row[5]),
                       row[4],
                       {row[0] * width, row[1] * height, row[2] * width, row[3] * height},
                       {row + 6, row + numbers}});
    return found;
  }

  /// Of the network's input: areas are not those of COCO's small and large objects, which are in pixels of the pictures.
  struct score {
    std::int64_t samples = 0;
    void add(at::Tensor const& raw, at::Tensor const& truth) {
      at::Tensor const rows = truth.to(at::kCPU, at::kFloat).contiguous();
      for (std::int64_t n = 0; n < rows.size(0); ++n, ++samples) {
        std::vector<metrics::found_object> found;
        std::vector<metrics::sampled_mask> found_masks, true_masks;
        auto const detected = of_picture(raw, n);
        for (auto const& one : detected) {
          found.push_back({one.label, one.where, one.score});
          if constexpr (Mask > 0) found_masks.emplace_back(metrics::box_mask{one.where, Mask, one.mask});
        }
        std::vector<metrics::true_object> objects;
        for (std::int64_t m = 0; m < rows.size(1); ++m) {
          float const* row = rows.const_data_ptr<float>() + (n * rows.size(1) + m) * rows.size(2);
          if (row[rows.size(2) - 1] == 0) continue;
          auto const& object = objects.emplace_back(metrics::true_object{
              static_cast<std::int64_t>(row[0]), metrics::box::around(row[1], row[2], row[3], row[4]), -1, row[5] == 1, row[5] != 0});
          if constexpr (Mask > 0)
            true_masks.emplace_back(
                metrics::box_mask{object.where, Mask, std::span<float const>(row + 6, static_cast<std::size_t>(Mask * Mask))});
        }
        all_.add(found, objects);
        if constexpr (Mask > 0)
          masks_.add(found, objects, [&](std::size_t i, std::size_t j) { return found_masks[i].overlap(true_masks[j], objects[j].crowd); });
      }
    }
    void add(score const& other) {
      samples += other.samples;
      all_.add(other.all_), masks_.add(other.masks_);
    }
    /// For processes that score together (train/evaluate.hpp).
    void put(detail::packer& to) const {
      to(samples);
      all_.put(to), masks_.put(to);
    }
    void take(detail::unpacker& from) {
      from(samples);
      all_.take(from), masks_.take(from);
    }
    static constexpr std::size_t metric_count = Mask > 0 ? 5 : 3;
    [[nodiscard]] std::array<std::pair<char const*, double>, metric_count> values() const {
      auto const of = all_.scores();
      if constexpr (Mask > 0) {
        auto const of_masks = masks_.scores();
        return {{{"ap", of.ap.value_or(0)},
                 {"ap50", of.ap50.value_or(0)},
                 {"ap75", of.ap75.value_or(0)},
                 {"mask_ap", of_masks.ap.value_or(0)},
                 {"mask_ap50", of_masks.ap50.value_or(0)}}};
      } else {
        return {{{"ap", of.ap.value_or(0)}, {"ap50", of.ap50.value_or(0)}, {"ap75", of.ap75.value_or(0)}}};
      }
    }

   private:
    metrics::coco_ap all_{Classes}, masks_{Classes};
  };
};

}  // namespace c2f
