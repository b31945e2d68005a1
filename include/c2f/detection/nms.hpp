// c2f/detection/nms.hpp: non-maximum suppression: of boxes that overlap much, the one of the highest score.
//
//   at::Tensor const kept = c2f::detection::nms(boxes, scores, .5);                          // [R, 4], [R] -> indices, best first
//   at::Tensor const each = c2f::detection::class_nms(boxes, scores, classes, .5);           // boxes of other classes do not matter
//   auto const [index, valid] = c2f::detection::best_boxes(proposals, objectness, levels, .7, 1000);   // [N, P, 4], [N, P] -> [N, 1000]
//   auto const soft = c2f::detection::soft_nms(boxes, scores, {.threshold = .3});             // Bodla et al., ICCV 2017
//
// Boxes are visited by descending score; one whose IoU with a kept one is above the threshold is left out. Of equal scores the one of lower
// index comes first, a score that is NaN last. Boxes without an area overlap with nothing. IoU is computed in the boxes' number type and
// compared in double, as torchvision does, so that both decide alike at the threshold. soft_nms lowers scores instead: by 1 - IoU above the
// threshold (linear), or by exp(-IoU^2 / sigma) (gaussian), and leaves out what falls below `least_score`.
//
// Costs: at most the number of kept boxes times that of all, without memory for pairs; 2,000 boxes take below a millisecond on one core.
// It runs on the host: tensors of a GPU are copied there and back, which synchronises. Errors: input_error for numbers of boxes, scores and
// classes that differ.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/detection/box_operations.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace c2f::detection {

/// For each picture of a batch the chosen boxes, best first.
struct chosen_boxes {
  at::Tensor index;  ///< [N, most] int64; 0 where not valid
  at::Tensor valid;  ///< [N, most] bool
};
/// The boxes that are left, best first, and their scores.
struct soft_boxes {
  at::Tensor index;   ///< [K] int64
  at::Tensor scores;  ///< [K]
};
struct soft_nms_options {
  enum class method { linear, gaussian };
  method by          = method::linear;
  double threshold   = .3;    ///< linear: IoU above which a score is lowered
  double sigma       = .5;    ///< gaussian
  double least_score = .001;  ///< lower ones are left out
};

namespace detail {

/// Indices by descending score, of equal ones the lower first; NaN last.
template <class Number>
std::vector<std::int64_t> by_score(Number const* scores, std::int64_t count) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  auto const rank = [&](std::int64_t i) { return std::isnan(scores[i]) ? -std::numeric_limits<Number>::infinity() : scores[i]; };
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return rank(a) != rank(b) ? rank(a) > rank(b) : a < b; });
  return order;
}

/// Whether one of the others has an IoU above the threshold with the box. Compared is inter / union > threshold, as torchvision does, but the
/// division is made only where a cheap bound leaves it open.
template <class Number>
bool is_suppressed(box_columns<Number> const& others, Number const* box, double threshold) {
  auto const& [x0, y0, x1, y1, area] = others;
  Number const left = box[0], top = box[1], right = box[2], bottom = box[3], size = area_of(box);
  Number const low            = static_cast<Number>(threshold) * (1 - 8 * std::numeric_limits<Number>::epsilon());
  constexpr std::size_t block = 32;
  for (std::size_t at = 0; at < x0.size(); at += block) {
    std::size_t const end = std::min(at + block, x0.size());
    int any               = 0;
    auto const shared     = [&](std::size_t i) { return shared_area(x0[i], y0[i], x1[i], y1[i], left, top, right, bottom); };
    for (std::size_t i = at; i < end; ++i) {
      Number const inter = shared(i);
      any |= inter > low * (area[i] + size - inter) ? 1 : 0;
    }
    if (any == 0) continue;
    for (std::size_t i = at; i < end; ++i) {
      Number const inter = shared(i);
      if (inter > 0 && static_cast<double>(inter / (area[i] + size - inter)) > threshold) return true;
    }
  }
  return false;
}

/// The kept ones among boxes in the order of their visits, at most `most`; boxes of one group suppress each other.
template <class Number, class Group>
std::vector<std::int64_t> kept_boxes(Number const* boxes, std::vector<std::int64_t> const& order, Group const& group_of, double threshold,
                                     std::int64_t most) {
  std::vector<std::int64_t> kept;
  std::vector<std::int64_t> groups;  // that were met, in the order of their first boxes
  std::vector<box_columns<Number>> of_group;
  for (std::int64_t const i : order) {
    if (std::ssize(kept) >= most) break;
    std::int64_t const group = group_of(i);
    auto found               = static_cast<std::size_t>(std::find(groups.begin(), groups.end(), group) - groups.begin());
    if (found == groups.size()) groups.push_back(group), of_group.emplace_back();
    auto& others = of_group[found];
    if (is_suppressed(others, boxes + 4 * i, threshold)) continue;
    others.add(boxes + 4 * i);
    kept.push_back(i);
  }
  return kept;
}

inline at::Tensor on_host(at::Tensor const& boxes) {
  at::Tensor const there = boxes.is_cpu() ? boxes : boxes.cpu();
  return (there.scalar_type() == at::kDouble ? there : there.to(at::kFloat)).contiguous();
}
inline at::Tensor indices(std::span<std::int64_t const> of) {
  at::Tensor made = at::empty({std::ssize(of)}, at::TensorOptions(at::kLong));
  std::copy(of.begin(), of.end(), made.mutable_data_ptr<std::int64_t>());
  return made;
}
inline void check_boxes_and_scores(at::Tensor const& boxes, at::Tensor const& scores) {
  if (boxes.dim() != scores.dim() + 1 || boxes.size(-1) != 4 || boxes.sizes().slice(0, boxes.sizes().size() - 1) != scores.sizes())
    throw input_error("boxes of " + c2f::detail::dims_of(boxes) + " and scores of " + c2f::detail::dims_of(scores) +
                      " were given; boxes are [R, 4], and there is a score for each");
}
inline void check_classes(at::Tensor const& classes, std::int64_t count) {
  if (classes.numel() != count)
    throw input_error(std::to_string(classes.numel()) + " classes for " + std::to_string(count) +
                      " boxes were given; there is one for each");
}
template <class F>
auto for_box_number(at::Tensor const& boxes, F const& f) {
  return boxes.scalar_type() == at::kDouble ? f(double{}) : f(float{});
}

}  // namespace detail

/// [R, 4], [R], [R] int64 -> [K] int64: the kept boxes, best first; only boxes of one class suppress each other. Undefined classes: of one.
[[nodiscard]] inline at::Tensor class_nms(at::Tensor const& boxes, at::Tensor const& scores, at::Tensor const& classes, double threshold) {
  detail::check_boxes_and_scores(boxes, scores);
  at::Tensor const box = detail::on_host(boxes), score = detail::on_host(scores).to(box.scalar_type());
  at::Tensor const group = classes.defined() ? classes.cpu().to(at::kLong).contiguous() : classes;
  if (group.defined()) detail::check_classes(group, scores.numel());
  auto const kept = detail::for_box_number(box, [&]<class Number>(Number) {
    std::int64_t const* const of = group.defined() ? group.const_data_ptr<std::int64_t>() : nullptr;
    return detail::kept_boxes(
        box.const_data_ptr<Number>(), detail::by_score(score.const_data_ptr<Number>(), score.numel()),
        [&](std::int64_t i) { return of == nullptr ? 0 : of[i]; }, threshold, score.numel());
  });
  return detail::indices(kept).to(boxes.device());
}
/// Of boxes of one class.
[[nodiscard]] inline at::Tensor nms(at::Tensor const& boxes, at::Tensor const& scores, double threshold) {
  return class_nms(boxes, scores, {}, threshold);
}

/// The best boxes of each picture after suppression: [N, P, 4], [N, P], groups [P] or [N, P] int64 or undefined. Boxes without an area and
/// with a score of -infinity or NaN are never chosen.
[[nodiscard]] inline chosen_boxes best_boxes(at::Tensor const& boxes, at::Tensor const& scores, at::Tensor const& classes, double threshold,
                                             std::int64_t most) {
  detail::check_boxes_and_scores(boxes, scores);
  std::int64_t const pictures = scores.size(0), count = scores.size(1);
  at::Tensor const box = detail::on_host(boxes), score = detail::on_host(scores).to(box.scalar_type());
  at::Tensor const group = classes.defined() ? classes.cpu().to(at::kLong).expand({pictures, count}).contiguous() : classes;
  chosen_boxes made{at::zeros({pictures, most}, at::TensorOptions(at::kLong)), at::zeros({pictures, most}, at::TensorOptions(at::kBool))};
  auto* index = made.index.mutable_data_ptr<std::int64_t>();
  auto* valid = made.valid.mutable_data_ptr<bool>();
  detail::for_box_number(box, [&]<class Number>(Number) {
    for (std::int64_t n = 0; n < pictures; ++n, index += most, valid += most) {
      Number const* const of       = box.const_data_ptr<Number>() + n * count * 4;
      Number const* const by       = score.const_data_ptr<Number>() + n * count;
      std::int64_t const* const in = group.defined() ? group.const_data_ptr<std::int64_t>() + n * count : nullptr;
      auto order                   = detail::by_score(by, count);
      std::erase_if(order, [&](std::int64_t i) {
        return !(by[i] > -std::numeric_limits<Number>::infinity()) || !(of[4 * i + 2] > of[4 * i]) || !(of[4 * i + 3] > of[4 * i + 1]);
      });
      auto const kept = detail::kept_boxes(of, order, [&](std::int64_t i) { return in == nullptr ? 0 : in[i]; }, threshold, most);
      std::copy(kept.begin(), kept.end(), index);
      std::fill_n(valid, kept.size(), true);
    }
  });
  return {made.index.to(boxes.device()), made.valid.to(boxes.device())};
}

/// [R, 4], [R] -> what is left, best first, with lowered scores.
[[nodiscard]] inline soft_boxes soft_nms(at::Tensor const& boxes, at::Tensor const& scores, soft_nms_options const& options = {}) {
  detail::check_boxes_and_scores(boxes, scores);
  at::Tensor const box = detail::on_host(boxes), score = detail::on_host(scores).to(box.scalar_type());
  return detail::for_box_number(box, [&]<class Number>(Number) {
    Number const* const of = box.const_data_ptr<Number>();
    std::vector<Number> left(score.const_data_ptr<Number>(), score.const_data_ptr<Number>() + score.numel());
    std::vector<std::int64_t> waiting(left.size()), chosen;
    std::iota(waiting.begin(), waiting.end(), 0);
    std::erase_if(waiting,
                  [&](std::int64_t i) { return !(left[static_cast<std::size_t>(i)] >= static_cast<Number>(options.least_score)); });
    while (!waiting.empty()) {
      auto const best      = std::max_element(waiting.begin(), waiting.end(), [&](std::int64_t a, std::int64_t b) {
        return left[static_cast<std::size_t>(a)] < left[static_cast<std::size_t>(b)];
      });
      std::int64_t const i = *best;
      waiting.erase(best);
      chosen.push_back(i);
      std::erase_if(waiting, [&](std::int64_t j) {
        Number const *const a = of + 4 * i, *const b = of + 4 * j;
        Number const inter = detail::shared_area(b, a),
                     iou   = inter > 0 ? inter / (detail::area_of(a) + detail::area_of(b) - inter) : Number{0};
        auto& lower        = left[static_cast<std::size_t>(j)];
        if (options.by == soft_nms_options::method::gaussian)
          lower *= std::exp(-iou * iou / static_cast<Number>(options.sigma));
        else if (iou > static_cast<Number>(options.threshold))
          lower *= 1 - iou;
        return !(lower >= static_cast<Number>(options.least_score));
      });
    }
    at::Tensor made = at::empty({std::ssize(chosen)}, score.options());
    auto* to        = made.mutable_data_ptr<Number>();
    for (std::int64_t const i : chosen) *to++ = left[static_cast<std::size_t>(i)];
    return soft_boxes{detail::indices(chosen).to(boxes.device()), made.to(scores.options())};
  });
}

}  // namespace c2f::detection
