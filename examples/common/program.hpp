// Shared by the example programs: options, the output folder, log, checkpoints, summary and learning curve, errors and exit codes.
// common/train.hpp runs a training with them.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/data/split.hpp>
#include <c2f/train/observer.hpp>
#include <c2f/train/probe.hpp>
#include <c2f/train/recipe.hpp>

#include <nlohmann/json_fwd.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Validator;
}  // namespace CLI

namespace program {

/// The options of every training program.
struct options {
  std::filesystem::path data = {}, out = {};
  std::string variant = "pt", device = "cpu";
  std::int64_t epochs = 164, batch = 128, limit = 0;
  std::uint64_t seed   = 1;
  int threads          = 1;
  double learning_rate = 0.1, weight_decay = 1e-4;
  bool bf16 = false, strict = false, resume = false, deterministic = false, probe = false;
  std::int64_t checkpoint_every = 0, accumulate = 1, probe_every = 0, patience = 0;
  double ema = 0, clip = 0;
  std::vector<std::pair<std::string, std::string>> given = {};  ///< every option with its value, for the summary
  std::vector<std::string> typed                         = {};  ///< the options that were on the command line, such as "--epochs"
};

/// Parses the command line; --help prints the options and exits with 0, an error prints one line and exits with 2.
/// `more` adds the options of this program.
options read_options(int argc, char** argv, std::string const& what, std::vector<std::string> const& variants, options const& defaults = {},
                     std::function<void(CLI::App&)> const& more = {});

/// A check of an option: a number from low to high, which NaN is not.
CLI::Validator in_range(double low, double high);

/// Whether an option, such as "--epochs", is on the command line.
[[nodiscard]] inline bool is_typed(std::vector<std::string> const& typed, std::string const& name) {
  return std::ranges::find(typed, name) != typed.end();
}
[[nodiscard]] inline bool is_typed(options const& chosen, std::string const& name) { return is_typed(chosen.typed, name); }
/// Gives an option that is not on the command line another value, in the summary, too. `name`: such as "epochs".
template <class Number>
void set_unless_typed(options& chosen, std::string const& name, Number& value, Number of) {
  if (is_typed(chosen, "--" + name)) return;
  value = of;
  std::ostringstream text;
  text << of;
  for (auto& [option, given] : chosen.given)
    if (option == name) given = text.str();
}

/// Refuses options that were typed though they have no effect; input_error with the first of them. `why` completes "--images has no effect".
void refuse_typed(options const& chosen, std::vector<std::string> const& names, std::string const& why);

/// The names of a c2f::registry, for --variant.
template <class Registry>
std::vector<std::string> names_of() {
  auto const names = Registry::names();
  return {names.begin(), names.end()};
}

/// The recipe given by the options.
c2f::recipe::settings recipe_of(options const& chosen);
/// The part that applies to every training of a program: device, bfloat16 and determinism.
c2f::recipe::settings machine_of(options const& chosen);

/// A launcher, such as torchrun, may start a program in several processes, which then train together (docs/distributed.md). All run the same
/// code, and only the first one prints and writes; files that it writes and all read must be on a file system that all see.
[[nodiscard]] bool first_process();
/// The recipe for a training in all processes, with synchronised norms, so that results do not depend on their number
/// (docs/distributed.md has exceptions).
c2f::recipe::settings in_all_processes(c2f::recipe::settings recipe);
/// Waits until all processes are here.
void wait_for_all();
/// The last exchange of the processes, called by all: true in the first one, which goes on alone to score, draw and predict, for as long as
/// that takes; the others end.
[[nodiscard]] bool goes_on_alone();

/// Checks that a folder is writable, or can be created; creates nothing, so that nothing is left of a command that is refused. For the
/// start of a program. c2f::input_error if not; an empty path is none.
void check_folder(std::filesystem::path const& folder, std::string const& option = "--out");
/// What can be refused before data are read: --out and --device.
void check(options const& chosen);
/// Creates the folder if it does not exist and checks that it is writable; c2f::input_error if not.
void prepare_folder(std::filesystem::path const& folder, std::string const& option = "--out");

/// Whether a file or folder is there; false for one that may not be looked at.
bool exists(std::filesystem::path const& path);

/// Writes a line to stderr, in which a text from outside, such as the name of a file, is printable.
void say(std::string const& line);

/// A word of the command line as a JSON number, boolean or string.
nlohmann::ordered_json json_of_word(std::string const& word);

/// The observer that writes log.jsonl, log.csv, events for TensorBoard and checkpoints/ to --out during a training, and restores the newest checkpoint with --resume. Nothing
/// is written before fit has accepted model and data, and if the training ends before its first step, as with data that cannot be read, what
/// was created is removed. Without --out it does nothing.
class kept_files {
 public:
  explicit kept_files(options const& chosen);
  kept_files(kept_files const&)            = delete;
  kept_files& operator=(kept_files const&) = delete;
  ~kept_files();
  /// Before a stage of a training in stages: its logs go to a folder of that name in --out, its checkpoints to one in checkpoints/.
  void on_stage(std::string const& name);
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

/// Writes a JSON file atomically, in the first process. Its texts and keys may be any bytes: what is no UTF-8 is written as \\xHH.
void write_json(std::filesystem::path const& file, nlohmann::ordered_json const& content);

/// The split that is scored during a training, and probed.
template <class Data>
inline constexpr char const* scored_name = c2f::data::has_validation<Data> ? "validation" : "test";

/// Writes summary.json atomically: options, report and final scores; probe: what --probe has found.
void write_summary(std::filesystem::path const& folder, options const& chosen, c2f::training_report const& report,
                   std::string const& scored, c2f::probe_report const* probe = nullptr);
/// Prints what --probe has found, a line for each conditioning.
void print_probe(c2f::probe_report const& found, std::string const& scored);

/// What --probe-every has found: a report and the number of epochs before it.
using probe_points = std::vector<std::pair<std::int64_t, c2f::probe_report>>;
/// The points of the probe.json of an earlier part of a training; none without one. Errors: input_error for a file that cannot be read.
probe_points read_probe_points(std::filesystem::path const& folder);
/// Writes probe.json and probe.png: the primary metric of every stage of the probe by epoch.
void write_probe_curve(std::filesystem::path const& folder, std::string const& title, probe_points const& points);

/// Writes curve.png: the primary metric of every stage by epoch.
void write_curve(std::filesystem::path const& folder, std::string const& title, c2f::training_report const& report,
                 std::string const& scored);

/// The epoch whose weights the model has: with early stopping the best one, else the last.
c2f::epoch_record const& kept_epoch(c2f::training_report const& report);

/// Prints the end of a training to stdout: its last epoch, whether it was stopped, and the samples that could not be read.
void print_report(c2f::training_report const& report, std::string const& scored);

/// c2f::not_finite if the primary metrics of all stages in the last epoch are no numbers, as after a training that diverged.
void check_scores(c2f::training_report const& report);

/// Joins the other processes, if there are any, runs a program's body and returns the exit code: 0; 2 for an input_error, 1 for any other
/// exception or a result that could not be printed, after one line on stderr.
int run(std::function<void()> const& body);

}  // namespace program
