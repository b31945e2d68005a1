// Few-shot episodes: their content, how they are drawn, and what is refused.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>

#include <c2f/core/random.hpp>
#include <c2f/data/episodes.hpp>
#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/metrics/interval.hpp>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

using namespace c2f::data;
using tests::refusal;
using tests::require_message;
using numbers = std::vector<std::int64_t>;

static_assert(few_shot_split<pictures<20>>);

episodes of(numbers const& labels, episode_options const& options, std::vector<std::string> const& names = {}) {
  return {"the test", labels, names, options};
}

bool distinct(numbers const& values) { return std::set<std::int64_t>(values.begin(), values.end()).size() == values.size(); }

}  // namespace

TEST_CASE("an episode has distinct classes and disjoint samples of them") {
  c2f::random_stream draw{2, c2f::purpose::synthesis, 0, 0};
  auto const begin = std::chrono::steady_clock::now();
  for (int split = 0; split < 100; ++split) {
    episode_options const options{
        .way = 1 + draw.below(20), .shot = 1 + draw.below(20), .queries = 1 + draw.below(20), .seed = draw.bits()};
    // Classes of different sizes, in a random order; the smallest is just large enough.
    numbers labels;
    auto const classes = options.way + draw.below(30);
    for (std::int64_t k = 0; k < classes; ++k)
      labels.insert(labels.end(), static_cast<std::size_t>(options.shot + options.queries + draw.below(10) % 4), k);
    for (std::size_t left = labels.size(); left > 1; --left)
      std::swap(labels[left - 1], labels[draw.below(static_cast<std::uint32_t>(left))]);

    episodes const all = of(labels, options);
    REQUIRE(all.class_count() == classes);
    for (std::int64_t number = 0; number < 100; ++number) {
      episode const e  = all.at(number);
      bool right       = e.classes.size() == static_cast<std::size_t>(options.way) && distinct(e.classes);
      right            = right && e.support.size() == static_cast<std::size_t>(options.way * options.shot);
      right            = right && e.query.size() == static_cast<std::size_t>(options.way * options.queries);
      numbers together = e.support;
      together.insert(together.end(), e.query.begin(), e.query.end());
      right = right && distinct(together);
      for (std::size_t i = 0; right && i < e.support.size(); ++i)
        right = labels.at(static_cast<std::size_t>(e.support[i])) == e.classes[i / static_cast<std::size_t>(options.shot)];
      for (std::size_t i = 0; right && i < e.query.size(); ++i)
        right = labels.at(static_cast<std::size_t>(e.query[i])) == e.classes[i / static_cast<std::size_t>(options.queries)];
      CAPTURE(split, number, options.way, options.shot, options.queries);
      REQUIRE(right);
      if (number == 50) REQUIRE(e == of(labels, options).at(50));
    }
  }
  REQUIRE(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}

TEST_CASE("classes and samples are chosen uniformly") {
  // 10 classes of 7 samples; 20,000 episodes of 3 classes, 2 + 1 samples.
  numbers labels;
  for (std::int64_t id = 0; id < 70; ++id) labels.push_back(id % 10);
  episodes const all = of(labels, {.way = 3, .shot = 2, .queries = 1, .seed = 5});
  std::vector<double> first(10), chosen(10), support(70), query(70);
  constexpr int n = 20000;
  std::set<numbers> different;
  for (int number = 0; number < n; ++number) {
    episode const e = all.at(number);
    ++first[static_cast<std::size_t>(e.classes[0])];
    for (auto const k : e.classes) ++chosen[static_cast<std::size_t>(k)];
    for (auto const id : e.support) ++support[static_cast<std::size_t>(id)];
    for (auto const id : e.query) ++query[static_cast<std::size_t>(id)];
    if (number < 1000) different.insert(e.support);
  }
  REQUIRE(different.size() > 990);
  // Counts are sums of independent episodes, so each is within 5 standard deviations: sqrt(n p (1 - p)) of a binomial one.
  auto const uniform = [&](std::vector<double> const& counts, double p) {
    for (double const count : counts) REQUIRE(std::abs(count - n * p) < 5 * std::sqrt(n * p * (1 - p)));
  };
  uniform(first, 1. / 10);
  uniform(chosen, 3. / 10);
  uniform(support, 3. / 10 * 2 / 7);
  uniform(query, 3. / 10 * 1 / 7);
  // Chi-square of the first class: 9 degrees of freedom, above 33.7 with probability .0001.
  double square = 0;
  for (double const count : first) square += (count - n / 10.) * (count - n / 10.) / (n / 10.);
  REQUIRE(square < 33.7);
}

TEST_CASE("an episode is determined by its Philox numbers") {
  // 48 samples, sample id of class id % 8; seed 1, 3-way 2-shot with 2 queries. The expected ids are from an independent Python
  // implementation of Philox4x32-10 (checked with the published vector for zeros: 6627e8d5 e169c58d bc57ac4c 9b00dbd8) and of the rule in
  // episodes.hpp.
  numbers labels;
  for (std::int64_t id = 0; id < 48; ++id) labels.push_back(id % 8);
  episodes const all = of(labels, {.way = 3, .shot = 2, .queries = 2, .seed = 1});
  REQUIRE(all.at(0) == episode{{4, 6, 2}, {4, 44, 38, 6, 18, 34}, {36, 20, 46, 22, 42, 26}});
  REQUIRE(all.at(7) == episode{{2, 7, 3}, {34, 26, 47, 31, 35, 19}, {18, 42, 15, 7, 3, 43}});
  REQUIRE(all.at((std::int64_t{1} << 33) + 1) == episode{{4, 6, 3}, {44, 4, 6, 46, 19, 27}, {20, 36, 14, 38, 3, 11}});
}

TEST_CASE("episodes of a split, and its pictures") {
  glyphs<20> const data({.train = 400, .test = 200});
  episodes const all(data.test, {.way = 5, .shot = 3, .queries = 4, .seed = 9});
  REQUIRE(all.class_count() == 20);
  episode const e = all.at(1);
  for (std::size_t i = 0; i < e.query.size(); ++i) REQUIRE(data.test.label(e.query[i]) == e.classes[i / 4]);
  at::Tensor const images = read_samples(data.test, e.query);
  REQUIRE(images.sizes() == numbers{20, 3, 32, 32});
  REQUIRE(images.is_contiguous(at::MemoryFormat::ChannelsLast));
  std::vector<float> pixels(3 * 32 * 32);
  std::int64_t truth = 0;
  data.test.read(e.query[7], nullptr, pixels.data(), &truth);
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t i = 0; i < 32 * 32; i += 97)
      REQUIRE(images[7][c][i / 32][i % 32].item<float>() == pixels[static_cast<std::size_t>(3 * i + c)]);
  auto const augmented = [&] {
    c2f::random_stream draw{1, c2f::purpose::augment, 0, 0};
    return read_samples(data.test, e.query, &draw);
  };
  REQUIRE(at::equal(augmented(), augmented()));
  REQUIRE(!at::equal(augmented(), images));
  REQUIRE(read_samples(data.test, {}).sizes() == numbers{0, 3, 32, 32});
}

TEST_CASE("the last samples of each class are held out") {
  glyphs<20> const data({.train = 110, .test = 20});  // ids mod 20 are the classes: six samples of 0 ... 9, five of 10 ... 19
  auto const base = hold_out(data.train, 2);
  static_assert(dataset<decltype(base)> && few_shot_split<chosen<pictures<20>>> && decltype(base.train)::class_count() == 20);
  REQUIRE(base.test.size() == 40);
  REQUIRE(base.train.size() == 70);
  std::vector<float> pixels(3 * 32 * 32), wanted = pixels;
  std::int64_t truth = 0, other = 0;
  std::set<std::int64_t> ids;
  for (std::int64_t id = 0; id < 40; ++id) {
    // Class k < 10 has the ids k, k + 20 ... k + 100, the other classes up to k + 80.
    auto const whole = base.test.in_whole(id);
    REQUIRE(whole >= (whole % 20 < 10 ? 80 : 60));
    REQUIRE(base.test.label(id) == whole % 20);
    base.test.read(id, nullptr, pixels.data(), &truth);
    data.train.read(whole, nullptr, wanted.data(), &other);
    REQUIRE(pixels == wanted);
    REQUIRE(truth == other);
    ids.insert(whole);
  }
  for (std::int64_t id = 0; id < 70; ++id) ids.insert(base.train.in_whole(id));
  REQUIRE(ids.size() == 110);
  require_message(refusal([&] { (void)hold_out(data.train, 5); }), {"of the 5 samples of class 10 of glyphs train, 5 cannot"});
  require_message(refusal([&] { (void)hold_out(data.train, 0); }), {"of class 0 ", ", 0 cannot"});
}

TEST_CASE("episodes refuse what cannot be drawn") {
  for (std::int64_t const label : {std::int64_t{-100}, std::int64_t{10000000000}})
    require_message(refusal([&] { (void)of({0, label, 1}, {.way = 2}); }),
                    {"sample 1 of the test has the class " + std::to_string(label), "classes 0 to 999999"});
  numbers const labels{0, 0, 0, 1, 1, 1, 2, 2};
  std::vector<std::string> const names{"cat", "dog", "owl"};
  auto const fault = [&](episode_options const& options) { return refusal([&] { (void)of(labels, options, names); }); };
  REQUIRE(fault({.way = 3, .shot = 1, .queries = 1}).empty());
  require_message(fault({.way = 4, .shot = 1, .queries = 1}), {"the test has 3 classes", "episodes of 4"});
  require_message(fault({.way = 3, .shot = 1, .queries = 2}), {"class 2 (owl) of the test has 2 samples", "takes 1 for support and 2"});
  require_message(fault({.way = 0}), {"option way", "is 0"});
  require_message(fault({.shot = -1}), {"option shot", "is -1"});
  require_message(fault({.queries = 0}), {"option queries", "is 0"});
  require_message(fault({.way = std::numeric_limits<std::int64_t>::max()}), {"option way"});
  // A class that has a name but no samples.
  require_message(refusal([&] { (void)of({0, 0, 1, 1}, {.way = 2, .shot = 1, .queries = 1}, names); }), {"class 2 (owl)", "has 0 samples"});
  require_message(refusal([&] { (void)of({}, {.way = 1}); }), {"has 0 classes"});
  REQUIRE(refusal([&] { (void)of({0, 0, 2, 2}, {.way = 2, .shot = 1, .queries = 1}); }).find("class 1 of the test has 0") == 0);
}

TEST_CASE("the interval of a mean") {
  // statistics.stdev([.2, .4, .4, .8]) is .251661..., * 1.96 / 2
  auto const i = c2f::metrics::mean_interval(std::vector{.2, .4, .4, .8});
  REQUIRE(std::abs(i.mean - .45) < 1e-15);
  REQUIRE(std::abs(i.half - 0.24662792488551116) < 1e-14);
  REQUIRE(i.count == 4);
  REQUIRE(c2f::metrics::mean_interval(std::vector{.5, .5, .5}).half == 0);
  auto const one = c2f::metrics::mean_interval(std::vector{.5});
  REQUIRE(one.mean == .5);
  REQUIRE(std::isinf(one.half));
  require_message(refusal([] { (void)c2f::metrics::mean_interval({}); }), {"mean of no numbers"});
}
