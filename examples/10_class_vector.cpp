// Coarse-to-fine classification of CIFAR-100, trained in one of the ways of paper 000.
//
//   10_class_vector --data DIR --variant pt --depth 20 --epochs 164 --out runs/pt
#include "common/program.hpp"
#include "common/tasks.hpp"

#include <c2f/print/observers.hpp>

#include <cstdio>

namespace {

/// CIFAR-100, or the first images of its training split.
template <class Task>
void train(program::options const& chosen) {
  c2f::data::cifar100 const whole(chosen.data);
  struct {
    c2f::data::taken<std::remove_cvref_t<decltype(whole.train)>> train;
    std::remove_cvref_t<decltype(whole.test)> test;
  } const data{c2f::data::take(whole.train, chosen.limit == 0 ? whole.train.size() : chosen.limit), whole.test};

  c2f::stack<Task> model(chosen.seed);
  c2f::interrupt on_ctrl_c;
  c2f::print::progress_bar bar(c2f::print::progress_bar::elsewhere::lines);
  c2f::training_report report;
  if (chosen.out.empty()) {
    report = c2f::fit(model, data, program::recipe_of(chosen), bar, on_ctrl_c);
  } else {
    c2f::print::json_lines log(chosen.out / "log.jsonl");
    report = c2f::fit(model, data, program::recipe_of(chosen), bar, on_ctrl_c, log);
    program::write_summary(chosen.out, chosen, report);
    program::write_curve(chosen.out, "CIFAR-100, ResNet-" + std::to_string(chosen.depth) + ", " + chosen.variant, report);
  }
  if (report.stopped) std::printf("stopped after %zu of %ld epochs\n", report.epochs.size(), static_cast<long>(report.start.epochs));
  if (!report.epochs.empty()) std::printf("%s\n", c2f::print::epoch_line(report.epochs.back(), report.start.epochs).c_str());
}

template <int Depth>
void train_variant(program::options const& chosen) {
  using variants = tasks::variants<c2f::resnet_cifar<Depth, c2f::class_vector<100>>>;
  variants::with(chosen.variant, [&]<class Task>(c2f::chosen<Task>) { train<Task>(chosen); });
}

}  // namespace

int main(int argc, char** argv) {
  auto const chosen =
      program::read_options(argc, argv, "Trains a coarse-to-fine ResNet on CIFAR-100 and scores both networks on its test images.",
                            {"bl", "ind", "jnt", "pt", "mean"});
  return program::run([&] {
    if (!chosen.out.empty()) program::prepare_folder(chosen.out);
    switch (chosen.depth) {
      case 8:
        return train_variant<8>(chosen);
      case 20:
        return train_variant<20>(chosen);
      case 56:
        return train_variant<56>(chosen);
      default:
        return train_variant<110>(chosen);
    }
  });
}
