// c2f/detection/roi_align.hpp: the features within boxes, resampled to one size (He et al., "Mask R-CNN", ICCV 2017).
//
//   at::Tensor const inside = c2f::detection::roi_align(map, boxes, picture, 1. / 16, 7);      // [N, C, H, W], [R, 4], [R] -> [R, C, 7, 7]
//
// Boxes are in pixels of the picture, `scale` is the map's size over the picture's, `picture` says of which of the N maps each box is; a box
// of a picture outside of 0 ... N - 1 gives zeros. A cell is the mean of sampling x sampling points, interpolated bilinearly; 0: as many as
// the cell is long in the map, 4,096 at most. aligned: the centre of pixel 0 is at .5, else at 0, as before 2019. Answers and gradients are those of
// torchvision: points more than a pixel outside of the map are 0, and boxes get no gradient.
//
// On a CPU the weights of the points of a cell are added up for each pixel of the map first, row by row and column by column, and channels are
// innermost: maps in channels_last are not copied, and so are the answers. The gradient of a pixel is a sum in the order of the boxes, by one
// thread, so it has the same bytes every time. Elsewhere both are gathers of ATen: their backward pass has the same bytes every time under
// c2f::train's deterministic mode only.
//
// Costs: R x out x out x (2 sampling)^2 x C multiply-adds at most, without temporary memory on a CPU. About 6 s to compile, for
// torch/csrc/autograd/custom_function.h. Errors: input_error for tensors of other shapes.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace c2f::detection {

namespace detail {

struct roi_options {
  double scale;
  std::int64_t out, sampling;
  bool aligned;
};

inline constexpr std::int64_t most_roi_points = 4096;  // of a cell, along an axis

/// For each cell of an axis the pixels it reads, and what they count.
template <class Number>
struct roi_axis {
  struct tap {
    std::int64_t pixel;
    Number weight;
  };
  std::vector<tap> taps{};
  std::vector<std::size_t> ends{};  // of the taps of each cell

  void place(Number first, Number last, std::int64_t size, roi_options const& how) {
    taps.clear(), ends.clear();
    Number const offset = how.aligned ? Number(.5) : Number(0), scale = static_cast<Number>(how.scale);
    Number const start = first * scale - offset;
    Number length      = last * scale - offset - start;
    if (!how.aligned) length = std::max(length, Number(1));
    Number const cell   = length / static_cast<Number>(how.out);
    std::int64_t points = how.sampling;
    if (points <= 0) points = !(cell > 0) ? 0 : static_cast<std::int64_t>(std::min(std::ceil(cell), static_cast<Number>(most_roi_points)));
    for (std::int64_t i = 0; i < how.out; ++i) {
      std::size_t const begin = taps.size();
      auto const add          = [&](std::int64_t pixel, Number weight) {
        for (std::size_t k = taps.size(); k > begin && k + 2 > taps.size(); --k)
          if (taps[k - 1].pixel == pixel) return void(taps[k - 1].weight += weight);
        taps.push_back({pixel, weight});
      };
      for (std::int64_t k = 0; k < points; ++k) {
        Number at = start + static_cast<Number>(i) * cell + (static_cast<Number>(k) + Number(.5)) * cell / static_cast<Number>(points);
        if (!(at >= -1 && at <= static_cast<Number>(size))) continue;
        at             = std::max(at, Number(0));
        auto const low = static_cast<std::int64_t>(at);
        if (low >= size - 1) {
          add(size - 1, Number(1) / static_cast<Number>(points));
          continue;
        }
        Number const part = at - static_cast<Number>(low);
        add(low, (1 - part) / static_cast<Number>(points));
        add(low + 1, part / static_cast<Number>(points));
      }
      ends.push_back(taps.size());
    }
  }
};

/// Calls f(cell, pixel, weight) for what each cell of a box reads, cell by cell, in a fixed order; begin(cell) and end(cell) around each cell.
template <class Number, class F>
void for_cells(roi_axis<Number> const& rows, roi_axis<Number> const& columns, std::int64_t width, F&& of_cell) {
  std::size_t first_row = 0;
  std::int64_t cell     = 0;
  static thread_local std::vector<typename roi_axis<Number>::tap> read;
  for (std::size_t const last_row : rows.ends) {
    std::size_t first_column = 0;
    for (std::size_t const last_column : columns.ends) {
      read.clear();
      for (std::size_t y = first_row; y < last_row; ++y)
        for (std::size_t x = first_column; x < last_column; ++x)
          read.push_back({rows.taps[y].pixel * width + columns.taps[x].pixel, rows.taps[y].weight * columns.taps[x].weight});
      of_cell(cell++, read);
      first_column = last_column;
    }
    first_row = last_row;
  }
}

/// to[c] = sum of weight * from[pixel][c].
template <class Number>
void read_cell(std::vector<typename roi_axis<Number>::tap> const& taps, Number const* from, std::int64_t channels, Number* to) {
  constexpr std::int64_t block = 64 / sizeof(Number) * 2;
  std::int64_t c               = 0;
  for (; c + block <= channels; c += block) {
    Number sum[block] = {};
    for (auto const& each : taps) {
      Number const* const row = from + each.pixel * channels + c;
      for (std::int64_t k = 0; k < block; ++k) sum[k] += each.weight * row[k];
    }
    for (std::int64_t k = 0; k < block; ++k) to[c + k] = sum[k];
  }
  for (; c < channels; ++c) {
    Number sum = 0;
    for (auto const& each : taps) sum += each.weight * from[each.pixel * channels + c];
    to[c] = sum;
  }
}

template <class Number>
void roi_align_forward(at::Tensor const& map, at::Tensor const& boxes, at::Tensor const& picture, roi_options const& how,
                       at::Tensor const& out) {
  std::int64_t const n = map.size(0), channels = map.size(1), height = map.size(2), width = map.size(3), cells = how.out * how.out;
  auto const* const from = map.const_data_ptr<Number>();
  auto const* const box  = boxes.const_data_ptr<Number>();
  auto const* const of   = picture.const_data_ptr<std::int64_t>();
  auto* const to         = out.mutable_data_ptr<Number>();
  at::parallel_for(0, boxes.size(0), 8, [&](std::int64_t begin, std::int64_t end) {
    roi_axis<Number> rows, columns;
    for (std::int64_t r = begin; r < end; ++r) {
      Number* const made = to + r * cells * channels;
      if (of[r] < 0 || of[r] >= n) {
        std::fill_n(made, cells * channels, Number(0));
        continue;
      }
      rows.place(box[4 * r + 1], box[4 * r + 3], height, how);
      columns.place(box[4 * r], box[4 * r + 2], width, how);
      Number const* const mine = from + of[r] * height * width * channels;
      for_cells(rows, columns, width,
                [&](std::int64_t cell, auto const& taps) { read_cell<Number>(taps, mine, channels, made + cell * channels); });
    }
  });
}

template <class Number>
void roi_align_backward(at::Tensor const& gradient, at::Tensor const& boxes, at::Tensor const& picture, roi_options const& how,
                        at::Tensor const& of_map) {
  std::int64_t const n = of_map.size(0), channels = of_map.size(1), height = of_map.size(2), width = of_map.size(3),
                     cells = how.out * how.out;
  auto const* const from   = gradient.const_data_ptr<Number>();
  auto const* const box    = boxes.const_data_ptr<Number>();
  auto const* const of     = picture.const_data_ptr<std::int64_t>();
  auto* const to           = of_map.mutable_data_ptr<Number>();
  // A thread has some of the channels of all boxes, so no two write to one number.
  at::parallel_for(0, channels, 32, [&](std::int64_t begin, std::int64_t end) {
    roi_axis<Number> rows, columns;
    for (std::int64_t r = 0; r < boxes.size(0); ++r) {
      if (of[r] < 0 || of[r] >= n) continue;
      rows.place(box[4 * r + 1], box[4 * r + 3], height, how);
      columns.place(box[4 * r], box[4 * r + 2], width, how);
      Number* const mine         = to + of[r] * height * width * channels;
      Number const* const of_box = from + r * cells * channels;
      for_cells(rows, columns, width, [&](std::int64_t cell, auto const& taps) {
        Number const* const g = of_box + cell * channels;
        for (auto const& each : taps) {
          Number* const pixel = mine + each.pixel * channels;
          Number const weight = each.weight;
          for (std::int64_t c = begin; c < end; ++c) pixel[c] += weight * g[c];
        }
      });
    }
  });
}

struct roi_align_function : torch::autograd::Function<roi_align_function> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::Tensor const& map, at::Tensor const& boxes,
                            at::Tensor const& picture, double scale, std::int64_t out, std::int64_t sampling, bool aligned) {
    context->save_for_backward({boxes, picture});
    context->saved_data["scale"]    = scale;
    context->saved_data["sampling"] = sampling;
    context->saved_data["aligned"]  = aligned;
    context->saved_data["sizes"]    = map.sizes().vec();
    at::Tensor made                 = at::empty({boxes.size(0), map.size(1), out, out}, map.options(), at::MemoryFormat::ChannelsLast);
    at::Tensor const inner          = map.contiguous(at::MemoryFormat::ChannelsLast);
    roi_options const how{scale, out, sampling, aligned};
    if (map.scalar_type() == at::kDouble)
      roi_align_forward<double>(inner, boxes, picture, how, made);
    else
      roi_align_forward<float>(inner, boxes, picture, how, made);
    return made;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list const& gradients) {
    auto const saved          = context->get_saved_variables();
    at::Tensor const gradient = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    auto const sizes          = context->saved_data["sizes"].toIntVector();
    at::Tensor of_map         = at::empty(sizes, gradient.options(), at::MemoryFormat::ChannelsLast).zero_();
    roi_options const how{context->saved_data["scale"].toDouble(), gradient.size(2), context->saved_data["sampling"].toInt(),
                          context->saved_data["aligned"].toBool()};
    if (gradient.scalar_type() == at::kDouble)
      roi_align_backward<double>(gradient, saved[0], saved[1], how, of_map);
    else
      roi_align_backward<float>(gradient, saved[0], saved[1], how, of_map);
    return {of_map, {}, {}, {}, {}, {}, {}};
  }
};

/// The same by gathers of ATen, for sampling > 0.
inline at::Tensor roi_align_of_gathers(at::Tensor const& map, at::Tensor const& boxes, at::Tensor const& picture, roi_options const& how) {
  std::int64_t const n = map.size(0), channels = map.size(1), height = map.size(2), width = map.size(3), rois = boxes.size(0),
                     points = how.out * how.sampling;
  double const offset       = how.aligned ? .5 : 0;
  struct taps {
    at::Tensor pixel, weight;
  };  // [R, points, 2]
  auto const along = [&](std::int64_t axis, std::int64_t size) {
    at::Tensor const start = boxes.select(1, axis).mul(how.scale).sub(offset);
    at::Tensor length      = boxes.select(1, axis + 2).mul(how.scale).sub(offset).sub(start);
    if (!how.aligned) length = length.clamp_min(1);
    at::Tensor const place  = at::arange(points, boxes.options()).add(.5).div(static_cast<double>(points));
    at::Tensor const at     = start.unsqueeze(1).add(length.unsqueeze(1).mul(place));
    at::Tensor const inside = at.ge(-1).logical_and(at.le(static_cast<double>(size))), clamped = at.clamp(0, static_cast<double>(size - 1));
    at::Tensor const low = clamped.floor(), part = clamped.sub(low);
    at::Tensor const high = low.add(1).clamp_max(static_cast<double>(size - 1));
    return taps{at::stack({low, high}, 2).to(at::kLong), at::stack({part.neg().add(1), part}, 2).mul(inside.unsqueeze(2))};
  };
  taps const rows = along(1, height), columns = along(0, width);
  at::Tensor const known = picture.ge(0).logical_and(picture.lt(n)), of = picture.clamp(0, n - 1);
  at::Tensor const row   = of.view({-1, 1, 1, 1, 1}).mul(height).add(rows.pixel.view({rois, points, 1, 2, 1})).mul(width);
  at::Tensor const index = row.add(columns.pixel.view({rois, 1, points, 1, 2}));
  at::Tensor const weight =
      rows.weight.view({rois, points, 1, 2, 1}).mul(columns.weight.view({rois, 1, points, 1, 2})).mul(known.view({-1, 1, 1, 1, 1}));
  at::Tensor const pixels = map.permute({0, 2, 3, 1}).reshape({n * height * width, channels}).index_select(0, index.reshape({-1}));
  at::Tensor const sums   = pixels.view({rois, points, points, 4, channels}).mul(weight.view({rois, points, points, 4, 1})).sum(3);
  return sums.view({rois, how.out, how.sampling, how.out, how.sampling, channels}).mean({2, 4}).permute({0, 3, 1, 2});
}

}  // namespace detail

/// [N, C, H, W], [R, 4], [R] int64 -> [R, C, out, out]; see the top of this file.
[[nodiscard]] inline at::Tensor roi_align(at::Tensor const& map, at::Tensor const& boxes, at::Tensor const& picture, double scale,
                                          std::int64_t out, std::int64_t sampling = 2, bool aligned = true) {
  if (map.dim() != 4 || boxes.dim() != 2 || boxes.size(1) != 4 || picture.dim() != 1 || picture.size(0) != boxes.size(0) || out < 1)
    throw input_error("roi_align got maps of " + c2f::detail::dims_of(map) + ", boxes of " + c2f::detail::dims_of(boxes) +
                      ", pictures of " + c2f::detail::dims_of(picture) + " and " + std::to_string(out) +
                      " cells; maps are [N, C, H, W], boxes [R, 4], pictures [R], and cells 1 or more");
  bool const narrow      = map.scalar_type() != at::kFloat && map.scalar_type() != at::kDouble;
  at::Tensor const of    = narrow ? map.to(at::kFloat) : map;
  at::Tensor const box   = boxes.detach().to(of.scalar_type()).contiguous();
  at::Tensor const whose = picture.to(at::kLong).contiguous();
  at::Tensor made;
  if (of.is_cpu())
    made = detail::roi_align_function::apply(of, box, whose, scale, out, sampling, aligned);
  else if (sampling < 1)
    throw input_error("roi_align by the length of cells runs on the CPU; write how many points a cell has along each axis, such as 2");
  else
    made = detail::roi_align_of_gathers(of, box, whose, {scale, out, sampling, aligned});
  return narrow ? made.to(map.scalar_type()) : made;
}

}  // namespace c2f::detection
