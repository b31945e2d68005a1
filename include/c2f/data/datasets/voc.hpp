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
// pixels from 1 and include the last one; the difference is one pixel.) 'difficult' and 'truncated' are ignored.
//
// A faulty sample keeps its id and its read throws: a file that is missing or damaged, no object, a box that is empty or
// extends beyond the picture, a size that differs from the picture's. loader_options.strict determines how the loader reacts. A picture
// without fault that is not wanted, such as one of two objects under object_choice::single, is left out: dropped().
//
// Costs: all annotations are parsed at construction. A picture is decoded on its first read (a few ms) and cached as side * side * 3 bytes
// until cache_bytes are used; later reads take about 100 us, augmented ones about 500 us (192 x 192). Needs libjpeg, libspng and pugixml.
// Errors: input_error at construction for folders, lists and options, and from read as described; it names file and reason.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
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
#include <c2f/data/letterbox.hpp>
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
};
struct annotation {
  std::int64_t width = 0, height = 0;
  std::vector<annotated_object> objects;
};

inline constexpr char voc_remedy[] = "; correct the file, or take the sample out of the data";

// A piece of a file for a message: at most 60 characters, without control characters.
inline std::string printable(std::string_view text) {
  std::string word(text.substr(0, 60));
  for (char& c : word)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  return word;
}
inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  auto const first                  = text.find_first_not_of(blanks);
  return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(blanks) + 1 - first);
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
    double const value = number_of(size, tag, file);
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
         {number_of(box, "xmin", where), number_of(box, "ymin", where), number_of(box, "xmax", where), number_of(box, "ymax", where)}});
  }
  if (found.objects.empty()) throw input_error(file + " has no <object>" + voc_remedy);
  return found;
}

inline std::string written(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6).ptr};
}

/// Throws if an object's box is empty or extends beyond the picture.
inline void check_box(annotation const& in, std::size_t index, std::string const& name) {
  metrics::box const& b = in.objects[index].where;
  auto const w = static_cast<double>(in.width), h = static_cast<double>(in.height);
  auto const fail = [&](std::string const& what) {
    throw input_error("'" + name + "', object " + std::to_string(index + 1) + " (" + printable(in.objects[index].name) + "): the box " +
                      written(b.x0) + ", " + written(b.y0) + ", " + written(b.x1) + ", " + written(b.y1) + what + " the picture of " +
                      std::to_string(in.width) + " x " + std::to_string(in.height) + voc_remedy);
  };
  if (!(b.x0 < b.x1 && b.y0 < b.y1)) fail(" has no area in");
  if (!(b.x0 >= 0 && b.y0 >= 0 && b.x1 <= w && b.y1 <= h)) fail(" is not within");
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
  std::int64_t dropped = 0;
};
struct voc_index {
  std::vector<std::string> classes;
  voc_list train, test;
};

/// Reads folders, lists and annotations.
class voc_indexer {
 public:
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

  voc_index operator()() {
    auto [train, test] = names();
    std::vector<entry> entries[2];
    for (auto const& name : train) entries[0].push_back(read(name));
    for (auto const& name : test) entries[1].push_back(read(name));
    choose_classes(entries);
    voc_index index{classes_, {}, {}};
    for (auto const& [from, to, word] :
         {std::tuple{&entries[0], &index.train, "training"}, std::tuple{&entries[1], &index.test, "testing"}}) {
      for (entry& e : *from)
        if (choose_objects(e))
          to->samples.push_back(std::move(e.sample));
        else
          ++to->dropped;
      if (to->samples.empty())
        throw input_error("'" + options_.root.string() + "' has no picture for " + word + " and " + std::to_string(to->dropped) +
                          " that voc_options.classes and voc_options.objects leave out; change them, or the split");
    }
    return index;
  }

 private:
  struct entry {
    voc_sample sample;
    annotation found = {};
  };

  void check_options() const {
    auto const check = [](char const* option, double found, double most) {
      if (!(found >= 0 && found < most))
        throw input_error(std::string("voc_options.") + option + " is " + written(found) + "; it must be 0 or more and below " +
                          written(most));
    };
    check("test_fraction", options_.test_fraction, 1);
    check("augment.scale", options_.augment.scale, 1);
    check("augment.shift", options_.augment.shift, 1);
    check("augment.gain", options_.augment.gain, 1);
  }

  std::array<std::vector<std::string>, 2> names() const {
    auto const lists   = options_.root / "ImageSets" / "Main";
    bool const by_hash = options_.train_set.empty() && options_.test_set.empty();
    if (!by_hash && std::filesystem::is_directory(lists, ignored_))
      return {listed(lists / (options_.train_set + ".txt")), listed(lists / (options_.test_set + ".txt"))};
    std::set<std::string> all;
    for (auto const& file : std::filesystem::directory_iterator(annotations_, ignored_))
      if (file.path().extension() == ".xml") all.insert(file.path().stem().string());
    std::array<std::vector<std::string>, 2> parts;
    for (auto const& name : all) {
      random_stream draw{options_.seed, purpose::partition, 0, hash_of(name)};
      parts[draw.uniform() <= options_.test_fraction ? 1 : 0].push_back(name);
    }
    return parts;
  }

  // The first word of each line; in Pascal's lists of one class a number follows it.
  static std::vector<std::string> listed(std::filesystem::path const& file) {
    std::vector<std::uint8_t> const bytes = bytes_of_file(file, 1 << 24);
    std::vector<std::string> found;
    std::set<std::string_view> different;
    std::string_view text(reinterpret_cast<char const*>(bytes.data()), bytes.size());
    for (std::size_t number = 1; !text.empty(); ++number) {
      std::string_view const line = trimmed(text.substr(0, text.find('\n')));
      text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
      if (line.empty()) continue;
      std::string_view const name = line.substr(0, line.find_first_of(" \t"));
      auto const fail             = [&](std::string const& what, std::string const& remedy) {
        throw input_error("'" + file.string() + "', line " + std::to_string(number) + " " + what + " '" + printable(name) + "'" + remedy);
      };
      bool const control = std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
      if (control || name.find('/') != std::string_view::npos || name == "..")
        fail("has", ", which is no name of a file without its ending; write a name a line, without folders");
      if (!different.insert(name).second) fail("lists", " again; take one of the lines out");
      found.emplace_back(name);
    }
    return found;
  }

  // Every listed file becomes a sample; errors are stored in its `fault`.
  entry read(std::string const& name) {
    entry e{{.name = name, .picture = {}, .xml = annotations_ / (name + ".xml")}};
    for (char const* ending : {".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"})
      if (e.sample.picture.empty() && std::filesystem::exists(pictures_ / (name + ending), ignored_))
        e.sample.picture = pictures_ / (name + ending);
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

  void choose_classes(std::vector<entry> const (&entries)[2]) {
    classes_ = options_.classes;
    if (classes_.empty() && options_.class_from == class_source::any) classes_ = {"object"};
    if (classes_.empty()) {
      std::set<std::string> found;
      for (auto const& list : entries)
        for (entry const& e : list) {
          if (options_.class_from == class_source::file_prefix)
            found.insert(prefix(e.sample.name));
          else
            for (auto const& object : e.found.objects) found.insert(object.name);
        }
      classes_.assign(found.begin(), found.end());
    }
    std::set<std::string> const different(classes_.begin(), classes_.end());
    if (classes_.size() == class_count_ && different.size() == class_count_) return;
    std::string list;
    for (std::size_t i = 0; i < std::min<std::size_t>(classes_.size(), 10); ++i) list += (i ? ", " : "") + printable(classes_[i]);
    throw input_error("'" + options_.root.string() + "' gives " + std::to_string(different.size()) + " classes (" + list +
                      (classes_.size() > 10 ? ", ..." : "") + ") instead of " + std::to_string(class_count_) +
                      "; list those wanted in voc_options.classes, each once, and write their number in c2f::data::voc<classes, side>");
  }

  // False if the picture is not wanted.
  bool choose_objects(entry& e) const {
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
        check_box(e.found, i, sample.xml.string());
        metrics::box const& box = e.found.objects[i].where;
        auto& best              = sample.boxes[classes[i]];
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
  /// The number of pictures that were left out because they have no wanted object, or too many.
  [[nodiscard]] std::int64_t dropped() const { return held_->list.dropped; }
  /// The picture's file name, or the sample's name if there is no picture.
  [[nodiscard]] std::string name_of(std::int64_t id) const {
    return sample(id).picture.empty() ? sample(id).name : sample(id).picture.filename().string();
  }
  /// The error in a sample's annotation; empty if there is none.
  [[nodiscard]] std::string const& fault(std::int64_t id) const { return sample(id).fault; }

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
    resample(*square, Side, Side, seen.across, seen.down, Side, pad, pixels);
    for (std::size_t i = 0; i < bytes; ++i) pixels[i] = seen.gain[i % 3] * normalised(pixels[i], i % 3);
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
        : name(std::move(n)), list(std::move(l)), classes(std::move(c)), augment(a), squares(list.samples.size(), std::move(r)) {}
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
    picture_bytes const photo = read_picture(from.picture);
    if (photo.width != from.width || photo.height != from.height)
      throw input_error("'" + from.picture.string() + "' is " + std::to_string(photo.width) + " x " + std::to_string(photo.height) +
                        " pixels, but '" + from.xml.string() + "' says " + std::to_string(from.width) + " x " +
                        std::to_string(from.height) + detail::voc_remedy);
    auto const where = letterbox::of(photo.height, photo.width, Side);
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
