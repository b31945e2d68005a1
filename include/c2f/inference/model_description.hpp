// c2f/inference/model_description.hpp: what a model folder says about its weights: model.json.
//
//   c2f::model_description about{.task = "pets", .kind = "class_vector", .classes = {"Abyssinian", "Bengal"}, .height = 96, .width = 96};
//   std::string const text = c2f::text_of(about);
//   c2f::model_description const again = c2f::parse_model_description(text, "model.json");
//
// The format is "c2f model 1": one JSON object. It holds names and numbers only: nothing in it names a file or is executed. Members that
// are not known are ignored, so that later versions can add some.
//
// Needs nlohmann/json, header only. Cost: memory of some ten times the file's size, which is at most 4 MiB.
// Errors: c2f::input_error, one line with the file's name, for a text that is not such an object: no JSON, a member that is missing, of
// another type or out of range.
#pragma once

#include <c2f/core/errors.hpp>
#include <c2f/core/text.hpp>
#include <c2f/data/fitted_picture.hpp>
#include <c2f/data/draw/canvas.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace c2f {

/// Name and value of the scores of a stage: {"fine", {{"top1", .7}}}.
struct described_score {
  std::string stage;
  std::vector<std::pair<std::string, double>> values;
};

/// How a number of a regression is trained: (number - mean) / deviation.
struct described_unit {
  double mean = 0, deviation = 1;
};

/// What a model folder says about its weights.
struct model_description {
  std::string task{};                                        ///< the task's name
  std::vector<std::pair<std::string, std::string>> parts{};  ///< the task's parts by name, as types
  std::string kind{};                                        ///< "class_vector", "boxes" or "dense", or one of your own
  std::vector<std::string> classes{};                ///< in the order of the network's outputs; of a regression the names of its numbers
  std::int64_t channels = 3, height = 0, width = 0;  ///< of the input
  data::normalisation normalised{};                  ///< how bytes become the network's input
  data::resizing resize = data::resizing::stretch;   ///< how a picture of another size becomes one of this size
  std::vector<data::colour> palette{};               ///< for masks: a colour a class
  std::vector<std::uint8_t> mask_values{};           ///< for masks: the byte of each class in files; empty: its number
  std::vector<described_unit> units{};               ///< of a regression: of each number; empty: 0 and 1
  std::vector<described_score> scores{};             ///< on the data's test split, or whatever was scored last
  std::string data{};                                ///< where it was trained: name of the data
  std::int64_t samples = 0;                          ///< the number of samples it was trained on
  std::string fingerprint{};                         ///< a hash of which samples these were
  std::vector<std::pair<std::string, std::string>> training{};  ///< how it was trained: settings by name
  int version = 0;                                              ///< C2F_VERSION of the program that wrote it
  std::string compiler{};                                       ///< that compiled it: `parts` are spelled its way
  std::string weights_sha256{};                                 ///< of weights.safetensors
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> widths{};  ///< sizes of tensors that are not those of the task's type
};

inline constexpr char model_format[]                 = "c2f model 1";
inline constexpr std::size_t largest_model_json      = std::size_t{1} << 22;
inline constexpr std::int64_t largest_described_side = 65536, largest_described_class_count = 100000;

namespace detail {

using description_json = nlohmann::ordered_json;

inline constexpr std::array<std::pair<data::resizing, char const*>, 3> resizing_names{
    {{data::resizing::stretch, "stretch"}, {data::resizing::letterbox, "letterbox"}, {data::resizing::crop, "crop"}}};

/// The shortest decimal number that is read as this float.
inline double decimal(float value) {
  std::array<char, 32> text{};
  auto const end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double found   = value;
  std::from_chars(text.data(), end, found);
  return found;
}
inline description_json numbers_of(std::array<float, 3> const& values) {
  return {decimal(values[0]), decimal(values[1]), decimal(values[2])};
}

/// Reads the members of one JSON object; every error names the file and the member.
class description_reader {
 public:
  description_reader(description_json const& from, std::string file, std::string where = "")
      : from_(from), file_(std::move(file)), where_(std::move(where)) {
    if (!from_.is_object()) fail(where_.empty() ? "is no JSON object" : "has a member '" + where_ + "' that is no object");
  }
  [[noreturn]] void fail(std::string const& what) const {
    throw input_error("'" + file_ + "' is not the model.json of a model: it " + what + "; save the model again, or copy the whole folder");
  }
  [[nodiscard]] description_json const& member(char const* name) const {
    auto const found = from_.find(name);
    if (found == from_.end()) fail("has no member '" + path(name) + "'");
    return *found;
  }
  [[nodiscard]] description_reader object(char const* name) const { return {member(name), file_, path(name)}; }
  [[nodiscard]] std::string text(char const* name, std::size_t longest = 4096) const { return text(member(name), name, longest); }
  [[nodiscard]] std::string text(description_json const& value, char const* name, std::size_t longest = 4096) const {
    if (!value.is_string()) fail("has a member '" + path(name) + "' that is no text");
    auto const& found = value.get_ref<std::string const&>();
    if (found.size() > longest) fail("has a text of " + std::to_string(found.size()) + " bytes in '" + path(name) + "'");
    if (std::any_of(found.begin(), found.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }))
      fail("has control characters in '" + path(name) + "'");
    return found;
  }
  [[nodiscard]] std::int64_t whole(char const* name, std::int64_t least, std::int64_t most) const {
    return whole(member(name), name, least, most);
  }
  [[nodiscard]] std::int64_t whole(description_json const& value, char const* name, std::int64_t least, std::int64_t most) const {
    bool const fits = value.is_number_integer() && (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t{1} << 62);
    if (!fits || value.get<std::int64_t>() < least || value.get<std::int64_t>() > most)
      fail("has a member '" + path(name) + "' that is no whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return value.get<std::int64_t>();
  }
  [[nodiscard]] double number(description_json const& value, char const* name) const {
    if (!value.is_number() || !std::isfinite(value.get<double>())) fail("has a member '" + path(name) + "' that is no number");
    return value.get<double>();
  }
  [[nodiscard]] description_json const& list(char const* name, std::size_t most) const {
    description_json const& found = member(name);
    if (!found.is_array()) fail("has a member '" + path(name) + "' that is no list");
    if (found.size() > most) fail("has a member '" + path(name) + "' of " + std::to_string(found.size()) + " elements");
    return found;
  }
  [[nodiscard]] std::array<float, 3> three(char const* name, bool positive) const {
    description_json const& found = list(name, 3);
    if (found.size() != 3) fail("has a member '" + path(name) + "' that is no list of three numbers");
    std::array<float, 3> made{};
    for (std::size_t i = 0; i < 3; ++i) {
      made[i] = static_cast<float>(number(found[i], name));
      if (!std::isfinite(made[i]) || (positive && !(made[i] > 0))) fail("has a member '" + path(name) + "' that is out of range");
    }
    return made;
  }

 private:
  [[nodiscard]] std::string path(char const* name) const { return where_.empty() ? name : where_ + '.' + name; }
  description_json const& from_;
  std::string file_, where_;
};

}  // namespace detail

/// The text of model.json. Texts that are no UTF-8 are written as \\xHH.
[[nodiscard]] inline std::string text_of(model_description const& about) {
  using json      = detail::description_json;
  auto const utf8 = [](std::string const& from) { return text::utf8(from); };
  json parts = json::object(), scores = json::object(), classes = json::array(), palette = json::array();
  for (auto const& [name, type] : about.parts) parts[utf8(name)] = utf8(type);
  for (auto const& stage : about.scores) {
    json& values = scores[utf8(stage.stage)] = json::object();
    for (auto const& [name, value] : stage.values)
      if (std::isfinite(value)) values[utf8(name)] = value;
  }
  for (auto const& name : about.classes) classes.push_back(text::printable(name));
  json units = json::array();
  for (auto const& each : about.units) units.push_back({each.mean, each.deviation});
  for (auto const& each : about.palette) palette.push_back({each.red, each.green, each.blue});
  char const* resize = "stretch";
  for (auto const& [how, name] : detail::resizing_names)
    if (how == about.resize) resize = name;
  json all{{"format", model_format},
           {"version", about.version},
           {"compiler", utf8(about.compiler)},
           {"task", text::printable(about.task)},
           {"kind", utf8(about.kind)},
           {"parts", parts},
           {"classes", classes},
           {"input", {{"channels", about.channels}, {"height", about.height}, {"width", about.width}}},
           {"normalisation",
            {{"mean", detail::numbers_of(about.normalised.mean)}, {"deviation", detail::numbers_of(about.normalised.deviation)}}},
           {"resizing", resize},
           {"palette", palette},
           {"mask_values", about.mask_values},
           {"data", {{"name", text::printable(about.data)}, {"samples", about.samples}, {"fingerprint", utf8(about.fingerprint)}}},
           {"scores", scores},
           {"weights_sha256", utf8(about.weights_sha256)}};
  if (!about.units.empty()) all["units"] = units;
  if (!about.training.empty()) {
    json& settings = all["training"] = json::object();
    for (auto const& [name, value] : about.training) settings[utf8(name)] = utf8(value);
  }
  if (!about.widths.empty()) {
    json& sizes = all["widths"] = json::object();
    for (auto const& [path, dims] : about.widths) sizes[utf8(path)] = dims;
  }
  return all.dump(2) + '\n';
}

/// Reads the text of a model.json; `file` is used in messages.
[[nodiscard]] inline model_description parse_model_description(std::string_view text, std::string const& file) {
  using json       = detail::description_json;
  json const whole = text.size() > largest_model_json ? json() : json::parse(text, nullptr, false);
  if (whole.is_discarded())
    throw input_error("'" + file + "' is not the model.json of a model: it is no JSON; save the model again, or copy the whole folder");
  detail::description_reader const from(whole, file);
  if (std::string const format = from.text("format"); format != model_format)
    from.fail("has the format '" + text::printable(format, 40) + "' and not '" + model_format + "'");
  model_description made;
  made.version      = static_cast<int>(from.whole("version", 0, 1 << 30));
  made.compiler     = from.text("compiler");
  made.task         = from.text("task");
  made.kind         = from.text("kind");
  json const& parts = from.member("parts");
  if (!parts.is_object() || parts.size() > 64) from.fail("has a member 'parts' that is no object of up to 64 texts");
  for (auto const& [name, type] : parts.items()) made.parts.emplace_back(name, from.text(type, "parts", largest_model_json));
  for (json const& name : from.list("classes", largest_described_class_count)) made.classes.push_back(from.text(name, "classes"));
  auto const input         = from.object("input");
  made.channels            = input.whole("channels", 1, 4096);
  made.height              = input.whole("height", -1, largest_described_side);
  made.width               = input.whole("width", -1, largest_described_side);
  auto const norms         = from.object("normalisation");
  made.normalised          = {norms.three("mean", false), norms.three("deviation", true)};
  std::string const resize = from.text("resizing");
  auto const known =
      std::find_if(detail::resizing_names.begin(), detail::resizing_names.end(), [&](auto const& each) { return resize == each.second; });
  if (known == detail::resizing_names.end()) from.fail("has the resizing '" + text::printable(resize, 40) + "', which is unknown");
  made.resize = known->first;
  for (json const& each : from.list("palette", 256)) {
    if (!each.is_array() || each.size() != 3) from.fail("has a member 'palette' that is no list of colours");
    auto const byte = [&](std::size_t i) { return static_cast<std::uint8_t>(from.whole(each[i], "palette", 0, 255)); };
    made.palette.push_back({byte(0), byte(1), byte(2)});
  }
  for (json const& each : from.list("mask_values", 256))
    made.mask_values.push_back(static_cast<std::uint8_t>(from.whole(each, "mask_values", 0, 255)));
  if (whole.contains("units"))
    for (json const& each : from.list("units", largest_described_class_count)) {
      if (!each.is_array() || each.size() != 2) from.fail("has a member 'units' that is no list of pairs of numbers");
      auto& unit = made.units.emplace_back(described_unit{from.number(each[0], "units"), from.number(each[1], "units")});
      if (!(unit.deviation > 0)) from.fail("has a member 'units' with a deviation that is not above 0");
    }
  if (!made.units.empty() && made.units.size() != made.classes.size())
    from.fail("has " + std::to_string(made.units.size()) + " 'units' for " + std::to_string(made.classes.size()) + " numbers");
  auto const data    = from.object("data");
  made.data          = data.text("name");
  made.samples       = data.whole("samples", 0, std::int64_t{1} << 53);
  made.fingerprint   = data.text("fingerprint");
  json const& scores = from.member("scores");
  if (!scores.is_object() || scores.size() > 256) from.fail("has a member 'scores' that is no object of up to 256 stages");
  for (auto const& [stage, values] : scores.items()) {
    if (!values.is_object() || values.size() > 256) from.fail("has a member 'scores' that is no object of objects");
    auto& into = made.scores.emplace_back(described_score{stage, {}});
    for (auto const& [name, value] : values.items()) into.values.emplace_back(name, from.number(value, "scores"));
  }
  made.weights_sha256 = from.text("weights_sha256");
  if (whole.contains("training")) {  // not in folders of older versions
    json const& settings = from.member("training");
    if (!settings.is_object() || settings.size() > 256) from.fail("has a member 'training' that is no object of up to 256 texts");
    for (auto const& [name, value] : settings.items()) made.training.emplace_back(name, from.text(value, "training"));
  }
  if (whole.contains("widths")) {  // of a network whose widths were changed
    json const& sizes = from.member("widths");
    if (!sizes.is_object() || sizes.size() > 65536) from.fail("has a member 'widths' that is no object of lists");
    for (auto const& [path, dims] : sizes.items()) {
      if (!dims.is_array() || dims.size() > 8) from.fail("has a member 'widths' that is no object of lists");
      auto& into = made.widths.emplace_back(path, std::vector<std::int64_t>{}).second;
      for (json const& each : dims) into.push_back(from.whole(each, "widths", 0, std::int64_t{1} << 31));
    }
  }
  return made;
}

}  // namespace c2f
