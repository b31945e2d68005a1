// c2f/detection/roi_align.hpp: the features within boxes, resampled to one size (He et al., "Mask R-CNN", ICCV 2017).
//
//   at::Tensor const inside = c2f::detection::roi_align(map, boxes, picture, 1. / 16, 7);      // [N, C, H, W], [R, 4], [R] -> [R, C, 7, 7]
//   at::Tensor const each   = c2f::detection::roi_align({map, small}, boxes, picture, level, {1. / 4, 1. / 8}, 7);     // each of its level
//
// Boxes are in pixels of the picture, `scale` is the map's size over the picture's, `picture` says of which of the N maps each box is; a box
// of a picture outside of 0 ... N - 1 gives zeros. A cell is the mean of sampling x sampling points, interpolated bilinearly; 0: as many as
// the cell is long in the map, 4,096 at most. aligned: the centre of pixel 0 is at .5, else at 0, as before 2019. Answers and gradients are those of
// torchvision: points more than a pixel outside of the map are 0, and boxes get no gradient. With a pyramid, [R] int64 says the level of each
// box; its maps are put one behind the other, which costs a copy and no more than one pass over the answer.
//
// On a CPU the weights of the points of a cell are added up for each pixel of the map first, row by row and column by column, and channels are
// innermost: maps in channels_last are not copied, and so are the answers. The gradient of a pixel is a sum in the order of the boxes, by one
// thread, so it has the same bytes every time. Elsewhere both are gathers of ATen: their backward pass has the same bytes every time under
// c2f::train's deterministic mode only.
//
// Costs: R x out x out x (2 sampling)^2 x C multiply-adds at most, without temporary memory on a CPU; elsewhere with memory for about three times
// R x (out x sampling)^2 x C numbers. About 6 s to compile, for
// torch/csrc/autograd/custom_function.h. Errors: input_error for tensors of other shapes.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/stack.h>
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
  std::int64_t out, sampling;
  bool aligned;
};
/// A map among others whose pixels are the rows of one tensor [pixels, C].
struct roi_level {
  std::int64_t pictures, height, width, first;  ///< first: its row
  double scale;
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

  void place(Number first, Number last, std::int64_t size, double scale_, roi_options const& how) {
    taps.clear(), ends.clear();
    Number const offset = how.aligned ? Number(.5) : Number(0), scale = static_cast<Number>(scale_);
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

/// Boxes [R, 4] of pictures and levels [R] int64.
struct roi_boxes {
  at::Tensor boxes, picture, level;
  std::vector<roi_level> levels;
  roi_options how;

  /// The first row of the map that box r reads, after `rows` and `columns` are placed there; -1: it reads none.
  template <class Number>
  std::int64_t place(std::int64_t r, roi_axis<Number>& rows, roi_axis<Number>& columns) const {
    std::int64_t const of = level.const_data_ptr<std::int64_t>()[r], n = picture.const_data_ptr<std::int64_t>()[r];
    if (of < 0 || of >= std::ssize(levels) || n < 0 || n >= levels[static_cast<std::size_t>(of)].pictures) return -1;
    roi_level const& map    = levels[static_cast<std::size_t>(of)];
    Number const* const box = boxes.const_data_ptr<Number>() + 4 * r;
    rows.place(box[1], box[3], map.height, map.scale, how);
    columns.place(box[0], box[2], map.width, map.scale, how);
    return map.first + n * map.height * map.width;
  }
  [[nodiscard]] std::int64_t width_of(std::int64_t r) const {
    return levels[static_cast<std::size_t>(level.const_data_ptr<std::int64_t>()[r])].width;
  }
};

/// pixels [P, C] -> out [R, cells, C].
template <class Number>
void roi_align_forward(at::Tensor const& pixels, roi_boxes const& of, at::Tensor const& out) {
  std::int64_t const channels = pixels.size(1), cells = of.how.out * of.how.out;
  auto const* const from = pixels.const_data_ptr<Number>();
  auto* const to         = out.mutable_data_ptr<Number>();
  at::parallel_for(0, of.boxes.size(0), 8, [&](std::int64_t begin, std::int64_t end) {
    roi_axis<Number> rows, columns;
    for (std::int64_t r = begin; r < end; ++r) {
      Number* const made       = to + r * cells * channels;
      std::int64_t const first = of.place(r, rows, columns);
      if (first < 0) {
        std::fill_n(made, cells * channels, Number(0));
        continue;
      }
      for_cells(rows, columns, of.width_of(r), [&](std::int64_t cell, auto const& taps) {
        read_cell<Number>(taps, from + first * channels, channels, made + cell * channels);
      });
    }
  });
}

template <class Number>
void roi_align_backward(at::Tensor const& gradient, roi_boxes const& of, at::Tensor const& of_pixels) {
  std::int64_t const channels = of_pixels.size(1), cells = of.how.out * of.how.out;
  auto const* const from = gradient.const_data_ptr<Number>();
  auto* const to         = of_pixels.mutable_data_ptr<Number>();
  // A thread has some of the channels of all boxes, so no two write to one number.
  at::parallel_for(0, channels, 32, [&](std::int64_t begin, std::int64_t end) {
    roi_axis<Number> rows, columns;
    for (std::int64_t r = 0; r < of.boxes.size(0); ++r) {
      std::int64_t const first = of.place(r, rows, columns);
      if (first < 0) continue;
      Number* const mine         = to + first * channels;
      Number const* const of_box = from + r * cells * channels;
      for_cells(rows, columns, of.width_of(r), [&](std::int64_t cell, auto const& taps) {
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
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::Tensor const& pixels, at::Tensor const& boxes,
                            at::Tensor const& picture, at::Tensor const& level, std::vector<roi_level> const& levels, std::int64_t out,
                            std::int64_t sampling, bool aligned) {
    context->save_for_backward({boxes, picture, level});
    std::vector<std::int64_t> sizes{pixels.size(0), out, sampling, aligned};
    std::vector<double> scales;
    for (auto const& each : levels) {
      sizes.insert(sizes.end(), {each.pictures, each.height, each.width, each.first});
      scales.push_back(each.scale);
    }
    context->saved_data["sizes"]  = sizes;
    context->saved_data["scales"] = scales;
    at::Tensor made               = at::empty({boxes.size(0), out, out, pixels.size(1)}, pixels.options());
    roi_boxes const of{boxes, picture, level, levels, {out, sampling, aligned}};
    pixels.scalar_type() == at::kDouble ? roi_align_forward<double>(pixels, of, made) : roi_align_forward<float>(pixels, of, made);
    return made;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list const& gradients) {
    auto const saved  = context->get_saved_variables();
    auto const sizes  = context->saved_data["sizes"].toIntVector();
    auto const scales = context->saved_data["scales"].toDoubleVector();
    std::vector<roi_level> levels;
    for (std::size_t i = 0; i < scales.size(); ++i) {
      auto const* const of = sizes.data() + 4 + 4 * i;
      levels.push_back({of[0], of[1], of[2], of[3], scales[i]});
    }
    roi_boxes const of{saved[0], saved[1], saved[2], levels, {sizes[1], sizes[2], sizes[3] != 0}};
    at::Tensor const gradient = gradients[0].contiguous(), of_pixels = at::zeros({sizes[0], gradient.size(3)}, gradient.options());
    gradient.scalar_type() == at::kDouble ? roi_align_backward<double>(gradient, of, of_pixels)
                                          : roi_align_backward<float>(gradient, of, of_pixels);
    return {of_pixels, {}, {}, {}, {}, {}, {}, {}};
  }
};

/// The same by gathers of ATen, for sampling > 0.
inline at::Tensor roi_align_of_gathers(at::Tensor const& pixels, roi_boxes const& of) {
  roi_options const& how      = of.how;
  std::int64_t const channels = pixels.size(1), rois = of.boxes.size(0), points = how.out * how.sampling;
  double const offset = how.aligned ? .5 : 0;
  // A number of the level of each box, [R]; made of scalars, as a copy from the host would wait for it.
  auto const by_level = [&](auto number) {
    at::Tensor made = at::zeros({rois}, of.boxes.options().dtype(at::kDouble));
    for (std::size_t i = 0; i < of.levels.size(); ++i)
      made = made.masked_fill(of.level.eq(static_cast<std::int64_t>(i)), static_cast<double>(number(of.levels[i])));
    return made;
  };
  at::Tensor const height = by_level([](auto const& l) { return l.height; }), width = by_level([](auto const& l) { return l.width; }),
                   pictures = by_level([](auto const& l) { return l.pictures; }), scale = by_level([](auto const& l) { return l.scale; });
  struct taps {
    at::Tensor pixel, weight;
  };  // [R, points, 2]
  auto const along = [&](std::int64_t axis, at::Tensor const& size) {
    at::Tensor const by    = scale.to(of.boxes.scalar_type());
    at::Tensor const start = of.boxes.select(1, axis).mul(by).sub(offset);
    at::Tensor length      = of.boxes.select(1, axis + 2).mul(by).sub(offset).sub(start);
    if (!how.aligned) length = length.clamp_min(1);
    at::Tensor const place = at::arange(points, of.boxes.options()).add(.5).div(static_cast<double>(points));
    at::Tensor const at = start.unsqueeze(1).add(length.unsqueeze(1).mul(place)), most = size.to(at.scalar_type()).unsqueeze(1);
    at::Tensor const inside  = at.ge(-1).logical_and(at.le(most));
    at::Tensor const clamped = at::minimum(at.clamp_min(0).nan_to_num(0), most.sub(1).clamp_min(0));
    at::Tensor const low = clamped.floor(), part = clamped.sub(low), high = at::minimum(low.add(1), most.sub(1).clamp_min(0));
    return taps{at::stack({low, high}, 2).to(at::kLong), at::stack({part.neg().add(1), part}, 2).mul(inside.unsqueeze(2))};
  };
  taps const rows = along(1, height), columns = along(0, width);
  at::Tensor const known = of.picture.ge(0).logical_and(of.picture.lt(pictures));
  at::Tensor const first = by_level([](auto const& l) { return l.first; }).add(of.picture.mul(height).mul(width)).to(at::kLong).mul(known);
  at::Tensor sums;
  for (int corner = 0; corner < 4; ++corner) {
    auto const of_rows      = [&](at::Tensor const& each) { return each.select(2, corner / 2).unsqueeze(2); };  // [R, points, 1]
    auto const of_columns   = [&](at::Tensor const& each) { return each.select(2, corner % 2).unsqueeze(1); };  // [R, 1, points]
    at::Tensor const row    = of_rows(rows.pixel).mul(width.to(at::kLong).view({-1, 1, 1})).add(first.view({-1, 1, 1}));
    at::Tensor const index  = row.add(of_columns(columns.pixel));
    at::Tensor const weight = of_rows(rows.weight).mul(of_columns(columns.weight)).mul(known.view({-1, 1, 1}));
    at::Tensor const part   = pixels.index_select(0, index.reshape({-1})).mul(weight.reshape({-1, 1}));
    sums                    = sums.defined() ? sums.add(part) : part;
  }
  return sums.view({rois, how.out, how.sampling, how.out, how.sampling, channels}).mean({2, 4});
}

/// The pixels of maps as rows [pixels, C], and where each map is among them.
inline at::Tensor roi_pixels(std::vector<at::Tensor> const& maps, std::vector<double> const& scales, std::vector<roi_level>& levels) {
  std::vector<at::Tensor> rows;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    at::Tensor const& map = maps[i];
    levels.push_back({map.size(0), map.size(2), map.size(3), first, scales[i]});
    rows.push_back(map.permute({0, 2, 3, 1}).reshape({-1, map.size(1)}));
    first += rows.back().size(0);
  }
  return rows.size() == 1 ? rows[0].contiguous() : at::cat(rows);
}

}  // namespace detail

/// Of a pyramid: maps [N, C, H, W] each, [R, 4], [R] int64, [R] int64 -> [R, C, out, out]; see the top of this file.
[[nodiscard]] inline at::Tensor roi_align(std::vector<at::Tensor> const& maps, at::Tensor const& boxes, at::Tensor const& picture,
                                          at::Tensor const& level, std::vector<double> const& scales, std::int64_t out,
                                          std::int64_t sampling = 2, bool aligned = true) {
  bool fits = !maps.empty() && maps.size() == scales.size() && boxes.dim() == 2 && boxes.size(1) == 4 && picture.dim() == 1 &&
              picture.size(0) == boxes.size(0) && level.sizes() == picture.sizes() && out >= 1;
  for (auto const& each : maps)
    fits = fits && each.dim() == 4 && each.size(1) == maps[0].size(1) && each.size(2) > 0 && each.size(3) > 0 &&
           each.scalar_type() == maps[0].scalar_type();
  if (!fits)
    throw input_error(
        "roi_align got maps of " + (maps.empty() ? std::string() : c2f::detail::dims_of(maps[0])) + ", boxes of " +
        c2f::detail::dims_of(boxes) + ", pictures of " + c2f::detail::dims_of(picture) + " and " + std::to_string(out) +
        " cells; maps are [N, C, H, W] of a pixel or more with a scale each, boxes [R, 4], pictures and levels [R], and cells 1 or more");
  at::ScalarType const number = maps[0].scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  std::vector<detail::roi_level> levels;
  at::Tensor const pixels = detail::roi_pixels(maps, scales, levels).to(number);
  detail::roi_boxes const of{boxes.detach().to(number).contiguous(),
                             picture.to(at::kLong).contiguous(),
                             level.to(at::kLong).contiguous(),
                             levels,
                             {out, sampling, aligned}};
  if (!pixels.is_cpu() && sampling < 1)
    throw input_error("roi_align by the length of cells runs on the CPU; write how many points a cell has along each axis, such as 2");
  at::Tensor const made = pixels.is_cpu()
                              ? detail::roi_align_function::apply(pixels, of.boxes, of.picture, of.level, levels, out, sampling, aligned)
                              : detail::roi_align_of_gathers(pixels, of);
  return made.permute({0, 3, 1, 2}).to(maps[0].scalar_type());
}
/// Of one map.
[[nodiscard]] inline at::Tensor roi_align(at::Tensor const& map, at::Tensor const& boxes, at::Tensor const& picture, double scale,
                                          std::int64_t out, std::int64_t sampling = 2, bool aligned = true) {
  return roi_align(std::vector<at::Tensor>{map}, boxes, picture, picture.mul(0), {scale}, out, sampling, aligned);
}

}  // namespace c2f::detection
