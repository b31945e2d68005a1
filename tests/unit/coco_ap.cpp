// COCO's average precision by hand, against the definition written down again, and on published cases. tests/parity/coco_ap.py compares it
// with pycocotools.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"

#include <c2f/core/packed.hpp>
#include <c2f/core/random.hpp>
#include <c2f/metrics/coco_ap.hpp>

using namespace c2f::metrics;

namespace {

/// One class of `found` and `objects` of some pictures, after pycocotools' evaluateImg and accumulate, for one range of areas: {AP, AR}.
struct picture {
  std::vector<found_object> found;
  std::vector<true_object> objects;
};
std::array<double, 2> by_definition(std::vector<picture> const& pictures, double least, double low, double high, std::size_t most) {
  struct hit {
    double score;
    bool right, ignored;
  };
  std::vector<hit> hits;
  double count          = 0;
  auto const is_outside = [&](double area) { return area < low || area > high; };
  for (auto const& of : pictures) {
    std::vector<found_object> found = of.found;
    std::ranges::stable_sort(found, [](auto const& a, auto const& b) { return a.score > b.score; });
    if (found.size() > 100) found.resize(100);
    std::vector<std::pair<bool, true_object>> objects;
    for (int const wanted : {0, 1})
      for (auto const& each : of.objects) {
        bool const ignored = each.crowd || each.ignored || is_outside(each.area < 0 ? each.where.width() * each.where.height() : each.area);
        if (ignored == (wanted == 1)) objects.emplace_back(ignored, each);
        if (!ignored && wanted == 0) ++count;
      }
    std::vector<bool> taken(objects.size());
    for (std::size_t d = 0; d < found.size(); ++d) {
      double best = std::min(least, 1 - 1e-10);
      int match   = -1;
      for (std::size_t g = 0; g < objects.size(); ++g) {
        if (taken[g] && !objects[g].second.crowd) continue;
        if (match >= 0 && !objects[static_cast<std::size_t>(match)].first && objects[g].first) break;
        auto const &a = found[d].where, &b = objects[g].second.where;
        double const w = std::min(a.x1, b.x1) - std::max(a.x0, b.x0), h = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
        double const common = w > 0 && h > 0 ? w * h : 0, mine = (a.x1 - a.x0) * (a.y1 - a.y0);
        double const iou = common / (objects[g].second.crowd ? mine : mine + (b.x1 - b.x0) * (b.y1 - b.y0) - common);
        if (iou < best) continue;
        best = iou, match = static_cast<int>(g);
      }
      if (match >= 0) taken[static_cast<std::size_t>(match)] = true;
      bool const ignored =
          match >= 0 ? objects[static_cast<std::size_t>(match)].first : is_outside(found[d].where.width() * found[d].where.height());
      if (d < most) hits.push_back({found[d].score, match >= 0, ignored});
    }
  }
  if (count == 0) return {-1, -1};
  std::ranges::stable_sort(hits, [](auto const& a, auto const& b) { return a.score > b.score; });
  std::vector<double> recall, precision;
  double right = 0, wrong = 0;
  for (auto const& each : hits) {
    right += each.right && !each.ignored, wrong += !each.right && !each.ignored;
    recall.push_back(right / count), precision.push_back(right / std::max(right + wrong, 1e-12));
  }
  double sum = 0;
  for (int r = 0; r <= 100; ++r) {
    double highest = 0;
    for (std::size_t i = 0; i < recall.size(); ++i)
      if (recall[i] >= (r == 100 ? 1 : r * .01)) highest = std::max(highest, precision[i]);
    sum += highest;
  }
  return {sum / 101, recall.empty() ? 0 : recall.back()};
}

std::array<double, 12> of(std::vector<picture> const& pictures, std::int64_t classes = 1) {
  coco_ap made(classes);
  for (auto const& each : pictures) made.add(each.found, each.objects);
  return made.scores().values();
}

}  // namespace

TEST_CASE("COCO's average precision by hand") {
  box const a{0, 0, 50, 50}, b{100, 0, 150, 50}, away{300, 300, 340, 340};
  // Right, wrong, right: the precision is 1 up to recall .5 (51 of the 101 recalls), then 2/3.
  auto const three = of({{{{0, a, .9}, {0, away, .8}, {0, b, .7}}, {{0, a}, {0, b}}}});
  REQUIRE(three[0] == Approx((51 + 50 * 2. / 3) / 101));
  REQUIRE(three[0] == Approx(.834983).epsilon(1e-6));
  REQUIRE(three[1] == Approx(three[0]));
  REQUIRE(three[3] == -1);  // no small object
  REQUIRE(three[4] == Approx(three[0]));
  REQUIRE(three[6] == Approx(.5));  // one detection a picture
  REQUIRE(three[7] == Approx(1));
  // IoU 45/55 = .8182: right at .5 ... .8, that is, at 7 of 10 thresholds.
  auto const shifted = of({{{{0, {5, 0, 55, 50}, .9}}, {{0, a}}}});
  REQUIRE(shifted[0] == Approx(.7));
  REQUIRE(shifted[1] == Approx(1));
  REQUIRE(shifted[2] == Approx(1));
  REQUIRE(shifted[8] == Approx(.7));
  // A detection in a crowd is ignored, and so are several; beside it one object, found by a worse score.
  auto const crowd =
      of({{{{0, {210, 10, 220, 20}, .9}, {0, {230, 10, 240, 20}, .8}, {0, a, .7}}, {{0, {200, 0, 260, 60}, -1, true}, {0, a}}}});
  REQUIRE(crowd[0] == Approx(1));
  // The same region as a difficult object: it is taken by one of IoU .5 or more only, so these two are wrong.
  auto const difficult =
      of({{{{0, {210, 10, 220, 20}, .9}, {0, {230, 10, 240, 20}, .8}, {0, a, .7}}, {{0, {200, 0, 260, 60}, -1, false, true}, {0, a}}}});
  REQUIRE(difficult[0] == Approx(1. / 3));
  REQUIRE(of({{{{0, away, .9}, {0, a, .7}}, {{0, away, -1, false, true}, {0, a}}}})[0] == Approx(1));
  // The size of a detection is that of its mask: a mask of 800 pixels in a box of 1,600, beside a small object that is found with a lower
  // score. As a small one it is wrong among the small objects; as a box it would not count there.
  found_object const in_large_box{0, away, .9, 800};
  box const small{100, 100, 120, 120};
  auto const by_mask = of({{{in_large_box, {0, small, .8}}, {{0, small}}}}), by_box = of({{{{0, away, .9}, {0, small, .8}}, {{0, small}}}});
  REQUIRE(by_mask[3] == Approx(.5));
  REQUIRE(by_box[3] == Approx(1));
  // Two detections of one object: the second is wrong.
  REQUIRE(of({{{{0, a, .9}, {0, a, .8}, {0, b, .7}}, {{0, a}, {0, b}}}})[0] == Approx((51 + 50 * 2. / 3) / 101));
}

TEST_CASE("COCO's average precision of nothing") {
  box const a{0, 0, 50, 50};
  REQUIRE(of({}) == std::array<double, 12>{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1});
  REQUIRE(of({{{{0, a, .9}}, {}}})[0] == -1);                         // no object
  REQUIRE(of({{{}, {{0, a}}}})[0] == 0);                              // no detection
  REQUIRE(of({{{}, {{0, a, -1, true}}}})[0] == -1);                   // a crowd alone
  REQUIRE(of({{{}, {}}, {{{0, a, .9}}, {{0, a}}}})[0] == Approx(1));  // an empty picture
  // A class without objects does not count; a wrong detection in another picture does.
  REQUIRE(of({{{{0, a, .9}, {1, a, .9}}, {{0, a}}}}, 2)[0] == Approx(1));
  REQUIRE(of({{{{0, a, .9}}, {}}, {{{0, a, .8}}, {{0, a}}}})[0] == Approx(.5));
  coco_ap one(1);
  REQUIRE_THROWS_AS(one.add(std::vector<found_object>{{1, a, .9}}, {}), c2f::input_error);
  REQUIRE_THROWS_AS(one.add({}, std::vector<true_object>{{-1, a}}), c2f::input_error);
  REQUIRE_THROWS_AS(one.add(std::vector<found_object>{{0, a, std::numeric_limits<double>::quiet_NaN()}}, {}), c2f::input_error);
}

TEST_CASE("COCO's average precision is its definition, in parts as in one") {
  constexpr std::array<std::array<double, 2>, 4> ranges{{{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}}};
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    c2f::random_stream draw(seed, c2f::purpose::synthesis, 0, 0);
    std::vector<picture> pictures;
    auto const side = [&] { return 4 + 150 * draw.uniform() * draw.uniform(); };
    for (int n = 0; n < 12; ++n) {
      auto& made = pictures.emplace_back();
      for (std::uint32_t i = draw.below(9); i > 0; --i) {
        double const x = 300 * draw.uniform(), y = 300 * draw.uniform();
        box const where{x, y, x + side(), y + side()};
        made.objects.push_back({0, where, draw.below(3) == 0 ? where.area() * .6 : -1, draw.below(8) == 0, draw.below(8) == 0});
        for (std::uint32_t k = draw.below(3); k > 0; --k) {
          auto const moved = [&](double at) { return at + 5 * (draw.uniform() - .5); };
          made.found.push_back({0, {moved(x), moved(y), moved(where.x1), moved(where.y1)}, std::round(20 * draw.uniform()) / 20});
        }
      }
      for (std::uint32_t i = seed == 6 && n == 0 ? 130 : draw.below(4); i > 0; --i) {
        double const x = 300 * draw.uniform(), y = 300 * draw.uniform();
        made.found.push_back({0, {x, y, x + side(), y + side()}, std::round(20 * draw.uniform()) / 20});
      }
    }
    std::array<double, 12> wanted{};
    auto const mean = [&](std::size_t range, std::size_t most, std::size_t what) {
      double sum = 0;
      for (int t = 0; t < 10; ++t) sum += by_definition(pictures, .5 + .05 * t, ranges[range][0], ranges[range][1], most)[what] / 10;
      return sum;
    };
    wanted           = {mean(0, 100, 0),
                        by_definition(pictures, .5, 0, 1e10, 100)[0],
                        by_definition(pictures, .75, 0, 1e10, 100)[0],
                        mean(1, 100, 0),
                        mean(2, 100, 0),
                        mean(3, 100, 0),
                        mean(0, 1, 1),
                        mean(0, 10, 1),
                        mean(0, 100, 1),
                        mean(1, 100, 1),
                        mean(2, 100, 1),
                        mean(3, 100, 1)};
    auto const found = of(pictures);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      CAPTURE(seed, i);
      REQUIRE(found[i] == Approx(wanted[i]).margin(1e-9));
    }
    REQUIRE((found[0] > .05 && found[0] < .95));
    coco_ap first(1), second(1);
    for (std::size_t n = 0; n < pictures.size(); ++n) (n < 5 ? first : second).add(pictures[n].found, pictures[n].objects);
    first.add(second);
    REQUIRE(first.scores().values() == found);
    REQUIRE(first.scores(0).values() == found);
    // As another process sends it.
    c2f::detail::packer to;
    first.put(to);
    coco_ap sent(1);
    c2f::detail::unpacker from(to.bytes());
    sent.take(from);
    REQUIRE(from.empty());
    REQUIRE(sent.scores().values() == found);
    // Given overlaps are used.
    coco_ap given(1);
    for (auto const& each : pictures) given.add(each.found, each.objects, [](std::size_t, std::size_t) { return 0.; });
    REQUIRE(*given.scores().ap == 0);
  }
}
