// The demo: the variants of training of Ren et al. 2020 on three output kinds, on synthetic pictures, in a few minutes without a download.
//   classes   glyphs that differ by one short stroke, ResNet-8
//   boxes     vehicles in cluttered scenes, a localiser on ResNet-8
//   masks     the same scenes, a small U-Net
//
//   demo [FOLDER]      writes glyphs.png, boxes.png and masks.png into FOLDER (default: build/demo)
#include "common/box_sheet.hpp"
#include "common/mask_sheet.hpp"
#include "common/program.hpp"
#include "common/tasks.hpp"

#include <c2f/data/draw/canvas.hpp>
#include <c2f/data/synthetic/scene_masks.hpp>
#include <c2f/kinds/dense.hpp>
#include <c2f/parts/encode_dense.hpp>
#include <c2f/networks/unet.hpp>
#include <c2f/print/observers.hpp>

#include <ATen/core/grad_mode.h>

#include <cstdio>

namespace {

struct signs {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::resnet_cifar<8, c2f::class_vector<20>>;
};
struct vehicles {
  using input   = c2f::image<3, 64, 64>;
  using network = c2f::localiser<c2f::resnet_cifar_features<8, c2f::basic_block, 2>, c2f::boxes<3>, 64>;
};
struct outlines {
  using input   = c2f::image<3, 64, 64>;
  using network = c2f::unet<3, 8, c2f::dense<1>>;
};

constexpr char const* meaning(std::string_view name) {
  if (name == "bl") return "one network alone";
  if (name == "bl2") return "one network alone, twice the epochs";
  if (name == "jnt") return "fine network conditioned on the prediction";
  return "truth first, then the prediction";
}

/// Trains one task, calls draw(model), and returns its row of the table.
template <class Task, class Data, class Draw>
std::string row(char const* what, Data const& data, c2f::recipe::settings const& recipe, c2f::interrupt& on_ctrl_c, Draw const& draw) {
  if (on_ctrl_c.stop()) return {};
  c2f::stack<Task> model(1);
  c2f::print::progress_bar bar(c2f::print::progress_bar::elsewhere::lines);
  auto const report = c2f::fit(model, data, program::in_all_processes(recipe), bar, on_ctrl_c);
  if (report.stopped) return {};
  program::check_scores(report);
  auto const& scores = report.epochs.back().scores;
  double seconds = 0, steps = 0;
  for (auto const& epoch : report.epochs) {
    seconds += epoch.train_seconds;
    steps += static_cast<double>(report.start.steps_an_epoch);
  }
  c2f::probe_report found{.scores = {scores[0]}};
  if constexpr (c2f::complete<Task>::refine::rounds > 0) found = c2f::probe(model, data.test, recipe);
  auto const metric = [&](std::string_view stage) {
    for (auto const& each : found.scores)
      if (each.stage == stage) return fmt::format("{:.1f} %", 100 * each.values.front().second);
    return std::string("-");
  };
  draw(model);
  return fmt::format("{:<8} {:<4} {:<42} {:<4} {:>7} {:>7} {:>9} {:>9} {:>8.1f} {:>5.0f}\n", what, Task::name, meaning(Task::name),
                     scores[0].values.front().first, metric("coarse"), metric("prediction"), metric("truth"), metric("shuffled"),
                     steps / seconds, seconds);
}

/// One picture of every class with the coarse and the fine prediction: green if correct, else red.
template <class Task>
void draw_signs(c2f::stack<Task> const& model, c2f::data::pictures<20> const& test, std::filesystem::path const& file) {
  constexpr int columns = 5, rows = 4, zoom = 4, side = 32 * zoom, gap = 16, words = 62, top = 56;
  constexpr c2f::data::colour right{0, 130, 70}, wrong{200, 40, 30}, ink{40, 40, 40};
  c2f::data::canvas page(gap + columns * (side + gap), top + rows * (side + words + gap));
  page.text(gap, 14, "c2f demo: progressive training (pt)", ink, 2);

  c2f::data::loader const one_batch{c2f::data::take(test, columns * rows),
                                    {.batch = columns * rows, .threads = 0, .shuffle = false, .augment = false}};
  at::NoGradGuard const no_gradients;
  for (auto const& batch : one_batch.epoch(0)) {
    auto const [coarse, fine] = model(batch.images, c2f::eval);
    for (int i = 0; i < columns * rows; ++i) {
      int const x = gap + i % columns * (side + gap), y = top + i / columns * (side + words + gap);
      page.blit(test.picture(i), 32, 32, x, y, zoom);
      auto const name = [&](std::int64_t label) { return test.classes()[static_cast<std::size_t>(label)]; };
      page.text(x, y + side + 6, "truth  " + name(test.label(i)), ink, 2);
      auto const prediction = [&](char const* stage, at::Tensor const& logits, int line) {
        auto const label = logits[i].argmax().item<std::int64_t>();
        page.text(x, y + side + 6 + 18 * line, fmt::format("{} {}", stage, name(label)), label == test.label(i) ? right : wrong, 2);
      };
      prediction("coarse", coarse, 1);
      prediction("fine  ", fine, 2);
    }
  }
  if (program::first_process()) page.write_png(file);
}

}  // namespace

int main(int argc, char** argv) {
  return program::run([&] {
    std::string const argument = argc > 1 ? argv[1] : "build/demo";
    if (argument == "-h" || argument == "--help") {
      std::puts(
          "demo [FOLDER]: trains small coarse-to-fine models of three kinds and writes their pictures into FOLDER (default: build/demo)");
      return;
    }
    if (argc > 2 || argument.starts_with('-'))
      throw c2f::input_error("demo takes a folder and no option, found '" + std::string(argv[argc - 1]) + "'; see --help");
    std::filesystem::path const folder = argument;
    program::prepare_folder(folder, "the folder");
    std::printf(
        "classes: 20 kinds of 32x32 glyphs, 4,000 to train on and 1,000 to test\n"
        "boxes, masks: one vehicle in a 64x64 scene, 1,600 to train on and 200 to test\n\n");

    c2f::interrupt on_ctrl_c;
    auto const nothing = [](auto const&) {};
    auto const twice   = [](c2f::recipe::settings recipe) { return recipe.epochs(2 * recipe.epochs()); };
    std::string table =
        fmt::format("\n{:<61} {:>7} {:>7} {:>9} {:>9} {:>8} {:>5}\n", "", "coarse", "fine", "truth", "shuffled", "steps/s", "s");

    c2f::data::glyphs<20> const glyphs;
    auto const on_glyphs = c2f::recipe::cifar{}.epochs(8).batch(64);
    table += row<tasks::bl<signs>>("classes", glyphs, on_glyphs, on_ctrl_c, nothing);
    table += row<tasks::bl2<signs>>("", glyphs, twice(on_glyphs), on_ctrl_c, nothing);
    table += row<tasks::jnt<signs>>("", glyphs, on_glyphs, on_ctrl_c, nothing);
    table += row<tasks::pt<signs>>("", glyphs, on_glyphs, on_ctrl_c,
                                   [&](auto const& model) { draw_signs(model, glyphs.test, folder / "glyphs.png"); });

    c2f::data::scenes<64> const scenes{{.train = 1600, .test = 200}};
    auto const on_boxes = c2f::recipe::cifar{}.epochs(16).batch(32).learning_rate(0.03).weight_decay(5e-4);
    table += row<tasks::bl<vehicles>>("boxes", scenes, on_boxes, on_ctrl_c, nothing);
    table += row<tasks::bl2<vehicles>>("", scenes, twice(on_boxes), on_ctrl_c, nothing);
    table += row<tasks::pt<vehicles>>("", scenes, on_boxes, on_ctrl_c, [&](auto const& model) {
      program::write_box_sheet(model, scenes.test, "c2f demo: boxes, progressive training", folder / "boxes.png");
    });

    struct {
      c2f::data::scene_masks<64, 3> train, test;
    } const masks{c2f::data::scene_masks<64, 3>(scenes.train), c2f::data::scene_masks<64, 3>(scenes.test)};
    auto const on_masks = c2f::recipe::cifar{}.epochs(3).batch(16).learning_rate(0.05);
    table += row<tasks::bl<outlines>>("masks", masks, on_masks, on_ctrl_c, nothing);
    table += row<tasks::bl2<outlines>>("", masks, twice(on_masks), on_ctrl_c, nothing);
    table += row<tasks::pt<outlines>>("", masks, on_masks, on_ctrl_c, [&](auto const& model) {
      program::write_mask_sheet(model, masks.test, "c2f demo: masks, progressive training", folder / "masks.png");
    });

    std::fputs(table.c_str(), stdout);
    std::printf(
        "\ntruth, shuffled: the fine network conditioned on the true answer, and on the prediction for another picture. A high score and a "
        "low one\nsay that it copies what it is given; docs/evidence.md tells when two networks are worth their time\n");
    if (on_ctrl_c.stop())
      std::printf("\nstopped; the table has only finished trainings\n");
    else
      std::printf("\non the test pictures; pictures: %s\n", (folder / "{glyphs,boxes,masks}.png").c_str());
  });
}
