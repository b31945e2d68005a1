// Coarse-to-fine classification of CIFAR-100, trained by one of the variants of Ren et al. 2020 (common/tasks.hpp).
//
//   10_class_vector --data DIR --variant pt --depth 20 --epochs 164 --out runs/pt
#include "common/tasks.hpp"
#include "common/train.hpp"

#include <CLI/CLI.hpp>

namespace {

template <int Depth>
struct cifar100 {
  using input    = c2f::image<3, 32, 32>;
  using network  = c2f::resnet_cifar<Depth, c2f::class_vector<100>>;
  using schedule = c2f::schedule::ramp<0.5, 98.0 / 164, c2f::by::fraction>;  // 98 of 164 epochs
};

template <int Depth>
void train(program::options const& chosen) {
  c2f::data::cifar100 const whole(chosen.data);
  tasks::variants<cifar100<Depth>>::with(chosen.variant, [&]<class Task>(c2f::chosen<Task>) {
    c2f::stack<Task> model(chosen.seed);
    program::train(model, program::limited(whole, chosen), chosen, "CIFAR-100, ResNet-" + std::to_string(Depth) + ", " + chosen.variant);
  });
}

}  // namespace

int main(int argc, char** argv) {
  int depth         = 20;
  auto const chosen = program::read_options(
      argc, argv, "Trains a coarse-to-fine ResNet on CIFAR-100 and scores both networks on its test images.", tasks::names, {},
      [&](CLI::App& app) { app.add_option("--depth", depth, "Depth of the ResNet")->check(CLI::IsMember({8, 20, 56, 110})); });
  return program::run([&] {
    program::check(chosen);
    switch (depth) {
      case 8:
        return train<8>(chosen);
      case 20:
        return train<20>(chosen);
      case 56:
        return train<56>(chosen);
      default:
        return train<110>(chosen);
    }
  });
}
