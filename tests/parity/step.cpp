// Progressive training of the ResNet-20 stack, with weights that Python wrote:
//   parity_step initial SEED OUT      leaf.<path>: the initial values of the stack
//   parity_step compact|naive IN OUT  steps of training with t = 0.5
//     in    leaf.<path>, images, truth, ids, order (i64: seed, first epoch, number of steps), rate
//     out   for each step S: S.coarse, S.fine (logits), S.loss.coarse, S.loss.fine, S.gradient.<path>, S.after.<path>
#include "leaves.hpp"

#include <c2f/networks/resnet_cifar.hpp>
#include <c2f/encode/tile.hpp>
#include <c2f/task/stack.hpp>
#include <c2f/train/sgd.hpp>

#include <cstdio>
#include <exception>

namespace {

template <class Evaluation>
struct cifar100 {
  static constexpr char const* name = "cifar100-resnet20";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::resnet_cifar<20, c2f::class_vector<100>>;
  using encoder                     = c2f::encode::tile<Evaluation>;
};

void initial(std::uint64_t seed, std::string const& out) {
  c2f::stack<cifar100<c2f::encode::compact>> const model(seed);
  parity::tensors values;
  parity::save(model, values, "leaf.");
  parity::write(out, values);
}

template <class Evaluation>
void train(std::string const& in, std::string const& out) {
  auto given = parity::read(in);
  c2f::stack<cifar100<Evaluation>> model;
  parity::load(model, given, "leaf.");
  c2f::sgd optimizer(model, {.momentum = 0.9, .weight_decay = 1e-4});

  at::Tensor const ids    = given.at("ids");
  auto const* const order = given.at("order").template const_data_ptr<std::int64_t>();
  double const rate       = given.at("rate").template item<double>();
  parity::tensors answers;
  for (std::int64_t step = 0; step < order[2]; ++step) {
    std::string const prefix = std::to_string(step) + '.';
    c2f::pass p{.mode  = c2f::train,
                .truth = given.at("truth"),
                .t     = 0.5,
                .seed  = static_cast<std::uint64_t>(order[0]),
                .epoch = static_cast<std::uint64_t>(order[1] + step),
                .ids   = {ids.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(ids.numel())}};
    auto [coarse, fine] = model(given.at("images"), p);
    optimizer.zero_gradients();
    p.loss().backward();
    answers[prefix + "coarse"] = coarse;
    answers[prefix + "fine"]   = fine;
    for (auto const& [name, value] : p.losses) answers[prefix + "loss." + name] = value;
    parity::save_gradients(model, answers, prefix + "gradient.");
    optimizer.step(rate);
    parity::save(model, answers, prefix + "after.");
  }
  parity::write(out, answers);
}

}  // namespace

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: parity_step initial SEED OUT, or parity_step compact|naive IN OUT");
  std::string const what = words[1];
  if (what == "initial")
    initial(std::stoull(words[2]), words[3]);
  else if (what == "compact")
    train<c2f::encode::compact>(words[2], words[3]);
  else if (what == "naive")
    train<c2f::encode::naive>(words[2], words[3]);
  else
    throw std::runtime_error("'" + what + "' is not known");
} catch (std::exception const& wrong) {
  std::fprintf(stderr, "parity_step: %s\n", wrong.what());
  return 1;
}
