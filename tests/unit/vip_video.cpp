// Videos from the maps of a network, here perfect ones: numbers that last with the next-frame branch, and not without.
#include <c2f/c2f.hpp>
#include <c2f/data/panoptic_pairs.hpp>
#include <c2f/data/synthetic/road_videos.hpp>
#include <c2f/metrics/panoptic.hpp>
#include <c2f/systems/vip_kind.hpp>
#include <c2f/systems/vip_video.hpp>

#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

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
}
