// Pictures in folders of classes, pairs of pictures and masks, and COCO's JSON.
#include <c2f/data/datasets/class_folders.hpp>
#include <c2f/data/datasets/coco.hpp>
#include <c2f/data/datasets/mask_folders.hpp>
#include <c2f/data/draw/canvas.hpp>

#include <fstream>
#include <set>

#include "catch.hpp"
#include "png_file.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using c2f::data::detail::sort_into_classes;

void put(fs::path const& file, std::string const& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}
/// A picture of one colour.
void put_picture(fs::path const& file, int width, int height, colour tint) {
  fs::create_directories(file.parent_path());
  canvas(width, height, tint).write_png(file);
}
/// A grey PNG with these bytes, rows from the top.
void put_mask(fs::path const& file, int width, int height, std::vector<std::uint8_t> const& bytes) {
  tests::write_png(file, bytes, height, width, SPNG_COLOR_TYPE_GRAYSCALE);
}
std::set<std::string> names(std::vector<classified_name> const& of) {
  std::set<std::string> made;
  for (auto const& each : of) made.insert(each.name);
  return made;
}
std::vector<std::string> many(std::vector<std::string> const& classes, int each) {
  std::vector<std::string> paths;
  for (auto const& name : classes)
    for (int i = 0; i < each; ++i) paths.push_back(name + '/' + std::to_string(i) + ".jpg");
  return paths;
}

}  // namespace

TEST_CASE("folders of classes: what is a class, and what is left out", "[layouts]") {
  auto const found = sort_into_classes(
      {"b/2.jpg", "b/1.PNG", "a/x/deep.jpeg", "a/._1.jpg", ".hidden/1.jpg", "readme.txt", "b/notes.txt", "1.jpg", "c/.jpg"},
      {.validation = 0, .test = 0}, "root");
  REQUIRE(found.classes == std::vector<std::string>{"a", "b"});
  REQUIRE(names(found.train) == std::set<std::string>{"a/x/deep.jpeg", "b/1.PNG", "b/2.jpg"});
  REQUIRE(found.train[0].label == 0);
  REQUIRE(found.train[2].label == 1);
  REQUIRE(found.left_out == 3);  // readme.txt, notes.txt, 1.jpg
  REQUIRE(found.test.empty());
}

TEST_CASE("folders of classes below train and test", "[layouts]") {
  auto const found =
      sort_into_classes({"train/b/1.jpg", "train/a/1.jpg", "train/a/2.jpg", "Valid/a/3.jpg", "test/b/4.jpg", "other/b/5.jpg"},
                        {.validation = .5, .test = .5}, "root");
  REQUIRE(found.classes == std::vector<std::string>{"a", "b"});
  REQUIRE(names(found.train) == std::set<std::string>{"train/a/1.jpg", "train/a/2.jpg", "train/b/1.jpg"});
  REQUIRE(names(found.validation) == std::set<std::string>{"Valid/a/3.jpg"});
  REQUIRE(found.test[0].label == 1);
  REQUIRE(found.left_out == 1);
  // Only 'train' beside other classes: a class of that name.
  REQUIRE(sort_into_classes({"train/1.jpg", "plane/1.jpg"}, {0, 0, 1}, "root").classes == std::vector<std::string>{"plane", "train"});
}

TEST_CASE("folders of classes below train alone, or beside what is no part", "[layouts]") {
  auto const found =
      sort_into_classes({"train/dog/1.jpg", "train/cat/1.jpg", "train/cat/2.jpg", "train/notes.txt", "readme.txt"}, {0, 0, 1}, "root");
  REQUIRE(found.classes == std::vector<std::string>{"cat", "dog"});
  REQUIRE(names(found.train) == std::set<std::string>{"train/cat/1.jpg", "train/cat/2.jpg", "train/dog/1.jpg"});
  REQUIRE(found.left_out == 2);
  tests::require_message(tests::refusal([] {
                           static_cast<void>(sort_into_classes({"Train/cat/1.jpg", "Train/dog/1.jpg", "dev/cat/1.jpg"}, {0, 0, 1}, "root"));
                         }),
                         {"'root' has folders of classes in 'Train', and 'dev' beside it", "call that test or val"});
  // A class of that name, which has pictures of its own, or one folder.
  for (auto const& paths :
       {std::vector<std::string>{"train/1.jpg", "train/a/1.jpg", "train/b/1.jpg", "plane/1.jpg"}, {"train/a/1.jpg", "plane/1.jpg"}})
    REQUIRE(sort_into_classes(paths, {0, 0, 1}, "root").classes == std::vector<std::string>{"plane", "train"});
}

TEST_CASE("links that lead nowhere are samples, and folders that go on for ever are refused", "[layouts]") {
  using c2f::data::detail::files_below;
  tests::scratch const dir;
  put(dir.path / "a/1.jpg", "");
  fs::create_symlink(dir.path / "nowhere.jpg", dir.path / "a/2.jpg");
  fs::create_symlink(dir.path / "a/3.jpg", dir.path / "a/3.jpg");
  auto found = files_below(dir.path);
  std::sort(found.begin(), found.end());
  REQUIRE(found == std::vector<std::string>{"a/1.jpg", "a/2.jpg", "a/3.jpg"});
  REQUIRE(files_below(dir.path, 4).size() == 3);
  tests::require_message(tests::refusal([&] { (void)files_below(dir.path, 3); }), {"has more than 3 files and folders below it"});
  // Each of the folders has two links to the next one: 2^12 ways to the last.
  for (int i = 0; i < 12; ++i) {
    fs::path const at = dir.path / "chain" / std::to_string(i), next = dir.path / "chain" / std::to_string(i + 1);
    fs::create_directories(at), fs::create_directories(next);
    for (char const* const name : {"x", "y"}) fs::create_directory_symlink(next, at / name);
  }
  tests::require_message(tests::refusal([&] { (void)files_below(dir.path / "chain/0", 2000); }), {"has more than 2000 files"});
  fs::path deep = dir.path / "deep";
  for (int i = 0; i < 31; ++i) deep /= "d";
  put(deep / "1.jpg", "");
  REQUIRE(files_below(dir.path / "deep").size() == 1);
  put(deep / "e/2.jpg", "");
  tests::require_message(tests::refusal([&] { (void)files_below(dir.path / "deep"); }), {"/d/e' is 32 folders below"});
}

TEST_CASE("a held-out part is stratified, keyed by names, and stays where it is when pictures are added", "[layouts]") {
  auto paths       = many({"a", "b", "c"}, 40);
  auto const found = sort_into_classes(paths, {.validation = .1, .test = .25, .seed = 5}, "root");
  for (std::int64_t label = 0; label < 3; ++label) {
    auto const of = [&](auto const& list) {
      return std::count_if(list.begin(), list.end(), [&](auto const& each) { return each.label == label; });
    };
    REQUIRE(of(found.test) == 10);
    REQUIRE(of(found.validation) == 3);
    REQUIRE(of(found.train) == 27);
  }
  std::set<std::string> all = names(found.train);
  all.merge(names(found.validation));
  all.merge(names(found.test));
  REQUIRE(all.size() == 120);
  std::reverse(paths.begin(), paths.end());
  REQUIRE(names(sort_into_classes(paths, {.1, .25, 5}, "root").test) == names(found.test));
  REQUIRE(names(sort_into_classes(paths, {.1, .25, 6}, "root").test) != names(found.test));
  paths.push_back("a/more.jpg");
  std::set<std::string> moved, after = names(sort_into_classes(paths, {.1, .25, 5}, "root").test), before = names(found.test);
  std::set_symmetric_difference(before.begin(), before.end(), after.begin(), after.end(), std::inserter(moved, moved.end()));
  REQUIRE(moved.size() <= 2);
}

TEST_CASE("folders of classes that cannot be used", "[layouts]") {
  auto const refusal = [](std::vector<std::string> paths, partition_options how = {0, 0, 1}) {
    return tests::refusal([&] { static_cast<void>(sort_into_classes(std::move(paths), how, "root")); });
  };
  tests::require_message(refusal({}), {"'root' has pictures in 0 folders"});
  tests::require_message(refusal({"a/1.jpg"}), {"in 1 folders"});
  tests::require_message(refusal({"train/a/1.jpg", "train/b/1.jpg", "test/c/1.jpg"}), {"the class 'c' for testing", "'test/c/1.jpg'"});
  tests::require_message(refusal({"a/1.jpg", "b/1.jpg"}, {.validation = .1, .test = 1}), {"a fraction of 1"});
  tests::require_message(refusal({"a/1.jpg", "b/1.jpg"}, {.validation = 0, .test = .6}), {"leaves no picture to train on"});
  tests::require_message(tests::refusal([] { static_cast<void>(list_class_folders("/nowhere/at/all")); }),
                         {"cannot list", "/nowhere/at/all"});
}

TEST_CASE("a sample is the resized picture, and links are followed", "[layouts]") {
  tests::scratch const dir;
  put_picture(dir.path / "real/red.png", 20, 10, {255, 0, 0});
  put_picture(dir.path / "data/blue/1.png", 8, 8, {0, 0, 255});
  put(dir.path / "data/blue/broken.jpg", "\xff\xd8\xff");
  fs::create_directories(dir.path / "data/red");
  fs::create_symlink(dir.path / "real/red.png", dir.path / "data/red/1.png");
  fs::create_directory_symlink(dir.path / "data", dir.path / "data/red/endless");
  class_folders<8> const data{{.root = dir.path / "data", .resize = resizing::letterbox, .partition = {0, 0, 1}}};
  REQUIRE(data.train.size() == 3);
  std::vector<float> pixels(3 * 8 * 8);
  std::int64_t label = -1;
  for (std::int64_t id = 0; id < data.train.size(); ++id) {
    if (data.train.name_of(id) == "blue/broken.jpg") {
      tests::require_message(tests::refusal([&] { data.train.read(id, nullptr, pixels.data(), &label); }), {"broken.jpg"});
      continue;
    }
    data.train.read(id, nullptr, pixels.data(), &label);
    bool const red = data.train.name_of(id) == "red/1.png";
    if (!red && data.train.name_of(id) != "blue/1.png") continue;
    REQUIRE(label == (red ? 1 : 0));
    float const* const middle = pixels.data() + 3 * (4 * 8 + 4);
    REQUIRE(std::abs(middle[0] - ((red ? 1.0f : 0.0f) - .485f) / .229f) < 1e-5);
    REQUIRE(std::abs(middle[2] - ((red ? 0.0f : 1.0f) - .406f) / .225f) < 1e-5);
    REQUIRE(std::abs(pixels[0]) < (red ? .01f : 100.0f));  // padding is the mean
    c2f::random_stream draw{1, c2f::purpose::augment, 0, 0};
    data.train.read(id, &draw, pixels.data(), &label);
    for (float const each : pixels) REQUIRE(std::isfinite(each));
  }
}

TEST_CASE("masks are read by their table", "[layouts]") {
  tests::scratch const dir;
  for (char const* const name : {"a", "b", "c"}) {
    put_picture(dir.path / "images" / (std::string(name) + ".png"), 4, 2, {10, 20, 30});
    put_mask(dir.path / "masks" / (std::string(name) + ".png"), 4, 2, {0, 0, 255, 255, 0, 7, 255, 255});
  }
  mask_folders_options options{.root = dir.path, .table = mask_table({{"ground", {0}}, {"cell", {255}}}, {7}), .partition = {0, 0, 1}};
  options.partition.test = .34;
  mask_folders<4> const data(options);
  REQUIRE(data.train.size() == 2);
  REQUIRE(data.test.size() == 1);
  REQUIRE(data.train.classes() == std::vector<std::string>{"ground", "cell"});
  std::vector<float> pixels(3 * 16);
  std::vector<std::int64_t> truth(16);
  data.train.read(0, nullptr, pixels.data(), truth.data());
  // 4 x 2 on a square of 4: a row of padding above and below.
  REQUIRE(truth == std::vector<std::int64_t>{255, 255, 255, 255, 0, 0, 1, 1, 0, 255, 1, 1, 255, 255, 255, 255});
  c2f::random_stream draw{1, c2f::purpose::augment, 0, 0};
  for (int i = 0; i < 20; ++i) {
    data.train.read(0, &draw, pixels.data(), truth.data());
    for (auto const each : truth) REQUIRE((each == 0 || each == 1 || each == 255));
  }
  // Mirrored alone: pixels and labels alike.
  options.augment = {.flip = true, .scale = 0, .shift = 0, .gain = 0};
  mask_folders<4> const flipped(options);
  bool seen = false;
  for (int i = 0; i < 20; ++i) {
    flipped.train.read(0, &draw, pixels.data(), truth.data());
    if (truth[4] == 1) {
      REQUIRE(truth == std::vector<std::int64_t>{255, 255, 255, 255, 1, 1, 0, 0, 1, 1, 255, 0, 255, 255, 255, 255});
      seen = true;
    }
  }
  REQUIRE(seen);
}

TEST_CASE("pairs that are none, and tables that cannot be", "[layouts]") {
  tests::scratch const dir;
  put_picture(dir.path / "images/a.png", 4, 2, {});
  put_picture(dir.path / "images/alone.png", 4, 2, {});
  put_picture(dir.path / "images/other.png", 4, 3, {});
  put_mask(dir.path / "masks/a.png", 4, 2, {0, 1, 0, 1, 0, 1, 9, 0});
  put_mask(dir.path / "masks/other.png", 4, 2, {0, 1, 0, 1, 0, 1, 0, 0});
  mask_folders<4> const data{{.root = dir.path, .table = mask_table::numbered({"x", "y"}), .partition = {0, 0, 1}}};
  std::vector<float> pixels(3 * 16);
  std::vector<std::int64_t> truth(16);
  auto const refusal = [&](std::int64_t id) { return tests::refusal([&] { data.train.read(id, nullptr, pixels.data(), truth.data()); }); };
  tests::require_message(refusal(0), {"the mask of 'a' has the byte 9"});
  tests::require_message(refusal(1), {"alone.png' has no mask"});
  tests::require_message(refusal(2), {"other.png' has labels of 4 x 2", "4 x 3"});
  using entry = mask_table::entry;
  tests::require_message(tests::refusal([] { mask_table(std::vector<entry>{{"x", {0}}}); }), {"1 classes"});
  tests::require_message(tests::refusal([] { mask_table(std::vector<entry>{{"x", {0}}, {"y", {0}}}); }), {"the byte 0 twice"});
  tests::require_message(tests::refusal([] { mask_table(std::vector<entry>{{"x", {0}}, {"y", {}}}); }), {"no byte for the class 'y'"});
  REQUIRE(mask_table().label(0) == -1);
  tests::require_message(tests::refusal([&] { mask_folders<4>{{.root = dir.path, .table = {}}}; }),
                         {"the masks of train have no table", "mask_table({{"});
  REQUIRE_FALSE(list_mask_folders(dir.path / "images"));
  tests::require_message(tests::refusal([&] { mask_folders<4>{{.root = dir.path / "images", .table = mask_table::numbered({"x", "y"})}}; }),
                         {"has no folders of pictures and masks"});
}

TEST_CASE("folders of masks by part: each name of a part, and no half", "[layouts]") {
  for (bool const beside : {false, true}) {
    CAPTURE(beside);
    tests::scratch const dir;
    auto const add = [&](std::string const& part, bool picture, bool mask) {
      if (picture) put_picture(dir.path / (beside ? part : "images/" + part) / "1.png", 4, 2, {});
      if (mask) put_mask(dir.path / (beside ? part + "annot" : "masks/" + part) / "1.png", 4, 2, std::vector<std::uint8_t>(8));
    };
    auto const refused = [&] { return tests::refusal([&] { (void)list_mask_folders(dir.path, {0, 0, 1}); }); };
    add("train", true, true), add("valid", true, true);
    auto const found = list_mask_folders(dir.path, {0, 0, 1});
    REQUIRE(found->train.size() == 1);
    REQUIRE(found->validation.size() == 1);
    REQUIRE(found->validation[0].mask.string().find("valid") != std::string::npos);
    add("test", true, false);
    tests::require_message(refused(), {"test' has no folder of masks of its name"});
    add("test", true, true);
    REQUIRE(list_mask_folders(dir.path, {0, 0, 1})->test.size() == 1);
    add("val", true, true);
    tests::require_message(refused(), {"/val", "/valid", "are of one part of the data"});
  }
}

namespace {
constexpr char const* coco_text = R"({"info": {"x": [1, {"bbox": [9, 9, 9, 9]}]},
  "annotations": [
    {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30.5, 40], "area": 5, "iscrowd": 0, "segmentation": [[1, 2, 3, 4, 5, 6]]},
    {"id": 2, "image_id": 7, "category_id": 3, "bbox": [0, 0, 4, 4]},
    {"id": 3, "image_id": 5, "category_id": 1, "bbox": [-0.5, 0, 100.9, 50]},
    {"id": 4, "image_id": 5, "category_id": 1, "bbox": [0, 0, 9, 9], "iscrowd": 1, "segmentation": {"counts": "abc", "size": [50, 100]}},
    {"id": 5, "image_id": 6, "category_id": 3, "bbox": [0, 0, 50, 0]}],
  "images": [{"id": 7, "file_name": "seven.png", "width": 100, "height": 80, "license": 1}, {"id": 5, "file_name": "five.png", "width": 100, "height": 50},
             {"id": 6, "file_name": "six.png", "width": 100, "height": 50}],
  "categories": [{"id": 3, "name": "dog", "supercategory": "animal"}, {"id": 1, "name": "cat"}, {"id": 2, "name": "nobody"}]})";
coco_list parsed(std::string const& text) {
  return parse_coco({reinterpret_cast<std::uint8_t const*>(text.data()), text.size()}, "file.json");
}
std::string replaced(std::string text, std::string const& from, std::string const& to) {
  auto const at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}
}  // namespace

TEST_CASE("COCO's instances", "[layouts]") {
  auto const list = parsed(coco_text);
  REQUIRE(list.classes == std::vector<std::string>{"cat", "nobody", "dog"});
  REQUIRE(list.pictures.size() == 3);
  REQUIRE(list.pictures[0].file == "five.png");
  REQUIRE(list.pictures[2].width == 100);
  REQUIRE(list.pictures[2].height == 80);
  REQUIRE(list.pictures[2].objects.size() == 2);
  REQUIRE(list.pictures[2].objects[0].label == 2);
  REQUIRE((list.pictures[2].objects[0].where == c2f::metrics::box{10, 20, 40.5, 60}));
  REQUIRE(list.crowds == 1);

  tests::scratch const dir;
  put(dir.path / "annotations/instances_train2017.json", coco_text);
  put(dir.path / "annotations/instances_val2017.json", coco_text);
  put(dir.path / "annotations/captions_train2017.json", "no json");
  for (char const* part : {"train2017", "val2017"}) {
    put_picture(dir.path / part / "seven.png", 100, 80, {});
    put_picture(dir.path / part / "five.png", 100, 50, {});
  }
  coco<2, 50> const data{{.root = dir.path, .objects = object_choice::largest}};
  REQUIRE(data.train.classes() == std::vector<std::string>{"cat", "dog"});
  REQUIRE(data.train.size() == 3);
  std::vector<float> pixels(3 * 50 * 50), truth(10);
  data.train.read(2, nullptr, pixels.data(), truth.data());  // seven: scale .5, 5 pixels of padding above
  REQUIRE(truth[4] == 0);
  for (auto const& [at, value] : {std::pair{5, 25.25 / 100}, {6, (40 * .5 + 5) / 50}, {7, 30.5 / 100}, {8, .4}, {9, 1.0}})
    REQUIRE(std::abs(truth[static_cast<std::size_t>(at)] - value) < 1e-6);
  data.train.read(0, nullptr, pixels.data(), truth.data());  // five: clipped by up to a pixel to the whole picture
  for (auto const& [at, value] : {std::pair{0, .5}, {1, .5}, {2, 1.0}, {3, .5}, {4, 1.0}, {9, 0.0}})
    REQUIRE(std::abs(truth[static_cast<std::size_t>(at)] - value) < 1e-6);
  tests::require_message(data.train.fault(1), {"the box 0, 0, 50, 0 has no area"});
  put(dir.path / "annotations/instances_train2017.json", replaced(coco_text, "\"file_name\": \"five.png\"", "\"file_name\": \"six.png\""));
  tests::require_message(tests::refusal([&] { coco<2, 50>{{.root = dir.path, .objects = object_choice::largest}}; }),
                         {"lists the picture", "six.png' twice"});
  put(dir.path / "annotations/instances_train2017.json", coco_text);
  // Pascal's own choice applies as well.
  coco<2, 50> const single{{.root = dir.path}};
  REQUIRE(single.train.size() == 2);
}

TEST_CASE("the split of a COCO file is a word of its name, or of its folder", "[layouts]") {
  using c2f::data::detail::find_coco_files;
  tests::scratch const dir;
  auto const list = [&](std::string const& root, std::vector<std::string> const& files) {
    for (auto const& file : files) put(dir.path / root / file, "{}");
    auto const found = find_coco_files(dir.path / root);
    REQUIRE(found);
    auto const text = [&](char const* part, std::vector<fs::path> const& of) {
      std::string made = part;
      for (auto const& file : of) made += ' ' + fs::relative(file, dir.path / root).string();
      return made;
    };
    return text("train", found->train) + text(" val", found->validation) + text(" test", found->test);
  };
  REQUIRE(list("coco_train", {"annotations/instances_train2017.json", "annotations/instances_val2017.json"}) ==
          "train annotations/instances_train2017.json val annotations/instances_val2017.json test");
  REQUIRE(list("a_train", {"instances_train.json", "instances_val.json", "instances_test-dev.json"}) ==
          "train instances_train.json val instances_val.json test instances_test-dev.json");
  REQUIRE(list("b", {"train/_annotations.coco.json", "valid/_annotations.coco.json", "test/_annotations.coco.json"}) ==
          "train train/_annotations.coco.json val valid/_annotations.coco.json test test/_annotations.coco.json");
  REQUIRE(list("c", {"instances_trainval2014.json", "instances_minival2014.json"}) ==
          "train instances_trainval2014.json val instances_minival2014.json test");
  REQUIRE(list("d_val", {"latest.json", "interval.json"}) == "train interval.json latest.json val test");
  REQUIRE(list("e", {"instances_val.json"}) == "train instances_val.json val test");
  for (auto const& file : {"interval.json", "train.json"}) put(dir.path / "f" / file, "{}");
  tests::require_message(tests::refusal([&] { static_cast<void>(find_coco_files(dir.path / "f")); }),
                         {"interval.json' is of no split by its name", "write train, val or test"});
}

TEST_CASE("a file that is no COCO instances file", "[layouts]") {
  auto const refuse = [](std::string const& text, std::vector<std::string> const& parts) {
    tests::require_message(tests::refusal([&] { static_cast<void>(parsed(text)); }), parts);
  };
  std::string const good = coco_text;
  refuse("", {"'file.json' is no JSON"});
  refuse("[]", {"is no object"});
  refuse("{}", {"no 'categories'"});
  refuse(good.substr(0, good.size() - 1), {"is no JSON"});
  refuse(std::string(1000, '['), {"is no object"});
  refuse(R"({"a":)" + std::string(1000, '['), {"nested deeper"});
  refuse(replaced(good, "\"file_name\": \"seven.png\"", "\"file_name\": \"../seven.png\""), {"element 1 of 'images'", "'../seven.png'"});
  refuse(replaced(good, "\"file_name\": \"seven.png\"", "\"file_name\": \"/etc/passwd\""), {"'/etc/passwd'"});
  refuse(replaced(good, "\"width\": 100", "\"width\": 0"), {"a width or height of 0"});
  refuse(replaced(good, "\"width\": 100", "\"width\": \"100\""), {"no whole number 'width'"});
  refuse(replaced(good, "\"image_id\": 7", "\"image_id\": 8"), {"the image 8"});
  refuse(replaced(good, "\"category_id\": 3", "\"category_id\": 9"), {"the category 9"});
  refuse(replaced(good, "[10, 20, 30.5, 40]", "[10, 20, 30.5]"), {"element 1 of 'annotations'", "no 'bbox' of four numbers"});
  refuse(replaced(good, "[10, 20, 30.5, 40]", "[10, 20, 30.5, 40, 1]"), {"no 'bbox'"});
  refuse(replaced(good, "\"id\": 1, \"name\"", "\"id\": 3, \"name\""), {"element 2 of 'categories'", "the id 3 again"});
  refuse(replaced(good, "\"id\": 5, \"file_name\"", "\"id\": 7, \"file_name\""), {"element 2 of 'images'", "the id 7 again"});
  refuse(replaced(good, "\"name\": \"cat\"", "\"name\": \"\""), {"no text 'name'"});
}
