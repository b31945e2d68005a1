// c2f: from a folder of pictures to an answer for a new one. docs/tool.md walks through it.
//
//   c2f show --data pets --out runs/pets              # what there is, and a contact sheet with truths
//   c2f train --data pets --out runs/pets             # trains, and saves a model into runs/pets/model
//   c2f evaluate runs/pets --data pets                # scores with intervals, figures of classes, a confusion matrix
//   c2f predict runs/pets my/photos                   # a JSON line for each picture
//   c2f explain runs/pets                             # what the model is
#include "c2f/commands.hpp"
#include "common/program.hpp"

#include <c2f/core/text.hpp>
#include <c2f/execution/multiply_adds.hpp>
#include <c2f/inference/receptive_field.hpp>
#include <c2f/kinds/regression.hpp>
#include <c2f/train/progress_bar.hpp>
#include <c2f/version.hpp>

#include <ATen/ops/rand.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace tool {

std::filesystem::path model_folder(std::filesystem::path const& named) {
  std::error_code failed;
  bool const below =
      !std::filesystem::exists(named / "model.json", failed) && std::filesystem::is_regular_file(named / "model/model.json", failed);
  return below ? named / "model" : named;
}

namespace {
compiled_kind const* kind_of(c2f::model_description const& about) {
  return about.kind == "class_vector"  ? &classes_kind()
         : about.kind == "boxes"       ? &boxes_kind()
         : about.kind == "dense"       ? &masks_kind()
         : about.kind == "multi_label" ? &attributes_kind()
         : about.kind == "regression"  ? &numbers_kind()
                                       : nullptr;
}
compiled_kind const& kind_with(c2f::model_description const& about, std::filesystem::path const& folder) {
  compiled_kind const* const found = kind_of(about);
  if (found == nullptr || std::find(found->tasks.begin(), found->tasks.end(), about.task) == found->tasks.end())
    throw c2f::input_error(
        "the model in '" + folder.string() + "' is of the task '" + c2f::text::printable(about.task, 60) +
        "', which this program was compiled without; add the task to examples/c2f, or load the model in a program that has "
        "it with c2f::load_model");
  return *found;
}
}  // namespace

std::unique_ptr<model> load(std::filesystem::path const& named, std::string const& device) {
  auto const folder = model_folder(named);
  auto const about  = c2f::describe_model(folder);
  return kind_with(about, folder).load(about.task, folder, device);
}

std::string costs_of(explained_model const& of) {
  at::NoGradGuard const no_gradients;
  at::Tensor const image = at::rand({1, 3, of.height, of.width});
  auto const millions    = [&](auto const& run) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", static_cast<double>(c2f::multiply_adds([&] { run(image); })) / 1e6);
    return std::string(text);
  };
  std::string text = "  costs        " + millions(of.answer) + " million multiply-adds a picture, in convolutions and matrix products";
  if (of.pair) text += "; its coarse network " + millions(of.coarse);
  if (!of.maps) return text + "\n  sees         the whole picture for each answer\n";
  auto const field = [&](char const* name, auto const& raw) {
    auto const seen =
        c2f::receptive_field_of([&](at::Tensor const& x) { return raw(x).select(3, of.width / 2).select(2, of.height / 2); }, image);
    char line[160];
    std::snprintf(line, sizeof line, "\n  sees         a pixel of the %s depends on %ld x %ld pixels, to 95 %% on the %ld x %ld around it",
                  name, static_cast<long>(seen.width), static_cast<long>(seen.height), static_cast<long>(seen.core),
                  static_cast<long>(seen.core));
    text += line;
  };
  field("answer", of.answer);
  if (of.pair) field("coarse mask", of.coarse);
  return text + '\n';
}

void explain(std::filesystem::path const& named) {
  auto const folder = model_folder(named);
  auto const about  = c2f::describe_model(folder);
  std::printf("%s\n", kind_with(about, folder).explain(about.task, folder).c_str());
  std::string names;
  for (std::size_t k = 0; k < about.classes.size() && k < 20; ++k) names += (k > 0 ? ", " : "") + c2f::text::printable(about.classes[k]);
  constexpr std::array<char const*, 3> rules{"stretched to", "fitted into, with a border,", "cut to"};
  std::printf("  %-12s %zu: %s%s\n", "classes", about.classes.size(), names.c_str(), about.classes.size() > 20 ? ", ..." : "");
  std::printf("  %-12s %s %ld x %ld pixels\n", "pictures", rules[static_cast<std::size_t>(about.resize)], static_cast<long>(about.width),
              static_cast<long>(about.height));
  std::printf("  %-12s %s, %ld samples, fingerprint %s\n", "trained on", c2f::text::printable(about.data).c_str(),
              static_cast<long>(about.samples), about.fingerprint.c_str());
  if (!about.training.empty()) {
    std::string how;
    for (auto const& [name, value] : about.training)
      how += (how.empty() ? "" : ", ") + c2f::text::printable(name) + ' ' + c2f::text::printable(value);
    std::printf("  %-12s %s\n", "trained by", how.c_str());
  }
  for (auto const& [stage, values] : about.scores) {
    std::printf("  %-12s %s", "scores", c2f::text::printable(stage).c_str());
    for (auto const& [name, value] : values)  // of the kinds of the tool only numbers have errors
      std::printf("  %s %s", c2f::text::printable(name).c_str(),
                  c2f::print::score_text(value, about.kind == "regression" && c2f::regression<1>::score::lower_is_better(name)).c_str());
    std::printf("\n");
  }
  std::printf("  %-12s c2f %d.%d.%d, %s\n", "written by", about.version / 10000, about.version / 100 % 100, about.version % 100,
              c2f::text::printable(about.compiler).c_str());
}

void add_view_options(CLI::App& app, view_words& chosen) {
  app.add_option("--tta", chosen.tta, "Answer by the mean over views of a picture: flip: mirrored, too; scales: .8, 1 and 1.25; or both")
      ->check(CLI::IsMember({"flip", "scales"}))
      ->delimiter(',');
  app.add_option("--windows", chosen.windows,
                 "Of masks: answer by sliding windows over the picture at this scale, 1: its own size; 0: the whole picture at once")
      ->check(program::in_range(0, 16));
}
c2f::view_options views_of_words(view_words const& chosen) {
  auto const has = [&](char const* word) { return std::find(chosen.tta.begin(), chosen.tta.end(), word) != chosen.tta.end(); };
  c2f::view_options made{.flip = has("flip"), .windows = chosen.windows};
  if (has("scales")) made.scales = {.8, 1, 1.25};
  made.check();
  return made;
}
void check_views(c2f::view_options const& views, c2f::model_description const& about) {
  std::string const task = "'" + c2f::text::printable(about.task, 60) + "'";
  if (views.windows != 0 && about.kind != "dense")
    throw c2f::input_error("--windows is for models that answer with a class a pixel, and the kind of " + task + " is " +
                           c2f::text::printable(about.kind, 60) + "; leave it out");
  if (views.flip && about.kind == "regression")
    throw c2f::input_error("the numbers of " + task +
                           " may change in a mirrored picture, so they are no mean over one; leave --tta flip out");
}

namespace {

/// The settings that suit a kind, for what was not typed.
void complete(program::options& chosen, found_data const& data) {
  auto const set_batch       = [&](std::int64_t size) { program::set_unless_typed(chosen, "batch", chosen.batch, size); };
  auto const set_rate        = [&](double rate) { program::set_unless_typed(chosen, "learning-rate", chosen.learning_rate, rate); };
  std::int64_t const samples = data.size(0);
  if (data.kind == kind::classes && samples >= 20000) {
    set_batch(128);
    set_rate(.1);
    program::set_unless_typed(chosen, "weight-decay", chosen.weight_decay, 1e-4);
  }
  if (data.kind == kind::boxes) set_rate(.02);
  if (data.kind == kind::masks) set_batch(8);
  std::int64_t const limit = chosen.limit > 0 ? std::min(chosen.limit, samples) : samples;
  if (chosen.batch > limit) set_batch(limit);
}

/// The network that suits data: cifar where most pictures of classes have its size, of some that can be read.
std::string network_for(found_data const& data) {
  int readable = 0, tiny = 0;
  for (std::int64_t i = 0, n = std::min<std::int64_t>(data.size(0), 9); i < n && data.kind == kind::classes; ++i) try {
      auto const picture = data.read(0, i * data.size(0) / n).picture;
      ++readable;
      tiny += picture.width == 32 && picture.height == 32 ? 1 : 0;
    } catch (c2f::input_error const&) {  // a faulty sample, which is counted later
    }
  return 2 * tiny > readable ? "cifar" : "small";
}

/// The options of a command that were typed.
std::vector<std::string> typed_in(CLI::App const& app) {
  std::vector<std::string> names;
  for (CLI::Option const* const option : app.get_options())
    if (option->count() > 0) names.push_back(option->get_name());
  return names;
}

int train(int argc, char** argv) {
  data_options options;
  training_options changes;
  std::string network;
  std::vector<std::string> networks;
  for (auto const* each : {&classes_kind(), &boxes_kind(), &masks_kind(), &attributes_kind(), &numbers_kind()})
    for (auto const& name : each->networks)
      if (std::find(networks.begin(), networks.end(), name) == networks.end()) networks.push_back(name);
  program::options const defaults{.variant = "bl", .epochs = 30, .batch = 32, .learning_rate = .05, .weight_decay = 5e-4};
  auto chosen = program::read_options(
      argc, argv, "c2f train: trains a model on a folder of data, and saves it into the folder 'model' in --out.", {"bl", "pt"}, defaults,
      [&](CLI::App& app) {
        app.get_option("--data")->description("Folder of the data, in any layout of docs/data.md");
        app.get_option("--variant")->description("bl: one network; pt: a coarse and a fine one by progressive training");
        app.add_option("--network", network, "cifar: 32 x 32; small: about 100 x 100; resnet18: 192 to 256; default: by the data")
            ->check(CLI::IsMember(networks));
        add_data_options(app, options);
        add_training_options(app, changes);
      });
  return program::run([&] {
    program::check(chosen);
    options.data           = chosen.data;
    options.typed          = chosen.typed;
    found_data data        = recognise(options);
    data.training          = changes;
    std::string const text = data.summary();
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
      program::say(text.substr(at, end - at));
    complete(chosen, data);
    compiled_kind const& kind = compiled(data.kind);
    if (network.empty()) network = network_for(data);
    for (auto& [name, value] : chosen.given)
      if (name == "network") value = network;
    if (std::find(kind.networks.begin(), kind.networks.end(), network) == kind.networks.end())
      throw c2f::input_error("--network " + network + " is not compiled for " + name_of(data.kind) + "; write small or resnet18");
    program::say("network " + network + ", variant " + chosen.variant + ", " + std::to_string(chosen.epochs) + " epochs of batches of " +
                 std::to_string(chosen.batch));
    kind.train(chosen, network, data);
  });
}

int others(int argc, char** argv) {
  CLI::App app{"c2f: from a folder of pictures to an answer for a new one"};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::to_string(C2F_VERSION / 10000) + '.' + std::to_string(C2F_VERSION / 100 % 100) + '.' +
                                        std::to_string(C2F_VERSION % 100));
  app.option_defaults()->always_capture_default();
  app.footer("c2f COMMAND --help lists the options of a command. Exit code: 0 done; 1 it failed; 2 options or data that are refused.");
  app.add_subcommand("train", "Train a model on a folder of data");

  predict_options predicted;
  auto* const predict_app = app.add_subcommand("predict", "Answer for pictures: a JSON line for each");
  predict_app->add_option("model", predicted.model, "Folder of a model, or --out of a training")->required();
  predict_app->add_option("pictures", predicted.inputs, "Pictures (.jpg, .png), volumes (.nii.gz) and folders of them")->required();
  auto* const out =
      predict_app->add_option("--out", predicted.out, "Folder for predictions.jsonl, masks/ and drawn/; without it lines go to stdout");
  predict_app->add_flag("--draw", predicted.draw, "Draw the answers on the pictures")->needs(out);
  predict_app->add_flag("--resume", predicted.resume, "Leave out what is answered in --out")->needs(out);
  predict_app->add_flag("--time", predicted.time, "Say how many pictures a second these were, and how many the network alone does");
  predict_app->add_option("--batch", predicted.batch, "Pictures at once")->check(CLI::Range(1, 4096));
  predict_app->add_option("--threads", predicted.threads, "Threads that decode pictures; 0: none beside the network's")
      ->check(CLI::Range(0, 256));
  predict_app->add_option("--top", predicted.top, "Classes in a line, the most likely ones")->check(CLI::Range(1, 1000));
  predict_app->add_option("--device", predicted.device, "Device")->check(CLI::IsMember({"cpu", "cuda"}));
  add_view_options(*predict_app, predicted.views);

  evaluate_options evaluated;
  auto* const evaluate_app = app.add_subcommand("evaluate", "Score a model: intervals, figures of classes, a confusion matrix");
  evaluate_app->add_option("model", evaluated.model, "Folder of a model, or --out of a training")->required();
  evaluate_app->add_option("--data", evaluated.data.data, "Folder of the data")->required();
  evaluate_app->add_option("--part", evaluated.part, "Part of the data")->check(CLI::IsMember({"train", "validation", "test"}));
  evaluate_app->add_option("--out", evaluated.out, "Folder for evaluation.json and confusion.png");
  evaluate_app->add_option("--batch", evaluated.batch, "Pictures at once")->check(CLI::Range(1, 4096));
  evaluate_app->add_option("--resamples", evaluated.resamples, "Resamples of the bootstrap")->check(CLI::Range(1, 1'000'000));
  evaluate_app->add_option("--device", evaluated.device, "Device")->check(CLI::IsMember({"cpu", "cuda"}));
  add_view_options(*evaluate_app, evaluated.views);
  add_data_options(*evaluate_app, evaluated.data);

  data_options shown;
  std::filesystem::path sheet;
  std::int64_t count   = 24;
  std::string part     = "train";
  auto* const show_app = app.add_subcommand("show", "Look at data: what there is, and a contact sheet with truths");
  show_app->add_option("--data", shown.data, "Folder of the data")->required();
  show_app->add_option("--out", sheet, "Folder for contact_sheet.png");
  show_app->add_option("--count", count, "Pictures on the sheet")->check(CLI::Range(1, 300));
  show_app->add_option("--part", part, "Part of the data")->check(CLI::IsMember({"train", "validation", "test"}));
  add_data_options(*show_app, shown);

  std::filesystem::path explained;
  auto* const explain_app = app.add_subcommand("explain", "Say what a model is: parts, shapes, parameters, classes, scores");
  explain_app->add_option("model", explained, "Folder of a model, or --out of a training")->required();

  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    program::say(std::string(error.what()) + "; see --help");
    return 2;
  }
  evaluated.data.typed = typed_in(*evaluate_app);
  shown.typed          = typed_in(*show_app);
  return program::run([&] {
    if (predict_app->parsed()) return predict(predicted);
    if (evaluate_app->parsed()) return evaluate(evaluated);
    if (show_app->parsed()) return show(shown, sheet, count, part);
    explain(explained);
  });
}

}  // namespace

}  // namespace tool

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "train") == 0) return tool::train(argc - 1, argv + 1);
  return tool::others(argc, argv);
}
