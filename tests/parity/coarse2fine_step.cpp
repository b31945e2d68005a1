// Steps of Coarse2Fine with weights from Python:
//   parity_coarse2fine_step coarse2fine|mean|l2 IN OUT    (training.hpp)
#include "training.hpp"

#include <c2f/c2f.hpp>
#include <c2f/systems/coarse2fine.hpp>

#include <cstdio>
#include <exception>

namespace {

using backbone = c2f::sequential<c2f::conv<6, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<10, 3, 2>, c2f::batch_norm, c2f::relu>;
using base     = c2f::systems::coarse2fine<c2f::class_vector<5>, backbone, c2f::image<3, 33, 41>, 4, c2f::upsampler<2>, 0.5, 10>;
using variants = c2f::registry<base, c2f::systems::coarse2fine_mean<base>, c2f::systems::coarse2fine_apart<base, 2>>;

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_coarse2fine_step coarse2fine|mean|l2 IN OUT");
  variants::with(words[1], [&]<class Task>(c2f::chosen<Task>) {
    parity::train<Task>(words[2], words[3], 1, {.momentum = 0.9, .weight_decay = 1e-4});
  });
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_coarse2fine_step: %s\n", wrong.what());
  return 1;
}
