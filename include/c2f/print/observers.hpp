// c2f/print/observers.hpp: a progress bar, JSON lines and a one-line summary of an epoch.
//
//   c2f::print::progress_bar bar;                           // on stderr; silent where stderr is not a terminal
//   c2f::print::json_lines log{out / "log.jsonl"};          // one line per epoch
//   auto report = c2f::fit(model, data, recipe, bar, log);
//   std::fputs(c2f::print::epoch_line(report.epochs.back()).c_str(), stdout);
//
// When a training resumes from a checkpoint, the log is truncated to the epochs of that checkpoint.
// Cost: the bar is redrawn at most ten times a second. Error: a file that cannot be written is a c2f::input_error.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/text.hpp>
#include <c2f/data/io/whole_file.hpp>
#include <c2f/print.hpp>
#include <c2f/train/observer.hpp>

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace c2f::print {

/// "coarse top1 61.2 %  fine top1 63.0 %": the primary metric of every stage.
[[nodiscard]] inline std::string score_line(std::vector<stage_score> const& scores) {
  std::string text;
  for (auto const& each : scores)
    if (!each.values.empty())
      text += fmt::format("{}{} {} {:.2f} %", text.empty() ? "" : "   ", text::printable(each.stage),
                          text::printable(each.values.front().first), 100 * each.values.front().second);
  return text;
}

/// One line that summarises an epoch; `of`: the number of epochs, 0: not shown.
[[nodiscard]] inline std::string epoch_line(epoch_record const& epoch, std::int64_t of = 0) {
  std::string losses;
  for (auto const& [name, value] : epoch.losses) losses += fmt::format(" {} {:.3f}", text::printable(name), value);
  if (epoch.skipped > 0) losses += fmt::format(" ({} steps skipped)", epoch.skipped);
  return fmt::format("epoch {:>3}{}   t {:.2f}   lr {:.4g}   loss{}   {}   {:.1f} steps/s", epoch.epoch + 1,
                     of > 0 ? fmt::format("/{}", of) : "", epoch.t, epoch.learning_rate, losses, score_line(epoch.scores),
                     epoch.steps_a_second);
}

/// A bar for the steps of an epoch and a line for every epoch, on stderr. Where stderr is not a terminal, only the lines are
/// written, and only with elsewhere::lines.
class progress_bar {
 public:
  enum class elsewhere { silent, lines };
  explicit progress_bar(elsewhere without_terminal = elsewhere::silent)
      : terminal_(isatty(STDERR_FILENO) == 1), lines_(terminal_ || without_terminal == elsewhere::lines) {}

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
    drawn_              = now;
    constexpr int width = 24;
    auto const done     = static_cast<int>(width * (step.step + 1) / start_.steps_an_epoch);
    std::string losses;
    for (auto const& [name, value] : step.losses) losses += fmt::format("  {} {:.3f}", text::printable(name), value);
    std::string const text = fmt::format("\r\x1b[K{}  epoch {}/{}  [{:=<{}}{:<{}}] {}/{}  t {:.2f}{}", start_.task, step.epoch + 1,
                                         start_.epochs, "", done, "", width - done, step.step + 1, start_.steps_an_epoch, step.t, losses);
    std::fputs(text.c_str(), stderr);
    std::fflush(stderr);
  }
  void on_epoch(epoch_record const& epoch) {
    if (!lines_) return;
    std::string const text = (terminal_ ? "\r\x1b[K" : "") + start_.task + "  " + epoch_line(epoch, start_.epochs) + '\n';
    std::fputs(text.c_str(), stderr);
  }
  void on_end(training_report const& report) {
    if (terminal_ && report.stopped) std::fputs("\r\x1b[Kstopped\n", stderr);
    if (lines_ && !report.test.empty()) std::fputs((start_.task + "  test   " + score_line(report.test) + '\n').c_str(), stderr);
  }

 private:
  bool terminal_, lines_;
  training_start start_;
  std::string stage_;
  std::chrono::steady_clock::time_point drawn_{};
};

/// Writes one JSON object per line: at the start of the training, after every epoch and at the end.
class json_lines {
 public:
  explicit json_lines(std::filesystem::path const& file) : file_(file), path_(file), out_(file, std::ios::app) { check(); }

  /// Called by fit before a stage of a training in stages: log.jsonl becomes log-NAME.jsonl.
  void on_stage(std::string const& name) {
    bool const unused = path_ == file_ && std::filesystem::file_size(path_) == 0;
    out_.close();
    if (unused) std::filesystem::remove(path_);
    path_ = file_.parent_path() / (file_.stem().string() + '-' + name + file_.extension().string());
    out_.open(path_, std::ios::app);
    check();
  }

  void on_start(training_start const& start) {
    if (start.done > 0) return;  // on_resume follows and rewrites the log
    out_.close();
    out_.open(path_, std::ios::trunc);
    write(line_of(start));
  }
  void on_resume(training_report const& before) {
    out_.close();
    data::whole_file truncated(path_);
    truncated.write(line_of(before.start));
    for (auto const& epoch : before.epochs) truncated.write(line_of(epoch));
    truncated.commit();
    out_.open(path_, std::ios::app);
    check();
  }
  void on_epoch(epoch_record const& epoch) { write(line_of(epoch)); }
  void on_end(training_report const& report) {
    std::string const test = report.test.empty() ? "" : ", \"test\": {" + scores_of(report.test) + '}';
    write(fmt::format("{{\"event\": \"end\", \"epochs\": {}, \"stopped\": {}{}}}\n", report.epochs.size(), report.stopped, test));
  }

 private:
  static std::string line_of(training_start const& start) {
    return line(fmt::format(R"({{"event": "start", "task": {}, "parameters": {}, "samples": {}, "epochs": {}, "steps_an_epoch": {}}})",
                            text::json(start.task), start.parameters, start.samples, start.epochs, start.steps_an_epoch));
  }
  static std::string line_of(epoch_record const& epoch) {
    return line(fmt::format(R"({{"event": "epoch", "epoch": {}, "t": {}, "rate": {}, "loss": {}, "skipped": {}, "scores": {{{}}}, )"
                            R"("train_seconds": {:.3f}, "test_seconds": {:.3f}, "steps_a_second": {:.3f}}})",
                            epoch.epoch, number(epoch.t), number(epoch.learning_rate), object(epoch.losses), epoch.skipped,
                            scores_of(epoch.scores), epoch.train_seconds, epoch.test_seconds, epoch.steps_a_second));
  }
  static std::string scores_of(std::vector<stage_score> const& scores) {
    std::string text;
    for (auto const& each : scores) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", text::json(each.stage), object(each.values));
    return text;
  }
  static std::string line(std::string text) { return text += '\n'; }
  static std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "null"; }
  static std::string object(named_values const& values) {
    std::string text;
    for (auto const& [name, value] : values) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", text::json(name), number(value));
    return '{' + text + '}';
  }
  void write(std::string const& line) {
    out_ << line << std::flush;
    check();
  }
  void check() const {
    if (!out_) throw input_error("cannot write '" + path_.string() + "'; choose a folder that can be written and has room");
  }
  std::filesystem::path file_, path_;  ///< path_: file_, or the file of a stage beside it
  std::ofstream out_;
};

}  // namespace c2f::print
