// The dense kind: truths, predictions, agreement, corruption and metrics, against their definitions.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/parts/encode_dense.hpp>
#include <c2f/kinds/dense.hpp>

#include <ATen/ops/cat.h>

#include "catch.hpp"
#include "refusal.hpp"

#include <numeric>
#include <set>

namespace {

at::Tensor labels(std::vector<std::int64_t> const& values, std::vector<std::int64_t> const& dims) {
  at::Tensor tensor = at::zeros(dims, at::TensorOptions(at::kLong));
  std::copy(values.begin(), values.end(), tensor.mutable_data_ptr<std::int64_t>());
  return tensor;
}

// Logits of one class that predict these masks.
at::Tensor logits_of(std::vector<std::int64_t> const& mask, std::vector<std::int64_t> const& dims) {
  return labels(mask, dims).to(at::kFloat).mul(4).sub(2).unsqueeze(1);
}

using grid = std::vector<std::vector<int>>;

grid random_grid(std::int64_t height, std::int64_t width, double fraction, std::uint64_t id) {
  c2f::random_stream random(5, c2f::purpose::synthesis, 0, id);
  grid set(static_cast<std::size_t>(height), std::vector<int>(static_cast<std::size_t>(width)));
  for (auto& row : set)
    for (auto& pixel : row) pixel = random.uniform() <= fraction;
  return set;
}

// The definitions, pixel by pixel. Pixels outside the image are background when dilating and foreground when eroding.
grid within(grid const& set, int radius, bool all) {
  grid out     = set;
  int const ys = static_cast<int>(set.size()), xs = static_cast<int>(set[0].size());
  for (int y = 0; y < ys; ++y)
    for (int x = 0; x < xs; ++x) {
      bool any = false, every = true;
      for (int v = 0; v < ys; ++v)
        for (int u = 0; u < xs; ++u)
          if ((v - y) * (v - y) + (u - x) * (u - x) <= radius * radius) {
            any   = any || set[static_cast<std::size_t>(v)][static_cast<std::size_t>(u)];
            every = every && set[static_cast<std::size_t>(v)][static_cast<std::size_t>(u)];
          }
      out[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)] = all ? every : any;
    }
  return out;
}

c2f::detail::pixel_set pixels(grid const& set, std::vector<std::int64_t>& storage) {
  storage.clear();
  for (auto const& row : set) storage.insert(storage.end(), row.begin(), row.end());
  return {{storage.data(), static_cast<std::int64_t>(set.size()), static_cast<std::int64_t>(set[0].size())}, 1};
}
std::vector<std::uint8_t> flat(grid const& set) {
  std::vector<std::uint8_t> all;
  for (auto const& row : set) all.insert(all.end(), row.begin(), row.end());
  return all;
}

template <class Kind>
at::Tensor corrupted(at::Tensor const& truth, double probability, std::uint64_t epoch = 0, std::span<std::int64_t const> ids = {}) {
  c2f::pass const p{.mode = c2f::train, .seed = 3, .epoch = epoch, .ids = ids};
  return Kind::corrupt(truth, probability, p);
}

}  // namespace

TEST_CASE("a dense truth in the shape of a prediction") {
  at::Tensor const truth = labels({0, 2, 255, 1}, {1, 2, 2});
  at::Tensor const three = c2f::dense<3>::from_truth(truth);
  REQUIRE(three.flatten().equal(labels({1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0}, {12}).to(at::kFloat)));
  REQUIRE(three.sizes() == at::IntArrayRef({1, 3, 2, 2}));
  at::Tensor const one = c2f::dense<1, -1>::from_truth(labels({0, 1, -1, 1}, {1, 2, 2}));
  REQUIRE(one.sizes() == at::IntArrayRef({1, 1, 2, 2}));
  REQUIRE(one.flatten().equal(labels({0, 1, 0, 1}, {4}).to(at::kFloat)));
}

TEST_CASE("dense predictions are probabilities") {
  at::Tensor const raw = c2f::detail::sample_numbers({2, 3, 4, 5}, 1).to(at::kFloat).mul(3);
  REQUIRE(c2f::dense<3>::predict(raw).sum(1).sub(1).abs().max().item<double>() < 1e-6);
  REQUIRE(c2f::dense<1>::predict(labels({0}, {1, 1, 1, 1}).to(at::kFloat)).item<double>() == 0.5);
  REQUIRE(c2f::distribution<c2f::dense<2>>);
  REQUIRE_FALSE(c2f::distribution<c2f::dense<1>>);
}

// MONAI, tests/metrics/test_compute_meandice.py: 2 * 2 / (2 + 3).
TEST_CASE("agreement of two masks is their Dice") {
  using kind = c2f::dense<1>;
  REQUIRE(kind::agreement(logits_of({1, 0, 0, 1}, {1, 2, 2}), logits_of({1, 0, 1, 1}, {1, 2, 2})).item<float>() == 0.8f);
  at::Tensor const both = kind::agreement(logits_of({0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1}, {3, 2, 2}),
                                          logits_of({0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0}, {3, 2, 2}));
  REQUIRE(both.sizes() == at::IntArrayRef({3}));
  REQUIRE(both[0].item<float>() == 1);  // both empty
  REQUIRE(both[1].item<float>() == 0);
  REQUIRE(std::abs(both[2].item<double>() - 2.0 / 3) < 1e-6);
}

TEST_CASE("agreement of several classes is the mean over those in either mask") {
  using kind         = c2f::dense<4>;
  auto const logits  = [](std::vector<std::int64_t> const& map) { return c2f::dense<4>::from_truth(labels(map, {1, 2, 3})); };
  at::Tensor const a = logits({0, 0, 1, 1, 1, 3}), b = logits({0, 1, 1, 1, 0, 0});
  // class 0: 2 * 1 / (2 + 3); class 1: 2 * 2 / (3 + 3); class 2: absent; class 3: 0 / 1.
  REQUIRE(std::abs(kind::agreement(a, b).item<double>() - (0.4 + 2.0 / 3 + 0) / 3) < 1e-6);
  REQUIRE(kind::agreement(a, a).item<double>() == 1);
}

TEST_CASE("dilation, erosion, opening and closing are their definitions") {
  std::vector<std::int64_t> storage;
  for (int radius = 1; radius <= 8; ++radius)
    for (double const fraction : {0.02, 0.5, 0.97}) {
      grid const set = random_grid(13, 17, fraction, static_cast<std::uint64_t>(radius));
      auto dilated = pixels(set, storage), eroded = pixels(set, storage), opened = pixels(set, storage), closed = pixels(set, storage);
      dilated.dilate(radius);
      eroded.erode(radius);
      opened.erode(radius);
      opened.dilate(radius);
      closed.dilate(radius);
      closed.erode(radius);
      REQUIRE(dilated.in == flat(within(set, radius, false)));
      REQUIRE(eroded.in == flat(within(set, radius, true)));
      REQUIRE(opened.in == flat(within(within(set, radius, true), radius, false)));
      REQUIRE(closed.in == flat(within(within(set, radius, false), radius, true)));
    }
}

TEST_CASE("components are 8-connected") {
  std::vector<std::int64_t> storage;
  auto const found = pixels({{1, 0, 0, 1, 1}, {0, 1, 0, 0, 1}, {0, 0, 0, 0, 0}, {1, 1, 0, 0, 1}}, storage).components();
  std::vector<std::set<std::int64_t>> sets;
  for (auto const& each : found) sets.emplace_back(each.begin(), each.end());
  REQUIRE(sets == std::vector<std::set<std::int64_t>>{{0, 6}, {3, 4, 9}, {15, 16}, {19}});
}

TEST_CASE("a corrupted mask is a function of seed, epoch and id, and keeps ignored pixels") {
  using kind       = c2f::dense<4>;
  at::Tensor truth = kind::example<c2f::image<3, 40, 48>>(24);
  truth.narrow(1, 0, 3).fill_(255);
  at::Tensor const once = corrupted<kind>(truth, 1);
  REQUIRE(once.equal(corrupted<kind>(truth, 1)));
  REQUIRE_FALSE(once.equal(corrupted<kind>(truth, 1, 1)));
  REQUIRE(corrupted<kind>(truth, 0).equal(truth));
  REQUIRE(once.eq(255).equal(truth.eq(255)));
  at::Tensor const allowed = once.ge(0).logical_and(once.lt(4)).logical_or(once.eq(255));
  REQUIRE(allowed.all().item<bool>());
  std::vector<std::int64_t> const ids{7};
  std::vector<std::int64_t> all(24);
  std::iota(all.begin(), all.end(), 0);
  REQUIRE(corrupted<kind>(truth.narrow(0, 7, 1), 1, 0, ids).equal(corrupted<kind>(truth, 1, 0, all).narrow(0, 7, 1)));
}

TEST_CASE("masks are corrupted with the given probability, as the random draws determine") {
  // Two small squares, far from the border: each is below 15 % of the image, and every operator except opening and closing changes it.
  at::Tensor truth = at::zeros({2000, 48, 48}, at::TensorOptions(at::kLong));
  truth.narrow(1, 20, 5).narrow(2, 10, 5).fill_(1);
  truth.narrow(1, 20, 5).narrow(2, 36, 5).fill_(1);
  at::Tensor const now  = corrupted<c2f::dense<1>>(truth, 0.4);
  at::Tensor const area = now.sum({1, 2});
  int operated = 0, lost = 0, grown = 0, shrunk = 0, fewer = 0;
  for (std::int64_t i = 0; i < 2000; ++i) {
    c2f::random_stream draw(3, c2f::purpose::corrupt, 0, static_cast<std::uint64_t>(i));
    bool const operate = draw.uniform() <= 0.4, lose = draw.uniform() <= 0.2;
    operated += operate;
    lost += lose;
    std::int64_t const pixels = area[i].item<std::int64_t>();
    if (!operate && !lose) REQUIRE(pixels == 50);
    if (!operate && lose) {
      REQUIRE(pixels == 25);
      ++fewer;
    }
    if (operate && !lose) {
      grown += pixels > 50;
      shrunk += pixels < 50;
    }
  }
  REQUIRE((operated > 700 && operated < 900 && lost > 320 && lost < 480));  // 4.5 standard deviations
  REQUIRE((grown > 100 && shrunk > 100 && fewer > 100));
}

TEST_CASE("a component of 15 % of the image or more is never removed") {
  at::Tensor large = at::zeros({200, 10, 10}, at::TensorOptions(at::kLong));
  large.narrow(1, 0, 3).narrow(2, 0, 5).fill_(1);
  at::Tensor small = large.clone();
  small.narrow(1, 2, 1).narrow(2, 4, 1).fill_(0);  // 14 pixels
  at::Tensor const large_now = corrupted<c2f::dense<1>>(large, 0.5), small_now = corrupted<c2f::dense<1>>(small, 0.5);
  int lost = 0;
  for (std::int64_t i = 0; i < 200; ++i) {
    c2f::random_stream draw(3, c2f::purpose::corrupt, 0, static_cast<std::uint64_t>(i));
    bool const operate = draw.uniform() <= 0.5, lose = draw.uniform() <= 0.25;
    if (operate || !lose) continue;
    REQUIRE(large_now[i].equal(large[i]));
    REQUIRE(small_now[i].sum().item<std::int64_t>() == 0);
    ++lost;
  }
  REQUIRE(lost > 0);
}

TEST_CASE("a growing label overwrites the others, and a shrinking one leaves background") {
  std::vector<std::int64_t> map(49, 1);
  for (std::size_t i = 0; i < 49; ++i) map[i] = i % 7 < 3 ? 1 : i % 7 == 3 ? 255 : 2;
  for (std::uint64_t id = 0; id < 40; ++id) {
    auto now = map;
    c2f::random_stream draw(1, c2f::purpose::corrupt, 0, id), again = draw;
    c2f::corrupt_mask({now.data(), 7, 7}, 2, 255, 1, draw);
    REQUIRE(again.uniform() <= 1);  // whether to operate, and whether to lose
    REQUIRE(again.uniform() <= 1);
    std::uint32_t const first  = again.below(4);
    std::int64_t const radius1 = 1 + again.below(8);
    for (std::size_t i = 0; i < 49; ++i) REQUIRE((now[i] == 255) == (map[i] == 255));
    if (first == 0 && radius1 >= 4) {  // label 1 grows over column 4 of label 2, which is corrupted after it
      std::uint32_t const second = again.below(4);
      if (second == 1) REQUIRE(std::count(now.begin(), now.end(), 1) >= 28);
    }
  }
}

TEST_CASE("scores of dense maps count exactly") {
  c2f::dense<3>::score score;
  at::Tensor const truth = labels({0, 0, 1, 1, 255, 2, 0, 0, 0}, {1, 3, 3}), prediction = labels({0, 1, 1, 1, 2, 1, 0, 0, 1}, {1, 3, 3});
  at::Tensor const raw = c2f::dense<3>::from_truth(prediction);
  score.add(raw.narrow(2, 0, 1), truth.narrow(1, 0, 1));
  score.add(raw.narrow(2, 1, 2), truth.narrow(1, 1, 2));
  REQUIRE(score.samples == 2);
  std::int64_t const wanted[3][3] = {{3, 2, 0}, {0, 2, 0}, {0, 1, 0}};
  for (int t = 0; t < 3; ++t)
    for (int a = 0; a < 3; ++a) REQUIRE(score.confusion(t, a) == wanted[t][a]);
  auto const values = score.values();
  REQUIRE(values[0].first == std::string("miou"));
  REQUIRE(std::abs(values[0].second - (3.0 / 5 + 2.0 / 5 + 0) / 3) < 1e-12);
  REQUIRE(values[1].first == std::string("pixel"));
  REQUIRE(std::abs(values[1].second - 5.0 / 8) < 1e-12);
  REQUIRE(values[2].first == std::string("class"));
  REQUIRE(std::abs(values[2].second - (3.0 / 5 + 1 + 0) / 3) < 1e-12);
  REQUIRE(c2f::dense<3>::score{}.values()[0].second == 0);
}

TEST_CASE("a score does not leave out a label that the kind does not have") {
  at::Tensor const raw = c2f::dense<3>::from_truth(labels({0, 1, 2, 0}, {1, 2, 2}));
  for (std::int64_t const label : {3, 4, 254}) {
    c2f::dense<3>::score score;
    tests::require_message(tests::refusal([&] { score.add(raw, labels({0, label, 2, 1}, {1, 2, 2})); }),
                           {"a mask that is scored has the label " + std::to_string(label) + ", and there are 3, 0 to 2"});
  }
  c2f::dense<1>::score score;
  tests::require_message(tests::refusal([&] { score.add(raw.narrow(1, 0, 1), labels({0, 1, 2, 1}, {1, 2, 2})); }),
                         {"has the label 2, and there are 2, 0 to 1"});
  c2f::dense<3>::score ignoring;
  ignoring.add(raw, labels({0, 255, 2, 1}, {1, 2, 2}));
  REQUIRE(ignoring.samples == 1);
}

TEST_CASE("scores leave out absent classes") {
  c2f::dense<5>::score score;
  at::Tensor const truth = labels({0, 0, 3, 3}, {1, 2, 2});
  score.add(c2f::dense<5>::from_truth(truth), truth);
  for (auto const& [name, value] : score.values()) REQUIRE(value == 1);
}

TEST_CASE("the score of a mask is its Dice over all samples") {
  c2f::dense<1>::score score;
  score.add(logits_of({1, 0, 0, 1}, {1, 2, 2}), labels({1, 0, 1, 1}, {1, 2, 2}));
  auto const values = score.values();
  REQUIRE(values[0].first == std::string("dsc"));
  REQUIRE(values[0].second == 0.8);
  REQUIRE(std::abs(values[1].second - 2.0 / 3) < 1e-12);
  score.add(logits_of({1, 1, 0, 0}, {1, 2, 2}), labels({255, 0, 0, 255}, {1, 2, 2}));
  REQUIRE(std::abs(score.values()[0].second - 2.0 * 2 / (3 + 3)) < 1e-12);
  REQUIRE(score.samples == 2);
  c2f::dense<1>::score nothing;
  nothing.add(logits_of({0, 0}, {1, 1, 2}), labels({0, 255}, {1, 1, 2}));
  for (auto const& [name, value] : nothing.values()) REQUIRE(value == 1);
}

// RSTN's results on a volume of the NIH pancreas data: 98,222 voxels, a box of 7,864,320, 95,432 in both.
TEST_CASE("the Dice of large counts is exact") {
  constexpr std::int64_t mask = 98'222, box = 7'864'320, both = 95'432;
  at::Tensor truth = at::zeros({1, 1, mask + box - both}, at::TensorOptions(at::kLong)),
             raw   = at::zeros({1, 1, 1, mask + box - both}).fill_(-1);
  truth.narrow(2, 0, mask).fill_(1);
  raw.narrow(3, mask - both, box).fill_(1);
  c2f::dense<1>::score score;
  score.add(raw, truth);
  REQUIRE(score.values()[0].second == 0.023970234631101473);
}

TEST_CASE("g averages a dense map down to the size of shared features") {
  using kind = c2f::dense<2>;
  c2f::encode::dense<>::on<kind, c2f::image<5, 4, 4>> g;
  c2f::initialize(g, 1);
  at::Tensor const y = c2f::detail::sample_numbers({2, 2, 8, 8}, 1).to(at::kFloat), x = at::zeros({2, 5, 4, 4});
  c2f::pass p;
  at::Tensor const mean = y.view({2, 2, 4, 2, 4, 2}).mean({3, 5});
  REQUIRE(g(y, x, p).sub(g(mean, x, p)).abs().max().item<double>() < 1e-5);
  REQUIRE(g(y, x, p).sizes() == x.sizes());
}
