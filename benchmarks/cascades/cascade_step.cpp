// bench_cascade_step: the CPU time of a training step of CasNet against its networks alone: the backbone and the three heads, without
// resizing, losses, mixture and gate. In alternation, one thread; prints the least of each and the ratio.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/systems/casnet.hpp>

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace {

double seconds(auto const& work) {
  std::clock_t const begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

template <class Task>
void compare(char const* what, std::int64_t batch, std::int64_t height, std::int64_t width, int rounds) {
  c2f::stack<Task> model(1);
  c2f::to_channels_last(model);
  at::Tensor const x = c2f::detail::sample_numbers({batch, 3, height, width}, 1).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor const truth = c2f::detail::sample_numbers({batch, c2f::complete<Task>::kind::classes, height, width}, 2).argmax(1);
  double whole = 1e9, alone = 1e9;
  for (int round = 0; round <= rounds; ++round) {
    double const stack    = seconds([&] {
      c2f::pass p{.mode = c2f::train, .truth = truth};
      model(x, p);
      p.loss().backward();
    });
    double const networks = seconds([&] {
      at::Tensor const f = model.share(x, c2f::train);
      model.coarse(f, c2f::train).sum().add(model.fine(f, c2f::train).sum()).add(model.combine.head(f, c2f::train).sum()).backward();
    });
    if (round == 0) continue;  // warm-up
    whole = std::min(whole, stack), alone = std::min(alone, networks);
  }
  std::printf("%s: step %.3f s, networks alone %.3f s, ratio %.3f\n", what, whole, alone, whole / alone);
}

using c2f::systems::casnet;
using small    = casnet<c2f::dense<11, 11>, c2f::resnet_cifar_features<8, c2f::basic_block, 2>, c2f::image<3, 180, 240>, 64, 16>;
using resnet18 = casnet<c2f::dense<11, 11>, c2f::resnet_features<18, 4, 8>, c2f::image<3, 180, 240>, 128>;
using resnet50 = casnet<c2f::dense<33>, c2f::resnet_features<50, 4, 8>, c2f::image<3, 233, 233>>;

}  // namespace

int main() {
  c2f::keep_memory();
  compare<small>("small, 11 classes, 4 x 180 x 240", 4, 180, 240, 20);
  compare<resnet18>("ResNet-18, 11 classes, 4 x 180 x 240", 4, 180, 240, 5);
  compare<resnet50>("ResNet-50 (published), 33 classes, 2 x 233 x 233", 2, 233, 233, 3);
}
