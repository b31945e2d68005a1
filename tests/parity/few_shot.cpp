// Few-shot networks with weights from Python: parity_few_shot WHAT IN OUT
//   features             in  state.<path>, images               out  eval, train, gradient.<path>, after.<path>
//   average, attention   in  state.<path>, support, labels, pseudo_novel, query, truth
//                        out logits, loss, rows (of the new classes), gradient.<path>
#include "state.hpp"

#include <c2f/networks/few_shot_resnet.hpp>
#include <c2f/systems/dynamic_few_shot.hpp>

#include <ATen/ops/cross_entropy_loss.h>

#include <cstdio>
#include <exception>

namespace {

void features(std::string const& in, std::string const& out) {
  auto given = parity::read(in);
  auto net   = c2f::make_network<c2f::detail::few_shot_layers<0.0>, c2f::image<3, 84, 84>>();
  parity::load(net, given, "state.");
  parity::tensors results;
  results["eval"] = net(given.at("images"), c2f::eval);
  c2f::pass p{.mode = c2f::train};
  results["train"] = net(given.at("images"), p);
  results["train"].mul(given.at("upstream")).sum().backward();
  parity::save_gradients(net, results, "gradient.");
  parity::save(net, results, "after.");
  parity::write(out, results);
}

template <class Generator>
void episode(std::string const& in, std::string const& out) {
  using seen                         = c2f::sequential<c2f::conv<12, 3, 2>, c2f::global_average_pool>;
  using net_type                     = c2f::dynamic_few_shot::network<seen, 8, 3, Generator>;
  auto given                         = parity::read(in);
  auto net                           = c2f::make_network<net_type, c2f::image<3, 16, 16>>();
  // The buffers that an episode writes are not sent by Python.
  given["state.classifier.new_rows"] = net.classifier.new_rows.tensor();
  given["state.classifier.closed"]   = net.classifier.masked.tensor();
  parity::load(net, given, "state.");
  parity::tensors results;
  c2f::pass p{.mode = c2f::train};
  net.adapt(given.at("support"), given.at("labels"), given.at("pseudo_novel"), p);
  at::Tensor const logits = net(given.at("query"), c2f::train);
  at::Tensor const loss   = at::cross_entropy_loss(logits, given.at("truth"));
  loss.backward();
  results["logits"] = logits.clamp_min(-1e6);  // masked classes have none
  results["loss"]   = loss;
  results["rows"]   = net.classifier.new_rows.tensor();
  parity::save_gradients(net, results, "gradient.");
  parity::write(out, results);
}

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_few_shot WHAT IN OUT");
  std::string const what = words[1];
  if (what == "features")
    features(words[2], words[3]);
  else if (what == "average")
    episode<c2f::weight_generator::average>(words[2], words[3]);
  else if (what == "attention")
    episode<c2f::weight_generator::attention<30.0>>(words[2], words[3]);
  else
    throw std::runtime_error("no case '" + what + "'");
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_few_shot: %s\n", wrong.what());
  return 1;
}
