// bench_coarse2fine_step: the CPU time of a training step and of an inference of Coarse2Fine against its first pass alone. In alternation,
// one
// thread; prints the least of each and the ratio. With the argument 'coarse' or 'both' it runs some steps of that one with Inception-v3,
// and
// prints the largest memory of the process, to compare.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/networks/inception_v3.hpp>
#include <c2f/systems/coarse2fine.hpp>

#include <ATen/core/grad_mode.h>

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>

namespace {

double seconds(auto const& work) {
  std::clock_t const begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

template <class Task>
struct work {
  c2f::stack<Task> model{1};
  at::Tensor x, truth;
  explicit work(std::int64_t batch) {
    c2f::to_channels_last(model);
    x = c2f::detail::sample_numbers({batch, 3, Task::input::height, Task::input::width}, 1)
            .to(at::kFloat)
            .contiguous(at::MemoryFormat::ChannelsLast);
    truth = at::arange(batch, at::kLong);
  }
  void train() const {
    c2f::pass p{.mode = c2f::train, .truth = truth};
    model(x, p);
    p.loss().backward();
  }
  void infer() const {
    at::NoGradGuard const no_gradients;
    model(x, c2f::eval);
  }
};

template <class Task>
void compare(char const* what, std::int64_t batch, int rounds) {
  work<Task> const both(batch);
  work<c2f::systems::coarse2fine_coarse<Task>> const coarse(batch);
  double least[4]{1e9, 1e9, 1e9, 1e9};
  for (int round = 0; round <= rounds; ++round) {
    double const found[4]{seconds([&] { both.train(); }), seconds([&] { coarse.train(); }), seconds([&] { both.infer(); }),
                          seconds([&] { coarse.infer(); })};
    for (int i = 0; i < 4 && round > 0; ++i) least[i] = std::min(least[i], found[i]);
  }
  std::printf("%s: step %.3f s, coarse alone %.3f s, ratio %.2f; inference %.3f s, coarse alone %.3f s, ratio %.2f\n", what, least[0],
              least[1], least[0] / least[1], least[2], least[3], least[2] / least[3]);
}
void run_alone(auto const& one) {
  for (int i = 0; i < 3; ++i) one.train();
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  std::printf("largest memory of the process: %.2f GB\n", static_cast<double>(used.ru_maxrss) / (1 << 20));
}

using c2f::systems::coarse2fine;
using small     = coarse2fine<c2f::class_vector<100>, c2f::resnet_cifar_features<8, c2f::basic_block, 2>, c2f::image<3, 96, 96>>;
using inception = coarse2fine<c2f::class_vector<200>, c2f::inception_v3_features<>, c2f::image<3, 299, 299>>;

}  // namespace

int main(int argc, char** argv) {
  c2f::keep_memory();
  std::string const only = argc > 1 ? argv[1] : "";
  if (only == "coarse") return run_alone(work<c2f::systems::coarse2fine_coarse<inception>>(4)), 0;
  if (only == "both") return run_alone(work<inception>(4)), 0;
  compare<small>("small, 100 classes, 32 x 96 x 96", 32, 10);
  compare<inception>("Inception-v3, 200 classes, 4 x 299 x 299", 4, 3);
}
