// Steps of progressive training of a stack with parameters and data from Python:
//   in    state.<path>, images, truth, ids, order (i64: seed, first epoch, number of steps), learning_rate
//   out   for each step S: S.coarse, S.fine (raw outputs), S.loss.coarse, S.loss.fine, S.gradient.<path>, S.after.<path>
#pragma once

#include "state.hpp"

#include <c2f/task/stack.hpp>
#include <c2f/train/sgd.hpp>

namespace parity {

template <class Task>
void train(std::string const& in, std::string const& out, double t, c2f::sgd_options const& options) {
  auto given = read(in);
  c2f::stack<Task> model;
  load(model, given, "state.");
  c2f::sgd optimizer(model, options);

  at::Tensor const ids       = given.at("ids");
  auto const* const order    = given.at("order").template const_data_ptr<std::int64_t>();
  double const learning_rate = given.at("learning_rate").template item<double>();
  tensors results;
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
    results[prefix + "coarse"] = coarse;
    results[prefix + "fine"]   = fine;
    for (auto const& [name, value] : p.losses) results[prefix + "loss." + name] = value;
    save_gradients(model, results, prefix + "gradient.");
    optimizer.step(learning_rate);
    save(model, results, prefix + "after.");
  }
  write(out, results);
}

}  // namespace parity
