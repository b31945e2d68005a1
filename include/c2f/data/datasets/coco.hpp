// c2f/data/datasets/coco.hpp: pictures with one box a class, from COCO's instances JSON.
//
//   auto const list = c2f::data::read_coco("/data/coco/annotations/instances_val2017.json");
//   list.classes;                                                    // {"person", "bicycle", ...}, in the order of their ids
//   c2f::data::coco<3, 192> data{{.root = "/data/coco", .classes = {"cat", "dog", "bird"}, .objects = c2f::data::object_choice::largest}};
//
// Read are `images` (id, file_name, width, height), `categories` (id, name, supercategory) and `annotations` (image_id, category_id, bbox, area,
// iscrowd), in any order; the rest of the file is skipped: captions, licences. A bbox is x, y, width, height in pixels, edges as in voc.hpp; one
// that reaches beyond its picture by up to a pixel, as COCO's rounding does, is clipped. Regions of crowds (iscrowd) are no objects. Masks and
// crowds are read if they are asked for: {.segmentations = true, .crowds = true}; data/datasets/coco_objects.hpp has splits of them, and
// data/datasets/coco_panoptic.hpp reads panoptic files.
//
// Layouts: ROOT/annotations/*.json or ROOT/*.json, or ROOT/{train,valid,test}/_annotations.coco.json; where there are files named instances_*,
// only those. A file whose name, or else whose folder's below ROOT, has the word train (trainval), val (valid, minival) or test in it, between
// '_', '-', '.' and digits, is of that split; one file alone, or several without such a word, are split by voc.hpp's rule. Pictures are found
// in the file's folder, or below ROOT in a folder named as the split with or without a year (train2017), `images` with or without that, or
// ROOT itself.
//
// The splits are those of voc.hpp: truths, faulty samples and costs are described there. The JSON is read as a stream: memory for what is kept,
// not for its segmentations. Needs nlohmann/json besides what voc.hpp needs.
// Errors: input_error for a file that is no such JSON, with file and element: what is missing or of another type, an id that occurs twice or
// that is unknown, a file name that leads out of the folder, a negative area, a polygon of fewer than three corners or with an odd number of
// numbers, runs that do not fill the picture, supercategories that lead in a circle; and those of voc.hpp.
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
#include <c2f/data/numbers.hpp>
#include <c2f/data/run_lengths.hpp>
#include <c2f/metrics/detection.hpp>

namespace c2f::data {

/// An object, or the region of a crowd. Crowds and difficult objects are to be ignored.
struct coco_object {
  std::int64_t label = 0;                       ///< index of `classes`
  metrics::box where{};                         ///< in pixels
  bool crowd  = false;                          ///< a region of several
  double area = 0;                              ///< as the file says it; 0 if it does not
  std::vector<std::vector<double>> polygons{};  ///< its parts, x, y, x, y, ...; or
  run_lengths runs{};                           ///< ... its pixels; without counts: none
  bool difficult = false;                       ///< of Pascal VOC

  [[nodiscard]] bool has_mask() const { return !polygons.empty() || !runs.counts.empty(); }
  /// Its pixels; input_error if it has none.
  [[nodiscard]] run_lengths mask(std::int64_t height, std::int64_t width) const {
    if (!runs.counts.empty()) return runs;
    if (polygons.empty())
      throw input_error("an object has a box and no segmentation, and its mask was asked for; take another file, or leave it out");
    return of_polygons(polygons, height, width);
  }
};

/// The pictures and objects of an instances JSON.
struct coco_list {
  struct picture {
    std::string file;
    std::int64_t width = 0, height = 0;
    std::vector<coco_object> objects{};
  };
  std::vector<std::string> classes;
  std::vector<std::int64_t> category_ids;  ///< of the classes, ascending
  std::vector<picture> pictures;           ///< in the order of their ids
  std::int64_t crowds = 0;                 ///< annotations that are regions of crowds
};

/// What is kept of an instances JSON.
struct coco_reading {
  bool segmentations = false;  ///< polygons and runs
  bool crowds        = false;  ///< regions of crowds, among the objects
};

/// The segments and pictures of a panoptic JSON (data/datasets/coco_panoptic.hpp).
struct coco_panoptic_list {
  struct segment {
    std::int64_t number = 0, label = 0;  ///< R + 256 G + 256^2 B of its pixels; index of `classes`
    bool crowd = false;
  };
  struct picture {
    std::string file, segments_file;
    std::int64_t width = 0, height = 0;
    std::vector<segment> segments{};
  };
  std::vector<std::string> classes;
  std::vector<std::int64_t> category_ids;
  std::vector<bool> things;       ///< which classes have instances
  std::vector<picture> pictures;  ///< those that are annotated, in the order of their ids
};

namespace detail {

inline constexpr std::uintmax_t largest_coco_file = std::uintmax_t{1} << 31;
inline constexpr std::size_t most_coco_classes    = 10000;

/// Receives the events of the parser. Depth 1: the file's object; 2: a list of it; 3: an element; 4: a list or object in an element, such as
/// runs; 5: a list in that, such as a polygon, or an object, a segment.
class coco_reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  coco_reader(std::string const& name, coco_reading const& keep, bool panoptic = false) : name_(name), keep_(keep), panoptic_(panoptic) {}

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
    if (depth_ == 3 && field_ == "supercategory") above_ = text;
    if (depth_ == 4 && in_runs() && within_ == "counts") compressed_ = text;
    return true;
  }
  bool binary(binary_t&) override { return value(); }
  bool start_object(std::size_t) override { return begin(true); }
  bool start_array(std::size_t) override { return begin(false); }
  bool end_array() override {
    if (depth_ == 5 && in_polygons() && (polygons_.back().size() < 6 || polygons_.back().size() % 2 != 0))
      refuse_element("a polygon of " + std::to_string(polygons_.back().size()) + " numbers, not an x and a y for three corners or more");
    return --depth_, true;
  }
  bool key(string_t& name) override {
    if (depth_ == 1) section_ = name;
    if (depth_ == 3) field_ = name;
    if (depth_ == 4 || depth_ == 5) within_ = name;
    return true;
  }
  bool end_object() override {
    if (depth_ == 5 && in_segments()) finish_segment();
    if (depth_-- == 3) finish();
    return true;
  }
  bool parse_error(std::size_t at, std::string const&, nlohmann::detail::exception const&) override {
    throw input_error("'" + name_ + "' is no JSON: byte " + std::to_string(at) + " does not fit; copy or write the file again");
  }

  [[nodiscard]] coco_list list() && {
    check_whole();
    coco_list made{class_names(), category_ids(), {}, crowds_};
    std::map<std::int64_t, std::size_t> place_of;
    for (auto& [id, picture] : images_) {
      place_of.emplace(id, made.pictures.size());
      made.pictures.push_back({std::move(picture.file), picture.width, picture.height, {}});
    }
    for (auto& each : annotations_) {
      auto& picture     = made.pictures[found(place_of, each.image, "image", "images")];
      each.object.label = label_of(each.category);
      auto const& runs  = each.object.runs;
      if (!runs.counts.empty() && (runs.height != picture.height || runs.width != picture.width))
        refuse("has a mask of " + std::to_string(runs.width) + " x " + std::to_string(runs.height) + " pixels in the image " +
               std::to_string(each.image) + ", which is " + std::to_string(picture.width) + " x " + std::to_string(picture.height));
      picture.objects.push_back(std::move(each.object));
    }
    return made;
  }
  [[nodiscard]] coco_panoptic_list panoptic_list() && {
    check_whole();
    coco_panoptic_list made{class_names(), category_ids(), {}, {}};
    for (auto const& [id, category] : categories_) made.things.push_back(category.thing);
    std::map<std::int64_t, segmented> of_image;
    for (auto& each : segmented_) {
      std::int64_t const image = each.image;
      if (!of_image.emplace(image, std::move(each)).second) refuse("has two annotations of the image " + std::to_string(image));
    }
    for (auto& [image, each] : of_image) {
      auto const from = images_.find(image);
      if (from == images_.end()) refuse("has an annotation of the image " + std::to_string(image) + ", which 'images' does not have");
      for (auto& segment : each.segments) segment.label = label_of(segment.label);
      made.pictures.push_back(
          {std::move(from->second.file), std::move(each.file), from->second.width, from->second.height, std::move(each.segments)});
    }
    if (made.pictures.empty()) refuse("has no 'annotations' with a file_name and segments_info each");
    return made;
  }

 private:
  struct annotated {
    std::int64_t image, category;
    coco_object object;
  };
  struct segmented {
    std::int64_t image;
    std::string file;
    std::vector<coco_panoptic_list::segment> segments;
  };
  struct described_image {
    std::string file;
    std::int64_t width, height;
  };
  struct described_category {
    std::string name, above;
    bool thing;
  };

  [[noreturn]] void refuse(std::string const& what) const {
    char const* const of = panoptic_ ? "panoptic" : "instances";
    throw input_error("'" + name_ + "' is no COCO " + of + " file: it " + what + "; correct the file");
  }
  [[nodiscard]] bool in_polygons() const { return segmentation_ == form::polygons && field_ == "segmentation"; }
  [[nodiscard]] bool in_runs() const { return segmentation_ == form::runs && field_ == "segmentation"; }
  [[nodiscard]] bool in_segments() const { return panoptic_ && section_ == "annotations" && field_ == "segments_info"; }

  void check_whole() const {
    if (categories_.empty()) refuse("has no 'categories' with an id and a name each");
    if (images_.empty()) refuse("has no 'images' with an id and a file_name each");
    std::map<std::string_view, std::string_view> above;
    for (auto const& [id, category] : categories_)
      if (category.above != category.name) above.emplace(category.name, category.above);
    for (auto const& [id, category] : categories_) {
      std::string_view at = category.name;
      for (std::size_t steps = 0; steps <= above.size(); ++steps) {
        auto const next = above.find(at);
        if (next == above.end()) break;
        if ((at = next->second) == category.name)
          refuse("has the category '" + printable(category.name) + "', which is its own supercategory by way of others");
      }
    }
  }
  [[nodiscard]] std::vector<std::string> class_names() const {
    std::vector<std::string> made;
    for (auto const& [id, category] : categories_) made.push_back(category.name);
    return made;
  }
  [[nodiscard]] std::vector<std::int64_t> category_ids() const {
    std::vector<std::int64_t> made;
    for (auto const& [id, category] : categories_) made.push_back(id);
    return made;
  }
  template <class Map>
  typename Map::mapped_type const& found(Map const& map, std::int64_t id, std::string const& word, char const* list) const {
    auto const at = map.find(id);
    if (at == map.end()) refuse("has an annotation of the " + word + ' ' + std::to_string(id) + ", which '" + list + "' does not have");
    return at->second;
  }
  std::int64_t label_of(std::int64_t category) {
    if (numbers_of_.empty())
      for (auto const& [id, each] : categories_) numbers_of_.emplace(id, std::ssize(numbers_of_));
    return found(numbers_of_, category, "category", "categories");
  }
  [[noreturn]] void refuse_element(std::string const& what) const {
    refuse("has an element " + std::to_string(element_) + " of '" + section_ + "' with " + what);
  }
  [[nodiscard]] bool wanted() const { return section_ == "images" || section_ == "annotations" || section_ == "categories"; }

  bool value() { return true; }
  bool whole(std::int64_t number) {
    if (depth_ == 3) {
      if (field_ == "id" || field_ == "image_id" || field_ == "category_id" || field_ == "width" || field_ == "height" ||
          field_ == "iscrowd" || field_ == "isthing")
        numbers_[field_] = number;
      if (field_ == "area") area_ = static_cast<double>(number);
      return true;
    }
    if (depth_ == 5 && in_segments()) {
      if (within_ == "id" || within_ == "category_id" || within_ == "iscrowd" || within_ == "area") segment_[within_] = number;
      return true;
    }
    if (depth_ == 5 && in_runs()) {
      if (within_ == "size") size_.push_back(number);
      if (within_ == "counts") {
        if (number < 0 || number > std::numeric_limits<std::uint32_t>::max())
          refuse_element("a run of " + std::to_string(number) + " pixels");
        counts_.push_back(static_cast<std::uint32_t>(number));
      }
      return true;
    }
    return real(static_cast<double>(number));
  }
  bool real(double number) {
    if (depth_ == 3 && (field_ == "width" || field_ == "height") && number == std::floor(number) && std::abs(number) < 1e9)
      numbers_[field_] = static_cast<std::int64_t>(number);
    if (depth_ == 3 && field_ == "area") area_ = number;
    if (depth_ == 5 && in_polygons()) polygons_.back().push_back(number);
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
      field_.clear(), within_.clear(), above_.clear();
      compressed_.reset();
      polygons_.clear(), counts_.clear(), size_.clear(), segments_.clear();
      area_         = 0;
      segmentation_ = form::none;
      box_count_    = 0;
      is_object_    = object;
    }
    if (depth_ == 4 && keep_.segmentations && section_ == "annotations" && field_ == "segmentation")
      segmentation_ = object ? form::runs : form::polygons;
    if (depth_ == 5 && in_polygons()) polygons_.emplace_back();
    if (depth_ == 5 && in_segments()) segment_.clear();
    return true;
  }
  void finish_segment() {
    auto const of = [&](char const* field) {
      auto const at = segment_.find(field);
      if (at == segment_.end()) refuse_element(std::string("a segment without a whole number '") + field + "'");
      return at->second;
    };
    std::int64_t const id = of("id");
    if (id < 1 || id >= 1 << 24) refuse_element("a segment with the id " + std::to_string(id) + ", not 1 to 16777215");
    if (segment_.contains("area") && of("area") < 0) refuse_element("an area of " + std::to_string(of("area")));
    segments_.push_back({id, of("category_id"), segment_.contains("iscrowd") && of("iscrowd") != 0});
  }
  [[nodiscard]] run_lengths runs() const {
    if (size_.size() != 2 || size_[0] < 1 || size_[1] < 1 || size_[0] > largest_picture_side || size_[1] > largest_picture_side)
      refuse_element("a mask whose 'size' is no height and width");
    try {
      return compressed_ ? run_lengths::of_text(*compressed_, size_[0], size_[1]) : run_lengths::of_counts(counts_, size_[0], size_[1]);
    } catch (input_error const& error) {
      std::string const what = error.what();
      refuse_element("a mask that is none: " + what.substr(0, what.find("; ")));
    }
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
      bool const thing = !numbers_.contains("isthing") || number("isthing") != 0;
      if (!categories_.emplace(number("id"), described_category{*text_, above_, thing}).second)
        refuse_element("the id " + std::to_string(number("id")) + " again");
      if (categories_.size() > most_coco_classes) refuse("has more than " + std::to_string(most_coco_classes) + " categories");
    } else if (section_ == "images") {
      if (!text_ || !is_name_below(*text_))
        refuse_element("the file_name '" + printable(text_.value_or("")) +
                       "', which is no name of a file below the folder of the pictures");
      std::int64_t const width = number("width"), height = number("height");
      for (std::int64_t const side : {width, height})
        if (side < 1 || side > largest_picture_side) refuse_element("a width or height of " + std::to_string(side));
      if (!images_.emplace(number("id"), described_image{*text_, width, height}).second)
        refuse_element("the id " + std::to_string(number("id")) + " again");
    } else if (panoptic_) {
      if (!text_ || !is_name_below(*text_))
        refuse_element("the file_name '" + printable(text_.value_or("")) +
                       "', which is no name of a file below the folder of the segments");
      std::ranges::sort(segments_, {}, &coco_panoptic_list::segment::number);
      for (std::size_t i = 1; i < segments_.size(); ++i)
        if (segments_[i].number == segments_[i - 1].number)
          refuse_element("the segment id " + std::to_string(segments_[i].number) + " twice");
      segmented_.push_back({number("image_id"), *text_, std::move(segments_)});
    } else {
      if (area_ < 0) refuse_element("an area of " + text_of(area_));
      bool const crowd = numbers_.contains("iscrowd") && number("iscrowd") != 0;
      crowds_ += crowd;
      if (crowd && !keep_.crowds) return;
      if (box_count_ != 4 || !std::all_of(box_.begin(), box_.end(), [](double each) { return std::isfinite(each); }))
        refuse_element("no 'bbox' of four numbers");
      annotations_.push_back({number("image_id"),
                              number("category_id"),
                              {0,
                               {box_[0], box_[1], box_[0] + box_[2], box_[1] + box_[3]},
                               crowd,
                               area_,
                               std::move(polygons_),
                               segmentation_ == form::runs ? runs() : run_lengths{}}});
    }
  }

  enum class form { none, polygons, runs };

  std::string const& name_;
  coco_reading keep_;
  bool panoptic_;
  std::size_t depth_ = 0, element_ = 0, box_count_ = 0;
  std::string section_, field_, within_;  // keys at depths 1 and 3, and at 4 or 5
  // Of the element:
  bool is_object_ = false;
  std::map<std::string, std::int64_t> numbers_;
  std::optional<std::string> text_, compressed_;
  std::string above_;
  std::array<double, 4> box_{};
  double area_       = 0;
  form segmentation_ = form::none;
  std::vector<std::vector<double>> polygons_;
  std::vector<std::uint32_t> counts_;
  std::vector<std::int64_t> size_;
  std::map<std::string, std::int64_t> segment_;
  std::vector<coco_panoptic_list::segment> segments_;

  std::map<std::int64_t, described_category> categories_;
  std::map<std::int64_t, std::int64_t> numbers_of_;  // of the categories, by id
  std::map<std::int64_t, described_image> images_;
  std::vector<annotated> annotations_;
  std::vector<segmented> segmented_;
  std::int64_t crowds_ = 0;
};

}  // namespace detail

/// Parses the text of an instances JSON; `name` is used in messages.
[[nodiscard]] inline coco_list parse_coco(std::span<std::uint8_t const> bytes, std::string const& name, coco_reading const& keep = {}) {
  detail::coco_reader reader(name, keep);
  nlohmann::json::sax_parse(bytes.begin(), bytes.end(), &reader);
  return std::move(reader).list();
}
[[nodiscard]] inline coco_list read_coco(std::filesystem::path const& file, coco_reading const& keep = {}) {
  return parse_coco(detail::bytes_of_file(file, detail::largest_coco_file), file.string(), keep);
}

namespace detail {

/// The files of annotations of each split.
struct coco_files {
  std::vector<std::filesystem::path> train, validation, test;
};
/// The part whose word a name has in it first.
inline part part_in(std::string_view name) {
  constexpr std::string_view between = "_-. 0123456789";
  for (std::size_t at = 0; (at = name.find_first_not_of(between, at)) != std::string_view::npos;) {
    std::size_t const end  = std::min(name.find_first_of(between, at), name.size());
    std::string const word = lower(name.substr(at, end - at));
    if (part const found = word == "trainval" ? part::train : word == "minival" ? part::validation : part_named(word); found != part::none)
      return found;
    at = end;
  }
  return part::none;
}
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
  std::vector<std::filesystem::path> of_none;
  std::array const lists{&made.train, &made.validation, &made.test, &of_none};
  for (auto const& file : files) {
    part where = part_in(file.stem().string());
    if (where == part::none && file.parent_path() != root) where = part_in(file.parent_path().filename().string());
    if (files.size() == 1) where = part::train;
    lists[index_of(where)]->push_back(file);
  }
  if (of_none.size() == files.size())
    made.train = std::move(of_none);
  else if (!of_none.empty())
    throw input_error("'" + of_none.front().string() +
                      "' is of no split by its name, and others are; write train, val or test into it, or take it out of the folder");
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
      for (auto const& object : each.objects) used.insert(object.label);
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
      for (auto const& object : each.objects) {
        metrics::box const& b = object.where;
        entry.found.objects.push_back({list.classes[static_cast<std::size_t>(object.label)],
                                       {b.x0 < 0 ? onto_edge(b.x0, 0) : b.x0, b.y0 < 0 ? onto_edge(b.y0, 0) : b.y0,
                                        b.x1 > w ? onto_edge(b.x1, w) : b.x1, b.y1 > h ? onto_edge(b.y1, h) : b.y1}});
      }
    }
  }
  return made;
}

[[noreturn]] inline void refuse_without_coco(std::filesystem::path const& root) {
  throw input_error("'" + root.string() +
                    "' has no COCO annotations; put instances_train.json and instances_val.json into its folder annotations");
}

/// Whether a picture of a root without a list of test pictures is one: a function of (seed, name).
inline bool coco_tests(std::string const& name, std::uint64_t seed, double fraction) {
  return random_stream{seed, purpose::partition, 0, hash_of(name)}.uniform() <= fraction;
}

/// The index of a root: train and test; a validation file is the test split if there is no other.
inline voc_index index_coco(voc_options options, std::size_t classes) {
  auto const files = find_coco_files(options.root);
  if (!files) refuse_without_coco(options.root);
  std::vector<std::string> names;
  entry_lists both;
  both[0] = coco_entries(options.root, files->train, names);
  both[1] = coco_entries(options.root, files->test.empty() ? files->validation : files->test, names);
  check_once(options.root, [](voc_entry const& each) -> auto const& { return each.sample.picture.native(); }, both[0], both[1]);
  if (both[1].empty()) {
    std::vector<voc_entry> whole = std::move(both[0]);
    both[0].clear();
    for (auto& each : whole) both[coco_tests(each.sample.name, options.seed, options.test_fraction) ? 1 : 0].push_back(std::move(each));
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
