// c2f/train/checkpoint.hpp: a training that goes on where it was ended, bit for bit.
//
//   c2f::checkpoints kept(out / "checkpoints");                          // after every epoch, and when the training is stopped
//   c2f::checkpoints kept(out / "checkpoints", {.every = 500, .last = 3, .best = 1, .score = "fine top1"});
//   auto report = c2f::fit(model, data, recipe, kept, on_ctrl_c);        // the same call again goes on from the newest one
//
// A checkpoint is a folder, epoch-EEEEE-step-SSSSSSS: so many whole epochs and steps of the next one are done. In it are
//   model.safetensors      parameters and buffers by their paths; average.safetensors the moving average of recipe.ema(), if any
//   training.safetensors   momenta as "momentum.PATH", LibTorch's generators as "generator.cpu" and "generator.cuda:0"
//   state.json             task, recipe, seed, where the training stands, and its report so far
//   SHA256SUMS             the SHA-256 of these files, which `sha256sum --check SHA256SUMS` reads, too
// The folder is made under another name; every file and the folder are brought to the disk before it gets its own. So a program that is
// killed, or a disk that is full, leaves the checkpoints that were there. Reading runs nothing that stands in a file.
//
// Before the first step the newest checkpoint whose sums are right is put back. Newer ones that are damaged are named through `warn` and
// get ".damaged" behind their names. What a killed program left half-written is removed. One training at a time may use a folder. A model
// in which a parameter is not finite is not kept.
//
// Kept are the `last` newest and the `best` with the highest `score`, "STAGE FIGURE" as in the report ("coarse top1", "answer iou").
//
// Costs: memory for the text of state.json; the tensors are written one by one. Needs nlohmann/json and OpenSSL (-lcrypto).
// Errors, as c2f::input_error: a folder or file that cannot be written or read; checkpoints that are all damaged; one of another task,
// data or recipe, which says the first difference; checkpoints where options.resume is false; a folder that another training uses.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/data/io/safetensors.hpp>
#include <c2f/data/io/sha256.hpp>
#include <c2f/data/io/whole_file.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/state.hpp>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace c2f {

struct checkpoint_options {
  std::int64_t every                           = 0;     ///< also after so many steps; 0: only after epochs and when the training is stopped
  std::int64_t last                            = 2;     ///< how many of the newest are kept, 1 or more
  std::int64_t best                            = 0;     ///< and how many of those with the highest score
  std::string score                            = {};    ///< which one, as "fine top1"
  bool resume                                  = true;  ///< go on from the newest; false: there must be none
  std::function<void(std::string const&)> warn = [](std::string const& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
};

namespace detail {

using json                                     = nlohmann::ordered_json;
inline constexpr char const* checkpoint_format = "c2f checkpoint 1";

// Doubles come back bit for bit: JSON's shortest decimal does for finite numbers, the others are written as their bits.
inline json json_of(double value) { return std::isfinite(value) ? json(value) : json{{"bits", std::bit_cast<std::uint64_t>(value)}}; }
inline double double_of(json const& from) {
  return from.is_object() ? std::bit_cast<double>(from.at("bits").get<std::uint64_t>()) : from.get<double>();
}
inline json json_of(named_values const& values) {
  json list = json::array();
  for (auto const& [name, value] : values) list.push_back({name, json_of(value)});
  return list;
}
/// A text that fits into a message of one line.
inline std::string line_of(json const& from) {
  auto text = from.get<std::string>();
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20; }))
    throw json::other_error::create(599, "a name has control characters", &from);
  return text;
}
inline named_values values_of(json const& from) {
  named_values values;
  for (auto const& each : from) values.emplace_back(line_of(each.at(0)), double_of(each.at(1)));
  return values;
}
inline json json_of(epoch_record const& epoch) {
  json scores = json::array();
  for (auto const& each : epoch.scores) scores.push_back({each.stage, json_of(each.values)});
  return {{"epoch", epoch.epoch},
          {"t", json_of(epoch.t)},
          {"rate", json_of(epoch.learning_rate)},
          {"losses", json_of(epoch.losses)},
          {"skipped", epoch.skipped},
          {"scores", scores},
          {"train_seconds", json_of(epoch.train_seconds)},
          {"test_seconds", json_of(epoch.test_seconds)},
          {"steps_a_second", json_of(epoch.steps_a_second)}};
}
inline epoch_record epoch_of(json const& from) {
  epoch_record epoch;
  epoch.epoch          = from.at("epoch").get<std::int64_t>();
  epoch.t              = double_of(from.at("t"));
  epoch.learning_rate           = double_of(from.at("rate"));
  epoch.losses         = values_of(from.at("losses"));
  epoch.skipped        = from.at("skipped").get<std::int64_t>();
  epoch.train_seconds  = double_of(from.at("train_seconds"));
  epoch.test_seconds   = double_of(from.at("test_seconds"));
  epoch.steps_a_second = double_of(from.at("steps_a_second"));
  for (auto const& each : from.at("scores")) epoch.scores.push_back({each.at(0).get<std::string>(), values_of(each.at(1))});
  return epoch;
}
inline json json_of(data::replacements const& seen) {
  json reasons = json::array();
  for (auto const& [id, reason] : seen.reasons) reasons.push_back({id, reason});
  return {{"ids", seen.ids}, {"total", seen.total}, {"reasons", reasons}};
}
inline data::replacements replacements_of(json const& from) {
  data::replacements seen;
  seen.ids   = from.at("ids").get<std::set<std::int64_t>>();
  seen.total = from.at("total").get<std::int64_t>();
  for (auto const& each : from.at("reasons")) seen.reasons.emplace(each.at(0).get<std::int64_t>(), each.at(1).get<std::string>());
  return seen;
}

inline data::safetensors file_of(named_tensors const& tensors, std::string const& prefix = {}) {
  data::safetensors file;
  for (auto const& [path, tensor] : tensors) file.tensors.emplace(prefix + path, tensor);
  return file;
}

/// A number as in "0.1".
inline std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(std::begin(text), std::end(text), value).ptr};
}

/// The parts of a checkpoint in memory, before anything is put back.
struct read_checkpoint {
  training_state state;  ///< without its tensors
  int intra_op_threads = 0;
  data::safetensors model, training, average;
};

inline void read_state(json const& from, read_checkpoint& into) {
  if (from.at("format") != checkpoint_format)
    throw json::other_error::create(599, "its format is not '" + std::string(checkpoint_format) + "'", &from);
  training_state& state             = into.state;
  into.intra_op_threads             = from.at("intra_op_threads").get<int>();
  state.report.start.task           = line_of(from.at("task"));
  state.type                        = from.at("type").get<std::uint64_t>();
  state.report.start.parameters     = from.at("parameters").get<std::int64_t>();
  state.report.start.samples        = from.at("samples").get<std::int64_t>();
  state.report.start.steps_an_epoch = from.at("steps_an_epoch").get<std::int64_t>();
  state.seed                        = from.at("seed").get<std::uint64_t>();
  state.recipe                      = values_of(from.at("recipe"));
  state.now.epoch                   = from.at("epoch").get<std::int64_t>();
  state.now.iteration               = from.at("iteration").get<std::int64_t>();
  state.step                        = from.at("step").get<std::int64_t>();
  state.in_a_row                    = from.at("skipped_in_a_row").get<std::int64_t>();
  state.report.skipped              = from.at("skipped").get<std::int64_t>();
  state.epoch                       = epoch_of(from.at("this_epoch"));
  state.train                       = replacements_of(from.at("unread_train"));
  state.test                        = replacements_of(from.at("unread_test"));
  for (auto const& each : from.at("epochs")) state.report.epochs.push_back(epoch_of(each));
}

/// What a state.json says; input_error where it says none. `file` is for the message.
inline void read_state(std::string const& text, std::filesystem::path const& file, read_checkpoint& into) {
  try {
    read_state(json::parse(text), into);
  } catch (nlohmann::json::exception const& fault) {
    throw input_error("'" + file.string() + "' is not the state of a training: " + fault.what());
  }
  training_state const& at    = into.state;
  training_start const& start = at.report.start;
  bool const counted          = start.steps_an_epoch >= 0 && start.steps_an_epoch < std::int64_t{1} << 40;  // so that no product overflows
  if (!counted || at.now.epoch < 0 || at.step < 0 || at.step > start.steps_an_epoch || std::ssize(at.report.epochs) != at.now.epoch ||
      at.now.iteration != at.now.epoch * start.steps_an_epoch + at.step)
    throw input_error("'" + file.string() + "' says that the training stands at epoch " + std::to_string(at.now.epoch) + ", step " +
                      std::to_string(at.step) + ", where it cannot");
}

}  // namespace detail

class checkpoints {
 public:
  explicit checkpoints(std::filesystem::path folder, checkpoint_options options = {})
      : folder_(std::move(folder)), options_(std::move(options)), lock_(-1) {
    if (options_.every < 0 || options_.last < 1 || options_.best < 0)
      throw input_error("checkpoints cannot be made every " + std::to_string(options_.every) + " steps and kept, the last " +
                        std::to_string(options_.last) + " and the best " + std::to_string(options_.best) +
                        "; write 0 or more, 1 or more, 0 or more");
    if (options_.best > 0 && options_.score.empty())
      throw input_error(
          "the best checkpoints are to be kept, and no score is named; write .score = \"fine top1\" or another of the report");
  }

  /// The folder that the training goes on from, or went on from; empty: none.
  [[nodiscard]] std::filesystem::path const& restored() const { return restored_; }

  /// Called by fit: puts the newest checkpoint back.
  bool restore(training_state& state) {
    prepare();
    std::vector<std::string> const names = newest_first();
    if (!names.empty() && !options_.resume)
      throw input_error("'" + folder_.string() + "' holds checkpoints of a training, '" + names.front() +
                        "' the newest; resume it, or choose another folder");
    std::vector<std::pair<std::string, std::string>> damaged;  // name, and what is wrong with it
    for (auto const& name : names) {
      std::optional<detail::read_checkpoint> read;
      try {
        read = read_whole(folder_ / name);
      } catch (input_error const& fault) {
        damaged.emplace_back(name, fault.what());
        continue;
      }
      put_back(*read, folder_ / name, state);
      for (auto const& [other, fault] : damaged) {
        put_aside(other);
        options_.warn(fault + "; it is called '" + other + ".damaged' now, and the training goes on from '" + name + "'");
      }
      if (read->intra_op_threads != at::get_num_threads())
        options_.warn("'" + (folder_ / name).string() + "' was made with OMP_NUM_THREADS=" + std::to_string(read->intra_op_threads) +
                      ", and it is " + std::to_string(at::get_num_threads()) + " now; from here on numbers may differ in their last bits");
      restored_ = folder_ / name;
      saved_    = name;
      return true;
    }
    if (!damaged.empty())
      throw input_error("no checkpoint in '" + folder_.string() + "' can be used: " + damaged.front().second +
                        "; put a good one there, or choose another folder");
    return false;
  }

  /// Called by fit: whether a checkpoint is written after a step.
  [[nodiscard]] bool keeps_step(progress const& now) const { return options_.every != 0 && now.iteration % options_.every == 0; }
  /// Called by fit: writes a checkpoint when it is time.
  void keep(training_state const& state, moment when) {
    if (when == moment::step && !keeps_step(state.now)) return;
    std::string const name = name_of(state.now.epoch, state.step);
    if (name == saved_ || !finite(state.parameters)) return;
    write(state, name);
    saved_ = name;
    remove_old(state);
  }

 private:
  static std::string name_of(std::int64_t epoch, std::int64_t step) {
    char name[64];
    std::snprintf(name, sizeof name, "epoch-%05lld-step-%07lld", static_cast<long long>(epoch), static_cast<long long>(step));
    return name;
  }
  /// (epoch, step) of a checkpoint's name; nothing where it is another name.
  static std::optional<std::pair<std::int64_t, std::int64_t>> place_of(std::string const& name) {
    long long epoch = 0, step = 0;
    if (std::sscanf(name.c_str(), "epoch-%lld-step-%lld", &epoch, &step) != 2 || name_of(epoch, step) != name) return {};
    return std::pair{std::int64_t{epoch}, std::int64_t{step}};
  }
  static std::vector<std::string> entries(std::filesystem::path const& folder) {
    std::vector<std::string> names;
    std::error_code failed;
    for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed))
      names.push_back(at->path().filename().string());
    if (failed) throw input_error("cannot read the folder '" + folder.string() + "': " + failed.message() + "; check that it can be read");
    return names;
  }
  [[nodiscard]] std::vector<std::string> newest_first() const {
    std::vector<std::string> names = entries(folder_);
    std::erase_if(names, [](auto const& name) { return !place_of(name); });
    std::sort(names.begin(), names.end(), [](auto const& a, auto const& b) { return place_of(a) > place_of(b); });
    return names;
  }

  // Makes the folder, locks it and removes what was never finished: whoever wrote that is gone, or the lock would not be had.
  void prepare() {
    std::error_code failed;
    std::filesystem::create_directories(folder_, failed);
    if (failed) data::detail::fail_to_write(folder_, "mkdir", failed.value());
    if (lock_.number() >= 0) return;
    lock_.reset(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock_.number() < 0) data::detail::fail_to_write(folder_, "open", errno);
    // Other errors than EWOULDBLOCK are of file systems that cannot lock.
    if (::flock(lock_.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      throw input_error("another training keeps its checkpoints in '" + folder_.string() +
                        "'; wait until it ends, or choose another folder");
    for (auto const& name : entries(folder_))
      if (name.ends_with(part) && place_of(name.substr(0, name.size() - std::string_view(part).size()))) remove(folder_ / name);
  }

  // Not by std::filesystem::remove_all: libtorch.so (2.11) exports one of its own, which crashes where a program links that library.
  static void remove(std::filesystem::path const& folder) {
    std::error_code unknown;
    if (!std::filesystem::exists(folder, unknown)) return;
    bool removed = true;
    for (auto const& name : entries(folder)) removed = ::unlink((folder / name).c_str()) == 0 && removed;
    if (!removed || ::rmdir(folder.c_str()) != 0)
      throw input_error("cannot remove '" + folder.string() + "': " + std::generic_category().message(errno) +
                        "; choose a folder that can be written");
  }
  static void rename(std::filesystem::path const& from, std::filesystem::path const& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) data::detail::fail_to_write(to, "rename", errno);
  }
  void put_aside(std::string const& name) const {
    std::filesystem::path aside = folder_ / (name + ".damaged");
    remove(aside);
    rename(folder_ / name, aside);
  }

  static bool finite(named_tensors const& tensors) {
    return std::all_of(tensors.begin(), tensors.end(),
                       [](auto const& each) { return each.second.detach().isfinite().all().template item<bool>(); });
  }

  // ---- writing ----

  void write(training_state const& state, std::string const& name) const {
    std::filesystem::path const whole = folder_ / name, unfinished = folder_ / (name + part);
    remove(unfinished);
    if (::mkdir(unfinished.c_str(), 0777) != 0) data::detail::fail_to_write(unfinished, "mkdir", errno);
    try {
      std::string sums;
      auto const put = [&](char const* file, auto const& give) {
        data::whole_file out(unfinished / file);
        data::sha256 sum;
        give([&](void const* bytes, std::size_t count) {
          sum.update(bytes, count);
          out.write(bytes, count);
        });
        out.commit(/*sync_its_folder=*/false);
        sums += sum.hex() + "  " + file + '\n';
      };
      auto const put_tensors = [&](char const* file, data::safetensors const& tensors) {
        put(file, [&](auto const& sink) { data::serialize(tensors, sink); });
      };
      auto const put_text = [&](char const* file, std::string const& text) {
        put(file, [&](auto const& sink) { sink(text.data(), text.size()); });
      };
      if (!state.averages.empty()) put_tensors("average.safetensors", detail::file_of(state.averages));
      put_tensors("model.safetensors", detail::file_of(state.leaves));
      put_text("state.json", json_of(state).dump(1, ' ', false, detail::json::error_handler_t::replace) + '\n');
      auto training = detail::file_of(state.momenta, "momentum.");
      training.tensors.merge(detail::file_of(state.generators, "generator.").tensors);
      put_tensors("training.safetensors", training);
      std::string const all = std::move(sums);
      put_text("SHA256SUMS", all);
      data::sync_folder(unfinished);
      rename(unfinished, whole);
    } catch (...) {
      try {
        remove(unfinished);
      } catch (input_error const&) {  // what went wrong first is more to the point, and the next start removes it
      }
      throw;
    }
    data::sync_folder(folder_);
  }

  static detail::json json_of(training_state const& state) {
    using detail::json;
    json epochs = json::array();
    for (auto const& each : state.report.epochs) epochs.push_back(detail::json_of(each));
    return {{"format", detail::checkpoint_format},
            {"task", state.report.start.task},
            {"type", state.type},
            {"parameters", state.report.start.parameters},
            {"samples", state.report.start.samples},
            {"intra_op_threads", at::get_num_threads()},
            {"steps_an_epoch", state.report.start.steps_an_epoch},
            {"seed", state.seed},
            {"recipe", detail::json_of(state.recipe)},
            {"epoch", state.now.epoch},
            {"step", state.step},
            {"iteration", state.now.iteration},
            {"skipped_in_a_row", state.in_a_row},
            {"skipped", state.report.skipped},
            {"this_epoch", detail::json_of(state.epoch)},
            {"epochs", epochs},
            {"unread_train", detail::json_of(state.train)},
            {"unread_test", detail::json_of(state.test)}};
  }

  // Keeps the last ones and the best ones.
  void remove_old(training_state const& state) const {
    std::vector<std::string> const names = newest_first();
    std::set<std::string> kept(names.begin(), names.begin() + std::min(std::ssize(names), static_cast<std::ptrdiff_t>(options_.last)));
    std::vector<std::pair<double, std::string>> scored;
    for (auto const& name : names) {
      auto const [epoch, step] = *place_of(name);
      if (options_.best > 0 && step == 0 && epoch > 0 && epoch <= std::ssize(state.report.epochs))
        scored.emplace_back(rank_of(state.report.epochs[static_cast<std::size_t>(epoch - 1)]), name);
    }
    std::sort(scored.begin(), scored.end());
    for (std::size_t i = 0; i < scored.size() && static_cast<std::int64_t>(i) < options_.best; ++i) kept.insert(scored[i].second);
    for (auto const& name : names) {
      if (kept.contains(name)) continue;
      // Under the name of something unfinished first, so that no half of it is ever taken for a checkpoint.
      rename(folder_ / name, folder_ / (name + part));
      remove(folder_ / (name + part));
    }
  }
  /// Smaller for a better score, and largest for one that is not a number.
  [[nodiscard]] double rank_of(epoch_record const& epoch) const {
    std::string known;
    for (auto const& stage : epoch.scores)
      for (auto const& [figure, value] : stage.values) {
        std::string const name = stage.stage + ' ' + figure;
        if (name == options_.score) return std::isnan(value) ? std::numeric_limits<double>::infinity() : -value;
        known += (known.empty() ? "'" : ", '") + name + "'";
      }
    throw input_error("no score is called '" + options_.score + "', by which the best checkpoints are chosen; write one of " + known);
  }

  // ---- reading ----

  static std::string text_of(std::filesystem::path const& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) throw input_error("cannot read '" + file.string() + "'; check that it is there and can be read");
    return std::move(text).str();
  }

  /// All parts, when every sum is right.
  static detail::read_checkpoint read_whole(std::filesystem::path const& folder) {
    std::string const sums = text_of(folder / "SHA256SUMS");
    std::vector<std::string> files{"model.safetensors", "state.json", "training.safetensors"};
    bool const averaged = sums.find("  average.safetensors\n") != std::string::npos;
    if (averaged) files.insert(files.begin(), "average.safetensors");
    std::string found;
    for (auto const& file : files) {
      std::string const line = data::sha256_of_file(folder / file) + "  " + file + '\n';
      if (sums.find(line) == std::string::npos)
        throw input_error("'" + (folder / file).string() + "' is damaged: its SHA-256 is not the one in SHA256SUMS");
      found += line;
    }
    if (found != sums) throw input_error("'" + (folder / "SHA256SUMS").string() + "' is damaged: it is not the list of the other files");
    detail::read_checkpoint read;
    read.model    = data::read_safetensors(folder / "model.safetensors");
    read.training = data::read_safetensors(folder / "training.safetensors");
    if (averaged) read.average = data::read_safetensors(folder / "average.safetensors");
    detail::read_state(text_of(folder / "state.json"), folder / "state.json", read);
    return read;
  }

  static void put_back(detail::read_checkpoint const& read, std::filesystem::path const& folder, training_state& state) {
    training_state const& there = read.state;
    compare("the task", "'" + there.report.start.task + "'", "'" + state.report.start.task + "'", folder);
    compare("the number of parameters", there.report.start.parameters, state.report.start.parameters, folder);
    check_tensors(read.model, state.leaves, "", folder);
    if (there.type != state.type) refuse(folder, "the types of the task's parts are others there");
    compare("the number of training samples", there.report.start.samples, state.report.start.samples, folder);
    compare("the seed", there.seed, state.seed, folder);
    for (std::size_t i = 0; i < std::max(there.recipe.size(), state.recipe.size()); ++i) {
      auto const value = [&](named_values const& of) { return i < of.size() ? detail::shortest(of[i].second) : std::string("not given"); };
      std::string const& name = i < there.recipe.size() ? there.recipe[i].first : state.recipe[i].first;
      compare("the recipe's " + recipe::setting_of(name), value(there.recipe), value(state.recipe), folder);
    }
    compare("the number of steps an epoch", there.report.start.steps_an_epoch, state.report.start.steps_an_epoch, folder);
    check_tensors(read.training, state.momenta, "momentum.", folder);
    check_tensors(read.average, state.averages, "", folder);

    copy(read.model, state.leaves, "");
    copy(read.training, state.momenta, "momentum.");
    copy(read.average, state.averages, "");
    state.generators.clear();
    for (auto const& [name, tensor] : read.training.tensors)
      if (name.starts_with("generator.")) state.generators.emplace_back(name.substr(std::string_view("generator.").size()), tensor);
    state.now            = there.now;
    state.step           = there.step;
    state.in_a_row       = there.in_a_row;
    state.epoch          = there.epoch;
    state.train          = there.train;
    state.test           = there.test;
    state.report.epochs  = there.report.epochs;
    state.report.skipped = there.report.skipped;
  }

  [[noreturn]] static void refuse(std::filesystem::path const& folder, std::string const& difference) {
    throw input_error("'" + folder.string() + "' is of another training: " + difference +
                      "; choose another folder, or take the parts that fit with c2f::load_weights");
  }
  static std::string there_and_here(std::string const& what, std::string const& there, std::string const& here) {
    return what + " is " + there + " there and " + here + " here";
  }

  static void compare(std::string const& what, std::string const& there, std::string const& here, std::filesystem::path const& folder) {
    if (there != here) refuse(folder, there_and_here(what, there, here));
  }
  template <std::integral V>
  static void compare(std::string const& what, V there, V here, std::filesystem::path const& folder) {
    compare(what, std::to_string(there), std::to_string(here), folder);
  }

  static void check_tensors(data::safetensors const& there, named_tensors const& here, std::string const& prefix,
                            std::filesystem::path const& folder) {
    auto const text = [](at::Tensor const& tensor) {
      std::string dims;
      for (auto const dim : tensor.sizes()) dims += (dims.empty() ? "" : ", ") + std::to_string(dim);
      return std::string(c10::toString(tensor.scalar_type())) + " [" + dims + "]";
    };
    std::set<std::string> known;
    for (auto const& [path, tensor] : here) {
      known.insert(prefix + path);
      auto const found = there.tensors.find(prefix + path);
      if (found == there.tensors.end()) refuse(folder, "it has no '" + prefix + path + "'");
      if (found->second.sizes() != tensor.sizes() || found->second.scalar_type() != tensor.scalar_type())
        refuse(folder, there_and_here("'" + prefix + path + "'", text(found->second), text(tensor)));
    }
    for (auto const& [name, tensor] : there.tensors)
      if (name.starts_with(prefix) && !known.contains(name)) refuse(folder, "it has a '" + name + "', which the task has not");
  }
  static void copy(data::safetensors const& from, named_tensors const& to, std::string const& prefix) {
    at::NoGradGuard const no_gradients;
    for (auto const& [path, tensor] : to) tensor.copy_(from.tensors.at(prefix + path));
  }

  static constexpr char const* part = ".part";
  std::filesystem::path folder_, restored_;
  checkpoint_options options_;
  data::detail::descriptor lock_;
  std::string saved_;  ///< the newest one that this training wrote or was restored from
};

}  // namespace c2f
