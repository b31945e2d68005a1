#include "c2f/commands.hpp"
#include "c2f/drawing.hpp"

#include "common/program.hpp"

#include <c2f/core/text.hpp>
#include <c2f/data/split.hpp>
#include <c2f/kinds/multi_label.hpp>
#include <c2f/metrics/bootstrap.hpp>
#include <c2f/metrics/confusion.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

namespace tool {

namespace {

using c2f::metrics::confusion;
using json = nlohmann::ordered_json;

/// The classes of the data as numbers of the model's classes.
std::vector<std::int64_t> classes_in_model(found_data const& data, std::vector<std::string> const& of_model) {
  std::vector<std::int64_t> numbers;
  for (auto const& name : data.classes) {
    auto const at = std::find(of_model.begin(), of_model.end(), c2f::text::printable(name));
    if (at == of_model.end())
      throw c2f::input_error("the data have the class '" + c2f::text::printable(name, 40) +
                             "', which the model does not have; evaluate it on data of its classes");
    numbers.push_back(at - of_model.begin());
  }
  return numbers;
}

/// The words of --mask-values that a model was trained with.
std::vector<std::string> mask_values_of(c2f::model_description const& about) {
  std::vector<std::string> words;
  for (auto const& [name, value] : about.training)
    if (name == "mask-values")
      for (std::size_t at = 0; at < value.size();) {
        std::size_t const end = std::min(value.find(',', at), value.size());
        words.push_back(value.substr(at, end - at));
        at = end + 1;
      }
  if (words.empty())  // a model of an older version
    for (std::size_t k = 0; k < about.mask_values.size(); ++k)
      words.push_back(std::to_string(about.mask_values[k]) + '=' + about.classes[k]);
  return words;
}

/// What is not typed of how data are read and split, as at the training of the model; older models do not say it.
void read_as_trained(data_options& options, c2f::model_description const& about) {
  for (auto const& [name, value] : about.training) {
    if (program::is_typed(options.typed, "--" + name)) continue;
    auto const number = [&](auto& into) {
      auto const read = std::from_chars(value.data(), value.data() + value.size(), into);
      if (read.ec != std::errc() || read.ptr != value.data() + value.size())
        throw c2f::input_error("the model was trained with --" + name + ' ' + c2f::text::printable(value, 40) +
                               ", which is no number; write --" + name);
    };
    if (name == "validation") number(options.validation);
    if (name == "test") number(options.test);
    if (name == "split-seed") number(options.split_seed);
    if (name == "class-from") options.boxes.class_from = value;
    if (name == "objects") options.boxes.objects = value;
  }
  if (about.kind == "dense" && options.mask_values.empty()) options.mask_values = mask_values_of(about);
  bool const named = about.kind == "dense" || (about.kind == "boxes" && options.boxes.class_from != "any");
  if (named && options.classes.empty()) options.classes = about.classes;
}

/// Says it where the data are those of the training by their name, and their training part is another one.
void compare_with_training(found_data const& data, c2f::model_description const& about, std::string const& part) {
  if (part == part_names[0] || about.data != data.root.lexically_normal().filename().string() + ", " + data.layout) return;
  struct {  // named as the splits of the training
    found_data const& data;
    std::int64_t size() const { return data.size(0); }
    std::string name_of(std::int64_t id) const {
      std::string const file = data.kind == kind::boxes ? data.file(0, id).filename().string() : "";
      return file.empty() ? data.name(0, id) : file;
    }
  } const training{data};
  if (about.fingerprint != std::to_string(c2f::data::detail::samples_hash(training)))
    program::say(
        "note: the training part of these data is not the one that the model was trained on, so it may have been trained on samples "
        "of the part '" +
        part + "'; split them by the --validation, --test and --split-seed of the training");
}

struct figure {
  std::string name;
  double value;
  c2f::metrics::bounds within;
  bool in_percent = true;
};

std::string percent(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", 100 * value);
  return std::isnan(value) ? "-" : text;
}

std::string as_text(double value, bool in_percent) {
  if (in_percent) return percent(value);
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return std::isnan(value) ? "-" : text;
}

/// A confusion matrix as a picture: rows are truths, each cell its share of the row.
void draw_confusion(confusion const& matrix, std::vector<std::string> const& names, std::filesystem::path const& file) {
  auto const count = static_cast<int>(matrix.classes());
  int const cell = std::clamp(900 / count, 8, 64), left = 190, top = 190;
  c2f::data::canvas page(left + count * cell + 20, top + count * cell + 20);
  c2f::data::colour const ink{40, 40, 40};
  page.text(12, 12, "rows: truth", ink, 2);
  page.text(12, 36, "columns: answer", ink, 2);
  for (int t = 0; t < count; ++t) {
    std::string const name = c2f::text::printable(names[static_cast<std::size_t>(t)], 14);
    if (cell >= 12) {
      page.text(12, top + t * cell + cell / 2 - 6, name, ink, 1.8);
      // Names of columns as steps, since the font is horizontal only.
      int const y = 64 + t % 6 * 20;
      page.text(std::min(left + t * cell, page.width() - static_cast<int>(c2f::data::canvas::text_width(name, 1.5)) - 4), y, name, ink,
                1.5);
      page.line(left + t * cell + cell / 2, y + 14, left + t * cell + cell / 2, top - 4, {190, 190, 190}, 1);
    }
    for (int p = 0; p < count; ++p) {
      double const all = static_cast<double>(matrix.of_class(t)), share = all > 0 ? static_cast<double>(matrix.count(t, p)) / all : 0;
      auto const mix               = [&](int from, int to) { return static_cast<std::uint8_t>(from + std::sqrt(share) * (to - from)); };
      c2f::data::colour const tint = t == p ? c2f::data::colour{mix(245, 0), mix(245, 114), mix(245, 178)}
                                            : c2f::data::colour{mix(245, 213), mix(245, 94), mix(245, 0)};
      page.rectangle(left + p * cell, top + t * cell, cell - 1, cell - 1, tint);
      if (cell < 28 || matrix.count(t, p) == 0) continue;
      std::string const text = cell < 44 || matrix.total() < 100000 ? std::to_string(matrix.count(t, p)) : percent(share);
      double const size      = cell >= 44 ? 1.8 : 1.2;
      page.text(left + p * cell + (cell - c2f::data::canvas::text_width(text, size)) / 2, top + t * cell + cell / 2 - 3.5 * size, text,
                share > .4 ? c2f::data::white : ink, size);
    }
  }
  page.write_png(file);
}

/// Of a sample, for one network: what the figures are made of.
struct of_sample {
  std::int64_t truth = 0, predicted = 0;
  std::vector<double> probabilities{};
  std::vector<std::pair<std::int64_t, double>> ious{};  // class, IoU
  std::vector<std::array<std::int64_t, 3>> pixels{};    // truth, predicted, count
  std::vector<std::pair<double, double>> values{};      // of attributes and numbers: the truth, NaN if it is unknown, and the answer
};
struct answered_samples {
  std::vector<of_sample> answer, coarse;
  std::int64_t faults = 0;
  std::string first_fault;
};

of_sample compared(truth const& truth, c2f::picture_answer const& answer, kind which, std::vector<std::int64_t> const& in_model,
                   std::vector<std::string> const& names) {
  of_sample made;
  auto const classes = std::ssize(names);
  if (which == kind::classes) {
    made.truth = in_model[static_cast<std::size_t>(truth.label)];
    made.probabilities.resize(names.size());
    for (auto const& [name, probability] : answer.classes)
      made.probabilities[static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin())] = probability;
    made.predicted = std::max_element(made.probabilities.begin(), made.probabilities.end()) - made.probabilities.begin();
  } else if (which == kind::boxes) {
    for (std::size_t k = 0; k < truth.boxes.size(); ++k) {
      if (!truth.boxes[k]) continue;
      double iou = 0;
      for (auto const& box : answer.boxes)
        if (box.name == names[static_cast<std::size_t>(in_model[k])]) iou = c2f::metrics::iou(box.where, *truth.boxes[k]);
      made.ious.emplace_back(in_model[k], iou);
    }
  } else if (which != kind::masks) {
    made.values.resize(names.size(), {c2f::unknown, 0});
    for (std::size_t k = 0; k < truth.values.size(); ++k) {
      auto const at   = static_cast<std::size_t>(in_model[k]);
      made.values[at] = {truth.values[k], which == kind::attributes ? answer.attributes[at].probability : answer.numbers[at].value};
    }
  } else {
    confusion of_picture(classes);
    for (std::size_t at = 0; at < truth.mask.labels.size(); ++at)
      if (truth.mask.labels[at] != 255) of_picture.add(in_model[truth.mask.labels[at]], answer.mask.labels[at]);
    for (std::int64_t t = 0; t < classes; ++t)
      for (std::int64_t p = 0; p < classes; ++p)
        if (of_picture.count(t, p) > 0) made.pixels.push_back({t, p, of_picture.count(t, p)});
  }
  return made;
}

/// Answers for every sample of a part.
answered_samples answer_samples(model& with, found_data const& data, std::size_t part, evaluate_options const& chosen) {
  answered_samples made;
  auto const& names   = with.description().classes;
  auto const in_model = classes_in_model(data, names);
  auto const views    = views_of_words(chosen.views);
  check_views(views, with.description());
  for (std::int64_t first = 0; first < data.size(part); first += chosen.batch) {
    std::vector<truth> truths;
    std::vector<c2f::data::fitted_picture> fitted;  // not the pictures, which may be large
    std::vector<c2f::picture_prediction> answers;
    for (std::int64_t id = first; id < std::min(first + chosen.batch, data.size(part)); ++id) try {
        auto one = data.read(part, id);
        if (views.one())
          fitted.push_back(with.fitted(one.picture));
        else
          answers.push_back(with.predict(one.picture, views, chosen.batch));
        truths.push_back(std::move(one.truth));
      } catch (c2f::input_error const& error) {
        if (made.faults++ == 0) made.first_fault = error.what();
      }
    if (!fitted.empty()) answers = with.answers(with.pass(with.images(fitted)), fitted);
    for (std::size_t i = 0; i < truths.size(); ++i) {
      made.answer.push_back(compared(truths[i], answers[i].answer, data.kind, in_model, names));
      made.coarse.push_back(compared(truths[i], answers[i].coarse, data.kind, in_model, names));
    }
  }
  if (made.answer.empty())
    throw c2f::input_error("no sample of '" + chosen.data.data.string() + "' can be read; the first: " + made.first_fault);
  return made;
}

struct scored {
  std::int64_t samples = 0, faults = 0;
  std::vector<figure> figures{};                         // of the answer, the primary one first
  std::vector<std::pair<std::string, double>> coarse{};  // the same of the coarse network
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, double>>>> by_class{};
  std::optional<confusion> matrix{};
};

/// A column of attributes or numbers: (truth, answer) of the samples whose truth is known.
using column = std::vector<std::pair<double, double>>;

double attribute_accuracy(column const& of) {
  double right = 0;
  for (auto const& [truth, probability] : of) right += (truth >= .5) == (probability >= .5) ? 1 : 0;
  return of.empty() ? std::numeric_limits<double>::quiet_NaN() : right / static_cast<double>(of.size());
}
double average_precision(column const& of) {
  std::vector<std::pair<float, bool>> ranked;
  std::int64_t positives = 0;
  for (auto const& [truth, probability] : of) {
    ranked.emplace_back(static_cast<float>(probability), truth >= .5);
    positives += truth >= .5 ? 1 : 0;
  }
  return positives > 0 ? c2f::detail::average_precision(std::move(ranked), positives) : std::numeric_limits<double>::quiet_NaN();
}
double area_under_curve(column const& of) {
  std::vector<double> scores;
  std::vector<bool> positive;
  for (auto const& [truth, probability] : of) scores.push_back(probability), positive.push_back(truth >= .5);
  return c2f::metrics::roc_area(scores, positive);
}
double mean_absolute_error(column const& of) {
  double sum = 0;
  for (auto const& [truth, answer] : of) sum += std::abs(answer - truth);
  return of.empty() ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(of.size());
}
double root_mean_squared_error(column const& of) {
  double sum = 0;
  for (auto const& [truth, answer] : of) sum += (answer - truth) * (answer - truth);
  return of.empty() ? std::numeric_limits<double>::quiet_NaN() : std::sqrt(sum / static_cast<double>(of.size()));
}
/// 1 - (sum of squared errors) / (sum of squared differences from the mean); not defined if all truths are equal.
double r_squared(column const& of) {
  double mean = 0, squared = 0, spread = 0;
  for (auto const& each : of) mean += each.first / static_cast<double>(of.size());
  for (auto const& [truth, answer] : of) squared += (answer - truth) * (answer - truth), spread += (truth - mean) * (truth - mean);
  return spread > 0 ? 1 - squared / spread : std::numeric_limits<double>::quiet_NaN();
}

/// The figures of a kind, with intervals, and those of each class.
scored scores_of(answered_samples const& samples, kind which, std::vector<std::string> const& names, int resamples) {
  using chosen_samples = std::vector<std::size_t>;
  using statistic      = std::function<double(std::vector<of_sample> const&, chosen_samples const&)>;
  auto const classes   = std::ssize(names);
  auto const matrix_of = [&](std::vector<of_sample> const& of, chosen_samples const& which_ones) {
    confusion matrix(classes);
    for (std::size_t const i : which_ones) {
      if (which == kind::classes) matrix.add(of[i].truth, of[i].predicted);
      for (auto const& [t, p, count] : of[i].pixels) matrix.add(t, p, count);
    }
    return matrix;
  };
  // The mean over boxes, of one class or of all (-1).
  auto const over_boxes = [&](std::vector<of_sample> const& of, chosen_samples const& which_ones, std::int64_t of_class,
                              double (*value)(double)) {
    double sum = 0, count = 0;
    for (std::size_t const i : which_ones)
      for (auto const& [k, iou] : of[i].ious)
        if (of_class < 0 || k == of_class) sum += value(iou), ++count;
    return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
  };
  auto const column_of = [](std::vector<of_sample> const& of, chosen_samples const& which_ones, std::int64_t k) {
    column made;
    for (std::size_t const i : which_ones) {
      auto const& each = of[i].values[static_cast<std::size_t>(k)];
      if (!std::isnan(each.first)) made.push_back(each);
    }
    return made;
  };
  // The mean of a figure over the columns for which it is defined.
  auto const over_columns = [&](std::vector<of_sample> const& of, chosen_samples const& which_ones, double (*value)(column const&)) {
    double sum = 0, count = 0;
    for (std::int64_t k = 0; k < classes; ++k)
      if (double const one = value(column_of(of, which_ones, k)); !std::isnan(one)) sum += one, ++count;
    return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
  };
  double (*const itself)(double) = [](double iou) { return iou; };
  double (*const half)(double)   = [](double iou) { return iou >= .5 ? 1.0 : 0.0; };
  std::vector<std::pair<std::string, statistic>> statistics;
  if (which == kind::classes)
    statistics = {{"accuracy", [&](auto const& of, auto const& s) { return matrix_of(of, s).accuracy(); }},
                  {"macro F1", [&](auto const& of, auto const& s) { return matrix_of(of, s).macro_f1(); }}};
  else if (which == kind::boxes)
    statistics = {{"mean IoU", [&](auto const& of, auto const& s) { return over_boxes(of, s, -1, itself); }},
                  {"IoU of at least .5", [&](auto const& of, auto const& s) { return over_boxes(of, s, -1, half); }}};
  else if (which == kind::attributes)
    statistics = {{"mean AP", [&](auto const& of, auto const& s) { return over_columns(of, s, average_precision); }},
                  {"accuracy", [&](auto const& of, auto const& s) { return over_columns(of, s, attribute_accuracy); }}};
  else if (which == kind::numbers) {
    statistics = {{"R squared", [&](auto const& of, auto const& s) { return over_columns(of, s, r_squared); }}};
    for (std::int64_t k = 0; k < classes; ++k)
      statistics.emplace_back("error of " + c2f::text::printable(names[static_cast<std::size_t>(k)]),
                              [&, k](auto const& of, auto const& s) { return mean_absolute_error(column_of(of, s, k)); });
  } else
    statistics = {{"mean IoU", [&](auto const& of, auto const& s) { return matrix_of(of, s).mean_iou(); }},
                  {"pixel accuracy", [&](auto const& of, auto const& s) { return matrix_of(of, s).accuracy(); }}};

  scored found{.samples = std::ssize(samples.answer), .faults = samples.faults};
  chosen_samples every(samples.answer.size());
  for (std::size_t i = 0; i < every.size(); ++i) every[i] = i;
  for (auto const& [name, of] : statistics) {
    found.figures.push_back(
        {name, of(samples.answer, every),
         c2f::metrics::bootstrap(every.size(), [&](auto const& s) { return of(samples.answer, s); }, resamples), which != kind::numbers});
    found.coarse.emplace_back(name, of(samples.coarse, every));
  }
  if (which == kind::classes || which == kind::masks) found.matrix = matrix_of(samples.answer, every);
  for (std::int64_t k = 0; k < classes; ++k) {
    auto& values = found.by_class.emplace_back(names[static_cast<std::size_t>(k)], std::vector<std::pair<std::string, double>>{}).second;
    if (found.matrix)
      values = {{"precision", found.matrix->precision(k)}, {"recall", found.matrix->recall(k)}, {"F1", found.matrix->f1(k)}};
    if (which == kind::masks) values.emplace_back("IoU", found.matrix->iou(k));
    if (which == kind::classes) {
      std::vector<double> scores;
      std::vector<bool> positive;
      for (auto const& each : samples.answer) {
        scores.push_back(each.probabilities[static_cast<std::size_t>(k)]);
        positive.push_back(each.truth == k);
      }
      values.emplace_back("AUC", c2f::metrics::roc_area(scores, positive));
    }
    if (which == kind::boxes)
      values = {{"mean IoU", over_boxes(samples.answer, every, k, itself)},
                {"IoU of at least .5", over_boxes(samples.answer, every, k, half)}};
    if (which == kind::attributes || which == kind::numbers) {
      auto const known = column_of(samples.answer, every, k);
      if (which == kind::attributes)
        values = {
            {"average precision", average_precision(known)}, {"AUC", area_under_curve(known)}, {"accuracy", attribute_accuracy(known)}};
      else
        values = {{"R squared", r_squared(known)},
                  {"mean absolute error", mean_absolute_error(known)},
                  {"rms error", root_mean_squared_error(known)}};
    }
  }
  return found;
}

void print_scores(scored const& found, std::string const& title) {
  std::printf("%s: %ld samples%s\n", title.c_str(), static_cast<long>(found.samples),
              found.faults > 0 ? (", " + std::to_string(found.faults) + " could not be read").c_str() : "");
  for (std::size_t i = 0; i < found.figures.size(); ++i) {
    auto const& [name, value, within, in_percent] = found.figures[i];
    char const* const unit                        = in_percent ? " %" : "";
    auto const text                               = [&](double of) { return as_text(of, in_percent); };
    std::printf("  %-20s %7s%s   95 %% interval %s to %s%s", c2f::text::printable(name, 40).c_str(), text(value).c_str(), unit,
                text(within.low).c_str(), text(within.high).c_str(), unit);
    std::printf("   coarse network %s%s\n", text(found.coarse[i].second).c_str(), unit);
  }
  std::printf("\n  %-24s", "");
  for (auto const& [name, value] : found.by_class.front().second) std::printf("%20s", name.c_str());
  std::printf("\n");
  for (auto const& [name, values] : found.by_class) {
    std::printf("  %-24s", c2f::text::printable(name, 24).c_str());
    for (auto const& [metric, value] : values) std::printf("%20s", as_text(value, found.figures.front().in_percent).c_str());
    std::printf("\n");
  }
  auto const classes = std::ssize(found.by_class);
  if (!found.matrix || classes > 12) return;
  auto const name = [&](std::int64_t k, std::size_t longest) {
    return c2f::text::printable(found.by_class[static_cast<std::size_t>(k)].first, longest);
  };
  std::printf("\n  rows: truth; columns: answer\n  %-24s", "");
  for (std::int64_t p = 0; p < classes; ++p) std::printf(" %11s", name(p, 11).c_str());
  for (std::int64_t t = 0; t < classes; ++t) {
    std::printf("\n  %-24s", name(t, 24).c_str());
    for (std::int64_t p = 0; p < classes; ++p) std::printf(" %11ld", static_cast<long>(found.matrix->count(t, p)));
  }
  std::printf("\n");
}

void write_scores(scored const& found, evaluate_options const& chosen, std::vector<std::string> const& names) {
  program::prepare_folder(chosen.out);
  json all{{"model", chosen.model.string()},
           {"data", chosen.data.data.string()},
           {"part", chosen.part},
           {"samples", found.samples},
           {"faults", found.faults}};
  if (!chosen.views.tta.empty()) all["tta"] = chosen.views.tta;
  if (chosen.views.windows != 0) all["windows"] = chosen.views.windows;
  for (std::size_t i = 0; i < found.figures.size(); ++i) {
    auto const& [name, value, within, in_percent] = found.figures[i];
    all["figures"][name] = {{"value", value}, {"low", within.low}, {"high", within.high}, {"coarse", found.coarse[i].second}};
  }
  for (auto const& [name, values] : found.by_class)
    for (auto const& [metric, value] : values) all["classes"][name][metric] = value;
  if (found.matrix) {
    json rows = json::array();
    for (std::int64_t t = 0; t < found.matrix->classes(); ++t) {
      json row = json::array();
      for (std::int64_t p = 0; p < found.matrix->classes(); ++p) row.push_back(found.matrix->count(t, p));
      rows.push_back(row);
    }
    all["confusion"] = rows;
    if (names.size() <= 500) draw_confusion(*found.matrix, names, chosen.out / "confusion.png");
  }
  program::write_json(chosen.out / "evaluation.json", all);
}

}  // namespace

void evaluate(evaluate_options const& chosen) {
  program::check_folder(chosen.out);
  auto const with      = load(chosen.model, chosen.device);
  auto const& about    = with->description();
  data_options options = chosen.data;
  read_as_trained(options, about);
  if (options.kind.empty())
    for (auto const& [of_model, of_data] : {std::pair("class_vector", "classes"), std::pair("boxes", "boxes"), std::pair("dense", "masks"),
                                            std::pair("multi_label", "attributes"), std::pair("regression", "numbers")})
      if (about.kind == of_model) options.kind = of_data;
  found_data const data  = recognise(options);
  std::size_t const part = static_cast<std::size_t>(std::find(part_names.begin(), part_names.end(), chosen.part) - part_names.begin());

  compare_with_training(data, about, chosen.part);
  auto const samples = answer_samples(*with, data, part, chosen);
  scored const found = scores_of(samples, data.kind, about.classes, chosen.resamples);
  print_scores(found, chosen.part + " of " + c2f::text::printable(data.layout));
  if (found.faults > 0) program::say(std::to_string(found.faults) + " samples could not be read; the first: " + samples.first_fault);
  if (!chosen.out.empty()) write_scores(found, chosen, about.classes);
}

}  // namespace tool
