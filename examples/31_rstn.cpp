// RSTN (systems/rstn.hpp) on pairs of NIfTI volumes and label maps: three small stacks, one for each axis, trained by one of the variants
// of Ren et al. 2020, section 4.3, and tested on whole volumes, round by round.
//
//   31_rstn --data hippocampus --variant pt --out runs/rstn
//   31_rstn --data hippocampus --variant stepwise --volumes 40 --predict ct.nii.gz --window=-100,240 --out runs/rstn
//
// Scaled down: a U-Net of 3 levels and 8 maps instead of two FCN-8s with 4,096, on slices of 35 to 51 pixels. So the crop's margin is 4 and
// its jitter 8 instead of 20 and 40, with which a crop would be the whole slice; a step has several slices instead of one, cropped to the
// size of the largest crop; and randomly initialised networks with norms are trained by SGD with momentum .9 and one learning rate
// (--learning-rate), instead of 1e-5 and 1e-4 with momentum .99. The learning rate is halved where the paper halves it.
#include "common/tasks.hpp"
#include "common/train.hpp"

#include <c2f/core/text.hpp>
#include <c2f/data/datasets/organ_slices.hpp>
#include <c2f/data/draw/overlay.hpp>
#include <c2f/data/io/output_names.hpp>
#include <c2f/inference/predict_volume.hpp>
#include <c2f/systems/rstn.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr int side = 64;  // of the canvas for training slices, in pixels
using network      = c2f::unet<3, 8, c2f::dense<1>>;
using base         = c2f::systems::rstn<network, c2f::image<3, c2f::dynamic, c2f::dynamic>, 4, 8, network::step>;
constexpr c2f::data::volume_canvas canvas{.multiple = network::step, .least = side};

struct stepwise : c2f::systems::rstn_stepwise<base> {
  static constexpr char const* name = "stepwise";
};
struct switched : c2f::systems::rstn_switched<base> {
  static constexpr char const* name = "switch";
};
using variants = c2f::registry<tasks::pt<base>, stepwise, switched, tasks::corrupt<base>, tasks::bl<base>>;

struct arguments {
  std::int64_t volumes = 0, tests = 0, label = 0, shown = 4;
  std::vector<std::filesystem::path> predict, outputs;  // outputs: of `predict`, if there is --out
  std::vector<float> window;
};

using slices = c2f::data::organ_slices<side, side>;

/// Training slices across an axis, and at most 64 test slices for the learning curve; the results are those of whole volumes.
auto seen_along(slices const& train, slices const& test, int axis, std::int64_t limit) {
  slices const training = train.along(axis), testing = test.along(axis);
  struct {
    c2f::data::taken<slices> train, test;
  } data{c2f::data::take(training, limit == 0 ? training.size() : std::min(limit, training.size())),
         c2f::data::take(testing, std::min<std::int64_t>(testing.size(), 64))};
  return data;
}

/// The first n volumes of a split; 0: all.
slices first_cases(slices const& all, std::int64_t n, std::string const& option) {
  auto const total = static_cast<std::int64_t>(all.cases().size());
  if (n > total)
    throw c2f::input_error(option + " is " + std::to_string(n) + ", but there are " + std::to_string(total) + "; ask for fewer");
  if (n == 0) return all;
  return {all.name(), std::make_shared<std::vector<c2f::data::organ_case> const>(all.cases().begin(), all.cases().begin() + n), {}};
}

/// A test volume and its predictions.
struct evaluated_case {
  c2f::data::organ_case const* given;
  std::vector<c2f::data::volume<std::uint8_t>> masks;  // of the coarse networks, then of each round
  std::vector<c2f::metrics::overlap> scores;           // of each mask, with the truth
  std::vector<double> agreements;                      // Dice of successive masks
};

template <class Stack>
std::vector<evaluated_case> evaluate(std::array<Stack, 3> const& views, slices const& test) {
  std::vector<evaluated_case> all;
  for (c2f::data::organ_case const& given : test.cases()) {
    auto prediction      = c2f::data::predict_volume(views, given.intensities, canvas);
    evaluated_case& each = all.emplace_back(evaluated_case{&given, std::move(prediction.masks), {}, std::move(prediction.agreements)});
    for (auto const& mask : each.masks) each.scores.emplace_back().add(mask.values, given.target.values);
  }
  return all;
}

struct mean_deviation {
  double mean, deviation;
};
/// Mean and standard deviation of the DSC of all cases after a round; a case that has stopped keeps its last mask.
mean_deviation dsc_after(std::vector<evaluated_case> const& all, std::size_t round) {
  double sum = 0, squares = 0;
  for (auto const& each : all) {
    double const dsc = each.scores[std::min(round, each.scores.size() - 1)].dsc();
    sum += dsc, squares += dsc * dsc;
  }
  auto const n = static_cast<double>(all.size());
  return {sum / n, std::sqrt(std::max(0.0, squares / n - sum / n * sum / n))};
}

std::size_t most_rounds(std::vector<evaluated_case> const& all) {
  std::size_t most = 0;
  for (auto const& each : all) most = std::max(most, each.agreements.size());
  return most;
}

void write_json(std::vector<evaluated_case> const& all, std::vector<std::string> const& left_out, program::options const& chosen,
                double seconds) {
  nlohmann::ordered_json json;
  for (auto const& [name, value] : chosen.given) json["options"][name] = program::json_of_word(value);
  json["train_seconds"] = seconds;
  json["left_out"]      = left_out;
  auto const put        = [](mean_deviation const& f) { return nlohmann::ordered_json{{"mean", f.mean}, {"deviation", f.deviation}}; };
  json["coarse"]        = put(dsc_after(all, 0));
  json["final"]         = put(dsc_after(all, most_rounds(all)));
  for (std::size_t round = 1; round <= most_rounds(all); ++round) json["rounds"].push_back(put(dsc_after(all, round)));
  for (auto const& each : all) {
    nlohmann::ordered_json& row = json["cases"].emplace_back();
    row["name"] = each.given->name, row["rounds"] = each.agreements.size(), row["agreement"] = each.agreements;
    for (auto const& score : each.scores)
      row["answers"].push_back({{"dsc", score.dsc()}, {"inter", score.inter}, {"pred", score.pred}, {"truth", score.truth}});
  }
  program::write_json(chosen.out / "rstn.json", json);
}

/// One row a test volume: its slice across z with the most organ pixels, without a mask, with the coarse mask and with that of each round;
/// the truth is outlined.
void write_sheet(std::vector<evaluated_case> const& all, std::int64_t shown, std::string const& title, std::filesystem::path const& file) {
  constexpr int zoom = 3, gap = 10, words = 18, top = 40, axis = 2;
  auto const rows = static_cast<std::size_t>(std::min<std::int64_t>(shown, static_cast<std::int64_t>(all.size())));
  int width = 1, height = 1;
  std::size_t columns = 1;
  for (std::size_t r = 0; r < rows; ++r) {
    auto const [h, w] = c2f::data::slice_size(all[r].given->target.dims, axis);
    width = std::max(width, static_cast<int>(w)), height = std::max(height, static_cast<int>(h)),
    columns = std::max(columns, all[r].masks.size() + 1);
  }
  int const step_x = zoom * width + gap, step_y = zoom * height + words + gap;
  c2f::data::canvas page(gap + std::max(static_cast<int>(columns), 3) * step_x, top + static_cast<int>(rows) * step_y);
  page.text(gap, 12, title, {40, 40, 40}, 2);
  for (std::size_t r = 0; r < rows; ++r) {
    auto const& each  = all[r];
    auto const [h, w] = c2f::data::slice_size(each.given->target.dims, axis);
    auto const pixels = c2f::data::target_pixels(each.given->target, axis);
    auto const slice  = std::max_element(pixels.begin(), pixels.end()) - pixels.begin();
    auto const grey   = c2f::data::grey_bytes(c2f::data::slice_of(each.given->intensities, axis, slice));
    auto const truth  = c2f::data::slice_of(each.given->target, axis, slice);
    auto const show   = [&, h = h, w = w](std::size_t column, std::vector<std::uint8_t> const& mask, std::string const& text) {
      int const x = gap + static_cast<int>(column) * step_x, y = top + static_cast<int>(r) * step_y;
      c2f::data::overlay(page, grey, h, w, mask, truth, {.x = x, .y = y, .zoom = zoom});
      page.text(x, y + zoom * h + 4, text, {40, 40, 40}, 1);
    };
    std::string const& name = each.given->name;
    show(0, {}, c2f::text::printable(name.substr(0, name.find('.')), static_cast<std::size_t>(step_x / c2f::data::font::advance)));
    for (std::size_t i = 0; i < each.masks.size(); ++i) {
      char text[48];
      std::snprintf(text, sizeof text, "%s %.3f", i == 0 ? "coarse" : ("round " + std::to_string(i)).c_str(), each.scores[i].dsc());
      show(i + 1, c2f::data::slice_of(each.masks[i], axis, slice), text);
    }
  }
  if (program::first_process()) page.write_png(file);
}

void print_table(std::vector<evaluated_case> const& all) {
  std::printf("%zu test volumes      DSC, mean +- deviation, %%\n", all.size());
  for (std::size_t round = 0; round <= most_rounds(all); ++round) {
    auto const [mean, deviation] = dsc_after(all, round);
    std::size_t still            = 0;
    for (auto const& each : all) still += each.agreements.size() >= round;
    std::printf("%s %2zu   %6.2f +- %5.2f   %3zu volumes\n", round == 0 ? "coarse  " : "round   ", round, 100 * mean, 100 * deviation,
                still);
  }
}

template <class Stack>
void predict(std::array<Stack, 3> const& views, std::filesystem::path const& file, std::filesystem::path const& output,
             std::vector<float> const& window) {
  auto scan              = c2f::data::read_nifti<float>(file);
  auto const [low, high] = window.empty() ? c2f::data::percentiles(scan, 0.5, 99.5) : std::array<float, 2>{window[0], window[1]};
  auto const prediction  = c2f::data::predict_volume(views, c2f::data::windowed(std::move(scan), low, high), canvas);
  auto const& mask       = prediction.masks.back();
  std::printf("%s: %ld of %ld voxels after %zu rounds\n", c2f::text::printable(file.filename().string()).c_str(),
              static_cast<long>(mask.size() - std::count(mask.values.begin(), mask.values.end(), 0)), static_cast<long>(mask.size()),
              prediction.agreements.size());
  if (!output.empty()) c2f::data::write_nifti(output, mask);
}

template <class Task>
void train_and_evaluate(program::options const& chosen, arguments const& more, slices const& train, slices const& test,
                        std::vector<std::string> const& left_out) {
  std::array<c2f::stack<Task>, 3> views{c2f::stack<Task>(chosen.seed), c2f::stack<Task>(chosen.seed), c2f::stack<Task>(chosen.seed)};
  auto const recipe =
      program::recipe_of(chosen).no_milestones().milestone(90.0 / 120, 0.5).milestone(100.0 / 120, 0.5).milestone(110.0 / 120, 0.5);
  double seconds = 0;
  for (int axis = 0; axis < 3; ++axis) {
    program::options view = chosen;
    if (!chosen.out.empty()) view.out /= std::string(1, "xyz"[axis]);
    auto const report = program::train(views[static_cast<std::size_t>(axis)], seen_along(train, test, axis, chosen.limit), view,
                                       chosen.variant + ", slices across " + "xyz"[axis], recipe);
    for (auto const& epoch : report.epochs) seconds += epoch.train_seconds;
    if (report.stopped) return;
  }
  auto const cases = evaluate(views, test);
  print_table(cases);
  if (!chosen.out.empty()) {
    write_json(cases, left_out, chosen, seconds);
    write_sheet(cases, more.shown, "RSTN, " + chosen.variant, chosen.out / "rstn.png");
  }
  for (std::size_t i = 0; i < more.predict.size(); ++i)
    predict(views, more.predict[i], more.outputs.empty() ? std::filesystem::path() : more.outputs[i], more.window);
}

/// Refuses what would fail after hours of training: a window that holds nothing, and volumes that cannot be read.
void check_predictions(arguments const& more) {
  if (!more.window.empty() && !(std::isfinite(more.window[0]) && std::isfinite(more.window[1]) && more.window[0] < more.window[1]))
    throw c2f::input_error("--window's low end must be below its high end, and both finite; write two numbers such as -100,240");
  for (auto const& file : more.predict) {
    auto const scan = c2f::data::read_nifti<float>(file);
    if (!more.window.empty()) continue;
    auto const [low, high] = c2f::data::percentiles(scan, 0.5, 99.5);
    if (!(low < high))
      throw c2f::input_error("'" + file.string() +
                             "' has one intensity nearly everywhere, so its percentiles .5 and 99.5 are no window; "
                             "give one with --window");
  }
}

/// --data, or the subfolder of it, that has images and labels.
std::filesystem::path folder_of_pairs(std::filesystem::path const& data) {
  for (auto const& folder : {data, data / "TrainingSet", data / "data" / "TrainingSet"})
    if (program::exists(folder / "images")) return folder;
  throw c2f::input_error("no folder 'images' in '" + data.string() + "' or in its data/TrainingSet; --data needs images and labels");
}

}  // namespace

int main(int argc, char** argv) {
  arguments more;
  program::options const defaults{.epochs = 12, .batch = 8, .learning_rate = 0.1, .weight_decay = 5e-4};
  auto const chosen = program::read_options(
      argc, argv, "Trains RSTN on volumes, one stack for each axis, and measures the DSC of whole volumes after each round.",
      program::names_of<variants>(), defaults, [&](CLI::App& app) {
        app.get_option("--data")->description("Folder with images and labels, or with data/TrainingSet/{images,labels}: NIfTI files");
        app.get_option("--variant")
            ->description("pt: progressive; stepwise: S, I, J; switch: all at once; corrupt: corrupted truth; bl: coarse network only");
        app.get_option("--learning-rate")->description("Learning rate; halved after 90, 100 and 110 of 120 parts of the epochs");
        app.get_option("--out")->description(
            "Folder for rstn.json, rstn.png and a curve and a summary for each axis; without it nothing is written");
        app.get_option("--epochs")->description("Passes over the training slices, for each axis");
        app.get_option("--limit")->description("Maximum number of training slices an axis; 0: all");
        app.add_option("--volumes", more.volumes, "Maximum number of training volumes; 0: all")->check(CLI::Range(0, 1'000'000));
        app.add_option("--tests", more.tests, "Maximum number of test volumes; 0: all")->check(CLI::Range(0, 1'000'000));
        app.add_option("--label", more.label, "The organ's label; 0: all labels above 0")->check(CLI::Range(0, 1'000'000));
        app.add_option("--shown", more.shown, "Test volumes on the sheet rstn.png")->check(CLI::Range(1, 40));
        app.add_option("--predict", more.predict, "Volumes to segment afterwards; written as organ_NAME into --out")
            ->check(CLI::ExistingFile);
        app.add_option("--window", more.window,
                       "Their intensities that are mapped to 0 and 1, e.g. -100,240; default: percentiles .5 and 99.5")
            ->delimiter(',')
            ->expected(2)
            ->needs("--predict");
      });
  return program::run([&] {
    program::check(chosen);
    if (!chosen.out.empty() && program::first_process()) more.outputs = c2f::data::output_names(more.predict, chosen.out, "organ_");
    check_predictions(more);
    auto const folder = folder_of_pairs(chosen.data);
    c2f::data::organ<side, side> const data(folder / "images", folder / "labels",
                                            {.label = static_cast<std::int32_t>(more.label), .strict = chosen.strict});
    for (auto const& fault : data.faults) program::say("left out: " + fault);
    auto const train = first_cases(data.train, more.volumes, "--volumes"), test = first_cases(data.test, more.tests, "--tests");
    variants::with(chosen.variant,
                   [&]<class Task>(c2f::chosen<Task>) { train_and_evaluate<Task>(chosen, more, train, test, data.faults); });
  });
}
