// A training as every example program runs it: progress on stderr, log, summary and curve into --out, the last scores on stdout.
#pragma once

#include "common/program.hpp"

#include <c2f/c2f.hpp>
#include <c2f/print/observers.hpp>

#include <cstdio>
#include <string>

namespace program {

/// The first --limit training samples (all of them where it is 0) and the test samples.
template <class Data>
auto limited(Data const& whole, options const& chosen) {
  struct {
    c2f::data::taken<std::remove_cvref_t<decltype(whole.train)>> train;
    std::remove_cvref_t<decltype(whole.test)> test;
  } data{c2f::data::take(whole.train, chosen.limit == 0 ? whole.train.size() : chosen.limit), whole.test};
  return data;
}

/// Trains `model` by `recipe` and writes what --out asks for. `title` is the curve's.
template <class Task, class Data>
c2f::training_report train(c2f::stack<Task>& model, Data const& data, options const& chosen, std::string const& title,
                           c2f::recipe::settings const& recipe) {
  c2f::interrupt on_ctrl_c;
  c2f::print::progress_bar bar(c2f::print::progress_bar::elsewhere::lines);
  c2f::training_report report;
  if (chosen.out.empty()) {
    report = c2f::fit(model, data, recipe, bar, on_ctrl_c);
  } else {
    c2f::print::json_lines log(chosen.out / "log.jsonl");
    report = c2f::fit(model, data, recipe, bar, on_ctrl_c, log);
    write_summary(chosen.out, chosen, report);
    write_curve(chosen.out, title, report);
  }
  print_report(report);
  return report;
}
template <class Task, class Data>
c2f::training_report train(c2f::stack<Task>& model, Data const& data, options const& chosen, std::string const& title) {
  return train(model, data, chosen, title, recipe_of(chosen));
}

}  // namespace program
