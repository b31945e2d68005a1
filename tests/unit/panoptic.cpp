// The panoptic metrics against published vectors (mmdetection's and deeplab2's tests), counts by hand, and the definitions written down again.
#include <c2f/metrics/depth.hpp>
#include <c2f/metrics/panoptic.hpp>
#include <c2f/metrics/tracking.hpp>

#include <malloc.h>

#include <cstdint>
#include <numeric>
#include <random>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

namespace metrics = c2f::metrics;
using labels      = std::vector<std::int64_t>;

std::span<std::int64_t const> all(labels const& map) { return map; }

// Digits as numbers, without the separators of rows.
labels digits(std::string const& text) {
  labels found;
  for (char const each : text)
    if (each >= '0' && each <= '9') found.push_back(each - '0');
  return found;
}
labels combined(labels const& classes, labels const& instances, std::int64_t divisor = 1000) {
  labels found(classes.size());
  for (std::size_t i = 0; i < found.size(); ++i) found[i] = classes[i] * divisor + instances[i];
  return found;
}

// 60 rows of 80 pixels of class 2, with boxes (x, y, width, height) of the labels 1, 2 and 1003.
labels boxes(std::array<std::array<int, 4>, 3> const& drawn) {
  labels map(60 * 80, 2000);
  std::array<std::int64_t, 3> const label{1, 2, 1003};
  for (std::size_t b = 0; b < 3; ++b)
    for (int y = drawn[b][1]; y < drawn[b][1] + drawn[b][3]; ++y)
      for (int x = drawn[b][0]; x < drawn[b][0] + drawn[b][2]; ++x) map[static_cast<std::size_t>(80 * y + x)] = label[b];
  return map;
}
labels const true_boxes      = boxes({{{10, 10, 10, 40}, {30, 10, 10, 40}, {50, 10, 10, 5}}});
labels const predicted_boxes = boxes({{{11, 11, 10, 40}, {38, 10, 10, 40}, {51, 10, 10, 5}}});

}  // namespace

TEST_CASE("panoptic quality of drawn boxes is that of mmdetection's test") {
  metrics::panoptic_quality score({.classes = 3});
  score.add(all(true_boxes), all(predicted_boxes));
  auto const every = score.counts().scores(), things = score.counts().scores(metrics::absent_classes::left_out, 0, 2),
             stuff = score.counts().scores(metrics::absent_classes::left_out, 2);
  REQUIRE(100 * every.pq == Approx(67.86874803219071).epsilon(1e-12));
  REQUIRE(100 * every.sq == Approx(80.89770126158936).epsilon(1e-12));
  REQUIRE(100 * every.rq == Approx(83.33333333333334).epsilon(1e-12));
  REQUIRE(100 * things.pq == Approx(60.45252075318891).epsilon(1e-12));
  REQUIRE(100 * things.sq == Approx(79.9959505972869).epsilon(1e-12));
  REQUIRE(100 * things.rq == Approx(75.0).epsilon(1e-12));
  REQUIRE(100 * stuff.pq == Approx(82.70120259019427).epsilon(1e-12));
  REQUIRE(stuff.rq == 1);
}

TEST_CASE("an ignored class behind the others: deeplab2's test") {
  metrics::panoptic_quality score({.classes = 3, .ignored = 9, .divisor = 256});
  labels const truth = combined(digits("099/122/199"), digits("022/100/100"), 256),
               found = combined(digits("009/111/199"), digits("000/011/011"), 256);
  score.add(all(truth), all(found));
  auto const scores = score.counts().scores();
  REQUIRE(scores.pq == Approx(2.0 / 9));
  REQUIRE(scores.sq == Approx(1.0 / 3));
  REQUIRE(scores.rq == Approx(2.0 / 9));
  std::int64_t tp = 0, fp = 0, fn = 0;
  for (auto const& each : score.counts().classes) tp += each.tp, fp += each.fp, fn += each.fn;
  REQUIRE(tp == 1);
  REQUIRE(fn == 2);
  REQUIRE(fp == 2);
}

TEST_CASE("void pixels leave unions and excuse false positives, crowds only where the option says so") {
  // Four void pixels, three of a crowd, one of class 0: a predicted segment of class 1 on void, one of class 1 on the crowd.
  labels const truth{9000, 9000, 9000, 9000, 9001, 9001, 9001, 0}, found{1001, 1001, 1001, 0, 1002, 1002, 1002, 0};
  for (bool const excuses : {false, true}) {
    metrics::panoptic_quality score({.classes = 2, .ignored = 9, .crowd_excuses = excuses});
    score.add(all(truth), all(found));
    REQUIRE((score.counts().classes[0] == metrics::panoptic_counts::of_class{1.0, 1, 0, 0}));  // the void pixel is in no union
    REQUIRE(score.counts().classes[1].fp == (excuses ? 0 : 1));
  }
  // Exactly half of a segment on void is no excuse.
  metrics::panoptic_quality half({.classes = 2, .ignored = 9});
  half.add(all({9000, 0}), all({1001, 1001}));
  REQUIRE(half.counts().classes[1].fp == 1);
  // An IoU of exactly one half is no match.
  metrics::panoptic_quality tie({.classes = 2, .ignored = 9});
  tie.add(all({0, 0}), all({0, 1001}));
  REQUIRE((tie.counts().classes[0] == metrics::panoptic_counts::of_class{0, 0, 1, 1}));
}

TEST_CASE("classes that never occur are left out, zero or not a number") {
  metrics::panoptic_quality score({.classes = 3, .ignored = 9});
  score.add(all({0, 0, 1000}), all({0, 0, 0}));  // class 0: IoU 2/3; class 1: missed; class 2: nowhere
  auto const& counts = score.counts();
  REQUIRE(counts.scores().classes == 2);
  REQUIRE(counts.scores().pq == Approx(1.0 / 3));
  REQUIRE(counts.scores(metrics::absent_classes::zero).pq == Approx(2.0 / 9));
  REQUIRE(std::isnan(counts.scores(metrics::absent_classes::nan).pq));
  REQUIRE(counts.scores(metrics::absent_classes::nan, 0, 1).pq == Approx(2.0 / 3));
  REQUIRE(std::isnan(counts.scores(metrics::absent_classes::left_out, 2).pq));  // of no class
}

TEST_CASE("an ignored class among the others is in no mean, whatever becomes of absent ones") {
  // Class 1 is void; class 0 is found, class 2 never occurs.
  metrics::panoptic_options const options{.classes = 3, .ignored = 1};
  metrics::panoptic_quality image(options);
  image.add(all({0, 0, 1000, 1000}), all({0, 0, 0, 1000}));
  metrics::video_panoptic_quality video(options, 1);
  video.add(all({0, 0, 1000, 1000}), all({0, 0, 0, 1000}));
  metrics::panoptic_counts sum;
  sum.add(image.counts());
  for (auto const* counts : {&image.counts(), &video.counts(), static_cast<metrics::panoptic_counts const*>(&sum)}) {
    auto const zero = counts->scores(metrics::absent_classes::zero);
    REQUIRE(zero.classes == 2);
    REQUIRE(zero.pq == 0.5);
    REQUIRE(counts->scores().classes == 1);
    REQUIRE(counts->scores().pq == 1);
    REQUIRE(counts->scores(metrics::absent_classes::nan, 0, 2).pq == 1);
    REQUIRE(std::isnan(counts->scores(metrics::absent_classes::nan).pq));
  }
}

TEST_CASE("VPQ: an identity that changes costs tubes of two frames and none of one; by hand") {
  labels const truth{0, 1001, 1001, 0}, renamed{0, 1002, 1002, 0};
  for (std::int64_t const frames : {1, 2}) {
    metrics::video_panoptic_quality score({.classes = 2, .ignored = 9}, frames);
    score.add(all(truth), all(truth));
    score.add(all(truth), all(renamed));
    auto const car = score.counts().scores(metrics::absent_classes::left_out, 1);
    REQUIRE(car.pq == (frames == 1 ? 1 : 0));
  }
}

TEST_CASE("VPQ of windows is the PQ of frames side by side; for one frame it is PQ; windows do not cross sequences") {
  std::mt19937 draw(7);
  labels const kinds{0, 1001, 1002, 2000, 9000, 9003};
  auto const random_map = [&] {
    labels map(40);
    for (std::size_t i = 0; i < map.size();) {
      auto const label = kinds[draw() % kinds.size()];
      for (auto const end = std::min<std::size_t>(map.size(), i + 1 + draw() % 6); i < end; ++i) map[i] = label;
    }
    return map;
  };
  metrics::panoptic_options const options{.classes = 3, .ignored = 9, .crowd_excuses = true};
  std::vector<labels> truths, predictions;
  for (int i = 0; i < 7; ++i) truths.push_back(random_map()), predictions.push_back(random_map());
  for (std::int64_t const k : {1, 2, 4}) {
    metrics::video_panoptic_quality video(options, k);
    metrics::panoptic_quality naive(options);
    for (auto const& [begin, end] : {std::pair{0, 5}, {5, 7}}) {  // two videos
      for (int i = begin; i < end; ++i) video.add(all(truths[static_cast<std::size_t>(i)]), all(predictions[static_cast<std::size_t>(i)]));
      video.end_sequence();
      for (int i = begin; i + k <= end; ++i) {
        labels truth, found;
        for (int j = i; j < i + k; ++j) {
          auto const &t = truths[static_cast<std::size_t>(j)], &p = predictions[static_cast<std::size_t>(j)];
          truth.insert(truth.end(), t.begin(), t.end()), found.insert(found.end(), p.begin(), p.end());
        }
        naive.add(all(truth), all(found));
      }
    }
    REQUIRE((video.counts().classes == naive.counts().classes));
  }
}

TEST_CASE("DVPQ: pixels of a wrong depth become void in the prediction; differences of integers do not wrap around") {
  // One of two pixels of a car is 13 for 10 metres: right at λ = .5, and at .25 the car loses half of its pixels, and its match.
  labels const truth{0, 1001, 1001, 0};
  std::vector<std::uint16_t> const depth{10, 10, 13, 0}, true_depth{10, 10, 10, 0};
  for (double const limit : {.5, .25}) {
    metrics::panoptic_options const options{.classes = 2, .ignored = 9};
    metrics::panoptic_quality score(options);
    labels const kept = metrics::without_wrong_depth(all(truth), std::span<std::uint16_t const>(true_depth),
                                                     std::span<std::uint16_t const>(depth), limit, options);
    score.add(all(truth), all(kept));
    REQUIRE(score.counts().scores(metrics::absent_classes::left_out, 1).pq == (limit == .5 ? 1 : 0));
  }
  std::vector<std::uint16_t> const near{9}, far{10};
  metrics::panoptic_options const options{.classes = 2};
  auto const kept = [&](double limit) {
    return metrics::without_wrong_depth(all({1}), std::span<std::uint16_t const>(far), std::span<std::uint16_t const>(near), limit,
                                        options)[0];
  };
  REQUIRE(kept(.1) == 1);  // 9 - 10 is -1, not 65,535
  REQUIRE(kept(.09) == 255000);
  std::vector<float> const unknown{std::numeric_limits<float>::quiet_NaN()};
  REQUIRE(metrics::without_wrong_depth(all({1}), std::span<std::uint16_t const>(far), std::span<float const>(unknown), .5, options)[0] ==
          255000);
}

namespace {
struct frames {
  labels truth, prediction;
};
// deeplab2's three frames of 8 x 8: things are class 2, and the true instance is 2 exactly there.
std::array<frames, 3> const published = [] {
  std::array<char const*, 3> const truths{"00000000/00000000/00020111/02222111/22222211/22222221/22222221/22222211",
                                          "00000000/00000000/02001100/22211110/22221111/22222111/22222111/22221111",
                                          "00000000/00000000/00000000/20111000/22111100/22211110/22211111/22211111"},
      classes{"00000000/00000000/00000100/00022111/02222211/22222221/22222221/22222221",
              "00000000/00000000/00001100/02221111/22221111/22222111/22222211/22222111",
              "00000000/00000000/00001000/00111100/22211100/22211111/22221111/22221111"},
      instances{"00000000/00000000/00000000/00022000/02222100/22222110/22221110/22221110",
                "00000000/00000000/00000000/02220000/22220000/22222000/22221100/22221000",
                "00000000/00000000/00000000/00000000/22200000/22200000/22220000/22220000"};
  std::array<frames, 3> all;
  for (std::size_t i = 0; i < 3; ++i) {
    labels const semantic = digits(truths[i]);
    labels ids            = semantic;
    for (auto& each : ids) each = each == 2 ? 2 : 0;
    all[i] = {combined(semantic, ids), combined(digits(classes[i]), digits(instances[i]))};
  }
  return all;
}();
std::vector<double> const true_depth{56.1, 50.9, 54.0, 63.6, 68.6, 50.9, 50.9, 58.1, 62.6, 52.1, 0,    60.9, 62.4, 52.6, 56.3, 63.4,
                                     57.1, 61.2, 63.8, 63.1, 52.3, 54.3, 52.1, 51.4, 65.8, 50.5, 58.9, 54.3, 0,    65.4, 63.8, 56.8,
                                     50.6, 56.5, 53.0, 66.9, 51.8, 58.6, 65.9, 66.4, 53.5, 56.2, 53.6, 50.6, 64.6, 51.1, 68.7, 50.3,
                                     69.0, 65.3, 66.4, 51.9, 68.3, 50.5, 0,    67.4, 59.7, 51.3, 50.1, 67.2, 68.8, 62.8, 64.9, 59.5};
std::vector<double> const depth{67.5, 36.9, 65.7, 77.9, 75.0, 45.1, 68.2, 63.3, 43.8, 63.0, 79.4, 78.1, 82.2, 36.9, 59.2, 83.2,
                                70.6, 73.2, 77.8, 71.3, 41.3, 47.5, 58.8, 64.8, 60.5, 51.7, 72.2, 49.8, 56.1, 60.7, 72.2, 73.0,
                                34.5, 55.7, 46.7, 47.4, 69.6, 43.5, 82.3, 84.8, 46.9, 39.5, 35.4, 61.3, 79.4, 42.2, 48.9, 56.3,
                                57.0, 75.0, 84.2, 46.3, 67.4, 55.5, 46.9, 70.0, 62.3, 58.3, 59.4, 74.5, 70.6, 54.6, 78.6, 48.1};
std::span<double const> values(std::vector<double> const& map) { return map; }
}  // namespace

TEST_CASE("STQ and DSTQ of three frames are those of deeplab2's tests, in any order of frames and of counts") {
  metrics::segmentation_and_tracking_quality score({.classes = 3}, {2}), first({.classes = 3}, {2}), second({.classes = 3}, {2});
  for (auto const& each : published) score.add(all(each.truth), all(each.prediction), 1);
  auto const found = score.scores();
  REQUIRE(found.stq == Approx(.66841773352).epsilon(1e-10));
  REQUIRE(found.aq == Approx(.55366581415).epsilon(1e-10));
  REQUIRE(found.iou == Approx(.8069529580309542).epsilon(1e-12));
  second.add(all(published[2].truth), all(published[2].prediction), 1);
  first.add(all(published[1].truth), all(published[1].prediction), 1);
  first.add(all(published[0].truth), all(published[0].prediction), 1);
  second.add(first);
  REQUIRE(second.scores().stq == found.stq);
  REQUIRE(second.scores_by_sequence().at(1).aq == found.aq);

  metrics::depth_inliers inliers({1.25, 1.1});
  for (int i = 0; i < 3; ++i) inliers.add(values(true_depth), values(depth));
  auto const fractions = inliers.fractions();
  REQUIRE(fractions[0] == Approx(42.0 / 61).epsilon(1e-12));
  REQUIRE(fractions[1] == Approx(13.0 / 61).epsilon(1e-12));
  REQUIRE(metrics::depth_aware(found.stq, fractions) == Approx(.5552059833215103).epsilon(1e-10));
  REQUIRE(metrics::depth_aware(found.stq, {fractions[1]}) == Approx(.45663565048742255).epsilon(1e-10));
  REQUIRE(metrics::depth_aware(found.stq, {fractions[0]}) == Approx(.6750539157136957).epsilon(1e-10));
  metrics::depth_inliers none({1.25});
  none.add(values(std::vector<double>{0, 0}), values(std::vector<double>{1, 2}));
  REQUIRE(metrics::depth_aware(found.stq, none.fractions()) == 0);
}

TEST_CASE("STQ of single rows is that of deeplab2's tests") {
  // One row over all pixels: things are class 0 with the digit as instance; s is a pixel of class 1; the instance 0 is a crowd.
  struct row {
    char const *truth, *prediction;
    double stq, aq, iou;
  };
  auto const map = [](std::string const& text) {
    labels found;
    for (char const each : text) found.push_back(each == 's' ? 1000 : each - '0');
    return found;
  };
  for (auto const& [truth, prediction, stq, aq, iou] :
       {row{"11111", "11111", 1, 1, 1}, row{"11111", "11222", .72111026, .52, 1}, row{"11111", "12222", .82462113, .68, 1},
        row{"11111", "12345", .447213596, .2, 1}, row{"11111", "12122", .72111026, .52, 1}, row{"11111", "s1111", .50596443, .64, .4},
        row{"011111", "111111", 1, 1, 1}, row{"011111", "222211", .72111026, .52, 1}, row{"011111", "22s111", .40824829, .4, 5.0 / 12},
        row{"s1111", "11111", .56568542, .8, .4}, row{"s1111", "22211", .42426407, .45, .4}, row{"s1111", "22s11", .3, .3, .3}}) {
    CAPTURE(truth, prediction);
    metrics::segmentation_and_tracking_quality score({.classes = 2}, {0});
    score.add(all(map(truth)), all(map(prediction)));
    REQUIRE(score.scores().stq == Approx(stq).epsilon(1e-7));
    REQUIRE(score.scores().aq == Approx(aq).epsilon(1e-9));
    REQUIRE(score.scores().iou == Approx(iou).epsilon(1e-9));
  }
}

TEST_CASE("a perfect answer scores 1 in all, and renaming ids changes nothing") {
  labels const truth{0, 0, 1001, 1001, 1002, 2000, 9000}, renamed{0, 0, 1007, 1007, 1003, 2000, 2000};
  metrics::panoptic_options const options{.classes = 3, .ignored = 9};
  metrics::panoptic_quality pq(options);
  metrics::video_panoptic_quality vpq(options, 2);
  metrics::segmentation_and_tracking_quality stq(options, {1});
  for (int i = 0; i < 3; ++i) {
    pq.add(all(truth), all(renamed)), vpq.add(all(truth), all(renamed));
    stq.add(all(truth), all(renamed));
  }
  REQUIRE(pq.counts().scores().pq == 1);
  REQUIRE(vpq.counts().scores().pq == 1);
  REQUIRE(stq.scores().stq == 1);
}

TEST_CASE("a video of ten thousand frames takes the memory of its tubes; empty and void frames count nothing") {
  metrics::panoptic_options const options{.classes = 3, .ignored = 9};
  metrics::video_panoptic_quality vpq(options, 4);
  metrics::segmentation_and_tracking_quality stq(options, {1});
  labels const truth{0, 1001, 1001, 9000}, found{0, 0, 1001, 1001}, is_void(4, 9000);
  auto const in_use = [] {
#ifdef __GLIBC__
    return static_cast<std::int64_t>(mallinfo2().uordblks);
#else
    return std::int64_t{0};
#endif
  };
  std::int64_t bytes = 0;
  for (int i = 0; i < 10000; ++i) {
    if (i == 100) bytes = in_use();
    vpq.add(all(truth), all(found));
    stq.add(all(truth), all(found));
  }
  if (bytes > 0) REQUIRE(in_use() - bytes < 10'000);  // frames that were kept would be 32 bytes each or more: 316,800
  REQUIRE(vpq.counts().classes[0].tp + vpq.counts().classes[0].fn == 10000 - 3);
  REQUIRE(stq.scores().aq == Approx(0.5 * (10000.0 / 30000)));  // tube of 20,000 pixels, 10,000 shared, predicted 20,000: 1e4²/3e4 / 2e4
  metrics::panoptic_quality nothing(options);
  nothing.add(all(labels{}), all(labels{}));
  nothing.add(all(is_void), all(found));
  REQUIRE(nothing.counts().scores().classes == 0);
  metrics::segmentation_and_tracking_quality empty(options, {1});
  REQUIRE(empty.scores().stq == 0);
}

TEST_CASE("depth errors are those of deeplab2's test") {
  std::vector<double> const truth{5.44108091,  53.30197697, 61.06181767, 14.36723114, 0,           39.68081126,
                                  58.77974067, 0,           40.57883826, 22.15134852, 31.46813478, 13.52603324},
      found{4.87694111,  50.09085582, 55.74533641, 10.13579195, 13.76178147, 41.62431592,
            56.97362032, 81.48369608, 43.12005689, 15.54622258, 24.1993478,  12.14451783};
  metrics::depth_errors errors;
  errors.add(values(truth), values(found));
  auto const mean = errors.mean();
  REQUIRE(mean.silog == Approx(14.154233).epsilon(1e-6));
  REQUIRE(mean.squared_relative == Approx(.0268667).epsilon(1e-5));
  REQUIRE(mean.absolute_relative == Approx(.13191505).epsilon(1e-6));
  REQUIRE(mean.inliers == Approx(.7));
  metrics::depth_errors two;  // by hand: 1 for 2 and 2 for 2
  two.add(values(std::vector<double>{2, 2}), values(std::vector<double>{1, 2}));
  REQUIRE(two.mean().inverse_rmse == Approx(std::sqrt(0.125)));
  two.add(errors);
  REQUIRE(two.images() == 2);
  REQUIRE(two.mean().absolute_relative == Approx((.25 + .13191505) / 2).epsilon(1e-6));
}

TEST_CASE("wrong maps are refused in a sentence") {
  metrics::panoptic_quality score({.classes = 2});
  using tests::refusal;
  using tests::require_message;
  require_message(refusal([&] { score.add(all({0, 0}), all({0})); }), {"a label map of 1 pixels", "one of 2"});
  require_message(refusal([&] { score.add(all({0}), all({-1})); }), {"the label -1"});
  require_message(refusal([&] { score.add(all({2000}), all({0})); }),
                  {"true label map has the label 2000, class 2", "the divisor, which is 1000"});
  require_message(refusal([&] { score.add(all({0}), all({2000})); }), {"predicted label map"});
  require_message(refusal([] { metrics::panoptic_quality({.classes = 0}); }), {"of 0 classes"});
  require_message(refusal([] { metrics::video_panoptic_quality({.classes = 2}, 0); }), {"windows of 0 frames"});
  metrics::video_panoptic_quality video({.classes = 2}, 3);
  video.add(all({0, 0}), all({0, 0}));
  require_message(refusal([&] { video.add(all({0}), all({0})); }), {"a frame of 1 pixels follows one of 2", "end_sequence()"});
  require_message(refusal([] { metrics::segmentation_and_tracking_quality({.classes = 2}, {2}); }), {"class 2 is listed as a thing"});
  require_message(refusal([] { metrics::depth_inliers({.9}); }), {"a ratio is 1 or more"});
  metrics::depth_errors errors;
  require_message(refusal([&] { errors.add(values(std::vector<double>{1, 1}), values(std::vector<double>{1, 0})); }),
                  {"depth is 0", "at pixel 1", "positive"});
  require_message(refusal([&] { errors.add(values(std::vector<double>{1}), values(std::vector<double>{1, 0})); }),
                  {"a depth map of 2 pixels"});
  metrics::panoptic_counts three{.classes = std::vector<metrics::panoptic_counts::of_class>(3)};
  require_message(refusal([&] { three.add(score.counts()); }), {"counts of 2 classes", "those of 3"});
}
