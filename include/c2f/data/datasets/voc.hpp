// c2f/data/datasets/voc.hpp: pictures with one box a class, from files in Pascal VOC's format, resized to squares.
//
//   c2f::data::voc<3, 192> data{{.root    = "/data/BCCD",
//                                .classes = {"WBC", "RBC", "Platelets"},
//                                .objects = c2f::data::object_choice::largest}};
//   std::vector<float> pixels(3 * 192 * 192);                                     // normalised, channels innermost
//   std::vector<float> truth(3 * 5);
//   data.train.read(7, nullptr, pixels.data(), truth.data());
//
//   c2f::data::voc<1, 192> heads{{.root = "/data/pets", .class_from = c2f::data::class_source::any}};
//
// A truth has for each class the box's centre x, centre y, width and height as fractions of the square, and 1; or .5, .5, 0, 0 and 0
// if the class is not in the picture. Pictures keep their aspect ratio (letterbox.hpp) and are normalised with ImageNet's mean and
// deviation; the padding is the mean colour.
//
// Layouts: JPEGImages, Annotations and ImageSets/Main/{train,test}.txt below the root, or `images` and `xmls`. Without lists the
// samples are the annotation files sorted by name, and a hash of seed and name assigns them to train or test.
// Coordinates are taken as edges: [xmin, xmax] x [ymin, ymax] in a picture from 0 to its width and height. (Pascal's own files count
// pixels from 1 and include the last one; the difference is one pixel.) 'truncated' is ignored, and so is
// 'difficult' here; voc_objects.hpp has it, and all objects. An edge that is outside by
// rounding, up to 1/1000 pixel (data/numbers.hpp), is on the picture's edge. Names of files, lists and classes: data/io/names.hpp.
//
// A faulty sample keeps its id and its read throws: a file that is missing or damaged, a box that is empty or
// extends beyond the picture, a size that differs from the picture's. loader_options.strict determines how the loader reacts. A picture
// without fault that has no object, or is not wanted, such as one of two objects under object_choice::single, is left out and counted:
// dropped(), without_objects(), and summary() as a line of text.
//
// Costs: all annotations are parsed at construction. A picture is decoded on its first read (a few ms) and cached as side * side * 3 bytes
// until cache_bytes are used; later reads take about 100 us, augmented ones about 500 us (192 x 192). Needs libjpeg, libspng and pugixml.
// Errors: input_error at construction for folders, lists and options, for a split without pictures and for a class that no picture has;
// and from read as described. It names file and reason.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <pugixml.hpp>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/decoded_pictures.hpp>
#include <c2f/data/augment.hpp>
#include <c2f/data/letterbox.hpp>
#include <c2f/data/numbers.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/metrics/detection.hpp>

namespace c2f::data {

/// Where the class of an object is taken from.
enum class class_source {
  object_name,  ///< its <name>
  file_prefix,  ///< the file name up to the last '_', for all objects of the file
  any,          ///< every object is of the single class
};

/// The objects that make up the truth.
enum class object_choice {
  single,       ///< pictures with exactly one object of the wanted classes, as in Ren et al. 2020
  one_a_class,  ///< of each class its object, if it is the only one of its class in the picture
  largest,      ///< of each class the object with the largest area
};

/// The root folder, the choice of classes and objects, the split, augmentation and the cache.
struct voc_options {
  std::filesystem::path root;
  std::vector<std::string> classes = {};  ///< the wanted classes, in order; empty: all that occur, sorted by name
  class_source class_from          = class_source::object_name;
  object_choice objects            = object_choice::single;
  std::string train_set            = "train";  ///< files of ImageSets/Main; both empty, or no such folder: split by hash
  std::string test_set             = "test";
  double test_fraction             = .2;  ///< of a split by hash
  std::uint64_t seed               = 1;   ///< of the hash
  augmentation augment             = {};
  std::int64_t cache_bytes         = std::int64_t{1} << 30;  ///< for train and test together
};

namespace detail {

struct annotated_object {
  std::string name;
  metrics::box where;
  bool difficult = false;
};
struct annotation {
  std::int64_t width = 0, height = 0;
  std::vector<annotated_object> objects;
};

inline constexpr char voc_remedy[] = "; correct the file, or take the sample out of the data";

/// A picture of the size that its annotation says.
inline picture_bytes read_annotated(std::filesystem::path const& picture, std::int64_t height, std::int64_t width,
                                    std::filesystem::path const& annotation) {
  picture_bytes photo = read_picture_of_size(picture, height, width);
  if (photo.width != width || photo.height != height)
    throw input_error("'" + picture.string() + "' is " + std::to_string(photo.width) + " x " + std::to_string(photo.height) +
                      " pixels, but '" + annotation.string() + "' says " + std::to_string(width) + " x " + std::to_string(height) +
                      voc_remedy);
  return photo;
}

inline double number_of(pugi::xml_node const& parent, char const* tag, std::string const& where) {
  std::string_view const text = trimmed(parent.child_value(tag));
  double value                = 0;
  auto const end              = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end.ec != std::errc() || end.ptr != text.data() + text.size() || !std::isfinite(value))
    throw input_error(where + ": <" + tag + "> is '" + printable(text) + "', not a number" + voc_remedy);
  return value;
}

// pugixml uses up to 32 bytes of memory for a byte of the file: at most 32 MiB.
inline constexpr std::uintmax_t largest_annotation_file = 1 << 20;

/// Parses a VOC annotation. Boxes are finite numbers but not otherwise checked. `name` is used in messages.
inline annotation parse_annotation(std::span<std::uint8_t const> bytes, std::string const& name) {
  std::string const file = "'" + name + "'";
  pugi::xml_document document;
  auto const parsed = document.load_buffer(bytes.data(), bytes.size());
  if (!parsed) throw input_error(file + " is not XML: " + parsed.description() + " at byte " + std::to_string(parsed.offset) + voc_remedy);
  pugi::xml_node const root = document.child("annotation"), size = root.child("size");
  if (!size) throw input_error(file + " has no <" + std::string(root ? "size" : "annotation") + ">" + voc_remedy);

  annotation found;
  for (auto const& [tag, side] : {std::pair{"width", &found.width}, std::pair{"height", &found.height}}) {
    double const value = without_rounding(number_of(size, tag, file));
    if (value < 1 || value > static_cast<double>(largest_picture_side) || value != std::floor(value))
      throw input_error(file + ": <" + tag + "> is " + printable(trimmed(size.child_value(tag))) +
                        "; it must be a whole number from 1 to " + std::to_string(largest_picture_side) + voc_remedy);
    *side = static_cast<std::int64_t>(value);
  }
  for (pugi::xml_node const& object : root.children("object")) {
    std::string const where      = file + ", object " + std::to_string(found.objects.size() + 1);
    std::string_view const label = trimmed(object.child_value("name"));
    if (label.empty()) throw input_error(where + " has no <name>" + voc_remedy);
    pugi::xml_node const box = object.child("bndbox");
    if (!box) throw input_error(where + " has no <bndbox>" + voc_remedy);
    found.objects.push_back(
        {std::string(label),
         {number_of(box, "xmin", where), number_of(box, "ymin", where), number_of(box, "xmax", where), number_of(box, "ymax", where)},
         trimmed(object.child_value("difficult")) == "1"});
  }
  return found;
}

/// An object's box, with edges that lie outside the picture by no more than rounding moved onto its edge. Throws if the box is empty or
/// extends beyond the picture.
inline metrics::box checked_box(annotation const& in, std::size_t index, std::string const& name) {
  metrics::box const& b = in.objects[index].where;
  auto const w = static_cast<double>(in.width), h = static_cast<double>(in.height);
  auto const fail = [&](std::string const& what) {
    throw input_error("'" + name + "', object " + std::to_string(index + 1) + " (" + printable(in.objects[index].name) + "): the box " +
                      text_of(b.x0) + ", " + text_of(b.y0) + ", " + text_of(b.x1) + ", " + text_of(b.y1) + what + " the picture of " +
                      std::to_string(in.width) + " x " + std::to_string(in.height) + voc_remedy);
  };
  if (!(b.width() > 0 && b.height() > 0)) fail(" has no area in");
  if (!(b.x0 >= -tolerated_rounding && b.y0 >= -tolerated_rounding && b.x1 <= w + tolerated_rounding && b.y1 <= h + tolerated_rounding))
    fail(" is not within");
  metrics::box const within{std::max(b.x0, 0.0), std::max(b.y0, 0.0), std::min(b.x1, w), std::min(b.y1, h)};
  if (!(within.width() > tolerated_rounding && within.height() > tolerated_rounding)) fail(" has no area in");
  return within;
}

/// One sample: its files and boxes, or why it cannot be read.
struct voc_sample {
  std::string name;  // without folder and extension
  std::filesystem::path picture, xml;
  std::string fault  = {};
  std::int64_t width = 0, height = 0;
  std::vector<std::optional<metrics::box>> boxes = {};  // by class, in pixels of the file
};
struct voc_list {
  std::vector<voc_sample> samples;
  std::int64_t without_objects = 0, unwanted = 0;  // pictures that are left out
};
struct voc_index {
  std::vector<std::string> classes;
  voc_list train, test;
};
/// A sample before its objects are chosen.
struct voc_entry {
  voc_sample sample;
  annotation found = {};
};
/// Those of train and test.
using entry_lists = std::array<std::vector<voc_entry>, 2>;

/// Reads folders, lists and annotations. classes: the number of classes there must be; 0: any.
class voc_indexer {
 public:
  /// For entries from elsewhere; `source` is used in messages.
  voc_indexer(voc_options const& options, std::size_t classes, std::filesystem::path const& source)
      : options_(options), class_count_(classes), sources_{source, source} {
    check_options();
  }
  voc_indexer(voc_options const& options, std::size_t classes) : options_(options), class_count_(classes) {
    check_options();
    bool const flat = !std::filesystem::is_directory(options.root / "Annotations", ignored_);
    pictures_       = options.root / (flat ? "images" : "JPEGImages");
    annotations_    = options.root / (flat ? "xmls" : "Annotations");
    for (auto const& folder : {pictures_, annotations_})
      if (!std::filesystem::is_directory(folder, ignored_))
        throw input_error("no folder '" + folder.string() +
                          "'; name the folder that holds JPEGImages and Annotations, or images and xmls, as voc_options.root");
  }

  voc_index operator()() { return choose(entries()); }

  /// The classes, and all objects of train and test by the names of their classes.
  std::pair<std::vector<std::string>, entry_lists> all() {
    entry_lists both = entries();
    for (std::size_t part : {0u, 1u})
      if (both[part].empty()) refuse_empty(part, 0, {});
    choose_classes(both);
    for (auto& list : both)
      for (voc_entry& e : list)
        for (auto& object : e.found.objects) object.name = class_of(e.sample, object);
    return {classes_, std::move(both)};
  }

  /// Chooses the objects of train and test.
  voc_index choose(entry_lists entries) {
    for (std::size_t part : {0u, 1u})
      if (entries[part].empty()) refuse_empty(part, 0, {});
    choose_classes(entries);
    voc_index index{classes_, {}, {}};
    for (std::size_t part : {0u, 1u}) {
      voc_list& to = part == 0 ? index.train : index.test;
      for (voc_entry& e : entries[part])
        if (e.sample.fault.empty() && e.found.objects.empty())
          ++to.without_objects;
        else if (choose_objects(e))
          to.samples.push_back(std::move(e.sample));
        else
          ++to.unwanted;
      if (to.samples.empty()) refuse_empty(part, entries[part].size(), to);
    }
    return index;
  }

 private:
  void check_options() const {
    auto const check = [](char const* option, double found, double most) {
      if (!(found >= 0 && found < most))
        throw input_error(std::string("voc_options.") + option + " is " + text_of(found) + "; it must be 0 or more and below " +
                          text_of(most));
    };
    check("test_fraction", options_.test_fraction, 1);
    (void)checked(options_.augment);
  }

  entry_lists entries() {
    list_files();
    auto [train, test] = names();
    entry_lists both;
    for (auto const& name : train) both[0].push_back(read(name));
    for (auto const& name : test) both[1].push_back(read(name));
    return both;
  }

  // Finds the files by their names without ending. Of several pictures of one name, .jpg comes before .jpeg and .png, and lower case first.
  void list_files() {
    auto const add = [](std::map<std::string, std::string>& to, std::set<std::string> const& files, endings_list endings) {
      for (bool const any_case : {false, true})
        for (std::string_view const ending : endings)
          for (auto const& file : files)
            if (any_case ? has_ending(file, ending) : file.ends_with(ending)) to.emplace(file.substr(0, file.size() - ending.size()), file);
    };
    constexpr std::string_view jpg = ".jpg", jpeg = ".jpeg", png = ".png", xml = ".xml";
    add(picture_files_, files_in(pictures_, {jpg, jpeg, png}), {jpg, jpeg, png});
    add(annotation_files_, files_in(annotations_, {xml}), {xml});
  }

  std::array<std::vector<std::string>, 2> names() {
    auto const lists   = options_.root / "ImageSets" / "Main";
    bool const by_hash = options_.train_set.empty() && options_.test_set.empty();
    if (!by_hash && std::filesystem::is_directory(lists, ignored_)) {
      sources_ = {lists / (options_.train_set + ".txt"), lists / (options_.test_set + ".txt")};
      std::array<std::vector<std::string>, 2> parts{listed(sources_[0]), listed(sources_[1])};
      check_once(lists, [](std::string const& each) -> auto const& { return each; }, parts[0], parts[1]);
      return parts;
    }
    sources_ = {annotations_, annotations_};
    std::array<std::vector<std::string>, 2> parts;
    for (auto const& [name, file] : annotation_files_) {
      random_stream draw{options_.seed, purpose::partition, 0, hash_of(name)};
      parts[draw.uniform() <= options_.test_fraction ? 1 : 0].push_back(name);
    }
    return parts;
  }

  [[noreturn]] void refuse_empty(std::size_t part, std::size_t count, voc_list const& left_out) const {
    throw input_error("'" + sources_[part].string() + "' has no picture for " + (part == 0 ? "training" : "testing") + ": of " +
                      std::to_string(count) + ", " + std::to_string(left_out.without_objects) + " have no object, and " +
                      std::to_string(left_out.unwanted) +
                      " none that voc_options.classes and voc_options.objects take; change them, or the split");
  }

  // A name a line. In Pascal's lists of one class a blank and -1, 0 or 1 follow it: they belong to the name only if a file has them.
  std::vector<std::string> listed(std::filesystem::path const& file) const {
    std::vector<std::uint8_t> const bytes = bytes_of_file(file, 1 << 24);
    std::vector<std::string> found;
    std::set<std::string> different;
    for_each_line({reinterpret_cast<char const*>(bytes.data()), bytes.size()}, [&](std::string_view line, std::size_t number) {
      std::string name(line);
      auto const blank = line.find_last_of(" \t");
      if (blank != std::string_view::npos && !annotation_files_.contains(name) && !picture_files_.contains(name))
        if (auto const flag = line.substr(blank + 1); flag == "-1" || flag == "0" || flag == "1") name = trimmed(line.substr(0, blank));
      auto const fail = [&](std::string const& what, std::string const& remedy) {
        throw input_error("'" + file.string() + "', line " + std::to_string(number) + " " + what + " '" + printable(name) + "'" + remedy);
      };
      bool const control = std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
      if (control || name.find('/') != std::string::npos || name == "..")
        fail("has", ", which is no name of a file without its ending; write a name a line, without folders");
      if (is_hidden(name)) return;
      if (!different.insert(name).second) fail("lists", " again; take one of the lines out");
      found.push_back(std::move(name));
    });
    return found;
  }

  // Every listed file becomes a sample; errors are stored in its `fault`.
  voc_entry read(std::string const& name) const {
    auto const xml = annotation_files_.find(name), picture = picture_files_.find(name);
    voc_entry e{{.name = name, .picture = {}, .xml = annotations_ / (xml == annotation_files_.end() ? name + ".xml" : xml->second)}};
    if (picture != picture_files_.end()) e.sample.picture = pictures_ / picture->second;
    try {
      e.found        = parse_annotation(bytes_of_file(e.sample.xml, largest_annotation_file), e.sample.xml.string());
      e.sample.width = e.found.width, e.sample.height = e.found.height;
      if (e.sample.picture.empty())
        throw input_error("no picture '" + (pictures_ / name).string() + "' with the ending .jpg, .jpeg or .png" + voc_remedy);
    } catch (input_error const& error) {
      e.sample.fault = error.what();
    }
    return e;
  }

  std::string class_of(voc_sample const& sample, annotated_object const& object) const {
    return options_.class_from == class_source::any           ? classes_.front()
           : options_.class_from == class_source::file_prefix ? prefix(sample.name)
                                                              : object.name;
  }
  static std::string prefix(std::string const& name) { return name.substr(0, name.rfind('_')); }

  void choose_classes(entry_lists const& entries) {
    classes_ = options_.classes;
    if (options_.class_from == class_source::any) {
      if (classes_.empty()) classes_ = {"object"};
      if (classes_.size() > 1)
        throw input_error("voc_options.class_from is any: all objects are of one class, and " + std::to_string(classes_.size()) +
                          " are named; name one");
      return check_classes();
    }
    std::set<std::string> found;
    for (auto const& list : entries)
      for (voc_entry const& e : list) {
        if (options_.class_from == class_source::file_prefix)
          found.insert(prefix(e.sample.name));
        else
          for (auto const& object : e.found.objects) found.insert(object.name);
      }
    if (classes_.empty()) classes_.assign(found.begin(), found.end());
    if (classes_.empty() && class_count_ == 0)
      throw input_error("no annotation of '" + options_.root.string() + "' has an object" + first_fault(entries) +
                        "; a data set needs some with a name and a box");
    check_classes();
    for (std::string const& wanted : classes_)
      if (!found.contains(wanted)) {
        auto const like = std::find_if(found.begin(), found.end(), [&](auto const& each) { return lower(each) == lower(trimmed(wanted)); });
        throw input_error("no picture of '" + options_.root.string() + "' has the class '" + printable(wanted) +
                          "', which voc_options.classes names; " +
                          (like != found.end() ? "write '" + printable(*like) + "', as the files do"
                                               : "there are " + (found.empty() ? "none" : first_of(found)) + first_fault(entries)));
      }
  }

  // Classes may be missing because annotations cannot be read.
  static std::string first_fault(entry_lists const& entries) {
    for (auto const& list : entries)
      for (voc_entry const& e : list)
        if (e.found.objects.empty() && !e.sample.fault.empty()) return ", and annotations that cannot be read, first: " + e.sample.fault;
    return {};
  }

  // The first ten, e.g. "cat, dog".
  template <class Names>
  static std::string first_of(Names const& names) {
    std::string list;
    std::size_t count = 0;
    for (auto const& name : names)
      if (++count <= 10) list += (count > 1 ? ", " : "") + printable(name);
    return list + (count > 10 ? ", ..." : "");
  }

  void check_classes() const {
    std::set<std::string> const different(classes_.begin(), classes_.end());
    std::size_t const wanted = class_count_ > 0 ? class_count_ : different.size();
    if (classes_.size() == wanted && different.size() == wanted && wanted > 0) return;
    throw input_error("'" + options_.root.string() + "' gives " + std::to_string(different.size()) + " classes (" + first_of(classes_) +
                      ") instead of " + std::to_string(wanted) +
                      "; list those wanted in voc_options.classes, each once, and write their number in c2f::data::voc<classes, side>");
  }

  // False if the picture is not wanted.
  bool choose_objects(voc_entry& e) const {
    voc_sample& sample = e.sample;
    auto const wanted  = [&](std::string const& name) {
      return static_cast<std::size_t>(std::find(classes_.begin(), classes_.end(), name) - classes_.begin());
    };
    if (options_.class_from == class_source::file_prefix && wanted(prefix(sample.name)) == classes_.size()) return false;
    if (!sample.fault.empty()) return true;
    auto const count = classes_.size();
    std::vector<std::int64_t> counts(count);
    std::vector<std::size_t> classes;  // of each object; `count` if it is not wanted
    for (auto const& object : e.found.objects) {
      classes.push_back(wanted(class_of(sample, object)));
      if (classes.back() < count) ++counts[classes.back()];
    }
    // Decided by the counts alone, so that correcting a box never changes the ids of other samples.
    auto const objects = options_.objects;
    auto const chosen  = [&](std::int64_t n) { return objects == object_choice::largest ? n > 0 : n == 1; };
    if (std::none_of(counts.begin(), counts.end(), chosen)) return false;
    if (objects == object_choice::single && std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) != 1) return false;
    sample.boxes.resize(count);
    try {
      for (std::size_t i = 0; i < classes.size(); ++i) {
        if (classes[i] == count) continue;
        metrics::box const box = checked_box(e.found, i, sample.xml.string());
        auto& best             = sample.boxes[classes[i]];
        if (chosen(counts[classes[i]]) && (!best || box.area() > best->area())) best = box;
      }
    } catch (input_error const& error) {
      sample.fault = error.what();
    }
    return true;
  }

  voc_options const& options_;
  std::size_t class_count_;
  mutable std::error_code ignored_;
  std::filesystem::path pictures_, annotations_;
  std::map<std::string, std::string> picture_files_, annotation_files_;  // by name without ending
  std::array<std::filesystem::path, 2> sources_;                         // what lists the samples of train and test, for messages
  std::vector<std::string> classes_;
};

template <std::int64_t Classes, std::int64_t Side>
consteval bool check_voc() {
  static_assert(Classes >= 1 && Side >= 1,
                "c2f::data::voc needs one class or more and squares of one pixel or more; write voc<classes, side>");
  return true;
}

}  // namespace detail

/// A split of square pictures with a box for each of `Classes` classes: float, {Classes, 5}.
template <std::int64_t Classes, std::int64_t Side>
class voc_split {
 public:
  static_assert(detail::check_voc<Classes, Side>());
  using image       = c2f::image<3, Side, Side>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 2> truth_dims{Classes, 5};
  using truth = std::array<std::array<float, 5>, Classes>;  ///< centre x, centre y, width, height, 1 if present else 0

  /// `budget`: bytes that may still be cached.
  voc_split(std::string name, detail::voc_list list, std::vector<std::string> classes, augmentation const& augment,
            std::shared_ptr<std::atomic<std::int64_t>> budget)
      : held_(std::make_shared<contents>(std::move(name), std::move(list), std::move(classes), augment, std::move(budget))) {}

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(held_->list.samples.size()); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  [[nodiscard]] std::vector<std::string> const& classes() const { return held_->classes; }
  [[nodiscard]] static constexpr std::int64_t class_count() { return Classes; }
  /// The number of pictures that were left out: without_objects(), and those with no wanted object, or too many.
  [[nodiscard]] std::int64_t dropped() const { return held_->list.without_objects + held_->list.unwanted; }
  /// The number of pictures that were left out because their annotation has no object at all.
  [[nodiscard]] std::int64_t without_objects() const { return held_->list.without_objects; }
  /// A line to print before training: "voc train: 194 pictures (WBC 193), 1 faulty; left out: 2 without objects, 9 by classes and objects".
  /// After a class the number of its boxes.
  [[nodiscard]] std::string summary() const {
    std::vector<std::int64_t> boxes(classes().size());
    std::int64_t faulty = 0;
    for (auto const& each : held_->list.samples) {
      faulty += !each.fault.empty();
      for (std::size_t k = 0; each.fault.empty() && k < boxes.size(); ++k) boxes[k] += each.boxes[k].has_value();
    }
    std::string line = name() + ": " + std::to_string(size()) + " pictures (";
    for (std::size_t k = 0; k < boxes.size(); ++k)
      line += (k > 0 ? ", " : "") + detail::printable(classes()[k]) + ' ' + std::to_string(boxes[k]);
    return line + "), " + std::to_string(faulty) + " faulty; left out: " + std::to_string(without_objects()) + " without objects, " +
           std::to_string(held_->list.unwanted) + " by classes and objects";
  }
  /// The picture's file name, or the sample's name if there is no picture.
  [[nodiscard]] std::string name_of(std::int64_t id) const {
    return sample(id).picture.empty() ? sample(id).name : sample(id).picture.filename().string();
  }
  /// The error in a sample's annotation; empty if there is none.
  [[nodiscard]] std::string const& fault(std::int64_t id) const { return sample(id).fault; }

  /// How samples are read, which a resumed training compares.
  [[nodiscard]] auto settings() const { return settings_of(held_->augment); }
  void read(std::int64_t id, random_stream* augment, float* pixels, float* to) const {
    auto const square = square_of(id);
    if (augment == nullptr) {
      for (std::size_t i = 0; i < bytes; ++i) pixels[i] = normalised(static_cast<float>((*square)[i]), i % 3);
      write(boxes(id), to);
      return;
    }
    auto moved = boxes(id);
    std::vector<metrics::box> present;
    for (auto const& box : moved)
      if (box) present.push_back(*box);
    view const seen = draw_view(*augment, held_->augment, present, side);
    seen.picture(*square, Side, pixels);
    for (std::size_t i = 0; i < bytes; ++i) pixels[i] = seen.gain[i % 3] * normalised(pixels[i], i % 3);
    seen.erase(Side, pixels);
    for (auto& box : moved)
      if (box) box = seen(*box, side).clipped(side);
    write(moved, to);
  }

  /// The bytes of the square: Side * Side * 3, rows from the top, channels innermost.
  [[nodiscard]] std::vector<std::uint8_t> picture(std::int64_t id) const { return *square_of(id); }
  /// The truth of a sample without augmentation.
  [[nodiscard]] truth box(std::int64_t id) const {
    truth numbers;
    write(boxes(id), numbers.front().data());
    return numbers;
  }
  /// The position of the picture on the square: maps boxes between the square and the file's pixels.
  [[nodiscard]] letterbox placed(std::int64_t id) const { return letterbox::of(intact(id).height, intact(id).width, Side); }

 private:
  static constexpr std::size_t bytes         = 3 * Side * Side;
  static constexpr double side               = static_cast<double>(Side);
  static constexpr std::array<float, 3> mean = imagenet_mean, deviation = imagenet_deviation;
  static constexpr std::array<std::uint8_t, 3> pad{124, 116, 104};  // 255 * mean
  using square_bytes = std::vector<std::uint8_t>;

  struct contents {
    std::string name;
    detail::voc_list list;
    std::vector<std::string> classes;
    augmentation augment;
    detail::decoded_pictures squares;
    contents(std::string n, detail::voc_list l, std::vector<std::string> c, augmentation const& a,
             std::shared_ptr<std::atomic<std::int64_t>> r)
        : name(std::move(n)), list(std::move(l)), classes(std::move(c)), augment(checked(a)), squares(list.samples.size(), std::move(r)) {}
  };

  static float normalised(float byte, std::size_t channel) { return (byte / 255.0f - mean[channel]) / deviation[channel]; }

  [[nodiscard]] detail::voc_sample const& sample(std::int64_t id) const { return held_->list.samples[static_cast<std::size_t>(id)]; }
  [[nodiscard]] detail::voc_sample const& intact(std::int64_t id) const {
    if (!sample(id).fault.empty()) throw input_error(sample(id).fault);
    return sample(id);
  }

  [[nodiscard]] std::shared_ptr<square_bytes const> square_of(std::int64_t id) const {
    auto const& from = intact(id);
    return held_->squares.of(static_cast<std::size_t>(id), [&] { return decode(from); });
  }

  static square_bytes decode(detail::voc_sample const& from) {
    picture_bytes const photo = detail::read_annotated(from.picture, from.height, from.width, from.xml);
    auto const where          = letterbox::of(photo.height, photo.width, Side);
    std::vector<float> values(bytes);
    resample(photo.rgb, photo.height, photo.width, where.across(), where.down(), Side, pad, values.data());
    square_bytes made(bytes);
    std::transform(values.begin(), values.end(), made.begin(),
                   [](float value) { return static_cast<std::uint8_t>(std::clamp(value + .5f, 0.0f, 255.0f)); });
    return made;
  }

  // In pixels of the square.
  [[nodiscard]] std::vector<std::optional<metrics::box>> boxes(std::int64_t id) const {
    auto const where = placed(id);
    auto found       = sample(id).boxes;
    for (auto& box : found)
      if (box) box = where.there(*box);
    return found;
  }

  static void write(std::vector<std::optional<metrics::box>> const& boxes, float* to) {
    for (auto const& box : boxes) {
      auto const b = box.value_or(metrics::box{side / 2, side / 2, side / 2, side / 2});
      for (double const number : {b.centre_x(), b.centre_y(), b.width(), b.height()}) *to++ = static_cast<float>(number / side);
      *to++ = box ? 1.0f : 0.0f;
    }
  }

  std::shared_ptr<contents> held_;
};

/// A data set of pictures with one box a class.
template <std::int64_t Classes, std::int64_t Side>
struct voc {
  voc_split<Classes, Side> train, test;
  explicit voc(voc_options const& options)
      : voc(detail::voc_indexer(options, static_cast<std::size_t>(Classes))(), options,
            std::make_shared<std::atomic<std::int64_t>>(options.cache_bytes)) {}

 private:
  voc(detail::voc_index index, voc_options const& options, std::shared_ptr<std::atomic<std::int64_t>> const& budget)
      : train("voc train", std::move(index.train), index.classes, options.augment, budget),
        test("voc test", std::move(index.test), index.classes, options.augment, budget) {}
};

}  // namespace c2f::data
