// SIFT Flow and Stanford Background in their published layouts, on small sets written by this test, and the crops that they are seen through.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <c2f/data/datasets/camvid.hpp>
#include <c2f/data/datasets/siftflow.hpp>
#include <c2f/data/datasets/stanford_background.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/split.hpp>

#include "catch.hpp"
#include "png_file.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using tests::refusal;
using tests::write_png;
using bytes = std::vector<std::uint8_t>;

static_assert(split<labelled_pictures<233, 233>> && dataset<siftflow<>> && dataset<stanford_background<>>);

void write_text(fs::path const& path, std::string const& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// The class of a pixel: 0 to 6 in blocks of eight pixels; void in the first block.
int class_at(std::int64_t y, std::int64_t x) { return y < 8 && x < 8 ? -1 : static_cast<int>((y / 8 + 2 * (x / 8)) % 7); }
/// A picture whose red says the class. (The format of a picture is recognised by its bytes and not by its name.)
void write_picture(fs::path const& path, std::int64_t h, std::int64_t w) {
  bytes rgb;
  for (std::int64_t y = 0; y < h; ++y)
    for (std::int64_t x = 0; x < w; ++x) rgb.insert(rgb.end(), {static_cast<std::uint8_t>(30 * (class_at(y, x) + 1)), 7, 9});
  write_png(path, rgb, h, w, SPNG_COLOR_TYPE_TRUECOLOR);
}
float red(float normalised) { return (normalised * imagenet_deviation[0] + imagenet_mean[0]) * 255; }

struct sift_folder : tests::scratch {
  fs::path pictures = path / "Images" / siftflow<>::album, labels = path / "SemanticLabels" / siftflow<>::album;
  sift_folder() {
    for (std::string const name : {"coast_art1", "forest_bost3", "street_urb7", "tall b2"}) pair(name);
    write_text(path / "TestSet1.txt", "spatial_envelope_256x256_static_8outdoorcategories\\forest_bost3.jpg\r\ntall b2.jpg\r\n");
  }
  void pair(std::string const& name) const {
    write_picture(pictures / (name + ".jpg"), 256, 256);
    bytes numbers;
    for (std::int64_t y = 0; y < 256; ++y)
      for (std::int64_t x = 0; x < 256; ++x) numbers.push_back(static_cast<std::uint8_t>(class_at(y, x) + 1));
    write_png(labels / (name + ".png"), numbers, 256, 256, SPNG_COLOR_TYPE_GRAYSCALE);
  }
};

std::string regions(std::int64_t h, std::int64_t w) {
  std::string text;
  for (std::int64_t y = 0; y < h; ++y) {
    for (std::int64_t x = 0; x < w; ++x) text += (x > 0 ? " " : "") + std::to_string(class_at(y, x));
    text += '\n';
  }
  return text;
}
struct stanford_folder : tests::scratch {
  stanford_folder() {
    for (int i = 0; i < 12; ++i) {
      std::string const name = std::to_string(6000000 + i);
      std::int64_t const h = i % 2 == 0 ? 240 : 320, w = i % 2 == 0 ? 320 : 240;
      write_picture(path / "images" / (name + ".jpg"), h, w);
      write_text(path / "labels" / (name + ".regions.txt"), regions(h, w));
      write_text(path / "labels" / (name + ".surfaces.txt"), "not read");
    }
    write_text(path / "horizons.txt", "6000000 320 240 110\n");
  }
};

/// A sample of a split.
template <class Split>
struct seen {
  static constexpr std::int64_t height = Split::image::height, width = Split::image::width;
  std::vector<float> pixels       = std::vector<float>(static_cast<std::size_t>(3 * height * width));
  std::vector<std::int64_t> truth = std::vector<std::int64_t>(static_cast<std::size_t>(height * width));
  seen(Split const& split, std::int64_t id, c2f::random_stream* augment = nullptr) { split.read(id, augment, pixels.data(), truth.data()); }
  [[nodiscard]] std::int64_t label(std::int64_t y, std::int64_t x) const { return truth[static_cast<std::size_t>(y * width + x)]; }
  [[nodiscard]] float value(std::int64_t y, std::int64_t x) const { return pixels[static_cast<std::size_t>(3 * (y * width + x))]; }
};
template <class Split>
seen(Split const&, std::int64_t) -> seen<Split>;
template <class Split>
seen(Split const&, std::int64_t, c2f::random_stream*) -> seen<Split>;

}  // namespace

TEST_CASE("SIFT Flow: the list says what is tested, labels begin at 1, and 0 is void") {
  sift_folder const dir;
  siftflow<> const data(dir.path);
  REQUIRE(data.train.size() == 2);
  REQUIRE(data.test.size() == 2);
  REQUIRE(data.train.name_of(0) == "coast_art1.jpg");
  REQUIRE(data.test.name_of(0) == "forest_bost3.jpg");
  REQUIRE(data.test.name_of(1) == "tall b2.jpg");
  REQUIRE(data.train.classes().size() == 33);
  REQUIRE(data.train.classes()[27] == "sky");
  seen const whole(data.test, 0);
  for (std::int64_t y = 0; y < 256; ++y)
    for (std::int64_t x = 0; x < 256; ++x) {
      int const wanted = class_at(y, x);
      if (whole.label(y, x) != (wanted < 0 ? 255 : wanted) || std::abs(red(whole.value(y, x)) - 30 * static_cast<float>(wanted + 1)) > 1e-3)
        REQUIRE(std::pair(y, x) == std::pair<std::int64_t, std::int64_t>(-1, -1));
    }
  seen const crop(data.train, 1);  // the middle: 11 pixels off at the top and left
  for (std::int64_t i = 0; i < 233; i += 29) REQUIRE(crop.label(i, 232 - i) == class_at(i + 11, 232 - i + 11));
  REQUIRE(data.test.picture(0)[3 * (256 * 40 + 50)] == 30 * (class_at(40, 50) + 1));
}

TEST_CASE("crops have scales of .5 to 2, follow the labels, and are void around a small picture") {
  sift_folder const dir;
  siftflow<96> const data(dir.path);
  double least = 10, most = 0;
  int padded = 0;
  siftflow<233> const large(dir.path);
  std::set<std::vector<std::int64_t>> different;
  for (std::uint64_t draw = 0; draw < 60; ++draw) {
    c2f::random_stream augment{7, c2f::purpose::augment, draw, 0}, again = augment, other = augment;
    seen const crop(data.train, 0, &augment);
    REQUIRE(crop.truth == seen(data.train, 0, &again).truth);
    different.insert(crop.truth);
    // Within a block the colour is that of the label; at its border it is interpolated.
    std::int64_t equal = 0, inner = 0, longest = 0, run = 0;
    for (std::int64_t y = 1; y < 95; ++y)
      for (std::int64_t x = 1; x < 95; ++x) {
        bool block = true;
        for (std::int64_t dy = -1; dy <= 1; ++dy)
          for (std::int64_t dx = -1; dx <= 1; ++dx) block = block && crop.label(y + dy, x + dx) == crop.label(y, x);
        if (!block || crop.label(y, x) == 255) continue;
        ++inner;
        equal += std::abs(red(crop.value(y, x)) - 30 * static_cast<float>(crop.label(y, x) + 1)) < 1;
      }
    for (std::int64_t x = 1; x < 96; ++x) {
      run     = crop.label(48, x) == crop.label(48, x - 1) ? run + 1 : 0;
      longest = std::max(longest, run + 1);
    }
    REQUIRE(static_cast<double>(equal) >= .95 * static_cast<double>(inner));
    least = std::min(least, static_cast<double>(longest) / 8), most = std::max(most, static_cast<double>(longest) / 8);
    seen const wide(large.train, 0, &other);
    std::int64_t outside = 0;
    for (std::size_t i = 0; i < wide.truth.size(); ++i)
      if (wide.truth[i] == 255 && wide.pixels[3 * i] == 0 && wide.pixels[3 * i + 1] == 0) ++outside;
    padded += outside > 233 * 10;
  }
  REQUIRE(different.size() > 55);
  REQUIRE(least < .8);
  REQUIRE(most > 1.5);
  REQUIRE(most < 2.3);
  REQUIRE(padded > 10);
  REQUIRE(padded < 40);

  labelled_pictures_options mirrored;
  mirrored.mirror = true, mirrored.least_scale = mirrored.most_scale = 1;
  siftflow<256> const whole(dir.path, mirrored);
  int turned = 0;
  for (std::uint64_t draw = 0; draw < 40; ++draw) {
    c2f::random_stream augment{7, c2f::purpose::augment, draw, 0};
    turned += seen(whole.train, 0, &augment).label(0, 255) == 255;  // the void block is at the right
  }
  REQUIRE(turned > 8);
  REQUIRE(turned < 32);
}

TEST_CASE("SIFT Flow: what is wrong is said in a sentence") {
  REQUIRE(tests::has(refusal([] { siftflow<>("/nowhere"); }), "cannot list the folder '/nowhere/Images"));
  sift_folder const dir;
  write_text(dir.path / "TestSet1.txt", "forest_bost3.jpg\n\nmissing.jpg\n");
  tests::require_message(refusal([&] { siftflow<>{dir.path}; }), {"TestSet1.txt' names 'missing.jpg' in line 3", "has no such picture"});
  write_text(dir.path / "TestSet1.txt", "\n");
  REQUIRE(tests::has(refusal([&] { siftflow<>{dir.path}; }), "names none of the pictures"));
  fs::remove(dir.path / "TestSet1.txt");
  REQUIRE(tests::has(refusal([&] { siftflow<>{dir.path}; }), "no file '"));
  write_text(dir.path / "TestSet1.txt", "forest_bost3.jpg\n");

  fs::rename(dir.labels / "coast_art1.png", dir.labels / "coast_art1.mat");
  write_png(dir.labels / "street_urb7.png", bytes(256 * 256, 34), 256, 256, SPNG_COLOR_TYPE_GRAYSCALE);
  write_png(dir.labels / "tall b2.png", bytes(256 * 255, 1), 255, 256, SPNG_COLOR_TYPE_GRAYSCALE);
  write_png(dir.labels / "forest_bost3.png", bytes(256 * 256, 0), 256, 256, SPNG_COLOR_TYPE_GRAYSCALE);
  siftflow<> const data(dir.path);
  REQUIRE(tests::has(refusal([&] { seen(data.train, 0); }), "coast_art1.mat' is a MATLAB file; convert the label maps"));
  REQUIRE(tests::has(refusal([&] { seen(data.train, 1); }), "has the number 34; 0 is unlabelled and 1 to 33 are classes"));
  REQUIRE(tests::has(refusal([&] { seen(data.train, 2); }), "has labels of 256 x 255 pixels, and its picture is 256 x 256 pixels"));
  REQUIRE(tests::has(refusal([&] { seen(data.test, 0); }), "is all void; leave the picture out"));
  write_picture(dir.pictures / "forest_bost3.jpg", 300, 256);
  siftflow<> const larger(dir.path);
  REQUIRE(tests::has(refusal([&] { seen(larger.test, 0); }),
                     "is 256 x 300 pixels, and this set is tested on whole pictures of up to 256 x 256"));
  for (auto const& each : fs::directory_iterator(dir.pictures)) fs::remove(each);
  REQUIRE(tests::has(refusal([&] { siftflow<>{dir.path}; }), "has no pictures (.jpg)"));
}

TEST_CASE("Stanford Background: five folds that are disjoint and cover the set, and whole pictures in the middle of the canvas") {
  stanford_folder const dir;
  std::set<std::string> tested;
  std::size_t count = 0;
  for (std::int64_t fold = 0; fold < 5; ++fold) {
    stanford_background<> const data(dir.path, {.fold = fold}), again(dir.path, {.fold = fold});
    std::set<std::string> here;
    for (std::int64_t id = 0; id < data.test.size(); ++id) {
      REQUIRE(data.test.name_of(id) == again.test.name_of(id));
      here.insert(data.test.name_of(id)), tested.insert(data.test.name_of(id)), ++count;
    }
    for (std::int64_t id = 0; id < data.train.size(); ++id) REQUIRE(!here.contains(data.train.name_of(id)));
    REQUIRE(data.train.size() + data.test.size() == 12);
    REQUIRE((data.test.size() == 2 || data.test.size() == 3));
  }
  REQUIRE(count == 12);
  REQUIRE(tested.size() == 12);
  stanford_background<> const data(dir.path), other(dir.path, {.seed = 2});
  REQUIRE((data.test.name_of(0) != other.test.name_of(0) || data.test.name_of(1) != other.test.name_of(1)));
  REQUIRE(data.train.classes().size() == 8);
  for (std::int64_t id = 0; id < data.test.size(); ++id) {
    bool const upright = (std::stoi(data.test.name_of(id)) - 6000000) % 2 == 1;
    seen const shown(data.test, id);
    std::int64_t const top = upright ? 0 : 40, left = upright ? 40 : 0;
    for (std::int64_t y = 0; y < 320; y += 3)
      for (std::int64_t x = 0; x < 320; x += 7) {
        std::int64_t const of_row = y - top, of_column = x - left;
        bool const inside = of_row >= 0 && of_column >= 0 && of_row < (upright ? 320 : 240) && of_column < (upright ? 240 : 320);
        int const wanted  = inside ? class_at(of_row, of_column) : -1;
        REQUIRE(shown.label(y, x) == (wanted < 0 ? 255 : wanted));
        REQUIRE((shown.value(y, x) == 0) == !inside);
      }
  }
}

TEST_CASE("Stanford Background: rows of labels, and what is wrong is said in a sentence") {
  auto const parsed = detail::parse_regions("\xef\xbb\xbf 0 1\t-1\r\n\n7  3 -2 \n", "x");
  REQUIRE(parsed.height == 2);
  REQUIRE(parsed.width == 3);
  REQUIRE(parsed.labels == bytes{0, 1, 255, 7, 3, 255});
  auto const why = [](std::string const& text) { return refusal([&] { (void)detail::parse_regions(text, "a.regions.txt"); }); };
  REQUIRE(tests::has(why("0 1\n0 x\n"), "'a.regions.txt', line 2: 'x' is no whole number"));
  REQUIRE(tests::has(why("0 1.5\n"), "is no whole number"));
  REQUIRE(tests::has(why("0 99999999999999999999\n"), "is no whole number"));
  REQUIRE(tests::has(why("0 8\n"), "line 1: the label 8 is no class"));
  REQUIRE(tests::has(why("0 1\n0 1 2\n"), "line 2: there are 3 labels, and 2 in the first row"));
  REQUIRE(tests::has(why("\n \n"), "has no labels"));
  // Any bytes are labels or a sentence.
  std::string const good = regions(20, 30);
  c2f::random_stream draw(1, c2f::purpose::synthesis, 0, 0);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = good.substr(0, draw.below(static_cast<std::uint32_t>(good.size())) + 1);
    for (int k = 0; k < 3; ++k) damaged[draw.below(static_cast<std::uint32_t>(damaged.size()))] = static_cast<char>(draw.below(256));
    try {
      auto const found = detail::parse_regions(damaged, "x");
      REQUIRE(found.labels.size() == static_cast<std::size_t>(found.height * found.width));
    } catch (c2f::input_error const&) {
    }
  }

  REQUIRE(tests::has(refusal([] { stanford_background<>("/nowhere"); }), "cannot list the folder '/nowhere/images'"));
  stanford_folder const dir;
  REQUIRE(tests::has(refusal([&] { stanford_background<>(dir.path, {.fold = 5}); }), "has no fold 5; write a number from 0 to 4"));
  fs::remove(dir.path / "labels" / "6000000.regions.txt");
  write_text(dir.path / "labels" / "6000001.regions.txt", regions(240, 320));
  int missing = 0, turned = 0;
  for (std::int64_t fold = 0; fold < 5; ++fold) {
    stanford_background<> const data(dir.path, {.fold = fold});
    for (std::int64_t id = 0; id < data.test.size(); ++id) {
      auto const said = refusal([&] { seen(data.test, id); });
      missing += tests::has(said, "6000000.regions.txt"),
          turned += tests::has(said, "has labels of 320 x 240 pixels, and its picture is 240 x 320");
    }
  }
  REQUIRE(missing == 1);
  REQUIRE(turned == 1);
  for (int i = 0; i < 8; ++i) fs::remove(dir.path / "images" / (std::to_string(6000000 + i) + ".jpg"));
  REQUIRE(tests::has(refusal([&] { stanford_background<>{dir.path}; }), "has 4 pictures (.jpg), and five folds need five or more"));
}

TEST_CASE("CamVid is tested on the part that is named") {
  tests::scratch const dir;
  for (std::string const part : {"train", "val", "test"}) {
    write_picture(dir.path / part / (part + ".png"), 6, 8);
    write_png(dir.path / (part + "annot") / (part + ".png"), bytes(48, 3), 6, 8, SPNG_COLOR_TYPE_GRAYSCALE);
  }
  REQUIRE(camvid<6, 8>(dir.path).test.name_of(0) == "val.png");
  camvid<6, 8> const held(dir.path, "test");
  REQUIRE(held.test.name_of(0) == "test.png");
  REQUIRE(held.test.name() == "CamVid test");
  REQUIRE(tests::has(refusal([&] { camvid<6, 8>(dir.path, "train"); }), "CamVid has no part 'train' to be tested on; write val or test"));
}
