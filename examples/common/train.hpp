// The training run of every example program: progress on stderr; log, checkpoints, summary and curve in --out; the final scores on
// stdout. --resume continues the run in --out; SIGINT and SIGTERM end it after the current step, which is checkpointed. What a program draws
// or evaluates afterwards may fail: summary and curve are written before.
#pragma once

#include "common/program.hpp"

#include <c2f/c2f.hpp>
#include <c2f/print/observers.hpp>

#include <cstdio>
#include <functional>
#include <iterator>
#include <string>
#include <utility>

namespace program {

/// The first --limit training samples (0: all) and all test samples.
template <class Data>
auto limited(Data const& whole, options const& chosen) {
  struct {
    c2f::data::taken<std::remove_cvref_t<decltype(whole.train)>> train;
    std::remove_cvref_t<decltype(whole.test)> test;
  } data{c2f::data::take(whole.train, chosen.limit == 0 ? whole.train.size() : chosen.limit), whole.test};
  return data;
}

/// An observer of one type, so that fit is compiled once whether a training is probed or not.
struct each_epoch {
  std::function<void(c2f::epoch_record const&)> call;
  void on_epoch(c2f::epoch_record const& epoch) {
    if (call) call(epoch);
  }
};

/// Whether a model is a stack with a fine network.
template <class Model>
inline constexpr bool has_fine_network = false;
template <class Task>
inline constexpr bool has_fine_network<c2f::stack<Task>> = c2f::stack<Task>::has_fine;

/// Trains `model`, a stack or another model, by `recipe` and writes the files of --out. `title` is the title of the curve; fit(observers...)
/// trains, as c2f::fit does.
template <class Model, class Data, class Fit>
c2f::training_report train_by(Fit const& fit, Model& model, Data const& data, options const& chosen, std::string const& title,
                              c2f::recipe::settings const& recipe) {
  constexpr bool has_fine = has_fine_network<Model>;
  if ((chosen.probe || chosen.probe_every > 0) && !has_fine)
    throw c2f::input_error("--probe asks what the fine network reads, and --variant " + chosen.variant +
                           " has none; leave it out, or write --variant pt where the program has it");
  c2f::interrupt on_ctrl_c;
  c2f::print::progress_bar bar(c2f::print::progress_bar::elsewhere::lines);
  kept_files files(chosen);
  char const* const scored = scored_name<Data>;
  probe_points points, before;
  each_epoch probing;
  if constexpr (has_fine)
    if (chosen.probe_every > 0) {
      if (chosen.resume) before = read_probe_points(chosen.out);
      probing.call = [&points, curve = c2f::probe_curve(model, c2f::data::scored_split(data), recipe, chosen.probe_every)](
                         c2f::epoch_record const& epoch) mutable {
        curve.on_epoch(epoch);
        for (auto& point : curve.points) points.emplace_back(point.epochs, std::move(point.found));
        curve.points.clear();
      };
    }
  c2f::training_report report = fit(bar, on_ctrl_c, files, probing);
  if (!chosen.out.empty()) write_summary(chosen.out, chosen, report, scored);
  print_report(report, scored);
  if (!chosen.out.empty()) write_curve(chosen.out, title, report, scored);
  if (!points.empty()) {
    std::erase_if(before, [&](auto const& point) { return point.first >= points.front().first; });
    points.insert(points.begin(), std::make_move_iterator(before.begin()), std::make_move_iterator(before.end()));
    write_probe_curve(chosen.out, title, points);
  }
  check_scores(report);
  if constexpr (has_fine)
    if (chosen.probe && !report.stopped && !on_ctrl_c.stop()) {
      c2f::probe_report const found = c2f::probe(model, c2f::data::scored_split(data), recipe);
      print_probe(found, scored);
      if (!chosen.out.empty()) write_summary(chosen.out, chosen, report, scored, &found);
    }
  c2f::move_to(model, at::kCPU);                        // where test pictures are evaluated
  report.stopped = report.stopped || on_ctrl_c.stop();  // the caller does not begin what would follow
  return report;
}
template <class Model, class Data>
c2f::training_report train(Model& model, Data const& data, options const& chosen, std::string const& title,
                           c2f::recipe::settings const& recipe) {
  return train_by([&](auto&... observers) { return c2f::fit(model, data, recipe, observers...); }, model, data, chosen, title, recipe);
}
template <class Model, class Data>
c2f::training_report train(Model& model, Data const& data, options const& chosen, std::string const& title) {
  return train(model, data, chosen, title, recipe_of(chosen));
}

}  // namespace program
