// c2f/data/datasets/coco.hpp: pictures with one box a class, from COCO's instances JSON.
//
//   auto const list = c2f::data::read_coco("/data/coco/annotations/instances_val2017.json");
//   list.classes;                                                    // {"person", "bicycle", ...}, in the order of their ids
//   c2f::data::coco<3, 192> data{{.root = "/data/coco", .classes = {"cat", "dog", "bird"}, .objects = c2f::data::object_choice::largest}};
//
// Read are `images` (id, file_name, width, height), `categories` (id, name) and `annotations` (image_id, category_id, bbox, iscrowd), in any
// order; the rest of the file is skipped: segmentations, captions, licences. A bbox is x, y, width, height in pixels, edges as in voc.hpp; one
// that reaches beyond its picture by up to a pixel, as COCO's rounding does, is clipped. Regions of crowds (iscrowd) are no objects.
//
// Layouts: ROOT/annotations/*.json or ROOT/*.json, or ROOT/{train,valid,test}/_annotations.coco.json; where there are files named instances_*,
// only those. A file whose name, or whose folder's, has "train", "val" or "test" in it is of that split; one file alone is split by voc.hpp's
// rule. Pictures are found in the file's folder, or below ROOT in a folder named as the split with or without a year (train2017), `images`
// with or without that, or ROOT itself.
//
// The splits are those of voc.hpp: truths, faulty samples and costs are described there. The JSON is read as a stream: memory for what is kept,
// not for its segmentations. Needs nlohmann/json besides what voc.hpp needs.
// Errors: input_error for a file that is no such JSON, with file and element: what is missing or of another type, an id that occurs twice or
// that is unknown, a file name that leads out of the folder; and those of voc.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <c2f/core/errors.hpp>
#include <c2f/data/datasets/voc.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/metrics/detection.hpp>

namespace c2f::data {

/// The pictures and objects of an instances JSON.
struct coco_list {
  struct picture {
    std::string file;
    std::int64_t width = 0, height = 0;
    std::vector<std::pair<std::int64_t, metrics::box>> objects{};  ///< class (index of `classes`) and box in pixels
  };
  std::vector<std::string> classes;
  std::vector<picture> pictures;  ///< in the order of their ids
  std::int64_t crowds = 0;        ///< annotations that are no objects
};

namespace detail {

inline constexpr std::uintmax_t largest_coco_file = std::uintmax_t{1} << 31;
inline constexpr std::size_t most_coco_classes    = 10000;

/// Receives the events of the parser. Depth 1: the file's object; 2: a list of it; 3: an element; 4: a list in an element.
class coco_reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit coco_reader(std::string const& name) : name_(name) {}

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t number) override { return whole(number); }
  bool number_unsigned(number_unsigned_t number) override {
    if (number > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) return real(static_cast<double>(number));
    return whole(static_cast<std::int64_t>(number));
  }
  bool number_float(number_float_t number, string_t const&) override { return real(number); }
  bool string(string_t& text) override {
    if (depth_ == 3 && (field_ == "file_name" || field_ == "name")) text_ = text;
    return true;
  }
  bool binary(binary_t&) override { return value(); }
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

  [[nodiscard]] coco_list list() && {
    if (categories_.empty()) refuse("has no 'categories' with an id and a name each");
    if (images_.empty()) refuse("has no 'images' with an id and a file_name each");
    coco_list made;
    std::map<std::int64_t, std::int64_t> number_of;
    for (auto& [id, name] : categories_) {
      number_of.emplace(id, std::ssize(made.classes));
      made.classes.push_back(std::move(name));
    }
    std::map<std::int64_t, std::size_t> place_of;
    for (auto& [id, picture] : images_) {
      place_of.emplace(id, made.pictures.size());
      made.pictures.push_back(std::move(picture));
    }
    for (auto const& each : annotations_) {
      auto const picture  = place_of.find(each.image);
      auto const category = number_of.find(each.category);
      if (picture == place_of.end())
        refuse("has an annotation of the image " + std::to_string(each.image) + ", which 'images' does not have");
      if (category == number_of.end())
        refuse("has an annotation of the category " + std::to_string(each.category) + ", which 'categories' does not have");
      made.pictures[picture->second].objects.emplace_back(category->second, each.where);
    }
    made.crowds = crowds_;
    return made;
  }

 private:
  struct annotated {
    std::int64_t image, category;
    metrics::box where;
  };

  [[noreturn]] void refuse(std::string const& what) const {
    throw input_error("'" + name_ + "' is no COCO instances file: it " + what + "; correct the file");
  }
  [[noreturn]] void refuse_element(std::string const& what) const {
    refuse("has an element " + std::to_string(element_) + " of '" + section_ + "' with " + what);
  }
  [[nodiscard]] bool wanted() const { return section_ == "images" || section_ == "annotations" || section_ == "categories"; }

  bool value() { return true; }
  bool whole(std::int64_t number) {
    if (depth_ == 3) {
      if (field_ == "id" || field_ == "image_id" || field_ == "category_id" || field_ == "width" || field_ == "height" ||
          field_ == "iscrowd")
        numbers_[field_] = number;
      return true;
    }
    return real(static_cast<double>(number));
  }
  bool real(double number) {
    if (depth_ == 3 && (field_ == "width" || field_ == "height") && number == std::floor(number) && std::abs(number) < 1e9)
      numbers_[field_] = static_cast<std::int64_t>(number);
    if (depth_ == 4 && field_ == "bbox") {
      if (box_count_ < 4) box_[box_count_] = number;
      ++box_count_;
    }
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
      box_count_ = 0;
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
    if (!wanted() || !is_object_) return;
    if (section_ == "categories") {
      if (!text_ || text_->empty()) refuse_element("no text 'name'");
      if (!categories_.emplace(number("id"), *text_).second) refuse_element("the id " + std::to_string(number("id")) + " again");
      if (categories_.size() > most_coco_classes) refuse("has more than " + std::to_string(most_coco_classes) + " categories");
    } else if (section_ == "images") {
      if (!text_ || !is_name_below(*text_))
        refuse_element("the file_name '" + printable(text_.value_or("")) +
                       "', which is no name of a file below the folder of the pictures");
      std::int64_t const width = number("width"), height = number("height");
      for (std::int64_t const side : {width, height})
        if (side < 1 || side > largest_picture_side) refuse_element("a width or height of " + std::to_string(side));
      if (!images_.emplace(number("id"), coco_list::picture{*text_, width, height}).second)
        refuse_element("the id " + std::to_string(number("id")) + " again");
    } else {
      auto const crowd = numbers_.find("iscrowd");
      if (crowd != numbers_.end() && crowd->second != 0) {
        ++crowds_;
        return;
      }
      if (box_count_ != 4 || !std::all_of(box_.begin(), box_.end(), [](double each) { return std::isfinite(each); }))
        refuse_element("no 'bbox' of four numbers");
      annotations_.push_back({number("image_id"), number("category_id"), {box_[0], box_[1], box_[0] + box_[2], box_[1] + box_[3]}});
    }
  }

  std::string const& name_;
  std::size_t depth_ = 0, element_ = 0, box_count_ = 0;
  bool is_object_ = false;
  std::string section_, field_;
  std::map<std::string, std::int64_t> numbers_;  // of the element
  std::optional<std::string> text_;
  std::array<double, 4> box_{};
  std::map<std::int64_t, std::string> categories_;
  std::map<std::int64_t, coco_list::picture> images_;
  std::vector<annotated> annotations_;
  std::int64_t crowds_ = 0;
};

}  // namespace detail

/// Parses the text of an instances JSON; `name` is used in messages.
[[nodiscard]] inline coco_list parse_coco(std::span<std::uint8_t const> bytes, std::string const& name) {
  detail::coco_reader reader(name);
  nlohmann::json::sax_parse(bytes.begin(), bytes.end(), &reader);
  return std::move(reader).list();
}
[[nodiscard]] inline coco_list read_coco(std::filesystem::path const& file) {
  return parse_coco(detail::bytes_of_file(file, detail::largest_coco_file), file.string());
}

namespace detail {

/// The files of annotations of each split.
struct coco_files {
  std::vector<std::filesystem::path> train, validation, test;
};
inline std::optional<coco_files> find_coco_files(std::filesystem::path const& root) {
  std::error_code ignored;
  std::vector<std::filesystem::path> files;
  for (char const* const part : {"train", "valid", "val", "test"})
    if (auto const file = root / part / "_annotations.coco.json"; std::filesystem::is_regular_file(file, ignored)) files.push_back(file);
  for (auto const& folder : {root / "annotations", root}) {
    if (!files.empty() || !std::filesystem::is_directory(folder, ignored)) continue;
    for (auto const& name : files_in(folder, {".json"})) files.push_back(folder / name);
  }
  auto const is_instances = [](std::filesystem::path const& file) { return file.filename().string().starts_with("instances_"); };
  if (std::any_of(files.begin(), files.end(), is_instances)) std::erase_if(files, [&](auto const& file) { return !is_instances(file); });
  if (files.empty()) return {};
  coco_files made;
  for (auto const& file : files) {
    std::string const name = lower(file.parent_path().filename().string() + '/' + file.filename().string());
    auto const has         = [&](char const* word) { return name.find(word) != std::string::npos; };
    (has("train") || files.size() == 1 ? made.train : has("val") ? made.validation : has("test") ? made.test : made.train).push_back(file);
  }
  if (made.train.empty()) return {};
  return made;
}

/// The folder of the pictures of a file of annotations.
inline std::filesystem::path coco_pictures(std::filesystem::path const& root, std::filesystem::path const& file, std::string const& first) {
  std::error_code ignored;
  std::vector<std::filesystem::path> folders{file.parent_path()};
  std::string const stem = file.stem().string(), part = stem.substr(stem.rfind('_') + 1);
  std::string const word = part.substr(0, part.find_first_of("0123456789"));
  for (auto const& name : {part, word, "images/" + part, "images/" + word, std::string("images"), std::string()})
    folders.push_back(root / name);
  for (auto const& folder : folders)
    if (std::filesystem::is_regular_file(folder / first, ignored)) return folder;
  return root / "images";
}

/// The samples of files of annotations, before objects are chosen, and the names of their classes, in order.
inline std::vector<voc_entry> coco_entries(std::filesystem::path const& root, std::vector<std::filesystem::path> const& files,
                                           std::vector<std::string>& classes) {
  std::vector<voc_entry> made;
  for (auto const& file : files) {
    coco_list list      = read_coco(file);
    auto const pictures = coco_pictures(root, file, list.pictures.front().file);
    std::set<std::int64_t> used;  // a category without an object is none of the data
    for (auto const& each : list.pictures)
      for (auto const& [label, where] : each.objects) used.insert(label);
    for (std::int64_t const label : used)
      if (auto const& name = list.classes[static_cast<std::size_t>(label)];
          std::find(classes.begin(), classes.end(), name) == classes.end())
        classes.push_back(name);
    for (auto& each : list.pictures) {
      auto const w = static_cast<double>(each.width), h = static_cast<double>(each.height);
      voc_entry& entry = made.emplace_back(
          voc_entry{{.name = each.file, .picture = pictures / each.file, .xml = file, .width = each.width, .height = each.height},
                    {each.width, each.height, {}}});
      auto const onto_edge = [](double at, double edge) { return std::abs(at - edge) <= 1 ? edge : at; };
      for (auto const& [label, b] : each.objects)
        entry.found.objects.push_back({list.classes[static_cast<std::size_t>(label)],
                                       {b.x0 < 0 ? onto_edge(b.x0, 0) : b.x0, b.y0 < 0 ? onto_edge(b.y0, 0) : b.y0,
                                        b.x1 > w ? onto_edge(b.x1, w) : b.x1, b.y1 > h ? onto_edge(b.y1, h) : b.y1}});
    }
  }
  return made;
}

/// The index of a root: train and test; a validation file is the test split if there is no other.
inline voc_index index_coco(voc_options options, std::size_t classes) {
  auto const files = find_coco_files(options.root);
  if (!files)
    throw input_error("'" + options.root.string() +
                      "' has no COCO annotations; put instances_train.json and instances_val.json into its folder annotations");
  std::vector<std::string> names;
  entry_lists both;
  both[0] = coco_entries(options.root, files->train, names);
  both[1] = coco_entries(options.root, files->test.empty() ? files->validation : files->test, names);
  if (both[1].empty()) {
    std::vector<voc_entry> whole = std::move(both[0]);
    both[0].clear();
    for (auto& each : whole) {
      random_stream draw{options.seed, purpose::partition, 0, hash_of(each.sample.name)};
      both[draw.uniform() <= options.test_fraction ? 1 : 0].push_back(std::move(each));
    }
  }
  if (options.classes.empty() && options.class_from == class_source::object_name) options.classes = names;
  return voc_indexer(options, classes, options.root).choose(std::move(both));
}

}  // namespace detail

/// A data set of pictures with one box a class, from COCO's JSON. Of the options, train_set and test_set have no effect.
template <std::int64_t Classes, std::int64_t Side>
struct coco {
  voc_split<Classes, Side> train, test;
  explicit coco(voc_options const& options)
      : coco(detail::index_coco(options, static_cast<std::size_t>(Classes)), options,
             std::make_shared<std::atomic<std::int64_t>>(options.cache_bytes)) {}

 private:
  coco(detail::voc_index index, voc_options const& options, std::shared_ptr<std::atomic<std::int64_t>> const& budget)
      : train("coco train", std::move(index.train), index.classes, options.augment, budget),
        test("coco test", std::move(index.test), index.classes, options.augment, budget) {}
};

}  // namespace c2f::data
