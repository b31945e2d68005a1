// The layouts of fine-grained data sets, each made of ten pictures, and what is wrong with a list in one sentence. Oxford-IIIT Pet is real.
#include <c2f/data/datasets/fine_grained.hpp>
#include <c2f/data/draw/canvas.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

namespace fs = std::filesystem;
using namespace c2f::data;
using tests::refusal;

/// A data set of ten pictures; its lists are texts that a test may change.
struct layout : tests::scratch {
  void picture(std::string const& name, int i) const {
    fs::create_directories((path / name).parent_path());
    canvas(20 + i, 30 - i, {static_cast<std::uint8_t>(20 * i), 100, 50}).write_png(path / name);  // the content decides, not the ending
  }
  void text(std::string const& name, std::string const& content) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << content;
  }
};
std::set<std::string> names_of(std::vector<classified_name> const& list) {
  std::set<std::string> names;
  for (auto const& each : list) names.insert(each.name + " " + std::to_string(each.label));
  return names;
}
/// Every picture can be read through splits of the lists.
void readable(picture_lists const& lists, std::int64_t train, std::int64_t test) {
  class_folders<16> const data({.root = lists.root}, lists);
  REQUIRE(data.train.size() == train);
  REQUIRE(data.test.size() == test);
  REQUIRE(data.train.classes() == lists.classes);
  std::vector<float> pixels(3 * 16 * 16);
  for (auto const* split : {&data.train, &data.test})
    for (std::int64_t id = 0; id < split->size(); ++id) {
      std::int64_t label = -1;
      split->read(id, nullptr, pixels.data(), &label);
      REQUIRE(label == split->label(id));
      REQUIRE(label < std::ssize(lists.classes));
    }
}
using lines = std::vector<std::string>;
std::string joined(lines const& all) {
  std::string text;
  for (auto const& each : all) text += each + "\n";
  return text;
}

/// Five black-footed albatrosses and five crested auklets, of which 3, 4, 8, 9 and 10 are tested.
struct cub : layout {
  std::map<std::string, lines> lists{{"classes.txt", {"1 001.Black_footed_Albatross", "2 002.Crested_Auklet"}}};
  cub() {
    for (int i = 1; i <= 10; ++i) {
      std::string const n = std::to_string(i), folder = i <= 5 ? "001.Black_footed_Albatross" : "002.Crested_Auklet";
      std::string const name = folder + "/Bird_" + n + ".jpg";
      picture("images/" + name, i);
      lists["images.txt"].push_back(n + " " + name);
      lists["image_class_labels.txt"].push_back(n + (i <= 5 ? " 1" : " 2"));
      lists["train_test_split.txt"].push_back(n + (i % 5 < 3 && i != 10 && i != 5 ? " 1" : " 0"));
      lists["bounding_boxes.txt"].push_back(n + " " + std::to_string(i) + ".0 2.0 10.0 12.5");
    }
    write();
  }
  void write() const {
    for (auto const& [name, all] : lists) text(name, joined(all));
  }
  /// What is said when line i (from 0) of a list is another one.
  std::string with(std::string const& list, std::size_t i, std::string const& line) {
    std::string const before = std::exchange(lists[list][i], line);
    write();
    std::string const found = refusal([&] { (void)read_cub(path); });
    lists[list][i]          = before;
    write();
    return found;
  }
};

struct cars : layout {
  cars() {
    text("class_names.txt", "AM General Hummer SUV 2000\nRam C/V Cargo Van Minivan 2012\n");
    std::string train, test;
    for (int i = 1; i <= 10; ++i) {
      std::string const part = i <= 6 ? "train" : "test", name = "cars_" + part + "/0000" + std::to_string(i) + ".jpg";
      picture(name, i);
      (i <= 6 ? train : test) += name + " " + std::to_string(1 + i % 2) + " 3 4 12 15\n";
    }
    text("cars_train.txt", train), text("cars_test.txt", test);
  }
};

struct dogs : layout {
  dogs() {
    std::string train, test;
    for (int i = 1; i <= 10; ++i) {
      std::string const name = std::string(i % 2 == 0 ? "n02085620-Chihuahua" : "n02085782-Japanese_spaniel") + "/n0_" + std::to_string(i);
      picture("Images/" + name + ".jpg", i);
      text("Annotation/" + name,
           "<annotation><size><width>30</width><height>20</height><depth>3</depth></size><object><name>dog</name><bndbox><xmin>2</"
           "xmin><ymin>3"
           "</ymin><xmax>20</xmax><ymax>" +
               std::to_string(5 + i) + "</ymax></bndbox></object></annotation>");
      (i <= 6 ? train : test) += name + ".jpg\n";
    }
    text("train_list.txt", train), text("test_list.txt", test);
  }
};

std::string inat_json(int from, int to, std::string const& category = "") {
  std::string images, annotations;
  for (int i = from; i <= to; ++i) {
    std::string const n = std::to_string(i), comma = i < to ? "," : "";
    images += R"({"license":1,"file_name":"train_val_images/Aves/Larus/)" + n +
              R"(.jpg","rights_holder":"A","height":20,"width":30,"id":)" + n + "}" + comma;
    annotations += R"({"image_id":)" + n + R"(,"category_id":)" + (category.empty() ? std::to_string(100 + i % 3) : category) +
                   R"(,"id":)" + n + "}" + comma;
  }
  return R"({"info":{"year":2017},"images":[)" + images + R"(],"licenses":[],"annotations":[)" + annotations +
         R"(],"categories":[{"id":102,"name":"Larus c","supercategory":"Aves"},{"id":100,"name":"Larus a","supercategory":"Aves"},)"
         R"({"id":101,"name":"Larus b","supercategory":"Aves"}]})";
}
std::vector<std::uint8_t> bytes_of(std::string const& text) { return {text.begin(), text.end()}; }

}  // namespace

TEST_CASE("CUB-200-2011: five lists and boxes in pixels") {
  cub set;
  auto const lists = read_cub(set.path, {.validation = 0});
  REQUIRE(lists.classes == lines{"001.Black_footed_Albatross", "002.Crested_Auklet"});
  REQUIRE(names_of(lists.train) ==
          std::set<std::string>{"images/001.Black_footed_Albatross/Bird_1.jpg 0", "images/001.Black_footed_Albatross/Bird_2.jpg 0",
                                "images/002.Crested_Auklet/Bird_6.jpg 1", "images/002.Crested_Auklet/Bird_7.jpg 1"});
  REQUIRE(lists.test.size() == 6);
  REQUIRE(lists.boxes.at("images/002.Crested_Auklet/Bird_7.jpg") == c2f::metrics::box{7, 2, 17, 14.5});
  readable(lists, 4, 6);
  // Half of the training pictures of each class are held out, the same ones again.
  auto const held = read_cub(set.path, {.validation = 0.5});
  REQUIRE(held.train.size() == 2);
  REQUIRE(held.validation.size() == 2);
  REQUIRE(names_of(held.validation) == names_of(read_cub(set.path, {.validation = 0.5}).validation));

  REQUIRE(tests::has(set.with("images.txt", 2, "3"),
                     "images.txt', line 3 names '', which is no picture below the folder; write a name that ends in"));
  REQUIRE(tests::has(set.with("images.txt", 2, "3 ../x.jpg"), "line 3 names '../x.jpg', which is no picture below the folder"));
  REQUIRE(tests::has(set.with("images.txt", 2, "2 001.Black_footed_Albatross/Bird_3.jpg"),
                     "line 3 lists '2' again, after line 2; take one of the lines out"));
  REQUIRE(tests::has(set.with("images.txt", 2, "33 001.Black_footed_Albatross/Bird_3.jpg"),
                     "line 3 names a picture without a class; add it to image_class_labels.txt"));
  REQUIRE(tests::has(set.with("image_class_labels.txt", 0, "1 3"), "line 1 has the class '3'; write the number of a class of classes.txt"));
  REQUIRE(tests::has(set.with("train_test_split.txt", 4, "5 2"), "line 5 has the part 2; write 0 to 1"));
  REQUIRE(tests::has(set.with("train_test_split.txt", 4, "5 yes"), "line 5 is '5 yes'; write a picture's number and 0 or 1"));
  REQUIRE(tests::has(set.with("train_test_split.txt", 4, "50 1"),
                     "images.txt', line 5 names a picture of no split; add it to train_test_split.txt"));
  REQUIRE(tests::has(set.with("classes.txt", 1, "2"), "classes.txt', line 2 is '2'; write a number and the name of a class"));
  REQUIRE(
      tests::has(set.with("bounding_boxes.txt", 1, "2 1 2 3"), "line 2 is '2 1 2 3'; write a picture's number, x, y, width and height"));
  REQUIRE(tests::has(set.with("bounding_boxes.txt", 1, "2 1 2 0 3"), "line 2 has a box without area"));
  REQUIRE(tests::has(set.with("bounding_boxes.txt", 1, "22 1 2 3 3"), "line 2 has a box of picture '22'; write a number of images.txt"));
  REQUIRE(tests::has(set.with("images.txt", 1, "2 a\x01.jpg"), "control characters"));
  cub cut;  // a copy of the list of pictures that ended too soon
  cut.lists["images.txt"].pop_back();
  cut.lists.erase("bounding_boxes.txt");
  std::filesystem::remove(cut.path / "bounding_boxes.txt");
  cut.write();
  REQUIRE(
      tests::has(refusal([&] { (void)read_cub(cut.path); }), "image_class_labels.txt', line 10 names picture '10'; add it to images.txt"));
  REQUIRE(tests::has(set.with("images.txt", 2, "3 001.Black_footed_Albatross/Bird_2.jpg"),
                     "line 3 lists '001.Black_footed_Albatross/Bird_2.jpg' under a second number; take one of the lines out"));
  fs::remove(set.path / "bounding_boxes.txt");
  REQUIRE(read_cub(set.path).boxes.empty());
  fs::remove(set.path / "classes.txt");
  REQUIRE(tests::has(refusal([&] { (void)read_cub(set.path); }), "classes.txt"));
  set.text("classes.txt", "\n");
  REQUIRE(tests::has(refusal([&] { (void)read_cub(set.path); }), "classes.txt' has no line; copy the list again"));
}

TEST_CASE("FGVC-Aircraft: variants with blanks and slashes, two lists, boxes from 1") {
  layout set;
  std::string trainval, test, boxes;
  for (int i = 1; i <= 10; ++i) {
    std::string const n = "00343" + std::to_string(10 + i);
    set.picture("data/images/" + n + ".jpg", i);
    (i <= 6 ? trainval : test) += n + (i % 2 == 0 ? " Cessna 172\n" : " F/A-18\n");
    boxes += n + " 1 2 20 11\n";
  }
  set.text("data/variants.txt", "Cessna 172\nF/A-18\n");
  set.text("data/images_variant_trainval.txt", trainval);
  set.text("data/images_variant_test.txt", test);
  set.text("data/images_box.txt", boxes);
  auto const lists = read_aircraft(set.path, {.validation = 0});
  REQUIRE(lists.classes == lines{"Cessna 172", "F/A-18"});
  REQUIRE(names_of(lists.test) == std::set<std::string>{"data/images/0034317.jpg 1", "data/images/0034318.jpg 0",
                                                        "data/images/0034319.jpg 1", "data/images/0034320.jpg 0"});
  REQUIRE(lists.boxes.at("data/images/0034317.jpg") == c2f::metrics::box{0, 1, 20, 11});
  readable(lists, 6, 4);
  auto const refused = [&] { return refusal([&] { (void)read_aircraft(set.path); }); };
  set.text("data/images_variant_test.txt", test + "0034311 Cessna 172\n");
  REQUIRE(tests::has(refused(), "line 5 lists '0034311', a picture of the other list, too; take it out of one"));
  set.text("data/images_variant_test.txt", "0034317 Cessna 180\n");
  REQUIRE(tests::has(refused(), "line 1 has the variant 'Cessna 180'; write one of variants.txt"));
  set.text("data/images_variant_test.txt", test);
  set.text("data/images_box.txt", "0034311 5 5 4 9\n");
  REQUIRE(tests::has(refused(), "images_box.txt', line 1 has a box without area"));
  set.text("data/images_box.txt", "0034311 1 2 20 11\n9999999 1 2 20 11\n");
  REQUIRE(tests::has(refused(), "line 2 has a box of '9999999', a picture of neither list; add it to one, or take the line out"));
  set.text("data/images_box.txt", "0034311 1 2 20 11\n0034311 1 2 20 12\n");
  REQUIRE(tests::has(refused(), "line 2 lists '0034311' again, after line 1"));
  set.text("data/variants.txt", "Cessna 172\nF/A-18\nCessna 172\n");
  REQUIRE(tests::has(refused(), "line 3 names the class 'Cessna 172' again; take it out"));
}

TEST_CASE("Stanford Cars: lists that the documented script makes of the .mat files") {
  cars set;
  auto const lists = read_cars(set.path, {.validation = 0});
  REQUIRE(lists.classes == lines{"AM General Hummer SUV 2000", "Ram C/V Cargo Van Minivan 2012"});
  REQUIRE(lists.train.front().label == 1);
  REQUIRE(lists.boxes.at("cars_test/00007.jpg") == c2f::metrics::box{2, 3, 12, 15});
  readable(lists, 6, 4);
  auto const refused = [&](std::string const& line) {
    set.text("cars_test.txt", line);
    return refusal([&] { (void)read_cars(set.path); });
  };
  REQUIRE(tests::has(refused("cars_test/00007.jpg 3 1 1 2 2\n"), "cars_test.txt', line 1 has the class 3; write 1 to 2"));
  REQUIRE(tests::has(refused("cars_test/00007.jpg 1.5 1 1 2 2\n"), "has the class 1.5"));
  REQUIRE(
      tests::has(refused("cars_test/00007.jpg 1\n"), "line 1 is 'cars_test/00007.jpg 1'; write a picture, its class and x1, y1, x2, y2"));
  REQUIRE(tests::has(refused("cars_test/00007.jpg 1 1 1 2 2 2\n"), "write a picture, its class and x1, y1, x2, y2"));
  REQUIRE(tests::has(refused("cars_test/00007.jpg 1 9 1 2 2\n"), "has a box without area"));
  REQUIRE(tests::has(refused("cars_train/00001.jpg 1 1 1 2 2\n"), "a picture of the other list, too"));
  REQUIRE(tests::has(refused("/etc/passwd 1 1 1 2 2\n"), "which is no picture below the folder"));
}

TEST_CASE("Stanford Dogs: the class is the folder, the box an annotation without ending") {
  dogs set;
  auto const lists = read_dogs(set.path, {.validation = 0}, true);
  REQUIRE(lists.classes == lines{"n02085620-Chihuahua", "n02085782-Japanese_spaniel"});
  REQUIRE(lists.boxes.at("Images/n02085620-Chihuahua/n0_4.jpg") == c2f::metrics::box{2, 3, 20, 9});
  REQUIRE(read_dogs(set.path).boxes.empty());
  readable(lists, 6, 4);
  auto const refused = [&](std::string const& line) {
    set.text("test_list.txt", line);
    return refusal([&] { (void)read_dogs(set.path, {}, true); });
  };
  REQUIRE(tests::has(refused("n0_7.jpg\n"), "test_list.txt', line 1 is 'n0_7.jpg'; write one name a line, CLASS/FILE.jpg"));
  REQUIRE(tests::has(refused("n02085620-Chihuahua/n0_2.jpg\n"), "a picture of the other list, too"));
  set.text("Annotation/n02085620-Chihuahua/n0_8",
           "<annotation><size><width>30</width><height>20</height><depth>3</depth></size></annotation>");
  REQUIRE(tests::has(refused("n02085620-Chihuahua/n0_8.jpg\n"), "n0_8' has no <object>; correct the annotation, or take the file out"));
}

TEST_CASE("iNaturalist 2017: classes by their ids, validation pictures to test") {
  layout set;
  for (int i = 1; i <= 10; ++i) set.picture("train_val_images/Aves/Larus/" + std::to_string(i) + ".jpg", i);
  set.text("train2017.json", inat_json(1, 6)), set.text("val2017.json", inat_json(7, 10));
  auto const lists = read_inat(set.path, {.validation = 0});
  REQUIRE(lists.classes == lines{"Larus a", "Larus b", "Larus c"});
  REQUIRE(names_of(lists.test) == std::set<std::string>{"train_val_images/Aves/Larus/7.jpg 1", "train_val_images/Aves/Larus/8.jpg 2",
                                                        "train_val_images/Aves/Larus/9.jpg 0", "train_val_images/Aves/Larus/10.jpg 1"});
  readable(lists, 6, 4);
  for (auto const& [train, tested] : {std::pair{inat_json(1, 6), inat_json(6, 10)}, {inat_json(1, 6), inat_json(7, 10)}}) {
    std::string twice = train;
    if (tested == inat_json(7, 10)) twice.replace(twice.find("Larus/2.jpg"), 11, "Larus/3.jpg");
    set.text("train2017.json", twice), set.text("val2017.json", tested);
    REQUIRE(tests::has(refusal([&] { (void)read_inat(set.path); }), "lists the picture 'train_val_images/Aves/Larus/"));
  }
  set.text("train2017.json", inat_json(1, 6));
  auto const refused = [&](std::string const& json) { return refusal([&] { (void)detail::parse_inat(bytes_of(json), "f.json"); }); };
  auto const changed = [&](std::string const& from, std::string const& to) {
    std::string json = inat_json(1, 3);
    REQUIRE(json.find(from) != std::string::npos);
    return refused(json.replace(json.find(from), from.size(), to));
  };
  REQUIRE(refused(R"({"images": [)").starts_with("'f.json' is no JSON: byte"));
  REQUIRE(refused("[]") == "'f.json' is no iNaturalist file: it is no object; correct the file");
  REQUIRE(tests::has(refused("{}"), "it has no 'categories' with an id and a name each"));
  REQUIRE(tests::has(changed(R"("images":)", R"("pictures":)"), "has no 'images' with an id and a file_name each"));
  REQUIRE(tests::has(changed(R"("image_id":2)", R"("image_id":3)"), "has two annotations of the image 3"));
  REQUIRE(tests::has(changed(R"("image_id":2)", R"("image_id":9)"), "has an annotation of the image 9, which 'images' does not have"));
  REQUIRE(tests::has(changed(R"("image_id":2)", R"("image_id":"2")"), "has an element 2 of 'annotations' with no whole number 'image_id'"));
  REQUIRE(tests::has(changed(R"("category_id":102)", R"("category_id":7)"), "of the category 7, which 'categories' does not have"));
  REQUIRE(tests::has(changed("Larus/1.jpg", "../../x.jpg"),
                     "with the file_name 'train_val_images/Aves/../../x.jpg', which is no picture below the folder"));
  REQUIRE(tests::has(changed(R"("name":"Larus a")", R"("nom":"Larus a")"), "has an element 2 of 'categories' with no text 'name'"));
  REQUIRE(tests::has(changed(R"({"id":100)", R"({"id":102)"), "has an element 2 of 'categories' with the id 102 again"));
  REQUIRE(tests::has(refused(std::string(100, '[')), "no object"));
  REQUIRE(tests::has(refused("{\"a\":" + std::string(100, '[')), "is nested deeper than 64 levels"));
  set.text(
      "val2017.json",
      std::string(
          R"({"categories":[{"id":1,"name":"x"}],"images":[{"id":1,"file_name":"a.jpg"}],"annotations":[{"image_id":1,"category_id":1}]})"));
  REQUIRE(tests::has(refusal([&] { (void)read_inat(set.path); }), "val2017.json' has other categories than train2017.json"));
}

TEST_CASE("CelebA: chosen attributes as 0 and 1, and the published parts") {
  layout set;
  std::string table = "10\nMale Smiling Young \n", parts;
  for (int i = 1; i <= 10; ++i) {
    std::string const name = (i < 10 ? "00000" : "0000") + std::to_string(i) + ".jpg";
    set.picture("img_align_celeba/" + name, i);
    table += name + (i % 2 == 0 ? "  1" : " -1") + (i <= 5 ? "  1" : " -1") + " -1\n";
    parts += name + (i <= 6 ? " 0\n" : i <= 8 ? " 1\n" : " 2\n");
  }
  set.text("list_attr_celeba.txt", table), set.text("list_eval_partition.txt", parts);
  auto const lists = read_celeba(set.path, {"Smiling", "Male"});
  celeba<16, 2> const data(lists, {});
  REQUIRE(data.train.size() == 6);
  REQUIRE(data.validation.size() == 2);
  REQUIRE(data.test.size() == 2);
  REQUIRE(data.train.classes() == lines{"Smiling", "Male"});
  std::vector<float> pixels(3 * 16 * 16);
  for (std::int64_t id = 0; id < 6; ++id) {
    float truth[2]{-1, -1};
    data.train.read(id, nullptr, pixels.data(), truth);
    REQUIRE(truth[0] == (id + 1 <= 5 ? 1 : 0));
    REQUIRE(truth[1] == ((id + 1) % 2 == 0 ? 1 : 0));
    REQUIRE(data.train.name_of(id) == "00000" + std::to_string(id + 1) + ".jpg");
  }
  // The layout of the published archive, whose lists and pictures are in folders of their own.
  fs::create_directories(set.path / "Anno"), fs::create_directories(set.path / "Eval"), fs::create_directories(set.path / "Img");
  fs::rename(set.path / "list_attr_celeba.txt", set.path / "Anno/list_attr_celeba.txt");
  fs::rename(set.path / "list_eval_partition.txt", set.path / "Eval/list_eval_partition.txt");
  fs::rename(set.path / "img_align_celeba", set.path / "Img/img_align_celeba");
  REQUIRE(read_celeba(set.path, {"Male"}).root == set.path / "Img/img_align_celeba");

  REQUIRE(tests::has(refusal([&] { celeba<16, 3> const wrong(lists, {}); }),
                     "a split of 3 attributes was given 2; name as many as its type says"));
  REQUIRE(tests::has(refusal([&] { (void)read_celeba(set.path, {"Tall"}); }),
                     "has no attribute 'Tall'; it has 'Male' and 2 others, on its second line"));
  auto const refused = [](std::string const& text) { return refusal([&] { (void)detail::parse_attributes(bytes_of(text), "a.txt"); }); };
  REQUIRE(refused("ten\nMale\nx.jpg 1\n") == "'a.txt', line 1 is 'ten'; the first line is the number of pictures");
  REQUIRE(refused("1\n") == "'a.txt' has no second line, the names of the attributes; copy the list again");
  REQUIRE(refused("1\nMale Male\nx.jpg 1 1\n") == "'a.txt', line 2 names an attribute twice; copy the list again");
  REQUIRE(refused("1\nMale Young\nx.jpg 1\n") == "'a.txt', line 3 has 1 values; write one for each of 2 attributes");
  REQUIRE(refused("1\nMale\nx.jpg 0\n") == "'a.txt', line 3 has the value '0'; write 1 or -1");
  REQUIRE(refused("2\nMale\nx.jpg 1\n") == "'a.txt' lists 1 pictures, and its first line says 2; copy the list again");
  set.text("Eval/list_eval_partition.txt", "000011.jpg 0\n");
  REQUIRE(tests::has(refusal([&] { (void)read_celeba(set.path, {"Male"}); }),
                     "line 1 lists '000011.jpg', which has no attributes; take it out"));
  set.text("Eval/list_eval_partition.txt", "000001.jpg 0\n000002.jpg 3\n");
  REQUIRE(tests::has(refusal([&] { (void)read_celeba(set.path, {"Male"}); }), "line 2 has the part 3; write 0 to 2"));
  set.text("Eval/list_eval_partition.txt", "000001.jpg 0\n");
  REQUIRE(tests::has(refusal([&] { (void)read_celeba(set.path, {"Male"}); }),
                     "does not list '000002.jpg', which has attributes; copy both lists again"));
  set.text("Anno/list_attr_celeba.txt", "1\nMale\n000001.jpg 1\n");
  REQUIRE(tests::has(refusal([&] { (void)read_celeba(set.path, {"Male"}); }), "has no picture for testing; copy the list again"));
}

TEST_CASE("Oxford-IIIT Pet: the breed is in the name, and a keyed part of each breed is tested") {
  layout set;
  for (int i = 1; i <= 10; ++i)
    set.picture("images/" + std::string(i % 2 == 0 ? "american_bulldog_" : "Bengal_") + std::to_string(i) + ".jpg", i);
  auto const lists = read_pets(set.path, {.validation = 0, .test = 0.4});
  REQUIRE(lists.classes == lines{"Bengal", "american_bulldog"});
  readable(lists, 6, 4);
  set.picture("images/cat.jpg", 1);
  REQUIRE(tests::has(refusal([&] { (void)read_pets(set.path); }), "cat.jpg' has no breed in its name; pets are called BREED_12.jpg"));

  char const* const folder = std::getenv("C2F_DATA");
  if (folder == nullptr || !fs::exists(fs::path(folder) / "pets3")) return;
  auto const real = read_pets(fs::path(folder) / "pets3", {.validation = 0});
  REQUIRE(real.classes == lines{"Abyssinian", "Bengal", "american_bulldog"});
  REQUIRE(real.train.size() + real.test.size() == 598);
  REQUIRE(real.test.size() >= 118);
  REQUIRE(real.test.size() <= 121);
  REQUIRE(real.boxes.size() == 296);
  REQUIRE(real.boxes.at("images/Abyssinian_1.jpg") == c2f::metrics::box{213, 46, 272, 101});
}
