// CIFAR-FS and FC100, from files written by this test and from the real ones.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <c2f/data/datasets/cifar_few_shot.hpp>
#include <c2f/data/episodes.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using tests::refusal;
using tests::require_message;

static_assert(few_shot_split<decltype(cifar_fs::base)> && decltype(fc100::base)::class_count() == 60);

// The 100 class names in CIFAR-100's order, which is alphabetical.
std::vector<std::string> const names{
    "apple",       "aquarium_fish", "baby",         "bear",       "beaver",       "bed",        "bee",         "beetle",   "bicycle",
    "bottle",      "bowl",          "boy",          "bridge",     "bus",          "butterfly",  "camel",       "can",      "castle",
    "caterpillar", "cattle",        "chair",        "chimpanzee", "clock",        "cloud",      "cockroach",   "couch",    "crab",
    "crocodile",   "cup",           "dinosaur",     "dolphin",    "elephant",     "flatfish",   "forest",      "fox",      "girl",
    "hamster",     "house",         "kangaroo",     "keyboard",   "lamp",         "lawn_mower", "leopard",     "lion",     "lizard",
    "lobster",     "man",           "maple_tree",   "motorcycle", "mountain",     "mouse",      "mushroom",    "oak_tree", "orange",
    "orchid",      "otter",         "palm_tree",    "pear",       "pickup_truck", "pine_tree",  "plain",       "plate",    "poppy",
    "porcupine",   "possum",        "rabbit",       "raccoon",    "ray",          "road",       "rocket",      "rose",     "sea",
    "seal",        "shark",         "shrew",        "skunk",      "skyscraper",   "snail",      "snake",       "spider",   "squirrel",
    "streetcar",   "sunflower",     "sweet_pepper", "table",      "tank",         "telephone",  "television",  "tiger",    "tractor",
    "train",       "trout",         "tulip",        "turtle",     "wardrobe",     "whale",      "willow_tree", "wolf",     "woman",
    "worm"};

// Two records of each class in train.bin and one in test.bin; the first red byte is the class, the second the number of the record.
struct folder : tests::scratch {
  folder() {
    std::ofstream train(path / "train.bin", std::ios::binary), test(path / "test.bin", std::ios::binary),
        list(path / "fine_label_names.txt");
    for (int k = 0; k < 100; ++k) {
      list << names[static_cast<std::size_t>(k)] << '\n';
      for (int i = 0; i < 3; ++i) {
        std::string record(3074, '\0');
        record[1] = record[2] = static_cast<char>(k);
        record[3]             = static_cast<char>(i);
        (i < 2 ? train : test) << record;
      }
    }
  }
};

template <class Data>
void check_division(Data const& data, std::int64_t each) {
  std::set<std::string> all;
  auto const check = [&](auto const& split, std::size_t classes) {
    REQUIRE(split.classes().size() == classes);
    REQUIRE(split.class_count() == static_cast<std::int64_t>(classes));
    REQUIRE(split.size() == each * split.class_count());
    REQUIRE(std::is_sorted(split.classes().begin(), split.classes().end()));
    all.insert(split.classes().begin(), split.classes().end());
    std::vector<std::int64_t> counts(classes);
    for (auto const label : labels(split)) ++counts.at(static_cast<std::size_t>(label));
    for (auto const count : counts) REQUIRE(count == each);
  };
  check(data.base, data.base.class_count());
  check(data.validation, data.validation.class_count());
  check(data.novel, data.novel.class_count());
  REQUIRE(all == std::set<std::string>(names.begin(), names.end()));
}

}  // namespace

TEST_CASE("the splits of CIFAR-100 contain each class once") {
  REQUIRE(names.size() == 100);
  folder const dir;
  cifar_fs const fs_data(dir.path, counts::any);
  check_division(fs_data, 3);
  check_division(fc100(dir.path, counts::any), 3);
  REQUIRE(fs_data.base.name() == "CIFAR-FS base");
  // The samples of novel class k are the pictures of the class of that name, train.bin before test.bin.
  std::map<std::string, std::vector<int>> seen;
  for (std::int64_t id = 0; id < fs_data.novel.size(); ++id) {
    auto const picture = fs_data.novel.picture(id);
    auto const& name   = fs_data.novel.classes()[static_cast<std::size_t>(fs_data.novel.label(id))];
    REQUIRE(names[picture[0]] == name);
    seen[name].push_back(picture[3]);
  }
  for (auto const& [name, which] : seen) REQUIRE(which == std::vector<int>{0, 1, 2});
  REQUIRE(fs_data.novel.classes().front() == "baby");
  REQUIRE(fs_data.validation.classes().back() == "tractor");

  fs::remove(dir.path / "fine_label_names.txt");
  require_message(refusal([&] { cifar_fs(dir.path, counts::any); }), {"fine_label_names.txt", "lists the names of the classes"});
  std::ofstream list(dir.path / "fine_label_names.txt");
  for (auto const& name : names) list << (name == "worm" ? "snake 2" : name) << '\n';
  list.close();
  require_message(refusal([&] { cifar_fs(dir.path, counts::any); }), {"fine_label_names.txt", "100 names"});
  require_message(refusal([&] { cifar_fs(dir.path / "nowhere"); }), {"no folder"});
}

TEST_CASE("80 + 20 has the novel classes of CIFAR-FS and all others, and holds out the pictures of test.bin") {
  folder const dir;
  cifar_80_20 const data(dir.path, counts::any);
  REQUIRE((data.base.classes().size() == 80 && data.base.size() == 240 && data.novel.size() == 60));
  REQUIRE(data.novel.classes() == cifar_fs(dir.path, counts::any).novel.classes());
  REQUIRE(refusal([&] { check_disjoint(data.base, data.novel); }).empty());
  auto const held = hold_out(data.base, 1);
  for (std::int64_t id = 0; id < held.test.size(); ++id) {
    auto const in_whole = [&] {
      std::vector<float> one(3072), other(3072);
      std::int64_t truth = 0;
      held.test.read(id, nullptr, one.data(), &truth);
      for (std::int64_t each = 0; each < data.base.size(); ++each) {
        data.base.read(each, nullptr, other.data(), &truth);
        if (one == other) return each;
      }
      return std::int64_t{-1};
    }();
    REQUIRE(data.base.picture(in_whole)[3] == 2);  // the record of test.bin
  }
}

TEST_CASE("splits that share a class are refused") {
  folder const dir;
  cifar_fs const a(dir.path, counts::any);
  fc100 const b(dir.path, counts::any);
  REQUIRE(refusal([&] { check_disjoint(a.base, a.novel); }).empty());
  require_message(refusal([&] { check_disjoint(a.base, b.base); }), {"the class 'apple' is in both CIFAR-FS base and FC100 base"});
}

TEST_CASE("CIFAR-FS and FC100 of the real CIFAR-100") {
  auto const dir = tests::data("cifar-100-binary");
  if (!dir) {
    C2F_SKIP("no cifar-100-binary here; set C2F_DATA");
  }
  {
    cifar_fs const data(*dir);
    check_division(data, 600);
    episode const e = episodes(data.novel, {.way = 5, .shot = 20, .queries = 15}).at(0);
    REQUIRE(read_samples(data.novel, e.support).size(0) == 100);
  }
  // The records give the coarse class of each fine class: the three splits of FC100 have 12, 4 and 4 of the 20 coarse classes.
  std::ifstream in(*dir / "test.bin", std::ios::binary);
  std::vector<char> const bytes{std::istreambuf_iterator<char>(in), {}};
  std::map<std::string, int> coarse_of;
  for (std::size_t at = 0; at < bytes.size(); at += 3074) coarse_of[names.at(static_cast<std::size_t>(bytes[at + 1]))] = bytes[at];
  REQUIRE(coarse_of.size() == 100);
  fc100 const data(*dir);
  check_division(data, 600);
  auto const coarse = [&](auto const& split) {
    std::set<int> found;
    for (auto const& name : split.classes()) found.insert(coarse_of.at(name));
    return found;
  };
  REQUIRE(coarse(data.base) == std::set<int>{1, 2, 3, 4, 5, 6, 9, 10, 15, 17, 18, 19});
  REQUIRE(coarse(data.validation) == std::set<int>{8, 11, 13, 16});
  REQUIRE(coarse(data.novel) == std::set<int>{0, 7, 12, 14});
}
