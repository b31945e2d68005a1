// A loader's share of an epoch, where several processes read it together.
#include <c2f/core/packed.hpp>
#include <c2f/data/loader.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"

namespace {

using namespace c2f::data;

// A pixel is the sample's id plus its random number; every `every`-th sample is faulty.
struct samples_of {
  using image       = c2f::image<1, 1, 1>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  std::int64_t n = 0, every = 1'000'000;
  std::int64_t size() const { return n; }
  std::string name() const { return "samples"; }
  void read(std::int64_t id, c2f::random_stream* augment, float* pixels, std::int64_t* truth) const {
    if (id % every == every - 1) throw c2f::input_error("sample " + std::to_string(id) + " is broken");
    *pixels = static_cast<float>(id) + (augment != nullptr ? static_cast<float>(augment->uniform()) : 0.0f);
    *truth  = id;
  }
};

using pixels_by_id = std::multimap<std::int64_t, float>;

/// Adds what a batch has.
void add(pixels_by_id& to, batch const& b) {
  for (std::size_t i = 0; i < b.ids.size(); ++i) to.emplace(b.ids[i], b.images.const_data_ptr<float>()[i]);
}
std::vector<pixels_by_id> epoch_of(samples_of const& samples, std::int64_t batch, std::uint64_t epoch) {
  std::vector<pixels_by_id> all;
  for (auto const& b : loader(samples, {.batch = batch, .seed = 3}).epoch(epoch)) {
    REQUIRE(b.whole == 0);
    add(all.emplace_back(), b);
  }
  return all;
}

}  // namespace

TEST_CASE("in every step the samples of all processes are those of one process") {
  for (std::int64_t const every : {1'000'000, 7})
    for (std::int64_t const n : {48, 35, 39, 37})  // a last batch of 0, 3, 7 and 5
      for (int const of : {1, 2, 3, 4}) {
        samples_of const samples{n, every};
        auto const alone = epoch_of(samples, 8, 5);
        std::vector<pixels_by_id> together(alone.size());
        for (int rank = 0; rank < of; ++rank) {
          loader const own(samples, {.batch = 8, .seed = 3, .threads = 2, .share = {rank, of}});
          REQUIRE(own.batches() == std::ssize(alone));
          for (auto const& b : own.epoch(5)) {
            auto const i       = static_cast<std::size_t>(b.index);
            auto const m       = static_cast<std::int64_t>(alone[i].size());
            bool const divided = of > 1 && (m == 8 || m >= 2 * of);
            REQUIRE(b.whole == (divided ? m : 0));
            REQUIRE(b.images.size(0) == std::ssize(b.ids));
            if (divided) {
              REQUIRE((std::ssize(b.ids) == m / of || std::ssize(b.ids) == m / of + 1));
              add(together[i], b);
            } else {  // every process has the whole batch
              pixels_by_id whole;
              add(whole, b);
              REQUIRE((whole == alone[i]));
              if (rank == 0) together[i] = whole;
            }
          }
        }
        REQUIRE((together == alone));
      }
}

TEST_CASE("the shares of an epoch that is resumed are those of a whole one") {
  loader const own(samples_of{39}, {.batch = 8, .share = {1, 3}});
  std::vector<std::vector<std::int64_t>> whole, resumed;
  for (auto const& b : own.epoch(2)) whole.push_back(b.ids);
  for (auto const& b : own.epoch(2, 3)) resumed.push_back(b.ids);
  REQUIRE(whole.size() == 5);
  REQUIRE(resumed == std::vector(whole.begin() + 3, whole.end()));
}

TEST_CASE("in an evaluation processes have whole batches") {
  for (int const of : {1, 2, 3, 4, 7}) {
    std::map<std::int64_t, std::vector<std::int64_t>> all;
    for (int rank = 0; rank < of; ++rank)
      for (auto const& b : loader(samples_of{35}, {.batch = 8, .shuffle = false, .share = {rank, of}}).epoch(0)) {
        REQUIRE(b.index % of == rank);
        REQUIRE(all.emplace(b.index, b.ids).second);
      }
    REQUIRE(all.size() == 5);
    std::int64_t next = 0;
    for (auto const& [index, ids] : all)
      for (auto const id : ids) REQUIRE(id == next++);
    REQUIRE(next == 35);
  }
}

TEST_CASE("samples that cannot be read are counted once over all processes") {
  samples_of const samples{35, 7};  // five are faulty; the last batch of 3 is not divided
  loader const alone(samples, {.batch = 8});
  for (std::uint64_t epoch = 0; epoch < 4; ++epoch)
    for (auto const& b : alone.epoch(epoch)) (void)b;
  std::vector<loader<samples_of>> all;
  for (int rank = 0; rank < 3; ++rank) all.emplace_back(samples, loader_options{.batch = 8, .share = {rank, 3}});
  for (std::uint64_t epoch = 0; epoch < 4; ++epoch) {
    for (auto const& each : all)
      for (auto const& b : each.epoch(epoch)) (void)b;
    // As the processes of a training do.
    std::vector<replacements> fresh;
    for (auto const& each : all) fresh.push_back(each.take_fresh());
    for (std::size_t to = 0; to < all.size(); ++to)
      for (std::size_t from = 0; from < all.size(); ++from)
        if (from != to) all[to].count_others(fresh[from]);
  }
  REQUIRE(alone.replaced().total >= 20);
  for (auto const& each : all) {
    REQUIRE((each.replaced() == alone.replaced()));
    REQUIRE((each.take_fresh() == replacements{}));
  }
}

TEST_CASE("a batch of fewer samples than processes is refused") {
  REQUIRE_THROWS_WITH(loader(samples_of{35}, {.batch = 3, .share = {0, 4}}),
                      "a batch of 3 samples cannot be shared by 4 processes; choose a batch of 4 or more, or fewer processes");
  REQUIRE_NOTHROW(loader(samples_of{35}, {.batch = 3, .shuffle = false, .share = {0, 4}}));
}

TEST_CASE("what is packed is unpacked") {
  c2f::detail::packer to;
  std::map<std::int64_t, std::string> const reasons{{3, "broken"}, {-1, ""}};
  std::vector<std::pair<std::string, double>> const values{{"top1", 0.5}, {"", -0.0}};
  to(std::int64_t{-7}, true, std::string("a\0b", 3), reasons, values, std::set<std::int64_t>{4, 2});
  c2f::detail::unpacker from(to.bytes());
  REQUIRE(from.get<std::int64_t>() == -7);
  REQUIRE(from.get<bool>());
  REQUIRE(from.get<std::string>() == std::string("a\0b", 3));
  REQUIRE((from.get<std::map<std::int64_t, std::string>>() == reasons));
  REQUIRE((from.get<std::vector<std::pair<std::string, double>>>() == values));
  REQUIRE(from.get<std::set<std::int64_t>>() == std::set<std::int64_t>{2, 4});
  REQUIRE(from.empty());
  REQUIRE_THROWS_AS(from.get<bool>(), c2f::error);
  c2f::detail::unpacker cut(std::string_view(to.bytes()).substr(0, to.bytes().size() - 1));
  (void)cut.get<std::int64_t>(), (void)cut.get<bool>(), (void)cut.get<std::string>(), (void)cut.get<std::map<std::int64_t, std::string>>();
  REQUIRE_THROWS_AS(((void)cut.get<std::vector<std::pair<std::string, double>>>(), cut.get<std::set<std::int64_t>>()), c2f::error);
}
