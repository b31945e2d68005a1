// A training is the same only if its data is: what a checkpoint says of data with other classes, samples or compositions.
#include <c2f/c2f.hpp>
#include <c2f/data/augment.hpp>
#include <c2f/data/mixed.hpp>
#include <c2f/data/pictures.hpp>
#include <c2f/data/streams.hpp>
#include <c2f/data/synthetic/enlarged_maps.hpp>
#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/data/synthetic/scene_masks.hpp>
#include <c2f/data/synthetic/scenes.hpp>
#include <c2f/train/checkpoint.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using c2f::data::difference;
using c2f::data::identity_of;

/// Samples with named classes, and names of their own.
struct named : tiny::samples<tiny::class_vector::kind, 8> {
  std::vector<std::string> names{"cat", "dog", "bird"};
  std::string folder = "a/";
  [[nodiscard]] std::vector<std::string> const& classes() const { return names; }
  [[nodiscard]] std::string name_of(std::int64_t id) const { return "picture " + std::to_string(id + 7 * static_cast<std::int64_t>(seed)); }
};
template <class Train>
struct data_of {
  Train train;
  named test{{8, 2}};
};

template <class Train>
c2f::training_report train(std::filesystem::path const& folder, Train const& samples, std::int64_t batch = 5, std::int64_t stop = 0) {
  c2f::stack<tiny::class_vector> model(7);
  auto const recipe = c2f::recipe::settings{}.epochs(2).batch(batch).learning_rate(0.02).threads(0);
  return c2f::fit(model, data_of<Train>{samples}, recipe, c2f::checkpoints(folder), tiny::stops{.at = stop == 0 ? 1000 : stop});
}
named samples() { return {{35, 1}}; }

}  // namespace

TEST_CASE("a training on other classes, another order of them, or other samples is another training") {
  tests::scratch const s;
  REQUIRE(train(s.path, samples(), 5, 9).stopped);
  auto const refused = [&](auto change) {
    named other = samples();
    change(other);
    return tests::refusal([&] { train(s.path, other); });
  };
  tests::require_message(refused([](named& of) { of.names = {"bird", "cat", "dog"}; }),
                         {"is of another training: of the training data, class 0 is 'cat' there and 'bird' here; choose another folder"});
  tests::require_message(refused([](named& of) { of.names = {"cat", "dog", "Bird"}; }), {"class 2 is 'bird' there and 'Bird' here"});
  tests::require_message(refused([](named& of) { of.names.pop_back(); }), {"the number of classes is 3 there and 2 here"});
  tests::require_message(refused([](named& of) { of.seed = 2; }), {"there are as many samples, but other ones or in another order"});
  tests::require_message(refused([](named& of) { --of.count; }), {"the number of training samples is 35 there and 34 here"});
  named moved  = samples();
  moved.folder = "b/";
  REQUIRE(train(s.path, moved).start.done == 9);  // the same data elsewhere
}

TEST_CASE("a training on samples that are read otherwise is another training") {
  using namespace c2f::data;
  struct seen : named {
    augmentation how{};
    [[nodiscard]] reading_settings settings() const { return settings_of(how); }
  };
  seen const plain{samples()};
  seen turned{samples()};
  turned.how.rotate = 10;
  REQUIRE(difference(identity_of(plain), identity_of(plain)).empty());
  REQUIRE(difference(identity_of(plain), identity_of(turned)) == "the augmentation's rotate is 0 there and 10 here");
  REQUIRE(difference(identity_of(take(plain, 9)), identity_of(take(turned, 9))) == "the augmentation's rotate is 0 there and 10 here");
  REQUIRE(difference(identity_of(mixed<3>(turned, {.mixup = .2})), identity_of(mixed<3>(turned, {.mixup = .4}))) ==
          "the mixup is 0.2 there and 0.4 here");
  REQUIRE(difference(identity_of(turned), identity_of(mixed<3>(turned, {.cutmix = 1}))) == "the mixup is not given there and 0 here");
  REQUIRE(identity_of(turned).samples == identity_of(plain).samples);  // which samples they are
  auto before     = identity_of(plain);
  before.settings = {};  // of a version that did not store it
  REQUIRE(difference(before, identity_of(turned)).empty());

  tests::scratch const s;
  REQUIRE(train(s.path, plain, 5, 9).stopped);
  tests::require_message(tests::refusal([&] { train(s.path, turned); }),
                         {"of the training data, the augmentation's rotate is 0 there and 10 here; choose another folder"});
  REQUIRE(train(s.path, plain).start.done == 9);
}

TEST_CASE("so is one that is scored on other data") {
  tests::scratch const s;
  REQUIRE(train(s.path, samples(), 5, 9).stopped);
  c2f::stack<tiny::class_vector> model(7);
  auto const recipe = c2f::recipe::settings{}.epochs(2).batch(5).learning_rate(0.02).threads(0);
  data_of<named> data{samples()};
  data.test.count = 7;
  tests::require_message(tests::refusal([&] { c2f::fit(model, data, recipe, c2f::checkpoints(s.path)); }),
                         {"of the data that are scored, the number of samples is 8 there and 7 here"});
  data.test = {{8, 3}};
  tests::require_message(tests::refusal([&] { c2f::fit(model, data, recipe, c2f::checkpoints(s.path)); }),
                         {"of the data that are scored, there are as many samples, but other ones"});
}

TEST_CASE("drawn data have the identity of what they are drawn from") {
  using namespace c2f::data;
  auto const other          = [](auto const& a, auto const& b) { return difference(identity_of(a), identity_of(b)); };
  std::string const samples = "there are as many samples, but other ones or in another order";
  REQUIRE(other(glyphs<8>({.train = 8}).train, glyphs<8>({.train = 8}).train).empty());
  REQUIRE(other(glyphs<8>({.train = 8}).train, glyphs<8>({.train = 8, .seed = 2}).train) == samples);
  REQUIRE(other(glyphs<8>({.train = 8, .test = 8}).train, glyphs<8>({.train = 8, .test = 8}).test) == samples);
  auto const seen = glyphs<8>({.train = 8, .seed = 2}).train.seen_with({0, 0, 0}, {1, 1, 1}, 2);
  REQUIRE(other(seen, glyphs<8>({.train = 8, .seed = 2}).train).empty());
  // Pictures of files: their labels, as before.
  std::vector<std::uint8_t> bytes(2 * 3073);
  bytes[3073] = 1;
  pictures<8> const files("files", bytes, {3073, 0, 1, {}, {1, 1, 1}, 0, false}, {});
  REQUIRE(identity_of(files).samples ==
          c2f::data::detail::hash_after(c2f::data::detail::hash_after(c2f::data::detail::empty_hash, std::uint64_t{0}), std::uint64_t{1}));

  auto const drawn = [](std::uint64_t seed, int occlusion = 0) {
    return scenes<32>({.train = 4, .test = 4, .seed = seed, .occlusion = occlusion});
  };
  auto const first = drawn(1), same = drawn(1), second = drawn(2), occluded = drawn(1, 2);
  REQUIRE(other(first.train, same.train).empty());
  REQUIRE(other(first.train, second.train) == samples);
  REQUIRE(other(first.test, occluded.test) == samples);
  REQUIRE(other(first.train, occluded.train).empty());  // only test pictures are occluded
  REQUIRE(other(scene_masks(first.train), scene_masks(same.train)).empty());
  REQUIRE(other(scene_masks(first.train), scene_masks(second.train)) == samples);
  REQUIRE(other(parts_at_scale(first.train), parts_at_scale(same.train)).empty());
  REQUIRE(other(parts_at_scale(first.train), parts_at_scale(second.train)) == samples);
  REQUIRE(other(parts_at_scale(first.train), parts_at_scale(first.train, {.object = 40})) == samples);
  enlarged_maps<8, 2> const maps(40, 1), again(40, 1), others(40, 2), tenth(400, 1);
  REQUIRE(other(maps.train, again.train).empty());
  REQUIRE(other(maps.train, others.train) == samples);
  REQUIRE(other(maps.train, tenth.test) == samples);
  // Nor does any seed test on what another one trains on.
  std::vector<float> map(64), large(256), test_map(64);
  for (std::uint64_t seed : {0u, 1u, 2u, 3u}) {
    enlarged_maps<8, 2>(10, seed).train.read(0, nullptr, map.data(), large.data());
    maps.test.read(0, nullptr, test_map.data(), large.data());
    REQUIRE(map != test_map);
  }
}

TEST_CASE("subsets and streams have identities of their own") {
  using namespace c2f::data;
  named const whole = samples();
  auto const same   = [](auto const& a, auto const& b) { return difference(identity_of(a), identity_of(b)).empty(); };
  REQUIRE(same(whole, samples()));
  REQUIRE(same(take(whole, 20), take(samples(), 20)));
  REQUIRE(!same(take(whole, 20), take(whole, 21)));
  REQUIRE(same(subset(whole, {1, 2, 3}), subset(whole, {1, 2, 3})));
  REQUIRE(!same(subset(whole, {1, 2, 3}), subset(whole, {1, 3, 2})));
  REQUIRE(!same(subset(whole, {1, 2, 3}), subset(whole, {1, 2, 4})));
  REQUIRE(!same(whole, unlabelled(whole)));
  auto const composed = [&](std::int64_t first, std::int64_t second) {
    return streams{stream{take(whole, 10), first}, stream{unlabelled(whole), second}};
  };
  REQUIRE(same(composed(2, 3), composed(2, 3)));
  REQUIRE(!same(composed(2, 3), composed(3, 2)));
  REQUIRE(!same(composed(2, 3), composed(2, 3).batches_an_epoch(4)));

  tests::scratch const s;
  REQUIRE(train(s.path, composed(2, 3), 5, 9).stopped);
  tests::require_message(tests::refusal([&] { train(s.path, composed(3, 2)); }), {"of the training data, there are as many samples, but"});
  REQUIRE(train(s.path, composed(2, 3)).start.done == 9);
}

TEST_CASE("class names are bytes: control characters and Latin-1 are escaped, and the training resumes") {
  tests::scratch const s;
  named odd = samples();
  odd.names = {
      "stra\xdf"
      "e",
      "b\u00e4r", "a\nb"};
  auto const classes = identity_of(odd).classes;
  REQUIRE(classes == std::vector<std::string>{"stra\\xdfe", "b\u00e4r", "a\\x0ab"});
  REQUIRE(train(s.path, odd, 5, 9).stopped);
  REQUIRE(train(s.path, odd).start.done == 9);
  odd.names[0] = "strasse";
  tests::require_message(tests::refusal([&] { train(s.path, odd); }), {"class 0 is 'stra\\xdfe' there and 'strasse' here"});
}

TEST_CASE("a checkpoint of a version that did not know the data resumes") {
  tests::scratch const s;
  REQUIRE(train(s.path, samples(), 5, 9).stopped);
  auto const folder = s.path / "epoch-00001-step-0000002";
  std::ifstream in(folder / "state.json");
  auto state = nlohmann::json::parse(in);
  REQUIRE(state.erase("train_data") == 1);
  REQUIRE(state.erase("scored_data") == 1);
  std::ofstream(folder / "state.json") << state.dump();
  std::ofstream sums(folder / "SHA256SUMS");
  for (char const* file : {"model.safetensors", "state.json", "training.safetensors"})
    sums << c2f::data::sha256_of_file(folder / file) << "  " << file << '\n';
  sums.close();
  REQUIRE(train(s.path, samples()).start.done == 9);
}
