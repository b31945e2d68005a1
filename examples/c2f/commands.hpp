// The commands of c2f but for train.
#pragma once

#include "c2f/layout.hpp"
#include "c2f/model.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace tool {

/// The options about views of a picture, of predict and evaluate.
struct view_words {
  std::vector<std::string> tta{};
  double windows = 0;
};
void add_view_options(CLI::App& app, view_words& chosen);
[[nodiscard]] c2f::view_options views_of_words(view_words const& chosen);
/// Refuses views that a model of this kind does not answer by.
void check_views(c2f::view_options const& views, c2f::model_description const& about);

struct predict_options {
  std::filesystem::path model{}, out{};
  std::vector<std::filesystem::path> inputs{};
  std::string device = "cpu";
  std::int64_t batch = 16;
  int threads = 4, top = 5;
  bool draw = false, resume = false, time = false;
  view_words views{};
};
/// Answers for files and folders: a JSON line for each on stdout, or in --out with masks and pictures.
void predict(predict_options const& chosen);

/// The answers for pictures, whole or by several views.
[[nodiscard]] std::vector<c2f::picture_prediction> predict_pictures(model& with, std::vector<c2f::data::picture_bytes> const& pictures,
                                                                    c2f::view_options const& views, std::int64_t batch);

struct evaluate_options {
  std::filesystem::path model{}, out{};
  data_options data{};
  std::string part = "test", device = "cpu";
  std::int64_t batch = 16;
  int resamples      = 1000;
  view_words views{};
};
void evaluate(evaluate_options const& chosen);

/// Prints what a folder of data has, and draws a contact sheet with truths.
void show(data_options const& data, std::filesystem::path const& out, std::int64_t count, std::string const& part);

/// Prints what a model is, or a compiled task.
void explain(std::filesystem::path const& model);

}  // namespace tool
