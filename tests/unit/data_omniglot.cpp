// Omniglot's zips, the real ones and some written by this test.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <spng.h>
#include <zip.h>

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>

#include <c2f/data/episodes.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/datasets/omniglot.hpp>

#include "catch.hpp"
#include "png_file.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using tests::refusal;
using tests::require_message;
using bytes = std::vector<std::uint8_t>;

static_assert(few_shot_split<omniglot_split<28>>);

// A drawing whose ink is the pixels that `inked` names, as a grey PNG of one bit a pixel, which is what Omniglot has.
template <class Inked>
bytes drawing(Inked const& inked, std::uint32_t side = 105) {
  std::uint32_t const row = (side + 7) / 8;
  bytes packed(row * side, 0);
  for (std::uint32_t y = 0; y < side; ++y)
    for (std::uint32_t x = 0; x < side; ++x)
      if (!inked(y, x)) packed[y * row + x / 8] |= static_cast<std::uint8_t>(0x80u >> (x % 8));
  return tests::png_of(packed, side, side, SPNG_COLOR_TYPE_GRAYSCALE, 1);
}

struct folder : tests::scratch {
  fs::path pack(std::string const& name, std::map<std::string, bytes> const& entries) const {
    zip_t* const archive = zip_open((path / name).c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
    REQUIRE(archive != nullptr);
    for (auto const& [entry, content] : entries)
      REQUIRE(zip_file_add(archive, entry.c_str(), zip_source_buffer(archive, content.data(), content.size(), 0), 0) >= 0);
    REQUIRE(zip_close(archive) == 0);
    return path / name;
  }
};

// 21 x 21 blocks of 5 x 5 pixels: a picture of Side 21 has one pixel a block.
bytes blocks(std::set<std::pair<unsigned, unsigned>> const& inked) {
  return drawing([&](std::uint32_t y, std::uint32_t x) { return inked.contains({y / 5, x / 5}); });
}

template <std::int64_t Side>
std::vector<float> pixels_of(omniglot_split<Side> const& split, std::int64_t id, c2f::random_stream* augment = nullptr) {
  std::vector<float> pixels(Side * Side, -1);
  std::int64_t truth = -1;
  split.read(id, augment, pixels.data(), &truth);
  REQUIRE(truth == split.label(id));
  return pixels;
}

}  // namespace

TEST_CASE("omniglot rotates, shifts and averages drawings") {
  folder const dir;
  // The ink of A is the second pixel of the first row: at (0, 1), and at (19, 0), (20, 19), (1, 20) after quarter turns to the left.
  auto const zip_of = dir.pack("a.zip", {{"top/Greek/character01/0001_01.png", blocks({{0, 1}})},
                                         {"top/Greek/character01/0001_02.png", blocks({{5, 5}, {5, 6}})},
                                         {"top/Greek/character02/0002_01.png", blocks({})},
                                         {"__MACOSX/top/Greek/character01/._0001_01.png", {1}},
                                         {"top/readme.txt", {1, 2}}});
  omniglot_split<21> const split("small", {zip_of}, true);
  REQUIRE(split.size() == 12);
  REQUIRE(split.classes().size() == 8);
  REQUIRE(split.classes()[1] == "Greek/character02");
  REQUIRE(split.classes()[2] == "Greek/character01 turned by 90");
  REQUIRE(labels(split) == std::vector<std::int64_t>{0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7});
  std::size_t const where[] = {0 * 21 + 1, 19 * 21 + 0, 20 * 21 + 19, 1 * 21 + 20};
  for (std::int64_t turn = 0; turn < 4; ++turn) {
    std::vector<float> wanted(21 * 21, 0.0f);
    wanted[where[turn]] = 1;
    REQUIRE(pixels_of(split, 3 * turn) == wanted);
  }
  REQUIRE(split.picture(1)[3 * (5 * 21 + 6)] == 0);
  REQUIRE(split.picture(1)[3 * (5 * 21 + 7)] == 255);

  // Augmentation shifts by up to two pixels; all 25 offsets occur.
  std::set<std::vector<float>> seen;
  for (std::uint64_t draw = 0; draw < 500; ++draw) {
    c2f::random_stream augment{1, c2f::purpose::augment, draw, 0};
    auto const pixels = pixels_of(split, 1, &augment);
    REQUIRE(std::accumulate(pixels.begin(), pixels.end(), 0.0f) == 2);
    auto const first = std::find(pixels.begin(), pixels.end(), 1.0f) - pixels.begin();
    REQUIRE(std::abs(first / 21 - 5) <= 2);
    REQUIRE(std::abs(first % 21 - 5) <= 2);
    seen.insert(pixels);
  }
  REQUIRE(seen.size() == 25);

  // One pixel covers 105 / 28 = 3.75 pixels of the drawing. Column 3 of ink reaches from 3 to 4: .75 in the first pixel, .25 in the second.
  auto const stripe = dir.pack("b.zip", {{"top/Greek/character01/0001_01.png", drawing([](auto, auto x) { return x == 3; })}});
  auto const narrow = pixels_of(omniglot_split<28>("stripe", {stripe}), 0);
  for (std::size_t y = 0; y < 28; ++y) {
    REQUIRE(std::abs(narrow[28 * y] - .75f / 3.75f) <= .5f / 255);
    REQUIRE(std::abs(narrow[28 * y + 1] - .25f / 3.75f) <= .5f / 255);
    REQUIRE(narrow[28 * y + 2] == 0);
  }
  // At 105 nothing is averaged.
  auto const whole = pixels_of(omniglot_split<105>("stripe", {stripe}), 0);
  for (std::size_t i = 0; i < whole.size(); ++i) REQUIRE(whole[i] == (i % 105 == 3 ? 1.0f : 0.0f));
}

TEST_CASE("omniglot keeps alphabets apart and reports what is wrong with a zip") {
  folder const dir;
  auto const one  = dir.pack("one.zip", {{"one/Greek/character01/0001_01.png", blocks({{1, 1}})}});
  auto const both = dir.pack("both.zip", {{"both/Greek/character01/0001_01.png", blocks({{1, 1}})},
                                          {"both/Greek/character01/0001_02.png", blocks({{2, 2}})},
                                          {"both/Latin/character01/0900_01.png", blocks({{3, 3}})}});
  omniglot<21> const data{{.base = {one}, .novel = {both}}};
  REQUIRE(data.base.classes() == std::vector<std::string>{"Greek/character01"});
  REQUIRE(data.novel.classes() == std::vector<std::string>{"Latin/character01"});
  REQUIRE(omniglot_split<21>("together", {one, both}).size() == 3);
  require_message(refusal([&] { omniglot<21>{{.base = {both}, .novel = {one}}}; }), {"Omniglot novel has no characters"});
  require_message(refusal([&] { omniglot<21>{{.base = {}, .novel = {one}}}; }), {"Omniglot base has no characters"});
  require_message(refusal([&] { omniglot_split<21>("s", {one}, false, 21); }), {"by up to 21", "0 to 20"});

  auto const split = [&](fs::path const& path) { return refusal([&] { omniglot_split<21>("s", {path}); }); };
  require_message(split(dir.path / "none.zip"), {"no file", "none.zip"});
  require_message(split(dir.pack("flat.zip", {{"a/b.png", {1}}})), {"flat.zip", "entry 'a/b.png'", "<alphabet>"});
  require_message(split(dir.pack("text.zip", {{"a.txt", {1}}})), {"text.zip", "no drawings"});

  // A faulty drawing keeps its id, and is read from another zip that has it.
  std::string const stem = "one/Greek/character01/000";
  auto const wrong       = dir.pack("wrong.zip", {{stem + "1_01.png", {1, 2, 3}},
                                                  {stem + "1_02.png", drawing([](auto, auto) { return false; }, 28)},
                                                  {stem + "1_03.png", blocks({{3, 3}})}});
  omniglot_split<21> const some("some", {wrong}, true), mended("mended", {wrong, one});
  REQUIRE(some.size() == 12);
  for (std::int64_t const turn : {0, 3, 6, 9}) {
    require_message(some.fault(turn), {"wrong.zip:" + stem + "1_01.png", "PNG"});
    require_message(some.fault(turn + 1), {"wrong.zip:" + stem + "1_02.png", "28 x 28", "105 x 105"});
    REQUIRE(some.fault(turn + 2).empty());
    for (std::int64_t const id : {turn, turn + 1}) {
      REQUIRE(refusal([&] { pixels_of(some, id); }) == some.fault(id));
      REQUIRE(refusal([&] { (void)some.picture(id); }) == some.fault(id));
    }
  }
  REQUIRE(pixels_of(some, 2) == pixels_of(omniglot_split<21>("3", {dir.pack("3.zip", {{stem + "1_03.png", blocks({{3, 3}})}})}), 0));
  REQUIRE(mended.fault(0).empty());
  REQUIRE(pixels_of(mended, 0) == pixels_of(data.base, 0));
}

TEST_CASE("omniglot reads the real zips") {
  auto const dir = tests::data("omniglot");
  if (!dir) {
    C2F_SKIP("no omniglot here; set C2F_DATA");
  }
  fs::path const small1 = *dir / "images_background_small1.zip", small2 = *dir / "images_background_small2.zip";
  omniglot_split<28> const first("small1", {small1}), second("small2", {small2});
  REQUIRE(first.size() == 2720);
  REQUIRE(first.classes().size() == 136);
  REQUIRE(first.alphabets() == std::set<std::string>{"Balinese", "Early_Aramaic", "Greek", "Korean", "Latin"});
  REQUIRE(second.size() == 3120);
  REQUIRE(second.classes().size() == 156);
  REQUIRE(second.alphabets() == std::set<std::string>{"Greek", "Japanese_(katakana)", "Latin", "Sanskrit", "Tagalog"});
  for (auto const* split : {&first, &second}) {
    std::map<std::int64_t, int> drawings;
    std::set<std::vector<std::uint8_t>> different;
    for (std::int64_t id = 0; id < split->size(); ++id) {
      ++drawings[split->label(id)];
      auto const picture = split->picture(id);
      different.insert(picture);
      auto const darkest = *std::min_element(picture.begin(), picture.end());
      REQUIRE(darkest < 128);  // there is ink
    }
    REQUIRE(std::all_of(drawings.begin(), drawings.end(), [](auto const& d) { return d.second == 20; }));
    REQUIRE(different.size() == static_cast<std::size_t>(split->size()));
  }

  // Greek and Latin have 24 and 26 characters and are in both: 136 + 156 - 50.
  REQUIRE(omniglot_split<28>("both", {small1, small2}).classes().size() == 242);
  omniglot<28> const data{{.base = {small1}, .novel = {small2}, .rotations = true}};
  REQUIRE(data.base.classes().size() == 4 * 136);
  REQUIRE(data.novel.classes().size() == 4 * 106);
  REQUIRE(data.novel.size() == 4 * 106 * 20);
  episode const e      = episodes{data.novel, {.way = 20, .shot = 5, .queries = 15}}.at(3);
  at::Tensor const set = read_samples(data.novel, e.support);
  REQUIRE(set.sizes() == std::vector<std::int64_t>{100, 1, 28, 28});
  require_message(refusal([&] { episodes{data.novel, {.way = 5, .shot = 6, .queries = 15}}; }),
                  {"class 0 (Japanese_(katakana)/character01)", "has 20 samples", "6 for support and 15"});
  loader const batches{data.base, {.batch = 64, .threads = 0}};
  REQUIRE((*batches.epoch(0).begin()).images.sizes() == std::vector<std::int64_t>{64, 1, 28, 28});
}

TEST_CASE("omniglot's official runs") {
  auto const dir = tests::data("omniglot");
  if (!dir) {
    C2F_SKIP("no omniglot here; set C2F_DATA");
  }
  auto const runs = omniglot_runs<28>(*dir / "all_runs.zip");
  REQUIRE(runs.size() == 20);
  for (auto const& run : runs) {
    REQUIRE(run.support.sizes() == std::vector<std::int64_t>{20, 1, 28, 28});
    REQUIRE(run.query.sizes() == run.support.sizes());
    std::set<std::int64_t> const different(run.labels.begin(), run.labels.end());
    REQUIRE(run.labels.size() == 20);
    REQUIRE(different.size() == 20);
    REQUIRE(*different.begin() == 0);
    REQUIRE(*different.rbegin() == 19);
    for (std::int64_t i = 1; i < 20; ++i) REQUIRE(!at::equal(run.support[0], run.support[i]));
  }
  // "run01/test/item01.png run01/training/class08.png", item02 class09, item03 class02.
  REQUIRE(runs[0].labels[0] == 7);
  REQUIRE(runs[0].labels[1] == 8);
  REQUIRE(runs[0].labels[2] == 1);

  // Truncated, it is not a zip: the central directory is at the end.
  folder const here;
  fs::copy_file(*dir / "all_runs.zip", here.path / "cut.zip");
  fs::permissions(here.path / "cut.zip", fs::perms::owner_all);
  fs::resize_file(here.path / "cut.zip", 100000);
  require_message(refusal([&] { (void)omniglot_runs<28>(here.path / "cut.zip"); }), {"cut.zip", "not a whole zip archive"});

  // Labels of another form.
  std::map<std::string, bytes> entries;
  for (int i = 1; i <= 20; ++i)
    for (std::string const stem : {"run01/training/class", "run01/test/item"})
      entries[stem + (i < 10 ? "0" : "") + std::to_string(i) + ".png"] = blocks({{1, 1}});
  auto const with_labels = [&](std::string const& text) {
    entries["run01/class_labels.txt"] = bytes(text.begin(), text.end());
    auto const path                   = here.pack("runs.zip", entries);
    return refusal([&] { (void)omniglot_runs<28>(path); });
  };
  require_message(with_labels(""), {"run01/class_labels.txt', line 1 "});
  require_message(with_labels("run01/test/item01.png run01/training/class21.png\n"), {"line 1 "});
  require_message(with_labels("run01/test/item01.png run01/training/class20.png\r\nnothing\n"), {"line 2 "});
}
