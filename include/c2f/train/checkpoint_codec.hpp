// c2f/train/checkpoint_codec.hpp: converts the state of a training to JSON and safetensors, and back.
//
//   std::string const text = c2f::detail::json_of(state).dump();
//   c2f::detail::read_checkpoint read;
//   c2f::detail::read_state(text, "state.json", read);
//
// The format is "c2f checkpoint 1"; train/checkpoint.hpp describes the files. Doubles are restored bit for bit.
// Error: c2f::input_error, with the file's name, for a text that is not the state of a training.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/data/io/safetensors.hpp>
#include <c2f/train/state.hpp>

#include <ATen/Parallel.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

namespace c2f {

namespace detail {

using json                                     = nlohmann::ordered_json;
inline constexpr char const* checkpoint_format = "c2f checkpoint 1";

// Doubles are restored bit for bit: finite ones from their shortest decimal form, infinities and NaN from their bits.
inline json json_of(double value) { return std::isfinite(value) ? json(value) : json{{"bits", std::bit_cast<std::uint64_t>(value)}}; }
inline double double_of(json const& from) {
  return from.is_object() ? std::bit_cast<double>(from.at("bits").get<std::uint64_t>()) : from.get<double>();
}
inline json json_of(named_values const& values) {
  json list = json::array();
  for (auto const& [name, value] : values) list.push_back({name, json_of(value)});
  return list;
}
/// A string without control characters, since it may become part of a one-line message.
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
  epoch.learning_rate  = double_of(from.at("rate"));
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

inline json json_of(data::split_identity const& of) {
  json made{{"size", of.size}, {"classes", of.classes}, {"samples", of.samples}};
  if (of.settings) made["settings"] = json_of(*of.settings);
  return made;
}
inline data::split_identity identity_of(json const& from) {
  data::split_identity found{from.at("size").get<std::int64_t>(), {}, from.at("samples").get<std::uint64_t>()};
  for (auto const& each : from.at("classes")) found.classes.push_back(line_of(each));
  if (from.contains("settings")) found.settings = values_of(from.at("settings"));  // not in checkpoints of older versions
  return found;
}

inline data::safetensors file_of(named_tensors const& tensors, std::string const& prefix = {}) {
  data::safetensors file;
  for (auto const& [path, tensor] : tensors) file.tensors.emplace(prefix + path, tensor);
  return file;
}

inline json json_of(training_state const& state) {
  json epochs = json::array();
  for (auto const& each : state.report.epochs) epochs.push_back(json_of(each));
  return {{"format", checkpoint_format},
          {"task", state.report.start.task},
          {"type", state.type},
          {"parameters", state.report.start.parameters},
          {"samples", state.report.start.samples},
          {"intra_op_threads", at::get_num_threads()},
          {"steps_an_epoch", state.report.start.steps_an_epoch},
          {"seed", state.seed},
          {"recipe", json_of(state.recipe)},
          {"train_data", json_of(state.train_data)},
          {"scored_data", json_of(state.scored_data)},
          {"epoch", state.now.epoch},
          {"step", state.step},
          {"iteration", state.now.iteration},
          {"skipped_in_a_row", state.skipped_in_a_row},
          {"skipped", state.report.skipped},
          {"this_epoch", json_of(state.epoch)},
          {"epochs", epochs},
          {"unread_train", json_of(state.train)},
          {"unread_test", json_of(state.test)}};
}

/// The contents of a checkpoint in memory, before anything is restored.
struct read_checkpoint {
  training_state state;  ///< without its tensors
  int intra_op_threads = 0;
  data::safetensors model, training, average, best;
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
  if (from.contains("train_data")) {  // not in checkpoints of older versions
    state.train_data  = identity_of(from.at("train_data"));
    state.scored_data = identity_of(from.at("scored_data"));
  }
  state.now.epoch        = from.at("epoch").get<std::int64_t>();
  state.now.iteration    = from.at("iteration").get<std::int64_t>();
  state.step             = from.at("step").get<std::int64_t>();
  state.skipped_in_a_row = from.at("skipped_in_a_row").get<std::int64_t>();
  state.report.skipped   = from.at("skipped").get<std::int64_t>();
  state.epoch            = epoch_of(from.at("this_epoch"));
  state.train            = replacements_of(from.at("unread_train"));
  state.test             = replacements_of(from.at("unread_test"));
  for (auto const& each : from.at("epochs")) state.report.epochs.push_back(epoch_of(each));
}

/// Parses a state.json; input_error if it is invalid. `file` is used in messages.
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
    throw input_error("'" + file.string() + "' has an impossible progress: epoch " + std::to_string(at.now.epoch) + ", step " +
                      std::to_string(at.step));
}

}  // namespace detail

}  // namespace c2f
