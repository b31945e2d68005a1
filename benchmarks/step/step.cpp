// One contender of the step benchmark: bench_step cifar|imagenet stack|naive|pair
//   stack   a step of progressive training, t = 0.5: source, g, both networks, both losses, backward, SGD
//   naive   the same with g evaluated on the tiled image
//   pair    the two networks alone, the fine one on a precomputed input; no source, no g, no concatenation
// Controlled by lines on stdin, so that contenders alternate: "go K" runs K steps and prints their seconds and the peak memory so far in MB.
#include "../pair.hpp"

#include <c2f/parts/encode_tile.hpp>
#include <c2f/networks/resnet.hpp>
#include <c2f/networks/resnet_cifar.hpp>
#include <c2f/task/stack.hpp>
#include <c2f/train/sgd.hpp>

#include <ATen/Parallel.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

namespace {

constexpr at::MemoryFormat layout = at::MemoryFormat::ChannelsLast;

template <class Evaluation>
struct cifar {
  static constexpr char const* name   = "cifar100-resnet20";
  static constexpr std::int64_t batch = 128;
  using input                         = c2f::image<3, 32, 32>;
  using network                       = c2f::resnet_cifar<20, c2f::class_vector<100>>;
  using encoder                       = c2f::encode::tile<Evaluation>;
};

template <class Evaluation>
struct imagenet {
  static constexpr char const* name   = "imagenet-resnet18";
  static constexpr std::int64_t batch = 8;
  using input                         = c2f::image<3, 224, 224>;
  using network                       = c2f::resnet<18, c2f::class_vector<1000>>;
  using encoder                       = c2f::encode::tile<Evaluation>;
};

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// Trains `net` on request; `losses(step)` is a forward pass that returns the loss.
template <class Net, class Losses>
void serve(Net& net, Losses const& losses) {
  c2f::to_channels_last(net);
  c2f::sgd optimizer(net, {.momentum = 0.9, .weight_decay = 1e-4});
  std::printf("ready %d %.1f\n", at::get_num_threads(), peak_megabytes());
  std::fflush(stdout);
  int count = 0;
  for (std::uint64_t step = 0; std::scanf(" go %d", &count) == 1;) {
    for (; count > 0; --count, ++step) {
      auto const begin = std::chrono::steady_clock::now();
      optimizer.zero_gradients();
      losses(step).backward();
      optimizer.step(0.01);
      std::printf("%.6f ", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    std::printf("%.1f\n", peak_megabytes());
    std::fflush(stdout);
  }
}

template <class Task>
at::Tensor random_images(std::int64_t channels) {
  return at::randn({Task::batch, channels, Task::input::height, Task::input::width}).contiguous(layout);
}

template <class Task>
at::Tensor random_truth() {
  return at::randint(Task::network::kind::classes, {Task::batch}, at::kLong);
}

template <class Task>
void serve_stack() {
  c2f::stack<Task> model;
  at::Tensor const images = random_images<Task>(3), truth = random_truth<Task>();
  serve(model, [&](std::uint64_t step) {
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = 0.5, .epoch = step};
    model(images, p);
    return p.loss();
  });
}

template <class Task>
void serve_pair() {
  bench::pair<Task> both;
  c2f::initialize(both, 0);
  at::Tensor const images = random_images<Task>(3), ready = random_images<Task>(6), truth = random_truth<Task>();
  serve(both, [&](std::uint64_t) {
    using c2f::loss::cross_entropy;
    return cross_entropy::of(both.coarse(images, c2f::train), truth).add(cross_entropy::of(both.fine(ready, c2f::train), truth));
  });
}

template <template <class> class Task>
void serve_kind(std::string const& kind) {
  using c2f::encode::compact, c2f::encode::naive;
  if (kind == "stack")
    serve_stack<Task<compact>>();
  else if (kind == "naive")
    serve_stack<Task<naive>>();
  else if (kind == "pair")
    serve_pair<Task<compact>>();
  else
    throw std::runtime_error("no kind '" + kind + "'");
}

}  // namespace

int main(int count, char** words) try {
  std::string const name = count == 3 ? words[1] : "";
  if (name == "cifar")
    serve_kind<cifar>(words[2]);
  else if (name == "imagenet")
    serve_kind<imagenet>(words[2]);
  else
    throw std::runtime_error("usage: bench_step cifar|imagenet stack|naive|pair");
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "bench_step: %s\n", wrong.what());
  return 1;
}
