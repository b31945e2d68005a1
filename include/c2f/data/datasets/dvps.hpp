// c2f/data/datasets/dvps.hpp: videos with panoptic labels and depth in the layout of Cityscapes-DVPS and SemKITTI-DVPS.
//
//   c2f::data::dvps<513, 1025> const streets("/data/video_sequence", {.ignored = 32});          // Cityscapes-DVPS
//   c2f::data::dvps<385, 1281> const roads("/data/video_sequence", {.ignored = 255, .gaps = true});       // SemKITTI-DVPS
//   c2f::data::dvps_frame const frame = streets.test.frame(3, 0);                               // of the fourth video, whole
//   c2f::data::panoptic_pairs const train(streets.train, {.things = {11, 12, 13, 14, 15, 16, 17, 18}, .ignored = 32});
//
// A folder train and a folder val (the test split) of PNG files whose names begin with the number of the sequence and of the frame (Qiao et al.
// 2021, https://github.com/joe-siyuan-qiao/ViP-DeepLab):
//   000000_000000_..._leftImg8bit.png                the picture
//   000000_000000_..._gtFine_instanceTrainIds.png    16 bits: class * 1000 + instance (Cityscapes); or
//   000000_000000_gtFine_class.png, ..._instance.png     classes, and instances (SemKITTI)
//   000000_000000_..._depth....png                   16 bits: metres * 256, 0 where it is unknown
// Instances that are numbered above 999, or of SemKITTI's, get new numbers within a pair: 1, 2, ... by class, the same in both frames.
//
// A sample is a pair of frames t, t + 1 of one sequence, cropped to Height x Width, as data/panoptic_pairs.hpp reads it. Augmentation enlarges
// both frames by .5, .6 ... or 2, divides the depth by that, crops at random and mirrors with probability 1/2; without it the crop is the
// middle. Outside of the picture labels are ignored. Pictures are interpolated bilinearly, labels and depths by nearest neighbour; bytes
// become value / 127.5 - 1.
//
// Costs: a read decodes up to eight files; nothing is kept. Needs libspng and libjpeg.
// Errors: input_error while opening: a missing folder, no frames, a frame without picture, labels or depth or with two of them, a frame that
// is missing within a sequence (but for .gaps), a sequence of one frame. While reading: damaged files, labels of 8 bits, files of a frame or
// pair whose sizes differ, more than 999 instances of a class in a pair.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/scaled_window.hpp>

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
#include <system_error>
#include <utility>
#include <vector>

namespace c2f::data {

struct dvps_options {
  std::int64_t ignored = 255;    ///< the class of void pixels
  bool depth           = true;   ///< false: there are no depth files (Cityscapes-VPS), and all depths are unknown
  bool gaps            = false;  ///< true: a missing frame ends a video, and the next one begins another; false: it is refused
};

/// Row by row, [H, W].
struct dvps_frame {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> picture;  ///< RGB
  std::vector<std::int64_t> classes, instances;
  std::vector<float> depth;  ///< metres; 0 where it is unknown
};

namespace detail {

/// The files of a frame; empty: none.
struct dvps_files {
  std::int64_t number = 0;
  std::filesystem::path picture{}, labels{}, classes{}, instances{}, depth{};
};

/// The number before the next '_', which is removed with it; -1 if there is none.
inline std::int64_t take_number(std::string_view& name) {
  std::size_t const end = name.find('_');
  if (end == std::string_view::npos || end == 0 || end > 9) return -1;
  std::int64_t number = 0;
  for (char const c : name.substr(0, end)) {
    if (c < '0' || c > '9') return -1;
    number = 10 * number + (c - '0');
  }
  name.remove_prefix(end + 1);
  return number;
}

/// The sequences of a folder with files of these names, each in the order of its frames.
inline std::vector<std::vector<dvps_files>> dvps_sequences(std::filesystem::path const& folder, std::set<std::string> const& names,
                                                           dvps_options const& options) {
  std::string const where = "'" + folder.string() + "'";
  std::map<std::int64_t, std::map<std::int64_t, dvps_files>> found;
  for (auto const& name : names) {
    std::string_view rest = name;
    if (!has_ending(name, ".png")) continue;
    std::int64_t const sequence = take_number(rest), number = take_number(rest);
    if (sequence < 0 || number < 0) continue;
    dvps_files& files = found[sequence][number];
    files.number      = number;
    auto const has    = [&](std::string_view word) { return rest.find(word) != std::string_view::npos; };
    auto const take   = [&](std::filesystem::path& place, char const* what) {
      if (!place.empty())
        throw input_error("frame " + std::to_string(number) + " of sequence " + std::to_string(sequence) + " in " + where + " has two " +
                            what + ", '" + printable(place.filename().string(), 255) + "' and '" + printable(name, 255) +
                            "'; take one of them out");
      place = folder / name;
    };
    if (has("gtFine_class"))
      take(files.classes, "files of classes");
    else if (has("gtFine_instance.png"))
      take(files.instances, "files of instances");
    else if (has("gtFine"))
      take(files.labels, "files of labels");
    else if (has("depth"))
      take(files.depth, "depth maps");
    else if (has("leftImg8bit"))
      take(files.picture, "pictures");
  }
  if (found.empty())
    throw input_error("no frames in " + where +
                      "; their files are named as 000000_000000_leftImg8bit.png, with numbers of sequence and frame");
  std::vector<std::vector<dvps_files>> all;
  for (auto const& [sequence, frames] : found) {
    std::vector<dvps_files> listed;
    for (auto const& [number, files] : frames) {
      std::string const which   = "frame " + std::to_string(number) + " of sequence " + std::to_string(sequence) + " in " + where;
      bool const labels         = !files.labels.empty() || (!files.classes.empty() && !files.instances.empty());
      std::string const missing = files.picture.empty()                  ? "picture (leftImg8bit)"
                                  : !labels                              ? "labels (gtFine)"
                                  : options.depth && files.depth.empty() ? "depth"
                                                                         : "";
      if (!missing.empty()) throw input_error(which + " has no " + missing + "; add the file, or remove the others of the frame");
      if (!listed.empty() && number != listed.back().number + 1) {
        if (!options.gaps)
          throw input_error(which + " follows frame " + std::to_string(listed.back().number) +
                            "; add the missing ones, or write .gaps = true, so that another video begins there");
        if (listed.size() > 1) all.push_back(listed);
        listed.clear();
      }
      listed.push_back(files);
    }
    if (listed.size() < 2 && !options.gaps)
      throw input_error("sequence " + std::to_string(sequence) + " in " + where + " has one frame; videos have two or more");
    if (listed.size() > 1) all.push_back(std::move(listed));
  }
  if (all.empty()) throw input_error("no two frames follow each other in " + where + "; videos have two frames or more");
  return all;
}

inline std::vector<std::vector<dvps_files>> dvps_sequences(std::filesystem::path const& folder, dvps_options const& options) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored))
    throw input_error("no folder '" + folder.string() + "'; a DVPS data set has the folders train and val");
  return dvps_sequences(folder, names_in(folder, [&](auto const& entry) { return entry.is_regular_file(ignored); }), options);
}

/// class * 1000 + instance; 8 bits would be classes alone, and all of them 0.
inline number_map read_dvps_labels(std::filesystem::path const& path) {
  number_map labels = read_number_picture(path);
  if (labels.bits != 16)
    throw input_error("'" + path.string() + "' has " + std::to_string(labels.bits) +
                      " bits a pixel; labels are class * 1000 + instance in a grey PNG of 16 bits");
  return labels;
}

inline dvps_frame read_dvps(dvps_files const& files) {
  picture_bytes picture = read_picture(files.picture);
  dvps_frame frame{
      .height = picture.height, .width = picture.width, .picture = std::move(picture.rgb), .classes = {}, .instances = {}, .depth = {}};
  auto const numbers = [&](std::filesystem::path const& path, number_map (*read)(std::filesystem::path const&) = read_number_picture) {
    number_map map = read(path);
    if (map.height != frame.height || map.width != frame.width)
      throw input_error("'" + path.string() + "' is " + std::to_string(map.height) + " x " + std::to_string(map.width) + " pixels, and '" +
                        files.picture.string() + "' is " + std::to_string(frame.height) + " x " + std::to_string(frame.width) +
                        "; the files of a frame have one size");
    return std::move(map.numbers);
  };
  if (!files.labels.empty()) {
    for (std::uint16_t const label : numbers(files.labels, read_dvps_labels))
      frame.classes.push_back(label / 1000), frame.instances.push_back(label % 1000);
  } else {
    auto const classes = numbers(files.classes), instances = numbers(files.instances);
    frame.classes.assign(classes.begin(), classes.end()), frame.instances.assign(instances.begin(), instances.end());
  }
  if (files.depth.empty())
    frame.depth.resize(frame.classes.size());
  else
    for (std::uint16_t const each : numbers(files.depth, read_depth_picture)) frame.depth.push_back(static_cast<float>(each) / 256);
  return frame;
}

}  // namespace detail

/// The sequences of a folder; see the top of this file.
template <int Height, int Width>
class dvps_split {
 public:
  using image       = c2f::image<6, Height, Width>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 3> truth_dims{3, Height, Width};

  dvps_split(std::string name, std::filesystem::path const& folder, dvps_options const& options)
      : name_(std::move(name)), options_(options), videos_(std::make_shared<list const>(detail::dvps_sequences(folder, options))) {
    for (std::size_t v = 0; v < videos_->size(); ++v)
      for (std::size_t t = 0; t + 1 < (*videos_)[v].size(); ++t) pairs_.emplace_back(v, t);
  }

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(pairs_.size()); }
  [[nodiscard]] std::string const& name() const { return name_; }
  [[nodiscard]] std::string name_of(std::int64_t id) const { return first(id)->picture.filename().string(); }
  [[nodiscard]] std::int64_t videos() const { return static_cast<std::int64_t>(videos_->size()); }
  [[nodiscard]] std::int64_t frames(std::int64_t video) const {
    return static_cast<std::int64_t>(videos_->at(static_cast<std::size_t>(video)).size());
  }
  /// A whole frame.
  [[nodiscard]] dvps_frame frame(std::int64_t video, std::int64_t t) const {
    return detail::read_dvps(videos_->at(static_cast<std::size_t>(video)).at(static_cast<std::size_t>(t)));
  }

  void read(std::int64_t id, random_stream* augment, float* pixels, float* truth) const {
    dvps_frame const pair[] = {detail::read_dvps(*first(id)), detail::read_dvps(first(id)[1])};
    if (pair[0].height != pair[1].height || pair[0].width != pair[1].width)
      throw input_error("'" + first(id)[1].picture.string() + "' is " + std::to_string(pair[1].height) + " x " +
                        std::to_string(pair[1].width) + " pixels, and the frame before it is " + std::to_string(pair[0].height) + " x " +
                        std::to_string(pair[0].width) + "; the frames of a sequence have one size");
    scaled_window const where = augment == nullptr ? scaled_window::middle(pair[0].height, pair[0].width, Height, Width)
                                                   : scaled_window::drawn(pair[0].height, pair[0].width, Height, Width, *augment);
    std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> numbers;  // of (class, instance)
    std::map<std::int64_t, std::int64_t> largest;
    auto const label_of = [&](std::int64_t c, std::int64_t instance) {
      if (instance == 0) return c * 1000;
      auto const [at, is_new] = numbers.try_emplace({c, instance}, 0);
      if (is_new && (at->second = ++largest[c]) > 999)
        throw input_error("the pair '" + name_of(id) + "' has more than 999 instances of class " + std::to_string(c) + "; leave it out");
      return c * 1000 + at->second;
    };
    constexpr std::size_t plane = std::size_t{Height} * Width;
    for (std::int64_t y = 0; y < Height; ++y)
      for (std::int64_t x = 0; x < Width; ++x, ++truth) {
        auto const from   = where.at(y, x);
        bool const inside = from.row() >= 0 && from.column() >= 0 && from.row() < pair[0].height && from.column() < pair[0].width;
        auto const at     = inside ? static_cast<std::size_t>(from.row() * pair[0].width + from.column()) : std::size_t{0};
        for (std::size_t k = 0; k < 2; ++k) {
          for (std::size_t c = 0; c < 3; ++c)
            *pixels++ = inside ? interpolated(pair[k].picture, pair[k].height, pair[k].width, from, c) / 127.5f - 1 : 0.f;
          truth[k * plane] = static_cast<float>(inside ? label_of(pair[k].classes[at], pair[k].instances[at]) : options_.ignored * 1000);
        }
        truth[2 * plane] = inside ? static_cast<float>(pair[0].depth[at] / where.scale) : 0.f;
      }
  }

 private:
  using list = std::vector<std::vector<detail::dvps_files>>;
  [[nodiscard]] detail::dvps_files const* first(std::int64_t id) const {
    auto const [v, t] = pairs_[static_cast<std::size_t>(id)];
    return &(*videos_)[v][t];
  }

  std::string name_;
  dvps_options options_;
  std::shared_ptr<list const> videos_;
  std::vector<std::pair<std::size_t, std::size_t>> pairs_{};
};

/// The folders train and val.
template <int Height, int Width>
struct dvps {
  explicit dvps(std::filesystem::path const& folder, dvps_options const& options = {})
      : train("DVPS, train", folder / "train", options), test("DVPS, val", folder / "val", options) {}

  dvps_split<Height, Width> train, test;
};

}  // namespace c2f::data
