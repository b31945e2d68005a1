// Detectors of all objects of a picture: Faster R-CNN on a feature pyramid, the two ideas of DetectoRS (Qiao et al. 2021), cascades and
// RetinaNet. `base` trains on BCCD (292 pictures of blood cells) in about four minutes on one core; the other variants take longer.
//
//   70_detectors --data BCCD --train-set trainval --variant detectors --out runs/detectors
//   70_detectors --data BCCD --test-set val --variant rfp      (to choose settings)
//   70_detectors --data BCCD --train-set trainval --variant base --out runs/base --resume --predict photos/
#include "common/detections.hpp"
#include "common/program.hpp"
#include "common/train.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/datasets/voc_objects.hpp>
#include <c2f/systems/detectors.hpp>
#include <c2f/systems/one_stage_detector.hpp>

#include <CLI/CLI.hpp>

#include <array>

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

struct arguments : program::detection_options {
  std::vector<std::string> classes;
  std::string train_set = "train", test_set = "test", class_from = "name";
};

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
  program::print_objects(whole.train);
  program::print_objects(whole.test);
  Model net(chosen.seed);
  auto recipe = program::recipe_of(chosen);
  recipe.adam({.decoupled = true}).decay(c2f::decay::cosine{.floor = .01}).warm_up(50);
  auto const report = program::train(net, program::limited(whole, chosen), chosen, "detectors, " + chosen.variant, recipe);
  if (report.stopped || !program::goes_on_alone()) return;
  program::answer(net, whole.test, more, chosen.out, recipe.accelerator());
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
        app.add_option("--classes", more.classes, "Names of the classes, separated by commas; all by default")->delimiter(',');
        app.add_option("--class-from", more.class_from, "name: of the object; any: one class of all objects")
            ->check(CLI::IsMember({"name", "any"}));
        app.add_option("--train-set", more.train_set, "List of ImageSets/Main to train on");
        app.add_option("--test-set", more.test_set, "List of ImageSets/Main to test on");
        program::add_detection_options(app, more);
      });
  return program::run([&] {
    program::check(chosen);
    program::refuse_typed(chosen, {"--probe", "--probe-every"}, "here, as detectors have no fine network that could be probed");
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
