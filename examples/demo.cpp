// The demo: BL, IND, JNT and PT of paper 000 on procedural glyphs that a small network cannot tell apart at once.
//
//   demo [FOLDER]      writes demo.png into FOLDER (default: build/demo)
#include "common/program.hpp"
#include "common/tasks.hpp"

#include <c2f/data/canvas.hpp>
#include <c2f/print/observers.hpp>

#include <ATen/core/grad_mode.h>

#include <cstdio>

namespace {

struct signs {
  using input    = c2f::image<3, 32, 32>;
  using network  = c2f::resnet_cifar<8, c2f::class_vector<20>>;
  using schedule = c2f::schedule::ramp<0.5, 98.0 / 164, c2f::by::fraction>;
};
using variants = c2f::registry<tasks::bl<signs>, tasks::ind<signs>, tasks::jnt<signs>, tasks::pt<signs>>;

constexpr char const* meaning(std::string_view name) {
  if (name == "bl") return "one network alone";
  if (name == "ind") return "fine network told the truth";
  if (name == "jnt") return "fine network told the guess";
  return "truth first, then the guess";
}

/// One picture of every class with the coarse answer and the fine one: green where it is right, red where it is not.
template <class Task>
void draw_answers(c2f::stack<Task> const& model, c2f::data::pictures<20> const& test, std::filesystem::path const& file) {
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
      auto const answer = [&](char const* stage, at::Tensor const& logits, int line) {
        auto const label = logits[i].argmax().item<std::int64_t>();
        page.text(x, y + side + 6 + 18 * line, fmt::format("{} {}", stage, name(label)), label == test.label(i) ? right : wrong, 2);
      };
      answer("coarse", coarse, 1);
      answer("fine  ", fine, 2);
    }
  }
  page.write_png(file);
}

}  // namespace

int main(int argc, char** argv) {
  return program::run([&] {
    std::string const argument = argc > 1 ? argv[1] : "build/demo";
    if (argument == "-h" || argument == "--help") {
      std::puts("demo [FOLDER]: trains four small coarse-to-fine models and writes demo.png into FOLDER (default: build/demo)");
      return;
    }
    if (argc > 2 || argument.starts_with('-'))
      throw c2f::input_error("demo takes a folder and no option, found '" + std::string(argv[argc - 1]) + "'; see --help");
    std::filesystem::path const folder = argument;
    program::prepare_folder(folder);
    c2f::data::glyphs<20> const data;
    std::printf("20 classes of 32x32 glyphs, 4,000 to learn from and 1,000 to be judged on; ResNet-8 as coarse and as fine network\n\n");

    std::string table = fmt::format("\n{:<5} {:<29} {:>8} {:>8} {:>10} {:>9}\n", "", "", "coarse", "fine", "steps/s", "seconds");
    c2f::interrupt on_ctrl_c;
    for (auto const name : variants::names()) {
      if (on_ctrl_c.stop()) break;
      variants::with(name, [&]<class Task>(c2f::chosen<Task>) {
        c2f::stack<Task> model(1);
        c2f::print::progress_bar bar(c2f::print::progress_bar::elsewhere::lines);
        auto const report = c2f::fit(model, data, c2f::recipe::cifar{}.epochs(10).batch(64), bar, on_ctrl_c);
        if (report.epochs.empty()) return;
        auto const& last = report.epochs.back();
        double seconds = 0, steps = 0;
        for (auto const& epoch : report.epochs) {
          seconds += epoch.train_seconds;
          steps += static_cast<double>(report.start.steps_an_epoch);
        }
        auto const top1 = [&](std::size_t stage) {
          return stage < last.scores.size() ? fmt::format("{:.1f} %", 100 * last.scores[stage].values.front().second) : std::string("-");
        };
        table +=
            fmt::format("{:<5} {:<29} {:>8} {:>8} {:>10.1f} {:>9.0f}\n", name, meaning(name), top1(0), top1(1), steps / seconds, seconds);
        if constexpr (std::same_as<Task, tasks::pt<signs>>) draw_answers(model, data.test, folder / "demo.png");
      });
    }
    std::fputs(table.c_str(), stdout);
    if (on_ctrl_c.stop())
      std::printf("\nstopped; the table holds what was finished\n");
    else
      std::printf("\naccuracy on the 1,000 test glyphs after 10 epochs; picture: %s\n", (folder / "demo.png").c_str());
  });
}
