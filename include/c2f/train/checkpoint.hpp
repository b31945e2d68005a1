// c2f/train/checkpoint.hpp: checkpoint files, from which a training resumes bit for bit.
//
//   c2f::checkpoints kept(out / "checkpoints");                          // after every epoch, and when the training is stopped
//   c2f::checkpoints best(out / "checkpoints", {.every = 500, .last = 3, .best = 1, .score = "fine top1"});
//   auto report = c2f::fit(model, data, recipe, kept, on_ctrl_c);        // the same call again resumes from the newest one
//
// A checkpoint is a folder named epoch-EEEEE-step-SSSSSSS: the number of completed epochs, and of completed steps of the next one. It holds
//   model.safetensors      parameters and buffers by their paths; average.safetensors the moving average of recipe.ema(), if any;
//                          best.safetensors those of the best epoch with recipe.stop_early()
//   training.safetensors   optimiser state as "momentum.PATH", LibTorch's generators as "generator.cpu" and "generator.cuda"
//   state.json             task, recipe, seed, epoch and step, and the report so far (train/checkpoint_codec.hpp)
//   SHA256SUMS             the SHA-256 of these files, in the format of `sha256sum --check`
// The folder is written under a temporary name; its files and the folder are flushed to disk before it is renamed. So a killed program or a
// full disk leaves existing checkpoints intact. Reading a checkpoint executes no code from it.
//
// Before the first step the newest checkpoint with correct checksums is restored. Newer, damaged ones are reported through `warn` and
// renamed to "….damaged". Unfinished folders of a killed program are removed. Only one training at a time may use a folder. A model with a
// non-finite parameter, or with a buffer that became non-finite in the training, is not saved, and `warn` says so.
//
// The `last` newest checkpoints are kept, and the `best` ones with the highest `score`, which is "STAGE METRIC" as in the report ("coarse
// top1", "answer iou"), or with the lowest of an error ("fine mae"); older ones are deleted.
//
// Costs: memory for the text of state.json; the tensors are written one by one. Needs nlohmann/json and OpenSSL (-lcrypto).
// Errors: c2f::input_error if a folder or file cannot be written or read, if all checkpoints are damaged, if a checkpoint belongs to
// another task, data set or recipe (the message names the first difference), if there are checkpoints and options.resume is false, and if
// another training uses the folder.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/dims.hpp>
#include <c2f/data/io/safetensors.hpp>
#include <c2f/data/numbers.hpp>
#include <c2f/data/io/sha256.hpp>
#include <c2f/data/io/whole_file.hpp>
#include <c2f/train/checkpoint_codec.hpp>
#include <c2f/train/recipe.hpp>
#include <c2f/train/state.hpp>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
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
#include <tuple>
#include <utility>
#include <vector>

namespace c2f {

/// When checkpoints are written, and which ones are kept.
struct checkpoint_options {
  std::int64_t every                           = 0;     ///< also every so many steps; 0: only after epochs and when the training is stopped
  std::int64_t last                            = 2;     ///< the number of newest checkpoints to keep, 1 or more
  std::int64_t best                            = 0;     ///< the number of checkpoints with the best score to keep as well
  std::string score                            = {};    ///< the score for `best`, such as "fine top1"
  bool resume                                  = true;  ///< from the newest checkpoint; false: an existing checkpoint is an error
  std::function<void(std::string const&)> warn = [](std::string const& line) {
    std::fprintf(stderr, "%s\n", text::printable(line).c_str());
  };
};

/// An observer for fit: restores the newest checkpoint of a folder and writes new ones.
class checkpoints {
 public:
  explicit checkpoints(std::filesystem::path folder, checkpoint_options options = {})
      : root_(std::move(folder)), folder_(root_), options_(std::move(options)), lock_(-1) {
    if (options_.every < 0 || options_.last < 1 || options_.best < 0)
      throw input_error("checkpoint_options.every is " + std::to_string(options_.every) + ", .last is " + std::to_string(options_.last) +
                        " and .best is " + std::to_string(options_.best) + "; write 0 or more, 1 or more, 0 or more");
    if (options_.best == 0 && !options_.score.empty())
      throw input_error("the score '" + options_.score +
                        "' of checkpoint_options has no effect, since no best checkpoints are kept; write .best = 1 as well");
    if (options_.best > 0 && options_.score.empty())
      throw input_error(
          "the best checkpoints are to be kept, and no score is named; write .score = \"fine top1\" or another of the report");
  }

  /// Called by fit before a stage of a training in stages: from now on checkpoints are in the folder of that name within the given one.
  void on_stage(std::string const& name) {
    folder_ = root_ / name;
    lock_.reset(-1);
    last_.clear();
    restored_.clear();
  }

  /// The checkpoint that the training was resumed from; empty if there was none.
  [[nodiscard]] std::filesystem::path const& restored() const { return restored_; }

  /// The newest intact checkpoint of the folder, from which a training would be resumed; empty if there is none. For a model whose widths
  /// were changed: c2f::take_sizes(model, c2f::data::read_safetensors(kept.newest() / "model.safetensors")).
  [[nodiscard]] std::filesystem::path newest() const {
    if (!std::filesystem::exists(folder_)) return {};
    for (auto const& name : newest_first()) {
      try {
        read_whole(folder_ / name);
        return folder_ / name;
      } catch (input_error const&) {  // restore reports it
      }
    }
    return {};
  }

  /// Called by fit, before the first step: input_error if the score that decides which checkpoints are kept does not exist.
  [[nodiscard]] bool decides_by_scores() const { return options_.best > 0; }
  void check_scores(epoch_record const& epoch) const { (void)rank_of(epoch); }

  /// Called by fit: restores the newest intact checkpoint; false if there is none.
  bool restore(training_state& state) {
    prepare();
    last_.clear();
    infinite_.clear();
    for (auto const& [path, tensor] : state.model)
      if (!finite(tensor)) infinite_.insert(path);
    for (auto const& [path, parameter] : state.parameters) infinite_.erase(path);
    std::vector<std::string> const names = newest_first();
    if (!names.empty() && !options_.resume)
      throw input_error("'" + folder_.string() + "' holds checkpoints of a training, '" + names.front() +
                        "' the newest; resume it, or choose another folder");
    std::vector<std::pair<std::string, std::string>> damaged;  // name, and the error
    for (auto const& name : names) {
      std::optional<detail::read_checkpoint> read;
      try {
        read = read_whole(folder_ / name);
      } catch (input_error const& fault) {
        damaged.emplace_back(name, fault.what());
        continue;
      }
      restore_from(*read, folder_ / name, state);
      for (auto const& [other, fault] : damaged) {
        mark_damaged(other);
        options_.warn(fault + "; it was renamed to '" + other + ".damaged', and the training resumes from '" + name + "'");
      }
      if (read->intra_op_threads != at::get_num_threads())
        options_.warn("'" + (folder_ / name).string() + "' was made with OMP_NUM_THREADS=" + std::to_string(read->intra_op_threads) +
                      ", and it is " + std::to_string(at::get_num_threads()) + " now; from here on numbers may differ in their last bits");
      restored_ = folder_ / name;
      last_     = name;
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
    if (name == std::exchange(last_, name)) return;
    for (auto const& [path, tensor] : state.model)
      if (!infinite_.contains(path) && !finite(tensor)) {
        options_.warn("'" + (folder_ / name).string() + "' is not written, since '" + path +
                      "' of the model is no longer finite; lower the learning rate");
        return;
      }
    write(state, name);
    remove_old(state);
  }

 private:
  static std::string name_of(std::int64_t epoch, std::int64_t step) {
    char name[64];
    std::snprintf(name, sizeof name, "epoch-%05lld-step-%07lld", static_cast<long long>(epoch), static_cast<long long>(step));
    return name;
  }
  /// (epoch, step) of a checkpoint's name; nullopt for any other name.
  static std::optional<std::pair<std::int64_t, std::int64_t>> position_of(std::string const& name) {
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
    std::erase_if(names, [](auto const& name) { return !position_of(name); });
    std::sort(names.begin(), names.end(), [](auto const& a, auto const& b) { return position_of(a) > position_of(b); });
    return names;
  }

  // Creates and locks the folder, then removes unfinished checkpoints: with the lock held, no other program is writing them.
  void prepare() {
    std::error_code failed;
    std::filesystem::create_directories(folder_, failed);
    if (failed) data::detail::fail_to_write(folder_, "mkdir", failed.value());
    if (lock_.number() >= 0) return;
    lock_.reset(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock_.number() < 0) data::detail::fail_to_write(folder_, "open", errno);
    // Errors other than EWOULDBLOCK come from file systems that cannot lock.
    if (::flock(lock_.number(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      throw input_error("another training keeps its checkpoints in '" + folder_.string() +
                        "'; wait until it ends, or choose another folder");
    for (auto const& name : entries(folder_))
      if (name.ends_with(part) && position_of(name.substr(0, name.size() - std::string_view(part).size()))) remove(folder_ / name);
  }

  // Not std::filesystem::remove_all: libtorch_cpu.so (2.11) exports a copy of it, which programs call in place of their own library's.
  static void remove(std::filesystem::path const& folder) {
    std::error_code ignored;
    if (!std::filesystem::exists(folder, ignored)) return;
    bool removed = true;
    for (auto const& name : entries(folder)) removed = ::unlink((folder / name).c_str()) == 0 && removed;
    if (!removed || ::rmdir(folder.c_str()) != 0)
      throw input_error("cannot remove '" + folder.string() + "': " + std::generic_category().message(errno) +
                        "; choose a folder that can be written");
  }
  static void rename(std::filesystem::path const& from, std::filesystem::path const& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) data::detail::fail_to_write(to, "rename", errno);
  }
  void mark_damaged(std::string const& name) const {
    std::filesystem::path aside = folder_ / (name + ".damaged");
    remove(aside);
    rename(folder_ / name, aside);
  }

  static bool finite(at::Tensor const& tensor) { return tensor.detach().isfinite().all().item<bool>(); }

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
      auto const weights = [&](named_tensors const& values) {
        data::safetensors made = detail::file_of(values);
        if (!state.blocks.empty()) made.metadata[detail::blocks_entry] = state.blocks;
        return made;
      };
      if (!state.averages.empty()) put_tensors("average.safetensors", weights(state.averages));
      if (!state.best.empty()) put_tensors("best.safetensors", weights(state.best));
      put_tensors("model.safetensors", weights(state.model));
      put_text("state.json", detail::json_of(state).dump(1, ' ', false, detail::json::error_handler_t::replace) + '\n');
      auto training = detail::file_of(state.optimizer_state, "momentum.");
      training.tensors.merge(detail::file_of(state.generators, "generator.").tensors);
      put_tensors("training.safetensors", training);
      std::string const all = std::move(sums);
      put_text("SHA256SUMS", all);
      data::sync_folder(unfinished);
      rename(unfinished, whole);
    } catch (...) {
      try {
        remove(unfinished);
      } catch (input_error const&) {  // the first error is reported; the next start removes the folder
      }
      throw;
    }
    data::sync_folder(folder_);
  }

  // Removes all checkpoints except the last and the best ones.
  void remove_old(training_state const& state) const {
    std::vector<std::string> const names = newest_first();
    std::set<std::string> kept(names.begin(), names.begin() + std::min(std::ssize(names), static_cast<std::ptrdiff_t>(options_.last)));
    std::vector<std::pair<double, std::string>> scored;
    for (auto const& name : names) {
      auto const [epoch, step] = *position_of(name);
      if (options_.best > 0 && step == 0 && epoch > 0 && epoch <= std::ssize(state.report.epochs))
        scored.emplace_back(rank_of(state.report.epochs[static_cast<std::size_t>(epoch - 1)]), name);
    }
    std::sort(scored.begin(), scored.end());
    for (std::size_t i = 0; i < scored.size() && static_cast<std::int64_t>(i) < options_.best; ++i) kept.insert(scored[i].second);
    for (auto const& name : names) {
      if (kept.contains(name)) continue;
      // Renamed to an unfinished checkpoint first, so that a partly removed one is never restored.
      rename(folder_ / name, folder_ / (name + part));
      remove(folder_ / (name + part));
    }
  }
  /// The negated score, or the error, for sorting by ascending rank; infinite for NaN.
  [[nodiscard]] double rank_of(epoch_record const& epoch) const {
    double const gain = detail::score_of(epoch, options_.score, "the best checkpoints are chosen").gain();
    return std::isnan(gain) ? std::numeric_limits<double>::infinity() : -gain;
  }

  // ---- reading ----

  static std::string text_of(std::filesystem::path const& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) throw input_error("cannot read '" + file.string() + "'; check that it is there and can be read");
    return std::move(text).str();
  }

  /// Reads a checkpoint; input_error if a checksum does not match.
  static detail::read_checkpoint read_whole(std::filesystem::path const& folder) {
    std::string const sums = text_of(folder / "SHA256SUMS");
    std::vector<std::string> files{"model.safetensors", "state.json", "training.safetensors"};
    bool const averaged = sums.find("  average.safetensors\n") != std::string::npos;
    bool const has_best = sums.find("  best.safetensors\n") != std::string::npos;
    if (has_best) files.insert(files.begin(), "best.safetensors");
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
    if (has_best) read.best = data::read_safetensors(folder / "best.safetensors");
    detail::read_state(text_of(folder / "state.json"), folder / "state.json", read);
    return read;
  }

  static void restore_from(detail::read_checkpoint const& read, std::filesystem::path const& folder, training_state& state) {
    training_state const& there = read.state;
    compare("the task", "'" + there.report.start.task + "'", "'" + state.report.start.task + "'", folder);
    check_tensors(read.model, state.model, "", folder);
    auto const blocks = read.model.metadata.find(detail::blocks_entry);
    if ((blocks == read.model.metadata.end() ? std::string() : blocks->second) != state.blocks)
      refuse(folder, "its weights keep other channels apart");
    compare("the number of parameters", there.report.start.parameters, state.report.start.parameters, folder);  // some may be frozen
    if (there.type != state.type) refuse(folder, "the types of the task's parts, or the options of its model, differ");
    compare("the number of training samples", there.report.start.samples, state.report.start.samples, folder);
    if (there.train_data.size > 0) {  // else of a version that did not store it
      for (auto const& [what, other, own] : {std::tuple{"training data", &there.train_data, &state.train_data},
                                             std::tuple{"data that are scored", &there.scored_data, &state.scored_data}})
        if (std::string const found = data::difference(*other, *own); !found.empty())
          refuse(folder, std::string("of the ") + what + ", " + found);
    }
    compare("the seed", there.seed, state.seed, folder);
    for (std::size_t i = 0; i < std::max(there.recipe.size(), state.recipe.size()); ++i) {
      std::string const& name = i < there.recipe.size() ? there.recipe[i].first : state.recipe[i].first;
      auto const value        = [&](named_values const& of) {
        return i < of.size() && of[i].first == name ? data::detail::text_of(of[i].second) : std::string("not given");
      };
      compare("the recipe's " + recipe::setting_of(name), value(there.recipe), value(state.recipe), folder);
    }
    compare("the number of steps an epoch", there.report.start.steps_an_epoch, state.report.start.steps_an_epoch, folder);
    check_tensors(read.training, state.optimizer_state, "momentum.", folder);
    check_tensors(read.average, state.averages, "", folder);
    check_tensors(read.best, state.best, "", folder);

    copy(read.model, state.model, "");
    copy(read.training, state.optimizer_state, "momentum.");
    copy(read.average, state.averages, "");
    copy(read.best, state.best, "");
    state.generators.clear();
    for (auto const& [name, tensor] : read.training.tensors)
      if (name.starts_with("generator.")) state.generators.emplace_back(name.substr(std::string_view("generator.").size()), tensor);
    state.now              = there.now;
    state.step             = there.step;
    state.skipped_in_a_row = there.skipped_in_a_row;
    state.epoch            = there.epoch;
    state.train            = there.train;
    state.test             = there.test;
    state.report.epochs    = there.report.epochs;
    state.report.skipped   = there.report.skipped;
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
      return std::string(c10::toString(tensor.scalar_type())) + ' ' + detail::dims_of(tensor);
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
      if (name.starts_with(prefix) && !known.contains(name)) refuse(folder, "it has a '" + name + "', which the task does not have");
  }
  static void copy(data::safetensors const& from, named_tensors const& to, std::string const& prefix) {
    at::NoGradGuard const no_gradients;
    for (auto const& [path, tensor] : to) tensor.copy_(from.tensors.at(prefix + path));
  }

  static constexpr char const* part = ".part";
  std::filesystem::path root_, folder_, restored_;  ///< folder_: root_, or the folder of a stage in it
  checkpoint_options options_;
  data::detail::descriptor lock_;
  std::string last_;                ///< the newest checkpoint that this training wrote, left out or was resumed from
  std::set<std::string> infinite_;  ///< buffers that are not finite from the beginning, such as attention masks
};

}  // namespace c2f
