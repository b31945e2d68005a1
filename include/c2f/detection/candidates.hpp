// c2f/detection/candidates.hpp: from scored boxes to the answer of a detector.
//
//   c2f::detection::answer_options const how{.least_score = .05, .overlap = .5};
//   at::Tensor const raw = c2f::detection::answer_of(boxes_with_scores, how, 100, 192, 256);         // [N, 100, 6], the raw output of c2f::detections
//
// Candidates are boxes with a score and a class each; one box with K scores is K candidates. Those of `least_score` or less, without an area or
// with numbers that are NaN are left out, then boxes of a class suppress each other (hard or soft), and the best are kept. Several views of a picture are one list of candidates.
// Costs: those of detection/nms.hpp; on the host. Errors: those of it.
#pragma once

#include <c2f/detection/assign.hpp>
#include <c2f/detection/box_operations.hpp>
#include <c2f/detection/nms.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <tuple>
#include <vector>

namespace c2f::detection {

/// How the answers of a detector are chosen.
struct answer_options {
  double least_score = .05;    ///< candidates of this score or a lower one are left out
  double overlap     = .5;     ///< boxes of one class with a higher IoU with a better one are left out
  bool soft          = false;  ///< their scores are lowered instead (soft-NMS)
  bool flip          = false;  ///< candidates of the mirrored picture, too
  soft_nms_options how_soft{};
  std::vector<double> scales{1};  ///< candidates of the picture at these factors of the size of the input (detection/detector_pass.hpp)
};

/// Boxes of a batch that may become answers.
struct candidates {
  at::Tensor boxes;    ///< [N, P, 4] float, in pixels
  at::Tensor scores;   ///< [N, P]
  at::Tensor classes;  ///< [N, P] int64
};

/// Of both.
[[nodiscard]] inline candidates joined(candidates const& a, candidates const& b) {
  return {at::cat({a.boxes, b.boxes}, 1), at::cat({a.scores, b.scores}, 1), at::cat({a.classes, b.classes}, 1)};
}

namespace detail {
/// soft_nms of every class: [N, most, 6]; `given` scores of -infinity are no candidates.
inline at::Tensor soft_answer(candidates const& of, at::Tensor const& given, answer_options const& how, std::int64_t most) {
  at::Tensor const boxes = of.boxes.to(at::kCPU, at::kFloat), scores = given.to(at::kCPU, at::kFloat), classes = of.classes.cpu();
  at::Tensor made = at::zeros({boxes.size(0), most, 6}, at::TensorOptions(at::kFloat));
  for (std::int64_t n = 0; n < boxes.size(0); ++n) {
    std::vector<std::tuple<float, std::int64_t, std::int64_t>> all;  // -score, class, box
    std::int64_t const last = classes.numel() == 0 ? -1 : classes.max().item<std::int64_t>();
    for (std::int64_t k = 0; k <= last; ++k) {
      at::Tensor const chosen =
          classes.select(0, n).eq(k).logical_and(scores.select(0, n).gt(-std::numeric_limits<double>::infinity())).nonzero().view({-1});
      if (chosen.numel() == 0) continue;
      auto const left = soft_nms(boxes.select(0, n).index_select(0, chosen), scores.select(0, n).index_select(0, chosen), how.how_soft);
      for (std::int64_t i = 0; i < left.index.numel(); ++i)
        all.emplace_back(-left.scores[i].item<float>(), k, chosen[left.index[i].item<std::int64_t>()].item<std::int64_t>());
    }
    std::sort(all.begin(), all.end());
    for (std::int64_t i = 0; i < std::min<std::int64_t>(most, std::ssize(all)); ++i) {
      auto const [score, label, box] = all[static_cast<std::size_t>(i)];
      made[n][i].narrow(0, 0, 4).copy_(boxes[n][box]);
      made[n][i][4].fill_(-score);
      made[n][i][5].fill_(label);
    }
  }
  return made.to(of.boxes.device());
}
}  // namespace detail

/// [N, most, 6]: box, score, class; best first, then rows of zeros. Boxes as fractions of a picture of this size.
[[nodiscard]] inline at::Tensor answer_of(candidates const& of, answer_options const& how, std::int64_t most, std::int64_t height,
                                          std::int64_t width) {
  auto const fractions = [&](at::Tensor const& rows) {
    at::Tensor size = at::ones({6}, rows.options());
    size.narrow(0, 0, 4).copy_(at::stack({at::full({}, width, rows.options()), at::full({}, height, rows.options())}).repeat({2}));
    return rows.div(size);
  };
  at::Tensor const wanted = of.scores.gt(how.least_score).logical_and(detail::sides(of.boxes).gt(0).all(2));
  at::Tensor const scores = of.scores.masked_fill(wanted.logical_not(), -std::numeric_limits<double>::infinity());
  if (how.soft) return fractions(detail::soft_answer(of, scores, how, most));
  auto const [index, valid] = best_boxes(of.boxes, scores, of.classes, how.overlap, most);
  at::Tensor const rows     = at::cat({of.boxes, of.scores.unsqueeze(2), of.classes.to(of.boxes.scalar_type()).unsqueeze(2)}, 2);
  return fractions(rows_of(rows, index).masked_fill(valid.logical_not().unsqueeze(2), 0));
}

}  // namespace c2f::detection
