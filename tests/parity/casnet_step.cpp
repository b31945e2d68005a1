// Steps of CasNet with weights from Python, t = 0.5:
//   parity_casnet_step gate|static|ohem|pt IN OUT    (training.hpp)
#include "training.hpp"

#include <c2f/c2f.hpp>
#include <c2f/systems/casnet.hpp>

#include <cstdio>
#include <exception>

namespace {

using backbone = c2f::sequential<c2f::conv<6, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu,
                                 c2f::conv<10, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<10, 3, 1, 2, c2f::no_bias, 2>>;
using base     = c2f::systems::casnet<c2f::dense<4, 11>, backbone, c2f::image<3, 65, 83>, 8, 5, 0.5>;

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_casnet_step gate|static|ohem|pt IN OUT");
  c2f::systems::casnet_variants<base>::with(words[1], [&]<class Task>(c2f::chosen<Task>) {
    parity::train<Task>(words[2], words[3], 0.5, {.momentum = 0.9, .weight_decay = 1e-4});
  });
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_casnet_step: %s\n", wrong.what());
  return 1;
}
