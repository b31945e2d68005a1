// c2f/train/progress_bar.hpp: the progress of a training on a terminal.
//
//   c2f::fit(model, data, recipe);                        // shows it by itself, as long as no observer is given
//   c2f::progress_bar bar(c2f::progress_bar::elsewhere::lines);      // beside other observers; and lines where there is no terminal
//   auto report = c2f::fit(model, data, recipe, bar);
//   std::fputs(c2f::print::epoch_line(report.epochs.back()).c_str(), stdout);
//
// A bar for the steps of an epoch, and a line for every epoch, on stderr. recipe.quiet() turns it off where fit shows it by itself.
// Cost: redrawn at most ten times a second. Errors: none.
#pragma once

#include <c2f/core/text.hpp>
#include <c2f/train/observer.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace c2f {

namespace print {

/// A fraction as "61.20 %"; an error in its own unit.
[[nodiscard]] inline std::string score_text(double value, bool is_error) {
  char text[48];
  std::snprintf(text, sizeof text, is_error ? "%.4g" : "%.2f %%", is_error ? value : 100 * value);
  return text;
}

/// "coarse top1 61.20 %   fine top1 63.00 %": the primary metric of every stage.
[[nodiscard]] inline std::string score_line(std::vector<stage_score> const& scores, error_metrics const& errors = {}) {
  std::string line;
  for (auto const& each : scores) {
    if (each.values.empty()) continue;
    auto const& [metric, value] = each.values.front();
    line += (line.empty() ? "" : "   ") + text::printable(each.stage) + ' ' + text::printable(metric) + ' ' +
            score_text(value, errors.contains(metric));
  }
  return line;
}

/// One line that summarises an epoch; `of`: the number of epochs, 0: not shown.
[[nodiscard]] inline std::string epoch_line(epoch_record const& epoch, std::int64_t of = 0) {
  char piece[96];
  std::snprintf(piece, sizeof piece, "epoch %3lld", static_cast<long long>(epoch.epoch + 1));
  std::string line = piece + (of > 0 ? '/' + std::to_string(of) : "");
  std::snprintf(piece, sizeof piece, "   t %.2f   lr %.4g   loss", epoch.t, epoch.learning_rate);
  line += piece;
  for (auto const& [name, value] : epoch.losses) {
    std::snprintf(piece, sizeof piece, " %.3f", value);
    line += ' ' + text::printable(name) + piece;
  }
  if (epoch.skipped > 0) line += " (" + std::to_string(epoch.skipped) + " steps skipped)";
  std::snprintf(piece, sizeof piece, "   %.1f steps/s", epoch.steps_a_second);
  return line + "   " + score_line(epoch.scores, epoch.errors) + piece;
}

}  // namespace print

/// An observer; see the top of this file. Where stderr is not a terminal, only the lines of the epochs are written, and only with
/// elsewhere::lines.
class progress_bar {
 public:
  enum class elsewhere { silent, lines };
  explicit progress_bar(elsewhere without_terminal = elsewhere::silent, bool shown = true)
      : terminal_(shown && isatty(STDERR_FILENO) == 1), lines_(terminal_ || (shown && without_terminal == elsewhere::lines)) {}

  void on_stage(std::string const& name) { stage_ = ", " + text::printable(name); }
  void on_start(training_start const& start) {
    start_      = start;
    start_.task = text::printable(start.task) + stage_;
    if (!lines_ || start.done > 0) return;
    for (auto const& remark : start.remarks) std::fputs((start_.task + "  note: " + remark + '\n').c_str(), stderr);
  }
  void on_step(step_record const& step) {
    if (!terminal_) return;
    auto const now  = std::chrono::steady_clock::now();
    bool const last = step.step + 1 == start_.steps_an_epoch;
    if (!last && now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_                      = now;
    constexpr std::size_t width = 24;
    auto const done             = width * static_cast<std::size_t>(step.step + 1) / static_cast<std::size_t>(start_.steps_an_epoch);
    char piece[96];
    std::string line = "\r\x1b[K" + start_.task + "  epoch " + std::to_string(step.epoch + 1) + '/' + std::to_string(start_.epochs) +
                       "  [" + std::string(done, '=') + std::string(width - done, ' ') + "] " + std::to_string(step.step + 1) + '/' +
                       std::to_string(start_.steps_an_epoch);
    std::snprintf(piece, sizeof piece, "  t %.2f", step.t);
    line += piece;
    for (auto const& [name, value] : step.losses) {
      std::snprintf(piece, sizeof piece, " %.3f", value);
      line += "  " + text::printable(name) + piece;
    }
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
  }
  void on_epoch(epoch_record const& epoch) {
    if (!lines_) return;
    std::fputs(((terminal_ ? "\r\x1b[K" : "") + start_.task + "  " + print::epoch_line(epoch, start_.epochs) + '\n').c_str(), stderr);
  }
  void on_end(training_report const& report) {
    if (terminal_ && report.stopped) std::fputs("\r\x1b[Kstopped\n", stderr);
    if (lines_ && report.best >= 0 && std::ssize(report.epochs) < start_.epochs)
      std::fputs((start_.task + "  stopped early; the weights are those of epoch " + std::to_string(report.best + 1) + '\n').c_str(),
                 stderr);
    if (lines_ && !report.test.empty())
      std::fputs((start_.task + "  test   " +
                  print::score_line(report.test, report.epochs.empty() ? error_metrics{} : report.epochs.back().errors) + '\n')
                     .c_str(),
                 stderr);
  }

 private:
  bool terminal_, lines_;
  training_start start_;
  std::string stage_;
  std::chrono::steady_clock::time_point drawn_{};
};

}  // namespace c2f
