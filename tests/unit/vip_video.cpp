// Videos from the maps of a network, here perfect ones: numbers that last with the next-frame branch, and not without.
#include <c2f/c2f.hpp>
#include <c2f/data/panoptic_pairs.hpp>
#include <c2f/data/synthetic/road_videos.hpp>
#include <c2f/metrics/panoptic.hpp>
#include <c2f/systems/vip_kind.hpp>
#include <c2f/systems/vip_video.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rsub.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "catch.hpp"
#include "refusal.hpp"

namespace {
using roads = c2f::data::road_videos<48, 64>;
roads const made({.train = 1, .test = 12});
c2f::data::panoptic_target_options const target_options{.things = {3, 4}, .sigma = 1};
c2f::panoptic::fusion_options const fusion{.things = {3, 4}, .stuff_area = 1, .threshold = .9f, .window = 1};

// Says the truth of the frames whose numbers are the pixels, video * 100 + frame; -1 at the right border, by which it knows mirrored frames.
struct oracle {
  using kind = c2f::systems::vip_kind<c2f::systems::vip_labels<5, 88>>;
  at::Tensor operator()(at::Tensor const& frames, c2f::pass&) const {
    if (frames[0][0][0][0].item<float>() < 0) {
      at::Tensor mirrored = said(frames.flip(3)).flip(3);
      mirrored.select(1, 7).neg_(), mirrored.select(1, 9).neg_();  // x of both offsets
      return mirrored;
    }
    return said(frames);
  }

 private:
  static at::Tensor said(at::Tensor const& frames) {
    auto const number = [&](std::int64_t c) { return static_cast<std::int64_t>(frames[0][c][0][0].item<float>()); };
    auto const now = made.test.frame(number(0) / 100, number(0) % 100), next = made.test.frame(number(3) / 100, number(3) % 100);
    auto targets   = c2f::data::targets_of(now.labels, 48, 64, target_options);
    auto further   = c2f::data::next_offsets_of(targets, next.labels, 48, 64);
    auto const map = [](std::vector<float>& values, std::int64_t channels) {
      return at::from_blob(values.data(), {1, channels, 48, 64}).clone();
    };
    at::Tensor semantic = at::zeros({1, 5, 48, 64});
    for (std::int64_t i = 0; i < 48 * 64; ++i) semantic[0][targets.classes[static_cast<std::size_t>(i)]][i / 64][i % 64] = 9;
    return at::cat({semantic, map(targets.heat, 1), map(targets.offsets, 2), map(further.offsets, 2), at::full({1, 1, 48, 64}, .5)}, 1);
  }
};

// VPQ of things over windows of k frames.
at::Tensor frame_of(std::int64_t number) {
  at::Tensor frame = at::full({3, 48, 64}, static_cast<float>(number));
  frame.select(2, 63).fill_(-1);
  return frame;
}
double quality(c2f::systems::vip_video_options by, std::int64_t k) {
  oracle const model;
  c2f::systems::vip_video video(model, fusion, by);
  c2f::metrics::video_panoptic_quality vpq({.classes = 5}, k);
  for (std::int64_t v = 0; v < made.test.videos(); ++v) {
    std::vector<c2f::systems::video_frame> found;
    for (std::int64_t t = 0; t < made.test.frames(); ++t)
      if (auto one = video.add(frame_of(100 * v + t))) found.push_back(*one);
    for (auto& one : video.end()) found.push_back(one);
    REQUIRE(std::ssize(found) == made.test.frames());
    for (std::int64_t t = 0; t < made.test.frames(); ++t)
      vpq.add(std::span<std::int64_t const>(made.test.frame(v, t).labels),
              std::span<std::int64_t const>(found[static_cast<std::size_t>(t)].labels));
    vpq.end_sequence();
    REQUIRE(found[0].depth[7] == Approx(88 / (1 + std::exp(-.5))));
  }
  return vpq.counts().scores(c2f::metrics::absent_classes::left_out, 3).pq;
}
}  // namespace

TEST_CASE("videos of perfect maps are perfect with the next-frame branch, and not without") {
  using enum c2f::systems::tracking;
  REQUIRE(quality({by_next_frame}, 1) > .97);  // two hidden vehicles may have one centre
  REQUIRE(quality({by_next_frame}, 2) > .95);
  REQUIRE(quality({by_overlap}, 1) > .97);
  REQUIRE(quality({by_overlap}, 2) < .7);
  REQUIRE(quality({by_next_frame, /*flip=*/true}, 2) == quality({by_next_frame}, 2));
  REQUIRE(quality({.by = by_next_frame, .on_device = true}, 2) == quality({by_next_frame}, 2));
  REQUIRE(quality({.by = by_overlap, .on_device = true}, 2) == quality({by_overlap}, 2));
}

TEST_CASE("videos of one and of two frames, and frames of another size") {
  oracle const model;
  c2f::systems::vip_video video(model, fusion);
  auto const frame = [](std::int64_t t) { return frame_of(202 + t); };  // of a video with vehicles
  REQUIRE(video.end().empty());
  REQUIRE(!video.add(frame(0)));
  REQUIRE(video.end().size() == 1);
  REQUIRE(!video.add(frame(0)));
  REQUIRE(!video.add(frame(1)));
  REQUIRE(video.end().size() == 2);
  REQUIRE(!video.add(frame(0)));
  REQUIRE(tests::refusal([&] { video.add(at::zeros({3, 40, 64})); }) ==
          "a frame of [3, 40, 64] follows one of [3, 48, 64] in a video; call end() before another video");
  video.end();
  REQUIRE(!video.add(frame(0)));
  REQUIRE(!video.add(frame(1)));
  auto const first = video.add(frame(2));
  REQUIRE(first);
  // The same, whatever came before.
  c2f::systems::vip_video other(model, fusion);
  other.add(frame(0)), other.add(frame(1));
  REQUIRE(other.add(frame(2))->labels == first->labels);
  // Labels and depths are the same where they are made on the device, from the first frame to the last.
  for (auto const by : {c2f::systems::tracking::by_next_frame, c2f::systems::tracking::by_overlap}) {
    auto const all = [&](bool on_device) {
      c2f::systems::vip_video each(model, fusion, {.by = by, .on_device = on_device});
      std::vector<c2f::systems::video_frame> found;
      for (int clip = 0; clip < 2; ++clip) {
        for (std::int64_t t = 0; t < 5; ++t)
          if (auto one = each.add(frame(t))) found.push_back(*one);
        for (auto& one : each.end()) found.push_back(one);
      }
      return found;
    };
    auto const there = all(true), here = all(false);
    REQUIRE(there.size() == 10);
    for (std::size_t t = 0; t < 10; ++t) REQUIRE((there[t].labels == here[t].labels && there[t].depth == here[t].depth));
  }
  // A video of more objects than the divisor says is refused, and the next one begins anew.
  auto few    = fusion;
  few.divisor = 3, few.most = 2, few.threshold = -1;
  for (bool const on_device : {false, true}) {
    c2f::systems::vip_video each(model, few, {.by = c2f::systems::tracking::by_overlap, .on_device = on_device});
    auto const said = tests::refusal([&] {
      for (std::int64_t t = 0; t < 1000; ++t) each.add(frame_of(100 * (t % 12) + t / 12 % made.test.frames()));  // nothing lasts
    });
    tests::require_message(said, {"more than 2 objects of class", "write a larger one"});
    tests::require_message(tests::refusal([&] { each.end(); }), {"more than 2 objects of class"});
    REQUIRE(each.end().empty());
    each.add(frame(0));
    REQUIRE(each.end().size() == 1);
  }
  // The caller may decode all frames into one tensor.
  c2f::systems::vip_video reused(model, fusion);
  at::Tensor const buffer = at::empty({3, 48, 64});
  reused.add(buffer.copy_(frame(0))), reused.add(buffer.copy_(frame(1)));
  REQUIRE(reused.add(buffer.copy_(frame(2)))->labels == first->labels);
}

namespace {
// A scene of two objects that fill the frame, left and right of 5/8 of its width, and of a depth of 40 metres at 48 rows: what a perfect
// network says of it at any size. In the next frame they have changed places.
struct oracle_of_sizes {
  using kind = oracle::kind;
  at::Tensor operator()(at::Tensor const& frames, c2f::pass&) const {
    std::int64_t const height = frames.size(2), width = frames.size(3);
    at::Tensor const rows    = at::arange(height, at::kFloat).add(.5).div(height).view({1, 1, height, 1}).expand({1, 1, height, width}),
                     columns = at::arange(width, at::kFloat).add(.5).div(width).view({1, 1, 1, width}).expand({1, 1, height, width});
    at::Tensor semantic      = at::zeros({1, 5, height, width});
    semantic.select(1, 3).fill_(9);
    at::Tensor const left = columns.lt(.625), centre = at::where(left, at::full({}, 20.5 / 64), at::full({}, 50.5 / 64));
    at::Tensor const down = at::rsub(rows, 12.5 / 48).mul(height), across = centre.sub(columns).mul(width);
    at::Tensor const there = at::rsub(centre, 71. / 64).sub(columns).mul(width);
    at::Tensor const heat  = at::exp(down.div(height).square().add(across.div(width).square()).mul(-50));
    double const metres    = 40. * 48 / static_cast<double>(height) / 88;
    return at::cat({semantic, heat, down, across, down, there, at::full({1, 1, height, width}, std::log(metres / (1 - metres)))}, 1);
  }
};
std::vector<c2f::systems::video_frame> at_scales(std::vector<double> scales, bool flip = false) {
  oracle_of_sizes const model;
  c2f::systems::vip_video video(model, {.things = {3}, .stuff_area = 1, .threshold = .5f, .window = 7},
                                {.flip = flip, .scales = std::move(scales)});
  for (int t = 0; t < 2; ++t) video.add(at::zeros({3, 48, 64}));
  return video.end();
}
}  // namespace

TEST_CASE("maps of enlarged and reduced frames are brought back to the frame") {
  for (std::vector<double> const& scales : {std::vector<double>{1}, {2}, {.5}, {1, 2}, {.5, 1, 1.75}}) {
    auto const found = at_scales(scales);
    REQUIRE(found.size() == 2);
    for (std::size_t i = 0; i < 48 * 64; ++i) {
      std::int64_t const right = i % 64 >= 40;
      REQUIRE(found[0].labels[i] == 3001 + right);
      REQUIRE(found[1].labels[i] == 3002 - right);
      REQUIRE(found[0].depth[i] == Approx(40).epsilon(1e-3));
    }
  }
  REQUIRE(tests::refusal([] { at_scales({}); }) == "a video is predicted at no scale; write .scales = {1}, or leave it out");
  REQUIRE(tests::refusal([] { at_scales({.001}); }) ==
          "frames of 48 x 64 pixels have none at scale 0.001000; write a larger one in .scales");
  for (double const scale : {0., -1., std::nan(""), 1e9})
    REQUIRE(tests::refusal([&] { at_scales({1, scale}); }).starts_with("a video cannot be predicted at scale "));
}

namespace {
// Says of frame t that an object is at column 8 t, and not there at all in frame 3.
struct oracle_of_hiding {
  using kind = oracle::kind;
  at::Tensor operator()(at::Tensor const& frames, c2f::pass&) const {
    at::Tensor raw = at::zeros({1, 11, 8, 64});
    auto const t   = [&](std::int64_t c) { return frames[0][c][0][0].item<std::int64_t>(); };
    auto const at  = [&](std::int64_t number) { return raw.narrow(2, 2, 3).narrow(3, 8 * number, 3); };  // a square of 3 x 3 pixels
    if (t(0) == 3) return raw;
    at(t(0)).select(1, 3).fill_(9);
    raw[0][5][3][8 * t(0) + 1] = 1;
    for (std::int64_t k = -1; k < 2; ++k) {
      at(t(0)).select(1, 6).select(1, k + 1).fill_(-k), at(t(0)).select(1, 7).select(2, k + 1).fill_(-k);
      at(t(3)).select(1, 8).select(1, k + 1).fill_(-k), at(t(3)).select(1, 9).select(2, k + 1).fill_(-k - 8 * (t(3) - t(0)));
    }
    return raw;
  }
};
}  // namespace

TEST_CASE("an object that is hidden for a frame keeps its number with a Kalman filter") {
  oracle_of_hiding const model;
  auto const numbers = [&](std::optional<c2f::panoptic::relocaliser_options> const& relocalise, int times = 1) {
    c2f::systems::vip_video video(model, {.things = {3}, .stuff_area = 1, .threshold = .5f, .window = 3}, {.relocalise = relocalise});
    std::vector<std::int64_t> of_frames;
    for (; times > 0; --times) {
      std::vector<c2f::systems::video_frame> found;
      for (std::int64_t t = 0; t < 7; ++t)
        if (auto one = video.add(at::full({3, 8, 64}, static_cast<float>(t)))) found.push_back(*one);
      for (auto& one : video.end()) found.push_back(one);
      of_frames.clear();
      for (auto const& each : found) of_frames.push_back(*std::ranges::max_element(each.labels));
    }
    return of_frames;
  };
  using all = std::vector<std::int64_t>;
  REQUIRE(numbers({}) == all{3001, 3001, 3001, 0, 3002, 3002, 3002});
  c2f::panoptic::relocaliser_options const moving{.speed = 8};
  REQUIRE(numbers(moving) == all{3001, 3001, 3001, 0, 3001, 3001, 3001});
  REQUIRE(numbers(moving, 2) == numbers(moving));  // a second video
}
