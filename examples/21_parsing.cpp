// Object parsing on synthetic scenes (Ren et al. 2020, section 4.1.3): a localiser predicts the object's scale, the picture is resized
// so that the object has the fixed size that a detector of semantic parts was trained on, and the detector finds the parts.
//
//   21_parsing --variant pt --epochs 60 --images 2000 --out runs/parsing
//
// Prints, for test scenes without occluders (L0) and with them (L1 ... L3): the fraction of predicted scales within 10 % of the true one
// and the IoU of the box, coarse and fine; the mean average precision of the parts with the coarse, the fine and the true box.
// `bl` has no fine network, so those columns are empty. The detector is the same for every variant.
//
// Choices made here: the localiser's box is the one of the scene's true class; the detector's view takes the box's centre as well as its
// scale, the longer side; every part of every class is searched in every picture; every part of the object is annotated, occluded or
// not. Nothing is trained on occluded scenes. The only data set is `--data scenes`, the default, which is synthetic.
#include "common/part_sheet.hpp"
#include "common/tasks.hpp"
#include "common/train.hpp"

#include <c2f/data/synthetic/scenes.hpp>
#include <c2f/networks/deep_voting.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace {

using c2f::metrics::box;

constexpr int side = 64, view = 64, stride = 4, levels = 4;
constexpr std::int64_t classes = 3;
constexpr double object        = 48;  // pixels of the object's longer side in the detector's view

using data_set            = c2f::data::scenes<side, classes>;
using part_data           = c2f::data::parts_at_scale<side, classes, view, stride>;
constexpr auto part_count = static_cast<std::size_t>(part_data::truth_dims[0]);

struct localisation {
  using input   = c2f::image<3, side, side>;
  using network = c2f::localiser<c2f::resnet_cifar_features<8, c2f::basic_block, 2>, c2f::boxes<classes>, 64>;
};

// Replaces VGG-16 up to pooling 4; narrower in all layers.
using backbone = c2f::sequential<c2f::conv<16, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<32, 3, 2>, c2f::batch_norm, c2f::relu,
                                 c2f::conv<32, 3>, c2f::batch_norm, c2f::relu>;
using detector = c2f::deep_voting<backbone, part_data::truth_dims[0], 48, 3, 11>;

struct part_finder {
  c2f::network_on<detector, c2f::image<3, view, view>> network;
  std::array<c2f::part_size, part_count> sizes{};  // mean over the training scenes, in pixels of the view
};

/// Trains the detector on objects at their true scale; on the first --limit scenes, as for the localiser.
part_finder train_parts(data_set const& data, std::int64_t epochs, program::options const& chosen) {
  auto const split = c2f::data::take(part_data(data.train, {.object = object}), chosen.limit == 0 ? data.train.size() : chosen.limit);
  part_finder made{c2f::make_network<detector, c2f::image<3, view, view>>(chosen.seed)};
  std::array<double, part_count> seen{};
  for (std::int64_t id = 0; id < split.size(); ++id)
    for (auto const& each : data.train.parts(id)) {
      auto const k = static_cast<std::size_t>(each.part);
      auto const b = c2f::data::seen_through(c2f::data::window_at_scale(data.train.box(id), object, view), view, false, each.where);
      made.sizes[k].width += b.width(), made.sizes[k].height += b.height(), ++seen[k];
    }
  for (std::size_t k = 0; k < part_count; ++k)
    if (seen[k] > 0) made.sizes[k].width /= seen[k], made.sizes[k].height /= seen[k];

  c2f::sgd optimizer(made.network, {});
  c2f::data::loader loader(split, {.batch = 16, .seed = chosen.seed, .threads = chosen.threads});
  auto const steps = static_cast<double>(epochs * loader.batches());
  double step      = 0;
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    double sum = 0;
    for (c2f::data::batch const& batch : loader.epoch(static_cast<std::uint64_t>(epoch))) {
      optimizer.zero_gradients();
      at::Tensor const loss = c2f::deep_voting_loss(made.network(batch.images, c2f::train), batch.truth);
      loss.backward();
      optimizer.step(.5 * (1 - step / steps));  // linear decay to zero
      ++step, sum += loss.item<double>();
    }
    if (!std::isfinite(sum))
      throw c2f::not_finite("the loss of the part detector is not finite in epoch " + std::to_string(epoch + 1) +
                            ", so its parts would be random; choose another --seed");
    std::fprintf(stderr, "parts: epoch %ld/%ld, loss %.4f\n", static_cast<long>(epoch + 1), static_cast<long>(epochs),
                 sum / static_cast<double>(loader.batches()));
  }
  return made;
}

/// Detects parts in a picture; boxes are in the picture's pixels.
std::vector<c2f::found_part> find_parts(part_finder const& finder, part_data const& split, std::int64_t id, box const& where) {
  auto const window = c2f::data::window_at_scale(where, object, view);
  at::Tensor pixels = at::empty({1, view, view, 3}, at::TensorOptions(at::kFloat));
  split.look(id, window, false, pixels.mutable_data_ptr<float>());
  at::Tensor const maps = finder.network(pixels.permute({0, 3, 1, 2}), c2f::eval);
  auto found            = c2f::part_detections(maps[0], stride, finder.sizes, {.least_score = .05});
  // The picture's box in the view: mapping through it is the inverse of mapping through `window`.
  box const picture     = c2f::data::seen_through(window, view, false, {0, 0, side, side});
  for (auto& each : found) each.where = c2f::data::seen_through(picture, side, false, each.where);
  return found;
}

/// The box that determines the detector's view.
enum whose_box : std::size_t { coarse, fine, truth };
constexpr std::array<char const*, 3> box_names{"coarse", "fine", "true"};

struct level_result {
  std::array<std::optional<double>, 3> map{}, scale{}, iou{};  // by whose_box
  program::parsed_row shown{};
};

/// The predicted boxes of the test scenes' true classes, in pixels; the fine network's are empty if there is none.
template <class Task>
std::array<std::vector<box>, 2> predict_boxes(c2f::stack<Task> const& model, data_set const& data, level_result& result) {
  using kind = c2f::boxes<classes>;
  std::array<std::vector<box>, 2> boxes;
  std::array<kind::score, 2> scores;
  c2f::data::loader loader(data.test, {.batch = 64, .threads = 0, .shuffle = false, .augment = false});
  for (c2f::data::batch const& batch : loader.epoch(0)) {
    auto const [raw_coarse, raw_fine] = model(batch.images, c2f::eval);
    for (whose_box const whose : {coarse, fine}) {
      at::Tensor const& raw = whose == coarse ? raw_coarse : raw_fine;
      if (!raw.defined()) continue;
      scores[whose].add(raw, batch.truth);
      at::Tensor const predicted = kind::boxes_of(raw).mul(side).to(at::kDouble).contiguous();
      if (!predicted.isfinite().all().item<bool>())
        throw c2f::not_finite(std::string("the boxes of the ") + box_names[whose] +
                              " network are not finite: the training diverged; lower --learning-rate");
      auto const* const numbers = predicted.const_data_ptr<double>();
      for (std::size_t i = 0; i < batch.ids.size(); ++i) {
        double const* const b = numbers + 4 * (static_cast<std::int64_t>(i) * classes + data.test.label(batch.ids[i]));
        boxes[whose].push_back(box::around(b[0], b[1], b[2], b[3]));
      }
    }
  }
  for (whose_box const whose : {coarse, fine})
    if (!boxes[whose].empty()) result.iou[whose] = scores[whose].values()[0].second, result.scale[whose] = scores[whose].values()[2].second;
  return boxes;
}

template <class Task>
level_result evaluate_level(c2f::stack<Task> const& model, part_finder const& finder, data_set const& data, int level) {
  constexpr std::int64_t pictures_shown = 8;
  constexpr double shown_from           = .5;  // smallest score of a part drawn on the sheet
  level_result result;
  result.shown.title   = "L" + std::to_string(level);
  auto const boxes     = predict_boxes(model, data, result);
  whose_box const last = boxes[fine].empty() ? coarse : fine;
  part_data const split(data.test, {.object = object});
  std::array<std::vector<c2f::metrics::annotation>, part_count> annotated;
  for (std::int64_t id = 0; id < data.test.size(); ++id)
    for (auto const& each : data.test.parts(id)) annotated[static_cast<std::size_t>(each.part)].push_back({id, each.where});

  for (whose_box const whose : {coarse, fine, truth}) {
    if (whose != truth && boxes[whose].empty()) continue;
    std::array<std::vector<c2f::metrics::detection>, part_count> found;
    for (std::int64_t id = 0; id < data.test.size(); ++id) {
      box const where = whose == truth ? data.test.box(id) : boxes[whose][static_cast<std::size_t>(id)];
      auto const here = find_parts(finder, split, id, where);
      for (auto const& each : here) found[static_cast<std::size_t>(each.part)].push_back({id, each.where, each.score});
      if (whose != last || id >= pictures_shown) continue;
      auto& shown = result.shown.pictures.emplace_back(program::parsed_picture{data.test.picture(id), side, where, {}, {}});
      for (auto const& each : data.test.parts(id)) shown.parts.push_back(each.where);
      for (auto const& each : here)
        if (each.score >= shown_from) shown.found.push_back(each.where);
    }
    std::array<std::optional<double>, part_count> precision;
    for (std::size_t k = 0; k < part_count; ++k) precision[k] = c2f::metrics::average_precision(found[k], annotated[k]);
    result.map[whose] = c2f::metrics::mean_average_precision(precision);
  }
  return result;
}

void print_table(std::array<level_result, levels> const& results) {
  auto const cell = [](std::optional<double> const& value) {
    char text[16] = "       -";
    if (value) std::snprintf(text, sizeof text, "%8.1f", 100 * *value);
    return std::string(text);
  };
  std::printf("%%      scale right       mean IoU        mAP of parts with the box of\n");
  std::printf("       coarse    fine  coarse    fine  coarse    fine   truth\n");
  for (int level = 0; level < levels; ++level) {
    auto const& r = results[static_cast<std::size_t>(level)];
    std::printf("L%d   %s%s%s%s%s%s%s\n", level, cell(r.scale[coarse]).c_str(), cell(r.scale[fine]).c_str(), cell(r.iou[coarse]).c_str(),
                cell(r.iou[fine]).c_str(), cell(r.map[coarse]).c_str(), cell(r.map[fine]).c_str(), cell(r.map[truth]).c_str());
  }
}

void write_json(std::array<level_result, levels> const& results, program::options const& chosen) {
  nlohmann::ordered_json all;
  all["variant"] = chosen.variant;
  for (int level = 0; level < levels; ++level) {
    auto const& r               = results[static_cast<std::size_t>(level)];
    nlohmann::ordered_json& row = all["levels"].emplace_back();
    row["level"]                = level;
    for (whose_box const whose : {coarse, fine, truth}) {
      if (r.scale[whose]) row["scale10"][box_names[whose]] = *r.scale[whose];
      if (r.iou[whose]) row["iou"][box_names[whose]] = *r.iou[whose];
      if (r.map[whose]) row["map"][box_names[whose]] = *r.map[whose];
    }
  }
  program::write_json(chosen.out / "parsing.json", all);
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t part_epochs = 30;
  int images               = 2000;
  program::options const defaults{.data = "scenes", .epochs = 60, .batch = 32, .learning_rate = 0.05, .weight_decay = 5e-4};
  auto const chosen = program::read_options(
      argc, argv, "Parses objects: a localiser's scale for a detector of semantic parts, at four levels of occlusion.", tasks::names,
      defaults, [&](CLI::App& app) {
        app.get_option("--data")->required(false)->description("Only 'scenes', the synthetic data set")->check(CLI::IsMember({"scenes"}));
        app.add_option("--part-epochs", part_epochs, "Passes of the part detector over the training images")
            ->check(CLI::Range(1, 1'000'000));
        app.add_option("--images", images, "Training scenes; a quarter as many test scenes at each level")
            ->check(CLI::Range(12, 1'000'000));
      });
  return program::run([&] {
    program::check(chosen);
    auto const scenes = [&](int train, int level) { return data_set{{.train = train, .test = images / 4, .occlusion = level}}; };
    auto const data   = scenes(images, 0);
    tasks::variants<localisation>::with(chosen.variant, [&]<class Task>(c2f::chosen<Task>) {
      c2f::stack<Task> model(chosen.seed);
      if (program::train(model, program::limited(data, chosen), chosen, "scenes, " + chosen.variant).stopped) return;
      auto const finder = train_parts(data, part_epochs, chosen);
      at::NoGradGuard const no_gradients;
      std::array<level_result, levels> results;
      for (int level = 0; level < levels; ++level)
        results[static_cast<std::size_t>(level)] = evaluate_level(model, finder, level == 0 ? data : scenes(1, level), level);
      print_table(results);
      if (chosen.out.empty()) return;
      write_json(results, chosen);
      std::vector<program::parsed_row> rows;
      for (auto& each : results) rows.push_back(std::move(each.shown));
      program::write_part_sheet(rows, "scenes, " + chosen.variant, chosen.out / "parsing.png");
    });
  });
}
