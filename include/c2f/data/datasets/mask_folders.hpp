// c2f/data/datasets/mask_folders.hpp: pictures with a label a pixel, in pairs of folders of pictures and of masks.
//
//   c2f::data::mask_table const table({{"background", {0}}, {"cell", {255}}});      // the bytes of the masks; others are an error
//   c2f::data::mask_folders<128> data{{.root = "/data/cells", .table = table}};     // cells/images/1.jpg with cells/masks/1.png
//   data.train.classes();                                                           // {"background", "cell"}
//
// Layouts, in the order in which they are looked for, with the words of find_mask_folders for both folders:
//   ROOT/train and ROOT/trainannot, ROOT/val and ROOT/valannot, ROOT/test and ROOT/testannot      (SegNet's CamVid)
//   ROOT/images/train and ROOT/masks/train, the same with val (also valid, validation) and test
//   ROOT/images and ROOT/masks
// A picture (.jpg, .jpeg, .png) and a mask (.png) of one name without ending are a pair; a file without a partner is a faulty sample. A mask
// is grey or has a palette, with 8 bits at most: its bytes are palette indices or grey values, not colours. Which byte is which class is
// said by the table and never guessed; bytes of `ignored` (255 by default, unless a class has it) are ignored by the loss. A split that has
// no folder of its own is taken from the training pairs by (seed, purpose::partition, hash of the name).
//
// Picture and mask are brought to Side x Side by letterbox, the mask by nearest neighbour; what is outside of the picture is ignored. The
// truth is std::int64_t, {Side, Side}: 0 ... K - 1, or 255. Augmentation (augment.hpp) moves both alike.
//
// Costs: construction lists the folders. A pair is decoded on its first read and cached as Side * Side * 4 bytes until cache_bytes are used.
// Needs libjpeg and libspng.
// Errors: input_error at construction for folders that are missing or empty and for a table without two classes or with one byte twice. A
// faulty sample (a file missing or damaged, two sizes, a byte that the table does not have) keeps its id; reading it throws input_error.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/datasets/class_folders.hpp>
#include <c2f/data/decoded_pictures.hpp>
#include <c2f/data/fitted_picture.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/letterbox.hpp>

namespace c2f::data {

/// Which bytes of a mask are which class.
class mask_table {
 public:
  static constexpr std::uint8_t ignored_label = 255;
  struct entry {
    std::string name;
    std::vector<std::uint8_t> bytes;  ///< the first is written for the class in predicted masks
  };
  mask_table() { labels_.fill(-1); }  ///< without classes: no data can be read with it
  explicit mask_table(std::vector<entry> const& classes, std::vector<std::uint8_t> const& ignored = {}) {
    labels_.fill(-1);
    if (classes.size() < 2 || classes.size() > 255)
      throw input_error("a table of masks has " + std::to_string(classes.size()) + " classes; it needs 2 to 255, the background included");
    for (auto const& each : classes) {
      if (each.bytes.empty())
        throw input_error("a table of masks has no byte for the class '" + detail::printable(each.name) + "'; give one");
      for (std::uint8_t const byte : each.bytes) set(byte, static_cast<int>(names_.size()));
      names_.push_back(each.name);
      values_.push_back(each.bytes.front());
    }
    for (std::uint8_t const byte : ignored) set(byte, ignored_label);
    if (ignored.empty() && labels_[255] < 0) labels_[255] = ignored_label;
  }
  /// Classes 0 ... names.size() - 1 with their own numbers as bytes.
  [[nodiscard]] static mask_table numbered(std::vector<std::string> const& names) {
    std::vector<entry> classes;
    for (std::size_t k = 0; k < names.size(); ++k) classes.push_back({names[k], {static_cast<std::uint8_t>(k)}});
    return mask_table(classes);
  }
  [[nodiscard]] std::vector<std::string> const& names() const { return names_; }
  /// The byte that is written for each class.
  [[nodiscard]] std::vector<std::uint8_t> const& values() const { return values_; }
  /// The class of a byte, ignored_label, or -1 if the table does not have it.
  [[nodiscard]] int label(std::uint8_t byte) const { return labels_[byte]; }
  /// The labels of the bytes of a mask; input_error, with the name of the mask, for a byte that the table does not have.
  [[nodiscard]] std::vector<std::uint8_t> labels_of(std::vector<std::uint8_t> const& bytes, std::string const& name) const {
    std::vector<std::uint8_t> made(bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (labels_[bytes[i]] < 0)
        throw input_error("the mask of '" + name + "' has the byte " + std::to_string(bytes[i]) +
                          ", which the table of masks does not have; add it to a class, or to those that are ignored");
      made[i] = static_cast<std::uint8_t>(labels_[bytes[i]]);
    }
    return made;
  }

 private:
  void set(std::uint8_t byte, int label) {
    if (labels_[byte] >= 0) throw input_error("a table of masks has the byte " + std::to_string(byte) + " twice; give each once");
    labels_[byte] = label;
  }
  std::array<int, 256> labels_;
  std::vector<std::string> names_;
  std::vector<std::uint8_t> values_;
};

/// A picture and its mask; one of them is empty if there is no such file.
struct mask_pair {
  std::string name;  ///< without ending
  std::filesystem::path picture, mask;
};
struct mask_pair_lists {
  std::vector<mask_pair> train, validation, test;
};

/// A picture with its mask, bytes as in the file.
struct masked_picture {
  picture_bytes picture;
  label_bytes mask;
};
/// Reads the files of a pair.
[[nodiscard]] inline masked_picture read_masked_picture(mask_pair const& from) {
  if (from.picture.empty() || from.mask.empty()) {
    char const* const missing   = from.picture.empty() ? "picture" : "mask (.png)";
    std::string const only_file = (from.picture.empty() ? from.mask : from.picture).string();
    throw input_error("'" + only_file + "' has no " + missing + " of its name; add it, or take the file out of the data");
  }
  masked_picture made{{}, read_label_picture(from.mask)};
  made.picture = read_picture_of_size(from.picture, made.mask.height, made.mask.width);
  check_label_size(from.mask, made.mask, made.picture);
  return made;
}

namespace detail {

/// Two folders, if both are there.
struct mask_folder_pair {
  std::filesystem::path pictures, masks;
};
inline std::optional<mask_folder_pair> find_mask_folders(std::filesystem::path const& root) {
  std::error_code ignored;
  for (char const* const pictures : {"images", "imgs", "pictures", "JPEGImages"})
    for (char const* const masks : {"masks", "mask", "labels", "annotations", "trimaps", "SegmentationClass"})
      if (std::filesystem::is_directory(root / pictures, ignored) && std::filesystem::is_directory(root / masks, ignored) &&
          !names_in(root / masks, [](auto const& entry) {
             std::error_code failed;
             return entry.is_directory(failed) || has_ending(entry.path().filename().string(), ".png");
           }).empty())
        return mask_folder_pair{root / pictures, root / masks};
  return {};
}

inline std::vector<mask_pair> pairs_in(mask_folder_pair const& folders) {
  std::map<std::string, mask_pair> pairs;
  auto const add = [&](std::filesystem::path const& folder, endings_list endings, std::filesystem::path mask_pair::* which) {
    for (std::string const& file : files_in(folder, endings)) {
      std::string const name = file.substr(0, file.rfind('.'));
      auto& pair             = pairs[name];
      pair.name              = name;
      if (!(pair.*which).empty())
        throw input_error("the files '" + (pair.*which).string() + "' and '" + file +
                          "' have one name but for the ending; rename one, or take "
                          "it out of the folder");
      pair.*which = folder / file;
    }
  };
  add(folders.pictures, {".jpg", ".jpeg", ".png"}, &mask_pair::picture);
  add(folders.masks, {".png"}, &mask_pair::mask);
  std::vector<mask_pair> made;
  for (auto& [name, pair] : pairs) made.push_back(std::move(pair));
  return made;
}

/// The folders of train, validation and test by their names; those of masks end with `ending`. Empty: there is none.
inline std::array<mask_folder_pair, 3> mask_parts(std::filesystem::path const& pictures, std::filesystem::path const& masks,
                                                  std::string_view ending) {
  std::array<mask_folder_pair, 3> made;
  auto const find = [&](std::filesystem::path const& below, std::string_view end, std::filesystem::path mask_folder_pair::* which) {
    std::error_code failed;
    if (!std::filesystem::is_directory(below, failed)) return;
    for (std::string const& name : names_in(below, [&](auto const& entry) { return entry.is_directory(failed); })) {
      if (!name.ends_with(end)) continue;
      part const where = part_named(std::string_view(name).substr(0, name.size() - end.size()));
      if (where != part::none) take_part_from(made[index_of(where)].*which, below / name);
    }
  };
  find(pictures, "", &mask_folder_pair::pictures);
  find(masks, ending, &mask_folder_pair::masks);
  return made;
}
inline std::vector<mask_pair> pairs_in_part(mask_folder_pair const& folders) {
  if (folders.pictures.empty() != folders.masks.empty())
    throw input_error("'" + (folders.pictures.empty() ? folders.masks : folders.pictures).string() + "' has no folder of " +
                      (folders.pictures.empty() ? "pictures" : "masks") + " of its name; add it, or take the folder out of the data");
  return folders.pictures.empty() ? std::vector<mask_pair>() : pairs_in(folders);
}

}  // namespace detail

/// Lists the pairs of pictures and masks below a root; nullopt if no layout fits.
[[nodiscard]] inline std::optional<mask_pair_lists> list_mask_folders(std::filesystem::path const& root,
                                                                      partition_options const& how = {}) {
  detail::check_partition(how);
  std::error_code ignored;
  mask_pair_lists made;
  std::array<std::vector<mask_pair>*, 3> const lists{&made.train, &made.validation, &made.test};
  if (std::filesystem::is_directory(root / "train", ignored) && std::filesystem::is_directory(root / "trainannot", ignored)) {
    auto const beside = detail::mask_parts(root, root, "annot");
    for (std::size_t i = 0; i < 3; ++i) *lists[i] = detail::pairs_in_part(beside[i]);
  } else if (auto const found = detail::find_mask_folders(root)) {
    auto const within = detail::mask_parts(found->pictures, found->masks, "");
    if (!within[0].pictures.empty() || !within[0].masks.empty())
      for (std::size_t i = 0; i < 3; ++i) *lists[i] = detail::pairs_in_part(within[i]);
    else
      made.train = detail::pairs_in(*found);
  } else {
    return {};
  }
  auto const key = [](mask_pair const& each) { return each.name; };
  auto const one = [](mask_pair const&) { return 0; };
  if (made.test.empty()) detail::take_fraction(made.train, made.test, how.test, how.seed, 0, key, one);
  if (made.validation.empty()) detail::take_fraction(made.train, made.validation, how.validation, how.seed, 1, key, one);
  if (made.train.empty())
    throw input_error("'" + root.string() + "' leaves no pair of picture and mask to train on; add some, or hold out fewer");
  return made;
}

/// A split of square pictures with a label a pixel: std::int64_t, {Side, Side}.
template <std::int64_t Side>
class masked_pictures {
 public:
  using image       = c2f::image<3, Side, Side>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 2> truth_dims{Side, Side};
  static constexpr std::uint8_t ignored = mask_table::ignored_label;

  /// `decode` reads the sample of a number; it is called from several threads at once. `budget`: bytes that may still be cached.
  masked_pictures(std::string name, std::vector<std::string> names, std::function<masked_picture(std::size_t)> decode, mask_table table,
                  augmentation const& augment, std::shared_ptr<std::atomic<std::int64_t>> budget)
      : held_(std::make_shared<contents>(std::move(name), std::move(names), std::move(decode), std::move(table), augment,
                                         std::move(budget))) {}
  masked_pictures(std::string name, std::vector<mask_pair> const& pairs, mask_table table, augmentation const& augment,
                  std::shared_ptr<std::atomic<std::int64_t>> budget)
      : masked_pictures(
            std::move(name), names_of(pairs), [pairs](std::size_t i) { return read_masked_picture(pairs[i]); }, std::move(table), augment,
            std::move(budget)) {}

  [[nodiscard]] std::int64_t size() const { return std::ssize(held_->names); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  [[nodiscard]] std::vector<std::string> const& classes() const { return held_->table.names(); }
  [[nodiscard]] mask_table const& table() const { return held_->table; }
  [[nodiscard]] std::string const& name_of(std::int64_t id) const { return held_->names[static_cast<std::size_t>(id)]; }

  /// How samples are read, which a resumed training compares.
  [[nodiscard]] auto settings() const { return settings_of(held_->augment); }
  void read(std::int64_t id, random_stream* augment, float* pixels, std::int64_t* truth) const {
    auto const held                   = square_of(id);
    std::uint8_t const* const rgb     = held->data();
    std::uint8_t const* const numbers = rgb + 3 * area;
    if (augment == nullptr) {
      normalise({rgb, 3 * area}, {}, pixels);
      std::copy_n(numbers, area, truth);
      return;
    }
    view const seen = draw_view(*augment, held_->augment, {}, static_cast<double>(Side));
    seen_picture(seen, {rgb, 3 * area}, Side, pixels);
    seen.labels(numbers, Side, std::int64_t{ignored}, truth);
  }

  /// The bytes of the resized picture, Side * Side * 3, and its labels, Side * Side.
  [[nodiscard]] std::vector<std::uint8_t> picture(std::int64_t id) const {
    auto const held = square_of(id);
    return {held->begin(), held->begin() + static_cast<std::ptrdiff_t>(3 * area)};
  }
  [[nodiscard]] std::vector<std::uint8_t> labels(std::int64_t id) const {
    auto const held = square_of(id);
    return {held->begin() + static_cast<std::ptrdiff_t>(3 * area), held->end()};
  }

 private:
  static constexpr std::size_t area = Side * Side;
  struct contents {
    std::string name;
    std::vector<std::string> names;
    std::function<masked_picture(std::size_t)> decode;
    mask_table table;
    augmentation augment;
    detail::decoded_pictures squares;
    contents(std::string n, std::vector<std::string> m, std::function<masked_picture(std::size_t)> d, mask_table t, augmentation const& a,
             std::shared_ptr<std::atomic<std::int64_t>> budget)
        : name(std::move(n)),
          names(std::move(m)),
          decode(std::move(d)),
          table(std::move(t)),
          augment(checked(a)),
          squares(names.size(), std::move(budget)) {
      if (table.names().empty())
        throw input_error("the masks of " + name +
                          " have no table; say which bytes are which class, as in mask_table({{\"background\", {0}}, " +
                          "{\"cell\", {255}}})");
    }
  };
  static std::vector<std::string> names_of(std::vector<mask_pair> const& pairs) {
    std::vector<std::string> made;
    for (auto const& each : pairs) made.push_back(each.name);
    return made;
  }

  [[nodiscard]] std::shared_ptr<std::vector<std::uint8_t> const> square_of(std::int64_t id) const {
    auto const i = static_cast<std::size_t>(id);
    return held_->squares.of(i, [&] { return on_square(held_->decode(i), held_->names[i]); });
  }
  [[nodiscard]] std::vector<std::uint8_t> on_square(masked_picture const& from, std::string const& name) const {
    picture_bytes const& photo     = from.picture;
    std::vector<std::uint8_t> to   = held_->table.labels_of(from.mask.labels, name);
    fitted_picture square          = fitted(photo, resizing::letterbox, Side, Side);
    std::vector<std::uint8_t> made = std::move(square.rgb);
    made.reserve(4 * area);  // else growth would double it, beyond what the cache counts
    made.resize(4 * area);
    detail::nearest_labels(to.data(), photo.height, photo.width, square.place.across, square.place.down, Side, Side, ignored,
                           made.data() + 3 * area);
    return made;
  }

  std::shared_ptr<contents> held_;
};

/// The root folder, the table of the masks, augmentation, splits without folders, and the cache.
struct mask_folders_options {
  std::filesystem::path root;
  mask_table table;
  augmentation augment        = {};
  partition_options partition = {};
  std::int64_t cache_bytes    = std::int64_t{1} << 30;  ///< for all splits together
};

/// A data set of pairs of pictures and masks, with a validation split.
template <std::int64_t Side>
struct mask_folders {
  masked_pictures<Side> train, validation, test;

  explicit mask_folders(mask_folders_options const& options) : mask_folders(options, lists_of(options)) {}
  mask_folders(mask_folders_options const& options, mask_pair_lists lists)
      : mask_folders(options, std::move(lists), std::make_shared<std::atomic<std::int64_t>>(options.cache_bytes)) {}

 private:
  static mask_pair_lists lists_of(mask_folders_options const& options) {
    auto found = list_mask_folders(options.root, options.partition);
    if (!found)
      throw input_error("'" + options.root.string() +
                        "' has no folders of pictures and masks; name them images and masks, or train and trainannot");
    return *std::move(found);
  }
  mask_folders(mask_folders_options const& options, mask_pair_lists lists, std::shared_ptr<std::atomic<std::int64_t>> const& budget)
      : train("train", std::move(lists.train), options.table, options.augment, budget),
        validation("validation", std::move(lists.validation), options.table, options.augment, budget),
        test("test", std::move(lists.test), options.table, options.augment, budget) {}
};

}  // namespace c2f::data
