// c2f/data/datasets/coco_panoptic.hpp: pictures with a class and an instance for every pixel, from COCO's panoptic JSON and PNG files.
//
//   c2f::data::coco_panoptic<128> const data{{.root = "/data/coco"}};
//   auto const map  = data.train.labels(7);                               // of the picture's size: class * 1000 + instance
//   auto const made = c2f::data::targets_of(map.labels, map.height, map.width, data.train.targets());
//   c2f::data::coco_panoptic<128, 2> const pairs{{.root = "/data/coco"}};                 // a picture as a pair of frames
//   c2f::data::panoptic_pairs const train(pairs.train, pairs.train.targets());            // what ViP-DeepLab is trained on
//
// Layout: annotations/panoptic_{train,val}*.json, each with a folder of its name beside it, or below the root, of PNG files; pictures as in
// coco.hpp. The JSON's `annotations` have an image_id, the file_name of the PNG, and segments_info: a list of id, category_id, iscrowd. The
// number of a pixel's segment is R + 256 G + 256^2 B; 0 is void. Classes are numbered in the order of their ids.
//
// A label is class * 1000 + instance: instances of things (`isthing`) are numbered from 1 in the order of the segments' numbers; stuff and
// regions of crowds have instance 0; void pixels have the class `ignored`. As panoptic_targets.hpp takes them.
//
// The truth is float {1, Side, Side}, the labels of the letterboxed picture, by nearest neighbour, ignored where there is no picture. With two
// Frames, images are the picture twice, image<6, Side, Side>, and the truth is {3, Side, Side}: labels, the same again, and depth 0, unknown
// (panoptic_pairs.hpp).
//
// Costs: a read decodes the picture and its PNG; nothing is kept. Needs libspng, libjpeg and nlohmann/json.
// Errors: input_error at construction for a JSON that is not as above (coco.hpp) and for missing files of annotations. A picture or PNG that is
// missing, damaged or of another size, a pixel of a segment that the JSON does not have and more than 999 instances of a class make a faulty
// sample.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/augment.hpp>
#include <c2f/data/datasets/coco.hpp>
#include <c2f/data/fitted_picture.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/panoptic_targets.hpp>

namespace c2f::data {

struct coco_panoptic_options {
  std::filesystem::path root;
  augmentation augment = {};
  std::int64_t ignored = 255;  ///< the class of void pixels
};

/// Row by row: class * 1000 + instance.
struct panoptic_map {
  std::int64_t height = 0, width = 0;
  std::vector<std::int64_t> labels{};
};

/// Parses the text of a panoptic JSON; `name` is used in messages.
[[nodiscard]] inline coco_panoptic_list parse_coco_panoptic(std::span<std::uint8_t const> bytes, std::string const& name) {
  detail::coco_reader reader(name, {}, /*panoptic=*/true);
  nlohmann::json::sax_parse(bytes.begin(), bytes.end(), &reader);
  return std::move(reader).panoptic_list();
}
[[nodiscard]] inline coco_panoptic_list read_coco_panoptic(std::filesystem::path const& file) {
  return parse_coco_panoptic(detail::bytes_of_file(file, detail::largest_coco_file), file.string());
}

/// The labels of the segments in a PNG. `things`: by class, as in the list; `name`: of the PNG, for messages.
[[nodiscard]] inline panoptic_map panoptic_labels(coco_panoptic_list::picture const& of, picture_bytes const& segments,
                                                  std::vector<bool> const& things, std::int64_t ignored, std::string const& name) {
  if (ignored < std::ssize(things))
    throw input_error("'" + name + "' is read with label " + std::to_string(ignored) + " for void, which is one of " +
                      std::to_string(things.size()) + " classes; give void another label");
  if (segments.height != of.height || segments.width != of.width)
    throw input_error("'" + name + "' is " + std::to_string(segments.width) + " x " + std::to_string(segments.height) +
                      " pixels, and its picture '" + detail::printable(of.file) + "' " + std::to_string(of.width) + " x " +
                      std::to_string(of.height) + "; make them of one size");
  std::map<std::int64_t, std::int64_t> label_of{{0, ignored * 1000}}, instances;
  for (auto const& [number, label, crowd] : of.segments) {
    bool const thing            = things[static_cast<std::size_t>(label)] && !crowd;
    std::int64_t const instance = thing ? ++instances[label] : 0;
    if (instance > 999)
      throw input_error("'" + name + "' has more than 999 instances of class " + std::to_string(label) + "; leave the picture out");
    label_of[number] = label * 1000 + instance;
  }
  panoptic_map made{of.height, of.width, std::vector<std::int64_t>(static_cast<std::size_t>(of.height * of.width))};
  auto last = label_of.begin();  // neighbours are mostly of one segment
  for (std::size_t i = 0; i < made.labels.size(); ++i) {
    std::uint8_t const* const p = segments.rgb.data() + 3 * i;
    std::int64_t const number   = p[0] + 256 * p[1] + 65536 * p[2];
    if (last->first != number) {
      auto const found = label_of.find(number);
      if (found == label_of.end())
        throw input_error("'" + name + "' has pixels of the segment " + std::to_string(number) +
                          ", which segments_info does not have; correct one of them");
      last = found;
    }
    made.labels[i] = last->second;
  }
  return made;
}

/// A split of square pictures with panoptic labels; see the top of this file.
template <std::int64_t Side, int Frames = 1>
  requires(Frames == 1 || Frames == 2)
class coco_panoptic_split {
 public:
  using image       = c2f::image<3 * Frames, Side, Side>;
  using truth_value = float;
  static constexpr std::array<std::int64_t, 3> truth_dims{Frames == 1 ? 1 : 3, Side, Side};

  coco_panoptic_split(std::string name, coco_panoptic_list list, std::filesystem::path pictures, std::filesystem::path segments,
                      coco_panoptic_options options)
      : held_(std::make_shared<contents const>(
            contents{std::move(name), std::move(list), std::move(pictures), std::move(segments), std::move(options)})) {
    (void)checked(held_->options.augment);
  }

  [[nodiscard]] std::int64_t size() const { return std::ssize(held_->list.pictures); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  [[nodiscard]] std::vector<std::string> const& classes() const { return held_->list.classes; }
  [[nodiscard]] std::string const& name_of(std::int64_t id) const { return listed(id).file; }
  /// The classes that have instances, and the void one, for panoptic_targets.hpp.
  [[nodiscard]] panoptic_target_options targets() const {
    panoptic_target_options made{.things = {}, .ignored = held_->options.ignored};
    for (std::size_t k = 0; k < held_->list.things.size(); ++k)
      if (held_->list.things[k]) made.things.push_back(static_cast<std::int64_t>(k));
    return made;
  }
  [[nodiscard]] std::filesystem::path picture_file(std::int64_t id) const { return held_->pictures / listed(id).file; }
  /// Of the whole picture.
  [[nodiscard]] panoptic_map labels(std::int64_t id) const {
    auto const& of  = listed(id);
    auto const path = held_->segments / of.segments_file;
    return panoptic_labels(of, read_picture(path), held_->list.things, held_->options.ignored, path.string());
  }

  /// How samples are read, which a resumed training compares.
  [[nodiscard]] auto settings() const { return settings_of(held_->options.augment); }
  void read(std::int64_t id, random_stream* augment, float* pixels, float* truth) const {
    constexpr auto area = static_cast<std::size_t>(Side * Side);
    auto const& of      = listed(id);
    fitted_picture const square =
        fitted(detail::read_annotated(picture_file(id), of.height, of.width, held_->list_name()), resizing::letterbox, Side, Side);
    panoptic_map const whole = labels(id);
    float const nothing      = static_cast<float>(held_->options.ignored * 1000);
    std::vector<float> shown(area), rgb(3 * area);
    detail::nearest_labels(whole.labels.data(), whole.height, whole.width, square.place.across, square.place.down, Side, Side, nothing,
                           shown.data());
    if (augment != nullptr) {
      view const seen = draw_view(*augment, held_->options.augment, {}, static_cast<double>(Side));
      seen_picture(seen, square.rgb, Side, rgb.data());
      seen.labels(shown.data(), Side, nothing, truth);
    } else {
      normalise(square.rgb, {}, rgb.data());
      std::copy(shown.begin(), shown.end(), truth);
    }
    for (std::size_t i = 0; i < area; ++i)
      for (int frame = 0; frame < Frames; ++frame) pixels = std::copy_n(rgb.data() + 3 * i, 3, pixels);
    if constexpr (Frames == 2) {
      std::copy_n(truth, area, truth + area);
      std::fill_n(truth + 2 * area, area, 0.f);
    }
  }

 private:
  struct contents {
    std::string name;
    coco_panoptic_list list;
    std::filesystem::path pictures, segments;
    coco_panoptic_options options;
    [[nodiscard]] std::filesystem::path list_name() const { return segments.string() + ".json"; }
  };
  [[nodiscard]] coco_panoptic_list::picture const& listed(std::int64_t id) const {
    return held_->list.pictures[static_cast<std::size_t>(id)];
  }
  std::shared_ptr<contents const> held_;
};

/// A data set of pictures with panoptic labels: the files panoptic_train* and panoptic_val*.
template <std::int64_t Side, int Frames = 1>
struct coco_panoptic {
  coco_panoptic_split<Side, Frames> train, test;

  explicit coco_panoptic(coco_panoptic_options const& options) : train(split_of(options, "train")), test(split_of(options, "val")) {
    std::vector<std::filesystem::path> files;
    for (auto const* of : {&train, &test})
      for (std::int64_t id = 0; id < of->size(); ++id) files.push_back(of->picture_file(id));
    detail::check_once(options.root, [](std::filesystem::path const& each) -> auto const& { return each.native(); }, files);
  }

 private:
  static coco_panoptic_split<Side, Frames> split_of(coco_panoptic_options const& options, std::string const& part) {
    std::error_code ignored;
    for (auto const& folder : {options.root / "annotations", options.root}) {
      if (!std::filesystem::is_directory(folder, ignored)) continue;
      std::filesystem::path file;
      for (auto const& name : detail::files_in(folder, {".json"}))
        if (name.starts_with("panoptic_" + part)) detail::take_part_from(file, folder / name);
      if (file.empty()) continue;
      coco_panoptic_list list = read_coco_panoptic(file);
      auto const stem         = file.stem();
      auto const segments     = std::filesystem::is_directory(folder / stem, ignored) ? folder / stem : options.root / stem;
      auto const pictures     = detail::coco_pictures(options.root, file, list.pictures.front().file);
      return {"coco panoptic " + part, std::move(list), pictures, segments, options};
    }
    throw input_error("'" + options.root.string() + "' has no panoptic_" + part + "*.json; put it into its folder annotations");
  }
};

}  // namespace c2f::data
