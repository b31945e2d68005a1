// A task, a stack, one forward pass and one step of progressive training.
#include <c2f/c2f.hpp>
#include <c2f/print.hpp>

#include <cstdio>

struct cifar100 {
  static constexpr char const* name = "cifar100-resnet20";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet_cifar<20, c2f::class_vector<100>>;
  using schedule                    = c2f::schedule::ramp<0.5, 98>;  // t rises from .5 to 1 in 98 epochs
};  // encoder, source, fuse, loss: defaults of the output kind

static_assert(c2f::task<cifar100>);

int main() {
  std::fputs(c2f::explain<cifar100>().c_str(), stdout);

  c2f::stack<cifar100> model;  // model.coarse, model.encoder, model.fine
  c2f::data::glyphs<> data;    // a synthetic data set instead of photographs
  c2f::sgd optimizer{model, {.momentum = 0.9, .weight_decay = 1e-4}};

  for (auto const& batch : c2f::data::loader{data.train, {.batch = 8}}.epoch(0)) {
    auto [coarse, fine] = model(batch.images, c2f::eval);
    std::printf("\nlogits: coarse [%ld, %ld], fine [%ld, %ld]\n", coarse.size(0), coarse.size(1), fine.size(0), fine.size(1));

    c2f::pass step{.mode = c2f::train, .truth = batch.truth, .t = 0.5, .ids = batch.ids};
    model(batch.images, step);
    step.loss().backward();
    optimizer.step(0.1);
    for (auto const& [name, value] : step.losses) std::printf("%s loss %.3f\n", name.c_str(), value.item<double>());
    break;
  }
}
