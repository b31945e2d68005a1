// Steps of progressive training of a stack, with what Python gave it, as every parity test of a step runs them:
//   in    leaf.<path>, images, truth, ids, order (i64: seed, first epoch, number of steps), rate
//   out   for each step S: S.coarse, S.fine (raw answers), S.loss.coarse, S.loss.fine, S.gradient.<path>, S.after.<path>
#pragma once

#include "leaves.hpp"

#include <c2f/task/stack.hpp>
#include <c2f/train/sgd.hpp>

namespace parity {

template <class Task>
void train(std::string const& in, std::string const& out, double t, c2f::sgd_options const& options) {
  auto given = read(in);
  c2f::stack<Task> model;
  load(model, given, "leaf.");
  c2f::sgd optimizer(model, options);

  at::Tensor const ids    = given.at("ids");
  auto const* const order = given.at("order").template const_data_ptr<std::int64_t>();
  double const rate       = given.at("rate").template item<double>();
  tensors answers;
  for (std::int64_t step = 0; step < order[2]; ++step) {
    std::string const prefix = std::to_string(step) + '.';
    c2f::pass p{.mode  = c2f::train,
                .truth = given.at("truth"),
                .t     = t,
                .seed  = static_cast<std::uint64_t>(order[0]),
                .epoch = static_cast<std::uint64_t>(order[1] + step),
                .ids   = {ids.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(ids.numel())}};
    auto [coarse, fine] = model(given.at("images"), p);
    optimizer.zero_gradients();
    p.loss().backward();
    answers[prefix + "coarse"] = coarse;
    answers[prefix + "fine"]   = fine;
    for (auto const& [name, value] : p.losses) answers[prefix + "loss." + name] = value;
    save_gradients(model, answers, prefix + "gradient.");
    optimizer.step(rate);
    save(model, answers, prefix + "after.");
  }
  write(out, answers);
}

}  // namespace parity
