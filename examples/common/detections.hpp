// What the programs of detectors share: options, COCO's numbers in the pictures' own pixels, drawn boxes and masks.
#pragma once

#include "common/predictions.hpp"
#include "common/program.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/draw/overlay.hpp>
#include <c2f/data/fitted_picture.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/pasted_mask.hpp>
#include <c2f/kinds/detections.hpp>
#include <c2f/metrics/coco_ap.hpp>

#include <CLI/CLI.hpp>

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace program {

/// How pictures are answered for after a training, and what is drawn.
struct detection_options {
  bool flip = false, soft = false;
  std::vector<double> scales{1};
  double least_score = .3;
  std::vector<std::filesystem::path> predict, outputs;
};
inline void add_detection_options(CLI::App& app, detection_options& more) {
  app.get_option("--out")->description("Folder for log, checkpoints, summary, curve, detections.png and predictions");
  app.add_flag("--flip", more.flip, "Test on the mirrored pictures, too");
  app.add_flag("--soft", more.soft, "Test with soft suppression");
  app.add_option("--scales", more.scales, "Test on the pictures at these factors of the network's input, separated by commas")
      ->delimiter(',')
      ->check(in_range(.25, 4));
  app.add_option("--least-score", more.least_score, "Of the boxes that are drawn")->check(in_range(0, 1));
  app.add_option("--predict", more.predict, "Pictures, or folders of some: drawn with what is found, into --out");
}

/// By label, from 1 on; again from the first where there are more.
inline constexpr std::array<c2f::data::colour, 7> detection_colours{
    {{}, {210, 30, 40}, {30, 90, 220}, {240, 150, 0}, {0, 150, 80}, {150, 50, 200}, {0, 160, 190}}};
inline std::size_t colour_of(std::int64_t label) { return 1 + static_cast<std::size_t>(label) % (detection_colours.size() - 1); }

/// What is found on a canvas of the network's size; boxes in pixels of the picture that was placed on it. `classes`: of the data, which may be
/// fewer than the network's.
template <class Predictor>
std::vector<c2f::detected_box> detections_in(Predictor& predict, std::vector<std::uint8_t> const& canvas,
                                             c2f::data::picture_place const& place, std::size_t classes) {
  using input = typename Predictor::model_type::input;
  std::vector<float> numbers(canvas.size());
  c2f::data::normalise(canvas, {}, numbers.data());
  at::Tensor const images =
      at::from_blob(numbers.data(), {1, input::height, input::width, 3}, at::TensorOptions(at::kFloat)).permute({0, 3, 1, 2});
  auto found = Predictor::model_type::kind::of_picture(predict(images).answer, 0, input::height, input::width);
  std::erase_if(found, [&](auto const& each) { return std::cmp_greater_equal(each.label, classes); });
  for (auto& each : found) each.where = place.back(each.where);
  return found;
}

inline void print_coco(char const* what, c2f::metrics::coco_ap const& all) {
  char const* const names[]{"AP", "AP50", "AP75", "AP small", "medium", "large", "AR1", "AR10", "AR100", "AR small", "medium", "large"};
  auto const values = all.scores().values();
  for (std::size_t i = 0; i < values.size(); ++i) std::printf("%s%s %.3f", i == 0 ? what : "  ", names[i], values[i]);
  std::printf("\n");
}

/// A test picture, and the masks of its objects where its split has some.
struct read_picture_of {
  std::vector<std::uint8_t> canvas;
  std::vector<c2f::data::run_lengths> masks;
};
/// Nullopt for one that cannot be read: the training has counted it, and said why.
template <bool Masks, class Split>
std::optional<read_picture_of> read_objects(Split const& test, std::int64_t id) {
  try {
    read_picture_of made{test.picture(id), {}};
    if constexpr (Masks) made.masks = test.masks(id);
    return made;
  } catch (c2f::input_error const&) {
    return std::nullopt;
  }
}

/// What a split has: a line before the first step.
template <class Split>
void print_objects(Split const& split) {
  std::int64_t objects = 0, ignored = 0, faulty = 0;
  for (std::int64_t id = 0; id < split.size(); ++id) {
    auto const& sample = split.sample(id);
    faulty += !sample.fault.empty();
    for (auto const& each : sample.objects) ++objects, ignored += each.crowd || each.difficult;
  }
  std::printf("%s: %ld pictures with %ld objects", split.name().c_str(), static_cast<long>(split.size()), static_cast<long>(objects));
  if (ignored > 0) std::printf(", %ld of them crowds or difficult ones, which are ignored", static_cast<long>(ignored));
  if (faulty > 0) std::printf("; %ld annotations cannot be read", static_cast<long>(faulty));
  std::printf("\n");
}

/// COCO's twelve numbers of the test pictures, in their own pixels, of boxes and of masks where there are some, and those of each class of a few.
template <class Predictor, class Split>
void print_detection_scores(Predictor& predict, Split const& test) {
  using kind            = typename Predictor::model_type::kind;
  constexpr bool masked = kind::mask > 0;
  c2f::metrics::coco_ap of_boxes(kind::classes), of_masks(kind::classes);
  std::int64_t unread = 0;
  for (std::int64_t id = 0; id < test.size(); ++id) {
    auto const& sample = test.sample(id);
    auto const of      = read_objects<masked>(test, id);
    if (!of) {
      ++unread;
      continue;
    }
    std::vector<c2f::metrics::found_object> found;
    std::vector<c2f::data::run_lengths> masks;
    for (auto const& one : detections_in(predict, of->canvas, test.placed(id), test.classes().size())) {
      found.push_back({one.label, one.where, one.score});
      if constexpr (masked) masks.push_back(c2f::data::pasted({one.where, kind::mask, one.mask}, sample.height, sample.width));
    }
    std::vector<c2f::metrics::true_object> objects;
    for (auto const& each : sample.objects)
      objects.push_back({each.label, each.where, each.area > 0 ? each.area : -1, each.crowd, each.difficult});
    of_boxes.add(found, objects);
    if constexpr (masked) {
      for (std::size_t i = 0; i < found.size(); ++i) found[i].area = static_cast<double>(masks[i].area());
      of_masks.add(found, objects, [&](std::size_t i, std::size_t j) {
        return c2f::metrics::iou(found[i].where, objects[j].where) == 0 ? 0 : c2f::data::iou(masks[i], of->masks[j], objects[j].crowd);
      });
    }
  }
  if (unread > 0) std::printf("without %ld test pictures that cannot be read:\n", static_cast<long>(unread));
  print_coco("", of_boxes);
  if constexpr (masked) print_coco("masks: ", of_masks);
  constexpr std::int64_t few = 10;
  if (std::ssize(test.classes()) > few) return;
  for (std::int64_t k = 0; k < std::ssize(test.classes()); ++k) {
    auto const each = of_boxes.scores(k);
    std::printf("%s%s AP %.3f AP50 %.3f", k == 0 ? "" : "  ", c2f::text::printable(test.classes()[static_cast<std::size_t>(k)]).c_str(),
                each.ap.value_or(-1), each.ap50.value_or(-1));
  }
  std::printf("\n");
}

/// Draws a picture at (x, y), tinted where masks of what is found are, the best on top, and their boxes with class and score.
inline void draw_detections(c2f::data::canvas& page, std::vector<std::uint8_t> const& rgb, std::int64_t height, std::int64_t width, int x,
                            int y, std::vector<c2f::detected_box> const& found, std::vector<std::string> const& names, double least) {
  std::vector<std::uint8_t> tints(static_cast<std::size_t>(height * width));
  for (auto each = found.rbegin(); each != found.rend(); ++each) {
    if (each->score < least || each->mask.empty()) continue;
    auto const side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(each->mask.size()))));
    auto const mask = c2f::data::pasted({each->where, side, each->mask}, height, width).mask();
    for (std::size_t i = 0; i < mask.size(); ++i)
      if (mask[i] != 0) tints[i] = static_cast<std::uint8_t>(colour_of(each->label));
  }
  c2f::data::overlay(page, rgb, height, width, tints, {}, {.x = x, .y = y, .colours = detection_colours});
  for (auto const& each : found) {
    if (each.score < least) continue;
    auto const tint = detection_colours[colour_of(each.label)];
    auto const at   = [](double edge) { return static_cast<int>(edge + .5); };
    page.frame(x + at(each.where.x0), y + at(each.where.y0), at(each.where.width()), at(each.where.height()), tint, 2);
    char text[16];
    std::snprintf(text, sizeof text, "%.2f", each.score);
    auto const& name = names[static_cast<std::size_t>(each.label)];
    page.text(x + at(each.where.x0) + 3, y + at(each.where.y0) + 3, (names.size() > 3 ? name + ' ' : name.substr(0, 1)) + text, tint, 1);
  }
}

/// Test pictures with the true boxes and masks above and the found ones below.
template <class Predictor, class Split>
void write_detection_sheet(Predictor& predict, Split const& test, double least, std::filesystem::path const& file) {
  using input           = typename Predictor::model_type::input;
  constexpr bool masked = Predictor::model_type::kind::mask > 0;
  constexpr int columns = 4, gap = 8, wide = static_cast<int>(input::width), high = static_cast<int>(input::height);
  constexpr c2f::data::colour green{0, 150, 80};
  auto const count = static_cast<int>(std::min<std::int64_t>(columns, test.size()));
  c2f::data::canvas page(gap + columns * (wide + gap), gap + 2 * (high + gap));
  std::vector<std::int64_t> shown;  // spread evenly; the next one that can be read in the place of one that cannot
  for (int i = 0; i < count; ++i)
    for (std::int64_t next = 0; next < test.size(); ++next) {
      std::int64_t const id = (i * test.size() / count + next) % test.size();
      if (std::find(shown.begin(), shown.end(), id) != shown.end() || !read_objects<masked>(test, id)) continue;
      shown.push_back(id);
      break;
    }
  for (std::size_t i = 0; i < shown.size(); ++i) {
    std::int64_t const id = shown[i];
    auto const& sample    = test.sample(id);
    auto const of         = read_objects<masked>(test, id);
    auto const& canvas    = of->canvas;
    auto const place      = test.placed(id);
    int const x           = gap + static_cast<int>(i) * (wide + gap);
    std::vector<std::uint8_t> tints;
    if constexpr (masked) {
      tints.resize(static_cast<std::size_t>(wide) * high);
      for (std::size_t j = 0; auto const& mask : of->masks) {
        auto const pixels = mask.mask();
        auto const tint   = static_cast<std::uint8_t>(colour_of(sample.objects[j++].label));
        for (int row = 0; row < high; ++row)
          for (int column = 0; column < wide; ++column) {
            auto const at = place.back({column + .5, row + .5, column + 1., row + 1.});
            if (at.x0 < 0 || at.y0 < 0 || at.x0 >= static_cast<double>(sample.width) || at.y0 >= static_cast<double>(sample.height))
              continue;
            if (pixels[static_cast<std::size_t>(static_cast<std::int64_t>(at.y0) * sample.width + static_cast<std::int64_t>(at.x0))] != 0)
              tints[static_cast<std::size_t>(row * wide + column)] = tint;
          }
      }
    }
    c2f::data::overlay(page, canvas, high, wide, tints, {}, {.x = x, .y = gap, .colours = detection_colours});
    for (auto const& each : sample.objects) {
      auto const where = place.there(each.where);
      page.frame(x + static_cast<int>(where.x0), gap + static_cast<int>(where.y0), static_cast<int>(where.width()),
                 static_cast<int>(where.height()), green, 2);
    }
    auto found = detections_in(predict, canvas, place, test.classes().size());
    for (auto& each : found) each.where = place.there(each.where);
    draw_detections(page, canvas, high, wide, x, gap + high + gap, found, test.classes(), least);
  }
  page.write_png(file);
}

/// Draws the pictures of --predict, and prints how many objects of each class are in them.
template <class Predictor>
void write_detections(Predictor& predict, std::vector<std::string> const& names, detection_options const& more) {
  using input = typename Predictor::model_type::input;
  for (std::size_t i = 0; i < more.predict.size(); ++i) {
    auto const picture = c2f::data::read_picture(more.predict[i], c2f::data::exif::apply);
    auto const seen    = c2f::data::fitted(picture, c2f::data::resizing::letterbox, input::height, input::width);
    auto const found   = detections_in(predict, seen.rgb, seen.place, names.size());
    c2f::data::canvas page(static_cast<int>(picture.width), static_cast<int>(picture.height));
    draw_detections(page, picture.rgb, picture.height, picture.width, 0, 0, found, names, more.least_score);
    page.write_png(more.outputs[i]);
    std::vector<std::size_t> counts(names.size());
    for (auto const& each : found)
      if (each.score >= more.least_score) ++counts[static_cast<std::size_t>(each.label)];
    std::printf("%s:", c2f::text::printable(more.predict[i].filename().string()).c_str());
    for (std::size_t k = 0; k < names.size(); ++k)
      if (counts[k] > 0 || names.size() <= 10) std::printf(" %zu %s", counts[k], c2f::text::printable(names[k]).c_str());
    std::printf("\n");
  }
}

/// Everything that follows a training: scores, the sheet and predictions.
template <class Model, class Split>
void answer(Model& net, Split const& test, detection_options const& more, std::filesystem::path const& out, c2f::accelerator const& on) {
  net.answers.flip   = more.flip;
  net.answers.soft   = more.soft;
  net.answers.scales = more.scales;
  c2f::predictor<Model> predict(net, {.on = on});
  print_detection_scores(predict, test);
  if (!out.empty()) write_detection_sheet(predict, test, more.least_score, out / "detections.png");
  write_detections(predict, test.classes(), more);
}

}  // namespace program
