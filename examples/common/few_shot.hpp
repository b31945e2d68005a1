// Shared by the few-shot programs: the data sets, the network of the base classes, trained once and stored, and the report of episodes.
#pragma once

#include "common/train.hpp"

#include <c2f/data/datasets/cifar_few_shot.hpp>
#include <c2f/data/episodes.hpp>
#include <c2f/data/datasets/image_folder.hpp>
#include <c2f/data/datasets/omniglot.hpp>
#include <c2f/data/io/weights.hpp>
#include <c2f/metrics/interval.hpp>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace program {

/// A data set with base classes for training and novel classes for evaluation; the number of base classes is a constant.
struct cifar_fs_set {
  using image                                = c2f::image<3, 32, 32>;
  static constexpr std::int64_t base_classes = 64;
  static auto open(std::filesystem::path const& folder) { return c2f::data::cifar_fs(folder); }
};
struct fc100_set {
  using image                                = c2f::image<3, 32, 32>;
  static constexpr std::int64_t base_classes = 60;
  static auto open(std::filesystem::path const& folder) { return c2f::data::fc100(folder); }
};
struct mini_imagenet_set {
  using image                                = c2f::image<3, 84, 84>;
  static constexpr std::int64_t base_classes = 64;
  static auto open(std::filesystem::path const& folder) { return c2f::data::image_folder<84>(folder); }
};
/// Outputs for the 964 characters of the background set in four rotations; the small sets use only some of them.
struct omniglot_set {
  using image                                = c2f::image<1, 28, 28>;
  static constexpr std::int64_t base_classes = 4 * 964;
  static auto open(std::filesystem::path const& folder) {
    auto const either = [&](char const* whole, char const* small) {
      return std::vector{program::exists(folder / whole) ? folder / whole : folder / small};
    };
    return c2f::data::omniglot<28>({.base      = either("images_background.zip", "images_background_small1.zip"),
                                    .novel     = either("images_evaluation.zip", "images_background_small2.zip"),
                                    .rotations = true});
  }
};
/// All background alphabets that exist in the folder as base classes, and the official runs, whose alphabets are others.
struct omniglot_runs_set : omniglot_set {
  static auto open(std::filesystem::path const& folder) {
    std::vector<std::filesystem::path> zips;
    for (char const* name : {"images_background.zip", "images_background_small1.zip", "images_background_small2.zip"})
      if (program::exists(folder / name)) zips.push_back(folder / name);
    struct {
      c2f::data::omniglot_split<28> base;
      std::vector<c2f::data::omniglot_run> runs;
    } data{{"Omniglot background", zips, true}, c2f::data::omniglot_runs<28>(folder / "all_runs.zip")};
    return data;
  }
};

/// An episode's tensors: support samples of `way` classes, and queries to classify.
struct problem {
  at::Tensor support, query;                               ///< [S, C, H, W], [Q, C, H, W]
  std::vector<std::int64_t> support_labels, query_labels;  ///< 0 ... way - 1
};

/// The problems of a data set: episodes of its novel classes, or the official runs, which have one support sample of each of 20 classes.
template <class Data>
class problems {
 public:
  problems(Data const& data, c2f::data::episode_options const& options) : data_(data), episodes_(data.novel, options) {}
  [[nodiscard]] problem at(std::int64_t number) const {
    auto const episode = episodes_.at(number);
    return {c2f::data::read_samples(data_.novel, episode.support), c2f::data::read_samples(data_.novel, episode.query),
            episode.support_labels(), episode.query_labels()};
  }

 private:
  Data const& data_;
  c2f::data::episodes episodes_;
};
template <class Data>
  requires requires(Data const& data) { data.runs; }
class problems<Data> {
 public:
  problems(Data const& data, c2f::data::episode_options const&) : data_(data) {}
  [[nodiscard]] problem at(std::int64_t number) const {
    auto const& run = data_.runs.at(static_cast<std::size_t>(number));
    std::vector<std::int64_t> support_labels(run.labels.size());
    std::iota(support_labels.begin(), support_labels.end(), 0);
    return {run.support, run.query, support_labels, run.labels};
  }

 private:
  Data const& data_;
};

/// The file of the base network, by default in --out. If it is there, options of its training are refused, but with --resume, whose command
/// is that of before.
inline void choose_base(options const& chosen, std::filesystem::path& file) {
  if (file.empty()) file = chosen.out / "base.safetensors";
  if (program::exists(file) && !chosen.resume)
    refuse_typed(chosen,
                 {"--epochs", "--batch", "--learning-rate", "--limit", "--strict", "--ema", "--clip", "--accumulate", "--patience",
                  "--probe", "--probe-every", "--checkpoint-every"},
                 "with the base network in '" + file.string() + "', which is trained");
}
/// Trains a stack on base classes and writes it to `file`, unless the file exists. A fiftieth of each class is held out for testing. False
/// if the training was stopped, so that there is no network to go on with.
template <class Task, class Split>
bool base_network(Split const& base, options const& chosen, std::filesystem::path const& file) {
  if (program::exists(file)) return true;
  check_folder(file.has_parent_path() ? file.parent_path() : ".", "the folder of --base");
  auto const classes = static_cast<std::int64_t>(base.classes().size());
  auto const data    = c2f::data::hold_out(base, std::max<std::int64_t>(1, base.size() / classes / 50));
  c2f::stack<Task> model(chosen.seed);
  auto const report = train(model, limited(data, chosen), chosen, "base classes of " + base.name());
  if (report.stopped) {
    say("the training of the base classes was stopped, so nothing is evaluated; type the same command with --resume");
    return false;
  }
  if (file.has_parent_path()) prepare_folder(file.parent_path(), "--base");
  if (first_process()) c2f::save_weights(model, file);
  wait_for_all();  // who read it
  return true;
}

/// Accuracies by stage, one an episode.
using accuracies = std::map<std::string, std::vector<double>>;

/// Prints mean and 95 % interval of every stage and writes them to few_shot.json. `stopped`: by a signal, so that episodes are missing.
inline void report_episodes(accuracies const& seen, options const& chosen, bool stopped) {
  if (stopped) std::printf("stopped after %zu episodes\n", seen.empty() ? 0 : seen.begin()->second.size());
  nlohmann::ordered_json json;
  for (auto const& [name, value] : chosen.given) json["options"][name] = json_of_word(value);
  for (auto const& [stage, values] : seen) {  // none if no episode was finished
    auto const found = c2f::metrics::mean_interval(values);
    std::printf("%-7s %6.2f %% +- %.2f (%ld episodes)\n", stage.c_str(), 100 * found.mean, 100 * found.half,
                static_cast<long>(found.count));
    json["scores"][stage] = {{"accuracy", found.mean}, {"interval", found.half}, {"episodes", found.count}};
  }
  json["stopped"] = stopped;
  prepare_folder(chosen.out);
  write_json(chosen.out / "few_shot.json", json);
}

/// The fraction of queries that are classified correctly; c2f::not_finite for logits that are not finite, of which argmax would be a class.
inline double accuracy(at::Tensor const& logits, std::vector<std::int64_t> const& labels) {
  if (!logits.isfinite().all().item<bool>())
    throw c2f::not_finite("the logits of an episode are not finite: its training diverged; lower --tune-learning-rate");
  at::Tensor const predictions = logits.argmax(1).to(at::kCPU, at::kLong).contiguous();
  std::int64_t const* each     = predictions.const_data_ptr<std::int64_t>();
  std::int64_t correct         = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) correct += each[i] == labels[i];
  return static_cast<double>(correct) / static_cast<double>(labels.size());
}

}  // namespace program
