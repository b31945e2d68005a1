// Tables of pictures with attributes and numbers: the three forms, quotes, parts, units, and malformed lines.
#include <c2f/data/check_split.hpp>
#include <c2f/data/datasets/picture_table.hpp>
#include <c2f/data/draw/canvas.hpp>

#include <cmath>
#include <fstream>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using text = std::vector<std::string>;

void put(fs::path const& file, std::string const& content) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
}
void put_picture(fs::path const& file) {
  fs::create_directories(file.parent_path());
  canvas(8, 8, {200, 100, 50}).write_png(file);
}
csv_table parsed(std::string const& content) {
  return parse_table({reinterpret_cast<std::uint8_t const*>(content.data()), content.size()}, "t.csv");
}

}  // namespace

TEST_CASE("Tables of numbers, of attributes, and of labels", "[table]") {
  auto const numbers =
      parsed("\xef\xbb\xbfpicture,age,\"height, cm\"\r\na/1.jpg, 31.5 ,-4e1\r\n\r\n\"b,\"\"2\"\".png\",,7\n.hidden.jpg,1,2\n");
  REQUIRE(numbers.columns == text{"age", "height, cm"});
  REQUIRE(numbers.rows.size() == 2);
  REQUIRE(numbers.rows[0].picture == "a/1.jpg");
  REQUIRE(numbers.rows[0].values == std::vector<float>{31.5f, -40});
  REQUIRE(numbers.rows[1].picture == "b,\"2\".png");
  REQUIRE(std::isnan(numbers.rows[1].values[0]));
  REQUIRE(numbers.rows[1].values[1] == 7);
  REQUIRE_FALSE(numbers.has_attributes());
  auto const yes_no = parsed("file,smiling,hat\na.jpg,1,0\nb.jpg,,1\n");
  REQUIRE(yes_no.has_attributes());
  REQUIRE_FALSE(yes_no.of_labels);
  auto const labels = parsed("image,labels\na.jpg,smiling,hat\nb.jpg\nc.jpg,\nd.jpg,beard,hat\n");
  REQUIRE(labels.of_labels);
  REQUIRE(labels.columns == text{"beard", "hat", "smiling"});
  std::vector<std::vector<float>> found;
  for (auto const& row : labels.rows) found.push_back(row.values);
  REQUIRE(found == std::vector<std::vector<float>>{{0, 1, 1}, {0, 0, 0}, {0, 0, 0}, {1, 1, 0}});
}

TEST_CASE("A table that is none", "[table]") {
  auto const refuse = [](std::string const& content, std::vector<std::string> parts) {
    parts.push_back("'t.csv', line");
    CAPTURE(content);
    tests::require_message(tests::refusal([&] { (void)parsed(content); }), parts);
  };
  refuse("", {"line 1 is empty"});
  refuse("picture\na.jpg\n", {"line 1 names no columns"});
  refuse("a.jpg,1\nb.jpg,2\n", {"line 1 names no columns"});
  refuse("picture,age\n", {"line 1 is the last one"});
  refuse("picture,age,age\na.jpg,1,2\n", {"the column 'age' twice"});
  refuse("picture,age,\na.jpg,1,2\n", {"without a name"});
  refuse("picture,age\na.jpg,1,2\n", {"line 2 has 3 cells", "the picture and 1 more"});
  refuse("picture,age\na.jpg\n", {"line 2 has 1 cells"});
  refuse("picture,age\na.jpg,old\n", {"line 2 has 'old' in the column 'age'"});
  refuse("picture,age\na.jpg,1e999\n", {"'1e999'"});
  refuse("picture,age\na.jpg,nan\n", {"'nan'"});
  refuse("picture,age\na.jpg,1x\n", {"'1x'"});
  refuse("picture,age\n,1\n", {"no name below the folder"});
  refuse("picture,age\n../a.jpg,1\n", {"'../a.jpg'"});
  refuse("picture,age\n/etc/a.jpg,1\n", {"'/etc/a.jpg'"});
  refuse("picture,age\na.jpg,1\na.jpg,2\n", {"line 3 has the picture 'a.jpg' again"});
  refuse("picture,age\n\"a.jpg,1\n", {"line 2 ends within quotes"});
  refuse("picture,age\n\"a.jpg\"x,1\n", {"behind a cell in quotes"});
  refuse("picture,age\na\"b.jpg,1\n", {"quotes within a cell"});
  refuse("picture,age\na\x01.jpg,1\n", {"control character"});
  refuse("picture,labels\na.jpg\n", {"no label"});
  refuse("picture,labels\na.jpg,x,,y\n", {"an empty label"});
}

TEST_CASE("A table of labels that is short as a text and long as numbers", "[table]") {
  std::string text = "picture,labels\n0.png";
  for (int i = 0; i < 4096; ++i) text += ",l" + std::to_string(i);
  for (int i = 1; i <= 16384; ++i) text += '\n' + std::to_string(i) + ".png";
  std::span<std::uint8_t const> const bytes{reinterpret_cast<std::uint8_t const*>(text.data()), text.size()};
  tests::require_message(tests::refusal([&] { (void)parse_table(bytes, "a.csv"); }), {"'a.csv', line 16386 makes the table too large"});
}

TEST_CASE("A data set of a table: parts, units, and the columns that are not there", "[table]") {
  tests::scratch const dir;
  std::string rows = "picture,age,height\n";
  for (int i = 0; i < 20; ++i) {
    put_picture(dir.path / "images" / (std::to_string(i) + ".png"));
    rows += std::to_string(i) + ".png," + (i == 3 ? "" : std::to_string(i)) + ",5\n";
  }
  put(dir.path / "people.csv", rows);
  picture_table<3, 8> const plain{{.root = dir.path}};
  static_assert(checked_dataset<picture_table<3, 8>>);
  REQUIRE(plain.columns == text{"age", "height"});
  REQUIRE(plain.train.size() + plain.validation.size() + plain.test.size() == 20);
  REQUIRE(plain.test.size() == 4);
  REQUIRE(plain.validation.size() == 2);
  picture_table<3, 8> const scaled{{.root = dir.path, .standardise = true}};
  std::vector<float> pixels(3 * 64), truth(3);
  double sum = 0, squares = 0, count = 0;
  for (std::int64_t id = 0; id < scaled.train.size(); ++id) {
    REQUIRE(scaled.train.name_of(id) == plain.train.name_of(id));
    scaled.train.read(id, nullptr, pixels.data(), truth.data());
    REQUIRE(std::isnan(truth[2]));
    REQUIRE(truth[1] == 0);  // 5, the same in all rows
    if (std::isnan(truth[0])) continue;
    sum += truth[0], squares += truth[0] * truth[0], ++count;
    float const back = scaled.units[0].mean + scaled.units[0].deviation * truth[0];
    REQUIRE(std::abs(back - std::stof(scaled.train.name_of(id))) < 1e-4f);
  }
  REQUIRE(std::abs(sum / count) < 1e-5);
  REQUIRE(std::abs(squares / count - 1) < 1e-5);
  REQUIRE(std::abs(pixels[0] - (200 / 255.f - imagenet_mean[0]) / imagenet_deviation[0]) < 1e-6f);
  tests::require_message(tests::refusal([&] { picture_table<1, 8>{{.root = dir.path}}; }), {"has 2 columns", "1 are predicted"});
  tests::require_message(tests::refusal([&] { picture_table<2, 8>{{.root = dir.path / "images"}}; }), {"no table of pictures"});

  SECTION("a table for each part") {
    fs::remove(dir.path / "people.csv");
    put(dir.path / "train.csv", "picture,labels\n0.png,dog\n1.png,cat,dog\n2.png\n");
    put(dir.path / "val.csv", "picture,labels\n3.png,cat\n");
    put(dir.path / "test.csv", "picture,labels\n4.png,dog\n");
    picture_table<2, 8> const data{{.root = dir.path}};
    REQUIRE(data.columns == text{"cat", "dog"});
    REQUIRE(data.train.size() == 3);
    REQUIRE(data.validation.values(0) == std::vector<float>{1, 0});
    REQUIRE(data.test.values(0) == std::vector<float>{0, 1});
    REQUIRE(list_tables(dir.path).attributes);
    put(dir.path / "test.csv", "picture,labels\n4.png,dog\n1.png,dog\n");
    tests::require_message(tests::refusal([&] { (void)list_tables(dir.path); }), {"lists the picture '1.png' twice"});
    put(dir.path / "Validation.csv", "picture,labels\n3.png,cat\n");
    tests::require_message(tests::refusal([&] { (void)list_tables(dir.path); }), {"Validation.csv' and '", "are of one part of the data"});
    fs::remove(dir.path / "Validation.csv");
    put(dir.path / "test.csv", "picture,labels\n4.png,wolf\n");
    tests::require_message(tests::refusal([&] { picture_table<2, 8>{{.root = dir.path}}; }), {"the label 'wolf'", "train.csv"});
    put(dir.path / "test.csv", "picture,cat,wolf\n4.png,1,0\n");
    tests::require_message(tests::refusal([&] { picture_table<2, 8>{{.root = dir.path}}; }), {"other columns than"});
  }
}
