// Fusion and stitching by tensor operations against the versions for the host.
#include <c2f/inference/device_fusion.hpp>
#include <c2f/inference/stitcher.hpp>

#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>

#include <array>
#include <cmath>
#include <random>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

namespace panoptic = c2f::panoptic;
using labels       = std::vector<std::int64_t>;

// Blocks of classes and centres that move, with noise: objects come, go, share pixels and change class.
struct moving_maps {
  std::int64_t height, width;
  std::mt19937 draw;  // frames are drawn in order

  struct frame {
    labels classes, next_classes;
    std::vector<float> heat, offsets, next_offsets;
  };
  frame at(int t) {
    auto const pixels = static_cast<std::size_t>(height * width);
    std::uniform_real_distribution<float> number(0, 1);
    frame found{labels(pixels), labels(pixels), std::vector<float>(pixels), std::vector<float>(2 * pixels), std::vector<float>(2 * pixels)};
    for (std::size_t i = 0; i < pixels; ++i) {
      auto const y = static_cast<std::int64_t>(i) / width, x = static_cast<std::int64_t>(i) % width;
      auto const class_at = [&](std::int64_t shift) { return ((x + shift) / 7 + y / 5) % 4; };
      found.classes[i] = class_at(t), found.next_classes[i] = class_at(t + 1);
      if (number(draw) < .1f) found.classes[i] = static_cast<std::int64_t>(4 * number(draw));
      found.heat[i] = std::round(20 * number(draw)) / 20;  // with equal ones
      for (auto* const offsets : {&found.offsets, &found.next_offsets})
        for (std::size_t const to : {i, pixels + i}) {
          float const offset = 12 * number(draw) - 6;  // whole numbers make equal distances
          (*offsets)[to]     = i % 3 == 0 ? offset : std::round(offset);
        }
    }
    found.heat[3] = std::numeric_limits<float>::quiet_NaN(), found.offsets[5] = std::numeric_limits<float>::quiet_NaN();
    found.offsets[pixels + 7] = std::numeric_limits<float>::infinity(), found.next_offsets[9] = 1e30f;
    return found;
  }
};

at::Tensor tensor_of(labels const& values, at::IntArrayRef dims) {
  return at::from_blob(const_cast<std::int64_t*>(values.data()), dims, at::kLong).clone();
}
at::Tensor tensor_of(std::vector<float> const& values, at::IntArrayRef dims) {
  return at::from_blob(const_cast<float*>(values.data()), dims, at::kFloat).clone();
}
labels values_of(at::Tensor const& map) {
  at::Tensor const there = map.contiguous();
  return {there.const_data_ptr<std::int64_t>(), there.const_data_ptr<std::int64_t>() + there.numel()};
}

}  // namespace

TEST_CASE("labels of videos by tensor operations are those of the host, value for value") {
  struct sizes {
    std::int64_t height, width, window, most, stuff_area;
    float threshold;
  };
  for (auto const& [height, width, window, most, area, threshold] : {sizes{23, 31, 5, 400, 40, .5f},
                                                                     {23, 31, 5, 6, 40, .5f},
                                                                     {30, 40, 3, 400, 1, .9f},
                                                                     {1, 40, 3, 9, 1, .5f},
                                                                     {17, 1, 1, 400, 3, 0},
                                                                     {20, 20, 41, 400, 10, .5f},
                                                                     {12, 12, 3, 400, 1, 2.f},
                                                                     {16, 16, 1, 999, 1, -1.f},
                                                                     {260, 257, 13, 60, 500, .99f}}) {
    panoptic::fusion_options const options{
        .things = {1, 3}, .divisor = 1000, .ignored = 9, .stuff_area = area, .threshold = threshold, .window = window, .most = most};
    for (bool const pairs : {true, false}) {
      moving_maps maps{height, width, std::mt19937(7)};
      panoptic::stitcher stitcher({.divisor = options.divisor});
      panoptic::device_fusion video(options, 4);
      std::size_t instances = 0;
      int const frames      = height > 100 ? 3 : 14;
      for (int t = 0; t < frames; ++t) {
        auto const made = maps.at(t);
        panoptic::raw_maps const raw{made.classes, made.heat, made.offsets, height, width};
        at::Tensor const heat = tensor_of(made.heat, {height, width});
        at::Tensor classes = tensor_of(made.classes, {1, height, width}), offsets = tensor_of(made.offsets, {1, 2, height, width});
        labels expected;
        if (pairs) {
          auto const both = panoptic::fused_pair(raw, made.next_classes, made.next_offsets, options);
          expected        = stitcher.add(both.labels, both.next_labels);
          classes         = at::cat({classes, tensor_of(made.next_classes, {1, height, width})});
          offsets         = at::cat({offsets, tensor_of(made.next_offsets, {1, 2, height, width})});
        } else {
          labels const alone = panoptic::fused(raw, options);
          expected           = stitcher.add(alone, alone);
        }
        REQUIRE(values_of(video.add(classes, heat, offsets)) == expected);
        for (std::int64_t const label : expected) instances += label % options.divisor != 0;
        if (t == 8) stitcher.end_sequence(), video.end_sequence();
      }
      REQUIRE((instances > 0) == (threshold < 1));
      video.check_numbers();
    }
  }
}

TEST_CASE("numbers of a video last where objects change places, and are not those of objects that nothing overlaps") {
  // Two objects of four pixels in a row; in the second frame they have changed places, and the offsets say so.
  panoptic::device_fusion video({.things = {1}, .stuff_area = 1, .window = 1}, 2);
  std::vector<float> heat{0, .9f, 0, 0, 0, .8f, 0, 0};
  auto const to = [](std::int64_t left, std::int64_t right) {  // y offsets 0, x offsets to the centres of the halves
    std::vector<float> found(16);
    for (std::int64_t x = 0; x < 8; ++x) found[static_cast<std::size_t>(8 + x)] = static_cast<float>((x < 4 ? left : right) - x);
    return found;
  };
  at::Tensor const classes = tensor_of(labels(16, 1), {2, 1, 8});
  auto const frame         = [&](std::vector<float> const& now, std::vector<float> const& next) {
    return values_of(video.add(classes, tensor_of(heat, {1, 8}), at::stack({tensor_of(now, {2, 1, 8}), tensor_of(next, {2, 1, 8})})));
  };
  REQUIRE(frame(to(1, 5), to(5, 1)) == labels{1001, 1001, 1001, 1001, 1002, 1002, 1002, 1002});
  REQUIRE(frame(to(1, 5), to(5, 1)) == labels{1002, 1002, 1002, 1002, 1001, 1001, 1001, 1001});
  REQUIRE(frame(to(1, 5), to(1, 5)) == labels{1001, 1001, 1001, 1001, 1002, 1002, 1002, 1002});
  video.end_sequence();
  REQUIRE(frame(to(5, 1), to(1, 5)) == labels{1001, 1001, 1001, 1001, 1002, 1002, 1002, 1002});
  // An object that nothing overlaps, where there is neither stuff nor a place for another object.
  panoptic::device_fusion alone({.things = {0, 1}, .window = 1, .most = 1}, 2);
  auto const of_class = [&](std::int64_t c) {
    return values_of(alone.add(tensor_of(labels(8, c), {1, 1, 8}), tensor_of(heat, {1, 8}), tensor_of(to(1, 1), {1, 2, 1, 8})));
  };
  REQUIRE(of_class(0) == labels(8, 1));
  REQUIRE(of_class(1) == labels(8, 1001));
}

TEST_CASE("wrong maps and options of a fusion on the device are refused in a sentence") {
  using tests::refusal, tests::require_message;
  require_message(refusal([] { panoptic::device_fusion({.things = {1}, .window = 4}, 2); }), {"4 pixels", "odd"});
  require_message(refusal([] { panoptic::device_fusion({.things = {1}, .divisor = 400}, 2); }),
                  {"400 centres", "divisor of labels is 400", "less than"});
  require_message(refusal([] { panoptic::device_fusion({}, 0); }), {"0 classes"});
  panoptic::device_fusion video({.things = {1}, .divisor = 3, .threshold = -1, .window = 1, .most = 2}, 2);
  at::Tensor const classes = at::ones({1, 2, 3}, at::kLong), heat = at::zeros({2, 3}), offsets = at::zeros({1, 2, 2, 3});
  require_message(refusal([&] { video.add(classes, heat, at::zeros({1, 2, 3, 2})); }), {"[1, 2, 3, 2]", "[F, 2, H, W]"});
  require_message(refusal([&] { video.add(classes.to(at::kInt), heat, offsets); }), {"64 bits"});
  require_message(refusal([&] { video.add(classes, heat, offsets.to(at::kMeta)); }), {"heat on cpu", "offsets on meta", "one device"});
  require_message(refusal([&] { video.add(classes.expand({3, 2, 3}), heat, offsets.expand({3, 2, 2, 3})); }), {"[3, 2, 3]", "1 or 2"});
  video.add(classes, heat, offsets);
  require_message(refusal([&] { video.add(classes.view({1, 3, 2}), heat.view({3, 2}), offsets.view({1, 2, 3, 2})); }),
                  {"[3, 2] follows one of [2, 3]"});
  video.check_numbers();
  // Others of the same class in every frame: the stuff between two frames leaves none to be joined.
  video.add(at::zeros_like(classes), heat, offsets), video.add(classes, heat, offsets);
  require_message(refusal([&] { video.check_numbers(); }), {"more than 2 objects of class 1", "write a larger one"});
}
