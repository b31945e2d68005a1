// c2f/data/datasets/omniglot.hpp: Omniglot, handwritten characters of 50 alphabets, from the published zip files.
//
//   c2f::data::omniglot<28> data{{.base = {dir / "images_background.zip"}, .novel = {dir / "images_evaluation.zip"}, .rotations = true}};
//   data.base.classes()[3];                            // "Alphabet_of_the_Magi/character04"
//   c2f::data::episodes tests{data.novel, {.way = 20, .shot = 1, .queries = 5}};
//
//   for (c2f::data::omniglot_run const& run : c2f::data::omniglot_runs<28>(dir / "all_runs.zip")) {}  // the official one-shot test
//
// The set (Lake, Salakhutdinov and Tenenbaum, Science 350, 2015; https://github.com/brendenlake/omniglot, MIT): PNG files of 105 x 105
// pixels, <zip>/<alphabet>/character<NN>/<NNNN>_<MM>.png, drawn by 20 people MM. Background and evaluation have 30 and 20 alphabets;
// background_small1 and background_small2 have five alphabets each, two of them in both.
//
// A pixel is the fraction of its area that is ink: 0 is paper and 1 is ink, without further normalisation. With `rotations` each character
// rotated by 90, 180 and 270 degrees is a class of its own, after the unrotated ones (Santoro et al., ICML 2016). Splits have disjoint
// alphabets: an alphabet in the zips of both belongs to base only. A drawing that is in two zips of one list is used once.
// Augmentation shifts a picture by up to `pad` pixels along each axis and never mirrors it: a mirrored character is another one.
//
// Costs: everything is read at construction and stays in memory, Side * Side bytes a drawing (25 MB for all at 28); rotations need no
// memory. A read allocates nothing. Needs libzip, libjpeg and libspng.
// Errors: input_error for a damaged archive, for one with other or no drawings, and if no alphabet is left for novel. A drawing that is
// damaged or of another size keeps its id; reading it throws input_error with zip and entry, and fault(id) returns the reason without
// reading. A damaged file of the official runs is an error at once.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/io/zip.hpp>

namespace c2f::data {

/// The zips of both splits, and augmentation.
struct omniglot_options {
  std::vector<std::filesystem::path> base = {}, novel = {};  ///< paths of zip files
  bool rotations = false;                                    ///< rotated characters are additional classes
  int pad        = 2;                                        ///< augmentation: the largest shift in pixels
};

namespace detail {

inline constexpr std::int64_t omniglot_side = 105;

/// The fraction of ink in each of side * side equal cells of a drawing, scaled to 0...255. `name` is used in messages.
inline std::vector<std::uint8_t> ink_of(picture_bytes const& drawing, std::int64_t side, std::string const& name) {
  constexpr std::int64_t from = omniglot_side;
  if (drawing.height != from || drawing.width != from)
    throw input_error("'" + name + "' is " + std::to_string(drawing.width) + " x " + std::to_string(drawing.height) +
                      " pixels and not 105 x 105, as drawings of Omniglot are; check that it is the right archive");
  // Exact, in units of 1 / side of an input pixel: an output pixel is 105 wide, an input pixel `side` wide.
  std::vector<std::uint8_t> ink;
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x) {
      std::int64_t sum = 0;  // of paper: area * 255
      for (std::int64_t v = y * from / side; v * side < (y + 1) * from; ++v)
        for (std::int64_t u = x * from / side; u * side < (x + 1) * from; ++u) {
          auto const within = [&](std::int64_t pixel, std::int64_t out) {
            return std::min((pixel + 1) * side, (out + 1) * from) - std::max(pixel * side, out * from);
          };
          sum += within(v, y) * within(u, x) * drawing.rgb[static_cast<std::size_t>(3 * (v * from + u))];
        }
      ink.push_back(static_cast<std::uint8_t>(255 - (sum + from * from / 2) / (from * from)));
    }
  return ink;
}

/// The components of an entry's path.
inline std::vector<std::string> parts_of(std::string_view entry) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= entry.size();) {
    std::size_t const end = std::min(entry.find('/', at), entry.size());
    parts.emplace_back(entry.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

/// The ink of a drawing, or why it cannot be read.
struct omniglot_drawing {
  std::vector<std::uint8_t> ink;
  std::string fault;
};
/// Keys: "alphabet/character", then file name, its ending in lower case.
using omniglot_drawings = std::map<std::string, std::map<std::string, omniglot_drawing>>;

/// The drawings in `zips` except those of the alphabets `without`.
inline omniglot_drawings read_omniglot(std::vector<std::filesystem::path> const& zips, std::int64_t side,
                                       std::set<std::string> const& without) {
  omniglot_drawings classes;
  for (auto const& path : zips) {
    zip_archive const archive(path);
    std::size_t drawings = 0;
    for (std::string const& entry : archive.names()) {
      if (!has_ending(entry, ".png")) continue;
      auto const parts = parts_of(entry);
      // Metadata of macOS, and what is hidden.
      if (parts.front() == "__MACOSX" || is_hidden(entry)) continue;
      if (parts.size() != 4)
        throw input_error("'" + archive.name() + "', entry '" + entry + "' is not <zip>/<alphabet>/<character>/<drawing>.png; name " +
                          "images_background.zip, images_evaluation.zip or the like");
      ++drawings;
      if (without.contains(parts[1])) continue;
      auto& drawing = classes[parts[1] + "/" + parts[2]][with_lower_ending(parts[3], {".png"})];
      if (!drawing.ink.empty()) continue;
      std::string const name = archive.name() + ":" + entry;
      try {
        drawing = {ink_of(decode_picture(archive.read(entry), name), side, name), {}};
      } catch (input_error const& error) {
        drawing.fault = error.what();  // overwritten if another zip has it undamaged
      }
    }
    if (drawings == 0) throw input_error("'" + archive.name() + "' has no drawings (.png); name a zip of images of Omniglot");
  }
  return classes;
}

}  // namespace detail

/// A split of Omniglot: each character of some alphabets is a class; the truth is the class, std::int64_t.
template <std::int64_t Side>
class omniglot_split {
 public:
  using image       = c2f::image<1, Side, Side>;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};

  /// The drawings in `zips` except those of the alphabets `without`.
  omniglot_split(std::string name, std::vector<std::filesystem::path> const& zips, bool rotations = false, int pad = 2,
                 std::set<std::string> const& without = {})
      : held_(std::make_shared<contents const>(std::move(name), detail::read_omniglot(zips, Side, without), rotations, pad)) {}

  [[nodiscard]] std::int64_t size() const { return turns() * drawings(); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  /// "Greek/character01", "Greek/character01 turned by 90" and so on.
  [[nodiscard]] std::vector<std::string> const& classes() const { return held_->classes; }
  [[nodiscard]] std::set<std::string> alphabets() const {
    std::set<std::string> all;
    for (auto const& name : held_->classes) all.insert(name.substr(0, name.find('/')));
    return all;
  }
  [[nodiscard]] std::int64_t label(std::int64_t id) const {
    auto const characters = static_cast<std::int64_t>(held_->classes.size()) / turns();
    return id / drawings() * characters + held_->labels[static_cast<std::size_t>(id % drawings())];
  }

  /// Why a sample cannot be read; empty if it can.
  [[nodiscard]] std::string const& fault(std::int64_t id) const {
    static std::string const none;
    auto const found = held_->faults.find(id % drawings());
    return found == held_->faults.end() ? none : found->second;
  }

  void read(std::int64_t id, random_stream* augment, float* pixels, std::int64_t* truth) const {
    check(id);
    *truth                  = label(id);
    auto const shift        = [&](auto pad) { return std::int64_t{augment->below(static_cast<std::uint32_t>(2 * pad + 1))} - pad; };
    std::int64_t const down = augment ? shift(held_->pad) : 0, right = augment ? shift(held_->pad) : 0;
    for (std::int64_t y = 0; y < Side; ++y)
      for (std::int64_t x = 0; x < Side; ++x) {
        std::int64_t const row = y + down, column = x + right;
        bool const inside = row >= 0 && row < Side && column >= 0 && column < Side;
        *pixels++         = inside ? static_cast<float>(ink(id, row, column)) / 255.0f : 0.0f;
      }
  }

  /// The bytes of a picture as RGB, Side * Side * 3, black ink on white.
  [[nodiscard]] std::vector<std::uint8_t> picture(std::int64_t id) const {
    check(id);
    std::vector<std::uint8_t> rgb;
    for (std::int64_t i = 0; i < Side * Side; ++i) rgb.insert(rgb.end(), 3, static_cast<std::uint8_t>(255 - ink(id, i / Side, i % Side)));
    return rgb;
  }

 private:
  struct contents {
    std::string name;
    std::vector<std::uint8_t> bytes;   // of the unrotated drawings
    std::vector<std::int64_t> labels;  // of the unrotated drawings
    std::map<std::int64_t, std::string> faults;
    std::vector<std::string> classes;
    bool rotations;
    int pad;
    contents(std::string n, detail::omniglot_drawings const& characters, bool r, int p) : name(std::move(n)), rotations(r), pad(p) {
      if (pad < 0 || pad >= Side)
        throw input_error("drawings of " + std::to_string(Side) + " pixels cannot be moved by up to " + std::to_string(pad) +
                          "; write a pad of 0 to " + std::to_string(Side - 1));
      if (characters.empty()) throw input_error(name + " has no characters; name zips with alphabets that are not in the other split");
      for (auto const& [character, drawings] : characters) {
        for (auto const& [file, drawing] : drawings) {
          if (drawing.ink.empty()) faults.emplace(static_cast<std::int64_t>(labels.size()), drawing.fault);
          bytes.insert(bytes.end(), drawing.ink.begin(), drawing.ink.end());
          bytes.resize(static_cast<std::size_t>(Side * Side) * (labels.size() + 1));
          labels.push_back(static_cast<std::int64_t>(classes.size()));
        }
        classes.push_back(character);
      }
      if (!rotations) return;
      for (char const* turned : {" turned by 90", " turned by 180", " turned by 270"})
        for (auto const& [character, drawings] : characters) classes.push_back(character + turned);
    }
  };

  void check(std::int64_t id) const {
    if (!fault(id).empty()) throw input_error(fault(id));
  }
  [[nodiscard]] std::int64_t turns() const { return held_->rotations ? 4 : 1; }
  [[nodiscard]] std::int64_t drawings() const { return static_cast<std::int64_t>(held_->labels.size()); }

  // The ink of a pixel; rotations are counterclockwise.
  [[nodiscard]] std::uint8_t ink(std::int64_t id, std::int64_t row, std::int64_t column) const {
    for (std::int64_t turn = id / drawings(); turn > 0; --turn) std::tie(row, column) = std::pair(column, Side - 1 - row);
    return held_->bytes[static_cast<std::size_t>((id % drawings() * Side + row) * Side + column)];
  }

  std::shared_ptr<contents const> held_;
};

/// Two splits with disjoint alphabets.
template <std::int64_t Side = 28>
struct omniglot {
  omniglot_split<Side> base, novel;
  explicit omniglot(omniglot_options const& options)
      : base("Omniglot base", options.base, options.rotations, options.pad),
        novel("Omniglot novel", options.novel, options.rotations, options.pad, base.alphabets()) {}
};

/// One of the official one-shot runs: 20 classes with one support drawing each, and 20 query drawings. Pixels as in omniglot_split.
struct omniglot_run {
  at::Tensor support;                ///< [20, 1, Side, Side] float; image i is of class i
  at::Tensor query;                  ///< [20, 1, Side, Side] float
  std::vector<std::int64_t> labels;  ///< the class of each query
};

namespace detail {

inline constexpr std::int64_t omniglot_way = 20;

// E.g. item01.png ... item20.png for i = 0 ... 19.
inline std::string numbered(std::string const& stem, std::int64_t i) { return stem + (i < 9 ? "0" : "") + std::to_string(i + 1) + ".png"; }

/// The class of each query, from lines "run01/test/item01.png run01/training/class08.png" in the order of the items. `name` is used in
/// messages.
inline std::vector<std::int64_t> parse_omniglot_labels(std::string_view text, std::string const& run, std::string const& name) {
  std::vector<std::int64_t> labels;
  auto const refuse = [&](std::size_t number) {
    throw input_error(name + ", line " + std::to_string(number) + " is not '" +
                      numbered(run + "/test/item", static_cast<std::int64_t>(labels.size())) + " " + run +
                      "/training/class<01 to 20>.png'; download all_runs.zip again");
  };
  std::size_t last = 0;
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    last            = number;
    auto const item = static_cast<std::int64_t>(labels.size());
    if (item == omniglot_way) return;
    std::int64_t label = 0;
    auto const wanted  = [&] { return numbered(run + "/test/item", item) + " " + numbered(run + "/training/class", label); };
    while (label < omniglot_way && line != wanted()) ++label;
    if (label == omniglot_way) refuse(number);
    labels.push_back(label);
  });
  if (std::ssize(labels) < omniglot_way) refuse(last + 1);
  return labels;
}

template <std::int64_t Side>
omniglot_run read_omniglot_run(zip_archive const& archive, std::string const& run) {
  constexpr std::int64_t way = omniglot_way;
  auto const pictures        = [&](std::string const& stem) {
    at::Tensor images = at::empty({way, 1, Side, Side}, at::TensorOptions(at::kFloat));
    float* pixels     = images.template mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < way; ++i) {
      std::string const entry = numbered(stem, i), name = archive.name() + ":" + entry;
      for (std::uint8_t const byte : ink_of(decode_picture(archive.read(entry), name), Side, name))
        *pixels++ = static_cast<float>(byte) / 255.0f;
    }
    return images;
  };
  std::string const entry = run + "/class_labels.txt";
  omniglot_run made{pictures(run + "/training/class"), pictures(run + "/test/item"), {}};
  auto const bytes = archive.read(entry);
  made.labels      = parse_omniglot_labels({reinterpret_cast<char const*>(bytes.data()), bytes.size()}, run,
                                           "'" + archive.name() + "', entry '" + entry + "'");
  return made;
}

}  // namespace detail

/// The 20 runs of all_runs.zip. The official one-shot result is the mean accuracy of their 400 predictions.
template <std::int64_t Side = 28>
[[nodiscard]] std::vector<omniglot_run> omniglot_runs(std::filesystem::path const& path) {
  zip_archive const archive(path);
  std::vector<omniglot_run> runs;
  for (int run = 1; run <= 20; ++run)
    runs.push_back(detail::read_omniglot_run<Side>(archive, (run < 10 ? "run0" : "run") + std::to_string(run)));
  return runs;
}

}  // namespace c2f::data
