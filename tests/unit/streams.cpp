// Splits that compose their batches, streams, parts of a split, and truths of variable length.
#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>

#include <c2f/data/check_split.hpp>
#include <c2f/data/mixed.hpp>
#include <c2f/data/objects.hpp>
#include <c2f/data/pictures.hpp>
#include <c2f/data/resident.hpp>
#include <c2f/data/streams.hpp>
#include <c2f/data/validation.hpp>
#include <c2f/data/synthetic/glyphs.hpp>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

using namespace c2f::data;
using tests::refusal;
using tests::require_message;
using ids = std::vector<std::int64_t>;

// The pixel is a random number, or the id; the truth is the id plus `first`. Multiples of `faulty` cannot be read.
struct counted {
  using image       = c2f::image<1, 1, 2>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  std::int64_t n = 0, first = 0, faulty = 0;
  std::string title = "counted";
  [[nodiscard]] std::int64_t size() const { return n; }
  [[nodiscard]] std::string name() const { return title; }
  [[nodiscard]] static constexpr std::int64_t class_count() { return 7; }
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, std::int64_t* truth) const {
    if (id < 0 || id >= n) throw std::logic_error("no such sample");
    *truth = first + id;
    if (faulty > 0 && id % faulty == 0) throw c2f::input_error("sample " + std::to_string(id) + " is broken");
    for (int i = 0; i < 2; ++i) pixels[i] = augment ? static_cast<float>(augment->uniform()) : static_cast<float>(id);
  }
};

ids truths_of(batch const& b) {
  auto const* t = b.truth.const_data_ptr<std::int64_t>();
  return {t, t + b.truth.numel()};
}
struct delivered {
  ids samples, truth;
  std::vector<float> pixels;
  friend bool operator==(delivered const&, delivered const&) = default;
};
delivered of(batch const& b) {
  auto const* p = b.images.const_data_ptr<float>();
  return {b.ids, truths_of(b), {p, p + b.images.numel()}};
}
template <class S>
std::vector<delivered> all_of(loader<S> const& l, std::uint64_t epoch, std::int64_t first = 0) {
  std::vector<delivered> all;
  for (batch const& b : l.epoch(epoch, first)) all.push_back(of(b));
  return all;
}

// Pass `pass` of stream s as Knuth's Algorithm P.
ids pass_of(std::int64_t size, std::uint64_t seed, std::uint64_t epoch, std::uint64_t s, std::uint64_t pass) {
  ids order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  c2f::random_stream draw{seed, c2f::purpose::order, epoch, 1 + s + pass * 4294967296u};
  for (auto i = static_cast<std::uint32_t>(size - 1); i >= 1; --i) std::swap(order[i], order[draw.below(i + 1)]);
  return order;
}

// Batches of three samples of 0 ... 4, then of two; the second epoch is the reverse of the first.
struct composed : counted {
  composed() : counted{5} {}
  bool negative = false, short_batch = false;
  [[nodiscard]] std::int64_t batches(std::int64_t batch) const {
    if (batch != 3) throw c2f::input_error("three a batch");
    return 3;
  }
  [[nodiscard]] ids order(std::uint64_t seed, std::uint64_t epoch, std::int64_t) const {
    ids all{4, 4 + 5, static_cast<std::int64_t>(seed) % 5, 2, 1, 0, 3, 4 + 10};
    if (epoch % 2 == 1) std::reverse(all.begin(), all.end());
    if (negative) all[3] = -1;
    if (short_batch) all.resize(6);
    return all;
  }
};
static_assert(ordered_split<composed> && !ordered_split<counted>);
struct titled : counted {
  [[nodiscard]] std::string name_of(std::int64_t id) const { return "picture " + std::to_string(id); }
};

}  // namespace

TEST_CASE("a split composes its batches: repeated samples, and a smaller last batch") {
  for (int threads : {0, 1, 3}) {
    loader const l{composed{}, {.batch = 3, .seed = 7, .threads = threads}};
    REQUIRE(l.batches() == 3);
    auto const all = all_of(l, 0);
    REQUIRE(all.size() == 3);
    REQUIRE(all[0].samples == ids{4, 9, 2});
    REQUIRE(all[0].truth == ids{4, 4, 2});
    REQUIRE(all[1].samples == ids{2, 1, 0});
    REQUIRE(all[2].samples == ids{3, 14});
    REQUIRE(all[2].truth == ids{3, 4});
    // Sample 4 three times, augmented by its three ids.
    std::set<float> const draws{all[0].pixels[0], all[0].pixels[2], all[2].pixels[2]};
    REQUIRE(draws.size() == 3);
    c2f::random_stream draw{7, c2f::purpose::augment, 0, 9};
    REQUIRE(all[0].pixels[2] == static_cast<float>(draw.uniform()));
    REQUIRE(all_of(l, 1)[0].samples == ids{14, 3, 0});
    auto const rest = all_of(l, 1, 2);
    REQUIRE(rest.size() == 1);
    REQUIRE(rest[0] == all_of(l, 1)[2]);
  }
  // Without a shuffle, every sample once.
  loader const plain{composed{}, {.batch = 4, .shuffle = false, .augment = false}};
  REQUIRE(plain.batches() == 2);
  REQUIRE(all_of(plain, 0)[0].samples == ids{0, 1, 2, 3});
  REQUIRE(all_of(plain, 0)[1].truth == ids{4});

  REQUIRE(refusal([] { loader{composed{}, {.batch = 4}}; }) == "three a batch");
  composed wrong;
  wrong.negative = true;
  require_message(refusal([&] { (void)loader{wrong, {.batch = 3}}.epoch(0); }), {"counted orders 8 samples in 3 batches of 3"});
  wrong.negative    = false;
  wrong.short_batch = true;
  require_message(refusal([&] { (void)loader{wrong, {.batch = 3}}.epoch(0); }), {"counted orders 6 samples in 3 batches of 3"});
}

TEST_CASE("what is made of all samples of a split has its batches, and what is made of some has their names") {
  auto const batches_of = [](auto const& samples) {
    std::vector<ids> all;
    for (batch const& b : loader{samples, {.batch = 3, .seed = 7, .threads = 0}}.epoch(1)) all.push_back(b.ids);
    return all;
  };
  auto const wanted = batches_of(composed{});
  REQUIRE(wanted[0] == ids{14, 3, 0});
  REQUIRE(batches_of(mixed<7>(composed{}, {.smoothing = .1})) == wanted);
  REQUIRE(batches_of(unlabelled(composed{})) == wanted);
  static_assert(ordered_split<decltype(mixed<7>(composed{}, {}))> && ordered_split<unlabelled<composed>>);
  static_assert(!ordered_split<decltype(mixed<7>(counted{}, {}))> && !ordered_split<unlabelled<counted>>);

  titled const whole{{10}};
  auto const said = [](auto const& samples, std::int64_t id) { return c2f::data::detail::text_of_sample(samples, id); };
  REQUIRE(said(subset(whole, {5, 3}), 1) == "sample 1 (picture 3) of counted");
  REQUIRE(said(take(whole, 5), 4) == "sample 4 (picture 4) of counted");
  REQUIRE(said(mixed<7>(whole, {}), 4) == "sample 4 (picture 4) of counted");
  REQUIRE(said(unlabelled(subset(whole, {5, 3})), 0) == "sample 0 (picture 5) of counted");
  streams const both{stream{whole, 1}, stream{unlabelled(subset(whole, {5, 3})), 1}};
  REQUIRE(said(both, 11) == "sample 11 (picture 3) of counted + counted");
  static_assert(!c2f::data::detail::has_names<decltype(streams{stream{whole, 1}, stream{counted{}, 1}})>);
  static_assert(!c2f::data::detail::has_names<decltype(subset(counted{}, {}))>);
}

TEST_CASE("a batch of two streams has the rows of both, each stream in its own order") {
  streams const two{stream{counted{10, 0, 0, "a"}, 3}, stream{counted{37, 100, 0, "b"}, 5}};
  static_assert(ordered_split<std::remove_const_t<decltype(two)>> && decltype(two)::class_count() == 7);
  REQUIRE(two.size() == 47);
  REQUIRE(two.name() == "a + b");
  REQUIRE(two.row_offsets() == std::array<std::int64_t, 3>{0, 3, 8});
  REQUIRE(two.id_offsets() == std::array<std::int64_t, 3>{0, 10, 47});
  loader const l{two, {.batch = 8, .seed = 3, .threads = 0}};
  REQUIRE(l.batches() == 8);  // 37 samples, five a batch
  std::map<std::int64_t, std::vector<ids>> found;
  for (std::uint64_t const epoch : {0u, 1u, 7u}) {
    auto const all = all_of(l, epoch);
    REQUIRE(all.size() == 8);
    ids first, second;
    for (auto const& b : all) {
      REQUIRE(b.samples.size() == 8);
      for (std::size_t i = 0; i < 8; ++i) {
        auto const sample = b.samples[i] % 47;
        REQUIRE((sample < 10) == (i < 3));
        REQUIRE(b.truth[i] == (i < 3 ? sample : 100 + sample - 10));
        c2f::random_stream draw{3, c2f::purpose::augment, epoch, static_cast<std::uint64_t>(b.samples[i])};
        REQUIRE(b.pixels[2 * i] == static_cast<float>(draw.uniform()));
        (i < 3 ? first : second).push_back(b.samples[i]);
      }
    }
    // The order, written out: 24 samples of 10, 40 samples of 37.
    for (std::size_t i = 0; i < 24; ++i)
      REQUIRE(first[i] == pass_of(10, 3, epoch, 0, i / 10)[i % 10] + 47 * static_cast<std::int64_t>(i / 10));
    for (std::size_t i = 0; i < 40; ++i)
      REQUIRE(second[i] == 10 + pass_of(37, 3, epoch, 1, i / 37)[i % 37] + 47 * static_cast<std::int64_t>(i / 37));
    // Every sample 2 or 3 times, and 1 or 2 times, each time with another id.
    std::map<std::int64_t, int> times;
    for (auto const* of_stream : {&first, &second})
      for (auto const id : *of_stream) ++times[id % 47];
    REQUIRE(times.size() == 47);
    for (auto const& [sample, n] : times) REQUIRE((sample < 10 ? n == 2 || n == 3 : n == 1 || n == 2));
    first.insert(first.end(), second.begin(), second.end());
    REQUIRE(std::set<std::int64_t>(first.begin(), first.end()).size() == 64);
    found[0].push_back(first);
  }
  REQUIRE(found[0][0] != found[0][1]);
  REQUIRE(found[0][1] != found[0][2]);
}

TEST_CASE("streams are the same for any number of threads, and from any batch on") {
  streams const three{stream{counted{5, 0, 2}, 2}, stream{counted{23, 100, 3}, 3}, stream{unlabelled{counted{11, 0, 4}}, 1}};
  loader const l{three, {.batch = 6, .seed = 9, .threads = 0}};
  auto const whole = all_of(l, 4);
  REQUIRE(whole.size() == 11);
  for (int threads : {0, 1, 3}) {
    loader const same{three, {.batch = 6, .seed = 9, .threads = threads, .prefetch = 3}};
    REQUIRE((all_of(same, 4) == whole));
    REQUIRE(same.replaced() == l.replaced());
    for (std::int64_t first = 0; first <= 11; ++first) REQUIRE((all_of(same, 4, first) == std::vector(whole.begin() + first, whole.end())));
  }
  REQUIRE((all_of(l, 5) != whole));
}

TEST_CASE("a faulty sample of a stream is replaced within its stream") {
  streams const two{stream{unlabelled{counted{12, 0, 3}}, 4}, stream{counted{25, 100, 5}, 2}};
  for (int threads : {0, 3}) {
    loader const l{two, {.batch = 6, .seed = 2, .threads = threads}};
    auto const wanted = two.order(2, 1, 6);
    auto const all    = all_of(l, 1);
    REQUIRE(wanted.size() == 6 * all.size());
    int faults = 0;
    for (std::size_t b = 0; b < all.size(); ++b)
      for (std::size_t i = 0; i < 6; ++i) {
        auto const id = wanted[6 * b + i], size = std::int64_t{37}, first = i < 4 ? std::int64_t{0} : std::int64_t{12};
        auto own = id % size - first;  // the rule, written out
        c2f::random_stream draw{2, c2f::purpose::replace, 1, static_cast<std::uint64_t>(id)};
        while (own % (i < 4 ? 3 : 5) == 0) {
          own = draw.below(i < 4 ? 12 : 25);
          ++faults;
        }
        REQUIRE(all[b].samples[i] == id / size * size + first + own);
        REQUIRE(all[b].truth[i] == (i < 4 ? -100 : 100 + own));
      }
    REQUIRE(faults > 10);
    // Samples are counted, not their repetitions.
    for (auto const id : l.replaced().ids) REQUIRE((id < 12 ? id % 3 == 0 : id < 37 && (id - 12) % 5 == 0));
    REQUIRE(l.replaced().ids.size() == 9);
  }
  // Also through a wrapper.
  loader const wrapped{unlabelled{two}, {.batch = 6, .seed = 2, .shuffle = false}};
  auto const all = all_of(wrapped, 0);
  for (std::size_t b = 0; b < all.size(); ++b)
    for (std::size_t i = 0; i < all[b].samples.size(); ++i) REQUIRE((all[b].samples[i] < 12) == (6 * b + i < 12));
}

TEST_CASE("the length of an epoch of streams, and an evaluation of them") {
  streams const two{stream{counted{10}, 3}, stream{counted{8}, 1}};
  REQUIRE(two.batches(4) == 8);
  auto const more = two.batches_an_epoch(20);
  REQUIRE(loader{more, {.batch = 4}}.batches() == 20);
  auto const all = all_of(loader{more, {.batch = 4}}, 0);
  REQUIRE(all.size() == 20);
  auto const fewer = all_of(loader{two, {.batch = 4}}, 0);
  for (std::size_t i = 0; i < 8; ++i) REQUIRE(all[i] == fewer[i]);  // the orders do not depend on the length
  REQUIRE((all_of(loader{two.batches_an_epoch(1), {.batch = 4}}, 0) == std::vector{fewer[0]}));
  // Every sample once in the order of the ids, whatever the batch.
  loader const test{two, {.batch = 5, .shuffle = false, .augment = false}};
  REQUIRE(test.batches() == 4);
  ids seen;
  for (auto const& b : all_of(test, 0)) seen.insert(seen.end(), b.truth.begin(), b.truth.end());
  REQUIRE(seen == ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7});

  require_message(refusal([&] { loader{two, {.batch = 5}}; }), {"counted + counted have 4 rows in all, but a batch has 5"});
  require_message(refusal([] { streams{stream{counted{10}, 3}, stream{counted{0, 0, 0, "none"}, 1}}; }),
                  {"stream 1 ", "none, has 0 samples"});
  require_message(refusal([] { streams{stream{counted{10}, 0}}; }), {"stream 0 of a batch, counted, has 10 samples and 0 rows"});
  require_message(refusal([&] { (void)two.batches_an_epoch(0); }), {"0 batches"});
}

TEST_CASE("an unlabelled split has the same images and no truths") {
  glyphs<8> const data({.train = 40, .test = 8});
  unlabelled const none{data.train};
  static_assert(split<unlabelled<pictures<8>>> && unlabelled<pictures<8>>::class_count() == 8);
  REQUIRE(none.size() == 40);
  REQUIRE(none.classes() == data.train.classes());
  std::vector<float> pixels(3072), wanted(3072);
  std::int64_t truth = 0, label                           = 0;
  c2f::random_stream a{1, c2f::purpose::augment, 0, 0}, b = a;
  none.read(5, &a, pixels.data(), &truth);
  data.train.read(5, &b, wanted.data(), &label);
  REQUIRE(pixels == wanted);
  REQUIRE(truth == -100);
  unlabelled{data.train, 3}.read(5, nullptr, pixels.data(), &truth);
  REQUIRE(truth == 3);
  static_assert(!can_be_resident<decltype(streams{stream{data.train, 3}})>);
}

TEST_CASE("a subset of a split") {
  glyphs<8> const data({.train = 40, .test = 8});
  auto const some = subset(data.train, {7, 0, 39, 7});
  REQUIRE(some.size() == 4);
  REQUIRE(some.name() == data.train.name());
  REQUIRE(some.classes() == data.train.classes());
  std::vector<float> pixels(3072), wanted(3072);
  std::int64_t truth = 0, label = 0;
  for (std::int64_t id = 0; id < 4; ++id) {
    auto const whole = ids{7, 0, 39, 7}[static_cast<std::size_t>(id)];
    some.read(id, nullptr, pixels.data(), &truth);
    data.train.read(whole, nullptr, wanted.data(), &label);
    REQUIRE(pixels == wanted);
    REQUIRE(truth == label);
    REQUIRE(some.label(id) == label);
  }
  counted const plain{9, 50};  // without labels
  std::int64_t value = 0;
  subset(plain, {8, 2}).read(1, nullptr, pixels.data(), &value);
  REQUIRE(value == 52);
  REQUIRE(subset(plain, {}).size() == 0);
  require_message(refusal([&] { (void)subset(plain, {1, 9}); }), {"a subset of counted cannot have sample 9; its ids are 0 to 8"});
  require_message(refusal([&] { (void)subset(plain, {-1}); }), {"cannot have sample -1"});
}

TEST_CASE("a validation split is a fraction of each class, chosen by seed and id") {
  glyphs<8> const data({.train = 203, .test = 8});  // ids mod 8 are the classes: 26 samples of 0 ... 2, 25 of the others
  auto const mine = with_validation(data, .2, 1);
  static_assert(has_validation<decltype(mine)> && !has_validation<glyphs<8>> && checked_dataset<decltype(mine)>);
  REQUIRE(&scored_split(mine) == &mine.validation);
  REQUIRE(&scored_split(data) == &data.test);
  REQUIRE(mine.validation.size() == 40);  // 5.2 and 5 of a class, rounded
  REQUIRE(mine.train.size() == 163);
  REQUIRE(mine.test.size() == 8);
  auto const of_whole = [](auto const& part) {
    ids all;
    for (std::int64_t id = 0; id < part.size(); ++id) all.push_back(part.in_whole(id));
    REQUIRE(std::is_sorted(all.begin(), all.end()));
    return all;
  };
  auto const held = of_whole(mine.validation), kept = of_whole(mine.train);
  std::map<std::int64_t, int> classes;
  for (auto const id : held) ++classes[id % 8];
  for (std::int64_t k = 0; k < 8; ++k) REQUIRE(classes[k] == 5);
  std::set<std::int64_t> all(held.begin(), held.end());
  all.insert(kept.begin(), kept.end());
  REQUIRE(all.size() == 203);
  // The rule, written out: a sample is held out if fewer than five of its class have a smaller number.
  auto const number = [](std::int64_t id) {
    return c2f::random_stream{1, c2f::purpose::partition, 0, static_cast<std::uint64_t>(id)}.bits();
  };
  for (std::int64_t id = 0; id < 203; ++id) {
    int smaller = 0;
    for (std::int64_t other = id % 8; other < 203; other += 8) smaller += number(other) < number(id);
    REQUIRE(std::binary_search(held.begin(), held.end(), id) == (smaller < 5));
  }
  REQUIRE(of_whole(with_validation(data, .2, 1).validation) == held);
  REQUIRE(of_whole(with_validation(data, .2, 2).validation) != held);

  // Without labels, of all samples; and of a part of a split.
  struct unknown {
    counted train, test;
  };
  REQUIRE(with_validation(unknown{{10}, {1}}, .25, 1).validation.size() == 3);
  struct part {
    taken<pictures<8>> train;
    pictures<8> test;
  };
  REQUIRE(with_validation(part{take(data.train, 16), data.test}, .5, 1).validation.size() == 8);
  for (double const fraction : {0., 1., -.5, .01, .99, std::numeric_limits<double>::quiet_NaN()})
    require_message(refusal([&] { (void)with_validation(unknown{{10}, {1}}, fraction, 1); }), {"of the 10 samples of counted leaves none"});
}

namespace {

// Sample i has i % 5 objects, of at most `rows`.
template <std::int64_t Rows>
struct boxes_in_pictures {
  using image       = c2f::image<1, 1, 1>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 2> truth_dims{Rows, 6};
  [[nodiscard]] std::int64_t size() const { return 20; }
  [[nodiscard]] std::string name() const { return "boxes"; }
  static std::array<float, 5> object(std::int64_t id, std::int64_t i) {
    return {static_cast<float>(i % 3), static_cast<float>(id), static_cast<float>(i), .5f, .25f};
  }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, float* truth) const {
    *pixels = static_cast<float>(id);
    std::vector<std::array<float, 5>> found;
    for (std::int64_t i = 0; i < id % 5; ++i) found.push_back(object(id, i));
    write_objects(found, Rows, truth);
  }
};

}  // namespace

TEST_CASE("truths of 0 to the most objects travel as rows with a count") {
  for (int threads : {0, 3})
    for (batch const& b : loader{boxes_in_pictures<4>{}, {.batch = 7, .threads = threads}}.epoch(1)) {
      auto const n = static_cast<std::int64_t>(b.ids.size());
      REQUIRE(b.truth.sizes() == at::IntArrayRef({n, 4, 6}));
      at::Tensor const counts = count_objects(b.truth);
      REQUIRE(counts.scalar_type() == at::kLong);
      REQUIRE(counts.sizes() == at::IntArrayRef({n}));
      auto const* row = b.truth.const_data_ptr<float>();
      for (std::int64_t i = 0; i < n; ++i) {
        auto const id = b.ids[static_cast<std::size_t>(i)];
        REQUIRE(counts[i].item<std::int64_t>() == id % 5);
        for (std::int64_t j = 0; j < 4; ++j, row += 6) {
          std::vector<float> wanted(6, 0.0f);
          if (j < id % 5) std::ranges::copy(boxes_in_pictures<4>::object(id, j), wanted.begin()), wanted[5] = 1;
          REQUIRE(std::vector(row, row + 6) == wanted);
        }
      }
    }
  // A picture with more objects than rows is a faulty sample.
  loader const few{boxes_in_pictures<3>{}, {.batch = 20}};
  for (batch const& b : few.epoch(0))
    for (auto const id : b.ids) REQUIRE(id % 5 < 4);
  REQUIRE(few.replaced().ids == std::set<std::int64_t>{4, 9, 14, 19});
  require_message(few.replaced().reasons.at(9), {"an image has 4 objects, but its truth has rows for 3"});
  require_message(refusal([] {
                    for (auto const& b : loader{boxes_in_pictures<3>{}, {.batch = 20, .strict = true}}.epoch(0)) (void)b;
                  }),
                  {"has rows for 3"});
}
