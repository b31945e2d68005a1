// Progressive training of dense maps, t = 0.5, with weights from Python:
//   parity_dense_step concatenate|crop IN OUT    (training.hpp)
#include "training.hpp"

#include <c2f/parts/encode_saliency.hpp>
#include <c2f/parts/fuse_crop.hpp>
#include <c2f/loss/dice.hpp>
#include <c2f/networks/unet.hpp>

#include <cstdio>
#include <exception>

namespace {

struct concatenate {
  using input   = c2f::image<3, 32, 32>;
  using network = c2f::unet<2, 8, c2f::dense<3>>;
};

struct crop {
  using input        = c2f::image<3, 32, 32>;
  using network      = c2f::unet<2, 8, c2f::dense<1>>;
  using encoder      = c2f::encode::saliency;
  using fuse         = c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<2, 4, 4>>;
  using loss         = c2f::loss::dice<>;
  using loss_weights = c2f::loss_weights<0.25, 0.75>;
};

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_dense_step concatenate|crop IN OUT");
  std::string const what = words[1];
  c2f::sgd_options const options{.momentum = 0.9};
  if (what == "concatenate")
    parity::train<concatenate>(words[2], words[3], 0.5, options);
  else if (what == "crop")
    parity::train<crop>(words[2], words[3], 0.5, options);
  else
    throw std::runtime_error("'" + what + "' is not known");
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_dense_step: %s\n", wrong.what());
  return 1;
}
