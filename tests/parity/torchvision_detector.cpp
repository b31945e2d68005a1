// torchvision's detectors in c2f: parity_torchvision_detector faster_rcnn|mask_rcnn FOLDER OUT
//   FOLDER/given.safetensors   torchvision's state, written by Python's safetensors
//   FOLDER/images.safetensors  pictures [1, 3, H, W] of several sizes
//   OUT                        the answers for each
#include "exchange.hpp"

#include <c2f/c2f.hpp>
#include <c2f/systems/torchvision_detectors.hpp>

#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <exception>

namespace {

using input = c2f::image<3, c2f::dynamic, c2f::dynamic>;

template <class Net>
void answer(std::filesystem::path const& folder, char const* out) {
  Net net;
  c2f::load_weights(net, folder / "given.safetensors", c2f::systems::torchvision_names());
  c10::InferenceMode const without_gradients;
  parity::tensors outputs;
  for (auto const& [name, images] : c2f::data::read_safetensors(folder / "images.safetensors").tensors) {
    c2f::pass p;
    outputs[name] = net(images, p);
  }
  parity::write(out, outputs);
}

}  // namespace

int main(int count, char** words) try {
  std::string const what = count == 4 ? words[1] : "";
  if (what == "faster_rcnn")
    answer<c2f::systems::torchvision_faster_rcnn<90, input>>(words[2], words[3]);
  else if (what == "mask_rcnn")
    answer<c2f::systems::torchvision_mask_rcnn<90, input>>(words[2], words[3]);
  else
    throw std::runtime_error("usage: parity_torchvision_detector faster_rcnn|mask_rcnn FOLDER OUT");
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_torchvision_detector: %s\n", wrong.what());
  return 1;
}
