// c2f/detection/assign.hpp: which object each box stands for, and which boxes a loss is computed of.
//
//   auto const objects = c2f::detection::objects_of(p.truth, 192, 256);                       // of a batch, in pixels
//   at::Tensor const matched = c2f::detection::assign(anchors, objects, {.low = .3, .high = .7, .low_quality = true});    // [N, A]
//   auto const chosen = c2f::detection::sample(matched, p, {.number = 256, .positive = .5});  // [N, 256]: which anchors
//   at::Tensor const wanted = c2f::detection::rows_of(objects.boxes, chosen.matched);         // [N, 256, 4]: the box of each one's object
//
// A box stands for the object with which its IoU is largest (of several, the first) if that is `high` or more, and for the background if it is
// below `low`; between them it is left out. low_quality: the boxes with the largest IoU of an object, unless that is 0, keep the object with
// which *their* IoU is largest, as in torchvision. Regions to be ignored (crowds, difficult objects) are no objects: a box of which more than
// the part `ignored` lies within one of them is left out, unless it stands for an object.
//
// sample chooses by random numbers that are a function of (seed, purpose, epoch, sample id): the positives of the lowest numbers, at most the
// part `positive` of `number`, then the background of the lowest numbers. The number of rows is always `number`; those beyond what there is are
// not valid.
//
// Costs: on a CPU a loop over boxes and objects, without memory for pairs. Elsewhere ATen operations of the same
// results, without synchronisation; but sample with a pass draws its numbers on the host and copies them.
// Errors: input_error for tensors of other shapes.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/core/pass.hpp>
#include <c2f/core/random.hpp>
#include <c2f/detection/box_operations.hpp>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/grid_sampler_2d.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace c2f::detection {

/// The objects of a batch of pictures, in rows; rows without an object have the label -1.
struct objects {
  at::Tensor boxes;    ///< [N, M, 4] float, in pixels
  at::Tensor labels;   ///< [N, M] int64
  at::Tensor ignored;  ///< [N, M] bool: crowds and difficult objects
  at::Tensor masks{};  ///< [N, M, m, m] float: the part of each cell of a box that the object covers; or undefined
};

/// Values of `matched`, besides rows of the truth.
inline constexpr std::int64_t background = -1, left_out = -2;

/// Of a truth as data/objects.hpp, data::coco_objects and data::voc_objects have it: [N, M, 7], or [N, M, 7 + m m] with masks.
[[nodiscard]] inline objects objects_of(at::Tensor const& truth, std::int64_t height, std::int64_t width) {
  std::int64_t const numbers = truth.dim() == 3 ? truth.size(2) : 0;
  auto const side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(std::max<std::int64_t>(numbers - 7, 0)))));
  if (numbers < 7 || side * side != numbers - 7)
    throw input_error("a truth of " + c2f::detail::dims_of(truth) +
                      " has no objects; each is a row of seven numbers (data/datasets/coco_objects.hpp), and of those of a square mask");
  auto const h = static_cast<double>(height), w = static_cast<double>(width);
  auto const column  = [&](std::int64_t at) { return truth.select(2, at); };
  at::Tensor const x = column(1).mul(w), y = column(2).mul(h), across = column(3).mul(w / 2), down = column(4).mul(h / 2),
                   there = column(numbers - 1).ne(0);
  objects made{at::stack({x.sub(across), y.sub(down), x.add(across), y.add(down)}, 2),
               column(0).to(at::kLong).masked_fill(there.logical_not(), -1), column(5).ne(0)};
  if (side > 0) made.masks = truth.narrow(2, 6, side * side).reshape({truth.size(0), truth.size(1), side, side});
  return made;
}

struct assign_options {
  double low = .5, high = .5;
  bool low_quality = false;
  double ignored   = .5;
};

namespace detail {

inline float intersection_over_box(float const* box, float const* region) {
  float const area = area_of(box);
  return area > 0 ? shared_area(region, box) / area : 0;
}

/// iou[i] of each box with one object, and where it is larger than best[i], that and the object's row.
inline void compare(box_columns<float> const& boxes, float const* object, std::int32_t row, float* iou, float* best, std::int32_t* rows) {
  float const left = object[0], top = object[1], right = object[2], bottom = object[3], size = area_of(object);
  std::size_t const count = boxes.x0.size();
  float const *const ax = boxes.x0.data(), *const ay = boxes.y0.data(), *const bx = boxes.x1.data(), *const by = boxes.y1.data(),
                     *const of = boxes.area.data();
  for (std::size_t i = 0; i < count; ++i) {
    float const common = shared_area(ax[i], ay[i], bx[i], by[i], left, top, right, bottom), all = size + of[i] - common;
    iou[i] = common / (all > 1e-30f ? all : 1e-30f);
  }
  for (std::size_t i = 0; i < count; ++i) {
    bool const more = iou[i] > best[i];
    best[i]         = more ? iou[i] : best[i];
    rows[i]         = more ? row : rows[i];
  }
}
inline float largest(float const* of, std::size_t count) {
  std::array<float, 16> most{};
  std::size_t i = 0;
  for (; i + most.size() <= count; i += most.size())
    for (std::size_t k = 0; k < most.size(); ++k) most[k] = of[i + k] > most[k] ? of[i + k] : most[k];
  for (; i < count; ++i) most[0] = std::max(most[0], of[i]);
  return *std::max_element(most.begin(), most.end());
}

/// assign with loops. boxes [N or 1, P, 4] float.
inline at::Tensor assign_of_loops(at::Tensor const& boxes, objects const& truth, assign_options const& how) {
  std::int64_t const pictures = truth.labels.size(0), most = truth.labels.size(1), count = boxes.size(1);
  at::Tensor const true_boxes = truth.boxes.to(at::kFloat).contiguous(), labels = truth.labels.contiguous(),
                   ignored = truth.ignored.contiguous();
  at::Tensor made          = at::empty({pictures, count}, at::TensorOptions(at::kLong));
  auto const high = static_cast<float>(how.high), low = static_cast<float>(how.low), most_ignored = static_cast<float>(how.ignored);
  auto* const all_made = made.mutable_data_ptr<std::int64_t>();
  at::parallel_for(0, pictures, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int32_t> real, regions, row;  // rows of the truth, and of each box
    std::vector<float> ious, best;                 // [P]
    std::vector<std::uint8_t> kept;                // whether a box is the best of an object
    for (std::int64_t n = begin; n < end; ++n) {
      float const* const box  = boxes.const_data_ptr<float>() + (boxes.size(0) == 1 ? 0 : n) * count * 4;
      float const* const of   = true_boxes.const_data_ptr<float>() + n * most * 4;
      auto const* const label = labels.const_data_ptr<std::int64_t>() + n * most;
      auto const* const skip  = ignored.const_data_ptr<bool>() + n * most;
      real.clear(), regions.clear();
      for (std::int64_t m = 0; m < most; ++m)
        if (label[m] >= 0) (skip[m] ? regions : real).push_back(static_cast<std::int32_t>(m));
      auto const p = static_cast<std::size_t>(count);
      ious.resize(p), best.assign(p, 0), row.assign(p, real.empty() ? 0 : real.front()), kept.assign(p, 0);
      box_columns<float> const columns(box, p);
      for (std::int32_t const g : real) {
        compare(columns, of + 4 * g, g, ious.data(), best.data(), row.data());
        if (!how.low_quality) continue;
        float const best_of = largest(ious.data(), p);
        if (best_of > 0)
          for (std::size_t i = 0; i < p; ++i) kept[i] |= ious[i] == best_of ? 1 : 0;
      }
      for (std::size_t i = 0; i < p; ++i) {
        bool const matched = !real.empty() && (best[i] >= high || kept[i] != 0);
        bool out           = best[i] >= low && !real.empty();
        for (std::size_t k = 0; k < regions.size() && !matched && !out; ++k)
          out = intersection_over_box(box + 4 * i, of + 4 * regions[k]) > most_ignored;
        all_made[n * count + static_cast<std::int64_t>(i)] = matched ? row[i] : out ? left_out : background;
      }
    }
  });
  return made;
}

/// assign with ATen operations, on any device.
inline at::Tensor assign_of_tensors(at::Tensor const& boxes, objects const& truth, assign_options const& how) {
  std::int64_t const pictures = truth.labels.size(0), most = truth.labels.size(1), count = boxes.size(1);
  at::TensorOptions const whole = truth.labels.options();
  if (most == 0 || count == 0) return at::full({pictures, count}, background, whole);
  at::Tensor const there = truth.labels.ge(0), real = there.logical_and(truth.ignored.logical_not()).unsqueeze(1),
                   region     = there.logical_and(truth.ignored).unsqueeze(1);
  at::Tensor const true_boxes = truth.boxes.to(at::kFloat);
  auto const [common, all]    = intersection_and_union(boxes.unsqueeze(2), true_boxes.unsqueeze(1));
  at::Tensor const iou        = iou_of(common, all).clamp_min(0).masked_fill(real.logical_not(), -1);  // [N, P, M]
  at::Tensor const best       = iou.amax(2);
  at::Tensor const places     = at::arange(most, whole);
  at::Tensor const row        = at::where(iou.eq(best.unsqueeze(2)), places, most).amin(2);
  at::Tensor matched          = best.ge(how.high).logical_and(best.ge(0));
  if (how.low_quality) {
    at::Tensor const of_object = iou.amax(1, /*keepdim=*/true);
    matched                    = matched.logical_or(iou.eq(of_object).logical_and(of_object.gt(0)).any(2));
  }
  at::Tensor const area   = box_area(boxes).unsqueeze(2);
  at::Tensor const part   = common.div(area.masked_fill(area.le(0), 1)).masked_fill(area.le(0), 0);
  at::Tensor const within = part.gt(how.ignored).logical_and(region).any(2);
  at::Tensor const out    = best.ge(how.low).logical_and(best.ge(0)).logical_or(within);
  return at::where(matched, row, at::where(out, at::full({}, left_out, whole), at::full({}, background, whole)));
}

}  // namespace detail

/// Boxes [P, 4] of all pictures, or [N, P, 4] -> [N, P] int64: the row of the object, `background`, or `left_out`.
[[nodiscard]] inline at::Tensor assign(at::Tensor const& boxes, objects const& truth, assign_options const& how = {}) {
  at::Tensor const of = (boxes.dim() == 2 ? boxes.unsqueeze(0) : boxes).detach().to(at::kFloat).contiguous();
  if (of.dim() != 3 || of.size(2) != 4 || truth.labels.dim() != 2 || truth.boxes.dim() != 3 ||
      (of.size(0) != 1 && of.size(0) != truth.labels.size(0)))
    throw input_error("boxes of " + c2f::detail::dims_of(boxes) + " were assigned to objects of " + c2f::detail::dims_of(truth.boxes) +
                      "; both are of as many pictures, or the boxes [P, 4] of all of them");
  return of.is_cpu() ? detail::assign_of_loops(of, truth, how) : detail::assign_of_tensors(of, truth, how);
}

struct sample_options {
  std::int64_t number = 512;
  double positive     = .25;  ///< at most this part of them stands for objects
};
/// Boxes that were chosen for a loss: first those that stand for objects, then the background, each by ascending random number.
struct sampled_boxes {
  at::Tensor index;    ///< [N, number] int64: which boxes; where not valid, any
  at::Tensor matched;  ///< [N, number] int64: of those; `left_out` where not valid
  at::Tensor valid;    ///< [N, number] bool
};

namespace detail {

inline sampled_boxes sample_of_loops(at::Tensor const& matched, at::Tensor const& uniform, sample_options const& how) {
  std::int64_t const pictures = matched.size(0), count = matched.size(1);
  at::Tensor const of = matched.contiguous(), random = uniform.to(at::kDouble).contiguous();
  sampled_boxes made{at::zeros({pictures, how.number}, of.options()), at::full({pictures, how.number}, left_out, of.options()),
                     at::zeros({pictures, how.number}, of.options().dtype(at::kBool))};
  auto const most_positive = static_cast<std::int64_t>(static_cast<double>(how.number) * how.positive);
  std::vector<std::pair<double, std::int64_t>> positive, negative;
  for (std::int64_t n = 0; n < pictures; ++n) {
    auto const* const row   = of.const_data_ptr<std::int64_t>() + n * count;
    auto const* const drawn = random.const_data_ptr<double>() + n * count;
    positive.clear(), negative.clear();
    for (std::int64_t i = 0; i < count; ++i)
      if (row[i] != left_out) (row[i] >= 0 ? positive : negative).emplace_back(drawn[i], i);
    auto const first = [](auto& list, std::int64_t wanted) {
      auto const end = list.begin() + std::min(wanted, std::ssize(list));
      std::partial_sort(list.begin(), end, list.end());
      list.erase(end, list.end());
    };
    first(positive, most_positive);
    first(negative, how.number - std::ssize(positive));
    auto* index   = made.index.mutable_data_ptr<std::int64_t>() + n * how.number;
    auto* whose   = made.matched.mutable_data_ptr<std::int64_t>() + n * how.number;
    auto* correct = made.valid.mutable_data_ptr<bool>() + n * how.number;
    for (auto const* list : {&positive, &negative})
      for (auto const& [number, i] : *list) *index++ = i, *whose++ = row[i], *correct++ = true;
  }
  return made;
}

inline sampled_boxes sample_of_tensors(at::Tensor const& matched, at::Tensor const& uniform, sample_options const& how) {
  std::int64_t const pictures = matched.size(0), count = matched.size(1);
  auto const most_positive  = static_cast<std::int64_t>(static_cast<double>(how.number) * how.positive);
  // Keys: positives in 0 ... 1, the background in 2 ... 3, the rest 4. Positives beyond the most are moved to the rest once their order is known.
  at::Tensor const positive = matched.ge(0), out = matched.eq(left_out);
  at::Tensor const key       = uniform.to(at::kDouble).add(positive.logical_not().to(at::kDouble).mul(2)).masked_fill(out, 4);
  auto const [sorted, order] = key.sort(/*stable=*/true, 1, /*descending=*/false);
  at::Tensor const places    = at::arange(count, matched.options());
  at::Tensor const beyond    = sorted.le(1).logical_and(places.ge(most_positive));
  auto const [again, second] = sorted.masked_fill(beyond, 4).sort(/*stable=*/true, 1, /*descending=*/false);
  at::Tensor const index     = order.gather(1, second);
  std::int64_t const have    = std::min(count, how.number);
  at::Tensor const valid     = again.narrow(1, 0, have).lt(4);
  at::Tensor const first     = index.narrow(1, 0, have).mul(valid);
  at::Tensor const whose     = count > 0 ? matched.gather(1, first).masked_fill(valid.logical_not(), left_out) : first;
  auto const padded          = [&](at::Tensor const& of, std::int64_t with) {
    return have == how.number ? of : at::cat({of, at::full({pictures, how.number - have}, with, of.options())}, 1);
  };
  return {padded(first, 0), padded(whose, left_out), padded(valid, 0)};
}

}  // namespace detail

/// matched [N, P], random numbers in (0, 1] [N, P] -> the chosen ones.
[[nodiscard]] inline sampled_boxes sample(at::Tensor const& matched, at::Tensor const& uniform, sample_options const& how = {}) {
  if (matched.dim() != 2 || matched.sizes() != uniform.sizes())
    throw input_error("boxes of " + c2f::detail::dims_of(matched) + " were sampled by random numbers of " + c2f::detail::dims_of(uniform) +
                      "; both are [N, P]");
  return matched.is_cpu() ? detail::sample_of_loops(matched, uniform, how) : detail::sample_of_tensors(matched, uniform, how);
}
/// With the random numbers of a pass, which depend on its stage.
[[nodiscard]] inline sampled_boxes sample(at::Tensor const& matched, pass const& p, sample_options const& how = {}) {
  return sample(matched, p.uniform(purpose::box_sampling, matched, matched.size(1)).view(matched.sizes()), how);
}

/// Rows of each picture: values [N, M, ...], index [N, S] -> [N, S, ...]; a negative index reads row 0.
[[nodiscard]] inline at::Tensor rows_of(at::Tensor const& values, at::Tensor const& index) {
  std::int64_t const n = values.size(0), rows = values.size(1);
  at::Tensor const first = at::arange(n, index.options()).mul(rows).unsqueeze(1);
  at::Tensor const flat  = values.flatten(0, 1).index_select(0, index.clamp_min(0).add(first).reshape({-1}));
  auto sizes             = values.sizes().vec();
  sizes[1]               = index.size(1);
  return flat.view(sizes);
}

/// What a mask head should predict of boxes [N, S, 4] that stand for objects `matched` [N, S]: [N, S, out, out], 0 ... 1, by bilinear
/// interpolation within the box of the object and 0 outside. Where nothing is matched, anything.
[[nodiscard]] inline at::Tensor mask_targets(objects const& truth, at::Tensor const& boxes, at::Tensor const& matched, std::int64_t out) {
  if (!truth.masks.defined())
    throw input_error("masks of objects without masks were asked for; write their side, as in data::coco_objects<100, 192, 256, 28>");
  std::int64_t const n = matched.size(0), count = matched.size(1), side = truth.masks.size(2);
  at::Tensor const whole = rows_of(truth.boxes, matched).to(boxes.scalar_type());
  at::Tensor const steps = at::arange(out, boxes.options()).add(.5).div(static_cast<double>(out));
  auto const along       = [&](std::int64_t axis) {  // [N, S, out]: fractions of the object's box
    at::Tensor const first  = boxes.select(2, axis).unsqueeze(2);
    at::Tensor const at     = first.add(boxes.select(2, axis + 2).unsqueeze(2).sub(first).mul(steps));
    at::Tensor const start  = whole.select(2, axis).unsqueeze(2);
    at::Tensor const length = whole.select(2, axis + 2).unsqueeze(2).sub(start);
    return at.sub(start).div(length.masked_fill(length.le(0), 1));
  };
  at::Tensor const x = along(0).unsqueeze(2).expand({n, count, out, out}), y = along(1).unsqueeze(3).expand({n, count, out, out});
  at::Tensor const grid = at::stack({x, y}, 4).mul(2).sub(1).view({n * count, out, out, 2});
  at::Tensor const read =
      at::grid_sampler_2d(rows_of(truth.masks, matched).view({n * count, 1, side, side}), grid.to(truth.masks.scalar_type()),
                          /*interpolation_mode=*/0, /*padding_mode=*/1, /*align_corners=*/false);
  at::Tensor const inside = x.ge(0).logical_and(x.le(1)).logical_and(y.ge(0)).logical_and(y.le(1));
  return read.view({n, count, out, out}).mul(inside);
}

}  // namespace c2f::detection
