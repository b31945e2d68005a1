// Road videos: numbers that last, occlusion by nearer vehicles, depth of the perspective, pairs, augmentation of both frames alike.
#include <c2f/data/panoptic_pairs.hpp>
#include <c2f/data/synthetic/road_videos.hpp>

#include <cmath>
#include <map>
#include <set>

#include "catch.hpp"
#include "refusal.hpp"

namespace {
using tests::refusal;
using videos = c2f::data::road_videos<48, 64>;
videos const roads({.train = 20, .test = 30});
constexpr std::size_t plane = 48 * 64;

struct sample {
  std::vector<float> pixels = std::vector<float>(6 * plane), truth = std::vector<float>(3 * plane);
};
sample read(std::int64_t id, c2f::random_stream* augment = nullptr) {
  sample found;
  roads.train.read(id, augment, found.pixels.data(), found.truth.data());
  return found;
}
}  // namespace

TEST_CASE("a frame is a function of seed, split, video and frame") {
  auto const first = roads.train.frame(3, 2);
  REQUIRE(first.picture == roads.train.frame(3, 2).picture);
  REQUIRE(first.picture == videos({.train = 5, .test = 1}).train.frame(3, 2).picture);  // whatever the number of videos
  REQUIRE(first.picture != roads.train.frame(3, 3).picture);
  REQUIRE(first.picture != roads.train.frame(4, 2).picture);
  REQUIRE(first.picture != roads.test.frame(3, 2).picture);
  REQUIRE(first.picture != videos({.train = 20, .test = 30, .seed = 2}).train.frame(3, 2).picture);
}

TEST_CASE("vehicles of road videos keep their numbers and depth, move by about their length, and hide each other") {
  std::int64_t seen = 0, pairs = 0, far = 0, hidden = 0;
  std::set<std::int64_t> classes;
  for (std::int64_t v = 0; v < roads.test.videos(); ++v) {
    std::map<std::int64_t, float> depth_of;
    std::map<std::int64_t, std::pair<double, double>> before;  // mean and width in the frame before
    std::map<std::int64_t, std::int64_t> number_of_class;
    for (std::int64_t t = 0; t < roads.test.frames(); ++t) {
      auto const frame = roads.test.frame(v, t);
      std::map<std::int64_t, std::pair<double, std::int64_t>> sum;
      std::map<std::int64_t, std::pair<double, double>> ends;
      for (std::size_t i = 0; i < plane; ++i) {
        std::int64_t const label = frame.labels[i], c = label / 1000;
        classes.insert(c);
        REQUIRE((c >= 0 && c < 5));
        REQUIRE((label % 1000 != 0) == (c >= 3));
        REQUIRE((frame.depth[i] == 0) == (c == 1));
        if (c < 3) continue;
        depth_of.try_emplace(label, frame.depth[i]);
        REQUIRE(depth_of[label] == frame.depth[i]);  // in every pixel and frame
        auto& [x, n]      = sum[label];
        auto const column = static_cast<double>(i % 64);
        x += column, ++n;
        auto [at, is_new] = ends.try_emplace(label, column, column);
        at->second        = {std::min(at->second.first, column), std::max(at->second.second, column)};
      }
      std::map<std::int64_t, std::pair<double, double>> now;
      for (auto const& [label, each] : sum) {
        ++seen;
        now[label]       = {each.first / static_cast<double>(each.second), ends[label].second - ends[label].first + 1};
        bool const whole = ends[label].first > 0 && ends[label].second < 63;
        if (before.contains(label) && whole) {
          ++pairs;
          far += std::abs(now[label].first - before[label].first) > .5 * now[label].second;
        }
      }
      for (auto const& [label, each] : before) hidden += !now.contains(label) && each.first > 12 && each.first < 52;
      before = now;
    }
  }
  REQUIRE(classes.size() == 5);
  REQUIRE(seen > 2 * roads.test.videos() * roads.test.frames());
  REQUIRE(far > pairs / 2);
  REQUIRE(hidden >= 1);
}

TEST_CASE("where a nearer vehicle is drawn, a farther one is not: depths fall to the front") {
  // In each scene the list goes from far to near, so the label at a pixel is of the last vehicle that covers it.
  for (std::uint64_t v = 0; v < 30; ++v) {
    auto const scene = c2f::data::detail::roads::make_scene(48, 64, 7, {1, c2f::purpose::synthesis, 1, v});
    for (std::size_t i = 1; i < scene.vehicles.size(); ++i) {
      REQUIRE(scene.vehicles[i].depth < scene.vehicles[i - 1].depth);
      REQUIRE(scene.vehicles[i].base > scene.vehicles[i - 1].base);
    }
    for (auto const& each : scene.vehicles) {
      REQUIRE(each.depth == Approx(160 / (each.base - scene.horizon)));  // that of the road under its wheels
      REQUIRE(std::abs(each.speed) <= 1.4f * each.length);
      REQUIRE(std::abs(each.speed) >= .6f * each.length);
    }
  }
}

TEST_CASE("a sample of road videos is two frames of one video and the truths of both") {
  auto const found = read(3 * 6 + 5);
  auto const now = roads.train.frame(3, 5), next = roads.train.frame(3, 6);
  for (std::size_t i = 0; i < plane; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      REQUIRE(found.pixels[6 * i + c] == Approx(now.picture[3 * i + c] / 127.5 - 1).margin(1e-6));
      REQUIRE(found.pixels[6 * i + 3 + c] == Approx(next.picture[3 * i + c] / 127.5 - 1).margin(1e-6));
    }
    REQUIRE(found.truth[i] == static_cast<float>(now.labels[i]));
    REQUIRE(found.truth[plane + i] == static_cast<float>(next.labels[i]));
    REQUIRE(found.truth[2 * plane + i] == now.depth[i]);
  }
  REQUIRE(roads.train.size() == 20 * 6);
}

TEST_CASE("both frames of a pair are augmented alike") {
  int mirrored = 0;
  for (std::uint64_t id = 0; id < 20; ++id) {
    auto const plain = read(static_cast<std::int64_t>(id));
    c2f::random_stream draw(1, c2f::purpose::augment, 0, id);
    auto const changed = read(static_cast<std::int64_t>(id), &draw);
    auto const is_from = [&](bool mirror) {
      double gain = 0, shift = 0;
      for (std::size_t i = 0; i < plane; ++i) {
        std::size_t const from = mirror ? i / 64 * 64 + 63 - i % 64 : i;
        for (std::size_t p = 0; p < 3; ++p)
          if (changed.truth[p * plane + i] != plain.truth[p * plane + from]) return false;
        if (i == 0) {  // one linear function for all six channels
          auto const a = plain.pixels[6 * from], b = plain.pixels[6 * from + 5];
          gain  = (changed.pixels[6 * i] - changed.pixels[6 * i + 5]) / (a - b);
          shift = changed.pixels[6 * i] - gain * a;
        }
        for (std::size_t c = 0; c < 6; ++c)
          if (std::abs(changed.pixels[6 * i + c] - (gain * plain.pixels[6 * from + c] + shift)) > 1e-4) return false;
      }
      return gain > .79 && gain < 1.21;
    };
    bool const flip = is_from(true);
    REQUIRE((flip || is_from(false)));
    mirrored += flip;
  }
  REQUIRE((mirrored > 3 && mirrored < 17));
}

TEST_CASE("road videos that cannot be made or read are refused") {
  REQUIRE(refusal([] { videos({.train = 0}); }) ==
          "0 road videos of 7 frames cannot be made; ask for one video or more, of two frames or more");
  REQUIRE(refusal([] { videos({.train = 2, .frames = 1}); }) ==
          "2 road videos of 1 frames cannot be made; ask for one video or more, of two frames or more");
  REQUIRE(refusal([] { (void)roads.test.frame(2, 7); }) == "there is no frame 7 of road video 2; there are 30 videos of 7 frames, from 0");
}

TEST_CASE("pairs as what a network is trained on") {
  c2f::data::panoptic_target_options const options{.things = {3, 4}, .sigma = 2, .small_area = 40};
  c2f::data::panoptic_pairs const pairs(roads.train, options);
  static_assert(c2f::data::split<decltype(c2f::data::panoptic_pairs(roads.train, options))>);
  std::vector<float> pixels(6 * plane), truth(11 * plane);
  pairs.read(4, nullptr, pixels.data(), truth.data());
  auto const plain = read(4);
  REQUIRE(pixels == plain.pixels);
  auto const now = roads.train.frame(0, 4), next = roads.train.frame(0, 5);
  auto const targets = c2f::data::targets_of(now.labels, 48, 64, options);
  auto const further = c2f::data::next_offsets_of(targets, next.labels, 48, 64);
  for (std::size_t i = 0; i < plane; ++i) {
    REQUIRE(truth[i] == static_cast<float>(now.labels[i] / 1000));
    REQUIRE(truth[plane + i] == targets.class_weights[i]);
    REQUIRE(truth[2 * plane + i] == targets.heat[i]);
    REQUIRE(truth[3 * plane + i] == targets.centre_weights[i]);
    REQUIRE(truth[4 * plane + i] == targets.offsets[i]);
    REQUIRE(truth[5 * plane + i] == targets.offsets[plane + i]);
    REQUIRE(truth[6 * plane + i] == targets.offset_weights[i]);
    REQUIRE(truth[7 * plane + i] == further.offsets[i]);
    REQUIRE(truth[8 * plane + i] == further.offsets[plane + i]);
    REQUIRE(truth[9 * plane + i] == further.weights[i]);
    REQUIRE(truth[10 * plane + i] == now.depth[i]);
  }
}

namespace {
struct wrong_labels {
  using image       = c2f::image<6, 2, 2>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 3> truth_dims{3, 2, 2};
  float label;
  [[nodiscard]] std::int64_t size() const { return 1; }
  [[nodiscard]] std::string name() const { return "wrong labels"; }
  void read(std::int64_t, c2f::random_stream*, float* pixels, float* truth) const {
    std::fill_n(pixels, 24, 0.f), std::fill_n(truth, 12, label);
  }
};
}  // namespace

TEST_CASE("pairs with labels that are no whole numbers are refused") {
  float pixels[24], truth[44];
  auto const text_of = [&](float label) {
    c2f::data::panoptic_pairs const pairs(wrong_labels{label}, {.things = {1}});
    return refusal([&] { pairs.read(0, nullptr, pixels, truth); });
  };
  REQUIRE(
      text_of(1.5f) ==
      "a pair of frames has the label 1.500000; labels are whole numbers from 0 to below 2^24, a class times the divisor plus an instance");
  REQUIRE(text_of(-1).starts_with("a pair of frames has the label -1"));
  REQUIRE(text_of(NAN).starts_with("a pair of frames has the label nan"));
  REQUIRE(text_of(16777216).starts_with("a pair of frames has the label 16777216"));
}
