// Detectors with masks on a folder in COCO's layout: Mask R-CNN, the hybrid task cascade (Chen et al. 2019) and DetectoRS with it (Qiao et al.
// 2021), with a small network for CPUs or a ResNet-50.
//
//   72_coco_detectors --data mine --out runs/mine                                  (a small network, pictures of 256 x 192 pixels)
//   72_coco_detectors --data coco --network resnet50 --variant detectors --recipe ablation --weights resnet50.safetensors --device cuda ...
//   72_coco_detectors --data mine --out runs/mine --resume --predict photos/ --scales 1,1.5 --flip
#include "common/detections.hpp"
#include "common/program.hpp"
#include "common/train.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/datasets/coco_objects.hpp>
#include <c2f/data/io/weights.hpp>
#include <c2f/systems/detectors.hpp>

#include <CLI/CLI.hpp>

#include <array>
#include <concepts>
#include <filesystem>
#include <string>
#include <vector>

namespace {

namespace systems = c2f::systems;
using systems::parts_of_detectors;

constexpr std::int64_t classes = 80, most = 100, cells = 28;
using kind = c2f::detections<classes, most, 100, cells>;

struct small_network {
  static constexpr std::int64_t height = 192, width = 256;
  template <class Head, parts_of_detectors Parts>
  struct settings : systems::small_settings<Head, Parts> {
    using mask_head = c2f::fcn_mask_head<32, 2>;
  };
};
struct resnet50 {
  static constexpr std::int64_t height = 800, width = 1344;
  template <class Head, parts_of_detectors Parts>
  using settings = systems::detectors_with<Head, 50, Parts>;
};
template <class Network, class Head, parts_of_detectors Parts>
using detector =
    systems::region_detector<kind, c2f::image<3, Network::height, Network::width>, typename Network::template settings<Head, Parts>>;

struct arguments : program::detection_options {
  std::string network = "small", recipe = "small";
  std::vector<std::string> classes;
  std::filesystem::path weights;
};

/// What a recipe says, unless it is on the command line.
struct published {
  std::int64_t epochs, batch;
  double learning_rate, weight_decay, clip;
  double first_milestone = 1, second_milestone = 1;
  c2f::data::augmentation augment{};
};
/// The published ones flip, and `main` also scales: shorter edges of 400 to 1,200 pixels for pictures that are wider than high.
published recipe_named(std::string const& name) {
  c2f::data::augmentation const flips{.flip = true, .scale = 0, .shift = 0, .gain = 0};
  auto scaled   = flips;
  scaled.scales = {.5, 1.5};
  if (name == "ablation") return {12, 16, .02, 1e-4, 35, 8. / 12, 11. / 12, flips};
  if (name == "main") return {40, 16, .02, 1e-4, 35, 36. / 40, 39. / 40, scaled};
  return {40, 4, 1e-3, 1e-3, 10};
}
void apply(program::options& chosen, published const& how) {
  auto const set = [&](char const* name, auto& value, auto of) { program::set_unless_typed(chosen, name, value, of); };
  set("epochs", chosen.epochs, how.epochs), set("batch", chosen.batch, how.batch), set("clip", chosen.clip, how.clip);
  set("learning-rate", chosen.learning_rate, how.learning_rate), set("weight-decay", chosen.weight_decay, how.weight_decay);
}

template <class Network, class Head, parts_of_detectors Parts>
void train(program::options const& chosen, arguments const& more) {
  using model    = detector<Network, Head, Parts>;
  auto const how = recipe_named(more.recipe);
  c2f::data::coco_objects<most, Network::height, Network::width, cells> const whole(
      {.root = chosen.data, .classes = more.classes, .augment = how.augment});
  auto const& names = whole.train.classes();
  if (std::ssize(names) > classes)
    throw c2f::input_error("the data have " + std::to_string(names.size()) + " classes, but this program is compiled for " +
                           std::to_string(classes) +
                           "; name as many with --classes, or change the number in examples/72_coco_detectors.cpp");
  program::print_objects(whole.train);
  program::print_objects(whole.test);
  if (whole.left_out > 0 || whole.clipped > 0)
    std::printf("%ld boxes have no area in their picture and are left out, %ld reach more than a pixel beyond it and are clipped\n",
                static_cast<long>(whole.left_out), static_cast<long>(whole.clipped));
  model net(chosen.seed);
  if constexpr (std::same_as<Network, resnet50>) {
    auto plain = c2f::make_network<systems::resnet_pyramid<50, parts_of_detectors::none>, typename model::input>(chosen.seed);
    c2f::load_weights(plain.body, more.weights, {.without = {"fc."}});
    systems::begin_as_plain(net, plain);
  }
  auto recipe = program::recipe_of(chosen);
  if (how.first_milestone == 1)
    recipe.adam({.decoupled = true}).decay(c2f::decay::cosine{.floor = .01}).warm_up(50);
  else
    recipe.no_milestones().milestone(how.first_milestone).milestone(how.second_milestone).warm_up(500);
  auto const report = program::train(net, program::limited(whole, chosen), chosen, more.network + ", " + chosen.variant, recipe);
  if (report.stopped || !program::goes_on_alone()) return;
  program::answer(net, whole.test, more, chosen.out, recipe.accelerator());
}
template <class Network>
void train_on(program::options const& chosen, arguments const& more) {
  if (chosen.variant == "htc") return train<Network, systems::hybrid_task_cascade, parts_of_detectors::none>(chosen, more);
  if (chosen.variant == "detectors") return train<Network, systems::hybrid_task_cascade, parts_of_detectors::both>(chosen, more);
  return train<Network, systems::mask_rcnn, parts_of_detectors::none>(chosen, more);
}

}  // namespace

int main(int argc, char** argv) {
  auto const small = recipe_named("small");
  program::options const defaults{.variant       = "mask_rcnn",
                                  .epochs        = small.epochs,
                                  .batch         = small.batch,
                                  .learning_rate = small.learning_rate,
                                  .weight_decay  = small.weight_decay,
                                  .clip          = small.clip};
  arguments more;
  auto chosen = program::read_options(
      argc, argv, "Trains a detector with masks on pictures with annotations in COCO's format, and prints COCO's average precision.",
      {"mask_rcnn", "htc", "detectors"}, defaults, [&](CLI::App& app) {
        app.get_option("--data")->description("Folder with annotations and pictures in COCO's layout");
        app.get_option("--learning-rate")->description("Learning rate after the warm-up; the recipe says how it falls");
        app.get_option("--variant")
            ->description(
                "mask_rcnn: Mask R-CNN; htc: hybrid task cascade; detectors: that with a recursive feature pyramid and switchable "
                "atrous convolutions");
        app.add_option("--network", more.network, "small: three stages, 256 x 192 pixels; resnet50: 1,344 x 800 pixels")
            ->check(CLI::IsMember({"small", "resnet50"}));
        app.add_option(
               "--recipe", more.recipe,
               "small: AdamW, 40 epochs; ablation, main: after the published ones, SGD for 12 or 40 epochs; options that are given count "
               "instead of what it says")
            ->check(CLI::IsMember({"small", "ablation", "main"}));
        app.add_option("--weights", more.weights,
                       "Of resnet50: torchvision's, made a safetensors file by examples/weights/to_safetensors.py");
        app.add_option("--classes", more.classes, "Names of the classes, separated by commas; all by default")->delimiter(',');
        program::add_detection_options(app, more);
      });
  return program::run([&] {
    program::check(chosen);
    program::refuse_typed(chosen, {"--probe", "--probe-every"}, "here, as detectors have no fine network that could be probed");
    program::check_predictions(chosen, more.predict, more.outputs, "detected_");
    apply(chosen, recipe_named(more.recipe));
    if (more.network == "small") program::refuse_typed(chosen, {"--weights"}, "with --network small");
    if (more.network == "resnet50" && !program::exists(more.weights))
      throw c2f::input_error("--network resnet50 begins with trained weights, as its norms are frozen, and '" + more.weights.string() +
                             "' is no file; write --weights resnet50.safetensors");
    if (more.network == "resnet50") return train_on<resnet50>(chosen, more);
    return train_on<small_network>(chosen, more);
  });
}
