// Networks with weights from Python: parity_networks NETWORK IN OUT
//   in    state.<path>, images, truth
//   out   eval, train (logits); loss; gradient.<path>; after.<path>, all parameters and buffers after the training call
#include "state.hpp"

#include <c2f/networks/fcn.hpp>
#include <c2f/networks/gunn.hpp>
#include <c2f/networks/predicts.hpp>
#include <c2f/networks/resnet.hpp>
#include <c2f/networks/resnet_cifar.hpp>

#include <ATen/ops/cross_entropy_loss.h>

#include <cstdio>
#include <exception>

namespace {

template <class Architecture, c2f::shape In>
void compare(std::string const& in, std::string const& out) {
  auto given = parity::read(in);
  auto net   = c2f::make_network<Architecture, In>();
  parity::load(net, given, "state.");
  parity::tensors results;
  results["eval"]         = net(given.at("images"), c2f::eval);
  at::Tensor const logits = net(given.at("images"), c2f::train);
  at::Tensor const loss   = at::cross_entropy_loss(logits, given.at("truth"));
  loss.backward();
  results["train"] = logits;
  results["loss"]  = loss;
  parity::save_gradients(net, results, "gradient.");
  parity::save(net, results, "after.");
  parity::write(out, results);
}

/// Two units a group; all groups at once; without the identity.
using small_gunn = c2f::predicts<c2f::class_vector<5>, c2f::conv<8, 3>, c2f::batch_norm, c2f::relu,
                                 c2f::gunn_stage<12, 3, 1, c2f::gunn_unit<3, 2, c2f::shortcut::per_stack>>,
                                 c2f::gunn_stage<12, 4, 2, c2f::gunn_unit<2>, c2f::update::simultaneous>,
                                 c2f::gunn_stage<12, 2, 2, c2f::gunn_unit<1, 1, c2f::shortcut::per_unit, false>>, c2f::global_average_pool,
                                 c2f::linear<5>>;

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_networks NETWORK IN OUT");
  std::string const name = words[1];
  if (name == "resnet_cifar_20")
    compare<c2f::resnet_cifar<20, c2f::class_vector<100>>, c2f::image<3, 32, 32>>(words[2], words[3]);
  else if (name == "resnet_cifar_56_bottleneck")
    compare<c2f::resnet_cifar<56, c2f::class_vector<10>, c2f::bottleneck>, c2f::image<3, 32, 32>>(words[2], words[3]);
  else if (name == "resnet_18")
    compare<c2f::resnet<18, c2f::class_vector<1000>>, c2f::image<3, 224, 224>>(words[2], words[3]);
  else if (name == "resnet_50")
    compare<c2f::resnet<50, c2f::class_vector<1000>>, c2f::image<3, 224, 224>>(words[2], words[3]);
  else if (name == "fcn_resnet_50")
    compare<c2f::fcn<c2f::resnet_features<50, 4, 8>, c2f::dense<11>>, c2f::image<3, 96, 96>>(words[2], words[3]);
  else if (name == "gunn_15")
    compare<c2f::gunn15<c2f::class_vector<10>>, c2f::image<3, 32, 32>>(words[2], words[3]);
  else if (name == "gunn_small")
    compare<small_gunn, c2f::image<3, 16, 16>>(words[2], words[3]);
  else
    throw std::runtime_error("no network '" + name + "'");
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_networks: %s\n", wrong.what());
  return 1;
}
