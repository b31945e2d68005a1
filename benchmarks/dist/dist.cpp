// What a training in several processes costs; benchmarks/dist/run.py starts it.
//
//   bench_dist step plain|world|several STEPS [BATCH]   seconds, and seconds of a processor, of each step of a coarse-to-fine
//                                                       ResNet-20 on 32x32 noise, and in several processes of the sums of
//                                                       gradients: on their way, waited for, hidden
//   bench_dist sum ROUNDS MIB...                        seconds of the sum of so many MiB, each round all sizes
#include <c2f/c2f.hpp>
#include <c2f/dist/world.hpp>

#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>

namespace {

struct task {
  static constexpr char const* name = "resnet20";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet_cifar<20, c2f::class_vector<100>>;
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void steps(std::string const& kind, int count, std::int64_t batch) {
  c2f::keep_memory();
  std::optional<c2f::dist::world> world;
  auto recipe = c2f::recipe::cifar{};
  recipe.batch(batch);
  if (kind != "plain") recipe.on(world.emplace());
  std::int64_t const own = batch / recipe.share().of;
  c2f::stack<task> model(1);
  c2f::to_channels_last(model);
  c2f::training_step step(model, recipe);
  c2f::data::batch given{at::randn({own, 3, 32, 32}).contiguous(at::MemoryFormat::ChannelsLast), at::randint(100, {own}, at::kLong), {}};
  for (std::int64_t i = 0; i < own; ++i) given.ids.push_back(i * recipe.share().of + recipe.share().rank);
  if (recipe.world() != nullptr) given.whole = batch;
  c2f::dist::reduction_times before;
  for (int i = -3; i < count; ++i) {
    if (i == 0 && world) before = world->times();
    double const begin        = now();
    std::clock_t const worked = std::clock();
    step.queue({given}, {.t = 0.5, .learning_rate = 0.1});
    (void)step.next(true);
    if (i >= 0 && recipe.share().rank == 0)
      std::printf("step %.6f %.6f\n", now() - begin, static_cast<double>(std::clock() - worked) / CLOCKS_PER_SEC);
  }
  if (world && world->size() > 1 && world->rank() == 0) {
    c2f::dist::reduction_times const found{world->times().running - before.running, world->times().waited - before.waited};
    std::printf("sums %.6f %.6f %.4f\n", found.running / count, found.waited / count, found.hidden());
  }
  if (world) world->shutdown();
}

void sums(int rounds, int count, char** sizes) {
  c2f::dist::world world;
  for (int round = -1; round < rounds; ++round)
    for (int i = 0; i < count; ++i) {
      at::Tensor const numbers = at::zeros({static_cast<std::int64_t>(std::atof(sizes[i]) * (1 << 18))});
      world.barrier();
      double const begin = now();
      world.sum(numbers);
      if (round >= 0 && world.rank() == 0) std::printf("sum %s %.6f\n", sizes[i], now() - begin);
    }
  world.shutdown();
}

}  // namespace

int main(int count, char** words) {
  std::string const what = count > 3 ? words[1] : "";
  try {
    if (what == "step")
      steps(words[2], std::atoi(words[3]), count > 4 ? std::atoi(words[4]) : 64);
    else if (what == "sum")
      sums(std::atoi(words[2]), count - 3, words + 3);
    else
      return std::fputs("bench_dist step plain|world|several STEPS [BATCH], or bench_dist sum ROUNDS MIB...\n", stderr), 2;
  } catch (c2f::error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
