// torchvision's Faster R-CNN in c2f: parity_torchvision_detector faster_rcnn FOLDER OUT
//   FOLDER/given.safetensors   torchvision's state, written by Python's safetensors
//   FOLDER/images.safetensors  pictures [1, 3, H, W] of several sizes
//   OUT                        the answers for each
#include "exchange.hpp"

#include <c2f/c2f.hpp>
#include <c2f/systems/torchvision_detectors.hpp>

#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <exception>

int main(int count, char** words) try {
  if (count != 4 || std::string(words[1]) != "faster_rcnn")
    throw std::runtime_error("usage: parity_torchvision_detector faster_rcnn FOLDER OUT");
  std::filesystem::path const folder = words[2];
  c2f::systems::torchvision_faster_rcnn<90, c2f::image<3, c2f::dynamic, c2f::dynamic>> net;
  c2f::load_weights(net, folder / "given.safetensors", c2f::systems::torchvision_names());
  c10::InferenceMode const without_gradients;
  parity::tensors outputs;
  for (auto const& [name, images] : c2f::data::read_safetensors(folder / "images.safetensors").tensors) {
    c2f::pass p;
    outputs[name] = net(images, p);
  }
  parity::write(words[3], outputs);
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_torchvision_detector: %s\n", wrong.what());
  return 1;
}
