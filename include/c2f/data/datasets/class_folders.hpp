// c2f/data/datasets/class_folders.hpp: pictures with a class each, in a folder a class: the layout of torchvision's ImageFolder.
//
//   c2f::data::class_folders<96> data{{.root = "/data/pets"}};        // pets/Bengal/1.jpg, pets/Abyssinian/7.jpg, ...
//   data.train.classes();                                            // {"Abyssinian", "Bengal"}
//   std::fputs(data.summary().c_str(), stdout);
//
// Layouts: ROOT/CLASS/**/PICTURE; or ROOT/train/CLASS/**/PICTURE, alone or with ROOT/test and ROOT/val (also valid, validation). Pictures are
// JPEG and PNG files of any size. Classes are numbered in the order of their names' bytes; those of the test and validation folders are
// classes of the training folder. A split that has no folder of its own is taken from the training pictures: of each class the fraction whose
// names have the smallest random numbers (seed, purpose::partition, hash of the name), so it does not depend on the order of a listing, and
// adding a picture moves at most one other of its class.
//
// A sample's pixels: Side x Side RGB, turned by EXIF's orientation, resized by the rule `resize` (fitted_picture.hpp), rounded to bytes and
// normalised by ImageNet's mean and deviation. Augmentation: augment.hpp; what a view uncovers has the mean colour.
//
// Costs: construction lists the folders. A picture is decoded on its first read and cached as Side * Side * 3 bytes until cache_bytes are
// used. Needs libjpeg and libspng.
// Errors: input_error at construction for a folder that cannot be listed, fewer than two classes, a class of a test folder that the training
// folder does not have, and a split without pictures. A picture that cannot be decoded keeps its id; reading it throws input_error.
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
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/decoded_pictures.hpp>
#include <c2f/data/fitted_picture.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/letterbox.hpp>
#include <c2f/data/numbers.hpp>

namespace c2f::data {

/// A picture's path below the root, and its class.
struct classified_name {
  std::string name;
  std::int64_t label = 0;
};

/// The pictures of a folder by split.
struct class_lists {
  std::vector<std::string> classes;
  std::vector<classified_name> train, validation, test;
  std::int64_t left_out = 0;  ///< files that are no JPEG or PNG by their names, or in no class
};

/// The fractions of the training pictures that become splits which have no folder of their own; 0: that split stays empty.
struct partition_options {
  double validation = .1, test = .2;
  std::uint64_t seed = 1;
};

namespace detail {

[[nodiscard]] inline bool is_picture_name(std::string_view name) { return has_ending(name, {".jpg", ".jpeg", ".png"}); }

inline constexpr std::size_t most_folder_classes = 100000;

/// Moves to `to` the fraction of `from`'s samples, of each class, with the smallest random numbers of their keys.
template <class Sample, class Key, class Label>
void take_fraction(std::vector<Sample>& from, std::vector<Sample>& to, double fraction, std::uint64_t seed, std::uint64_t which,
                   Key const& key, Label const& label) {
  std::map<std::int64_t, std::vector<std::pair<std::pair<double, std::string>, std::size_t>>> classes;
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::string name = key(from[i]);
    random_stream draw{seed, purpose::partition, which, hash_of(name)};
    classes[label(from[i])].push_back({{draw.uniform(), std::move(name)}, i});
  }
  std::set<std::size_t> taken;
  for (auto& [number, members] : classes) {
    std::sort(members.begin(), members.end());
    auto const count = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(members.size())));
    for (std::size_t i = 0; i < std::min(count, members.size()); ++i) taken.insert(members[i].second);
  }
  std::vector<Sample> left;
  for (std::size_t i = 0; i < from.size(); ++i) (taken.contains(i) ? to : left).push_back(std::move(from[i]));
  from = std::move(left);
}
inline void check_partition(partition_options const& how) {
  for (double const fraction : {how.validation, how.test})
    if (!(fraction >= 0 && fraction < 1))
      throw input_error("a split takes a fraction of " + text_of(fraction) + " of the pictures; write a number from 0 to below 1");
}

/// Sorts paths below a root, with '/', into classes and splits. The text of errors names `root`.
inline class_lists sort_into_classes(std::vector<std::string> paths, partition_options const& how, std::string const& root) {
  check_partition(how);
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  auto const first_of = [](std::string_view path) { return path.substr(0, std::min(path.find('/'), path.size())); };
  bool train = false, other = false;
  for (std::string_view const path : paths) {
    std::string_view const first = first_of(path);
    if (first.size() == path.size() || is_hidden(path)) continue;
    part const named = part_named(first);
    train            = train || named == part::train;
    other            = other || named == part::validation || named == part::test;
  }
  bool by_part = train && other;
  if (train && !other) {
    // Beside 'train' are classes, so it is one, too; unless it has folders of classes itself.
    std::set<std::string_view> within;
    std::string_view beside, own;
    bool directly = false;
    for (std::string_view const path : paths) {
      std::string_view const first = first_of(path);
      if (first.size() == path.size() || is_hidden(path) || !is_picture_name(path)) continue;
      if (part_named(first) != part::train) {
        beside = first;
        continue;
      }
      std::string_view const rest = path.substr(first.size() + 1), folder = first_of(rest);
      own      = first;
      directly = directly || folder.size() == rest.size();
      within.insert(folder);
    }
    bool const of_classes = !directly && within.size() > 1;
    if (of_classes && !beside.empty())
      throw input_error("'" + root + "' has folders of classes in '" + printable(own) + "', and '" + printable(beside) +
                        "' beside it, which is no part of the data; call that test or val, or take it out");
    by_part = of_classes;
  }
  class_lists made;
  struct found {
    std::string_view path, name;
    part where;
  };
  std::vector<found> pictures;
  std::set<std::string_view> classes;
  for (std::string_view const path : paths) {
    if (is_hidden(path)) continue;
    std::string_view rest = path;
    part where            = part::train;
    if (by_part) {
      where = part_named(first_of(path));
      rest  = path.substr(std::min(first_of(path).size() + 1, path.size()));
    }
    std::string_view const name = first_of(rest);
    if (where == part::none || name.empty() || name.size() + 1 >= rest.size() || !is_picture_name(path)) {
      ++made.left_out;
      continue;
    }
    pictures.push_back({path, name, where});
    if (where == part::train && classes.insert(name).second && classes.size() > most_folder_classes)
      throw input_error("'" + root + "' has more than " + std::to_string(most_folder_classes) + " folders of classes; name another folder");
  }
  if (classes.size() < 2)
    throw input_error(
        "'" + root + "' has pictures in " + std::to_string(classes.size()) +
        " folders of classes; put the pictures (.jpg, .jpeg, .png) of each class into a folder with the name of the class, two "
        "or more");
  std::map<std::string_view, std::int64_t> numbers;
  for (std::string_view const name : classes) {
    numbers.emplace(name, std::ssize(made.classes));
    made.classes.emplace_back(name);
  }
  for (auto const& [path, name, where] : pictures) {
    auto const number = numbers.find(name);
    if (number == numbers.end())
      throw input_error("'" + root + "' has the class '" + printable(name) + "' for " + (where == part::test ? "testing" : "validation") +
                        " and not for training, as in '" + printable(path) + "'; add pictures of it, or take the folder out");
    (where == part::train ? made.train : where == part::test ? made.test : made.validation).push_back({std::string(path), number->second});
  }
  auto const key   = [](classified_name const& each) { return each.name; };
  auto const label = [](classified_name const& each) { return each.label; };
  if (made.test.empty() && how.test > 0) take_fraction(made.train, made.test, how.test, how.seed, 0, key, label);
  if (made.validation.empty() && how.validation > 0) take_fraction(made.train, made.validation, how.validation, how.seed, 1, key, label);
  if (made.train.empty()) throw input_error("'" + root + "' leaves no picture to train on; add some, or hold out fewer");
  return made;
}

/// The files below a folder, as paths with '/' below it, and links that lead nowhere: reading them says so. Links to folders are followed,
/// but not to a folder that holds them. `most`: files and folders, each as often as links lead to it.
inline std::vector<std::string> files_below(std::filesystem::path const& root, std::size_t most = 20'000'000) {
  std::vector<std::string> paths;
  std::size_t count = 0;
  std::vector<std::filesystem::path> holding;
  auto const walk = [&](auto const& self, std::filesystem::path const& folder, std::string const& before) -> void {
    std::error_code failed, ignored;
    auto const place = std::filesystem::canonical(folder, ignored);
    if (std::find(holding.begin(), holding.end(), place) != holding.end()) return;
    if (holding.size() == 32)
      throw input_error("'" + folder.string() + "' is 32 folders below '" + root.string() + "'; name a folder nearer to the pictures");
    holding.push_back(place);
    for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
      std::string const name = at->path().filename().string();
      if (is_hidden(name)) continue;
      if (++count > most)
        throw input_error("'" + root.string() + "' has more than " + std::to_string(most) +
                          " files and folders below it; links to folders count them again, so take those out or name another folder");
      if (at->is_directory(ignored))
        self(self, at->path(), before + name + '/');
      else if (at->is_regular_file(ignored) || at->is_symlink(ignored))
        paths.push_back(before + name);
    }
    if (failed) throw input_error("cannot list the folder '" + folder.string() + "': " + failed.message() + "; check its name");
    holding.pop_back();
  };
  walk(walk, root, "");
  return paths;
}

}  // namespace detail

/// Lists the folders of classes below a root.
[[nodiscard]] inline class_lists list_class_folders(std::filesystem::path const& root, partition_options const& how = {}) {
  return detail::sort_into_classes(detail::files_below(root), how, root.string());
}

/// A split of pictures with one class each, from whatever `decode` returns for a sample's number. Its truth is the class, std::int64_t.
template <std::int64_t Side>
class classified_pictures {
 public:
  using image       = c2f::image<3, Side, Side>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  using decoder = std::function<picture_bytes(std::size_t)>;  ///< called from several threads at once

  /// `budget`: bytes that may still be cached.
  classified_pictures(std::string name, std::vector<classified_name> samples, std::vector<std::string> classes, decoder decode,
                      resizing resize, augmentation const& augment, std::shared_ptr<std::atomic<std::int64_t>> budget)
      : held_(std::make_shared<contents>(std::move(name), std::move(samples), std::move(classes), std::move(decode), resize, augment,
                                         std::move(budget))) {}

  [[nodiscard]] std::int64_t size() const { return std::ssize(held_->samples); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  [[nodiscard]] std::vector<std::string> const& classes() const { return held_->classes; }
  [[nodiscard]] std::int64_t label(std::int64_t id) const { return sample(id).label; }
  /// The picture's path below the root.
  [[nodiscard]] std::string const& name_of(std::int64_t id) const { return sample(id).name; }

  /// How samples are read, which a resumed training compares.
  [[nodiscard]] auto settings() const { return settings_of(held_->resize, held_->augment); }
  void read(std::int64_t id, random_stream* augment, float* pixels, std::int64_t* truth) const {
    auto const square = square_of(id);
    *truth            = label(id);
    if (augment == nullptr) return normalise(*square, {}, pixels);
    seen_picture(draw_view(*augment, held_->augment, {}, static_cast<double>(Side)), *square, Side, pixels);
  }

  /// The bytes of the resized picture: Side * Side * 3, rows from the top, channels innermost.
  [[nodiscard]] std::vector<std::uint8_t> picture(std::int64_t id) const { return *square_of(id); }

 private:
  struct contents {
    std::string name;
    std::vector<classified_name> samples;
    std::vector<std::string> classes;
    decoder decode;
    resizing resize;
    augmentation augment;
    detail::decoded_pictures squares;
    contents(std::string n, std::vector<classified_name> s, std::vector<std::string> c, decoder d, resizing r, augmentation const& a,
             std::shared_ptr<std::atomic<std::int64_t>> budget)
        : name(std::move(n)),
          samples(std::move(s)),
          classes(std::move(c)),
          decode(std::move(d)),
          resize(r),
          augment(checked(a)),
          squares(samples.size(), std::move(budget)) {}
  };
  [[nodiscard]] classified_name const& sample(std::int64_t id) const { return held_->samples[static_cast<std::size_t>(id)]; }
  [[nodiscard]] std::shared_ptr<std::vector<std::uint8_t> const> square_of(std::int64_t id) const {
    auto const i = static_cast<std::size_t>(id);
    return held_->squares.of(i, [&] { return fitted(held_->decode(i), held_->resize, Side, Side).rgb; });
  }
  std::shared_ptr<contents> held_;
};

/// The root folder, how its pictures are resized and augmented, splits without folders, and the cache.
struct class_folders_options {
  std::filesystem::path root;
  resizing resize             = resizing::crop;
  augmentation augment        = {};
  partition_options partition = {};
  std::int64_t cache_bytes    = std::int64_t{1} << 30;  ///< for all splits together
};

/// A data set of pictures in folders of classes, with a validation split.
template <std::int64_t Side>
struct class_folders {
  classified_pictures<Side> train, validation, test;
  std::int64_t left_out;

  explicit class_folders(class_folders_options const& options)
      : class_folders(options, list_class_folders(options.root, options.partition)) {}
  class_folders(class_folders_options const& options, class_lists lists)
      : class_folders(options, std::move(lists), std::make_shared<std::atomic<std::int64_t>>(options.cache_bytes)) {}

  /// A line for each split: "train: 430 pictures (Abyssinian 143, Bengal 142, ...)".
  [[nodiscard]] std::string summary() const {
    std::string text;
    for (auto const* split : {&train, &validation, &test}) {
      std::vector<std::int64_t> counts(split->classes().size());
      for (std::int64_t id = 0; id < split->size(); ++id) ++counts[static_cast<std::size_t>(split->label(id))];
      text += split->name() + ": " + std::to_string(split->size()) + " pictures (";
      for (std::size_t k = 0; k < counts.size() && k < 20; ++k)
        text += (k > 0 ? ", " : "") + detail::printable(split->classes()[k]) + ' ' + std::to_string(counts[k]);
      text += counts.size() > 20 ? ", ...)\n" : ")\n";
    }
    return text;
  }

 private:
  class_folders(class_folders_options const& options, class_lists lists, std::shared_ptr<std::atomic<std::int64_t>> const& budget)
      : train(split_of("train", options, lists.classes, std::move(lists.train), budget)),
        validation(split_of("validation", options, lists.classes, std::move(lists.validation), budget)),
        test(split_of("test", options, lists.classes, std::move(lists.test), budget)),
        left_out(lists.left_out) {}
  static classified_pictures<Side> split_of(std::string name, class_folders_options const& options, std::vector<std::string> const& classes,
                                            std::vector<classified_name> list, std::shared_ptr<std::atomic<std::int64_t>> const& budget) {
    auto const names = std::make_shared<std::vector<classified_name> const>(list);
    return {std::move(name), std::move(list),
            classes,         [names, root = options.root](std::size_t i) { return read_picture(root / (*names)[i].name, exif::apply); },
            options.resize,  options.augment,
            budget};
  }
};

}  // namespace c2f::data
