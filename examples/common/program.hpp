// What the example programs share: options, the output folder, log, checkpoints, summary and learning curve, errors and exit codes.
// common/train.hpp runs a training with them.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/recipe.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace program {

/// The options every training program has.
struct options {
  std::filesystem::path data = {}, out = {};
  std::string variant = "pt", device = "cpu";
  std::int64_t epochs = 164, batch = 128, limit = 0;
  std::uint64_t seed = 1;
  int threads        = 1;
  double learning_rate = 0.1, weight_decay = 1e-4;
  bool bf16 = false, strict = false, resume = false, deterministic = false;
  std::int64_t checkpoint_every = 0, accumulate = 1;
  double ema = 0, clip = 0;
  std::vector<std::pair<std::string, std::string>> given = {};  ///< every option with its value, for the summary
};

/// Reads the command line; on --help prints it and leaves with 0, on a mistake prints one line and leaves with 2.
/// `more` adds the options that only this program has.
options read_options(int argc, char** argv, std::string const& what, std::vector<std::string> const& variants, options const& defaults = {},
                     std::function<void(CLI::App&)> const& more = {});

/// The names of a c2f::registry, for --variant.
template <class Registry>
std::vector<std::string> names_of() {
  auto const names = Registry::names();
  return {names.begin(), names.end()};
}

/// The recipe that the options ask for.
c2f::recipe::settings recipe_of(options const& chosen);
/// Of it what another training of the same program shares: the device, bfloat16 and determinism.
c2f::recipe::settings machine_of(options const& chosen);

/// Makes the folder if need be and finds out whether it can be written; c2f::input_error if not.
void prepare_folder(std::filesystem::path const& folder);

/// A word of the command line as the number, the truth value or the text that it is.
nlohmann::ordered_json json_of_word(std::string const& word);

/// What a training writes into --out while it runs, as an observer: log.jsonl and checkpoints/, from which it goes on with --resume.
/// Without --out it does nothing.
class kept_files {
 public:
  explicit kept_files(options const& chosen);
  kept_files(kept_files const&)            = delete;
  kept_files& operator=(kept_files const&) = delete;
  ~kept_files();
  bool restore(c2f::training_state& state);
  [[nodiscard]] bool keeps_step(c2f::progress const& now) const;
  void keep(c2f::training_state const& state, c2f::moment when);
  void on_start(c2f::training_start const& start);
  void on_resume(c2f::training_report const& before);
  void on_epoch(c2f::epoch_record const& epoch);
  void on_end(c2f::training_report const& report);

 private:
  struct files;
  std::unique_ptr<files> files_;
};

/// Writes a text so that the file is whole or not there.
void write_whole(std::filesystem::path const& file, std::string const& text);

/// Writes summary.json: options, report and last scores. The file is whole or not there.
void write_summary(std::filesystem::path const& folder, options const& chosen, c2f::training_report const& report);

/// Writes curve.png: the first figure of every stage, and the losses, by epoch.
void write_curve(std::filesystem::path const& folder, std::string const& title, c2f::training_report const& report);

/// Says on stdout how a training ended: its last epoch, whether it was stopped, and what could not be read.
void print_report(c2f::training_report const& report);

/// Runs a program's body: 0 when it returns, 2 after a line on stderr when an input was bad, 1 for any other error.
int run(std::function<void()> const& body);

}  // namespace program
