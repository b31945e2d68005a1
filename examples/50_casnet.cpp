// CasNet (systems/casnet.hpp): segmentation by a coarse head, a fine head and a learned gate on shared features.
//
//   50_casnet --data camvid --variant mixture --epochs 40 --out runs/casnet
//   50_casnet --data SiftFlowDataset --set siftflow --backbone resnet50 --init resnet50.safetensors --learning-rate 1e-4 --decay plateau
//   50_casnet --data iccv09Data --set stanford --fold 2 --variant gate --predict holiday/ --out runs/stanford
//
// From random weights: batch 4, learning rate .05, which falls to 0 by (1 - fraction)^.9. The published training begins with ImageNet's
// weights (--init), has the learning rate 1e-4 and divides it by 10 twice, when the score does not improve (--decay plateau).
// SIFT Flow and Stanford Background are seen through crops of 233 x 233 at scales of .5 to 2, and tested on whole pictures, with --windows
// also through windows.
#include "common/cascade_sheet.hpp"
#include "common/predictions.hpp"
#include "common/program.hpp"
#include "common/train.hpp"

#include <c2f/data/datasets/camvid.hpp>
#include <c2f/data/datasets/siftflow.hpp>
#include <c2f/data/datasets/stanford_background.hpp>
#include <c2f/data/io/weights.hpp>
#include <c2f/inference/sliding_windows.hpp>
#include <c2f/print/observers.hpp>
#include <c2f/systems/casnet.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace {

namespace systems = c2f::systems;

struct arguments {
  std::string set = "camvid", backbone = "small", part = "val", decay = "poly";
  std::int64_t fold = 0, shown = 4, windows = 0;
  std::filesystem::path init;
  std::vector<std::filesystem::path> predict, outputs;  // outputs: of `predict`
};

using any_size = c2f::image<3, c2f::dynamic, c2f::dynamic>;
template <class Kind>
using with_small = systems::casnet<Kind, c2f::resnet_cifar_features<8, c2f::basic_block, 2>, any_size, 64, 16>;
template <class Kind, int Depth>
using with_resnet = systems::casnet<Kind, c2f::resnet_features<Depth, 4, 8>, any_size, Depth == 18 ? 128 : 512>;

/// Progressive training of the gate without a loss of its own.
template <class Casnet>
struct progressive_mixture : systems::casnet_progressive<systems::casnet_mixture<Casnet>> {
  static constexpr char const* name = "pt_mixture";
};
/// Everything for CamVid with the small backbone, and the system and two controls elsewhere: each is compiled.
template <class C>
using all_variants = c2f::registry<systems::casnet_coarse<C>, systems::casnet_fine<C>, systems::casnet_static<C>, C,
                                   systems::casnet_mixture<C>, systems::casnet_hardest<C>, systems::casnet_hard<C>,
                                   systems::casnet_progressive<C>, progressive_mixture<C>, systems::casnet_refined<C>>;
template <class C>
using few_variants = c2f::registry<systems::casnet_coarse<C>, C, systems::casnet_mixture<C>>;

template <class Task>
void predict(c2f::stack<Task> const& model, std::vector<std::string> const& classes, arguments const& more) {
  if (!program::goes_on_alone()) return;
  using kind         = typename c2f::complete<Task>::kind;
  auto const colours = program::label_colours(classes.size());
  at::NoGradGuard const no_gradients;
  for (std::size_t i = 0; i < more.predict.size(); ++i) {
    auto const picture = c2f::data::read_picture(more.predict[i], c2f::data::exif::apply);
    at::Tensor images =
        at::empty({1, 3, picture.height, picture.width}, at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
    float* value = images.mutable_data_ptr<float>();
    for (std::size_t k = 0; k < picture.rgb.size(); ++k)
      *value++ = (static_cast<float>(picture.rgb[k]) / 255 - c2f::data::imagenet_mean[k % 3]) / c2f::data::imagenet_deviation[k % 3];
    auto const labels = program::bytes_of(kind::labels_of(model(images, c2f::eval).answer)[0]);
    c2f::data::canvas page(static_cast<int>(picture.width), static_cast<int>(picture.height));
    c2f::data::overlay(page, picture.rgb, picture.height, picture.width, labels, labels,
                       {.colours = colours, .bare = -1, .outline = {255, 255, 255}});
    page.write_png(more.outputs[i]);
    std::vector<std::size_t> count(classes.size());
    for (auto const label : labels) ++count[label];
    std::string text;
    for (std::size_t k = 0; k < classes.size(); ++k)
      if (20 * count[k] >= labels.size()) text += ", " + std::to_string(100 * count[k] / labels.size()) + " % " + classes[k];
    std::printf("%s: %ld x %ld pixels%s\n", c2f::text::printable(more.predict[i].filename().string()).c_str(),
                static_cast<long>(picture.width), static_cast<long>(picture.height), text.c_str());
  }
}

template <template <class> class Variants, class Casnet, class Data>
void run(program::options const& chosen, arguments const& more, Data const& data) {
  Variants<Casnet>::with(chosen.variant, [&]<class Task>(c2f::chosen<Task>) {
    c2f::stack<Task> model(chosen.seed);
    if (!more.init.empty()) c2f::load_weights(model.share, more.init, {.without = {"fc."}});
    auto recipe = program::recipe_of(chosen);
    if (more.decay == "poly")
      recipe.decay(c2f::decay::polynomial{.power = 0.9});
    else
      recipe.decay(c2f::decay::plateau{
          .score = c2f::stack<Task>::has_fine ? "answer pixel" : "coarse pixel", .factor = 0.1, .patience = 5, .floor = 0.01});
    std::string const title = data.test.name() + ", " + chosen.variant + ", " + more.backbone;
    auto const report       = program::train(model, program::limited(data, chosen), chosen, title, recipe);
    if (more.windows > 0 && !report.stopped) {
      using kind = typename c2f::stack<Task>::kind;
      c2f::sliding_windows<kind> const windows(model, {.height = more.windows, .width = more.windows});
      std::printf("by windows of %ld pixels: %s\n", static_cast<long>(more.windows),
                  c2f::print::score_line(c2f::evaluate(windows, data.test, c2f::recipe::settings{}.batch(chosen.batch))).c_str());
    }
    if (report.stopped || chosen.out.empty()) return;
    program::write_cascade_sheet(model, data.test, title, chosen.out / "cascade.png", more.shown);
    predict(model, data.test.classes(), more);
  });
}

template <class Kind, class Data>
void with_backbone(program::options const& chosen, arguments const& more, Data const& data) {
  if (more.backbone == "resnet18") return run<few_variants, with_resnet<Kind, 18>>(chosen, more, data);
  if (more.backbone == "resnet50") return run<few_variants, with_resnet<Kind, 50>>(chosen, more, data);
  if constexpr (std::same_as<Kind, c2f::dense<11, 11>>)
    run<all_variants, with_small<Kind>>(chosen, more, data);
  else
    run<few_variants, with_small<Kind>>(chosen, more, data);
}

}  // namespace

int main(int argc, char** argv) {
  arguments more;
  program::options const defaults{.variant = "mixture", .epochs = 40, .batch = 4, .learning_rate = 0.05, .weight_decay = 5e-4};
  using named       = all_variants<with_small<c2f::dense<11, 11>>>;
  auto const chosen = program::read_options(
      argc, argv, "Trains CasNet or one of its ablations and scores coarse output, fine output and answer: mean IoU, pixels, classes.",
      program::names_of<named>(), defaults, [&](CLI::App& app) {
        app.get_option("--data")->description("Folder of the set: CamVid 240x180, SiftFlowDataset or iccv09Data");
        app.get_option("--variant")
            ->description(
                "gate: as published; mixture: without the attention loss; coarse, fine: one head; static: the mean; ohem: the hardest "
                "pixels; hard: hard selection; pt, pt_mixture: progressive training; refined: pt, until two predictions agree. All "
                "with CamVid and the small backbone, else coarse, gate and mixture");
        app.get_option("--out")->description("Folder for log, checkpoints, summary, curve and cascade.png; without it nothing is written");
        app.add_option("--set", more.set, "The data set")->check(CLI::IsMember({"camvid", "siftflow", "stanford"}));
        app.add_option("--backbone", more.backbone, "small: ResNet-8; all have output stride 8")
            ->check(CLI::IsMember({"small", "resnet18", "resnet50"}));
        app.add_option("--init", more.init, "Weights of the backbone, safetensors with torchvision's names")->check(CLI::ExistingFile);
        app.add_option("--decay", more.decay,
                       "poly: (1 - fraction)^.9; plateau: a tenth when the score has not improved for 5 epochs, twice")
            ->check(CLI::IsMember({"poly", "plateau"}));
        app.add_option("--part", more.part, "What CamVid is tested on: val, or test, the held-out pictures")
            ->check(CLI::IsMember({"val", "test"}));
        app.add_option("--fold", more.fold, "The fold of Stanford Background that is tested")->check(CLI::Range(0, 4));
        app.add_option("--shown", more.shown, "Pictures on the sheet cascade.png")->check(CLI::Range(1, 40));
        app.add_option("--windows", more.windows,
                       "Score the test pictures by sliding windows of this side, too, as 233, the crops of training; 0: whole alone")
            ->check(CLI::Range(0, 4096));
        app.add_option("--predict", more.predict,
                       "Pictures, or folders of them, to segment afterwards; written as segmented_NAME.png into --out")
            ->check(CLI::ExistingPath);
      });
  return program::run([&] {
    program::check(chosen);
    program::refuse_typed(chosen, more.set == "camvid" ? std::vector<std::string>{} : std::vector<std::string>{"--part"},
                          "with --set " + more.set);
    program::refuse_typed(chosen, more.set == "stanford" ? std::vector<std::string>{} : std::vector<std::string>{"--fold"},
                          "with --set " + more.set);
    program::check_predictions(chosen, more.predict, more.outputs, "segmented_");
    if (more.set == "siftflow") return with_backbone<c2f::dense<33>>(chosen, more, c2f::data::siftflow<>(chosen.data));
    if (more.set == "stanford")
      return with_backbone<c2f::dense<8>>(chosen, more,
                                          c2f::data::stanford_background<>(chosen.data, {.fold = more.fold, .seed = chosen.seed}));
    with_backbone<c2f::dense<11, 11>>(chosen, more, c2f::data::camvid<>(chosen.data, more.part));
  });
}
