// Small folders of pictures with lists, written by this test.
#include <unistd.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/episodes.hpp>
#include <c2f/data/datasets/image_folder.hpp>
#include <c2f/data/loader.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using tests::refusal;
using tests::require_message;

static_assert(few_shot_split<image_list<84>>);
using small = image_folder<8>;

std::vector<std::uint8_t> bytes_of(std::string const& text) { return {text.begin(), text.end()}; }

// Classes a ... f, two to a split; each has three pictures of one colour, of different sizes.
struct folder : tests::scratch {
  bool by_label;
  explicit folder(bool with_label = false) : by_label(with_label) {
    if (!by_label) fs::create_directories(path / "images");
    int k = 0;
    for (auto const& [list, classes] : {std::pair("train.csv", "ba"), std::pair("val.csv", "cd"), std::pair("test.csv", "ef")}) {
      std::string text = "filename,label\n";
      for (char const* c = classes; *c != '\0'; ++c, ++k)
        for (int i = 0; i < 3; ++i) {
          std::string const label(1, *c), file = label + std::to_string(i) + ".png";
          text += file + "," + label + "\n";
          fs::create_directories(path / (by_label ? label : "images"));
          canvas(10 + i, 16 - i, tint(k, i)).write_png(path / (by_label ? label : "images") / file);
        }
      write(list, text);
    }
  }
  void write(std::string const& list, std::string const& text) const { std::ofstream(path / list, std::ios::binary) << text; }
  static colour tint(int k, int i) {
    return {static_cast<std::uint8_t>(40 * k), static_cast<std::uint8_t>(80 * i), static_cast<std::uint8_t>(255 - k)};
  }
};

std::string parsing(std::string const& text) {
  return refusal([&] { (void)detail::parse_split_csv(bytes_of(text), "list.csv"); });
}

}  // namespace

TEST_CASE("a list of pictures is read line by line") {
  for (std::string const text :
       {"filename,label\nx/b.jpg,two\na.jpg,one\nc.jpg,two\n", "filename,label\r\nx/b.jpg,two\r\na.jpg,one\r\nc.jpg,two"}) {
    auto const list = detail::parse_split_csv(bytes_of(text), "list.csv");
    REQUIRE(list.classes == std::vector<std::string>{"one", "two"});
    REQUIRE(list.lines.size() == 3);
    REQUIRE(list.file(0) == "x/b.jpg");
    REQUIRE(list.file(2) == "c.jpg");
    REQUIRE(list.lines[0].label == 1);
    REQUIRE(list.lines[1].label == 0);
    REQUIRE(list.lines[2].label == 1);
  }
  std::string const head = "filename,label\na.jpg,one\n";
  require_message(parsing(""), {"'list.csv', line 1 is ''", "'filename,label'"});
  require_message(parsing("file,label\na.jpg,one\n"), {"line 1 is 'file,label'"});
  require_message(parsing("a.jpg,one\n"), {"line 1 is 'a.jpg,one'"});
  require_message(parsing("filename,label\n"), {"line 2 is not there"});
  require_message(parsing(head + "b.jpg\n"), {"line 3 is 'b.jpg'", "one comma"});
  require_message(parsing(head + "b.jpg,one,2\n"), {"line 3 is 'b.jpg,one,2'"});
  require_message(parsing(head + ",one\n"), {"line 3 has an empty file name"});
  require_message(parsing(head + "b.jpg,\n"), {"line 3 has an empty class"});
  require_message(parsing(head + "../b.jpg,one\n"), {"line 3 has the file name '../b.jpg', which leads out of the folder"});
  require_message(parsing(head + "x/../../b.jpg,one\n"), {"line 3", "leads out"});
  require_message(parsing(head + "/etc/b.jpg,one\n"), {"line 3", "leads out"});
  require_message(parsing(head + "b.jpg,..\n"), {"line 3 has the class '..', which leads out"});
  require_message(parsing(head + "b.jpg,x/y\n"), {"line 3 has the class 'x/y'"});
  require_message(parsing(head + "\"b.jpg\",one\n"), {"line 3 has the file name '\"b.jpg\"'", "without quotes"});
  require_message(parsing(head + "b\rc.jpg,one\n"), {"line 3 has the file name 'b\\x0dc.jpg'"});
  require_message(parsing(head + "b\\c.jpg,one\n"), {"line 3"});
  require_message(parsing(head + "b.jpg,two\na.jpg,two\n"), {"line 4 lists 'a.jpg' again, after line 2"});
  std::string many = "filename,label\n";
  for (int i = 0; i <= 10000; ++i) many += std::to_string(i) + "," + std::to_string(i) + "\n";
  require_message(parsing(many), {"line 10002 begins class 10001"});
}

TEST_CASE("image_folder reads both layouts") {
  for (bool const by_label : {false, true}) {
    folder const dir(by_label);
    small const data(dir.path);
    REQUIRE(data.base.size() == 6);
    REQUIRE(data.base.classes() == std::vector<std::string>{"a", "b"});
    REQUIRE(data.validation.classes() == std::vector<std::string>{"c", "d"});
    REQUIRE(data.novel.classes() == std::vector<std::string>{"e", "f"});
    // The list begins with b, which is class 1.
    REQUIRE(labels(data.base) == std::vector<std::int64_t>{1, 1, 1, 0, 0, 0});
    std::vector<float> pixels(3 * 8 * 8);
    std::int64_t truth = -1;
    for (std::int64_t id = 0; id < 6; ++id) {
      data.novel.read(id, nullptr, pixels.data(), &truth);
      REQUIRE(truth == id / 3);
      colour const tint = folder::tint(4 + static_cast<int>(id / 3), static_cast<int>(id % 3));
      double const mean[]{.485, .456, .406}, deviation[]{.229, .224, .225}, byte[]{double(tint.red), double(tint.green), double(tint.blue)};
      for (std::size_t i = 0; i < pixels.size(); ++i)
        REQUIRE(std::abs(static_cast<double>(pixels[i]) - (byte[i % 3] / 255 - mean[i % 3]) / deviation[i % 3]) < 1e-5);
    }
    episode const e = episodes(data.novel, {.way = 2, .shot = 1, .queries = 2}).at(0);
    REQUIRE(read_samples(data.novel, e.query).size(0) == 4);
    loader const batches{data.base, {.batch = 4, .threads = 2}};
    std::int64_t n = 0;
    for (auto const& b : batches.epoch(0)) n += b.images.size(0);
    REQUIRE(n == 6);
    REQUIRE(batches.replaced().reasons.size() == 0);
  }
}

TEST_CASE("image_folder scales, crops and mirrors") {
  folder const dir;
  // Left half black, right half white, 40 x 10.
  canvas page(40, 10, black);
  page.rectangle(20, 0, 20, 10, white);
  page.write_png(dir.path / "images/e0.png");
  image_folder<20> const data(dir.path);
  auto const square = data.novel.picture(0);
  for (std::size_t y = 0; y < 20; ++y) {
    REQUIRE(square[3 * (20 * y + 8)] == 0);
    REQUIRE(square[3 * (20 * y + 11)] == 255);
  }
  // Bytes of an augmented picture: black where it is outside.
  std::vector<float> pixels(3 * 20 * 20);
  std::int64_t truth = 0;
  int mirrored       = 0;
  std::set<int> widths;
  for (std::uint64_t draw = 0; draw < 400; ++draw) {
    c2f::random_stream augment{1, c2f::purpose::augment, draw, 0};
    data.novel.read(0, &augment, pixels.data(), &truth);
    auto const byte  = [&](std::size_t y, std::size_t x) { return std::lround((pixels[3 * (20 * y + x)] * .229f + .485f) * 255); };
    // The middle row is always inside the picture; of its 20 pixels 10 are white, less those that the crop removes.
    int white_pixels = 0;
    for (std::size_t x = 0; x < 20; ++x) white_pixels += byte(10, x) > 128;
    REQUIRE(white_pixels >= 2);
    REQUIRE(white_pixels <= 18);
    widths.insert(white_pixels);
    mirrored += byte(10, 5) > 128 && byte(10, 14) < 128;
    // Above or below the picture there are at most eight black rows.
    int rows = 0;
    for (std::size_t y = 0; y < 20; ++y)
      for (std::size_t x = 0; x < 20; ++x)
        if (byte(y, x) > 128) {
          ++rows;
          break;
        }
    REQUIRE(rows >= 12);
  }
  REQUIRE(mirrored > 50);
  REQUIRE(mirrored < 200);
  REQUIRE(widths.size() >= 8);
}

TEST_CASE("image_folder reports what is wrong with a folder") {
  {
    folder const dir;
    auto const fault = [&] { return refusal([&] { small{dir.path}; }); };
    REQUIRE(fault().empty());
    dir.write("val.csv", "filename,label\nc0.png,c\nb0.png,b\n");
    require_message(fault(), {"the class 'b' is in both", "train.csv", "val.csv"});
    dir.write("val.csv", "filename,label\nc0.png,c\nc9.png,c\n");
    REQUIRE(fault().empty());
    require_message(refusal([&] { (void)small{dir.path}.validation.picture(1); }), {"no file", "images/c9.png'"});
    fs::remove(dir.path / "val.csv");
    require_message(fault(), {"no file", "val.csv"});
    require_message(refusal([&] { small{dir.path / "none"}; }), {"no file", "train.csv"});
  }
  // With room for three pictures three are kept; a file that is no picture keeps its id.
  folder const dir;
  std::ofstream(dir.path / "images/e1.png") << "nothing";
  small const data({.root = dir.path, .cache_bytes = 3 * 3 * 8 * 8});
  REQUIRE(data.novel.size() == 6);
  for (int again = 0; again < 2; ++again) {
    require_message(refusal([&] { (void)data.novel.picture(1); }), {"images/e1.png"});
    for (std::int64_t const id : {0, 2, 3, 4, 5}) REQUIRE(data.novel.picture(id).size() == 3 * 8 * 8);
  }
  loader const batches{data.novel, {.batch = 6, .threads = 0, .augment = false}};
  for (auto const& b : batches.epoch(0)) REQUIRE(b.images.size(0) == 6);
  REQUIRE(batches.replaced().reasons.size() == 1);
}
