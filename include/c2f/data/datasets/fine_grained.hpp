// c2f/data/datasets/fine_grained.hpp: lists of the pictures of fine-grained data sets, in their published layouts.
//
//   auto const birds = c2f::data::read_cub("/data/CUB_200_2011");                          // 200 classes, 5,994 + 5,794 pictures, boxes
//   c2f::data::class_folders<448> data({.root = birds.root}, birds);                       // train, validation, test
//   birds.boxes.at(data.test.name_of(7));                                                  // in pixels of the picture
//   auto const faces = c2f::data::read_celeba("/data/celeba", {"Male", "Smiling"});        // 0 or 1 for each attribute
//
// Each function reads the lists of one data set and returns the same: the classes, the names of the pictures below `root` with a class
// each, and the boxes that the set has, by name. data/datasets/class_folders.hpp makes splits of it, so pictures, resizing, augmentation,
// cache and costs are described there. A fraction of the training pictures of each class, `partition.validation`, becomes the validation
// split, by a hash of seed and name; 0: none.
//
//   read_cub       CUB-200-2011     images.txt, image_class_labels.txt, classes.txt, train_test_split.txt, bounding_boxes.txt; images/
//   read_aircraft  FGVC-Aircraft    data/variants.txt, images_variant_trainval.txt and _test.txt, images_box.txt; data/images/*.jpg
//   read_cars      Stanford Cars    class_names.txt, cars_train.txt and cars_test.txt, made of the .mat files by a script, below
//   read_dogs      Stanford Dogs    train_list.txt and test_list.txt, likewise; Images/, Annotation/ (read if `boxes`)
//   read_inat      iNaturalist-17   train2017.json and val2017.json; pictures as their file_name says
//   read_pets      Oxford-IIIT Pet  images/BREED_12.jpg, a fraction `partition.test` of each breed is the test split; xmls/ (head boxes)
//   read_celeba    CelebA           list_attr_celeba.txt, list_eval_partition.txt (or in Anno, Eval); img_align_celeba/ (or in Img)
//
// Cars and Dogs have their lists in MATLAB's format; examples/labels/fine_grained_lists.py writes them as text, once.
//
// Boxes are edges: a list that counts pixels from 1 and includes the last one (Aircraft, Cars) is brought to that.
// Costs: the lists; 675,170 pictures of iNaturalist take about 100 MB. Needs libjpeg, libspng, pugixml and nlohmann/json.
// Errors: input_error with file and line, or element, for what is no such list: a malformed line, a picture that is listed twice or leads
// out of the folder, a class or picture that another list does not have, a number out of range, an empty split.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <c2f/core/errors.hpp>
#include <c2f/data/datasets/class_folders.hpp>
#include <c2f/data/datasets/voc.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/split.hpp>
#include <c2f/metrics/detection.hpp>

namespace c2f::data {

/// The pictures of a data set, with a class each.
struct picture_lists : class_lists {
  std::filesystem::path root;                 ///< the folder that names of pictures are below
  std::map<std::string, metrics::box> boxes;  ///< by name, in pixels of the picture; empty where the set has none
};

namespace detail {

inline constexpr std::uintmax_t largest_list = std::uintmax_t{1} << 28, largest_json_list = std::uintmax_t{1} << 31;

/// Lines of a word, and the rest after a blank: "1 001.Black_footed_Albatross/x.jpg", "1025794 727-200". Views into `bytes`.
struct word_list {
  struct line {
    std::string_view word, rest;
    std::size_t number;
  };
  std::vector<std::uint8_t> bytes;
  std::string name;  // for messages
  std::vector<line> lines;

  [[noreturn]] void fail(line const& at, std::string const& what, std::string const& remedy) const {
    throw input_error("'" + name + "', line " + std::to_string(at.number) + " " + what + "; " + remedy);
  }
};

/// Parses a list; with `unique`, no word begins two lines.
inline word_list parse_words(std::vector<std::uint8_t> bytes, std::string const& name, bool unique = true) {
  word_list made{std::move(bytes), name, {}};
  std::string_view const text{reinterpret_cast<char const*>(made.bytes.data()), made.bytes.size()};
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    auto const blank = std::min(line.find_first_of(" \t"), line.size());
    word_list::line const each{line.substr(0, blank), trimmed(line.substr(blank)), number};
    if (std::any_of(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f; }))
      made.fail(each, "is '" + printable(line) + "'", "write it without control characters");
    made.lines.push_back(each);
  });
  if (made.lines.empty()) throw input_error("'" + name + "' has no line; copy the list again");
  if (unique) {
    std::vector<word_list::line const*> order;
    for (auto const& each : made.lines) order.push_back(&each);
    std::sort(order.begin(), order.end(), [](auto a, auto b) { return std::pair(a->word, a->number) < std::pair(b->word, b->number); });
    for (std::size_t i = 1; i < order.size(); ++i)
      if (order[i]->word == order[i - 1]->word)
        made.fail(*order[i], "lists '" + printable(order[i]->word) + "' again, after line " + std::to_string(order[i - 1]->number),
                  "take one of the lines out");
  }
  return made;
}
inline word_list read_words(std::filesystem::path const& file, bool unique = true) {
  return parse_words(bytes_of_file(file, largest_list), file.string(), unique);
}

inline std::optional<double> number_of(std::string_view word) {
  double value            = 0;
  auto const [end, wrong] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (wrong != std::errc() || end != word.data() + word.size() || !(value > -1e9 && value < 1e9)) return {};
  return value;
}
/// Whole numbers or decimals of a line's rest.
template <std::size_t N>
std::array<double, N> numbers_of(word_list const& list, word_list::line const& line, std::string const& remedy) {
  std::array<double, N> made{};
  std::string_view rest = line.rest;
  for (std::size_t i = 0; i < N; ++i) {
    auto const end   = std::min(rest.find_first_of(" \t"), rest.size());
    auto const value = number_of(rest.substr(0, end));
    if (!value) list.fail(line, "is '" + printable(std::string(line.word) + ' ' + std::string(line.rest)) + "'", remedy);
    made[i] = *value;
    rest    = trimmed(rest.substr(end));
  }
  if (!rest.empty()) list.fail(line, "is '" + printable(std::string(line.word) + ' ' + std::string(line.rest)) + "'", remedy);
  return made;
}
/// A whole number from low to high.
inline std::int64_t whole_of(word_list const& list, word_list::line const& line, double value, std::int64_t low, std::int64_t high,
                             char const* what) {
  if (value != std::floor(value) || value < static_cast<double>(low) || value > static_cast<double>(high))
    list.fail(line, "has the " + std::string(what) + " " + text_of(value), "write " + std::to_string(low) + " to " + std::to_string(high));
  return static_cast<std::int64_t>(value);
}
inline std::string picture_name(word_list const& list, word_list::line const& line, std::string_view name) {
  if (!is_name_below(name) || !is_picture_name(name))
    list.fail(line, "names '" + printable(name) + "', which is no picture below the folder",
              "write a name that ends in .jpg, .jpeg or .png");
  return std::string(name);
}

/// Whole lines: names of classes.
inline std::vector<std::string> read_class_names(std::filesystem::path const& file) {
  word_list const list = read_words(file, false);
  std::vector<std::string> names;
  std::set<std::string> different;
  for (auto const& line : list.lines) {
    names.emplace_back(line.rest.empty() ? std::string(line.word) : std::string(line.word) + ' ' + std::string(line.rest));
    if (!different.insert(names.back()).second) list.fail(line, "names the class '" + printable(names.back()) + "' again", "take it out");
  }
  if (names.size() > most_folder_classes)
    throw input_error("'" + file.string() + "' names more than " + std::to_string(most_folder_classes) + " classes; name another file");
  return names;
}

/// Of sets with published lists no picture is held out, unless the caller asks for validation pictures.
inline constexpr partition_options whole_lists{.validation = 0, .test = 0};

/// Holds out the validation pictures and checks that a list of pictures can be used.
inline picture_lists finished(picture_lists made, partition_options const& how, std::filesystem::path const& source) {
  check_partition(how);
  auto const key   = [](classified_name const& each) { return each.name; };
  auto const label = [](classified_name const& each) { return each.label; };
  if (made.validation.empty() && how.validation > 0) take_fraction(made.train, made.validation, how.validation, how.seed, 1, key, label);
  for (auto const& [part, list] : {std::pair("training", &made.train), std::pair("testing", &made.test)})
    if (list->empty())
      throw input_error("'" + source.string() + "' has no picture for " + part + "; copy the lists again, or hold out fewer pictures");
  if (made.classes.size() < 2) throw input_error("'" + source.string() + "' has fewer than two classes; copy the lists again");
  return made;
}

/// The box of the first object of a VOC file.
inline metrics::box first_box(std::filesystem::path const& xml) {
  annotation const found = parse_annotation(bytes_of_file(xml, largest_annotation_file), xml.string());
  if (found.objects.empty()) throw input_error("'" + xml.string() + "' has no <object>; correct the annotation, or take the file out");
  return checked_box(found, 0, xml.string());
}

/// Reads iNaturalist's `images`, `annotations` and `categories`. Depth 1: the file's object; 2: a list of it; 3: an element.
class inat_reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit inat_reader(std::string const& name) : name_(name) {}
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t number) override { return whole(number); }
  bool number_unsigned(number_unsigned_t number) override {
    return number > std::uint64_t{1} << 62 || whole(static_cast<std::int64_t>(number));
  }
  bool number_float(number_float_t, string_t const&) override { return true; }
  bool string(string_t& text) override {
    if (depth_ == 3 && (field_ == "file_name" || field_ == "name")) text_ = text;
    return true;
  }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return begin(true); }
  bool start_array(std::size_t) override { return begin(false); }
  bool end_array() override { return --depth_, true; }
  bool key(string_t& name) override {
    if (depth_ == 1) section_ = name;
    if (depth_ == 3) field_ = name;
    return true;
  }
  bool end_object() override {
    if (depth_-- == 3) finish();
    return true;
  }
  bool parse_error(std::size_t at, std::string const&, nlohmann::detail::exception const&) override {
    throw input_error("'" + name_ + "' is no JSON: byte " + std::to_string(at) + " does not fit; copy or write the file again");
  }

  /// Classes by the order of their ids, and the pictures by the order of theirs.
  [[nodiscard]] std::pair<std::vector<std::string>, std::vector<classified_name>> list() && {
    if (categories_.empty()) refuse("has no 'categories' with an id and a name each");
    if (images_.empty()) refuse("has no 'images' with an id and a file_name each");
    std::vector<std::string> classes;
    std::map<std::int64_t, std::int64_t> number_of;
    for (auto& [id, name] : categories_) {
      number_of.emplace(id, std::ssize(classes));
      classes.push_back(std::move(name));
    }
    std::map<std::int64_t, std::int64_t> label_of;
    for (auto const& [image, category] : annotations_) {
      auto const number = number_of.find(category);
      if (number == number_of.end())
        refuse("has an annotation of the category " + std::to_string(category) + ", which 'categories' does not have");
      if (!images_.contains(image)) refuse("has an annotation of the image " + std::to_string(image) + ", which 'images' does not have");
      if (!label_of.emplace(image, number->second).second) refuse("has two annotations of the image " + std::to_string(image));
    }
    std::vector<classified_name> pictures;
    for (auto& [id, file] : images_) {
      auto const label = label_of.find(id);
      if (label == label_of.end()) refuse("has no annotation of the image " + std::to_string(id));
      pictures.push_back({std::move(file), label->second});
    }
    return {std::move(classes), std::move(pictures)};
  }

 private:
  [[noreturn]] void refuse(std::string const& what) const {
    throw input_error("'" + name_ + "' is no iNaturalist file: it " + what + "; correct the file");
  }
  [[noreturn]] void refuse_element(std::string const& what) const {
    refuse("has an element " + std::to_string(element_) + " of '" + section_ + "' with " + what);
  }
  bool whole(std::int64_t number) {
    if (depth_ == 3 && (field_ == "id" || field_ == "image_id" || field_ == "category_id")) numbers_[field_] = number;
    return true;
  }
  bool begin(bool object) {
    if (depth_ == 0 && !object) refuse("is no object");
    if (++depth_ > 64) refuse("is nested deeper than 64 levels");
    if (depth_ == 2) element_ = 0;
    if (depth_ == 3) {
      ++element_;
      numbers_.clear();
      text_.reset();
      field_.clear();
      is_object_ = object;
    }
    return true;
  }
  std::int64_t number(char const* field) const {
    auto const found = numbers_.find(field);
    if (found == numbers_.end()) refuse_element(std::string("no whole number '") + field + "'");
    return found->second;
  }
  void finish() {
    if (!is_object_) return;
    if (section_ == "categories") {
      if (!text_ || text_->empty()) refuse_element("no text 'name'");
      if (!categories_.emplace(number("id"), *text_).second) refuse_element("the id " + std::to_string(number("id")) + " again");
      if (categories_.size() > most_folder_classes) refuse("has more than " + std::to_string(most_folder_classes) + " categories");
    } else if (section_ == "images") {
      if (!text_ || !is_name_below(*text_) || !is_picture_name(*text_))
        refuse_element("the file_name '" + printable(text_.value_or("")) + "', which is no picture below the folder");
      if (!images_.emplace(number("id"), *text_).second) refuse_element("the id " + std::to_string(number("id")) + " again");
    } else if (section_ == "annotations") {
      annotations_.emplace_back(number("image_id"), number("category_id"));
    }
  }

  std::string const& name_;
  std::size_t depth_ = 0, element_ = 0;
  bool is_object_ = false;
  std::string section_, field_;
  std::map<std::string, std::int64_t> numbers_;
  std::optional<std::string> text_;
  std::map<std::int64_t, std::string> categories_, images_;
  std::vector<std::pair<std::int64_t, std::int64_t>> annotations_;
};

inline std::pair<std::vector<std::string>, std::vector<classified_name>> parse_inat(std::span<std::uint8_t const> bytes,
                                                                                    std::string const& name) {
  inat_reader reader(name);
  nlohmann::json::sax_parse(bytes.begin(), bytes.end(), &reader);
  return std::move(reader).list();
}

/// The attributes of CelebA: names, and for each picture 0 or 1 for each of them.
struct attribute_list {
  std::vector<std::string> names;
  std::vector<std::pair<std::string, std::vector<std::uint8_t>>> pictures;
};
inline attribute_list parse_attributes(std::vector<std::uint8_t> bytes, std::string const& name) {
  word_list const list = parse_words(std::move(bytes), name);
  auto const words_of  = [](std::string_view text) {
    std::vector<std::string_view> words;
    for (text = trimmed(text); !text.empty();) {
      auto const end = std::min(text.find_first_of(" \t"), text.size());
      words.push_back(text.substr(0, end));
      text = trimmed(text.substr(end));
    }
    return words;
  };
  auto const& head = list.lines[0];
  auto const count = number_of(head.word);
  if (!count || !head.rest.empty()) list.fail(head, "is '" + printable(head.word) + "'", "the first line is the number of pictures");
  if (list.lines.size() < 2) throw input_error("'" + name + "' has no second line, the names of the attributes; copy the list again");
  attribute_list made;
  auto const& second = list.lines[1];
  made.names.emplace_back(second.word);
  for (auto const word : words_of(second.rest)) made.names.emplace_back(word);
  if (std::set<std::string>(made.names.begin(), made.names.end()).size() != made.names.size())
    list.fail(second, "names an attribute twice", "copy the list again");
  for (std::size_t i = 2; i < list.lines.size(); ++i) {
    auto const& line  = list.lines[i];
    auto const values = words_of(line.rest);
    if (values.size() != made.names.size())
      list.fail(line, "has " + std::to_string(values.size()) + " values",
                "write one for each of " + std::to_string(made.names.size()) + " attributes");
    std::vector<std::uint8_t> row;
    for (auto const value : values) {
      if (value != "1" && value != "-1") list.fail(line, "has the value '" + printable(value) + "'", "write 1 or -1");
      row.push_back(value == "1");
    }
    made.pictures.emplace_back(picture_name(list, line, line.word), std::move(row));
  }
  if (static_cast<double>(made.pictures.size()) != *count)
    throw input_error("'" + name + "' lists " + std::to_string(made.pictures.size()) + " pictures, and its first line says " +
                      text_of(*count) + "; copy the list again");
  return made;
}

/// The first of several places that is there; the first where none is.
inline std::filesystem::path one_of(std::filesystem::path const& root, std::initializer_list<char const*> places) {
  std::error_code ignored;
  for (char const* const each : places)
    if (std::filesystem::exists(root / each, ignored)) return root / each;
  return root / *places.begin();
}

}  // namespace detail

/// Caltech-UCSD Birds 200-2011.
[[nodiscard]] inline picture_lists read_cub(std::filesystem::path const& root, partition_options const& how = detail::whole_lists) {
  using namespace detail;
  picture_lists made;
  made.root         = root;
  auto const images = read_words(root / "images.txt"), labels = read_words(root / "image_class_labels.txt"),
             classes = read_words(root / "classes.txt"), parts = read_words(root / "train_test_split.txt");
  std::map<std::string_view, std::int64_t> class_of, number_of;
  for (auto const& line : classes.lines) {
    if (line.rest.empty()) classes.fail(line, "is '" + printable(line.word) + "'", "write a number and the name of a class");
    number_of.emplace(line.word, std::ssize(made.classes));
    made.classes.emplace_back(line.rest);
  }
  for (auto const& line : labels.lines) {
    auto const found = number_of.find(line.rest);
    if (found == number_of.end())
      labels.fail(line, "has the class '" + printable(line.rest) + "'", "write the number of a class of classes.txt");
    class_of.emplace(line.word, found->second);
  }
  std::map<std::string_view, std::string> name_of;
  std::set<std::string> seen;
  std::map<std::string_view, bool> is_train;
  for (auto const& line : parts.lines)
    is_train[line.word] = whole_of(parts, line, numbers_of<1>(parts, line, "write a picture's number and 0 or 1")[0], 0, 1, "part") == 1;
  for (auto const& line : images.lines) {
    std::string const name = picture_name(images, line, line.rest);
    auto const label       = class_of.find(line.word);
    auto const part        = is_train.find(line.word);
    if (label == class_of.end()) images.fail(line, "names a picture without a class", "add it to image_class_labels.txt");
    if (part == is_train.end()) images.fail(line, "names a picture of no split", "add it to train_test_split.txt");
    (part->second ? made.train : made.test).push_back({"images/" + name, label->second});
    name_of.emplace(line.word, "images/" + name);
    if (!seen.insert(name).second) images.fail(line, "lists '" + printable(name) + "' under a second number", "take one of the lines out");
  }
  for (auto const* list : {&labels, &parts})
    for (auto const& line : list->lines)
      if (!name_of.contains(line.word)) list->fail(line, "names picture '" + printable(line.word) + "'", "add it to images.txt");
  std::error_code ignored;
  if (std::filesystem::exists(root / "bounding_boxes.txt", ignored)) {
    auto const boxes = read_words(root / "bounding_boxes.txt");
    for (auto const& line : boxes.lines) {
      auto const [x, y, w, h] = numbers_of<4>(boxes, line, "write a picture's number, x, y, width and height");
      auto const picture      = name_of.find(line.word);
      if (picture == name_of.end()) boxes.fail(line, "has a box of picture '" + printable(line.word) + "'", "write a number of images.txt");
      if (!(w > 0 && h > 0)) boxes.fail(line, "has a box without area", "write a width and a height above 0");
      made.boxes.emplace(picture->second, metrics::box{x, y, x + w, y + h});
    }
  }
  return finished(std::move(made), how, root);
}

/// FGVC-Aircraft, its 100 variants.
[[nodiscard]] inline picture_lists read_aircraft(std::filesystem::path const& root, partition_options const& how = detail::whole_lists) {
  using namespace detail;
  picture_lists made;
  made.root    = root;
  made.classes = read_class_names(root / "data" / "variants.txt");
  std::map<std::string, std::int64_t> number_of;
  for (auto const& each : made.classes) number_of.emplace(each, std::ssize(number_of));
  std::set<std::string> seen;
  for (auto const& [part, list] : {std::pair("trainval", &made.train), std::pair("test", &made.test)}) {
    auto const lines = read_words(root / "data" / ("images_variant_" + std::string(part) + ".txt"));
    for (auto const& line : lines.lines) {
      auto const label       = number_of.find(std::string(line.rest));
      std::string const name = "data/images/" + picture_name(lines, line, std::string(line.word) + ".jpg");
      if (label == number_of.end()) lines.fail(line, "has the variant '" + printable(line.rest) + "'", "write one of variants.txt");
      if (!seen.insert(name).second)
        lines.fail(line, "lists '" + printable(line.word) + "', a picture of the other list, too", "take it out of one");
      list->push_back({name, label->second});
    }
  }
  std::error_code ignored;
  if (auto const file = root / "data" / "images_box.txt"; std::filesystem::exists(file, ignored)) {
    auto const boxes = read_words(file);
    for (auto const& line : boxes.lines) {
      auto const [x0, y0, x1, y1] = numbers_of<4>(boxes, line, "write a picture's number, xmin, ymin, xmax and ymax");
      if (!(x1 >= x0 && y1 >= y0)) boxes.fail(line, "has a box without area", "write xmax and ymax of at least xmin and ymin");
      std::string const name = "data/images/" + std::string(line.word) + ".jpg";
      if (!seen.contains(name))
        boxes.fail(line, "has a box of '" + printable(line.word) + "', a picture of neither list", "add it to one, or take the line out");
      made.boxes.emplace(name, metrics::box{x0 - 1, y0 - 1, x1, y1});
    }
  }
  return finished(std::move(made), how, root);
}

/// Stanford Cars, of the lists that fine_grained_lists.py writes.
[[nodiscard]] inline picture_lists read_cars(std::filesystem::path const& root, partition_options const& how = detail::whole_lists) {
  using namespace detail;
  picture_lists made;
  made.root    = root;
  made.classes = read_class_names(root / "class_names.txt");
  for (auto const& [part, list] : {std::pair("train", &made.train), std::pair("test", &made.test)}) {
    auto const lines = read_words(root / ("cars_" + std::string(part) + ".txt"));
    for (auto const& line : lines.lines) {
      auto const [label, x0, y0, x1, y1] = numbers_of<5>(lines, line, "write a picture, its class and x1, y1, x2, y2");
      std::string const name             = picture_name(lines, line, line.word);
      list->push_back({name, whole_of(lines, line, label, 1, std::ssize(made.classes), "class") - 1});
      if (!(x1 >= x0 && y1 >= y0)) lines.fail(line, "has a box without area", "write x2 and y2 of at least x1 and y1");
      if (!made.boxes.emplace(name, metrics::box{x0 - 1, y0 - 1, x1, y1}).second)
        lines.fail(line, "lists '" + printable(name) + "', a picture of the other list, too", "take it out of one");
    }
  }
  return finished(std::move(made), how, root);
}

/// Stanford Dogs, of the lists that fine_grained_lists.py writes. `boxes`: the annotation of each picture is read.
[[nodiscard]] inline picture_lists read_dogs(std::filesystem::path const& root, partition_options const& how = detail::whole_lists,
                                             bool boxes = false) {
  using namespace detail;
  picture_lists made;
  made.root = root;
  std::array<word_list, 2> const lists{read_words(root / "train_list.txt"), read_words(root / "test_list.txt")};
  std::set<std::string> classes, seen;
  for (auto const& list : lists)
    for (auto const& line : list.lines) {
      std::string const name = picture_name(list, line, line.word);
      auto const slash       = name.find('/');
      if (!line.rest.empty() || slash == std::string::npos || slash == 0)
        list.fail(line, "is '" + printable(line.word) + "'", "write one name a line, CLASS/FILE.jpg");
      if (!seen.insert(name).second)
        list.fail(line, "lists '" + printable(name) + "', a picture of the other list, too", "take it out of one");
      classes.insert(name.substr(0, slash));
    }
  made.classes.assign(classes.begin(), classes.end());
  for (std::size_t part : {0u, 1u})
    for (auto const& line : lists[part].lines) {
      std::string const word(line.word), name = "Images/" + word;
      auto const label = std::distance(classes.begin(), classes.find(word.substr(0, word.find('/'))));
      (part == 0 ? made.train : made.test).push_back({name, label});
      if (boxes) made.boxes.emplace(name, first_box(root / "Annotation" / word.substr(0, word.rfind('.'))));
    }
  return finished(std::move(made), how, root);
}

/// iNaturalist 2017; its validation pictures are the test split.
[[nodiscard]] inline picture_lists read_inat(std::filesystem::path const& root, partition_options const& how = detail::whole_lists) {
  using namespace detail;
  picture_lists made;
  made.root       = root;
  auto const file = [&](char const* name) { return parse_inat(bytes_of_file(root / name, largest_json_list), (root / name).string()); };
  auto train = file("train2017.json"), test = file("val2017.json");
  if (train.first != test.first)
    throw input_error("'" + (root / "val2017.json").string() + "' has other categories than train2017.json; take both files of one year");
  made.classes = std::move(train.first), made.train = std::move(train.second), made.test = std::move(test.second);
  check_once(root, [](classified_name const& each) -> auto const& { return each.name; }, made.train, made.test);
  return finished(std::move(made), how, root);
}

/// Oxford-IIIT Pet: the breed is a file's name up to the last '_'.
[[nodiscard]] inline picture_lists read_pets(std::filesystem::path const& root, partition_options const& how = {}) {
  using namespace detail;
  picture_lists made;
  made.root        = root;
  auto const files = files_in(root / "images", {".jpg", ".jpeg", ".png"});
  std::map<std::string, std::int64_t> breeds;
  for (auto const& file : files) {
    auto const end = file.rfind('_');
    if (end == std::string::npos || end == 0)
      throw input_error("'" + (root / "images" / file).string() + "' has no breed in its name; pets are called BREED_12.jpg");
    breeds.emplace(file.substr(0, end), 0);
  }
  for (auto& [breed, number] : breeds) {
    number = std::ssize(made.classes);
    made.classes.push_back(breed);
  }
  for (auto const& file : files) {
    made.train.push_back({"images/" + file, breeds.at(file.substr(0, file.rfind('_')))});
    std::error_code ignored;
    if (auto const xml = root / "xmls" / (file.substr(0, file.rfind('.')) + ".xml"); std::filesystem::exists(xml, ignored))
      made.boxes.emplace("images/" + file, first_box(xml));
  }
  check_partition(how);
  take_fraction(
      made.train, made.test, how.test, how.seed, 0, [](auto const& each) { return each.name; },
      [](auto const& each) { return each.label; });
  return finished(std::move(made), how, root);
}

/// Pictures with several labels of 0 or 1.
struct attribute_lists {
  std::vector<std::string> attributes;
  std::filesystem::path root;
  std::vector<std::string> train, validation, test;
  std::map<std::string, std::vector<std::uint8_t>> values;  ///< by name: 0 or 1 for each attribute
};

/// CelebA, with its own splits; `attributes` names those that are wanted, in that order.
[[nodiscard]] inline attribute_lists read_celeba(std::filesystem::path const& root, std::vector<std::string> const& attributes) {
  using namespace detail;
  attribute_lists made{attributes, one_of(root, {"img_align_celeba", "Img/img_align_celeba"}), {}, {}, {}, {}};
  auto const table_file = one_of(root, {"list_attr_celeba.txt", "Anno/list_attr_celeba.txt"});
  auto const table      = parse_attributes(bytes_of_file(table_file, largest_list), table_file.string());
  std::vector<std::size_t> columns;
  for (auto const& each : attributes) {
    auto const found = std::find(table.names.begin(), table.names.end(), each);
    if (found == table.names.end())
      throw input_error("'" + table_file.string() + "' has no attribute '" + printable(each) + "'; it has '" +
                        printable(table.names.front()) + "' and " + std::to_string(table.names.size() - 1) + " others, on its second line");
    columns.push_back(static_cast<std::size_t>(found - table.names.begin()));
  }
  for (auto const& [name, row] : table.pictures)
    for (std::size_t const column : columns) made.values[name].push_back(row[column]);
  auto const parts = read_words(one_of(root, {"list_eval_partition.txt", "Eval/list_eval_partition.txt"}));
  for (auto const& line : parts.lines) {
    std::string const name(line.word);
    if (!made.values.contains(name)) parts.fail(line, "lists '" + printable(name) + "', which has no attributes", "take it out");
    auto const part = whole_of(parts, line, numbers_of<1>(parts, line, "write a picture and 0, 1 or 2")[0], 0, 2, "part");
    (part == 0 ? made.train : part == 1 ? made.validation : made.test).push_back(name);
  }
  if (parts.lines.size() < made.values.size()) {
    std::set<std::string_view> listed;
    for (auto const& line : parts.lines) listed.insert(line.word);
    for (auto const& [name, row] : made.values)
      if (!listed.contains(name))
        throw input_error("'" + parts.name + "' does not list '" + printable(name) + "', which has attributes; copy both lists again");
  }
  if (made.train.empty() || made.test.empty())
    throw input_error("'" + parts.name + "' has no picture for " + (made.train.empty() ? "training" : "testing") + "; copy the list again");
  return made;
}

/// A split of pictures with Labels labels of 0 or 1; a truth is [Labels] float.
template <std::int64_t Side, std::int64_t Labels>
class attributed_pictures {
 public:
  using image       = c2f::image<3, Side, Side>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 1> truth_dims{Labels};

  attributed_pictures(std::string name, attribute_lists const& lists, std::vector<std::string> const& names, resizing resize,
                      augmentation const& augment, std::shared_ptr<std::atomic<std::int64_t>> budget)
      : pictures_(pictures_of(std::move(name), lists, names, resize, augment, std::move(budget))), values_(values_of(lists, names)) {}

  [[nodiscard]] std::int64_t size() const { return pictures_.size(); }
  [[nodiscard]] std::string const& name() const { return pictures_.name(); }
  /// The names of the attributes.
  [[nodiscard]] std::vector<std::string> const& classes() const { return pictures_.classes(); }
  [[nodiscard]] std::uint64_t fingerprint() const {
    std::uint64_t const hash = detail::samples_hash(pictures_);
    return detail::hash_after(hash, std::string_view(reinterpret_cast<char const*>(values_->data()), values_->size()));
  }
  [[nodiscard]] auto settings() const { return pictures_.settings(); }
  [[nodiscard]] std::string const& name_of(std::int64_t id) const { return pictures_.name_of(id); }
  [[nodiscard]] std::vector<std::uint8_t> picture(std::int64_t id) const { return pictures_.picture(id); }
  void read(std::int64_t id, random_stream* augment, float* pixels, float* truth) const {
    std::int64_t none = 0;
    pictures_.read(id, augment, pixels, &none);
    std::uint8_t const* const row = values_->data() + id * Labels;
    std::copy(row, row + Labels, truth);
  }

 private:
  static classified_pictures<Side> pictures_of(std::string name, attribute_lists const& lists, std::vector<std::string> const& names,
                                               resizing resize, augmentation const& augment,
                                               std::shared_ptr<std::atomic<std::int64_t>> budget) {
    if (std::ssize(lists.attributes) != Labels)
      throw input_error("a split of " + std::to_string(Labels) + " attributes was given " + std::to_string(lists.attributes.size()) +
                        "; name as many as its type says");
    std::vector<classified_name> samples;
    for (auto const& each : names) samples.push_back({each, 0});
    auto const files = std::make_shared<std::vector<std::string> const>(names);
    return {std::move(name),  std::move(samples),
            lists.attributes, [files, root = lists.root](std::size_t i) { return read_picture(root / (*files)[i], exif::apply); },
            resize,           augment,
            std::move(budget)};
  }
  static std::shared_ptr<std::vector<std::uint8_t> const> values_of(attribute_lists const& lists, std::vector<std::string> const& names) {
    auto made = std::make_shared<std::vector<std::uint8_t>>();
    for (auto const& each : names) made->insert(made->end(), lists.values.at(each).begin(), lists.values.at(each).end());
    return made;
  }
  classified_pictures<Side> pictures_;
  std::shared_ptr<std::vector<std::uint8_t> const> values_;
};

/// CelebA's splits with Labels of its attributes: the six of Coarse2Fine are Attractive, High_Cheekbones, Male, Mouth_Slightly_Open,
/// Smiling and Wearing_Lipstick.
template <std::int64_t Side, std::int64_t Labels>
struct celeba {
  attributed_pictures<Side, Labels> train, validation, test;

  celeba(attribute_lists const& lists, class_folders_options const& options)
      : celeba(lists, options, std::make_shared<std::atomic<std::int64_t>>(options.cache_bytes)) {}

 private:
  celeba(attribute_lists const& lists, class_folders_options const& o, std::shared_ptr<std::atomic<std::int64_t>> const& budget)
      : train("train", lists, lists.train, o.resize, o.augment, budget),
        validation("validation", lists, lists.validation, o.resize, o.augment, budget),
        test("test", lists, lists.test, o.resize, o.augment, budget) {}
};

}  // namespace c2f::data
