// Progressive training of a localiser, t = 0.5, with weights from Python:
//   parity_boxes_step hard|soft IN OUT    (training.hpp)
#include "training.hpp"

#include <c2f/parts/encode_rasterize.hpp>
#include <c2f/networks/localiser.hpp>
#include <c2f/networks/resnet.hpp>

#include <cstdio>
#include <exception>

namespace {

template <class Edges>
struct vehicles {
  using input   = c2f::image<3, 64, 64>;
  using network = c2f::localiser<c2f::resnet_features<18, 3>, c2f::boxes<2>, 32, c2f::head::average>;
  using encoder = c2f::encode::rasterize<Edges>;
};

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_boxes_step hard|soft IN OUT");
  std::string const edges = words[1];
  c2f::sgd_options const options{.momentum = 0.9, .weight_decay = 5e-4};
  if (edges == "hard")
    parity::train<vehicles<c2f::encode::hard>>(words[2], words[3], 0.5, options);
  else if (edges == "soft")
    parity::train<vehicles<c2f::encode::soft<3>>>(words[2], words[3], 0.5, options);
  else
    throw std::runtime_error("'" + edges + "' is not known");
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_boxes_step: %s\n", wrong.what());
  return 1;
}
