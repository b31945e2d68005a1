// bench_co_training_step: the CPU time of a training step of deep co-training against its passes alone: of each view one pass in training with
// its backward pass, one more on changed images, and one at inference with a backward pass to the pixels; without selecting rows, losses and
// the choice of labels. And what a backward pass to the pixels costs with and without gradients of parameters. In alternation, one thread;
// prints the least of each and the ratio.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/networks/cnn13.hpp>
#include <c2f/systems/deep_co_training.hpp>

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace {

double seconds(auto const& work) {
  std::clock_t const begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

template <class Network>
struct view {
  using input   = c2f::image<3, 32, 32>;
  using network = Network;
};
template <class Network>
void compare(char const* what, int rounds) {
  c2f::systems::deep_co_training<view<Network>> model({.labelled = 8, .unlabelled = 92}, 1);
  c2f::to_channels_last(model);
  auto const picture = [](std::int64_t n) {
    return c2f::detail::sample_numbers({n, 3, 32, 32}, 1).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
  };
  at::Tensor const x = picture(model.rows()), rows = picture(100);
  at::Tensor const truth = at::cat({at::arange(16, at::kLong).remainder(10), at::full({92}, -100, at::kLong)});
  at::Tensor const label = at::arange(100, at::kLong).remainder(10);
  double whole = 1e9, alone = 1e9, pixels = 1e9, both = 1e9;
  for (int round = 0; round <= rounds; ++round) {
    double const step      = seconds([&] {
      c2f::pass p{.mode = c2f::train, .truth = truth};
      model(x, p);
      p.loss().backward();
    });
    double const passes    = seconds([&] {
      at::Tensor sum;
      for (auto const& view : model.views)
        for (int twice = 0; twice < 2; ++twice) {
          at::Tensor const raw = view(rows, c2f::train).sum();
          sum                  = sum.defined() ? sum.add(raw) : raw;
        }
      for (auto const& view : model.views) (void)c2f::adversarial(view, rows, label, 0.02);
      sum.backward();
    });
    double const to_pixels = seconds([&] { (void)c2f::adversarial(model.views[0], rows, label, 0.02); });
    double const to_all    = seconds([&] {
      at::Tensor const moved = rows.detach().clone().set_requires_grad(true);
      at::cross_entropy_loss(model.views[0](moved, c2f::eval), label).backward();
    });
    if (round == 0) continue;  // warm-up
    whole = std::min(whole, step), alone = std::min(alone, passes), pixels = std::min(pixels, to_pixels), both = std::min(both, to_all);
  }
  std::printf("%s: step %.3f s, passes alone %.3f s, ratio %.3f; to the pixels %.3f s, with gradients of parameters %.3f s\n", what, whole,
              alone, whole / alone, pixels, both);
}

}  // namespace

int main() {
  c2f::keep_memory();
  compare<c2f::resnet_cifar<8, c2f::class_vector<10>>>("ResNet-8, 108 pictures of 32x32", 20);
  compare<c2f::cnn13<c2f::class_vector<10>>>("CNN-13, 108 pictures of 32x32", 3);
}
