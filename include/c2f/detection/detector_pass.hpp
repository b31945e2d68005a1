// c2f/detection/detector_pass.hpp: what all detectors have in common: the maps of their backbone, and one answer from several views of a picture.
//
//   c2f::detection::answer_options const how{.flip = true, .scales = {1, 1.25}};     // four views: both scales, as they are and mirrored
//
// run_detector: in training train_on(images, p), which adds losses and has no answers, [N, 0, numbers]; else the answer of the candidates of all
// views, each in pixels of the input: look(view, p) -> detector_view. With masks, they are read for the final boxes alone, in every view, and averaged:
// masks_in(levels, boxes, picture, label) of boxes [R, 4] in pixels of the view -> [R, m, m].
//
// A view of another scale has the input's height and width times the factor, rounded to multiples of `grid`, the stride of the coarsest level, by bilinear
// interpolation; so the backbone of a detector stands on images of any height and width. The first view is that of the first scale, not mirrored; it
// leaves the side outputs of the pass.
//
// Costs: a pass for each view. Errors: input_error for no scale, or one out of range.
#pragma once

#include <c2f/core/architecture.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/detection/candidates.hpp>
#include <c2f/execution/resize.hpp>
#include <c2f/layers/max_pool.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace c2f::detection {

/// What a detector has found in one view of a batch.
struct detector_view {
  candidates found;                  ///< in pixels of the view
  std::vector<at::Tensor> levels{};  ///< what masks are read from
};

/// The maps of a backbone that may be a stack; `extra` more by halving the last.
template <class Backbone>
[[nodiscard]] std::vector<at::Tensor> levels_of(Backbone const& backbone, at::Tensor const& images, int extra, pass& p) {
  value_of<typename Backbone::output> const found = run_network(backbone, images, p);
  std::vector<at::Tensor> maps(found.begin(), found.end());
  for (int i = 0; i < extra; ++i) maps.push_back(c2f::detail::max_pooled(maps.back(), 1, 2, 0));
  return maps;
}

namespace detail {

/// The stride of the coarsest of a number of levels.
inline std::int64_t grid_of(double stride, std::size_t levels) {
  return static_cast<std::int64_t>(std::llround(std::ldexp(stride, static_cast<int>(levels) - 1)));
}
inline void check_scales(std::vector<double> const& scales) {
  bool const fit          = std::all_of(scales.begin(), scales.end(), [](double each) { return each >= .25 && each <= 4; });
  std::string const found = scales.empty() ? "no scale" : "a scale that is not from 0.25 to 4";
  if (scales.empty() || !fit)
    throw input_error("answers.scales of a detector has " + found + "; write factors of the size of its input, as in {1, 1.25}");
}
inline at::Tensor at_scale(at::Tensor const& images, double scale, std::int64_t grid) {
  if (scale == 1) return images;
  auto const side = [&](std::int64_t pixels) {
    return grid * std::max<std::int64_t>(1, std::llround(scale * static_cast<double>(pixels) / static_cast<double>(grid)));
  };
  return resize_bilinear(images, side(images.size(2)), side(images.size(3)));
}
/// The size of a picture.
struct view_size {
  double height, width;
};
/// Boxes [..., 4] of a picture in the same one of another size; mirrored: and mirrored.
inline at::Tensor in_view(at::Tensor const& boxes, view_size const& from, view_size const& to, bool mirrored) {
  auto const edge     = [&](std::int64_t i) { return boxes.select(-1, i); };
  at::Tensor const at = mirrored ? at::stack({edge(2).neg().add(from.width), edge(1), edge(0).neg().add(from.width), edge(3)}, -1) : boxes;
  if (from.height == to.height && from.width == to.width) return at;
  double const x = to.width / from.width, y = to.height / from.height;
  return at::stack({at.select(-1, 0).mul(x), at.select(-1, 1).mul(y), at.select(-1, 2).mul(x), at.select(-1, 3).mul(y)}, -1);
}

}  // namespace detail

/// See the top of this file. Kind: c2f::detections.
template <class Kind, class Train, class Look, class Masks>
[[nodiscard]] at::Tensor run_detector(at::Tensor const& images, pass& p, answer_options const& answers, std::int64_t grid,
                                      Train const& train_on, Look const& look, Masks const& masks_in) {
  if (p.training()) {
    train_on(images, p);
    return at::empty({images.size(0), 0, Kind::numbers}, at::TensorOptions(at::kFloat).device(images.device()));
  }
  detail::check_scales(answers.scales);
  auto const size_of = [](at::Tensor const& of) {
    return detail::view_size{static_cast<double>(of.size(2)), static_cast<double>(of.size(3))};
  };
  struct kept_view {
    std::vector<at::Tensor> levels;
    detail::view_size size;
    bool mirrored;
  };
  std::vector<kept_view> views;
  candidates all;
  for (double const scale : answers.scales) {
    at::Tensor const sized = detail::at_scale(images, scale, grid);
    for (bool const mirrored : {false, true}) {
      if (mirrored && !answers.flip) continue;
      pass other{.mode = p.mode};
      detector_view seen = look(mirrored ? sized.flip({3}) : sized, views.empty() ? p : other);
      seen.found.boxes   = detail::in_view(seen.found.boxes, size_of(sized), size_of(images), mirrored);
      all                = views.empty() ? std::move(seen.found) : joined(all, seen.found);
      views.push_back({std::move(seen.levels), size_of(sized), mirrored});
    }
  }
  at::Tensor const raw = answer_of(all, answers, Kind::answers, images.size(2), images.size(3));
  if constexpr (Kind::mask > 0) {
    auto const size       = size_of(images);
    at::Tensor const rows = raw.flatten(0, 1), there = rows.select(1, 4).gt(0).nonzero().view({-1}), of = rows.index_select(0, there);
    at::Tensor const picture = there.div(Kind::answers, "floor"), label = of.select(1, 5).to(at::kLong);
    at::Tensor const boxes = detail::in_view(of.narrow(1, 0, 4), {1, 1}, size, false);
    at::Tensor sum;
    for (auto const& view : views) {
      // Mirrored in pixels of the input, then brought to those of the view.
      at::Tensor const cells = masks_in(view.levels, detail::in_view(boxes, size, view.size, view.mirrored), picture, label);
      at::Tensor const back  = view.mirrored ? cells.flip({2}) : cells;
      sum                    = sum.defined() ? sum.add(back) : back;
    }
    at::Tensor const masks = at::zeros({rows.size(0), Kind::mask * Kind::mask}, rows.options())
                                 .index_copy(0, there, sum.flatten(1).div(static_cast<double>(views.size())).to(rows.scalar_type()));
    return at::cat({raw, masks.view({raw.size(0), Kind::answers, -1})}, 2);
  } else {
    return raw;
  }
}

}  // namespace c2f::detection
