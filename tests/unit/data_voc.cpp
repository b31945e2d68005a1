// Pictures with boxes: small folders with every kind of fault, and the real sets, whose counts come from another program.
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/loader.hpp>
#include <c2f/data/datasets/voc.hpp>
#include <c2f/data/datasets/voc_objects.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "scratch.hpp"

namespace {

using namespace c2f::data;
using tests::has;
using tests::refusal;
namespace fs = std::filesystem;
static_assert(split<voc_split<3, 32>> && dataset<voc<1, 16>>);

std::string object(std::string const& name, std::string const& box) {
  auto const number = [&](int index) {
    std::size_t from = 0;
    for (int i = 0; i < index; ++i) from = box.find(' ', from) + 1;
    return box.substr(from, box.find(' ', from) - from);
  };
  return "<object><name>" + name + "</name><bndbox><xmin>" + number(0) + "</xmin><ymin>" + number(1) + "</ymin><xmax>" + number(2) +
         "</xmax><ymax>" + number(3) + "</ymax></bndbox></object>";
}
std::string annotation_of(int width, int height, std::string const& objects) {
  return "<annotation><size><width>" + std::to_string(width) + "</width><height>" + std::to_string(height) + "</height></size>" + objects +
         "</annotation>";
}

// A temporary folder in Pascal's layout or in the flat one.
struct folder : tests::scratch {
  fs::path root = path;
  bool flat;
  explicit folder(bool is_flat = false) : flat(is_flat) {
    for (auto const& name : flat ? std::vector{"images", "xmls"} : std::vector{"JPEGImages", "Annotations", "ImageSets/Main"})
      fs::create_directories(root / name);
  }

  void text(fs::path const& name, std::string const& words) const { std::ofstream(root / name, std::ios::binary) << words; }
  void xml(std::string const& name, std::string const& words) const { text((flat ? "xmls/" : "Annotations/") + name + ".xml", words); }
  // Red above, blue below.
  fs::path picture(std::string const& name, int width = 40, int height = 20) const {
    canvas page(width, height, {0, 0, 255});
    page.rectangle(0, 0, width, height / 2, {255, 0, 0});
    auto const file = root / (flat ? "images" : "JPEGImages") / (name + ".png");
    page.write_png(file);
    return file;
  }
  void sample(std::string const& name, std::string const& objects) const {
    picture(name);
    xml(name, annotation_of(40, 20, objects));
  }
  // The same sample by another name, since a picture is in one list alone.
  std::string again(std::string const& name) const {
    for (auto const& [below, ending] : {std::pair{"JPEGImages", ".png"}, {"Annotations", ".xml"}})
      if (fs::exists(root / below / (name + ending)))
        fs::copy_file(root / below / (name + ending), root / below / (name + "t" + ending), fs::copy_options::overwrite_existing);
    return name + "t";
  }
  void lists(std::string const& train, std::string const& test) const {
    text("ImageSets/Main/train.txt", train);
    text("ImageSets/Main/test.txt", test);
  }
};

template <class S>
std::string read_refusal(S const& split, std::int64_t id) {
  std::vector<float> pixels(static_cast<std::size_t>(3 * S::image::height * S::image::width)), truth(S::class_count() * 5);
  return refusal([&] { split.read(id, nullptr, pixels.data(), truth.data()); });
}

}  // namespace

TEST_CASE("a sample is a letterboxed picture and boxes as fractions of it") {
  folder const set;
  set.sample("one", object("cat", "10 5 30 15") + object("dog", "0 0 40 20"));
  set.sample("two", object("dog", "0.5\t 2e0 8.5 10\n"));
  set.sample("three", object("bird", "0 0 9 9"));
  set.lists("one 1\r\n\ntwo -1", set.again("one") + "\nthree  0\r\n\r\n");
  voc<3, 16> const data{{.root = set.root, .classes = {"dog", "bird", "cat"}, .objects = object_choice::one_a_class}};
  REQUIRE(data.train.size() == 2);
  REQUIRE(data.test.size() == 2);
  REQUIRE(data.test.name_of(1) == "three.png");
  REQUIRE(data.train.classes() == std::vector<std::string>{"dog", "bird", "cat"});
  REQUIRE(data.train.name_of(1) == "two.png");
  REQUIRE(data.train.fault(0).empty());
  auto const place = data.train.placed(0);
  REQUIRE((place.scale == .4 && place.left == 0 && place.top == 4));

  // 40 x 20 becomes 16 x 8 with 4 rows above and below.
  auto const boxes = data.train.box(0);
  REQUIRE(boxes[0] == std::array<float, 5>{.5f, .5f, 1, .5f, 1});
  REQUIRE(boxes[1] == std::array<float, 5>{.5f, .5f, 0, 0, 0});
  REQUIRE(boxes[2] == std::array<float, 5>{.5f, .5f, .5f, .25f, 1});
  auto const dog = data.train.box(1)[0];  // 0.2 ... 3.4 by 4.8 ... 8
  REQUIRE(std::abs(dog[0] - 1.8 / 16) < 1e-6);
  REQUIRE(std::abs(dog[1] - 6.4 / 16) < 1e-6);
  REQUIRE(std::abs(dog[2] - 3.2 / 16) < 1e-6);
  REQUIRE(std::abs(dog[3] - 3.2 / 16) < 1e-6);

  auto const bytes = data.train.picture(0);
  std::vector<float> pixels(bytes.size()), truth(15);
  data.train.read(0, nullptr, pixels.data(), truth.data());
  REQUIRE(std::memcmp(truth.data(), boxes.data(), sizeof boxes) == 0);
  float const mean[]{.485f, .456f, .406f}, deviation[]{.229f, .224f, .225f};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::size_t const row = i / 48, c = i % 3;
    // The rows next to the border between red and blue are interpolated.
    std::uint8_t const pad[]{124, 116, 104}, red[]{255, 0, 0}, blue[]{0, 0, 255};
    if (row != 7 && row != 8) REQUIRE(bytes[i] == (row < 4 || row >= 12 ? pad : row < 8 ? red : blue)[c]);
    REQUIRE(std::abs(pixels[i] - (bytes[i] / 255.0f - mean[c]) / deviation[c]) < 1e-5f);
    if (row < 4) REQUIRE(std::abs(pixels[i]) < .02f);  // the padding is nearly 0
  }
}

TEST_CASE("which objects are used") {
  folder const set;
  set.sample("a_1", object("cat", "0 0 10 10"));
  set.sample("a_2", object("cat", "0 0 10 10") + object("cat", "0 0 11 10") + object("dog", "1 1 3 3"));
  set.sample("b_3", object("dog", "0 0 4 4") + object("dog", "0 0 2 8"));
  set.sample("b_4", object("tree", "0 0 4 4"));
  set.sample("b_5", object("tree", "90 9 4 4") + object("dog", "0 0 4 4"));  // an invalid box of a class that is not used
  set.lists("a_1\na_2\nb_3\nb_4\nb_5", set.again("a_1"));
  auto const names = [&](auto const& train) {
    std::string all;
    for (std::int64_t i = 0; i < train.size(); ++i) all += train.name_of(i).substr(0, 3) + " ";
    return all + std::to_string(train.dropped());
  };
  std::vector<std::string> const both{"cat", "dog"};
  REQUIRE(names(voc<2, 8>{{.root = set.root, .classes = both}}.train) == "a_1 b_5 3");
  REQUIRE(names(voc<1, 8>{{.root = set.root, .classes = {"cat"}}}.train) == "a_1 4");
  voc<2, 8> const one{{.root = set.root, .classes = both, .objects = object_choice::one_a_class}};
  REQUIRE(names(one.train) == "a_1 a_2 b_5 2");
  REQUIRE((one.train.box(1)[0][4] == 0 && one.train.box(1)[1][4] == 1));
  voc<2, 8> const largest{{.root = set.root, .classes = both, .objects = object_choice::largest}};
  REQUIRE(names(largest.train) == "a_1 a_2 b_3 b_5 1");
  REQUIRE(largest.train.box(1)[0][2] == 11.0f / 40);
  REQUIRE(largest.train.box(2)[1][2] == 4.0f / 40);  // of two of equal size the first
  // The class is given by the file name, or there is only one; then b_5's invalid box is used.
  voc<2, 8> const prefix{{.root = set.root, .class_from = class_source::file_prefix}};
  REQUIRE(prefix.train.classes() == std::vector<std::string>{"a", "b"});
  REQUIRE(names(prefix.train) == "a_1 b_4 3");
  REQUIRE(names(voc<1, 8>{{.root = set.root, .classes = {"a"}, .class_from = class_source::file_prefix, .objects = object_choice::largest}}
                    .train) == "a_1 a_2 3");
  voc<1, 8> const any{{.root = set.root, .class_from = class_source::any, .objects = object_choice::largest}};
  REQUIRE(names(any.train) == "a_1 a_2 b_3 b_4 b_5 0");
  REQUIRE(any.train.classes() == std::vector<std::string>{"object"});
  REQUIRE(
      has(any.train.fault(4), "'" + (set.root / "Annotations/b_5.xml").string() + "', object 1 (tree): the box 90, 9, 4, 4 has no area"));
  // The names in the files, when none is given.
  REQUIRE(voc<3, 8>{{.root = set.root}}.train.classes() == std::vector<std::string>{"cat", "dog", "tree"});
  REQUIRE(has(refusal([&] { voc<2, 8>{{.root = set.root}}; }), "gives 3 classes (cat, dog, tree) instead of 2"));
  REQUIRE(has(refusal([&] { voc<2, 8>{{.root = set.root, .classes = {"cat", "cat"}}}; }), "gives 1 classes (cat, cat) instead of 2"));
  REQUIRE(has(refusal([&] { voc<1, 8>{{.root = set.root, .classes = {"tree"}}}; }),
              "ImageSets/Main/test.txt' has no picture for testing: of 1, 0 have no object, and 1 none that voc_options.classes"));
}

TEST_CASE("a faulty sample keeps its id and reports the reason") {
  folder const set;
  std::string const good = object("cat", "0 0 10 10");
  std::string list;
  std::vector<std::string> reasons;
  auto const add = [&](std::string const& name, std::string const& reason) {
    list += name + "\n";
    reasons.push_back(reason);
  };
  auto const file  = [&](std::string const& name) { return "'" + (set.root / "Annotations" / (name + ".xml")).string() + "'"; };
  auto const fault = [&](std::string const& name, std::string const& text, std::string const& reason) {
    set.picture(name);
    set.xml(name, text);
    add(name, file(name) + reason);
  };
  set.sample("good", good);
  add("good", "");
  set.picture("no_xml");
  add("no_xml", "no file " + file("no_xml"));
  set.xml("no_picture", annotation_of(40, 20, good));
  add("no_picture", "no picture '" + (set.root / "JPEGImages/no_picture").string() + "'");
  fault("empty_file", "", " is not XML: No document element found");
  fault("cut", annotation_of(40, 20, good).substr(0, 150), " is not XML: ");
  fault("other_xml", "<html/>", " has no <annotation>");
  fault("no_size", "<annotation>" + good + "</annotation>", " has no <size>");
  fault("size_0", annotation_of(0, 20, good), ": <width> is 0; it must be a whole number from 1 to 65500");
  fault("size_word", "<annotation><size><width>4\n2</width></size></annotation>", ": <width> is '4\\x0a2', not a number");
  fault("no_name", annotation_of(40, 20, "<object><bndbox/></object>"), ", object 1 has no <name>");
  fault("no_box", annotation_of(40, 20, good + "<object><name>cat</name></object>"), ", object 2 has no <bndbox>");
  fault("no_number", annotation_of(40, 20, object("cat", "0 0 ten 10")), ", object 1: <xmax> is 'ten', not a number");
  fault("not_finite", annotation_of(40, 20, object("cat", "0 0 inf 10")), ", object 1: <xmax> is 'inf', not a number");
  fault("no_area", annotation_of(40, 20, object("cat", "7 3 7 9")),
        ", object 1 (cat): the box 7, 3, 7, 9 has no area in the picture of 40 x 20");
  fault("turned", annotation_of(40, 20, object("cat", "7 9 17 3")), ", object 1 (cat): the box 7, 9, 17, 3 has no area");
  fault("outside", annotation_of(40, 20, object("cat", "7 3 41 9")),
        ", object 1 (cat): the box 7, 3, 41, 9 is not within the picture of 40 x 20");
  fault("before", annotation_of(40, 20, object("cat", "-1 3 4 9")), ", object 1 (cat): the box -1, 3, 4, 9 is not within");
  fault("huge", std::string((1 << 20) + 1, ' '), " has 1048577 bytes, more than the 1048576 that are read");
  // Faults that only the first read finds.
  auto const late = [&](std::string const& name, std::string const& reason) {
    add(name, "'" + (set.root / "JPEGImages" / (name + ".png")).string() + "'" + reason);
  };
  set.picture("other_size", 20, 40);
  set.xml("other_size", annotation_of(40, 20, good));
  late("other_size", " is 20 x 40 pixels, but " + file("other_size") + " says 40 x 20");
  set.sample("damaged", good);
  fs::resize_file(set.root / "JPEGImages/damaged.png", 60);
  late("damaged", " is not a whole PNG: ");
  set.sample("no_png", good);
  set.text("JPEGImages/no_png.png", "hello");
  late("no_png", " does not begin as a JPEG or PNG file does");
  set.sample("last", good);
  add("last", "");
  for (int i = 0; i < 60; ++i) {
    set.sample("also_" + std::to_string(i), good);
    add("also_" + std::to_string(i), "");
  }
  // A fault in a list is an error of the whole set.
  for (auto const& [text, what] : {std::pair{"last\n\ngood 1\nlast\n", "line 4 lists 'last' again; "},
                                   {"../good\n", "line 1 has '../good', "},
                                   {"go\rod\n", "line 1 has 'go\\x0dod', "},
                                   {"last\n..\n", "line 2 has '..', "}}) {
    set.lists(text, "good");
    auto const message = refusal([&] { voc<1, 16>{{.root = set.root, .classes = {"cat"}}}; });
    REQUIRE(has(message, "ImageSets/Main/train.txt', " + std::string(what)));
  }
  set.lists(list, set.again("good"));

  voc<1, 16> const data{{.root = set.root, .classes = {"cat"}}};
  auto const n = static_cast<std::int64_t>(reasons.size());
  REQUIRE(data.train.size() == n);
  REQUIRE(data.train.dropped() == 0);
  REQUIRE(data.train.name_of(n - 1) == "also_59.png");
  REQUIRE(data.train.name_of(2) == "no_picture");
  for (int again = 0; again < 2; ++again)
    for (std::int64_t id = 0; id < n; ++id) {
      INFO(data.train.name_of(id));
      auto const message = read_refusal(data.train, id);
      auto const& reason = reasons[static_cast<std::size_t>(id)];
      REQUIRE(message.substr(0, reason.size()) == reason);
      REQUIRE(message.empty() == reason.empty());
    }
  REQUIRE(has(refusal([&] { (void)data.train.box(1); }), "no file"));
  REQUIRE(has(refusal([&] { (void)data.train.picture(1); }), "no file"));

  // The loader continues with the valid samples, the same with any number of threads.
  std::vector<float> first;
  for (int threads : {0, 1, 4}) {
    loader const l{data.train, {.batch = 5, .threads = threads}};
    std::vector<float> all;
    for (batch const& b : l.epoch(1)) {
      for (auto const id : b.ids) REQUIRE(reasons[static_cast<std::size_t>(id)].empty());
      float const *p = b.images.const_data_ptr<float>(), *t = b.truth.const_data_ptr<float>();
      all.insert(all.end(), p, p + b.images.numel());
      all.insert(all.end(), t, t + b.truth.numel());
    }
    if (first.empty()) first = all;
    REQUIRE(all == first);
    REQUIRE(std::ssize(l.replaced().ids) == n - 62);
    REQUIRE(l.replaced().total == n - 62);
    REQUIRE(has(l.replaced().reasons.at(1), "no_xml.xml"));
  }
}

TEST_CASE("invalid folders, lists and options") {
  auto const message = [](voc_options const& options) { return refusal([&] { voc<1, 8>{options}; }); };
  folder const set;
  REQUIRE(has(message({.root = set.root / "nowhere"}), "no folder '" + (set.root / "nowhere/images").string() + "'"));
  REQUIRE(has(message({.root = set.root}), "no file '" + (set.root / "ImageSets/Main/train.txt").string() + "'"));
  set.lists("", "");
  REQUIRE(message({.root = set.root, .classes = {"cat"}}) ==
          "'" + (set.root / "ImageSets/Main/train.txt").string() +
              "' has no picture for training: of 0, 0 have no object, and 0 none that voc_options.classes and voc_options.objects take; "
              "change them, or the split");
  REQUIRE(has(message({.root = set.root, .test_fraction = 1}), "voc_options.test_fraction is 1; it must be 0 or more and below 1"));
  voc_options options{.root = set.root};
  options.augment.scale = 1.5;
  REQUIRE(has(message(options), "the augmentation's scale is 1.5; it must be from 0 to 0.99"));
  options.augment = {.rotate = 900};
  REQUIRE(has(message(options), "the augmentation's rotate is 900"));
  set.sample("a", object("cat", "0 0 9 9")), set.sample("b", object("cat", "0 0 9 9"));
  set.lists("a\nb\n", "b\n");
  REQUIRE(message({.root = set.root}) ==
          "'" + (set.root / "ImageSets/Main").string() +
              "' lists the picture 'b' twice; a picture is of one part of the data, so take one of the two out");
  fs::remove_all(set.root / "JPEGImages");
  REQUIRE(has(message({.root = set.root}), "no folder '" + (set.root / "JPEGImages").string() + "'"));
}

TEST_CASE("names of files, lists and classes have blanks, and endings in any case") {
  folder const set;
  std::string const cat = object("cat", "0 0 10 10"), light = object(" traffic light\n", "0 0 10 10");
  auto const rename = [&](char const* below, std::string const& from, std::string const& to) {
    fs::rename(set.root / below / from, set.root / below / to);
  };
  set.sample("ship (1)", cat);
  set.sample("ship 1", light);  // ends as a line of Pascal's lists of one class does
  set.sample("ship", cat);
  set.sample("a.b", cat);
  set.sample("loud", light);
  rename("JPEGImages", "ship (1).png", "ship (1).PNG");
  rename("JPEGImages", "loud.png", "loud.Jpg");
  rename("Annotations", "loud.xml", "loud.XML");
  set.text("JPEGImages/._ship.jpg", "metadata"), set.text("Annotations/._ship.xml", "metadata");
  set.lists("\xef\xbb\xbfship (1)\r\nship 1\r\n  ship   -1\r\n._ship\r\n\r\n \t\r\n",
            "\xef\xbb\xbf"
            "a.b\nloud 1\n\n");
  voc_options options{.root = set.root, .classes = {"traffic light", "cat"}};
  voc<2, 8> const data{options};
  auto const names = [](auto const& split) {
    std::vector<std::string> all;
    for (std::int64_t i = 0; i < split.size(); ++i) all.push_back(split.name_of(i));
    return all;
  };
  REQUIRE(names(data.train) == std::vector<std::string>{"ship (1).PNG", "ship 1.png", "ship.png"});
  REQUIRE(names(data.test) == std::vector<std::string>{"a.b.png", "loud.Jpg"});
  for (auto const* split : {&data.train, &data.test})
    for (std::int64_t id = 0; id < split->size(); ++id) REQUIRE(read_refusal(*split, id).empty());
  REQUIRE(data.train.box(1)[0][4] == 1);
  // Without lists the hidden files are no samples, and .XML is one.
  options.train_set = options.test_set = "";
  for (double const fraction : {0.2, 0.5, 0.8}) {
    options.test_fraction = fraction;
    voc<2, 8> const hashed{options};
    REQUIRE(hashed.train.size() + hashed.test.size() == 5);
  }
  // A word after a name that is no flag belongs to it.
  set.lists("ship 2\n", "ship (1)");
  options.train_set = "train", options.test_set = "test", options.classes = {"cat", "traffic light"};
  REQUIRE(has(refusal([&] { voc<2, 8>{options}; }), "has the class 'traffic light'"));
  set.lists("ship 2\nship 1\n", "ship (1)");
  REQUIRE(has(voc<2, 8>{options}.train.fault(0), "no file '" + (set.root / "Annotations/ship 2.xml").string()));
}

TEST_CASE("pictures without objects are counted, and a class that nobody has is named") {
  folder const set;
  std::string const cat = object("cat", "0 0 10 10"), dog = object("dog", "0 0 10 10"), bird = object("bird", "0 0 10 10");
  set.sample("1", cat), set.sample("2", dog + dog), set.sample("3", ""), set.sample("4", bird), set.sample("5", "");
  set.sample("6", object("fish", "0 0 4 4"));
  set.sample("7", object("cat", "9 9 9 9"));
  set.lists("1\n2\n3\n4\n5\n6\n7", set.again("1") + "\n" + set.again("3") + "\n" + set.again("2"));
  voc<3, 8> const data{{.root = set.root, .classes = {"cat", "dog", "bird"}}};
  REQUIRE(data.train.size() == 3);  // 1, 4 and the faulty 7
  REQUIRE(data.train.without_objects() == 2);
  REQUIRE(data.train.dropped() == 4);
  REQUIRE(data.test.without_objects() == 1);
  REQUIRE(data.test.dropped() == 2);
  REQUIRE(data.train.summary() ==
          "voc train: 3 pictures (cat 1, dog 0, bird 1), 1 faulty; left out: 2 without objects, 2 by classes and objects");
  REQUIRE(data.test.summary() ==
          "voc test: 1 pictures (cat 1, dog 0, bird 0), 0 faulty; left out: 1 without objects, 1 by classes and objects");

  auto const with = [&](std::vector<std::string> const& classes) {
    return refusal([&] { voc<3, 8>{{.root = set.root, .classes = classes}}; });
  };
  std::string const who = "no picture of '" + set.root.string() + "' has the class '";
  REQUIRE(with({"cat", "dog", "Bird"}) == who + "Bird', which voc_options.classes names; write 'bird', as the files do");
  REQUIRE(with({"cat", " dog", "bird"}) == who + " dog', which voc_options.classes names; write 'dog', as the files do");
  REQUIRE(with({"cat", "dog", "horse"}) == who + "horse', which voc_options.classes names; there are bird, cat, dog, fish");
  REQUIRE(has(refusal([&] { voc<1, 8>{{.root = set.root, .classes = {"B"}, .class_from = class_source::file_prefix}}; }),
              "has the class 'B', which voc_options.classes names; there are 1, 1t, 2, 2t, 3, 3t, 4, 5, 6, 7"));
  // One class for all has the name that it is given.
  REQUIRE(voc<1, 8>{{.root = set.root, .classes = {"thing"}, .class_from = class_source::any}}.train.classes().front() == "thing");
  REQUIRE(has(refusal([&] { voc<1, 8>{{.root = set.root, .classes = {"cat", "dog"}, .class_from = class_source::any}}; }),
              "all objects are of one class, and 2 are named; name one"));
  // Only pictures without objects, and no pictures at all.
  set.lists("1\n4\n2", "3\n5");
  REQUIRE(has(with({"cat", "dog", "bird"}), "ImageSets/Main/test.txt' has no picture for testing: of 2, 2 have no object, and 0 none"));
  set.lists("1\n4\n2", "\n\r\n");
  REQUIRE(has(with({"cat", "dog", "bird"}), "ImageSets/Main/test.txt' has no picture for testing: of 0, "));
  voc_options options{.root = set.root, .class_from = class_source::any, .train_set = "", .test_set = "", .test_fraction = 0};
  REQUIRE(has(refusal([&] { voc<1, 8>{options}; }), (set.root / "Annotations").string() + "' has no picture for testing: of 0, "));
}

TEST_CASE("a box outside by rounding is on the edge, and what is refused is printed in full") {
  folder const set;
  auto const box_of = [&](std::string const& box, std::string const& width = "96") {
    set.xml("x", "<annotation><size><width>" + width + "</width><height>20.0000004</height></size>" + object("cat", box) + "</annotation>");
    set.picture("x", 96, 20);
    set.lists("x", set.again("x"));
    return voc<1, 96>{{.root = set.root}};
  };
  auto const whole = box_of("-0.0000004 0 96.0000031 20.0009");
  REQUIRE(read_refusal(whole.train, 0).empty());
  REQUIRE(whole.train.box(0)[0] == std::array<float, 5>{.5f, .5f, 1, 20.0f / 96, 1});
  REQUIRE(box_of("-0.0009 0 48 20").train.box(0)[0] == std::array<float, 5>{.25f, .5f, .5f, 20.0f / 96, 1});
  REQUIRE(box_of("48 -0.0009 96.0009 20").train.box(0)[0] == std::array<float, 5>{.75f, .5f, .5f, 20.0f / 96, 1});
  REQUIRE(read_refusal(box_of("0 0 9 9", "95.9999999").train, 0).empty());
  REQUIRE(has(box_of("0 0 96.0011 20").train.fault(0), "the box 0, 0, 96.0011, 20 is not within the picture of 96 x 20"));
  REQUIRE(has(box_of("0 -0.00123456789 96 20").train.fault(0), "the box 0, -0.00123456789, 96, 20 is not within"));
  REQUIRE(has(box_of("7 3 7.0000001 9").train.fault(0), "the box 7, 3, 7.0000001, 9 has no area in"));
  // The only picture of the class is faulty.
  REQUIRE(has(refusal([&] { box_of("0 0 9 9", "96.25"); }), "gives 0 classes () instead of 1"));
  std::string const why = refusal([&] { voc<1, 8>{{.root = set.root, .classes = {"cat"}}}; });
  REQUIRE(has(why, "has the class 'cat', which voc_options.classes names; there are none, and annotations that cannot be read, first: '"));
  REQUIRE(has(why, "x.xml': <width> is 96.25; it must be a whole number from 1"));
  REQUIRE(has(refusal([&] { voc<1, 8>{{.root = set.root, .test_fraction = 1.0000000001}}; }),
              "voc_options.test_fraction is 1.0000000001; it must be 0 or more and below 1"));
}

TEST_CASE("without lists a hash of seed and name determines the split") {
  folder const set(true);
  for (int i = 0; i < 200; ++i) set.xml("p_" + std::to_string(i), annotation_of(40, 20, object("cat", "0 0 9 9")));
  auto const names = [](auto const& s) {
    std::set<std::string> all;
    for (std::int64_t i = 0; i < s.size(); ++i) all.insert(s.name_of(i));
    REQUIRE(static_cast<std::int64_t>(all.size()) == s.size());
    return all;
  };
  voc<1, 8> const data{{.root = set.root}}, again{{.root = set.root}}, other{{.root = set.root, .seed = 2}};
  REQUIRE(data.train.size() + data.test.size() == 200);
  REQUIRE((data.test.size() > 20 && data.test.size() < 60));  // 40 and three deviations of 5.7
  REQUIRE(names(data.test) == names(again.test));
  REQUIRE(names(data.test) != names(other.test));
  for (auto const& name : names(data.test)) REQUIRE(!names(data.train).contains(name));
  // An additional file does not change the split of the others.
  auto const before = names(data.test);
  set.xml("another", annotation_of(40, 20, object("cat", "0 0 9 9")));
  auto after = names(voc<1, 8>{{.root = set.root}}.test);
  after.erase("another");
  REQUIRE(after == before);
}

TEST_CASE("a picture is decoded once, while there is room") {
  folder const set;
  for (auto const* name : {"a", "b"}) set.sample(name, object("cat", "0 0 10 10"));
  set.lists("a\nb", set.again("a"));
  auto const readable = [&](std::int64_t room) {
    for (auto const* name : {"a", "b"}) set.picture(name);
    voc<1, 8> const data{{.root = set.root, .classes = {"cat"}, .cache_bytes = room}};
    std::vector<std::thread> threads;  // concurrently
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&data] {
        std::vector<float> pixels(192), truth(5);
        for (std::int64_t id = 0; id < 2; ++id) data.train.read(id, nullptr, pixels.data(), truth.data());
      });
    for (auto& t : threads) t.join();
    for (auto const* name : {"a", "b"}) fs::remove(set.root / "JPEGImages" / (std::string(name) + ".png"));
    return int{read_refusal(data.train, 0).empty()} + int{read_refusal(data.train, 1).empty()};
  };
  REQUIRE(readable(1 << 20) == 2);
  REQUIRE(readable(8 * 8 * 3) == 1);
  REQUIRE(readable(0) == 0);
}

TEST_CASE("augmented boxes are where the pixels are") {
  folder const set;
  canvas page(60, 40, black);
  page.rectangle(20, 10, 16, 20, white);
  page.write_png(set.root / "JPEGImages/a.png");
  set.xml("a", annotation_of(60, 40, object("cat", "20 10 36 30")));
  set.lists("a", set.again("a"));
  voc<1, 48> const data{{.root = set.root, .classes = {"cat"}}};
  std::set<float> seen;
  std::vector<float> pixels(48 * 48 * 3), truth(5), twice(pixels.size());
  for (std::uint64_t epoch = 0; epoch < 50; ++epoch) {
    c2f::random_stream draw{1, c2f::purpose::augment, epoch, 0}, same{1, c2f::purpose::augment, epoch, 0};
    data.train.read(0, &draw, pixels.data(), truth.data());
    data.train.read(0, &same, twice.data(), truth.data());
    REQUIRE(pixels == twice);
    seen.insert(truth[0]);
    double weight = 0, across = 0, down = 0;
    for (int y = 0; y < 48; ++y)
      for (int x = 0; x < 48; ++x)
        if (pixels[static_cast<std::size_t>(3 * (48 * y + x))] > .6f)
          ++weight, across += x + .5, down += y + .5;  // nearer to white than to grey
    REQUIRE(std::abs(across / weight / 48 - truth[0]) < .02);
    REQUIRE(std::abs(down / weight / 48 - truth[1]) < .02);
    REQUIRE(std::abs(std::sqrt(weight) / 48 - std::sqrt(truth[2] * truth[3])) < .03);
    REQUIRE(truth[4] == 1);
  }
  REQUIRE(seen.size() > 45);
}

TEST_CASE("all objects of VOC files on a rectangle, with those that are difficult") {
  folder const set;
  canvas(60, 40, black).write_png(set.root / "JPEGImages/a.png");
  canvas(20, 40, black).write_png(set.root / "JPEGImages/b.png");
  canvas(20, 20, black).write_png(set.root / "JPEGImages/c.png");
  std::string hard     = object("dog", "0 0 60 40");
  std::size_t const at = hard.find("</name>") + 7;
  hard.insert(at, "<difficult>1</difficult>");
  std::string easy = object("cat", "20 10 36 30");
  easy.insert(at, "<difficult>0</difficult>");
  set.xml("a", annotation_of(60, 40, easy + hard + object("bird", "1 1 2 2")));
  set.xml("b", annotation_of(20, 40, ""));
  set.xml("c", annotation_of(20, 20, object("cat", "1 1 9 9") + object("cat", "5 5 5 9")));
  set.lists("a\nb\nc", set.again("a"));
  voc_objects<4, 30, 60> const data{{.root = set.root, .classes = {"cat", "dog"}}};
  static_assert(split<decltype(data.train)>);
  REQUIRE(data.train.size() == 3);
  std::vector<float> pixels(3 * 30 * 60), truth(4 * 7);
  data.train.read(0, nullptr, pixels.data(), truth.data());  // scale .75, 7.5 pixels of padding to the left
  std::vector<float> const wanted{0, 28.5f / 60, 15.f / 30, 12.f / 60, 15.f / 30, 0, 1,
                                  1, 30.f / 60,  15.f / 30, 45.f / 60, 30.f / 30, 2, 1};
  for (std::size_t i = 0; i < truth.size(); ++i) {
    CAPTURE(i);
    REQUIRE(std::abs(truth[i] - (i < wanted.size() ? wanted[i] : 0)) < 1e-6f);
  }
  data.train.read(1, nullptr, pixels.data(), truth.data());
  REQUIRE(std::all_of(truth.begin(), truth.end(), [](float each) { return each == 0; }));
  REQUIRE_THROWS_AS(data.train.read(2, nullptr, pixels.data(), truth.data()), c2f::input_error);
  REQUIRE(has(data.train.sample(2).fault, "has no area"));
  REQUIRE(data.train.sample(2).objects.empty());
  auto const& objects = data.train.sample(0).objects;
  REQUIRE((objects[1].difficult && !objects[0].difficult && !objects[1].crowd));
}

// Counted by Python's xml.etree over the same files.
TEST_CASE("BCCD: all boxes") {
  auto const dir = tests::data("bccd");
  if (!dir) C2F_SKIP("no BCCD here; set C2F_DATA");
  voc_objects<30, 96, 128> const data{{.root = *dir / "BCCD", .classes = {"WBC", "RBC", "Platelets"}, .train_set = "trainval"}};
  REQUIRE((data.train.size() == 292 && data.test.size() == 72));
  std::array<std::int64_t, 3> counts{};
  std::size_t most = 0, faulty = 0;
  for (auto const* part : {&data.train, &data.test})
    for (std::int64_t id = 0; id < part->size(); ++id) {
      if (!part->sample(id).fault.empty()) {
        ++faulty;
        continue;
      }
      most = std::max(most, part->sample(id).objects.size());
      for (auto const& each : part->sample(id).objects) ++counts[static_cast<std::size_t>(each.label)];
    }
  REQUIRE(faulty == 2);
  REQUIRE(counts == std::array<std::int64_t, 3>{370, 4133, 359});
  REQUIRE(most == 30);
}

// Counted by Python's xml.etree over the same files.
TEST_CASE("BCCD: two of 364 pictures are faulty, by name") {
  auto const dir = tests::data("bccd");
  if (!dir) C2F_SKIP("no BCCD here; set C2F_DATA");
  std::vector<std::string> const all{"WBC", "RBC", "Platelets"};
  auto const options = [&](std::vector<std::string> const& classes, object_choice objects) {
    return voc_options{.root = *dir / "BCCD", .classes = classes, .objects = objects};
  };
  auto const counts = [](auto const& s) { return std::pair{s.size(), s.dropped()}; };
  using pair        = std::pair<std::int64_t, std::int64_t>;
  voc<3, 64> const single{options(all, object_choice::single)}, one{options(all, object_choice::one_a_class)},
      largest{options(all, object_choice::largest)};
  REQUIRE(counts(single.train) == pair{2, 203});
  REQUIRE(counts(single.test) == pair{1, 71});
  REQUIRE(counts(one.train) == pair{197, 8});
  REQUIRE(counts(one.test) == pair{67, 5});
  REQUIRE(counts(largest.train) == pair{205, 0});
  REQUIRE(counts(largest.test) == pair{72, 0});
  voc<1, 64> const white{options({"WBC"}, object_choice::single)};
  REQUIRE(counts(white.train) == pair{194, 11});
  REQUIRE(counts(white.test) == pair{65, 7});
  REQUIRE(voc<3, 64>{options({}, object_choice::largest)}.train.classes() == std::vector<std::string>{"Platelets", "RBC", "WBC"});

  std::array<std::int64_t, 3> present{};
  for (std::int64_t id = 0; id < largest.train.size(); ++id)
    if (largest.train.fault(id).empty())
      for (std::size_t k = 0; k < 3; ++k) present[k] += largest.train.box(id)[k][4] == 1;
  REQUIRE(present == std::array<std::int64_t, 3>{203, 196, 116});

  auto trainval      = options(all, object_choice::largest);
  trainval.train_set = "trainval";
  voc<3, 64> const both{trainval};
  REQUIRE(counts(both.train) == pair{292, 0});
  std::vector<std::string> faults;
  for (std::int64_t id = 0; id < 292; ++id)
    if (!both.train.fault(id).empty()) faults.push_back(std::to_string(id) + " " + both.train.fault(id));
  REQUIRE(faults.size() == 2);
  REQUIRE(has(faults[0], "237 '"));
  REQUIRE(has(faults[0], "BloodImage_00338.xml', object 13 (RBC): the box 504, 337, 504, 337 has no area in the picture of 640 x 480"));
  REQUIRE(has(faults[1], "241 '"));
  REQUIRE(has(faults[1], "BloodImage_00343.xml', object 4 (RBC): the box 181, 329, 181, 329 has no area in the picture of 640 x 480"));
  REQUIRE(both.train.name_of(237) == "BloodImage_00338.jpg");

  // BloodImage_00000's white cell: 260, 177, 491, 376 of 640 x 480.
  auto const box = both.train.box(0)[0];
  auto const e   = both.train.placed(0).back(
      {(box[0] - box[2] / 2) * 64, (box[1] - box[3] / 2) * 64, (box[0] + box[2] / 2) * 64, (box[1] + box[3] / 2) * 64});
  REQUIRE(std::abs(e.x0 - 260) < .01);
  REQUIRE(std::abs(e.y0 - 177) < .01);
  REQUIRE(std::abs(e.x1 - 491) < .01);
  REQUIRE(std::abs(e.y1 - 376) < .01);

  loader const l{both.test, {.batch = 24, .threads = 2}};
  std::int64_t images = 0;
  for (batch const& b : l.epoch(0)) images += b.images.size(0);
  REQUIRE(images == 72);
  REQUIRE(l.replaced().total == 0);
}

TEST_CASE("pets: three breeds by their files' names") {
  auto const dir = tests::data("pets3");
  if (!dir) C2F_SKIP("no pets3 here; set C2F_DATA");
  voc<3, 192> const breeds{{.root = *dir, .class_from = class_source::file_prefix}};
  REQUIRE(breeds.train.classes() == std::vector<std::string>{"Abyssinian", "Bengal", "american_bulldog"});
  REQUIRE(breeds.train.size() + breeds.test.size() == 295);
  REQUIRE(breeds.train.dropped() + breeds.test.dropped() == 1);  // Bengal_105 has two heads
  std::array<std::int64_t, 3> present{};
  for (auto const* s : {&breeds.train, &breeds.test})
    for (std::int64_t id = 0; id < s->size(); ++id) {
      REQUIRE(s->fault(id).empty());
      REQUIRE(s->name_of(id) != "Bengal_105.jpg");
      for (std::size_t k = 0; k < 3; ++k) present[k] += s->box(id)[k][4] == 1;
    }
  REQUIRE(present == std::array<std::int64_t, 3>{99, 97, 99});
  voc<1, 192> const heads{{.root = *dir, .class_from = class_source::any, .objects = object_choice::largest}};
  REQUIRE(heads.train.size() + heads.test.size() == 296);
  voc<2, 192> const kinds{{.root = *dir}};
  REQUIRE(kinds.train.classes() == std::vector<std::string>{"cat", "dog"});
  REQUIRE(kinds.train.size() + kinds.test.size() == 295);

  // Every picture is complete.
  std::vector<float> pixels(3 * 192 * 192), truth(5);
  for (std::int64_t id = 0; id < heads.test.size(); ++id) heads.test.read(id, nullptr, pixels.data(), truth.data());
}
