#include "common/program.hpp"

#include <c2f/core/text.hpp>
#include <c2f/data/draw/plot.hpp>
#include <c2f/data/io/whole_file.hpp>
#include <c2f/dist/launch.hpp>
#include <c2f/print/observers.hpp>
#include <c2f/train/checkpoint.hpp>
#include <c2f/train/memory.hpp>
#ifdef C2F_WITH_CUDA
#include <c2f/cuda/gpu.hpp>
#endif
#ifdef C2F_WITH_DIST
#include <c2f/dist/world.hpp>
#endif

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <new>
#include <optional>

namespace program {

namespace {

nlohmann::ordered_json json_of(c2f::named_values const& values) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (auto const& [name, value] : values) object[name] = value;
  return object;
}

/// The same JSON with valid UTF-8 in all texts; nlohmann's dump throws for others.
nlohmann::ordered_json in_utf8(nlohmann::ordered_json const& from) {
  if (from.is_string()) return c2f::text::utf8(from.get_ref<std::string const&>());
  if (!from.is_structured()) return from;
  nlohmann::ordered_json made = from.is_object() ? nlohmann::ordered_json::object() : nlohmann::ordered_json::array();
  for (auto const& [key, value] : from.items())
    if (from.is_object())
      made[c2f::text::utf8(key)] = in_utf8(value);
    else
      made.push_back(in_utf8(value));
  return made;
}

bool writable(std::filesystem::path const& folder) {
  std::error_code failed;
  return std::filesystem::is_directory(folder, failed) && ::access(folder.c_str(), W_OK | X_OK) == 0;
}
/// Which process this is.
c2f::dist::launch const& launched() {
  static c2f::dist::launch const here = c2f::dist::launch_of_environment();
  return here;
}
#ifdef C2F_WITH_DIST
c2f::dist::world* world = nullptr;  // never destroyed: see c2f/dist/world.hpp
#endif

[[noreturn]] void refuse_folder(std::filesystem::path const& folder, std::string const& option) {
  throw c2f::input_error(option + " '" + folder.string() + "' is not a folder that can be written; choose another");
}

}  // namespace

c2f::epoch_record const& kept_epoch(c2f::training_report const& report) {
  return report.best >= 0 ? report.epochs[static_cast<std::size_t>(report.best)] : report.epochs.back();
}

bool exists(std::filesystem::path const& path) {
  std::error_code failed;
  return std::filesystem::exists(path, failed);
}

void say(std::string const& line) { std::fprintf(stderr, "%s\n", c2f::text::printable(line).c_str()); }

void write_json(std::filesystem::path const& file, nlohmann::ordered_json const& content) {
  if (!first_process()) return;
  c2f::data::whole_file out(file);
  out.write(in_utf8(content).dump(2) + '\n');
  out.commit();
}

struct kept_files::files {
  explicit files(options const& chosen)
      : root(chosen.out),
        folder(chosen.out),
        checkpoints(chosen.out / "checkpoints", {.every = chosen.checkpoint_every, .resume = chosen.resume, .warn = say}) {}
  files(files const&)            = delete;
  files& operator=(files const&) = delete;
  ~files() {
    if (stepped) return;
    logs.reset();
    for (auto const& path : created) std::remove(path.c_str());  // a file, or a folder that is empty
  }
  /// Creates the folder, and remembers what did not exist before.
  void prepare() {
    std::error_code failed;
    auto const is_new = [&](std::filesystem::path const& path) {
      return !std::filesystem::exists(std::filesystem::symlink_status(path, failed));
    };
    std::vector<std::filesystem::path> made;
    for (char const* name : {"log.jsonl", "log.csv", "events.out.tfevents.c2f"}) made.push_back(folder / name);
    if (folder != root) made.push_back(root / "checkpoints" / folder.filename());
    made.push_back(root / "checkpoints");
    for (auto const& path : made)
      if (is_new(path)) created.push_back(path);
    for (auto each = std::filesystem::absolute(folder, failed); is_new(each); each = each.parent_path())
      if (each.has_filename()) created.push_back(each);
    prepare_folder(folder);
  }

  std::filesystem::path root, folder;          // folder: root, or that of a stage in it
  std::vector<std::filesystem::path> created;  // the inner ones first
  bool stepped = false;
  c2f::checkpoints checkpoints;
  struct all_logs {
    c2f::print::json_lines lines;
    c2f::print::csv_lines table;
    c2f::print::tensorboard_events events;
    explicit all_logs(std::filesystem::path const& in)
        : lines(in / "log.jsonl"), table(in / "log.csv"), events(in / "events.out.tfevents.c2f") {}
    template <class Use>
    void each(Use const& use) {
      use(lines), use(table), use(events);
    }
  };
  std::optional<all_logs> logs;  // from on_start on
};
kept_files::kept_files(options const& chosen) {
  if (!chosen.out.empty() && first_process()) files_ = std::make_unique<files>(chosen);
}
kept_files::~kept_files() = default;
bool kept_files::restore(c2f::training_state& state) {
  if (!files_) return false;
  files_->prepare();
  bool const restored = files_->checkpoints.restore(state);
  if (restored) say("resuming from " + files_->checkpoints.restored().string());
  return restored;
}
void kept_files::on_stage(std::string const& name) {
  if (!files_) return;
  files_->checkpoints.on_stage(name);
  files_->folder = files_->root / name;
}
bool kept_files::keeps_step(c2f::progress const& now) const { return files_ && files_->checkpoints.keeps_step(now); }
void kept_files::keep(c2f::training_state const& state, c2f::moment when) {
  if (!files_) return;
  files_->stepped = true;
  files_->checkpoints.keep(state, when);
}
void kept_files::on_start(c2f::training_start const& start) {
  if (files_) files_->logs.emplace(files_->folder).each([&](auto& log) { log.on_start(start); });
}
void kept_files::on_resume(c2f::training_report const& before) {
  if (!files_) return;
  files_->stepped = true;  // before, if not in this run
  files_->logs->each([&](auto& log) { log.on_resume(before); });
}
void kept_files::on_epoch(c2f::epoch_record const& epoch) {
  if (files_) files_->logs->each([&](auto& log) { log.on_epoch(epoch); });
}
void kept_files::on_end(c2f::training_report const& report) {
  if (files_) files_->logs->lines.on_end(report);
}

nlohmann::ordered_json json_of_word(std::string const& word) {
  auto const value = nlohmann::ordered_json::parse(word, nullptr, false);
  return value.is_number() || value.is_boolean() ? value : nlohmann::ordered_json(word);
}

CLI::Validator in_range(double low, double high) {
  std::string const limits = fmt::format("{} to {}", low, high);
  return {[=](std::string& word) {
            double value    = 0;
            auto const read = std::from_chars(word.data(), word.data() + word.size(), value);
            bool const fits = read.ec == std::errc() && read.ptr == word.data() + word.size() && value >= low && value <= high;
            return fits ? std::string() : "Value " + word + " not in range " + limits;
          },
          "FLOAT in " + limits};
}

options read_options(int argc, char** argv, std::string const& what, std::vector<std::string> const& variants, options const& defaults,
                     std::function<void(CLI::App&)> const& more) {
  options chosen = defaults;
  CLI::App app{what};
  app.footer(
      "Exit code: 0 done, or stopped after a step by Ctrl-C or SIGTERM (\"stopped\" in summary.json); 1 a training that failed;\n"
      "2 options or data that are refused. A second signal, more than a second after the first, ends the program at once.");
  app.option_defaults()->always_capture_default();
  app.add_option("--data", chosen.data, "Folder of the data set")->required()->type_name("DIR");
  app.add_option("--variant", chosen.variant, "How the fine network is trained")->check(CLI::IsMember(variants));
  app.add_option("--epochs", chosen.epochs, "Passes over the training images")->check(CLI::Range(1, 1'000'000));
  app.add_option("--batch", chosen.batch, "Images a step")->check(CLI::Range(1, 1'000'000));
  app.add_option("--learning-rate", chosen.learning_rate, "Learning rate; a tenth of it after 81/164 and 122/164 of the epochs")
      ->check(in_range(1e-9, 1e3));
  app.add_option("--limit", chosen.limit, "Maximum number of training images; 0: all")->check(CLI::Range(0, 1'000'000'000));
  app.add_option("--seed", chosen.seed, "Seed of initial values, order, augmentation and the choice of truth or prediction")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--threads", chosen.threads, "Threads that prepare batches; 0: the training thread")->check(CLI::Range(0, 256));
  app.add_option("--weight-decay", chosen.weight_decay, "Weight decay of all parameters")->check(in_range(0, 1e3));
  app.add_flag("--strict", chosen.strict, "Stop at a sample that cannot be read instead of replacing it by another");
  app.add_option("--device", chosen.device, "Device to train on")->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_flag("--bf16", chosen.bf16, "Images and activations in bfloat16");
  app.add_option("--ema", chosen.ema, "Evaluate an exponential moving average of the networks with this decay a step; 0: none")
      ->check(in_range(0, 0.9999999));
  app.add_option("--clip", chosen.clip, "Largest norm of the gradient (clipping); 0: no limit")->check(in_range(0, 1e9));
  app.add_option("--accumulate", chosen.accumulate, "Batches a step")->check(CLI::Range(1, 1'000'000));
  app.add_option("--patience", chosen.patience,
                 "End after so many epochs without a better score, and keep the best weights; by the primary metric of the last stage, of "
                 "the validation split, or of the test split of data without one; 0: after --epochs")
      ->check(CLI::Range(0, 1'000'000));
  app.add_flag(
      "--probe", chosen.probe,
      "At the end also score the fine network conditioned on the truth, a shuffled prediction and others, on the validation split, "
      "or the test split of data without one: docs/evidence.md");
  CLI::Option* const probe_every =
      app.add_option("--probe-every", chosen.probe_every, "Epochs between probes, drawn as curves in probe.png; 0: none")
          ->check(CLI::Range(0, 1'000'000));
  app.add_flag("--deterministic", chosen.deterministic, "Bitwise reproducible results on the same kind of machine");
  CLI::Option* const out =
      app.add_option("--out", chosen.out, "Folder for log.jsonl, checkpoints, summary.json and curve.png; without it nothing is written")
          ->type_name("DIR");
  app.add_option("--checkpoint-every", chosen.checkpoint_every, "Steps between checkpoints; 0: one an epoch")
      ->check(CLI::Range(0, 1'000'000'000))
      ->needs(out);
  app.add_flag("--resume", chosen.resume, "Continue the training in --out, if there is one")->needs(out);
  probe_every->needs(out);
  if (more) more(app);
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& error) {
    if (error.get_exit_code() == 0) std::exit(app.exit(error));  // --help
    say(std::string(error.what()) + "; see --help");
    std::exit(2);
  }
  for (CLI::Option const* option : app.get_options()) {
    bool const flag = option->get_items_expected_max() == 0, given = option->count() > 0;
    if (option->get_name() == "--help") continue;
    if (given) chosen.typed.push_back(option->get_name());
    chosen.given.emplace_back(option->get_name().substr(2), flag    ? (given ? "true" : "false")
                                                            : given ? CLI::detail::join(option->results(), ",")
                                                                    : option->get_default_str());
  }
  return chosen;
}

void refuse_typed(options const& chosen, std::vector<std::string> const& names, std::string const& why) {
  for (auto const& name : names)
    if (is_typed(chosen, name)) throw c2f::input_error(name + " has no effect " + why + "; leave it out");
}

namespace {
c2f::accelerator accelerator_of(std::string const& device) {
  if (device == "cpu") return {};
#ifdef C2F_WITH_CUDA
  return c2f::cuda::gpu(launched().local_rank);
#else
  throw c2f::input_error("this program was built without c2f::cuda; build it where nvcc is, or choose --device cpu");
#endif
}
}  // namespace

bool first_process() { return launched().rank == 0; }

c2f::recipe::settings in_all_processes(c2f::recipe::settings recipe) {
#ifdef C2F_WITH_DIST
  if (world != nullptr) recipe.on(*world).synchronised_norms();
#endif
  return recipe;
}

void wait_for_all() {
#ifdef C2F_WITH_DIST
  if (world != nullptr) world->barrier();
#endif
}

bool goes_on_alone() {
#ifdef C2F_WITH_DIST
  if (world != nullptr) world->shutdown();
#endif
  return first_process();
}

c2f::recipe::settings machine_of(options const& chosen) {
  return in_all_processes(c2f::recipe::settings{}.on(accelerator_of(chosen.device)).bf16(chosen.bf16).deterministic(chosen.deterministic));
}

c2f::recipe::settings recipe_of(options const& chosen) {
  c2f::recipe::settings recipe = c2f::recipe::cifar{};
  if (chosen.patience > 0) recipe.stop_early({.patience = chosen.patience});
  return in_all_processes(recipe.on(accelerator_of(chosen.device))
                              .epochs(chosen.epochs)
                              .batch(chosen.batch)
                              .learning_rate(chosen.learning_rate)
                              .seed(chosen.seed)
                              .threads(chosen.threads)
                              .weight_decay(chosen.weight_decay)
                              .strict(chosen.strict)
                              .bf16(chosen.bf16)
                              .ema(chosen.ema)
                              .clip(chosen.clip)
                              .accumulate(chosen.accumulate)
                              .deterministic(chosen.deterministic));
}

void check_folder(std::filesystem::path const& folder, std::string const& option) {
  if (folder.empty() || !first_process()) return;
  std::error_code failed;
  std::filesystem::path existing = std::filesystem::absolute(folder, failed);
  while (!std::filesystem::exists(std::filesystem::symlink_status(existing, failed)) && existing.has_relative_path())
    existing = existing.parent_path();
  if (!writable(existing)) refuse_folder(folder, option);
}

void check(options const& chosen) {
  check_folder(chosen.out);
  static_cast<void>(accelerator_of(chosen.device));
}

void prepare_folder(std::filesystem::path const& folder, std::string const& option) {
  if (!first_process()) return;
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed || !writable(folder)) refuse_folder(folder, option);
}

void print_probe(c2f::probe_report const& found, std::string const& scored) {
  if (found.scores.empty()) return;
  std::printf("\non the %s split:\nthe fine network, conditioned on", scored.c_str());
  for (auto const& [name, value] : found.scores.front().values) std::printf("%12s", name.c_str());
  std::printf("\n");
  for (auto const& stage : found.scores) {
    std::printf("  %-30s", stage.stage == "coarse"   ? "(the coarse network itself)"
                           : stage.stage == "copier" ? "(a copier, shuffled)"
                                                     : stage.stage.c_str());
    for (auto const& [name, value] : stage.values) std::printf("%12s", c2f::print::score_text(value, found.errors.contains(name)).c_str());
    std::printf("\n");
  }
  std::printf("it fixes %.2f %% of the coarse answers and breaks %.2f %%\n", 100 * found.fixed, 100 * found.broken);
}

namespace {
nlohmann::ordered_json json_of(c2f::probe_report const& probe) {
  nlohmann::ordered_json found;
  for (auto const& stage : probe.scores) found[stage.stage] = json_of(stage.values);
  found["fixed"]     = probe.fixed;
  found["broken"]    = probe.broken;
  found["agreement"] = probe.agreement;
  return found;
}
}  // namespace

void write_summary(std::filesystem::path const& folder, options const& chosen, c2f::training_report const& report,
                   std::string const& scored, c2f::probe_report const* probe) {
  nlohmann::ordered_json summary;
  summary["task"] = report.start.task;
  for (auto const& [name, value] : chosen.given) summary["options"][name] = json_of_word(value);
  summary["parameters"]  = report.start.parameters;
  summary["samples"]     = report.start.samples;
  summary["epochs_done"] = report.epochs.size();
  summary["stopped"]     = report.stopped;
  summary["skipped"]     = report.skipped;
  double train_seconds   = 0;
  for (auto const& epoch : report.epochs) train_seconds += epoch.train_seconds;
  summary["train_seconds"] = train_seconds;
  summary["faulty"]        = {{"samples", report.faulty.samples}, {"replaced", report.faulty.replaced}, {"reasons", report.faulty.reasons}};
  if (!report.epochs.empty()) {
    if (report.best >= 0) summary["best_epoch"] = report.best + 1;
    summary["loss"]      = json_of(kept_epoch(report).losses);
    summary["scored_on"] = scored;
    for (auto const& stage : kept_epoch(report).scores) summary["scores"][stage.stage] = json_of(stage.values);
    for (auto const& stage : report.test) summary["test"][stage.stage] = json_of(stage.values);
  }
  if (probe != nullptr) summary["probe"] = json_of(*probe);
  write_json(folder / "summary.json", summary);
}

namespace {
/// Draws the primary metric of every stage: at each point an x and its scores.
void write_stages(std::filesystem::path const& file, std::string const& title, std::string const& label,
                  std::vector<std::pair<std::int64_t, std::vector<c2f::stage_score>>> const& points, c2f::error_metrics const& errors) {
  if (!first_process() || points.empty() || points.front().second.empty() || points.front().second.front().values.empty()) return;
  c2f::data::plot curve;
  curve.title               = title;
  curve.x_label             = "epoch";
  std::string const& metric = points.front().second.front().values.front().first;
  bool const is_error       = errors.contains(metric);
  curve.y_label             = label + ' ' + metric + (is_error ? "" : ", %");
  for (std::size_t stage = 0; stage < points.front().second.size(); ++stage) {
    c2f::data::series line{
        .name = points.front().second[stage].stage, .tint = c2f::data::palette[stage % c2f::data::palette.size()], .xs = {}, .ys = {}};
    for (auto const& [epochs, scores] : points) {
      line.xs.push_back(static_cast<double>(epochs));
      line.ys.push_back((is_error ? 1 : 100) * scores[stage].values.front().second);
    }
    curve.lines.push_back(std::move(line));
  }
  curve.draw().write_png(file);
}
}  // namespace

probe_points read_probe_points(std::filesystem::path const& folder) {
  auto const file = folder / "probe.json";
  probe_points points;
  if (!program::exists(file)) return points;
  try {
    for (auto const& point : nlohmann::ordered_json::parse(std::ifstream(file))) {
      c2f::probe_report found;
      for (auto const& [stage, values] : point.at("probe").items()) {
        if (!values.is_object()) continue;
        c2f::named_values scores;
        for (auto const& [name, value] : values.items()) scores.emplace_back(name, value.is_null() ? std::nan("") : value.get<double>());
        found.scores.push_back({stage, std::move(scores)});
      }
      found.fixed     = point.at("probe").at("fixed").get<double>();
      found.broken    = point.at("probe").at("broken").get<double>();
      found.agreement = point.at("probe").at("agreement").get<double>();
      points.emplace_back(point.at("epochs").get<std::int64_t>(), std::move(found));
    }
  } catch (nlohmann::json::exception const&) {
    throw c2f::input_error("'" + file.string() + "' is no list of probes, which --probe-every would continue; move it away");
  }
  return points;
}
void write_probe_curve(std::filesystem::path const& folder, std::string const& title, probe_points const& points) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  std::vector<std::pair<std::int64_t, std::vector<c2f::stage_score>>> scores;
  for (auto const& [epochs, found] : points) {
    all.push_back({{"epochs", epochs}, {"probe", json_of(found)}});
    scores.emplace_back(epochs, found.scores);
  }
  write_json(folder / "probe.json", all);
  write_stages(folder / "probe.png", title, "fine network, conditioned on:", scores,
               points.empty() ? c2f::error_metrics{} : points.back().second.errors);
}

void write_curve(std::filesystem::path const& folder, std::string const& title, c2f::training_report const& report,
                 std::string const& scored) {
  std::vector<std::pair<std::int64_t, std::vector<c2f::stage_score>>> scores;
  for (auto const& epoch : report.epochs) scores.emplace_back(epoch.epoch + 1, epoch.scores);
  write_stages(folder / "curve.png", title, scored, scores, report.epochs.empty() ? c2f::error_metrics{} : report.epochs.front().errors);
}

void check_scores(c2f::training_report const& report) {
  if (report.stopped || report.epochs.empty()) return;
  auto const& scores = kept_epoch(report).scores;
  for (auto const& stage : scores)
    if (!stage.values.empty() && std::isnan(stage.values.front().second))
      throw c2f::not_finite("the " + stage.stage + ' ' + stage.values.front().first +
                            " of the last epoch is not a number: the training diverged, or the test samples have nothing to score; lower "
                            "the learning rate, or look at the data");
}

void print_report(c2f::training_report const& report, std::string const& scored) {
  if (report.start.done == report.start.epochs * report.start.steps_an_epoch && !report.epochs.empty())
    std::printf("this training was already finished; nothing was trained\n");
  if (report.best >= 0)
    std::printf("the best epoch of %zu by the %s split, whose weights are kept:\n", report.epochs.size(), scored.c_str());
  if (report.stopped) std::printf("stopped after %zu of %ld epochs\n", report.epochs.size(), static_cast<long>(report.start.epochs));
  if (!report.epochs.empty()) std::printf("%s\n", c2f::print::epoch_line(kept_epoch(report), report.start.epochs).c_str());
  if (report.skipped > 0)
    std::printf("%ld steps were skipped because a loss or gradient was not finite\n", static_cast<long>(report.skipped));
  if (!report.not_captured.empty())
    std::printf("the training steps were not captured as a graph, because of: %s\n", report.not_captured.c_str());
  if (report.faulty.samples == 0) return;
  std::printf("%ld samples could not be read; they were replaced by others %ld times:\n", static_cast<long>(report.faulty.samples),
              static_cast<long>(report.faulty.replaced));
  for (std::size_t i = 0; i < std::min<std::size_t>(10, report.faulty.reasons.size()); ++i)
    std::printf("  %s\n", c2f::text::printable(report.faulty.reasons[i]).c_str());
}

namespace {
/// The first line of an error: those of LibTorch go on with a stack trace.
std::string sentence_of(std::exception const& error) {
  std::string const what = error.what();
  if (c2f::detail::is_out_of_memory(error)) return "there is not enough memory; choose a smaller --batch";
  if (dynamic_cast<c2f::error const*>(&error) != nullptr) return what;
  return what.substr(0, what.find('\n'));
}
/// The rank in front of a sentence, where there are several processes.
std::string with_rank(std::string const& sentence, c2f::dist::launch const& here) {
  if (here.size == 1 || sentence.starts_with("rank ")) return sentence;
  return "rank " + std::to_string(here.rank) + " of " + std::to_string(here.size) + ": " + sentence;
}

void join() {
  if (launched().size == 1) return;
  if (!first_process() && std::freopen("/dev/null", "w", stdout) == nullptr)
    throw c2f::error("the standard output of a process that prints nothing cannot be closed; check that there is a /dev/null");
#ifdef C2F_WITH_DIST
  world = new c2f::dist::world(launched());
#else
  throw c2f::input_error(launched().launcher + " started " + std::to_string(launched().size) +
                         " processes, and this program was built without c2f::dist; install libgloo-dev and build it again, or start one");
#endif
}
}  // namespace

int run(std::function<void()> const& body) {
  c2f::keep_memory();
  c2f::dist::launch here;  // of an environment that is no launcher's, one process
  try {
    here = launched();
    join();
    body();
#ifdef C2F_WITH_DIST
    if (world != nullptr) world->shutdown();
#endif
  } catch (c2f::input_error const& error) {
    say(with_rank(error.what(), here));
    return 2;
  } catch (std::exception const& error) {
    say(with_rank(sentence_of(error), here));
    return 1;
  }
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
  say("the results could not be written to the standard output; check that it has room");
  return 1;
}

}  // namespace program
