// torchvision's weights in c2f's networks: parity_torchvision_weights NETWORK FOLDER OUT
//   FOLDER/given.safetensors   the network's state, written by Python's safetensors
//   FOLDER/images.safetensors  images of several sizes
//   FOLDER/back.safetensors    written: the state saved by c2f
//   OUT                        the raw outputs for each, in c2f::eval
#include "exchange.hpp"

#include <c2f/data/io/weights.hpp>
#include <c2f/networks/resnet.hpp>
#include <c2f/networks/vgg.hpp>

#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <exception>

namespace {

template <class Architecture>
void predict(std::filesystem::path const& folder, std::string const& out) {
  auto net = c2f::make_network<Architecture, c2f::image<3, c2f::dynamic, c2f::dynamic>>();
  c2f::load_weights(net, folder / "given.safetensors");
  c2f::save_weights(net, folder / "back.safetensors");
  c10::InferenceMode const without_gradients;
  parity::tensors outputs;
  for (auto const& [name, images] : c2f::data::read_safetensors(folder / "images.safetensors").tensors)
    outputs[name] = net(images, c2f::eval);
  parity::write(out, outputs);
}

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_torchvision_weights NETWORK FOLDER OUT");
  std::string const name = words[1];
  using kind             = c2f::class_vector<1000>;
  if (name == "resnet10")
    predict<c2f::resnet<10, kind>>(words[2], words[3]);
  else if (name == "resnet18")
    predict<c2f::resnet<18, kind>>(words[2], words[3]);
  else if (name == "resnet50")
    predict<c2f::resnet<50, kind>>(words[2], words[3]);
  else if (name == "vgg16")
    predict<c2f::vgg16<kind>>(words[2], words[3]);
  else
    throw std::runtime_error("no network '" + name + "'");
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_torchvision_weights: %s\n", wrong.what());
  return 1;
}
