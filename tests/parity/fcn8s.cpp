// FCN-8s with weights from Python: parity_fcn8s narrow|published IN OUT
//   in    state.<path> of the trained parameters, images, truth
//   out   raw; loss; gradient.<path>; frozen.<path>, the remaining tensors as c2f makes them
#include "state.hpp"

#include <c2f/networks/fcn.hpp>

#include <cstdio>
#include <exception>

namespace {

template <class Architecture>
void compare(std::string const& in, std::string const& out) {
  auto given = parity::read(in);
  auto net   = c2f::make_network<Architecture, c2f::image<3, c2f::dynamic, c2f::dynamic>>();
  parity::tensors results;
  c2f::for_each_tensor(net, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (traits.trained) return;
    results["frozen." + path] = each.tensor().clone();
    given["state." + path]    = each.tensor();
  });
  parity::load(net, given, "state.");
  at::Tensor const raw  = net(given.at("images"), c2f::train);
  at::Tensor const loss = Architecture::kind::default_loss::of(raw, given.at("truth"));
  loss.backward();
  results["raw"]  = raw.detach();
  results["loss"] = loss.detach();
  parity::save_gradients(net, results, "gradient.");
  parity::write(out, results);
}

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_fcn8s narrow|published IN OUT");
  std::string const name = words[1];
  if (name == "narrow")
    compare<c2f::fcn8s<c2f::dense<21>, 32, 8>>(words[2], words[3]);
  else if (name == "published")
    compare<c2f::fcn8s<c2f::dense<1>, 64>>(words[2], words[3]);
  else
    throw std::runtime_error("no network '" + name + "'");
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_fcn8s: %s\n", wrong.what());
  return 1;
}
