// The loader: the same bytes for any number of threads, each sample once per epoch, and threads that always terminate.
#include <pthread.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>

#include <c2f/data/loader.hpp>

#include "catch.hpp"

namespace {

using namespace c2f::data;

// A pixel encodes its sample and its position, or is a random number; a truth has two numbers.
struct numbers {
  using image       = c2f::image<2, 3, 5>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 1> truth_dims{2};
  std::int64_t n = 0;
  std::int64_t size() const { return n; }
  std::string name() const { return "numbers"; }
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, std::int64_t* truth) const {
    for (int i = 0; i < 30; ++i) pixels[i] = augment ? static_cast<float>(augment->uniform()) : static_cast<float>(100 * id + i);
    truth[0] = id;
    truth[1] = -id;
  }
};

// Reads slowly, counts its reads, and fails at one sample.
struct difficult {
  using image       = c2f::image<1, 1, 1>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  std::int64_t n, fails_at = -1;
  int milliseconds                        = 0;
  std::shared_ptr<std::atomic<int>> reads = std::make_shared<std::atomic<int>>(0);
  std::int64_t size() const { return n; }
  std::string name() const { return "difficult"; }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, float* truth) const {
    ++*reads;
    if (milliseconds) std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    if (id == fails_at) throw c2f::input_error("sample " + std::to_string(id) + " is broken");
    *pixels = *truth = static_cast<float>(id);
  }
};

// Every sample whose id is a multiple of `every` is faulty, from `from` on; one throws another type.
struct faulty : numbers {
  std::int64_t every = 5, from = 0, other = -1;
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, std::int64_t* truth) const {
    if (id == other) throw std::bad_alloc();
    pixels[0] = -1;  // a read that fails may have begun to write
    if (id % every == 0 && id >= from) throw c2f::input_error("sample " + std::to_string(id) + " is broken");
    numbers::read(id, augment, pixels, truth);
  }
};
static_assert(split<numbers> && split<difficult> && split<faulty>);

// All data of an epoch, in memory order.
struct delivered {
  std::vector<float> pixels;
  std::vector<std::int64_t> truth, ids, indices;
  friend bool operator==(delivered const&, delivered const&) = default;
};

template <class S>
delivered all_of(loader<S> const& l, std::uint64_t epoch) {
  delivered all;
  for (batch const& b : l.epoch(epoch)) {
    float const* p = b.images.template const_data_ptr<float>();
    all.pixels.insert(all.pixels.end(), p, p + b.images.numel());
    auto const* t = b.truth.template const_data_ptr<std::int64_t>();
    all.truth.insert(all.truth.end(), t, t + b.truth.numel());
    all.ids.insert(all.ids.end(), b.ids.begin(), b.ids.end());
    all.indices.push_back(b.index);
  }
  return all;
}

std::vector<std::int64_t> sorted(std::vector<std::int64_t> values) {
  std::sort(values.begin(), values.end());
  return values;
}

std::vector<std::int64_t> counting(std::int64_t n) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), std::int64_t{0});
  return values;
}

}  // namespace

TEST_CASE("a batch has the shape, strides and contents of its samples") {
  loader const l{numbers{7}, {.batch = 4, .threads = 0, .shuffle = false, .augment = false}};
  REQUIRE(l.batches() == 2);
  std::int64_t index = 0;
  for (batch const& b : l.epoch(6)) {
    std::int64_t const n = index == 0 ? 4 : 3;  // the last one is smaller
    REQUIRE(b.images.sizes() == at::IntArrayRef({n, 2, 3, 5}));
    REQUIRE(b.images.strides() == at::IntArrayRef({30, 1, 10, 2}));
    REQUIRE(b.images.is_contiguous(at::MemoryFormat::ChannelsLast));
    REQUIRE(b.images.scalar_type() == at::kFloat);
    REQUIRE(b.truth.sizes() == at::IntArrayRef({n, 2}));
    REQUIRE(b.truth.scalar_type() == at::kLong);
    REQUIRE(b.epoch == 6);
    REQUIRE(b.index == index);
    auto const* truth  = b.truth.const_data_ptr<std::int64_t>();
    auto const* pixels = b.images.const_data_ptr<float>();
    for (std::int64_t i = 0; i < n; ++i) {
      REQUIRE(b.ids[static_cast<std::size_t>(i)] == 4 * index + i);
      REQUIRE(truth[2 * i] == 4 * index + i);
      REQUIRE(truth[2 * i + 1] == -(4 * index + i));
      REQUIRE(pixels[30 * i + 29] == static_cast<float>(100 * (4 * index + i) + 29));
    }
    ++index;
  }
  REQUIRE(index == 2);
}

TEST_CASE("a truth has the type of the split; without dimensions, a batch of truths is a vector") {
  for (batch const& b : loader{difficult{3}, {.batch = 3, .shuffle = false}}.epoch(0)) {  // the loader is destroyed before its epoch
    REQUIRE(b.truth.scalar_type() == at::kFloat);
    REQUIRE(b.truth.sizes() == at::IntArrayRef({3}));
    REQUIRE(b.truth.const_data_ptr<float>()[2] == 2);
  }
}

TEST_CASE("batches are the same bytes for any number of threads and of prefetched batches") {
  auto const wanted = all_of(loader{numbers{103}, {.batch = 8, .seed = 3, .threads = 0}}, 2);
  REQUIRE(wanted.indices == counting(13));
  for (int threads : {0, 1, 2, 4})
    for (int prefetch : {1, 3, 100})
      REQUIRE(all_of(loader{numbers{103}, {.batch = 8, .seed = 3, .threads = threads, .prefetch = prefetch}}, 2) == wanted);
}

TEST_CASE("the draws of a sample depend on seed, epoch and id, not on the batch it is in") {
  auto const small = all_of(loader{numbers{20}, {.batch = 3}}, 1), large = all_of(loader{numbers{20}, {.batch = 20, .shuffle = false}}, 1);
  for (std::size_t i = 0; i < 20; ++i) {
    auto const id = static_cast<std::size_t>(small.ids[i]);
    REQUIRE(std::equal(&small.pixels[30 * i], &small.pixels[30 * i] + 30, &large.pixels[30 * id]));
  }
  c2f::random_stream draw{1, c2f::purpose::augment, 1, 13};
  REQUIRE(large.pixels[30 * 13] == static_cast<float>(draw.uniform()));
}

TEST_CASE("every sample occurs once per epoch, in an order that depends on the epoch") {
  loader const l{numbers{1000}, {.batch = 64, .threads = 2}};
  auto const first = all_of(l, 0), second = all_of(l, 1), other = all_of(loader{numbers{1000}, {.batch = 64, .seed = 2}}, 0);
  for (auto const* d : {&first, &second, &other}) {
    REQUIRE(sorted(d->ids) == counting(1000));
    REQUIRE(d->ids != counting(1000));
  }
  REQUIRE(first.ids != second.ids);
  REQUIRE(first.ids != other.ids);
  REQUIRE(first.pixels != second.pixels);
  REQUIRE(all_of(l, 0) == first);

  // The shuffle as Knuth's Algorithm P.
  auto order = counting(1000);
  c2f::random_stream draw{1, c2f::purpose::order, 0, 0};
  for (std::uint32_t i = 999; i >= 1; --i) std::swap(order[i], order[draw.below(i + 1)]);
  REQUIRE(first.ids == order);
}

TEST_CASE("the number of batches, limiting cases") {
  REQUIRE(loader{numbers{12}, {.batch = 4}}.batches() == 3);
  REQUIRE(loader{numbers{1}, {.batch = 4}}.batches() == 1);
  REQUIRE(loader{numbers{5}, {.batch = std::numeric_limits<std::int64_t>::max()}}.batches() == 1);
  REQUIRE(all_of(loader{numbers{5}, {.batch = std::numeric_limits<std::int64_t>::max(), .threads = 3}}, 0).ids.size() == 5);
  REQUIRE(loader{numbers{0}, {}}.batches() == 0);
  for (int threads : {0, 2}) REQUIRE(all_of(loader{numbers{0}, {.threads = threads}}, 0).ids.empty());
}

TEST_CASE("leaving the loop early stops the threads soon") {
  for (int threads : {0, 1, 4}) {
    difficult const slow{100000, -1, 1};
    auto const begin = std::chrono::steady_clock::now();
    for (batch const& b : loader{slow, {.batch = 20, .threads = threads, .prefetch = 8}}.epoch(0)) {
      REQUIRE(b.index == 0);
      break;
    }
    REQUIRE(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
    int const reads = *slow.reads;
    REQUIRE(reads < 1000);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    REQUIRE(*slow.reads == reads);  // no thread is still reading

    auto const throws = [&] {
      for (batch const& b : loader{slow, {.batch = 2, .threads = threads}}.epoch(0))
        if (b.index == 2) throw std::logic_error("the caller's own");
    };
    REQUIRE_THROWS_AS(throws(), std::logic_error);
    auto unread = loader{slow, {.threads = threads}}.epoch(0);  // never iterated
  }
}

TEST_CASE("an exception of read is rethrown once, after the batches before it") {
  for (int threads : {0, 1, 4})
    for (int prefetch : {1, 4}) {
      loader const l{difficult{100, 57}, {.batch = 10, .threads = threads, .prefetch = prefetch, .shuffle = false, .strict = true}};
      std::int64_t seen = 0;
      std::string message;
      auto epoch = l.epoch(0);
      try {
        for (batch const& b : epoch) REQUIRE(b.index == seen++);
      } catch (c2f::input_error const& error) {
        message = error.what();
      }
      REQUIRE(seen == 5);
      REQUIRE(message == "sample 57 is broken");
      REQUIRE(epoch.begin() == epoch.end());
    }
}

TEST_CASE("a faulty sample is replaced by one that seed, epoch and id choose") {
  faulty const samples{{103}};  // 21 of them: 0, 5, ... 100
  std::vector<delivered> found;
  std::vector<replacements> seen;
  for (int threads : {0, 1, 4}) {
    loader const l{samples, {.batch = 8, .seed = 3, .threads = threads}};
    REQUIRE(l.replaced().ids.empty());
    found.push_back(all_of(l, 2));
    seen.push_back(l.replaced());
    all_of(l, 3);
    REQUIRE(l.replaced().total == 42);
    REQUIRE(l.replaced().ids.size() == 21);
  }
  REQUIRE(found[0] == found[1]);
  REQUIRE(found[0] == found[2]);
  auto const whole = all_of(loader{numbers{103}, {.batch = 8, .seed = 3}}, 2);
  for (std::size_t i = 0; i < 103; ++i) {
    auto const wanted = whole.ids[i], got = found[0].ids[i];
    auto expected = wanted;  // the rule, written out
    c2f::random_stream draw{3, c2f::purpose::replace, 2, static_cast<std::uint64_t>(wanted)};
    while (expected % 5 == 0) expected = draw.below(103);
    REQUIRE(got == expected);
    REQUIRE(found[0].truth[2 * i] == got);
    c2f::random_stream augment{3, c2f::purpose::augment, 2, static_cast<std::uint64_t>(got)};  // the replacement's own numbers
    for (std::size_t k = 0; k < 30; ++k) REQUIRE(found[0].pixels[30 * i + k] == static_cast<float>(augment.uniform()));
  }
  for (auto const& s : seen) {
    REQUIRE(s.ids.size() == 21);
    REQUIRE(s.total == 21);
    REQUIRE(s.reasons.size() == 21);
    REQUIRE(s.reasons.at(35) == "sample 35 is broken");
    REQUIRE(s.reasons.begin()->first == 0);
  }
}

TEST_CASE("an epoch may begin at any batch, and earlier batches are not read") {
  faulty const samples{{103}};
  std::vector<batch> whole;
  loader const all{samples, {.batch = 8, .seed = 3, .threads = 0}};
  std::vector<replacements> seen;
  for (batch const& b : all.epoch(2)) {
    whole.push_back(b);
    seen.push_back(all.replaced());
  }
  REQUIRE(whole.size() == 13);
  for (int threads : {0, 1, 4})
    for (std::int64_t first = 0; first <= 13; ++first) {
      loader l{samples, {.batch = 8, .seed = 3, .threads = threads}};
      if (first > 0) l.count_from(seen[static_cast<std::size_t>(first - 1)]);
      auto const begun = static_cast<std::size_t>(first);
      auto epoch       = l.epoch(2, first);
      std::size_t at   = begun;
      while (batch const* b = epoch.next()) {
        REQUIRE(b->ids == whole[at].ids);
        REQUIRE(b->index == static_cast<std::int64_t>(at));
        REQUIRE(b->images.equal(whole[at].images));
        REQUIRE(b->truth.equal(whole[at].truth));
        REQUIRE(l.replaced() == seen[at]);  // batches that wait in the ring are not counted yet
        ++at;
      }
      REQUIRE(at == 13);
      REQUIRE(epoch.next() == nullptr);
      REQUIRE(l.replaced() == seen.back());
    }
}

TEST_CASE("an error is thrown when there is no replacement") {
  for (int threads : {0, 1, 4}) {
    auto const message = [&](faulty const& samples, bool strict) -> std::string {
      try {
        all_of(loader{samples, {.batch = 4, .threads = threads, .shuffle = false, .strict = strict}}, 0);
      } catch (c2f::input_error const& error) {
        return error.what();
      } catch (c2f::error const& error) {
        return error.what();
      }
      return "";
    };
    faulty all{{20}}, few{{20}}, other{{20}};
    all.every   = 1;
    few.from    = 15;
    other.other = 7;
    REQUIRE(message(all, false) == "sample 0 is broken");  // the first error, not the sixteenth
    REQUIRE(message(few, true) == "sample 15 is broken");
    REQUIRE(message(few, false).empty());
    REQUIRE(message(other, false) == "sample 7 of numbers cannot be read: there is not enough memory; make batches or images smaller");
  }
}

TEST_CASE("1,000 reasons are kept, and all faults are counted") {
  faulty many{{5000}};
  many.every = 2;
  for (int threads : {0, 4}) {
    loader const l{many, {.batch = 100, .threads = threads}};
    all_of(l, 0);
    auto const seen = l.replaced();
    REQUIRE(seen.ids.size() == 2500);
    REQUIRE(seen.total == 2500);
    REQUIRE(seen.reasons.size() == 1000);
    REQUIRE(seen.reasons.rbegin()->first == 1998);  // those of the smallest ids
  }
}

TEST_CASE("a batch stays valid after the loop moves on") {
  std::vector<batch> kept;
  for (batch const& b : loader{numbers{9}, {.batch = 3, .shuffle = false, .augment = false}}.epoch(0)) kept.push_back(b);
  REQUIRE(kept.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(kept[i].images.const_data_ptr<float>()[0] == static_cast<float>(300 * i));
}

// Room for the stack of one thread and not of two.
TEST_CASE("a thread that the system does not start ends the epoch, and those before it") {
  constexpr std::size_t stack = std::size_t{1} << 32;
  std::uint64_t pages         = 0;
  REQUIRE(std::ifstream("/proc/self/statm") >> pages);
  ::pthread_attr_t was{}, large{};
  ::rlimit limit{};
  REQUIRE((::pthread_getattr_default_np(&was) == 0 && ::pthread_attr_init(&large) == 0 && ::getrlimit(RLIMIT_AS, &limit) == 0));
  ::rlimit less = limit;
  less.rlim_cur = pages * 4096 + stack + stack / 2;
  REQUIRE((::pthread_attr_setstacksize(&large, stack) == 0 && ::pthread_setattr_default_np(&large) == 0));
  REQUIRE(::setrlimit(RLIMIT_AS, &less) == 0);
  loader const many{numbers{64}, {.batch = 2, .threads = 8, .prefetch = 8}};
  std::string message;
  try {
    for (batch const& b : many.epoch(0)) (void)b;
  } catch (c2f::error const& error) {
    message = error.what();
  }
  REQUIRE((::setrlimit(RLIMIT_AS, &limit) == 0 && ::pthread_setattr_default_np(&was) == 0));
  CAPTURE(message);
  REQUIRE(message.starts_with("the loader cannot start 8 threads: "));
  REQUIRE(message.ends_with("; choose fewer"));
  REQUIRE(all_of(many, 0).ids.size() == 64);
}

TEST_CASE("an invalid option is refused by name") {
  auto const refused = [](loader_options const& options, std::string const& word) {
    try {
      loader{numbers{4}, options};
    } catch (c2f::input_error const& error) {
      return std::string(error.what()).find(word) != std::string::npos;
    }
    return false;
  };
  REQUIRE(refused({.batch = 0}, "batch is 0"));
  REQUIRE(refused({.batch = -3}, "batch is -3"));
  REQUIRE(refused({.threads = -1}, "threads is -1"));
  REQUIRE(refused({.prefetch = 0}, "prefetch is 0"));
  loader_options many;
  many.threads = many.prefetch = 1000000;  // valid: no more threads are started than there are batches
  REQUIRE(all_of(loader{numbers{4}, many}, 0).ids.size() == 4);
  REQUIRE_THROWS_AS((loader{difficult{std::int64_t{1} << 33}}), c2f::input_error);
}
