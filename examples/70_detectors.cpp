// Detectors of all objects of a picture: Faster R-CNN on a feature pyramid, the two ideas of DetectoRS (Qiao et al. 2021), cascades and
// RetinaNet. `base` trains on BCCD (292 pictures of blood cells) in about four minutes on one core; the other variants take longer.
//
//   70_detectors --data BCCD --train-set trainval --variant detectors --out runs/detectors
//   70_detectors --data BCCD --test-set val --variant rfp      (to choose settings)
//   70_detectors --data BCCD --train-set trainval --variant base --out runs/base --resume --predict photos/
#include "common/predictions.hpp"
#include "common/program.hpp"
#include "common/train.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/datasets/voc_objects.hpp>
#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/metrics/coco_ap.hpp>
#include <c2f/systems/detectors.hpp>
#include <c2f/systems/one_stage_detector.hpp>

#include <CLI/CLI.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>

#include <array>
#include <cstdio>

namespace {

namespace systems = c2f::systems;

constexpr std::int64_t height = 192, width = 256, classes = 3, most = 60;
using image = c2f::image<3, height, width>;
using kind  = c2f::detections<classes, most>;
using data  = c2f::data::voc_objects<most, height, width>;
using systems::parts_of_detectors;

template <class Head, parts_of_detectors Parts = parts_of_detectors::none>
using small = systems::small_detector<kind, image, Head, Parts>;
struct progressive : systems::cascade_rcnn {
  using source   = c2f::source::sample;
  using schedule = c2f::schedule::ramp<0.0, 0.6, c2f::by::fraction>;
};
struct retina_settings : systems::retina_net {
  using backbone                     = systems::small_pyramid<parts_of_detectors::none>;
  static constexpr std::size_t tower = 2;
  static constexpr std::array<double, 1> anchor_scales{4};
  static constexpr std::array<double, 3> anchor_ratios{.7, 1, 1.4};
};
using retina = systems::one_stage_detector<kind, image, retina_settings>;

struct arguments {
  std::vector<std::string> classes;
  std::string train_set = "train", test_set = "test", class_from = "name";
  bool flip = false, soft = false;
  double least_score = .3;
  std::vector<std::filesystem::path> predict, outputs;
};

constexpr std::array<c2f::data::colour, 3> colours{{{210, 30, 40}, {30, 90, 220}, {240, 150, 0}}};
constexpr c2f::data::colour green{0, 150, 80};

template <class Predictor>
std::vector<c2f::detected_box> found_in(Predictor& predict, std::vector<std::uint8_t> const& canvas,
                                        c2f::data::picture_place const& place) {
  std::vector<float> numbers(canvas.size());
  c2f::data::normalise(canvas, {}, numbers.data());
  at::Tensor const images = at::from_blob(numbers.data(), {1, height, width, 3}, at::TensorOptions(at::kFloat)).permute({0, 3, 1, 2});
  auto found              = kind::of_picture(predict(images).answer, 0, height, width);
  for (auto& each : found) each.where = place.back(each.where);
  return found;
}

/// COCO's twelve numbers of the test pictures, in their own pixels.
template <class Predictor, class Split>
void print_scores(Predictor& predict, Split const& test) {
  c2f::metrics::coco_ap all(classes);
  for (std::int64_t id = 0; id < test.size(); ++id) {
    if (!test.sample(id).fault.empty()) continue;
    std::vector<c2f::metrics::found_object> found;
    for (auto const& one : found_in(predict, test.picture(id), test.placed(id))) found.push_back({one.label, one.where, one.score});
    std::vector<c2f::metrics::true_object> objects;
    for (auto const& each : test.sample(id).objects) objects.push_back({each.label, each.where, -1, each.crowd, each.difficult});
    all.add(found, objects);
  }
  char const* const names[]{"AP", "AP50", "AP75", "AP small", "medium", "large", "AR1", "AR10", "AR100", "AR small", "medium", "large"};
  auto const values = all.scores().values();
  for (std::size_t i = 0; i < values.size(); ++i) std::printf("%s%s %.3f", i == 0 ? "" : "  ", names[i], values[i]);
  std::printf("\n");
  for (std::int64_t k = 0; k < std::ssize(test.classes()); ++k) {
    auto const each = all.scores(k);
    std::printf("%s%s AP %.3f AP50 %.3f", k == 0 ? "" : "  ", c2f::text::printable(test.classes()[static_cast<std::size_t>(k)]).c_str(),
                each.ap.value_or(-1), each.ap50.value_or(-1));
  }
  std::printf("\n");
}

void draw(c2f::data::canvas& page, std::vector<c2f::detected_box> const& found, std::vector<std::string> const& names, int x, int y,
          double zoom, double least) {
  for (auto const& each : found) {
    if (each.score < least) continue;
    auto const tint = colours[static_cast<std::size_t>(each.label) % colours.size()];
    auto const at   = [&](double edge) { return static_cast<int>(edge * zoom + .5); };
    page.frame(x + at(each.where.x0), y + at(each.where.y0), at(each.where.width()), at(each.where.height()), tint, 2);
    char text[16];
    std::snprintf(text, sizeof text, "%.2f", each.score);
    auto const& name = names[static_cast<std::size_t>(each.label)];
    page.text(x + at(each.where.x0) + 3, y + at(each.where.y0) + 3, name.substr(0, 1) + text, tint, 1);
  }
}

/// Test pictures with the true boxes above and the found ones below.
template <class Predictor, class Split>
void write_sheet(Predictor& predict, Split const& test, arguments const& more, std::filesystem::path const& file) {
  constexpr int columns = 4, gap = 8, wide = static_cast<int>(width), high = static_cast<int>(height);
  auto const count = static_cast<int>(std::min<std::int64_t>(columns, test.size()));
  c2f::data::canvas page(gap + columns * (wide + gap), gap + 2 * (high + gap));
  for (int i = 0; i < count; ++i) {
    std::int64_t const id = i * test.size() / count;
    auto const canvas     = test.picture(id);
    auto const place      = test.placed(id);
    int const x           = gap + i * (wide + gap);
    for (int row = 0; row < 2; ++row) page.blit(canvas, wide, high, x, gap + row * (high + gap));
    for (auto const& each : test.sample(id).objects) {
      auto const where = place.there(each.where);
      page.frame(x + static_cast<int>(where.x0), gap + static_cast<int>(where.y0), static_cast<int>(where.width()),
                 static_cast<int>(where.height()), green, 2);
    }
    auto found = found_in(predict, canvas, place);
    for (auto& each : found) each.where = place.there(each.where);
    draw(page, found, test.classes(), x, gap + high + gap, 1, more.least_score);
  }
  page.write_png(file);
}

template <class Predictor>
void write_predictions(Predictor& predict, std::vector<std::string> const& names, arguments const& more) {
  for (std::size_t i = 0; i < more.predict.size(); ++i) {
    auto const picture = c2f::data::read_picture(more.predict[i]);
    auto const seen    = c2f::data::fitted(picture, c2f::data::resizing::letterbox, height, width);
    auto const found   = found_in(predict, seen.rgb, seen.place);
    c2f::data::canvas page(static_cast<int>(picture.width), static_cast<int>(picture.height));
    page.blit(picture.rgb, static_cast<int>(picture.width), static_cast<int>(picture.height), 0, 0);
    draw(page, found, names, 0, 0, 1, more.least_score);
    page.write_png(more.outputs[i]);
    std::vector<std::size_t> counts(names.size());
    for (auto const& each : found)
      if (each.score >= more.least_score) ++counts[static_cast<std::size_t>(each.label)];
    std::printf("%s:", c2f::text::printable(more.predict[i].filename().string()).c_str());
    for (std::size_t k = 0; k < names.size(); ++k) std::printf(" %zu %s", counts[k], c2f::text::printable(names[k]).c_str());
    std::printf("\n");
  }
}

template <class Model>
void train(program::options const& chosen, arguments const& more) {
  data const whole({.root       = chosen.data,
                    .classes    = more.classes,
                    .class_from = more.class_from == "any" ? c2f::data::class_source::any : c2f::data::class_source::object_name,
                    .train_set  = more.train_set,
                    .test_set   = more.test_set});
  auto const& names = whole.train.classes();
  if (std::ssize(names) > classes)
    throw c2f::input_error("the data have " + std::to_string(names.size()) + " classes, but this program is compiled for " +
                           std::to_string(classes) + "; name as many with --classes, or change the number in examples/70_detectors.cpp");
  Model net(chosen.seed);
  auto recipe = program::recipe_of(chosen);
  recipe.adam({.weight_decay = chosen.weight_decay, .decoupled = true}).decay(c2f::decay::cosine{.floor = .01}).warm_up(50);
  auto const report = program::train(net, program::limited(whole, chosen), chosen, "detectors, " + chosen.variant, recipe);
  if (report.stopped || !program::first_process()) return;
  net.answers.flip = more.flip;
  net.answers.soft = more.soft;
  c2f::predictor<Model> predict(net);
  print_scores(predict, whole.test);
  if (!chosen.out.empty()) write_sheet(predict, whole.test, more, chosen.out / "detections.png");
  write_predictions(predict, names, more);
}

}  // namespace

int main(int argc, char** argv) {
  program::options const defaults{.variant = "base", .epochs = 40, .batch = 4, .learning_rate = 1e-3, .weight_decay = 1e-3, .clip = 10};
  arguments more;
  auto const chosen = program::read_options(
      argc, argv, "Trains a detector on pictures with annotations in Pascal VOC's format, and prints COCO's average precision.",
      {"base", "rfp", "sac", "detectors", "cascade", "cascade_pt", "retina"}, defaults, [&](CLI::App& app) {
        app.get_option("--data")->description("Folder with JPEGImages and Annotations, or images and xmls");
        app.get_option("--learning-rate")->description("Learning rate of AdamW after 50 steps; it falls to a hundredth by a cosine");
        app.get_option("--variant")
            ->description(
                "base: Faster R-CNN; rfp: with a recursive feature pyramid; sac: with switchable atrous convolutions; detectors: with "
                "both; "
                "cascade: Cascade R-CNN; cascade_pt: trained progressively; retina: one stage");
        app.get_option("--out")->description("Folder for log, checkpoints, summary, curve, detections.png and predictions");
        app.add_option("--classes", more.classes, "Names of the classes, separated by commas; all by default")->delimiter(',');
        app.add_option("--class-from", more.class_from, "name: of the object; any: one class of all objects")
            ->check(CLI::IsMember({"name", "any"}));
        app.add_option("--train-set", more.train_set, "List of ImageSets/Main to train on");
        app.add_option("--test-set", more.test_set, "List of ImageSets/Main to test on");
        app.add_flag("--flip", more.flip, "Test on the mirrored pictures, too");
        app.add_flag("--soft", more.soft, "Test with soft suppression");
        app.add_option("--least-score", more.least_score, "Of the boxes that are drawn")->check(program::in_range(0, 1));
        app.add_option("--predict", more.predict, "Pictures, or folders of some: drawn with what is found, into --out");
      });
  return program::run([&] {
    program::check(chosen);
    program::refuse_typed(chosen, {"--probe", "--probe-every"}, "here, as no network is conditioned on a prediction at inference alone");
    program::check_predictions(chosen, more.predict, more.outputs, "detected_");
    if (chosen.variant == "rfp") return train<small<systems::faster_rcnn, parts_of_detectors::recursive>>(chosen, more);
    if (chosen.variant == "sac") return train<small<systems::faster_rcnn, parts_of_detectors::switchable>>(chosen, more);
    if (chosen.variant == "detectors") return train<small<systems::faster_rcnn, parts_of_detectors::both>>(chosen, more);
    if (chosen.variant == "cascade") return train<small<systems::cascade_rcnn>>(chosen, more);
    if (chosen.variant == "cascade_pt") return train<small<progressive>>(chosen, more);
    if (chosen.variant == "retina") return train<retina>(chosen, more);
    return train<small<systems::faster_rcnn>>(chosen, more);
  });
}
