// The operators of detectors against published vectors (mmcv's, mmdetection's and detectron2's tests), their definitions written down again,
// finite differences, and boxes made by hand.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "catch.hpp"

#include <c2f/core/random.hpp>
#include <c2f/detection/anchors.hpp>
#include <c2f/detection/assign.hpp>
#include <c2f/detection/box_losses.hpp>
#include <c2f/detection/box_operations.hpp>
#include <c2f/detection/candidates.hpp>
#include <c2f/detection/deformable_conv.hpp>
#include <c2f/detection/nms.hpp>
#include <c2f/detection/region_proposals.hpp>
#include <c2f/detection/roi_align.hpp>

using namespace c2f;
using namespace c2f::detection;

namespace {

at::Tensor tensor(std::vector<double> const& values, at::IntArrayRef sizes) {
  return at::tensor(values, at::TensorOptions(at::kDouble)).view(sizes);
}
at::Tensor floats(std::vector<double> const& values, at::IntArrayRef sizes) { return tensor(values, sizes).to(at::kFloat); }
at::Tensor whole(std::vector<std::int64_t> const& values) { return at::tensor(values, at::TensorOptions(at::kLong)); }
std::vector<std::int64_t> list(at::Tensor const& t) {
  at::Tensor const flat = t.to(at::kLong).contiguous();
  return {flat.const_data_ptr<std::int64_t>(), flat.const_data_ptr<std::int64_t>() + flat.numel()};
}
bool near(at::Tensor const& a, at::Tensor const& b, double most) {
  return a.sizes() == b.sizes() && a.sub(b).abs().max().item<double>() <= most;
}
/// [count, 4] boxes within `side` pixels, of sides 0 ... half of it.
at::Tensor random_boxes(std::int64_t count, double side, std::uint64_t seed, at::ScalarType type = at::kFloat) {
  random_stream draw(seed, purpose::synthesis, 0, 0);
  at::Tensor made = at::empty({count, 4}, at::TensorOptions(at::kDouble));
  double* to      = made.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < count; ++i, to += 4)
    for (int axis = 0; axis < 2; ++axis) {
      double const length = side / 2 * draw.uniform();
      to[axis]            = (side - length) * draw.uniform();
      to[axis + 2]        = to[axis] + length;
    }
  return made.to(type);
}
at::Tensor random_numbers(at::IntArrayRef sizes, std::uint64_t seed) {
  random_stream draw(seed, purpose::synthesis, 1, 0);
  at::Tensor made = at::empty(sizes, at::TensorOptions(at::kDouble));
  double* to      = made.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < made.numel(); ++i) to[i] = 2 * draw.uniform() - 1;
  return made;
}
/// The largest difference of the gradient of sum(f(x) * w) to finite differences.
template <class F>
double gradient_error(at::Tensor const& at_, F const& f) {
  at::Tensor x       = at_.clone().requires_grad_(true);
  at::Tensor const y = f(x), w = random_numbers(y.sizes(), 77);
  y.mul(w).sum().backward();
  at::Tensor const found = x.grad();
  double worst           = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    auto const moved = [&](double by) {
      at::Tensor const other = at_.clone();
      other.view({-1})[i].add_(by);
      return f(other).mul(w).sum().template item<double>();
    };
    worst = std::max(worst, std::abs(found.reshape({-1})[i].template item<double>() - (moved(1e-5) - moved(-1e-5)) / 2e-5));
  }
  return worst;
}

/// RoIAlign point by point, as its paper and torchvision define it.
at::Tensor naive_roi_align(at::Tensor const& map, at::Tensor const& boxes, at::Tensor const& picture, double scale, std::int64_t out,
                           std::int64_t sampling, bool aligned) {
  std::int64_t const height = map.size(2), width = map.size(3);
  at::Tensor made = at::zeros({boxes.size(0), map.size(1), out, out}, map.options());
  for (std::int64_t r = 0; r < boxes.size(0); ++r) {
    std::array<double, 4> b;
    for (std::int64_t k = 0; k < 4; ++k) b[static_cast<std::size_t>(k)] = boxes[r][k].item<double>() * scale - (aligned ? .5 : 0);
    double w = b[2] - b[0], h = b[3] - b[1];
    if (!aligned) w = std::max(w, 1.), h = std::max(h, 1.);
    auto const points_x = sampling > 0 ? sampling : static_cast<std::int64_t>(std::ceil(w / static_cast<double>(out))),
               points_y = sampling > 0 ? sampling : static_cast<std::int64_t>(std::ceil(h / static_cast<double>(out)));
    at::Tensor const of = map[picture[r].item<std::int64_t>()];
    auto const value    = [&](double y, double x) {
      at::Tensor sum = at::zeros({map.size(1)}, map.options());
      if (y < -1 || x < -1 || y > static_cast<double>(height) || x > static_cast<double>(width)) return sum;
      y = std::clamp(y, 0., static_cast<double>(height - 1)), x = std::clamp(x, 0., static_cast<double>(width - 1));
      for (std::int64_t j = 0; j < height; ++j)
        for (std::int64_t i = 0; i < width; ++i) {
          double const weight =
              std::max(0., 1 - std::abs(y - static_cast<double>(j))) * std::max(0., 1 - std::abs(x - static_cast<double>(i)));
          if (weight > 0) sum = sum.add(of.select(1, j).select(1, i).mul(weight));
        }
      return sum;
    };
    for (std::int64_t i = 0; i < out; ++i)
      for (std::int64_t j = 0; j < out; ++j) {
        at::Tensor sum = at::zeros({map.size(1)}, map.options());
        for (std::int64_t v = 0; v < points_y; ++v)
          for (std::int64_t u = 0; u < points_x; ++u)
            sum = sum.add(value(b[1] + h / static_cast<double>(out) *
                                           (static_cast<double>(i) + (static_cast<double>(v) + .5) / static_cast<double>(points_y)),
                                b[0] + w / static_cast<double>(out) *
                                           (static_cast<double>(j) + (static_cast<double>(u) + .5) / static_cast<double>(points_x))));
        made[r].select(1, i).select(1, j).copy_(sum.div(static_cast<double>(std::max<std::int64_t>(points_x * points_y, 1))));
      }
  }
  return made;
}

/// The form in gathers of ATen.
at::Tensor roi_align_of_gathers(std::vector<at::Tensor> const& maps, at::Tensor const& boxes, at::Tensor const& picture,
                                at::Tensor const& level, std::vector<double> const& scales, std::int64_t out, std::int64_t sampling,
                                bool aligned) {
  std::vector<detection::detail::roi_level> levels;
  at::Tensor const pixels = detection::detail::roi_pixels(maps, scales, levels);
  return detection::detail::roi_align_of_gathers(pixels, {boxes, picture, level, levels, {out, sampling, aligned}}).permute({0, 3, 1, 2});
}

objects objects_by_hand(at::Tensor const& boxes, std::vector<std::int64_t> const& labels, std::vector<std::int64_t> const& ignored) {
  return {boxes.unsqueeze(0), whole(labels).unsqueeze(0), whole(ignored).ne(0).unsqueeze(0)};
}

}  // namespace

TEST_CASE("RoIAlign has the answers and gradients of mmcv's and detectron2's tests") {
  at::Tensor const zero = whole({0});
  at::Tensor small      = tensor({1, 2, 3, 4, 4, 3, 2, 1}, {1, 2, 2, 2}).requires_grad_(true);
  at::Tensor const of   = roi_align(small, tensor({0, 0, 1, 1}, {1, 4}), zero, 1, 2, 2);
  REQUIRE(near(of, tensor({1, 1.25, 1.5, 1.75, 4, 3.75, 3.5, 3.25}, {1, 2, 2, 2}), 1e-12));
  of.sum().backward();
  REQUIRE(near(small.grad(), tensor({3.0625, .4375, .4375, .0625, 3.0625, .4375, .4375, .0625}, {1, 2, 2, 2}), 1e-12));

  at::Tensor map     = tensor({1, 2, 5, 6, 3, 4, 7, 8, 9, 10, 13, 14, 11, 12, 15, 16}, {1, 1, 4, 4}).requires_grad_(true);
  at::Tensor const y = roi_align(map, tensor({0, 0, 3, 3}, {1, 4}), zero, 1, 2, 2);
  REQUIRE(near(y, tensor({1.9375, 4.75, 7.5625, 10.375}, {1, 1, 2, 2}), 1e-12));
  y.sum().backward();
  REQUIRE(near(map.grad(),
               tensor({.47265625, .4296875, .4296875, .04296875, .4296875, .390625, .390625, .0390625, .4296875, .390625, .390625, .0390625,
                       .04296875, .0390625, .0390625, .00390625},
                      {1, 1, 4, 4}),
               1e-12));

  // detectron2: a ramp.
  at::Tensor const ramp = at::arange(25, at::TensorOptions(at::kFloat)).view({1, 1, 5, 5});
  at::Tensor const box  = floats({1, 1, 3, 3}, {1, 4});
  std::vector<double> before, after;
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) before.push_back(7.5 + 2.5 * i + .5 * j), after.push_back(4.5 + 2.5 * i + .5 * j);
  REQUIRE(near(roi_align(ramp, box, zero, 1, 4, 0, false), floats(before, {1, 1, 4, 4}), 1e-5));
  REQUIRE(near(roi_align(ramp, box, zero, 1, 4, 0, true), floats(after, {1, 1, 4, 4}), 1e-5));
  at::Tensor leaf        = ramp.clone().requires_grad_(true);
  at::Tensor const empty = roi_align(leaf, floats({3, 3, 3, 3}, {1, 4}), zero, 1, 7, 0, true);
  REQUIRE(empty.abs().max().item<float>() == 0);
  empty.sum().backward();
  REQUIRE(leaf.grad().abs().max().item<float>() == 0);
}

TEST_CASE("RoIAlign is its definition, by loops and by gathers") {
  // 70 channels: blocks of vectors, and a rest. Boxes within, across the border, of one pixel, of none, far outside.
  at::Tensor const map = random_numbers({2, 70, 9, 12}, 3);
  at::Tensor const boxes =
      at::cat({random_boxes(6, 36, 4, at::kDouble), tensor({-9, -7, 20, 60, 5, 5, 6, 6, 8, 8, 8, 8, 400, 400, 500, 500}, {4, 4})});
  at::Tensor const whose = whole({0, 1, 0, 1, 1, 0, 1, 0, 1, 0});
  for (bool const aligned : {false, true})
    for (std::int64_t const sampling : {0, 1, 2, 3}) {
      at::Tensor const wanted = naive_roi_align(map, boxes, whose, .25, 3, sampling, aligned);
      REQUIRE(near(roi_align(map, boxes, whose, .25, 3, sampling, aligned), wanted, 1e-12));
      if (sampling > 0) REQUIRE(near(roi_align_of_gathers({map}, boxes, whose, whose.mul(0), {.25}, 3, sampling, aligned), wanted, 1e-12));
      at::Tensor const single = roi_align(map.to(at::kFloat), boxes.to(at::kFloat), whose, .25, 3, sampling, aligned);
      REQUIRE(single.scalar_type() == at::kFloat);
      REQUIRE(near(single.to(at::kDouble), wanted, 2e-6));
    }
  // The memory format of the map does not matter, nor does autograd: gradients of loops and of gathers are the same.
  at::Tensor const last = roi_align(map.contiguous(at::MemoryFormat::ChannelsLast), boxes, whose, .25, 3);
  REQUIRE(at::equal(last, roi_align(map, boxes, whose, .25, 3)));
  at::Tensor a = map.clone().requires_grad_(true), b = map.clone().requires_grad_(true);
  at::Tensor const w = random_numbers(last.sizes(), 9);
  roi_align(a, boxes, whose, .25, 3).mul(w).sum().backward();
  roi_align_of_gathers({b}, boxes, whose, whose.mul(0), {.25}, 3, 2, true).mul(w).sum().backward();
  REQUIRE(near(a.grad(), b.grad(), 1e-12));
  REQUIRE(a.grad().abs().max().item<double>() > .1);

  // The number of threads does not matter to a byte.
  int const threads = at::get_num_threads();
  std::array<at::Tensor, 2> gradients;
  for (int const n : {1, 2}) {
    at::set_num_threads(n);
    at::Tensor c = map.to(at::kFloat).requires_grad_(true);
    roi_align(c, boxes, whose, .25, 3).mul(w.to(at::kFloat)).sum().backward();
    gradients[static_cast<std::size_t>(n - 1)] = c.grad();
  }
  at::set_num_threads(threads);
  REQUIRE(at::equal(gradients[0], gradients[1]));

  at::Tensor const tiny = random_numbers({2, 2, 4, 5}, 5), some = boxes.narrow(0, 0, 7), of = whose.narrow(0, 0, 7);
  REQUIRE(gradient_error(tiny, [&](at::Tensor const& x) { return roi_align(x, some, of, 1. / 8, 2, 2, true); }) < 1e-9);
  REQUIRE(gradient_error(tiny, [&](at::Tensor const& x) { return roi_align(x, some, of, 1. / 8, 2, 0, false); }) < 1e-9);
}

TEST_CASE("RoIAlign of a pyramid reads each box from its level") {
  at::Tensor large = random_numbers({2, 5, 12, 16}, 1).requires_grad_(true), small = random_numbers({2, 5, 6, 8}, 2).requires_grad_(true);
  at::Tensor const boxes = random_boxes(9, 48, 3, at::kDouble), picture = whole({0, 1, 0, 1, 0, 1, -1, 0, 2}),
                   level = whole({0, 1, 1, 0, 1, 0, 0, 2, 1});
  at::Tensor const made  = roi_align({large, small}, boxes, picture, level, {.25, .125}, 3);
  at::Tensor const w     = random_numbers(made.sizes(), 4);
  made.mul(w).sum().backward();
  at::Tensor const of_large = large.grad(), of_small = small.grad();
  REQUIRE(near(made, roi_align_of_gathers({large, small}, boxes, picture, level, {.25, .125}, 3, 2, true), 1e-12));
  large.mutable_grad() = at::Tensor(), small.mutable_grad() = at::Tensor();
  at::Tensor const first  = roi_align(large, boxes, picture.masked_fill(level.ne(0), -1), .25, 3),
                   second = roi_align(small, boxes, picture.masked_fill(level.ne(1), -1), .125, 3);
  REQUIRE(at::equal(made, first.add(second)));
  first.add(second).mul(w).sum().backward();
  REQUIRE(near(of_large, large.grad(), 1e-13));
  REQUIRE(near(of_small, small.grad(), 1e-13));
  REQUIRE(of_small.abs().max().item<double>() > .01);
  REQUIRE(made.narrow(0, 6, 3).abs().max().item<double>() == 0);  // of no picture, of no level
  REQUIRE_THROWS_AS(roi_align({large, small}, boxes, picture, level, {.25}, 3), input_error);
}

TEST_CASE("RoIAlign of no boxes, unknown pictures, narrow numbers, wrong shapes") {
  at::Tensor map        = random_numbers({1, 3, 4, 4}, 1).to(at::kFloat).requires_grad_(true);
  at::Tensor const none = roi_align(map, at::empty({0, 4}), at::empty({0}, at::TensorOptions(at::kLong)), 1, 7);
  REQUIRE(none.sizes() == at::IntArrayRef({0, 3, 7, 7}));
  none.sum().backward();
  REQUIRE(map.grad().abs().max().item<float>() == 0);
  at::Tensor const box = floats({0, 0, 3, 3, 0, 0, 3, 3, 0, 0, 3, 3}, {3, 4});
  for (at::Tensor const& made : {roi_align(map, box, whole({-1, 0, 1}), 1, 2),
                                 roi_align_of_gathers({map}, box, whole({-1, 0, 1}), whole({0, 0, 0}), {1}, 2, 2, true)}) {
    REQUIRE(made[0].abs().max().item<float>() == 0);
    REQUIRE(made[1].abs().max().item<float>() > 0);
    REQUIRE(made[2].abs().max().item<float>() == 0);
  }
  double const nan = std::numeric_limits<double>::quiet_NaN(), huge = 1e30;
  at::Tensor const odd = floats({nan, nan, nan, nan, -huge, -huge, huge, huge, 0, 0, huge, huge, 0, nan, 3, 3}, {4, 4}),
                   of  = whole({0, 0, 0, 0});
  REQUIRE(roi_align(map, odd, of, 1, 2, 0).isfinite().all().item<bool>());
  at::Tensor const by_loops = roi_align(map, odd, of, 1, 2), by_gathers = roi_align_of_gathers({map}, odd, of, of, {1}, 2, 2, true);
  REQUIRE(by_loops.isfinite().all().item<bool>());
  REQUIRE(near(by_gathers, by_loops, 1e-6));
  at::Tensor const half = roi_align(map.to(at::kBFloat16), box, whole({0, 0, 0}), 1, 2);
  REQUIRE(half.scalar_type() == at::kBFloat16);
  REQUIRE(near(half.to(at::kFloat), roi_align(map, box, whole({0, 0, 0}), 1, 2), .02));
  REQUIRE_THROWS_AS(roi_align(map, box, whole({0}), 1, 2), input_error);
  REQUIRE_THROWS_AS(roi_align(map[0], box, whole({0, 0, 0}), 1, 2), input_error);
  REQUIRE_THROWS_AS(roi_align(map.narrow(2, 0, 0), box, whole({0, 0, 0}), 1, 2), input_error);
  REQUIRE_THROWS_AS(roi_align({map, map.narrow(3, 0, 0)}, box, whole({0, 0, 0}), whole({0, 0, 0}), {1, .5}, 2), input_error);
}

TEST_CASE("overlaps, coding and clipping of boxes by hand") {
  at::Tensor const a = tensor({0, 0, 4, 4, 0, 0, 1, 1, 3, 3, 3, 3}, {3, 4}), b = tensor({2, 0, 6, 4, 8, 8, 9, 9}, {2, 4});
  REQUIRE(near(box_iou(a, b), tensor({1. / 3, 0, 0, 0, 0, 0}, {3, 2}), 1e-15));
  REQUIRE(box_iou(a.unsqueeze(0), b.unsqueeze(0)).sizes() == at::IntArrayRef({1, 3, 2}));
  // IoU 1/3, hull 6 x 4 = union; and IoU 0, hull 9 x 9, union 2: 2/81 - 1.
  at::Tensor const pairs = tensor({0, 0, 4, 4, 0, 0, 1, 1}, {2, 4});
  REQUIRE(near(box_giou(pairs, b), tensor({1. / 3, 2. / 81 - 1}, {2}), 1e-6));
  REQUIRE(near(giou_loss(pairs, b), tensor({2. / 3, 2 - 2. / 81}, {2}), 1e-6));
  REQUIRE(gradient_error(pairs, [&](at::Tensor const& x) { return giou_loss(x, b.add(.125)); }) < 1e-7);
  REQUIRE(near(box_area(a), tensor({16, 1, 0}, {3}), 0));
  // Centre 2, 2 and sides 4; truth's centre 4, 2 and sides 8, 2.
  at::Tensor const box = tensor({0, 0, 4, 4}, {1, 4}), truth = tensor({0, 1, 8, 3}, {1, 4});
  at::Tensor const coded = encode_boxes(truth, box);
  REQUIRE(near(coded, tensor({5, 0, 5 * std::log(2.), -5 * std::log(2.)}, {1, 4}), 1e-12));
  REQUIRE(near(decode_boxes(coded, box), truth, 1e-12));
  at::Tensor const many = random_boxes(40, 100, 6, at::kDouble), others = random_boxes(40, 100, 7, at::kDouble);
  REQUIRE(near(decode_boxes(encode_boxes(many, others, {1, 2, 3, 4}), others, {1, 2, 3, 4}), many, 1e-9));
  // Two classes, and a size that would overflow.
  at::Tensor const two = decode_boxes(tensor({0, 0, 0, 0, 10, 0, 1e9, 0}, {1, 8}), box);
  REQUIRE(near(two, tensor({0, 0, 4, 4, 6 - 125, 0, 6 + 125, 4}, {1, 8}), 1e-9));
  REQUIRE(near(clip_boxes(two.view({2, 4}), 3, 5), tensor({0, 0, 4, 3, 0, 0, 5, 3}, {2, 4}), 0));
}

TEST_CASE("the focal loss has the values and gradients of mmcv's tests") {
  struct vector {
    std::vector<double> x;
    std::vector<std::int64_t> y;
    double loss;
    std::vector<double> gradient;
  };
  for (auto const& each :
       {vector{{1, 0, 0, 1}, {0, 1}, .13562961, {-.00657264, .11185755, .11185755, -.00657264}},
        vector{{1, 0, -1, 0, 1, 2}, {2, 1}, 1.10251057, {.28808805, .11185755, -.09602935, .11185755, -.00657264, .40376765}}}) {
    std::int64_t const rows = std::ssize(each.y), classes = std::ssize(each.x) / rows;
    at::Tensor x       = tensor(each.x, {rows, classes}).requires_grad_(true);
    at::Tensor const y = at::one_hot(whole(each.y), classes), loss = sigmoid_focal_loss(x, y).sum().div(static_cast<double>(rows));
    REQUIRE(std::abs(loss.item<double>() - each.loss) < 1e-6);
    loss.backward();
    REQUIRE(near(x.grad(), tensor(each.gradient, {rows, classes}), 1e-7));
  }
  at::Tensor const x = random_numbers({3, 4}, 2), y = x.gt(0);
  REQUIRE(gradient_error(x, [&](at::Tensor const& z) { return sigmoid_focal_loss(z, y, .3, 1.5); }) < 1e-8);
  REQUIRE(near(sigmoid_focal_loss(x, y, -1, 0), at::binary_cross_entropy_with_logits(x, y.to(at::kDouble), {}, {}, at::Reduction::None),
               1e-12));
  REQUIRE(near(smooth_l1(tensor({0, .05, 3}, {3}), tensor({0, 0, 1}, {3}), .1), tensor({0, .0125, 1.95}, {3}), 1e-12));
}

TEST_CASE("anchors in torchvision's order") {
  at::Tensor const made = anchors({{1, 2, 4, {32}}, {1, 1, 8, {64, 128}}}, {.5, 1});
  // 32 * sqrt(2) = 45.25 by 22.63: halves 22.63 and 11.31; 64: 45.25 and 22.63; 128: 90.51 and 45.25.
  REQUIRE(near(made,
               floats({-23, -11, 23, 11, -16, -16, 16, 16, -19, -11, 27, 11, -12, -16, 20, 16,  //
                       -45, -23, 45, 23, -91, -45, 91, 45, -32, -32, 32, 32, -64, -64, 64, 64},
                      {8, 4}),
               0));
}

TEST_CASE("anchors of a pyramid: strides, or the whole number of pixels of a cell as in torchvision; kept for the next pass") {
  std::vector<at::Tensor> maps;
  for (std::int64_t const side : {4, 8, 16, 32, 64}) maps.push_back(at::zeros({1, 1, (800 + side - 1) / side, (1344 + side - 1) / side}));
  std::array const scales{8.}, ratios{1.};
  auto const of = [&](bool whole_strides, std::int64_t height = 800, std::int64_t width = 1344) {
    return anchors_of(maps, height, width, 4, scales, ratios, whole_strides);
  };
  std::int64_t const first =
      200 * 336 + 100 * 168 + 50 * 84 + 25 * 42;  // of the 13 x 21 cells of the last level, whose anchors are 512 pixels
  at::Tensor const nominal = of(false), whole_ones = of(true);
  REQUIRE(nominal.sizes() == at::IntArrayRef({first + 13 * 21, 4}));
  REQUIRE(at::equal(nominal.narrow(0, 0, first), whole_ones.narrow(0, 0, first)));  // 800 and 1344 are multiples of 32
  for (auto const& [row, column] : {std::pair{0, 0}, {0, 20}, {1, 0}, {12, 20}}) {
    CAPTURE(row, column);
    double const x = 64. * column;  // 1344 = 21 * 64; 800 / 13 = 61.5
    for (double const stride : {64., 61.}) {
      double const y = stride * row;
      REQUIRE(near((stride == 64 ? nominal : whole_ones)[first + 21 * row + column], floats({x - 256, y - 256, x + 256, y + 256}, {4}), 0));
    }
  }
  // Columns, too: 1300 pixels in 21 cells are 61 each.
  maps.back() = at::zeros({1, 1, 13, 21});
  for (std::size_t i = 0; i + 1 < maps.size(); ++i) maps[i] = at::zeros({1, 1, 200 >> i, (1300 + (4 << i) - 1) / (4 << i)});
  at::Tensor const narrow = of(true, 800, 1300), last = narrow[narrow.size(0) - 1];
  REQUIRE(near(last, floats({61 * 20 - 256, 61 * 12 - 256, 61 * 20 + 256, 61 * 12 + 256}, {4}), 0));

  // Equal sizes are the same tensor, on this thread; another size, stride or ratio is another one. Eight are kept, those used last.
  auto const kept = [](std::int64_t height, double stride = 4, double ratio = 1) {
    return kept_anchors({{height, 3, stride, {16}}}, {ratio}, at::kCPU);
  };
  at::Tensor const two = kept(2);
  REQUIRE(at::equal(two, anchors({{2, 3, 4, {16}}}, {1})));
  REQUIRE(kept(2).is_same(two));
  for (at::Tensor const& other : {kept(3), kept(2, 8), kept(2, 4, 2)}) REQUIRE(!other.is_same(two));
  REQUIRE(at::equal(kept(2, 8), anchors({{2, 3, 8, {16}}}, {1})));
  for (std::int64_t height = 10; height < 17; ++height) static_cast<void>(kept(height));
  REQUIRE(!kept(2).is_same(two));  // the three above and seven others came in between
  REQUIRE(at::equal(kept(2), two));
  at::Tensor const again = kept(2);
  for (std::int64_t height = 20; height < 40; ++height) {
    static_cast<void>(kept(height));
    REQUIRE(kept(2).is_same(again));
  }
  std::thread([&] { REQUIRE((!kept(2).is_same(again) && at::equal(kept(2), again))); }).join();
  // Those that a pass at inference has made serve a training.
  at::Tensor const of_inference = [&] {
    c10::InferenceMode const on;
    return kept(50);
  }();
  REQUIRE(!of_inference.is_inference());
}

TEST_CASE("suppression has the answers of mmcv's tests") {
  at::Tensor const boxes = floats({6, 3, 8, 7, 3, 6, 9, 11, 3, 7, 10, 12, 1, 4, 13, 7}, {4, 4}), scores = floats({.6, .9, .7, .2}, {4});
  REQUIRE(list(nms(boxes, scores, .3)) == std::vector<std::int64_t>{1, 0, 3});
  auto const linear = soft_nms(boxes, scores, {.threshold = .3, .least_score = .01});
  REQUIRE(list(linear.index) == std::vector<std::int64_t>{1, 0, 2, 3});
  REQUIRE(near(linear.scores, floats({.9, .6, .29024392, .2}, {4}), 1e-7));
  auto const gaussian = soft_nms(boxes, scores, {.by = soft_nms_options::method::gaussian, .sigma = .5, .least_score = .01});
  REQUIRE(list(gaussian.index) == std::vector<std::int64_t>{1, 0, 2, 3});
  REQUIRE(near(gaussian.scores, floats({.9, .59630775, .35275510, .18650459}, {4}), 1e-7));
  REQUIRE(list(soft_nms(boxes, scores, {.threshold = .3, .least_score = .25}).index) == std::vector<std::int64_t>{1, 0, 2});
}

TEST_CASE("suppression is its definition, keeps classes apart, and orders equal scores by index") {
  for (std::int64_t const count : {0, 1, 31, 33, 300, 700}) {
    at::Tensor const boxes   = random_boxes(count, 60, 11 + static_cast<std::uint64_t>(count));
    at::Tensor const scores  = random_numbers({count}, 12).mul(8).floor().to(at::kFloat);  // many equal
    at::Tensor const classes = random_numbers({count}, 13).mul(2).floor().to(at::kLong);
    for (double const threshold : {.3, .7}) {
      std::vector<std::int64_t> order(static_cast<std::size_t>(count)), kept, of_class;
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
      auto const* const score = scores.const_data_ptr<float>();
      std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) { return score[a] > score[b]; });
      at::Tensor const iou = box_iou(boxes, boxes);
      auto const* const io = iou.const_data_ptr<float>();
      auto const* const of = classes.const_data_ptr<std::int64_t>();
      for (std::int64_t const i : order) {
        auto const over = [&](std::int64_t k) { return static_cast<double>(io[i * count + k]) > threshold; };
        if (std::none_of(kept.begin(), kept.end(), over)) kept.push_back(i);
        if (std::none_of(of_class.begin(), of_class.end(), [&](std::int64_t k) { return over(k) && of[k] == of[i]; }))
          of_class.push_back(i);
      }
      REQUIRE(list(nms(boxes, scores, threshold)) == kept);
      REQUIRE(list(class_nms(boxes, scores, classes, threshold)) == of_class);
      auto const best = best_boxes(boxes.unsqueeze(0), scores.unsqueeze(0), classes, threshold, 40);
      auto index      = list(best.index);
      index.resize(static_cast<std::size_t>(best.valid.sum().item<std::int64_t>()));
      of_class.resize(std::min<std::size_t>(of_class.size(), 40));
      REQUIRE(index == of_class);
      REQUIRE(best.index.sizes() == at::IntArrayRef({1, 40}));
    }
  }
}

TEST_CASE("suppression of odd boxes: identical ones, none, one pixel, scores that are no numbers") {
  double const nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  at::Tensor const same = floats({1, 1, 5, 5, 1, 1, 5, 5, 1, 1, 5, 5}, {3, 4});
  REQUIRE(list(nms(same, floats({.5, .5, .5}, {3}), .5)) == std::vector<std::int64_t>{0});
  REQUIRE(list(nms(same, floats({nan, .1, .5}, {3}), .99)) == std::vector<std::int64_t>{2});
  at::Tensor const flat = floats({1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1}, {3, 4});  // without an area, twice, and one pixel
  REQUIRE(list(nms(flat, floats({.1, .2, .3}, {3}), .5)) == std::vector<std::int64_t>{2, 1, 0});
  auto const best = best_boxes(at::stack({flat, same}), floats({.1, .2, .3, -infinite, nan, -5}, {2, 3}), {}, .5, 2);
  REQUIRE(list(best.index) == std::vector<std::int64_t>{2, 0, 2, 0});
  REQUIRE(list(best.valid) == std::vector<std::int64_t>{1, 0, 1, 0});
  // At the threshold itself a box stays: IoU 1/2.
  REQUIRE(nms(floats({0, 0, 2, 2, 0, 0, 2, 1}, {2, 4}), floats({.9, .8}, {2}), .5).numel() == 2);
  REQUIRE(nms(floats({0, 0, 2, 2, 0, 0, 2, 1}, {2, 4}), floats({.9, .8}, {2}), .49).numel() == 1);
  // 3/10 as a float is above .3, as torchvision finds it; the compared threshold is no float.
  REQUIRE(nms(floats({0, 0, 10, 1, 0, 0, 3, 1}, {2, 4}), floats({.9, .8}, {2}), .3).numel() == 1);
  REQUIRE_THROWS_AS(nms(flat, floats({1}, {1}), .5), input_error);
  REQUIRE_THROWS_AS(class_nms(flat, floats({1, 2, 3}, {3}), whole({0}), .5), input_error);
}

TEST_CASE("answers leave out the same candidates with hard and with soft suppression") {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  // The first two are none: NaN, no area. Then one that stays, one of exactly the least score, and one whose score is NaN.
  detection::candidates const of{floats({nan, 0, 5, 5, 1, 1, 1, 4, 0, 0, 4, 2, 10, 10, 14, 12, 20, 20, 24, 22}, {1, 5, 4}),
                                 floats({.9, .8, .75, .5, nan}, {1, 5}), whole({0, 0, 0, 1, 1}).view({1, 5})};
  at::Tensor wanted = at::zeros({1, 3, 6}, at::TensorOptions(at::kFloat));
  wanted[0][0]      = floats({0, 0, .5, .25, .75, 0}, {6});
  for (bool const soft : {false, true}) {
    CAPTURE(soft);
    REQUIRE(near(detection::answer_of(of, {.least_score = .5, .soft = soft}, 3, 8, 8), wanted, 0));
  }
}

TEST_CASE("boxes are assigned as in mmdetection's tests") {
  at::Tensor const boxes = floats({0, 0, 10, 10, 10, 10, 20, 20, 5, 5, 15, 15, 32, 32, 38, 42}, {4, 4});
  auto const two         = objects_by_hand(floats({0, 0, 10, 9, 0, 10, 10, 19}, {2, 4}), {2, 3}, {0, 0});
  assign_options const how{.low_quality = true};
  REQUIRE(list(assign(boxes, two, how)) == std::vector<std::int64_t>{0, background, 1, background});
  // A region to be ignored, beside a row without an object.
  at::Tensor const others = floats({0, 0, 10, 10, 10, 10, 20, 20, 5, 5, 15, 15, 30, 32, 40, 42}, {4, 4});
  auto const three =
      objects_by_hand(floats({0, 0, 10, 9, 0, 10, 10, 19, 30, 30, 40, 40, 10, 10, 20, 20}, {4, 4}), {2, 3, 1, -1}, {0, 0, 1, 0});
  REQUIRE(list(assign(others, three, how)) == std::vector<std::int64_t>{0, background, 1, left_out});
  auto const none = objects_by_hand(floats({0, 0, 0, 0}, {1, 4}), {-1}, {0});
  REQUIRE(list(assign(boxes, none, how)) == std::vector<std::int64_t>(4, background));
  REQUIRE(assign(at::empty({0, 4}), two, how).sizes() == at::IntArrayRef({1, 0}));
  REQUIRE(assign(at::empty({0, 4}), none, how).numel() == 0);
}

TEST_CASE("assignment by hand: thresholds, ties, low quality, all ignored; loops and tensors alike") {
  // IoU with the object 0 ... 10: 1, .7, .5, .3, .2 and 0.
  at::Tensor const boxes = floats({0, 0, 10, 1, 0, 0, 7, 1, 0, 0, 5, 1, 0, 0, 3, 1, 0, 0, 2, 1, 20, 0, 30, 1}, {6, 4});
  auto const one         = objects_by_hand(floats({0, 0, 10, 1}, {1, 4}), {0}, {0});
  REQUIRE(list(assign(boxes, one, {.low = .3, .high = .7})) == std::vector<std::int64_t>{0, 0, left_out, left_out, background, background});
  REQUIRE(list(assign(boxes.narrow(0, 3, 3), one, {.low = .3, .high = .7, .low_quality = true})) ==
          std::vector<std::int64_t>{0, background, background});
  REQUIRE(list(assign(boxes.narrow(0, 5, 1), one, {.low_quality = true})) == std::vector<std::int64_t>{background});
  // Two equal objects: the first. All ignored: what lies within is left out, the rest is background.
  REQUIRE(list(assign(boxes, objects_by_hand(floats({0, 0, 10, 1, 0, 0, 10, 1}, {2, 4}), {4, 5}, {0, 0}), {})) ==
          std::vector<std::int64_t>{0, 0, 0, background, background, background});
  REQUIRE(list(assign(boxes, objects_by_hand(floats({0, 0, 10, 1, 0, 0, 10, 1}, {2, 4}), {4, 5}, {1, 1}), {.low_quality = true})) ==
          std::vector<std::int64_t>{left_out, left_out, left_out, left_out, left_out, background});
  // One that stands for an object is not left out, though it lies in a crowd.
  REQUIRE(list(assign(boxes, objects_by_hand(floats({0, 0, 10, 1, 0, 0, 100, 100}, {2, 4}), {4, 5}, {0, 1}), {})) ==
          std::vector<std::int64_t>{0, 0, 0, left_out, left_out, left_out});
  // Low quality keeps the object with which the box overlaps more: the box 0 ... 4 is the best of 0 ... 10 (.4), and stands for 0 ... 3 (.75).
  REQUIRE(list(assign(floats({0, 0, 4, 1}, {1, 4}), objects_by_hand(floats({0, 0, 10, 1, 0, 0, 3, 1}, {2, 4}), {0, 1}, {0, 0}),
                      {.low = .3, .high = .9, .low_quality = true})) == std::vector<std::int64_t>{1});
  // 300 objects, boxes of each picture, by both forms.
  objects many{at::stack({random_boxes(300, 200, 1), random_boxes(300, 200, 2)}),
               at::arange(600, at::TensorOptions(at::kLong)).view({2, 300}).remainder(7).sub(1),
               at::arange(600, at::TensorOptions(at::kLong)).view({2, 300}).remainder(5).eq(0)};
  at::Tensor const proposals = at::stack({random_boxes(500, 200, 3), random_boxes(500, 200, 4)});
  for (auto const& how : {assign_options{}, assign_options{.low = .3, .high = .7, .low_quality = true},
                          assign_options{.low = 0, .high = .6, .ignored = .1}}) {
    at::Tensor const a = assign(proposals, many, how);
    REQUIRE(at::equal(a, detection::detail::assign_of_tensors(proposals, many, how)));
    REQUIRE(a.ge(0).any().item<bool>());
    REQUIRE(a.eq(left_out).any().item<bool>());
    REQUIRE(at::equal(
        a[1], assign(proposals[1], {many.boxes.narrow(0, 1, 1), many.labels.narrow(0, 1, 1), many.ignored.narrow(0, 1, 1)}, how)[0]));
  }
  REQUIRE_THROWS_AS(assign(at::empty({3, 7, 4}), many), input_error);
}

TEST_CASE("sampling takes a quarter of positives at most, by keyed random numbers") {
  at::Tensor const matched = whole({0, 1, background, left_out, background, 2, 3, background, background, left_out}).view({1, 10});
  at::Tensor const uniform = tensor({.5, .2, .9, .01, .1, .8, .3, .4, .6, .02}, {1, 10});
  for (bool const loops : {true, false}) {
    auto const run = [&](sample_options const& how) {
      return loops ? sample(matched, uniform, how) : detection::detail::sample_of_tensors(matched, uniform, how);
    };
    auto const some = run({.number = 6, .positive = .5});
    REQUIRE(list(some.index) == std::vector<std::int64_t>{1, 6, 0, 4, 7, 8});
    REQUIRE(list(some.matched) == std::vector<std::int64_t>{1, 3, 0, background, background, background});
    REQUIRE(some.valid.all().item<bool>());
    // More rows than boxes; fewer positives than may be taken.
    auto const all = run({.number = 12, .positive = .5});
    REQUIRE(list(all.valid) == std::vector<std::int64_t>{1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0});
    REQUIRE(list(all.matched) == std::vector<std::int64_t>{1, 3, 0, 2, -1, -1, -1, -1, -2, -2, -2, -2});
    // A quarter, rounded down.
    REQUIRE(list(run({.number = 7, .positive = .25}).matched) == std::vector<std::int64_t>{1, -1, -1, -1, -1, -2, -2});
  }
  at::Tensor const large = random_numbers({3, 2000}, 8).mul(3).floor().to(at::kLong), drawn = random_numbers({3, 2000}, 9).add(1).div(2);
  auto const a = sample(large, drawn), b = detection::detail::sample_of_tensors(large, drawn, {});
  REQUIRE(at::equal(a.matched, b.matched));
  REQUIRE(at::equal(a.index, b.index));
  REQUIRE(at::equal(a.valid, b.valid));
  REQUIRE(list(a.matched.ge(0).sum(1)) == std::vector<std::int64_t>(3, 128));
  // Nothing to sample.
  auto const none = sample(whole({left_out, left_out}).view({1, 2}), tensor({.1, .2}, {1, 2}), {.number = 2});
  REQUIRE(list(none.valid) == std::vector<std::int64_t>{0, 0});
  REQUIRE(sample(at::empty({2, 0}, at::TensorOptions(at::kLong)), at::empty({2, 0}, at::TensorOptions(at::kDouble)), {.number = 4})
              .valid.sum()
              .item<std::int64_t>() == 0);
  // A function of the seed, the epoch and the sample, not of the batch it is in.
  std::vector<std::int64_t> const ids{40, 41, 42}, later{42};
  pass const first{.seed = 3, .epoch = 5, .ids = ids}, alone{.seed = 3, .epoch = 5, .ids = later}, next{.seed = 3, .epoch = 6, .ids = ids};
  auto const c = sample(large, first), d = sample(large.narrow(0, 2, 1), alone);
  REQUIRE(at::equal(c.index[2], d.index[0]));
  REQUIRE(!at::equal(c.index, sample(large, next).index));
  REQUIRE(!at::equal(c.index[0], c.index[1]));
  at::Tensor const of_all = at::full({2000, 1000}, background, at::TensorOptions(at::kLong));
  auto const counts =
      sample(of_all, pass{.mode = train, .seed = 3}, {.number = 10}).index.view({-1}).bincount({}, 1000);  // 20 each are expected
  REQUIRE(counts.min().item<std::int64_t>() > 2);
  REQUIRE(counts.max().item<std::int64_t>() < 46);
}

TEST_CASE("objects of a truth, rows of them, and what a mask head should predict") {
  at::Tensor const truth = floats({2, .5, .5, .5, .25, 0, 1, 1, .25, .25, .1, .1, 1, 1, 0, 0, 0, 0, 0, 0, 0}, {1, 3, 7});
  auto const made        = objects_of(truth, 80, 40);
  REQUIRE(near(made.boxes, floats({10, 30, 30, 50, 8, 16, 12, 24, 0, 0, 0, 0}, {1, 3, 4}), 1e-5));
  REQUIRE(list(made.labels) == std::vector<std::int64_t>{2, 1, -1});
  REQUIRE(list(made.ignored) == std::vector<std::int64_t>{0, 1, 0});
  REQUIRE(!made.masks.defined());
  REQUIRE(near(rows_of(made.boxes, whole({1, -1}).view({1, 2})), floats({8, 16, 12, 24, 10, 30, 30, 50}, {1, 2, 4}), 1e-5));
  REQUIRE_THROWS_AS(objects_of(at::zeros({1, 3, 9}), 4, 4), input_error);
  REQUIRE_THROWS_AS(mask_targets(made, made.boxes, whole({0, 1, 2}).view({1, 3}), 2), input_error);

  // A mask of 2 x 2 cells, of which the upper left one is inside, of a box of 20 pixels from 10, 30.
  at::Tensor const masked = floats({2, .5, .5, .5, .25, 0, 1, 0, 0, 0, 1}, {1, 1, 11});
  auto const with         = objects_of(masked, 80, 40);
  REQUIRE(near(with.masks, floats({1, 0, 0, 0}, {1, 1, 2, 2}), 0));
  at::Tensor const boxes = floats({10, 30, 30, 50, 10, 30, 20, 40, 0, 30, 20, 50}, {1, 3, 4});
  at::Tensor const found = mask_targets(with, boxes, whole({0, 0, 0}).view({1, 3}), 2);
  // The same box; its upper left quarter; one that begins half a box to the left.
  REQUIRE(near(found[0][0], floats({1, 0, 0, 0}, {2, 2}), 1e-6));
  REQUIRE(near(found[0][1], floats({1, .75, .75, .5625}, {2, 2}), 1e-5));
  REQUIRE(near(found[0][2], floats({0, 1, 0, 0}, {2, 2}), 1e-5));
}

TEST_CASE("deformable convolutions have the answers and gradients of mmcv's tests") {
  at::Tensor const x             = tensor({1, 2, 3, 0, 1, 2, 3, 5, 2}, {1, 1, 3, 3}).requires_grad_(true);
  at::Tensor const offset_weight = tensor({.1, .4, .6, .1, .3, .2, .1, .3, .5, .5, .2, .8, .8, .3, .9, .1,
                                           .3, .1, .2, .5, .3, .7, .5, .3, .6, .2, .5, .3, .4, .1, .8, .4},
                                          {8, 1, 2, 2})
                                       .requires_grad_(true);
  at::Tensor const offset_bias = tensor({.7, .1, .8, .5, .6, .5, .4, .7}, {8}).requires_grad_(true);
  at::Tensor const weight      = tensor({.4, .2, .1, .9}, {1, 1, 2, 2}).requires_grad_(true);
  at::Tensor const y           = deformable_conv(x, at::conv2d(x, offset_weight, offset_bias), {}, weight, {});
  REQUIRE(near(y, tensor({1.65, 0, 0, 0}, {1, 1, 2, 2}), 1e-3));
  y.sum().backward();
  REQUIRE(near(x.grad(), tensor({-.666, .204, 0, .03, -.416, .012, 0, .252, .129}, {1, 1, 3, 3}), 1e-3));
  REQUIRE(near(weight.grad(), tensor({3.62, 0, .4, .18}, {1, 1, 2, 2}), 1e-3));
  REQUIRE(near(offset_bias.grad(), tensor({1.44, -.72, 0, 0, -.1, -.08, -.54, -.54}, {8}), 1e-3));
  REQUIRE(near(offset_weight.grad().select(0, 0), tensor({1.44, 2.88, 0, 1.44}, {1, 2, 2}), 1e-3));
  REQUIRE(near(offset_weight.grad().select(0, 7), tensor({-.54, -1.08, 0, -.54}, {1, 2, 2}), 1e-3));

  // With a mask of sigmoid(0).
  at::Tensor const map   = tensor({1, 2, 3, 1, 2, 3, 1, 2, 3}, {1, 1, 3, 3}).requires_grad_(true);
  at::Tensor const ones  = at::ones({1, 1, 2, 2}, map.options()).detach().requires_grad_(true);
  at::Tensor const still = at::zeros({1, 8, 4, 4}, map.options()).requires_grad_(true),
                   half  = at::zeros({1, 4, 4, 4}, map.options()).requires_grad_(true);
  at::Tensor const z     = deformable_conv(map, still, half.sigmoid(), ones, {}, {.padding = 1});
  REQUIRE(near(z, tensor({.5, 1.5, 2.5, 1.5, 1, 3, 5, 3, 1, 3, 5, 3, .5, 1.5, 2.5, 1.5}, {1, 1, 4, 4}), 1e-12));
  z.sum().backward();
  REQUIRE(near(map.grad(), at::full({1, 1, 3, 3}, 2., map.options()), 1e-12));
  REQUIRE(near(ones.grad(), at::full({1, 1, 2, 2}, 9., map.options()), 1e-12));
  REQUIRE(near(still.grad().sum({0, 2, 3}), tensor({-3, -1.5, -3, -1.5, -3, -1.5, -3, -1.5}, {8}), 1e-12));
  REQUIRE(near(half.grad().sum({0, 2, 3}), tensor({4.5, 4.5, 4.5, 4.5}, {4}), 1e-12));
}

TEST_CASE("deformable convolutions: plain ones where nothing moves, gathers, groups, finite differences") {
  at::Tensor const x = random_numbers({2, 8, 9, 7}, 1), weight = random_numbers({6, 8, 3, 3}, 2), bias = random_numbers({6}, 3);
  at::Tensor const still = at::zeros({2, 18, 5, 4}, x.options());
  REQUIRE(near(deformable_conv(x, still, {}, weight, bias, {.stride = 2, .padding = 1}), at::conv2d(x, weight, bias, 2, 1), 1e-12));
  // 19 channels of 40 x 30 pixels: several blocks of positions, and rests of vectors.
  struct form {
    std::int64_t channels, out, height, width, moved;
    deformable_options how;
    bool masked;
  };
  for (form const& f :
       {form{19, 5, 40, 30, 1, {.padding = 1}, true}, form{8, 4, 9, 8, 2, {.stride = 2, .padding = 3, .dilation = 2, .groups = 4}, true},
        form{12, 6, 9, 8, 3, {.padding = 1, .groups = 2}, false}, form{6, 3, 7, 6, 1, {.padding = 3, .dilation = 3, .groups = 3}, true}}) {
    at::Tensor const map    = random_numbers({2, f.channels, f.height, f.width}, 4),
                     kernel = random_numbers({f.out, f.channels / f.how.groups, 3, 3}, 5);
    auto const sizes        = at::conv2d(map, kernel, {}, f.how.stride, f.how.padding, f.how.dilation, f.how.groups).sizes().vec();
    at::Tensor const offset = random_numbers({2, 18 * f.moved, sizes[2], sizes[3]}, 6).mul(3);
    at::Tensor const mask   = f.masked ? random_numbers({2, 9 * f.moved, sizes[2], sizes[3]}, 7) : at::Tensor();
    std::array<std::array<at::Tensor, 4>, 2> leaves;
    std::array<at::Tensor, 2> answers;
    at::Tensor const w = random_numbers(sizes, 8);
    for (std::size_t i = 0; i < 2; ++i) {
      std::size_t k = 0;
      for (at::Tensor const& each : {map, offset, mask, kernel}) leaves[i][k++] = each.defined() ? each.clone().requires_grad_(true) : each;
      answers[i] = i == 0 ? deformable_conv(leaves[i][0], leaves[i][1], leaves[i][2], leaves[i][3], {}, f.how)
                          : detection::detail::deformable_conv_of_gathers(leaves[i][0], leaves[i][1], leaves[i][2], leaves[i][3], f.how);
      answers[i].mul(w).sum().backward();
    }
    REQUIRE(near(answers[0], answers[1], 1e-11));
    for (std::size_t k = 0; k < 4; ++k)
      if (leaves[0][k].defined()) REQUIRE(near(leaves[0][k].grad(), leaves[1][k].grad(), 1e-10));
    REQUIRE(near(deformable_conv(map.to(at::kFloat), offset.to(at::kFloat), mask.defined() ? mask.to(at::kFloat) : mask,
                                 kernel.to(at::kFloat), {}, f.how)
                     .to(at::kDouble),
                 answers[0].detach(), 1e-4));
  }
  at::Tensor const small = random_numbers({1, 2, 4, 4}, 9), kernel = random_numbers({2, 2, 2, 2}, 10),
                   mask   = random_numbers({1, 4, 3, 3}, 11);
  at::Tensor const offset = random_numbers({1, 8, 3, 3}, 12);
  REQUIRE(gradient_error(small, [&](at::Tensor const& v) { return deformable_conv(v, offset, mask, kernel, {}); }) < 1e-8);
  REQUIRE(gradient_error(offset, [&](at::Tensor const& v) { return deformable_conv(small, v, mask, kernel, {}); }) < 1e-8);
  REQUIRE(gradient_error(mask, [&](at::Tensor const& v) { return deformable_conv(small, offset, v, kernel, {}); }) < 1e-8);
  REQUIRE(gradient_error(kernel, [&](at::Tensor const& v) { return deformable_conv(small, offset, mask, v, {}); }) < 1e-8);
  // Offsets that are no numbers or infinite read nothing and have no gradient.
  at::Tensor const odd = offset.clone();
  double const nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  odd.view({-1})[4]          = nan;
  odd.view({-1})[20]         = infinite;
  odd.view({-1})[33]         = -infinite;
  at::Tensor const elsewhere = odd.nan_to_num(-100, -100, -100);  // outside of the map
  auto const read            = [&](at::Tensor const& at_, auto const& f) {
    at::Tensor const leaf = at_.clone().requires_grad_(true), y = f(leaf);
    y.square().sum().backward();
    return std::array{y.detach(), leaf.grad()};
  };
  auto const loop    = [&](at::Tensor const& at_) { return deformable_conv(small, at_, mask, kernel, {}); };
  auto const gathers = [&](at::Tensor const& at_) { return detection::detail::deformable_conv_of_gathers(small, at_, mask, kernel, {}); };
  auto const nothing = read(elsewhere, loop), by_loop = read(odd, loop), by_gathers = read(odd, gathers);
  for (std::size_t i = 0; i < 2; ++i) REQUIRE((near(by_loop[i], nothing[i], 1e-12) && near(by_gathers[i], nothing[i], 1e-12)));
  at::Tensor const narrow = deformable_conv(small.to(at::kBFloat16), offset, mask, kernel, {});
  REQUIRE(narrow.scalar_type() == at::kBFloat16);
  REQUIRE_THROWS_AS(deformable_conv(small, offset.narrow(1, 0, 6), mask, kernel, {}), input_error);
  REQUIRE_THROWS_AS(deformable_conv(small, offset, mask.narrow(2, 0, 2), kernel, {}), input_error);
  REQUIRE_THROWS_AS(deformable_conv(small, offset, mask, kernel, {}, {.padding = 1}), input_error);
}
