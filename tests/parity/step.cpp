// Progressive training of the ResNet-20 stack with weights from Python:
//   parity_step initial SEED OUT      state.<path>: the initial values of the stack
//   parity_step compact|naive IN OUT  steps of training with t = 0.5 (training.hpp)
#include "training.hpp"

#include <c2f/networks/resnet_cifar.hpp>
#include <c2f/parts/encode_tile.hpp>

#include <cstdio>
#include <exception>

namespace {

template <class Evaluation>
struct cifar100 {
  static constexpr char const* name = "cifar100-resnet20";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet_cifar<20, c2f::class_vector<100>>;
  using encoder                     = c2f::encode::tile<Evaluation>;
};

void initial(std::uint64_t seed, std::string const& out) {
  c2f::stack<cifar100<c2f::encode::compact>> const model(seed);
  parity::tensors values;
  parity::save(model, values, "state.");
  parity::write(out, values);
}

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_step initial SEED OUT, or parity_step compact|naive IN OUT");
  std::string const what = words[1];
  c2f::sgd_options const options{.momentum = 0.9, .weight_decay = 1e-4};
  if (what == "initial")
    initial(std::stoull(words[2]), words[3]);
  else if (what == "compact")
    parity::train<cifar100<c2f::encode::compact>>(words[2], words[3], 0.5, options);
  else if (what == "naive")
    parity::train<cifar100<c2f::encode::naive>>(words[2], words[3], 0.5, options);
  else
    throw std::runtime_error("'" + what + "' is not known");
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_step: %s\n", wrong.what());
  return 1;
}
