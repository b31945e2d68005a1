// Inception-v3 to Mixed_6e with weights from Python: parity_inception_v3 features IN OUT
//   in    state.<path>, and pictures, any names
//   out   for each picture NAME its features NAME in c2f::eval; of "trained" in c2f::train, and after.<path>
#include "state.hpp"

#include <c2f/networks/inception_v3.hpp>

#include <ATen/core/grad_mode.h>

#include <cstdio>
#include <exception>

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_inception_v3 features IN OUT");
  auto given = parity::read(words[2]);
  auto net   = c2f::make_network<c2f::inception_v3_features<>, c2f::image<3, c2f::dynamic, c2f::dynamic>>();
  parity::load(net, given, "state.");
  at::NoGradGuard const no_gradients;
  parity::tensors results;
  for (auto const& [name, images] : given)
    if (name != "trained") results[name] = net(images, c2f::eval);
  results["trained"] = net(given.at("trained"), c2f::train);
  parity::save(net, results, "after.");
  parity::write(words[3], results);
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_inception_v3: %s\n", wrong.what());
  return 1;
}
