// c2f/data/datasets/coco_objects.hpp: all objects of COCO's instances JSON: boxes with crowd flags, and masks.
//
//   c2f::data::coco_objects<100, 192, 256> const data{{.root = "/data/coco", .classes = {"cat", "dog"}}};   // at most 100 objects a picture
//   std::vector<float> pixels(3 * 192 * 256), truth(100 * 7);
//   data.train.read(7, nullptr, pixels.data(), truth.data());
//   auto const masks = data.train.masks(7);                                       // of the objects, in pixels of the picture's file
//
//   c2f::data::coco_masks<192> const segments{{.root = "/data/coco"}};            // a class a pixel, for c2f::dense
//
// coco_objects<Most, Height, Width = Height, Mask = 0>: the truth is float {Most, 7}, a row an object in the order of the file
// (data/objects.hpp): class, centre x, centre y, width, height as fractions of the canvas, 1 for the region of a crowd or 2 for a difficult
// object (voc_objects.hpp), both to be ignored, else 0; and 1; then rows of zeros. With Mask, rows are 7 + Mask^2 long: before the last number come Mask x Mask cells of the box, row by row, each the part of it that the
// object covers (of 4 x 4 points). c2f::detection::objects_of makes tensors of a batch of truths. Pictures without objects are samples, too. A
// box is clipped to the picture (`clipped` counts those that reached more than a pixel beyond it); one of which nothing is left is no object
// (`left_out`). With augmentation, an object of which less than a
// quarter stays on the canvas is left out of the truth; the view is not drawn again for it.
//
// coco_masks: a split of masked_pictures (mask_folders.hpp) with the labels 0, the background, and 1 ... K: polygons and runs drawn from the
// largest to the smallest area, so that what lies in front of something larger is seen. Crowds have the label of their class.
//
// Layouts and the division of one file are those of coco.hpp; pictures are brought onto the canvas by letterbox.hpp and augmented by augment.hpp.
// Costs: construction reads the JSON and keeps its polygons; a mask of 28 x 28 takes about a millisecond a picture of ten objects.
// Errors: those of coco.hpp; input_error if most boxes are smaller than a pixel or reach beyond their pictures; more than Most objects, a picture that is missing, damaged or of another size than the JSON says, an object without
// segmentation (coco_masks, Mask) make a faulty sample.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <c2f/core/errors.hpp>
#include <c2f/core/random.hpp>
#include <c2f/core/shapes.hpp>
#include <c2f/data/augment.hpp>
#include <c2f/data/datasets/coco.hpp>
#include <c2f/data/datasets/mask_folders.hpp>
#include <c2f/data/decoded_pictures.hpp>
#include <c2f/data/fitted_picture.hpp>
#include <c2f/data/io/names.hpp>
#include <c2f/data/numbers.hpp>
#include <c2f/data/objects.hpp>
#include <c2f/data/run_lengths.hpp>

namespace c2f::data {

/// The root folder, the choice of classes, augmentation, the division of a single file, and the cache.
struct coco_objects_options {
  std::filesystem::path root;
  std::vector<std::string> classes = {};  ///< the wanted ones, in order; empty: all that have an object
  augmentation augment             = {};
  double test_fraction             = .2;  ///< of a single file
  std::uint64_t seed               = 1;
  std::int64_t cache_bytes         = std::int64_t{1} << 30;  ///< for train and test together
};

/// A picture with its objects; boxes are clipped to it.
struct coco_sample {
  std::string name;
  std::filesystem::path picture, annotations;
  std::int64_t height = 0, width = 0;
  std::vector<coco_object> objects{};
  std::string fault{};  ///< why it cannot be read; empty: it can
};
struct coco_samples {
  std::vector<std::string> classes;
  std::vector<coco_sample> train, test;
  std::int64_t left_out = 0;  ///< objects whose boxes have no area within their picture
  std::int64_t clipped  = 0;  ///< boxes that reached more than a pixel beyond it
};

/// Lists the samples of a root.
[[nodiscard]] inline coco_samples list_coco_objects(coco_objects_options const& options, bool segmentations) {
  if (!(options.test_fraction >= 0 && options.test_fraction < 1))
    throw input_error("coco_objects_options.test_fraction is " + detail::text_of(options.test_fraction) +
                      "; it must be 0 or more and below 1");
  if (std::set<std::string> const different(options.classes.begin(), options.classes.end()); different.size() != options.classes.size())
    throw input_error("coco_objects_options.classes names " + std::to_string(options.classes.size()) + " classes, " +
                      std::to_string(different.size()) + " of them different; name each once");
  auto const files = detail::find_coco_files(options.root);
  if (!files) detail::refuse_without_coco(options.root);
  coco_samples made{options.classes, {}, {}};
  struct listed {
    std::filesystem::path file;
    coco_list list;
    std::vector<coco_sample>* into;
  };
  std::vector<listed> lists;
  auto const& tested = files->test.empty() ? files->validation : files->test;
  for (auto const& file : files->train) lists.push_back({file, read_coco(file, {segmentations, true}), &made.train});
  for (auto const& file : tested) lists.push_back({file, read_coco(file, {segmentations, true}), &made.test});
  if (options.classes.empty())
    for (auto const& [file, list, into] : lists) {
      std::set<std::int64_t> used;
      for (auto const& picture : list.pictures)
        for (auto const& object : picture.objects) used.insert(object.label);
      for (std::int64_t const label : used)
        if (auto const& name = list.classes[static_cast<std::size_t>(label)];
            std::find(made.classes.begin(), made.classes.end(), name) == made.classes.end())
          made.classes.push_back(name);
    }
  for (auto const& name : options.classes)
    if (std::none_of(lists.begin(), lists.end(), [&](auto const& each) {
          return std::find(each.list.classes.begin(), each.list.classes.end(), name) != each.list.classes.end();
        }))
      throw input_error("'" + options.root.string() + "' has no objects of the class '" + detail::printable(name) +
                        "'; write a name that its 'categories' have");
  std::int64_t boxes = 0, tiny = 0;
  for (auto& [file, list, into] : lists) {
    std::vector<std::int64_t> numbers;
    for (auto const& name : list.classes) {
      auto const found = std::find(made.classes.begin(), made.classes.end(), name);
      numbers.push_back(found == made.classes.end() ? -1 : found - made.classes.begin());
    }
    auto const folder = detail::coco_pictures(options.root, file, list.pictures.front().file);
    for (auto& each : list.pictures) {
      coco_sample& to = into->emplace_back(coco_sample{each.file, folder / each.file, file, each.height, each.width, {}});
      auto const w = static_cast<double>(each.width), h = static_cast<double>(each.height);
      for (auto& object : each.objects) {
        object.label = numbers[static_cast<std::size_t>(object.label)];
        auto const b = object.where;
        ++boxes, tiny += b.width() < 1 && b.height() < 1;
        made.clipped += b.x0 < -1 || b.y0 < -1 || b.x1 > w + 1 || b.y1 > h + 1;
        object.where   = {std::clamp(b.x0, 0.0, w), std::clamp(b.y0, 0.0, h), std::clamp(b.x1, 0.0, w), std::clamp(b.y1, 0.0, h)};
        bool const any = object.where.area() > 0;
        if (object.label >= 0 && any) to.objects.push_back(std::move(object));
        if (object.label >= 0 && !any) ++made.left_out;
      }
    }
  }
  for (auto const& [count, what] : {std::pair{tiny, "are smaller than a pixel"}, std::pair{made.clipped, "reach beyond their pictures"}})
    if (2 * count > boxes)
      throw input_error(std::to_string(count) + " of the " + std::to_string(boxes) + " boxes of '" + options.root.string() + "' " + what +
                        "; write each 'bbox' as x, y, width, height in pixels");
  detail::check_once(options.root, [](coco_sample const& each) -> auto const& { return each.picture.native(); }, made.train, made.test);
  if (made.test.empty()) {
    std::vector<coco_sample> whole = std::move(made.train);
    made.train.clear();
    for (auto& each : whole)
      (detail::coco_tests(each.name, options.seed, options.test_fraction) ? made.test : made.train).push_back(std::move(each));
  }
  for (auto const* part : {&made.train, &made.test})
    if (part->empty())
      throw input_error("'" + options.root.string() + "' leaves no picture to " + (part == &made.train ? "train" : "test") +
                        " on; add some, or hold out another fraction");
  return made;
}

namespace detail {

/// The part of each of side x side cells of a box on a canvas that a mask of the picture covers; `back`: from the canvas to the picture.
inline void write_cells(run_lengths const& mask, metrics::box const& box, affine const& back, std::int64_t side, float* to) {
  std::vector<std::int64_t> ends;
  std::int64_t sum = 0;
  for (std::uint32_t const each : mask.counts) ends.push_back(sum += each);
  auto const inside = [&](double x, double y) {
    if (!(x >= 0 && y >= 0 && x < static_cast<double>(mask.width) && y < static_cast<double>(mask.height))) return false;
    std::int64_t const at = static_cast<std::int64_t>(x) * mask.height + static_cast<std::int64_t>(y);
    return (std::upper_bound(ends.begin(), ends.end(), at) - ends.begin()) % 2 == 1;
  };
  constexpr std::int64_t points = 4;
  auto const along              = [&](double first, double length, std::int64_t at) {
    return first + length * (static_cast<double>(at) + .5) / static_cast<double>(points * side);
  };
  for (std::int64_t cell = 0; cell < side * side; ++cell) {
    int count = 0;
    for (std::int64_t k = 0; k < points * points; ++k) {
      auto const [x, y] = back(along(box.x0, box.width(), cell % side * points + k % points),
                               along(box.y0, box.height(), cell / side * points + k / points));
      count += inside(x, y);
    }
    *to++ = static_cast<float>(count) / (points * points);
  }
}

template <std::int64_t Most, std::int64_t Height, std::int64_t Width, std::int64_t Mask>
consteval bool check_coco_objects() {
  static_assert(Most >= 1 && Height >= 1 && Width >= 1 && Mask >= 0,
                "c2f::data::coco_objects needs one object or more, sides of one pixel or more, and masks of no negative side; write "
                "coco_objects<objects, height, width>");
  return true;
}

}  // namespace detail

/// A split of pictures of one size with all of their objects; see the top of this file.
template <std::int64_t Most, std::int64_t Height, std::int64_t Width = Height, std::int64_t Mask = 0>
class coco_objects_split {
 public:
  static_assert(detail::check_coco_objects<Most, Height, Width, Mask>());
  using image                        = c2f::image<3, Height, Width>;
  using truth_value                  = float;
  static constexpr std::int64_t most = Most, mask_side = Mask, numbers = 7 + Mask * Mask;
  static constexpr std::array<std::int64_t, 2> truth_dims{Most, numbers};

  coco_objects_split(std::string name, std::vector<coco_sample> samples, std::vector<std::string> classes, augmentation const& augment,
                     std::shared_ptr<std::atomic<std::int64_t>> budget)
      : held_(std::make_shared<contents>(std::move(name), std::move(samples), std::move(classes), augment, std::move(budget))) {}

  [[nodiscard]] std::int64_t size() const { return std::ssize(held_->samples); }
  [[nodiscard]] std::string const& name() const { return held_->name; }
  [[nodiscard]] std::vector<std::string> const& classes() const { return held_->classes; }
  [[nodiscard]] std::string const& name_of(std::int64_t id) const { return sample(id).name; }
  [[nodiscard]] coco_sample const& sample(std::int64_t id) const { return held_->samples[static_cast<std::size_t>(id)]; }
  /// Where the picture is on the canvas.
  [[nodiscard]] picture_place placed(std::int64_t id) const {
    return picture_place::of(resizing::letterbox, sample(id).height, sample(id).width, Height, Width);
  }
  /// The masks of the objects, in pixels of the picture's file; input_error for one without.
  [[nodiscard]] std::vector<run_lengths> masks(std::int64_t id) const {
    std::vector<run_lengths> made;
    for (auto const& each : sample(id).objects) made.push_back(each.mask(sample(id).height, sample(id).width));
    return made;
  }
  /// The bytes of the canvas.
  [[nodiscard]] std::vector<std::uint8_t> picture(std::int64_t id) const { return *canvas_of(id); }

  /// How samples are read, which a resumed training compares.
  [[nodiscard]] auto settings() const { return settings_of(held_->augment); }
  void read(std::int64_t id, random_stream* augment, float* pixels, float* truth) const {
    auto const canvas         = canvas_of(id);
    picture_place const place = placed(id);
    view seen;
    if (augment != nullptr) {
      seen = draw_view(*augment, held_->augment, {}, high, wide);
      seen_picture(seen, *canvas, Height, Width, pixels);
    } else {
      normalise(*canvas, {}, pixels);
    }
    std::vector<std::array<float, numbers - 1>> rows;
    for (auto const& each : sample(id).objects) {
      metrics::box const moved = seen(place.there(each.where), wide), shown = moved.clipped(high, wide);
      if (shown.area() < .25 * moved.area()) continue;
      auto& row = rows.emplace_back();
      row[0]    = static_cast<float>(each.label);
      row[1] = static_cast<float>(shown.centre_x() / wide), row[2] = static_cast<float>(shown.centre_y() / high);
      row[3] = static_cast<float>(shown.width() / wide), row[4] = static_cast<float>(shown.height() / high);
      row[5] = each.crowd ? 1.f : each.difficult ? 2.f : 0.f;
      if constexpr (Mask > 0) {
        affine const onto{place.across.scale, 0, place.across.shift, 0, place.down.scale, place.down.shift};
        detail::write_cells(each.mask(sample(id).height, sample(id).width), shown, seen.map(high, wide).after(onto).inverse(), Mask,
                            row.data() + 6);
      }
    }
    write_objects(rows, Most, truth);
  }

 private:
  static constexpr double high = static_cast<double>(Height), wide = static_cast<double>(Width);
  struct contents {
    std::string name;
    std::vector<coco_sample> samples;
    std::vector<std::string> classes;
    augmentation augment;
    detail::decoded_pictures canvases;
    contents(std::string n, std::vector<coco_sample> s, std::vector<std::string> c, augmentation const& a,
             std::shared_ptr<std::atomic<std::int64_t>> budget)
        : name(std::move(n)),
          samples(std::move(s)),
          classes(std::move(c)),
          augment(checked(a)),
          canvases(samples.size(), std::move(budget)) {}
  };
  [[nodiscard]] std::shared_ptr<std::vector<std::uint8_t> const> canvas_of(std::int64_t id) const {
    if (!sample(id).fault.empty()) throw input_error(sample(id).fault);
    return held_->canvases.of(static_cast<std::size_t>(id), [&] {
      auto const& of = sample(id);
      return fitted(detail::read_annotated(of.picture, of.height, of.width, of.annotations), resizing::letterbox, Height, Width).rgb;
    });
  }
  std::shared_ptr<contents> held_;
};

/// A data set of pictures with at most Most objects each.
template <std::int64_t Most, std::int64_t Height, std::int64_t Width = Height, std::int64_t Mask = 0>
struct coco_objects {
  coco_objects_split<Most, Height, Width, Mask> train, test;
  std::int64_t left_out, clipped;

  explicit coco_objects(coco_objects_options const& options)
      : coco_objects(options, list_coco_objects(options, /*segmentations=*/true),
                     std::make_shared<std::atomic<std::int64_t>>(options.cache_bytes)) {}

 private:
  coco_objects(coco_objects_options const& options, coco_samples lists, std::shared_ptr<std::atomic<std::int64_t>> const& budget)
      : train("coco train", std::move(lists.train), lists.classes, options.augment, budget),
        test("coco test", std::move(lists.test), lists.classes, options.augment, budget),
        left_out(lists.left_out),
        clipped(lists.clipped) {}
};

/// The label of each pixel of a picture: 0, or 1 and the class of the smallest object there.
[[nodiscard]] inline label_bytes label_map(coco_sample const& of) {
  std::vector<std::pair<std::int64_t, std::pair<run_lengths, std::int64_t>>> masks;
  for (auto const& each : of.objects) {
    run_lengths mask        = each.mask(of.height, of.width);
    std::int64_t const area = mask.area();
    masks.push_back({area, {std::move(mask), each.label + 1}});
  }
  std::ranges::stable_sort(masks, [](auto const& a, auto const& b) { return a.first > b.first; });
  label_bytes made{of.height, of.width, std::vector<std::uint8_t>(static_cast<std::size_t>(of.height * of.width))};
  for (auto const& [area, drawn] : masks) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < drawn.first.counts.size(); ++i) {
      std::int64_t const end = at + drawn.first.counts[i];
      if (i % 2 == 1)
        for (; at < end; ++at)
          made.labels[static_cast<std::size_t>(at % of.height * of.width + at / of.height)] = static_cast<std::uint8_t>(drawn.second);
      at = end;
    }
  }
  return made;
}

/// A data set of pictures with a label a pixel.
template <std::int64_t Side>
struct coco_masks {
  masked_pictures<Side> train, test;

  explicit coco_masks(coco_objects_options const& options)
      : coco_masks(options, list_coco_objects(options, /*segmentations=*/true),
                   std::make_shared<std::atomic<std::int64_t>>(options.cache_bytes)) {}

 private:
  coco_masks(coco_objects_options const& options, coco_samples lists, std::shared_ptr<std::atomic<std::int64_t>> const& budget)
      : train(split_of("coco train", std::move(lists.train), lists.classes, options, budget)),
        test(split_of("coco test", std::move(lists.test), lists.classes, options, budget)) {}

  static masked_pictures<Side> split_of(char const* name, std::vector<coco_sample> samples, std::vector<std::string> classes,
                                        coco_objects_options const& options, std::shared_ptr<std::atomic<std::int64_t>> const& budget) {
    classes.insert(classes.begin(), "background");
    std::vector<std::string> names;
    for (auto const& each : samples) names.push_back(each.name);
    auto const held = std::make_shared<std::vector<coco_sample> const>(std::move(samples));
    return {name,
            std::move(names),
            [held](std::size_t i) {
              auto const& of = (*held)[i];
              return masked_picture{detail::read_annotated(of.picture, of.height, of.width, of.annotations), label_map(of)};
            },
            mask_table::numbered(classes),
            options.augment,
            budget};
  }
};

}  // namespace c2f::data
