// c2f/print/observers.hpp: the epochs of a training in files: JSON lines, comma-separated values, events for TensorBoard.
//
//   c2f::print::json_lines log{out / "log.jsonl"};                              // one line per epoch
//   c2f::print::csv_lines table{out / "log.csv"};
//   c2f::print::tensorboard_events events{out / "events.out.tfevents.c2f"};     // tensorboard --logdir out
//   auto report = c2f::fit(model, data, recipe, c2f::progress_bar{}, log, table, events);
//
// When a training resumes from a checkpoint, the files are truncated to the epochs of that checkpoint. The progress bar is in
// train/progress_bar.hpp. Error: a file that cannot be written is a c2f::input_error.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/text.hpp>
#include <c2f/data/io/whole_file.hpp>
#include <c2f/print.hpp>
#include <c2f/print/event_records.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/progress_bar.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace c2f::print {

/// train/progress_bar.hpp.
using c2f::progress_bar;

/// A text file that grows by a line an epoch; a training that resumes truncates it to the epochs of its checkpoint.
class epoch_file {
 public:
  explicit epoch_file(std::filesystem::path const& file) : file_(file), path_(file), out_(file, std::ios::app | std::ios::binary) {
    check();
  }

  /// log.jsonl becomes log-NAME.jsonl, or NAME/log.jsonl.
  void open_stage(std::string const& name, bool in_folder = false) {
    bool const unused = path_ == file_ && std::filesystem::file_size(path_) == 0;
    out_.close();
    if (unused) std::filesystem::remove(path_);
    path_ = in_folder ? file_.parent_path() / name / file_.filename()
                      : file_.parent_path() / (file_.stem().string() + '-' + name + file_.extension().string());
    std::filesystem::create_directories(path_.parent_path());
    out_.open(path_, std::ios::app | std::ios::binary);
    check();
  }
  void begin(std::string const& content) {
    out_.close();
    out_.open(path_, std::ios::trunc | std::ios::binary);
    write(content);
  }
  void replace(std::string const& content) {
    out_.close();
    data::whole_file truncated(path_);
    truncated.write(content);
    truncated.commit();
    out_.open(path_, std::ios::app | std::ios::binary);
    check();
  }
  void write(std::string const& content) {
    out_ << content << std::flush;
    check();
  }

 private:
  void check() const {
    if (!out_) throw input_error("cannot write '" + path_.string() + "'; choose a folder that can be written and has room");
  }
  std::filesystem::path file_, path_;  ///< path_: file_, or the file of a stage beside it
  std::ofstream out_;
};

/// Writes one JSON object per line: at the start of the training, after every epoch and at the end.
class json_lines {
 public:
  explicit json_lines(std::filesystem::path const& file) : out_(file) {}

  /// Called by fit before a stage of a training in stages: log.jsonl becomes log-NAME.jsonl.
  void on_stage(std::string const& name) { out_.open_stage(name); }
  void on_start(training_start const& start) {
    if (start.done == 0) out_.begin(line_of(start));  // else on_resume follows and rewrites the log
  }
  void on_resume(training_report const& before) {
    std::string all = line_of(before.start);
    for (auto const& epoch : before.epochs) all += line_of(epoch);
    out_.replace(all);
  }
  void on_epoch(epoch_record const& epoch) { out_.write(line_of(epoch)); }
  void on_end(training_report const& report) {
    std::string const test = report.test.empty() ? "" : ", \"test\": {" + scores_of(report.test) + '}',
                      best = report.best < 0 ? "" : fmt::format(", \"best\": {}", report.best);
    out_.write(
        fmt::format("{{\"event\": \"end\", \"epochs\": {}, \"stopped\": {}{}{}}}\n", report.epochs.size(), report.stopped, best, test));
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
  epoch_file out_;
};

/// Writes a table of the epochs as comma-separated values: epoch (from 1), t, learning rate, losses, scores, seconds.
class csv_lines {
 public:
  explicit csv_lines(std::filesystem::path const& file) : out_(file) {}
  void on_stage(std::string const& name) { out_.open_stage(name); }
  void on_start(training_start const& start) {
    if (start.done == 0) out_.begin("");
  }
  void on_resume(training_report const& before) {
    std::string all = before.epochs.empty() ? "" : names_of(before.epochs.front());
    for (auto const& epoch : before.epochs) all += line_of(epoch);
    out_.replace(all);
  }
  void on_epoch(epoch_record const& epoch) { out_.write((epoch.epoch == 0 ? names_of(epoch) : "") + line_of(epoch)); }

 private:
  static std::string cell(std::string const& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (char const c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + '"';
  }
  static std::string names_of(epoch_record const& epoch) {
    std::string line = "epoch,t,learning rate";
    for (auto const& [name, value] : epoch.losses) line += ',' + cell("loss " + name);
    for (auto const& each : epoch.scores)
      for (auto const& [name, value] : each.values) line += ',' + cell(each.stage + ' ' + name);
    return line + ",skipped,train seconds,test seconds\n";
  }
  static std::string line_of(epoch_record const& epoch) {
    std::string line = fmt::format("{},{},{}", epoch.epoch + 1, epoch.t, epoch.learning_rate);
    for (auto const& [name, value] : epoch.losses) line += fmt::format(",{}", value);
    for (auto const& each : epoch.scores)
      for (auto const& [name, value] : each.values) line += fmt::format(",{}", value);
    return line + fmt::format(",{},{:.3f},{:.3f}\n", epoch.skipped, epoch.train_seconds, epoch.test_seconds);
  }
  epoch_file out_;
};

/// Writes the losses, scores, t and learning rate of the epochs as an event file of TensorBoard, so that `tensorboard --logdir` of the folder,
/// or of one above it, shows them. TensorBoard takes a file whose name has "tfevents" in it.
class tensorboard_events {
 public:
  explicit tensorboard_events(std::filesystem::path const& file) : out_(file) {}
  /// TensorBoard takes a folder for a run, and each stage counts its epochs from 1.
  void on_stage(std::string const& name) { out_.open_stage(name, /*in_folder=*/true); }
  void on_start(training_start const& start) {
    if (start.done == 0) out_.begin(events::file_version(now()));
  }
  /// The epochs before are written as if they had ended as long ago as they took.
  void on_resume(training_report const& before) {
    double time = now();
    for (auto const& epoch : before.epochs) time -= epoch.train_seconds + epoch.test_seconds;
    std::string all = events::file_version(time);
    for (auto const& epoch : before.epochs) all += record_of(epoch, time += epoch.train_seconds + epoch.test_seconds);
    out_.replace(all);
  }
  void on_epoch(epoch_record const& epoch) { out_.write(record_of(epoch, now())); }

 private:
  static double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }
  static std::string record_of(epoch_record const& epoch, double time) {
    named_values all{{"t", epoch.t}, {"learning rate", epoch.learning_rate}};
    for (auto const& [name, value] : epoch.losses) all.emplace_back("loss/" + name, value);
    for (auto const& each : epoch.scores)
      for (auto const& [name, value] : each.values) all.emplace_back(name + '/' + each.stage, value);  // a chart a metric
    for (auto& [name, value] : all) name = text::utf8(name);
    return events::scalars(time, epoch.epoch + 1, all);
  }
  epoch_file out_;
};

}  // namespace c2f::print
