// Coarse2Fine (systems/coarse2fine.hpp): fine-grained classification by a second look at what the first one attended to.
//
//   51_coarse2fine --data pets3 --variant coarse2fine --epochs 60 --out runs/breeds
//   51_coarse2fine --data cifar-100-binary --set cifar100 --variant coarse --epochs 20 --out runs/cifar
//   51_coarse2fine --data CUB_200_2011 --set cub --init inception_v3.safetensors --pretrain 100 --predict photos/ --out runs/birds
//
// pets: 96x96 pixels and a small backbone from random weights; cifar100 at 32x32. cub: Inception-v3, whose published training begins with
// ImageNet's weights (--init): 200 epochs of batches of 64. Its image size and learning rate are not published; 448x448 and .001 are those of
// WS-DAN. --pretrain trains the up-sampler alone first,
// --coarse-epochs the first pass alone.
// Written to --out besides log, checkpoints, summary and curve: attention.png, test pictures with the mask, the maps and the box of what is
// looked at; for each picture of --predict its own sheet.
#include "common/attention_sheet.hpp"
#include "common/predictions.hpp"
#include "common/program.hpp"
#include "common/train.hpp"

#include <c2f/data/datasets/fine_grained.hpp>
#include <c2f/data/io/weights.hpp>
#include <c2f/networks/inception_v3.hpp>
#include <c2f/systems/coarse2fine_training.hpp>
#include <c2f/train/checkpoint.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace c2f::systems;

struct arguments {
  std::string set       = "pets";
  std::int64_t pretrain = 0, coarse_epochs = 0, pictures = 5;
  double threshold                           = 0.5;
  std::filesystem::path init                 = {};
  std::vector<std::filesystem::path> predict = {}, outputs = {};  // outputs: of `predict`
};

template <std::int64_t Classes, class Backbone, std::int64_t Side, std::int64_t Scale>
using system_of = coarse2fine<c2f::class_vector<Classes>, Backbone, c2f::image<3, Side, Side>, 8, c2f::upsampler<2>, 1.0, Scale>;
using pets      = system_of<3, c2f::resnet_cifar_features<8, c2f::basic_block, 2>, 96, 10>;
using cifar     = system_of<100, c2f::resnet_cifar_features<8>, 32, 10>;
using cub       = system_of<200, c2f::inception_v3_features<>, 448, 100>;
/// The published variant, for which the stages before are compiled.
template <class Task>
inline constexpr bool is_published = std::same_as<Task, pets> || std::same_as<Task, cifar> || std::same_as<Task, cub>;

/// Each is compiled, so there are few outside of pets.
template <class C>
using many = c2f::registry<coarse2fine_plain<C>, coarse2fine_coarse<C>, C, coarse2fine_random<C>, coarse2fine_bilinear<C>>;
template <class C>
using few = c2f::registry<coarse2fine_coarse<C>, C>;
template <class C>
using one = c2f::registry<C>;

/// The stages that were asked for: the up-sampler alone, the first pass alone, then both.
c2f::systems::coarse2fine_stages stages_of(program::options const& chosen, arguments const& more, c2f::recipe::settings const& joint) {
  coarse2fine_stages stages{.upsampler = {}, .coarse = {}, .joint = joint};
  if (more.pretrain > 0)
    stages.upsampler = program::machine_of(chosen)
                           .epochs(more.pretrain)
                           .batch(100)
                           .learning_rate(0.2)
                           .momentum(0.9)
                           .decay(c2f::decay::cosine{})
                           .seed(chosen.seed);
  if (more.coarse_epochs > 0) stages.coarse = c2f::recipe::settings(joint).epochs(more.coarse_epochs);
  return stages;
}

/// Small networks begin at random, with a learning rate that falls as a cosine. Inception-v3 begins with ImageNet's weights, and its settings are
/// those of coarse2fine_recipe where the command line says nothing else.
program::options with_defaults(program::options chosen, std::string const& set) {
  if (set != "cub") return chosen;
  program::set_unless_typed<std::int64_t>(chosen, "epochs", chosen.epochs, 200);
  program::set_unless_typed<std::int64_t>(chosen, "batch", chosen.batch, 64);
  program::set_unless_typed(chosen, "learning-rate", chosen.learning_rate, 1e-3);
  program::set_unless_typed(chosen, "weight-decay", chosen.weight_decay, 1e-5);
  return chosen;
}
c2f::recipe::settings recipe_of(program::options const& chosen, std::string const& set) {
  auto recipe = program::recipe_of(chosen);
  if (set != "cub") return recipe.decay(c2f::decay::cosine{});
  recipe.no_milestones();
  for (std::int64_t epoch = 2; epoch < chosen.epochs; epoch += 2)
    recipe.milestone(static_cast<double>(epoch) / static_cast<double>(chosen.epochs), 0.9);
  return recipe;
}

template <template <class> class Variants, class C, class Data>
void run(program::options const& chosen, arguments const& more, Data const& data, program::box_of_sample const& truth_of) {
  Variants<C>::with(chosen.variant, [&]<class Task>(c2f::chosen<Task>) {
    c2f::stack<Task> model(chosen.seed);
    if constexpr (requires { std::get<0>(model.share.layers); })
      if (!more.init.empty()) c2f::load_weights(std::get<0>(model.share.layers), more.init, {.without = {"Mixed_7", "AuxLogits", "fc."}});
    auto const recipe       = recipe_of(chosen, more.set);
    auto const samples      = program::limited(data, chosen);
    std::string const title = more.set + ", " + chosen.variant;
    auto const fit          = [&](auto&... observers) {
      if constexpr (is_published<Task>)
        if (more.pretrain > 0 || more.coarse_epochs > 0)
          return fit_coarse2fine(model, samples, stages_of(chosen, more, recipe), observers...).back();
      return c2f::fit(model, samples, recipe, observers...);
    };
    auto const report = program::train_by(fit, model, samples, chosen, title, recipe);
    if (report.stopped || chosen.out.empty() || !program::goes_on_alone()) return;
    program::attention_sheet sheet(title, data.test.classes(), more.threshold);
    program::write_attention_sheet(sheet, model, data.test, truth_of, more.pictures, chosen.out / "attention.png");
    for (std::size_t i = 0; i < more.predict.size(); ++i) program::predict_attention(sheet, model, more.predict[i], more.outputs[i]);
  });
}

template <class C, class Lists>
void run_lists(program::options const& chosen, arguments const& more, Lists const& lists) {
  constexpr std::size_t classes = C::network::kind::classes;
  if (lists.classes.size() != classes)
    throw c2f::input_error("'" + chosen.data.string() + "' has " + std::to_string(lists.classes.size()) +
                           " classes, and this program is compiled for " + std::to_string(classes) +
                           "; change the number in examples/51_coarse2fine.cpp");
  c2f::data::class_folders<C::input::width> const data({.root = lists.root, .resize = c2f::data::resizing::letterbox}, lists);
  auto const truth_of = [&](std::int64_t id) -> std::optional<c2f::metrics::box> {
    auto const found = lists.boxes.find(data.test.name_of(id));
    if (found == lists.boxes.end()) return {};
    auto const picture = c2f::data::read_picture(lists.root / found->first, c2f::data::exif::apply);
    return c2f::data::picture_place::of(c2f::data::resizing::letterbox, picture.height, picture.width, C::input::height, C::input::width)
        .there(found->second);
  };
  if constexpr (std::same_as<C, pets>)
    run<many, C>(chosen, more, data, truth_of);
  else
    run<one, C>(chosen, more, data, truth_of);
}

}  // namespace

int main(int argc, char** argv) {
  arguments more;
  program::options const defaults{.variant = "coarse2fine", .epochs = 60, .batch = 32, .learning_rate = 0.05, .weight_decay = 5e-4};
  auto const read = program::read_options(
      argc, argv, "Trains Coarse2Fine or one of its ablations and scores coarse output, fine output and their mean: top-1, top-5.",
      program::names_of<many<pets>>(), defaults, [&](CLI::App& app) {
        app.get_option("--data")->description("Folder of the set: images and xmls of Oxford-IIIT Pet, CIFAR-100 (binary) or CUB_200_2011");
        app.get_option("--variant")
            ->description(
                "coarse2fine: as published; coarse: its first pass; plain: the backbone alone; random: without orthogonal start; bilinear: "
                "without a learnt up-sampler. All with pets; coarse and coarse2fine with cifar100, coarse2fine with cub");
        app.add_option("--set", more.set,
                       "pets: three breeds, of each of which a fifth is tested; cub: with 200 epochs of batches of 64, learning rate .001 "
                       "and weight "
                       "decay 1e-5 where they are not given")
            ->check(CLI::IsMember({"pets", "cifar100", "cub"}));
        app.add_option("--pretrain", more.pretrain, "Epochs of the up-sampler alone, before; the published number is 100")
            ->check(CLI::Range(0, 100'000));
        app.add_option("--coarse-epochs", more.coarse_epochs, "Epochs of the first pass alone, before")->check(CLI::Range(0, 100'000));
        app.add_option("--init", more.init, "Weights of the backbone, safetensors with torchvision's names")->check(CLI::ExistingFile);
        app.add_option("--threshold", more.threshold, "The part of a mask's range that is cut off for a box")
            ->check(program::in_range(0, 0.99));
        app.add_option("--shown", more.pictures, "Pictures on the sheet attention.png")->check(CLI::Range(1, 40));
        app.add_option("--predict", more.predict,
                       "Pictures, or folders of them, to classify afterwards; written as attended_NAME.png into --out")
            ->check(CLI::ExistingPath);
      });
  return program::run([&] {
    auto const chosen = with_defaults(read, more.set);
    program::check(chosen);
    program::refuse_typed(chosen, {"--probe", "--probe-every"}, "here, as the mask is made of attention maps and not of the prediction");
    if (chosen.variant != "coarse2fine")
      program::refuse_typed(chosen, {"--pretrain", "--coarse-epochs"},
                            "with --variant " + chosen.variant + "; the stages are those of coarse2fine");
    if (more.set != "cub")
      program::refuse_typed(chosen, {"--init"}, "with --set " + more.set + ", whose backbone has no published weights");
    program::check_predictions(chosen, more.predict, more.outputs, "attended_", [](auto const&, auto const&) {});
    if (more.set == "cifar100")
      return run<few, cifar>(chosen, more, c2f::data::cifar100(chosen.data), [](std::int64_t) { return std::nullopt; });
    if (more.set == "cub") return run_lists<cub>(chosen, more, c2f::data::read_cub(chosen.data, {.validation = 0}));
    run_lists<pets>(chosen, more, c2f::data::read_pets(chosen.data, {.validation = 0}));
  });
}
