// Fusion of classes, centres and offsets, and stitching of pairs: deeplab2's published cases, the definitions written down again, laws.
#include <c2f/inference/panoptic_fusion.hpp>
#include <c2f/inference/relocaliser.hpp>
#include <c2f/inference/stitcher.hpp>

#include <array>
#include <random>
#include <set>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

namespace panoptic = c2f::panoptic;
using labels       = std::vector<std::int64_t>;
using tests::refusal;
using tests::require_message;

labels digits(std::string const& text) {
  labels found;
  for (char const each : text)
    if (each >= '0' && each <= '9') found.push_back(each - '0');
  return found;
}
labels combined(std::string const& classes, std::string const& instances) {
  labels found = digits(classes);
  auto const i = digits(instances);
  for (std::size_t at = 0; at < found.size(); ++at) found[at] = 1000 * found[at] + i[at];
  return found;
}

}  // namespace

TEST_CASE("merging classes and instances: deeplab2's case") {
  labels const classes = digits("0000/0110/0220/2233"), instances = digits("0000/0000/0110/2233");
  std::vector<std::int32_t> const ids(instances.begin(), instances.end());
  auto const found           = panoptic::merged(classes, ids, {.things = {2, 3}, .divisor = 256, .stuff_area = 3});
  std::int64_t const is_void = 255 * 256, a = 2 * 256 + 1, b = 2 * 256 + 2, c = 3 * 256 + 1;
  REQUIRE(found == labels{0, 0, 0, 0, 0, is_void, is_void, 0, 0, a, a, 0, b, b, c, c});
  // The class of an instance is that of most of its pixels; a thing without an instance is void; a stuff class of just the least area stays.
  REQUIRE(panoptic::merged(digits("22311"), std::vector<std::int32_t>{1, 1, 1, 0, 0}, {.things = {2, 3}, .stuff_area = 2}) ==
          labels{2001, 2001, 2001, 1000, 1000});
  REQUIRE(panoptic::merged(digits("2"), std::vector<std::int32_t>{0}, {.things = {2}}) == labels{255000});
}

TEST_CASE("centres and the pixels nearest to them: deeplab2's case") {
  std::vector<float> heat(25), offsets(50);
  heat[0] = 1.f, heat[5] = .8f, heat[18] = .1f, heat[19] = .7f, heat[24] = .2f;
  labels const classes(25, 7);
  panoptic::fusion_options const options{.things = {7}, .window = 3, .most = 2};
  panoptic::raw_maps const maps{classes, heat, offsets, 5, 5};
  auto const centres = panoptic::centres_of(maps, options);
  REQUIRE(centres.size() == 2);
  REQUIRE(centres[0].heat == 1.f);
  REQUIRE((centres[1].y == 3 && centres[1].x == 4 && centres[1].heat == .7f));
  auto const found = panoptic::instances_of(maps, centres, options);
  REQUIRE(labels(found.begin(), found.end()) == digits("11112/11122/11222/12222/12222"));
}

TEST_CASE("centres, nearest centres and labels are those of the definitions, on random maps") {
  std::mt19937 draw(3);
  std::uniform_real_distribution<float> number(0, 1), offset(-40, 40);
  for (auto const& [height, width, window] : {std::array{37, 61, 5}, {1, 50, 3}, {50, 1, 7}, {40, 33, 1}, {20, 20, 41}}) {
    auto const pixels = static_cast<std::size_t>(height * width);
    std::vector<float> heat(pixels), offsets(2 * pixels);
    labels classes(pixels);
    for (auto& each : heat) each = std::round(20 * number(draw)) / 20;  // with equal ones
    heat[0] = std::numeric_limits<float>::quiet_NaN();
    for (auto& each : offsets) each = offset(draw);
    for (auto& each : classes) each = static_cast<std::int64_t>(3 * number(draw));
    panoptic::fusion_options const options{.things = {1, 2}, .threshold = .5f, .window = window, .most = 1000};
    panoptic::raw_maps const maps{classes, heat, offsets, height, width};
    auto const centres = panoptic::centres_of(maps, options);

    std::vector<std::pair<int, int>> expected;
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        bool largest = heat[static_cast<std::size_t>(y * width + x)] > .5f;
        for (int v = std::max(0, y - window / 2); v <= std::min(height - 1, y + window / 2); ++v)
          for (int u = std::max(0, x - window / 2); u <= std::min(width - 1, x + window / 2); ++u)
            largest = largest && !(heat[static_cast<std::size_t>(v * width + u)] > heat[static_cast<std::size_t>(y * width + x)]);
        if (largest) expected.emplace_back(y, x);
      }
    REQUIRE(centres.size() == expected.size());
    for (std::size_t i = 0; i < centres.size(); ++i) REQUIRE((centres[i].y == expected[i].first && centres[i].x == expected[i].second));

    auto const found = panoptic::instances_of(maps, centres, options);
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        auto const at = static_cast<std::size_t>(y * width + x);
        if (classes[at] == 0) {
          REQUIRE(found[at] == 0);
          continue;
        }
        float const py = static_cast<float>(y) + offsets[at], px = static_cast<float>(x) + offsets[pixels + at];
        std::size_t nearest = 0;
        float least         = std::numeric_limits<float>::infinity();
        for (std::size_t i = 0; i < centres.size(); ++i) {
          float const dy = static_cast<float>(centres[i].y) - py, dx = static_cast<float>(centres[i].x) - px, d = dy * dy + dx * dx;
          if (d < least) least = d, nearest = i + 1;
        }
        REQUIRE(found[at] == static_cast<std::int32_t>(nearest));
      }
  }
}

TEST_CASE("the highest centres are kept, of equal ones the first; an image of nothing has no instances") {
  std::vector<float> heat{.9f, 0, .5f, 0, .9f, 0, .9f}, offsets(14);
  labels const classes(7, 1);
  panoptic::raw_maps const maps{classes, heat, offsets, 1, 7};
  auto const kept = panoptic::centres_of(maps, {.things = {1}, .window = 1, .most = 2});
  REQUIRE(kept.size() == 2);
  REQUIRE(kept[0].x == 0);
  REQUIRE(kept[1].x == 4);
  heat.assign(7, 0.f);
  REQUIRE(panoptic::fused(maps, {.things = {1}}) == labels(7, 255000));
  panoptic::raw_maps const empty{{}, {}, {}, 0, 0};
  REQUIRE(panoptic::fused(empty, {.things = {1}}).empty());
}

TEST_CASE("four hundred centres: each pixel of a grid belongs to its own") {
  std::int64_t const side = 200;
  std::vector<float> heat(static_cast<std::size_t>(side * side)), offsets(2 * heat.size());
  labels const classes(heat.size(), 1);
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x) {
      auto const at = static_cast<std::size_t>(y * side + x);
      heat[at]      = y % 10 == 5 && x % 10 == 5 ? 1.f : 0.f;
      offsets[at] = static_cast<float>(5 - y % 10), offsets[heat.size() + at] = static_cast<float>(5 - x % 10);
    }
  auto const found = panoptic::fused({classes, heat, offsets, side, side}, {.things = {1}, .window = 9});
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x) REQUIRE(found[static_cast<std::size_t>(y * side + x)] == 1000 + 20 * (y / 10) + x / 10 + 1);
}

TEST_CASE("a pair is fused like one image of both frames side by side, whose second half has no centres") {
  std::mt19937 draw(5);
  std::uniform_real_distribution<float> number(0, 1), offset(-9, 9);
  std::int64_t const height = 12, width = 16, both = 2 * width, pixels = height * width;
  labels classes(static_cast<std::size_t>(pixels)), next_classes(classes.size()), joined_classes(2 * classes.size());
  std::vector<float> heat(classes.size()), offsets(2 * classes.size()), next_offsets(offsets.size()), joined_heat(joined_classes.size()),
      joined_offsets(2 * joined_classes.size());
  for (auto& each : classes) each = static_cast<std::int64_t>(3 * number(draw));
  for (auto& each : next_classes) each = static_cast<std::int64_t>(3 * number(draw));
  for (auto& each : heat) each = number(draw);
  for (auto& each : offsets) each = offset(draw);
  for (auto& each : next_offsets) each = offset(draw);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      auto const from = static_cast<std::size_t>(y * width + x), to = static_cast<std::size_t>(y * both + x);
      auto const next = to + static_cast<std::size_t>(width), plane = static_cast<std::size_t>(pixels);
      joined_classes[to] = classes[from], joined_classes[next] = next_classes[from];
      joined_heat[to]    = heat[from];
      joined_offsets[to] = offsets[from], joined_offsets[next] = next_offsets[from];
      joined_offsets[2 * plane + to]   = offsets[plane + from];
      joined_offsets[2 * plane + next] = next_offsets[plane + from] - static_cast<float>(width);
    }
  panoptic::fusion_options const options{.things = {1, 2}, .stuff_area = 20, .threshold = .5f, .window = 5};
  auto const pair  = panoptic::fused_pair({classes, heat, offsets, height, width}, next_classes, next_offsets, options);
  auto const whole = panoptic::fused({joined_classes, joined_heat, joined_offsets, height, both}, options);
  // The order of first pixels differs, so that instances may be renamed, one to one.
  std::set<std::pair<std::int64_t, std::int64_t>> names;
  std::set<std::int64_t> first, second;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      auto const from = static_cast<std::size_t>(y * width + x), to = static_cast<std::size_t>(y * both + x);
      names.emplace(pair.labels[from], whole[to]), first.insert(pair.labels[from]), second.insert(whole[to]);
      names.emplace(pair.next_labels[from], whole[to + static_cast<std::size_t>(width)]);
      first.insert(pair.next_labels[from]), second.insert(whole[to + static_cast<std::size_t>(width)]);
    }
  REQUIRE(first.size() > 5);
  REQUIRE((names.size() == first.size() && names.size() == second.size()));
}

TEST_CASE("stitching keeps numbers by the best mutual overlap: deeplab2's case") {
  panoptic::stitcher video({.divisor = 1000});
  // The pair before: its own frame gives the numbers, and its next frame is `seen`.
  labels const seen = combined("0000/0110/0220/2233", "1122/1002/1112/2211"), own = combined("0110/0110/0220/2233", "2001/2001/2441/5533");
  REQUIRE(video.add(seen, seen) == seen);  // numbers by first pixel are those that are there
  REQUIRE(video.add(own, {}) == combined("0110/0110/0220/2233", "1002/1002/1112/2211"));
}

TEST_CASE("objects that nobody matches get new numbers, that are never given twice; instance 0 and other classes never match") {
  panoptic::stitcher video;
  labels const first{0, 1001, 1001, 2001, 0};
  REQUIRE(video.add(first, labels{0, 0, 1001, 1001, 2001}) == first);
  // 1007 is where 1001 is expected; 1005 is new; 2009 covers void of the expected class 0; the object 2001 has gone.
  REQUIRE(video.add(labels{2009, 1005, 1007, 1007, 0}, labels{2009, 1005, 1007, 1007, 0}) == labels{2002, 1002, 1001, 1001, 0});
  REQUIRE(video.add(labels{2001, 1001, 1002, 1002, 0}, {}) == labels{2002, 1002, 1001, 1001, 0});
  video.end_sequence();
  REQUIRE(video.add(labels{1005, 1005, 0, 0, 0}, {}) == labels{1001, 1001, 0, 0, 0});
}

TEST_CASE("renaming the instances of every pair changes no number of a video") {
  std::mt19937 draw(11);
  auto const frame = [&](int t, std::array<std::int64_t, 3> const& names) {  // three bars that move to the right
    labels found(60);
    for (int b = 0; b < 3; ++b)
      for (int x = 0; x < 6; ++x) found[static_cast<std::size_t>((20 * b + 2 * t + x) % 60)] = 1000 + names[static_cast<std::size_t>(b)];
    return found;
  };
  panoptic::stitcher plain, renamed;
  for (int t = 0; t < 12; ++t) {
    std::array<std::int64_t, 3> names{1, 2, 3};
    auto const usual = plain.add(frame(t, names), frame(t + 1, names));
    std::ranges::shuffle(names, draw);
    auto const other = renamed.add(frame(t, names), frame(t + 1, names));
    std::set<std::pair<std::int64_t, std::int64_t>> pairs;
    for (std::size_t i = 0; i < usual.size(); ++i) pairs.emplace(usual[i], other[i]);
    REQUIRE(pairs.size() == 4);  // background and three bars, each with one number
    if (t == 0) continue;
    REQUIRE(usual == frame(t, {1, 2, 3}));
  }
}

TEST_CASE("wrong maps of the fusion and of the stitcher are refused in a sentence") {
  std::vector<float> const heat(6), offsets(12);
  labels const classes(6, 1);
  panoptic::fusion_options const options{.things = {1}};
  require_message(refusal([&] { (void)panoptic::fused({classes, heat, heat, 2, 3}, options); }),
                  {"2 x 3 pixels", "6 of offsets", "two a pixel"});
  require_message(refusal([&] { (void)panoptic::fused({classes, heat, offsets, 2, 3}, {.things = {1}, .window = 4}); }),
                  {"4 pixels", "odd"});
  require_message(refusal([&] { (void)panoptic::merged(classes, std::vector<std::int32_t>(5), options); }), {"6 pixels", "instances of 5"});
  require_message(
      refusal([&] { (void)panoptic::merged(classes, std::vector<std::int32_t>{1, 2, 3, 4, 5, 6}, {.things = {1}, .divisor = 6}); }),
      {"more than 5 instances of class 1", "write a larger one"});
  panoptic::stitcher video({.divisor = 3});
  require_message(refusal([&] { video.add(labels{3, 4}, labels{3}); }), {"2 and 1 pixels"});
  require_message(refusal([&] { video.add(labels{4, 5}, {}), video.add(labels{4, 5}, {}); }), {"more than 2 objects of class 1"});
  require_message(refusal([] { panoptic::stitcher({.divisor = 1}); }), {"divisor of labels is 1"});
}

TEST_CASE("the Kalman filter of an object's motion, by hand") {
  // Noise 1, speed 3, no acceleration; seen at 0 and then at 11 along x, and at 2 and 2 along y.
  c2f::panoptic::relocaliser_options const options{.noise = 1, .speed = 3, .acceleration = 0};
  c2f::panoptic::kalman_state state({2, 0}, options);
  state.predict(options);  // p = 1 + 9, c = 9, v = 9
  REQUIRE((state.p == 10 && state.c == 9 && state.v == 9));
  REQUIRE(state.distance({2, 11}, options) == Approx(11.));  // 11² / (10 + 1)
  state.update({2, 11}, options);                            // by 10/11 and 9/11 of the error 11
  REQUIRE(state.position[1] == Approx(10));
  REQUIRE(state.velocity[1] == Approx(9));
  REQUIRE((state.position[0] == 2 && state.velocity[0] == 0));
  REQUIRE(state.p == Approx(10. / 11));
  REQUIRE(state.c == Approx(9. / 11));
  REQUIRE(state.v == Approx(9 - 81. / 11));
  state.predict(options);
  REQUIRE(state.position[1] == Approx(19));
  REQUIRE(state.p == Approx(10. / 11 + 18. / 11 + 18. / 11));
  c2f::panoptic::relocaliser_options const changing{.noise = 1, .speed = 3, .acceleration = 2};
  c2f::panoptic::kalman_state other({0, 0}, changing);
  other.predict(changing);  // 1 + 9 + 4/4, 0 + 9 + 4/2, 9 + 4
  REQUIRE((other.p == 11 && other.c == 11 && other.v == 13));
}

TEST_CASE("an object that was hidden gets its number back") {
  // One row; objects of two pixels of class 3, at 4, 8 and 12, then hidden, then at 20 with another number.
  auto const frame = [](std::vector<std::pair<int, std::int64_t>> const& objects) {
    std::vector<std::int64_t> labels(40);
    for (auto const& [x, label] : objects) labels[static_cast<std::size_t>(x)] = labels[static_cast<std::size_t>(x) + 1] = label;
    return labels;
  };
  auto const last = [&](std::vector<std::vector<std::pair<int, std::int64_t>>> const& frames,
                        c2f::panoptic::relocaliser_options const& options = {}) {
    c2f::panoptic::relocaliser again(options);
    std::vector<std::int64_t> found;
    for (auto const& each : frames) found = again.add(frame(each), 40);
    return found;
  };
  REQUIRE(last({{{4, 3001}}, {{8, 3001}}, {{12, 3001}}, {}, {{20, 3002}}}) == frame({{20, 3001}}));
  REQUIRE(last({{{4, 3001}}, {{8, 3001}}, {{12, 3001}}, {}, {{20, 3002}}, {{24, 3002}}}) == frame({{24, 3001}}));        // and keeps it
  REQUIRE(last({{{4, 3001}}, {{8, 3001}}, {{12, 3001}}, {}, {{20, 4001}}}) == frame({{20, 4001}}));                      // another class
  REQUIRE(last({{{4, 3001}}, {{8, 3001}}, {{12, 3001}}, {}, {{36, 3002}}}) == frame({{36, 3002}}));                      // too far
  REQUIRE(last({{{4, 3001}}, {{8, 3001}}, {{12, 3001}}, {{16, 3001}, {17, 3002}}}) == frame({{16, 3001}, {17, 3002}}));  // not lost
  // The nearest of two; the other one is new.
  REQUIRE(last({{{4, 3001}}, {{8, 3001}}, {{12, 3001}}, {}, {{20, 3003}, {24, 3002}}}) == frame({{20, 3001}, {24, 3002}}));
  // Forgotten.
  std::vector<std::vector<std::pair<int, std::int64_t>>> const long_ago{{{4, 3001}}, {{4, 3001}}, {{4, 3001}}, {}, {}, {{4, 3002}}};
  REQUIRE(last(long_ago, {.patience = 2}) == frame({{4, 3001}}));
  REQUIRE(last(long_ago, {.patience = 1}) == frame({{4, 3002}}));
  // Another video.
  c2f::panoptic::relocaliser again;
  again.add(frame({{4, 3001}}), 40), again.add(frame({}), 40);
  again.end_sequence();
  REQUIRE(again.add(frame({{4, 3002}}), 40) == frame({{4, 3002}}));
  REQUIRE(tests::refusal([] { c2f::panoptic::relocaliser().add(std::vector<std::int64_t>(40), 7); }) ==
          "a frame of 40 pixels has no rows of 7; give the width of its label map");
}
