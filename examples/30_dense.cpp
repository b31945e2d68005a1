// Coarse-to-fine segmentation of street scenes (CamVid), trained by one of the variants of Ren et al. 2020, or conditioned on corrupted
// truths as in nnU-Net's cascade.
//
//   30_dense --data camvid --variant pt --epochs 30 --out runs/pt
#include "common/mask_sheet.hpp"
#include "common/tasks.hpp"
#include "common/train.hpp"

#include <c2f/data/datasets/camvid.hpp>

#include <CLI/CLI.hpp>

namespace {

using streets = c2f::data::camvid<>;
using kind    = c2f::dense<11, 11>;  // label 11 is void and is ignored

struct with_small {  // output stride 8
  using input   = c2f::image<3, 180, 240>;
  using network = c2f::fcn<c2f::resnet_cifar_features<8, c2f::basic_block, 2>, kind>;
};
struct with_resnet18 {  // output stride 16
  using input   = c2f::image<3, 180, 240>;
  using network = c2f::fcn<c2f::resnet_features<18, 3>, kind>;
};

template <class Base>
void train(program::options const& chosen) {
  streets const whole(chosen.data);
  tasks::variants<Base>::with(chosen.variant, [&]<class Task>(c2f::chosen<Task>) {
    c2f::stack<Task> model(chosen.seed);
    auto const report = program::train(model, program::limited(whole, chosen), chosen, "CamVid, " + chosen.variant);
    if (!chosen.out.empty() && !report.stopped)
      program::write_mask_sheet(model, whole.test, "CamVid, " + chosen.variant + "; truth in green outline", chosen.out / "masks.png",
                                {.colours = c2f::data::camvid_colours, .bare = 11}, 1, 6);
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::string backbone = "small";
  program::options const defaults{.epochs = 60, .batch = 8, .learning_rate = 0.05, .weight_decay = 5e-4};
  auto const chosen = program::read_options(
      argc, argv, "Trains a coarse-to-fine segmentation network on CamVid and scores both networks: mean IoU, accuracy.", tasks::names,
      defaults, [&](CLI::App& app) {
        app.get_option("--data")->description("Folder with train, trainannot, val and valannot, 240x180 pictures");
        app.add_option("--backbone", backbone, "small: ResNet-8, output stride 8; resnet18: output stride 16")
            ->check(CLI::IsMember({"small", "resnet18"}));
      });
  return program::run([&] {
    program::check(chosen);
    if (backbone == "small") return train<with_small>(chosen);
    return train<with_resnet18>(chosen);
  });
}
