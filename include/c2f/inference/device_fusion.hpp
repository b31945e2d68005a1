// c2f/inference/device_fusion.hpp: the panoptic labels of a video, fused and stitched by tensor operations on the device of the maps.
//
//   c2f::panoptic::device_fusion video({.things = {11, 12}, .divisor = 1000}, 19);          // 19 classes
//   at::Tensor const labels = video.add(maps.classes, maps.heat, maps.offsets);             // [H, W], of frame t
//   …
//   video.end_sequence();
//
// add() gives what panoptic_fusion.hpp and stitcher.hpp give for the same maps, value for value: classes are [2, H, W] and offsets
// [2, 2, H, W], of frame t and of frame t + 1, whose offsets point to the centres of frame t. With maps of one frame, [1, H, W] and
// [1, 2, H, W], instances are joined to those of the frame before where they overlap. It needs no value on the host and every size is known
// before, so it can be captured as a CUDA graph together with the network: call it once before, which makes the memory that lasts, and then
// end_sequence(). Instances are counted with integers: equal bytes in every run. (A host compiled to contract a product and a sum, as by
// -march=native, may round distances otherwise, and then a pixel between two centres goes to the other one.)
//
// Cost: the distance of every pixel to each of .most centres (1025 x 2049 pixels, two frames, 400 centres: 1.7e9 distances, in pieces of
// 2^16 pixels, 200 MB) where the host version searches a few: meant for a GPU. About 500 launches for such a pair.
// Errors: input_error for maps of other sizes or devices, no class, an even window, and a divisor that the centres of a frame do not fit in;
// check_numbers() reads the device and throws where the video has had more objects of a class than the divisor allows.
#pragma once

#include <c2f/core/dims.hpp>
#include <c2f/core/errors.hpp>
#include <c2f/inference/panoptic_fusion.hpp>
#include <c2f/inference/stitcher.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace c2f::panoptic {

class device_fusion {
 public:
  /// Classes of the maps are 0 ... classes - 1, as an argmax over that many channels gives them.
  device_fusion(fusion_options options, std::int64_t classes) : options_(std::move(options)), classes_(classes) {
    if (classes < 1) throw input_error("a video of " + std::to_string(classes) + " classes has no labels; write 1 or more");
    detail::check_window(options_);
    if (options_.most < 1 || options_.most >= options_.divisor)
      throw input_error("a frame may have " + std::to_string(options_.most) + " centres and the divisor of labels is " +
                        std::to_string(options_.divisor) + "; write .most of at least 1 and less than .divisor");
    metrics::thing_classes const is_thing(options_.things);
    for (std::int64_t c = 0; c < classes; ++c) things_.push_back(is_thing(c) ? 1 : 0);
  }

  /// classes: [F, H, W], int64; heat: [H, W], float; offsets: [F, 2, H, W], float, y and x; F is 2, or 1 for frame t alone. All on one device.
  /// Returns the labels of frame t, [H, W], int64.
  at::Tensor add(at::Tensor const& classes, at::Tensor const& heat, at::Tensor const& offsets) {
    at::NoGradGuard const no_gradients;
    check(classes, heat, offsets);
    begin_on(heat);
    segments const found      = segments_of(classes, centres_of(heat), offsets);
    at::Tensor const labels   = lasting(found);
    at::Tensor const of_frame = labels.index_select(0, found.map[0]).view({height_, width_});
    expected_map_.copy_(found.map[found.map.size(0) - 1]);
    expected_labels_.copy_(labels);
    return of_frame;
  }
  /// The next frame belongs to another video.
  void end_sequence() {
    if (!expected_labels_.defined()) return;
    expected_labels_.zero_();
    largest_.zero_();
  }
  /// Throws where labels of this video are wrong because it had too many objects. Waits for the device.
  void check_numbers() const {
    if (!largest_.defined()) return;
    at::Tensor const numbers = largest_.to(at::kCPU);
    for (std::int64_t c = 0; c < classes_; ++c) detail::check_number(numbers.const_data_ptr<std::int64_t>()[c], c, options_.divisor);
  }

 private:
  /// An image is a map of segments: instances, then a segment for each class of stuff, then void.
  struct segments {
    at::Tensor map;      ///< [F, H·W]
    at::Tensor labels;   ///< [S], 0 for an instance without a pixel
    at::Tensor classes;  ///< [M], of the instances
    at::Tensor first;    ///< [M], first pixels of the instances
  };
  struct positions {
    at::Tensor y, x;  ///< [M], pixels, in the order of the image; behind the last centre the first one is repeated
    at::Tensor any;   ///< [], whether there is one
  };

  void check(at::Tensor const& classes, at::Tensor const& heat, at::Tensor const& offsets) const {
    auto const refuse = [&] {
      throw input_error("a video is fused from classes of " + c2f::detail::dims_of(classes) + ", heat of " + c2f::detail::dims_of(heat) +
                        " and offsets of " + c2f::detail::dims_of(offsets) +
                        "; give [F, H, W] integers of 64 bits, [H, W] and [F, 2, H, W] floats, F being 1 or 2 frames of the same size");
    };
    if (heat.dim() != 2 || heat.numel() == 0 || classes.dim() != 3 || classes.size(0) < 1 || classes.size(0) > 2) refuse();
    std::int64_t const frames = classes.size(0), height = heat.size(0), width = heat.size(1);
    if (classes.sizes() != at::IntArrayRef{frames, height, width} || offsets.sizes() != at::IntArrayRef{frames, 2, height, width} ||
        classes.scalar_type() != at::kLong || heat.scalar_type() != at::kFloat || offsets.scalar_type() != at::kFloat)
      refuse();
    if (classes.device() != heat.device() || offsets.device() != heat.device() ||
        (expected_map_.defined() && expected_map_.device() != heat.device()))
      throw input_error("a video is fused from classes on " + classes.device().str() + ", heat on " + heat.device().str() +
                        " and offsets on " + offsets.device().str() + "; all of a video are on one device");
    if (expected_map_.defined() && (height != height_ || width != width_))
      throw input_error("a frame of " + c2f::detail::dims_of(heat) + " follows one of [" + std::to_string(height_) + ", " +
                        std::to_string(width_) + "] in a video; frames have one size");
  }
  // The memory that lasts is made once, so that a captured add() finds it at its place.
  void begin_on(at::Tensor const& heat) {
    if (expected_map_.defined()) return;
    height_ = heat.size(0), width_ = heat.size(1);
    most_              = std::min(options_.most, height_ * width_);
    auto const numbers = heat.options().dtype(at::kLong);
    is_thing_          = at::tensor(things_, numbers).to(at::kBool);
    expected_map_      = at::zeros({height_ * width_}, numbers);
    expected_labels_   = at::zeros({most_ + classes_ + 1}, numbers);
    largest_           = at::zeros({classes_}, numbers);
  }

  positions centres_of(at::Tensor const& heat) const {
    constexpr float none    = -std::numeric_limits<float>::infinity();
    at::Tensor const high   = heat.masked_fill(heat.gt(options_.threshold).logical_not(), none);
    at::Tensor const around = at::max_pool2d(high.view({1, 1, height_, width_}), options_.window, 1, options_.window / 2);
    auto const [heats, pixel] =
        at::sort(high.masked_fill(high.ne(around.view_as(high)), none).flatten(), /*stable=*/true, 0, /*descending=*/true);
    // The highest ones, of equal ones the first; then in the order of the image.
    std::int64_t const pixels = height_ * width_;
    at::Tensor const kept     = pixel.slice(0, 0, most_).masked_fill(heats.slice(0, 0, most_).eq(none), pixels);
    at::Tensor const at_pixel = std::get<0>(at::sort(kept));
    at::Tensor const exists   = at_pixel.lt(pixels);
    at::Tensor const whole    = at::where(exists, at_pixel, at_pixel[0]);
    return {whole.div(width_, "floor").to(at::kFloat), whole.remainder(width_).to(at::kFloat), exists[0]};
  }

  segments segments_of(at::Tensor const& classes, positions const& centres, at::Tensor const& offsets) const {
    std::int64_t const frames = classes.size(0), pixels = height_ * width_, all = frames * pixels, count = most_ + classes_ + 1;
    auto const of_floats = offsets.options();
    at::Tensor const y   = offsets.select(1, 0).add(at::arange(height_, of_floats).view({height_, 1})).reshape({all, 1});
    at::Tensor const x   = offsets.select(1, 1).add(at::arange(width_, of_floats)).reshape({all, 1});
    at::Tensor const map = at::empty({all}, classes.options());
    for (std::int64_t begin = 0, step = std::int64_t{1} << 16; begin < all; begin += step) {
      std::int64_t const end    = std::min(all, begin + step);
      at::Tensor const squared  = centres.y.sub(y.slice(0, begin, end)).square_();
      at::Tensor const squared2 = centres.x.sub(x.slice(0, begin, end)).square_();
      map.slice(0, begin, end).copy_(squared.add_(squared2).argmin(1));
    }
    at::Tensor const flat = classes.reshape({all}), is_thing = is_thing_.index_select(0, flat);
    map.masked_fill_(centres.any.logical_not(), count - 1);
    map.copy_(at::where(is_thing, map, flat.add(most_)));

    at::Tensor const votes = counted(map.mul(classes_).add_(flat), count * classes_).view({count, classes_});
    at::Tensor const areas = votes.sum(1), majority = votes.slice(0, 0, most_).argmax(1), exists = areas.slice(0, 0, most_).gt(0);
    at::Tensor const first =
        at::full({count}, all, map.options()).scatter_reduce(0, map, at::arange(all, map.options()), "amin").slice(0, 0, most_);
    at::Tensor const instances = majority.mul(options_.divisor).add_(ranks(exists, majority, first)).mul_(exists);
    std::int64_t const is_void = options_.ignored * options_.divisor;
    at::Tensor const of_stuff  = at::arange(classes_, map.options()).mul_(options_.divisor);
    at::Tensor const stuff     = of_stuff.masked_fill(areas.slice(0, most_, most_ + classes_).lt(options_.stuff_area), is_void);
    return {map.view({frames, pixels}), at::cat({instances, stuff, at::full({1}, is_void, map.options())}), majority, first};
  }

  // The labels of the segments with the numbers of the video.
  at::Tensor lasting(segments const& found) {
    std::int64_t const count = found.labels.size(0);
    at::Tensor const shared  = counted(expected_map_.mul(count).add_(found.map[0]), count * count).view({count, count});
    at::Tensor const either  = shared.sum(1, true).add(shared.sum(0, true)).sub_(shared);
    auto const class_of      = [&](at::Tensor const& labels) { return labels.div(options_.divisor, "floor"); };
    auto const is_instance   = [&](at::Tensor const& labels) { return labels.remainder(options_.divisor).ne(0); };
    at::Tensor const same    = class_of(expected_labels_).unsqueeze(1).eq(class_of(found.labels));
    at::Tensor const may     = same.logical_and_(is_instance(expected_labels_).unsqueeze(1)).logical_and_(is_instance(found.labels));
    // Of equal overlaps the one with the smaller label counts: rows and columns in the order of labels.
    at::Tensor const rows = at::argsort(expected_labels_), columns = at::argsort(found.labels);
    at::Tensor const iou = shared.to(at::kDouble).div(either.clamp_min(1).to(at::kDouble)).mul_(may);
    at::Tensor const of  = iou.index_select(0, rows).index_select(1, columns);
    at::Tensor const row = of.argmax(0), column = of.argmax(1);
    at::Tensor const mutual  = column.index_select(0, row).eq(at::arange(count, row.options())).logical_and_(of.amax(0).gt(0));
    at::Tensor const matched = at::zeros_like(found.labels)
                                   .scatter(0, columns, expected_labels_.index_select(0, rows.index_select(0, row)).mul_(mutual))
                                   .slice(0, 0, most_);

    at::Tensor const own    = found.labels.slice(0, 0, most_);
    at::Tensor const is_new = own.ne(0).logical_and_(matched.eq(0));
    at::Tensor const number = largest_.index_select(0, found.classes).add_(ranks(is_new, found.classes, found.first));
    at::Tensor const named  = at::where(is_new, found.classes.mul(options_.divisor).add_(number), matched);
    largest_.scatter_add_(0, found.classes, is_new.to(at::kLong));
    return at::cat({named, found.labels.slice(0, most_)});
  }

  // How often each number 0 … size - 1 is among the values.
  static at::Tensor counted(at::Tensor const& values, std::int64_t size) {
    return at::zeros({size}, values.options()).scatter_add_(0, values, at::ones_like(values));
  }
  // Numbers from 1 of the chosen instances of each class, in the order of their first pixels.
  static at::Tensor ranks(at::Tensor const& chosen, at::Tensor const& classes, at::Tensor const& first) {
    at::Tensor const before = first.unsqueeze(0).le(first.unsqueeze(1)).logical_and_(classes.unsqueeze(0).eq(classes.unsqueeze(1)));
    return before.logical_and_(chosen.unsqueeze(0)).sum(1);
  }

  fusion_options options_;
  std::int64_t classes_;
  std::vector<std::int64_t> things_{};
  std::int64_t height_ = 0, width_ = 0, most_ = 0;
  at::Tensor is_thing_{};                          ///< [C]
  at::Tensor expected_map_{}, expected_labels_{};  ///< [H·W], [S]: the segments that the pair before says of this frame
  at::Tensor largest_{};                           ///< [C], numbers in use
};

}  // namespace c2f::panoptic
