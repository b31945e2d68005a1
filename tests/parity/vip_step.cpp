// A step of ViP-DeepLab with weights and data from Python:
//   parity_vip_step small IN OUT
//   in    state.<path>, images, truth, learning_rate
//   out   raw, loss.<name>, gradient.<path>, after.<path>
#include "state.hpp"

#include <c2f/c2f.hpp>
#include <c2f/systems/vip_deeplab.hpp>
#include <c2f/train/sgd.hpp>

#include <cstdio>
#include <exception>

int main(int count, char** words) try {
  if (count != 4 || std::string(words[1]) != "small") throw std::runtime_error("usage: parity_vip_step small IN OUT");
  using kind = c2f::systems::vip_kind<c2f::systems::vip_labels<5, 88>>;
  auto given = parity::read(words[2]);
  c2f::systems::vip_deeplab<kind, c2f::image<6, 24, 32>, c2f::systems::vip_small> model;
  parity::load(model, given, "state.");
  c2f::sgd optimizer(model, {.momentum = 0.9});
  c2f::pass p{.mode = c2f::train, .truth = given.at("truth")};
  parity::tensors results;
  results["raw"] = model(given.at("images"), p);
  optimizer.zero_gradients();
  p.loss().backward();
  for (auto const& [name, value] : p.losses) results["loss." + name] = value;
  parity::save_gradients(model, results, "gradient.");
  optimizer.step(given.at("learning_rate").item<double>());
  parity::save(model, results, "after.");
  parity::write(words[3], results);
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_vip_step: %s\n", wrong.what());
  return 1;
}
