// ViP-DeepLab (Qiao et al. 2021) on drawn videos of a road: panoptic labels with numbers that last, and depth. Trains in about two minutes on
// one core, and prints the metrics of whole videos, with the next-frame branch and with tracking by overlap in its place.
//
//   71_vip --out runs/vip
//   71_vip --variant one --seed 2        (one ASPP module in the next-frame branch instead of a cascade of four; --help has the others)
//   71_vip --videos 400 --held-out 100   (a short training, evaluated on held-out videos, to choose settings)
//   71_vip --out runs/vip --resume --predict frames/   (labels the pictures of a folder, in the order of their names)
#include "common/predictions.hpp"
#include "common/program.hpp"
#include "common/train.hpp"
#include "common/video_strip.hpp"

#include <c2f/c2f.hpp>
#include <c2f/data/draw/animation.hpp>
#include <c2f/data/io/picture_file.hpp>
#include <c2f/data/panoptic_pairs.hpp>
#include <c2f/data/synthetic/road_videos.hpp>
#include <c2f/metrics/depth.hpp>
#include <c2f/metrics/panoptic.hpp>
#include <c2f/metrics/tracking.hpp>
#include <c2f/systems/vip_deeplab.hpp>
#include <c2f/systems/vip_video.hpp>

#include <CLI/CLI.hpp>

#include <ATen/ops/from_blob.h>

#include <cstdio>
#include <set>

namespace {

using roads = c2f::data::road_videos<48, 64>;

struct labels : c2f::systems::vip_labels<roads::classes, 88> {
  static constexpr double centre = 20, offset = .1, next_offset = .1, depth = .5;  // offsets of small frames are small
};
struct labels_without_depth : labels {
  static constexpr double depth = 0;
};
struct one_module : c2f::systems::vip_small {
  using cascade = c2f::dense_cascade<1, context>;
};
struct seen_centres : c2f::systems::vip_small {
  using source   = c2f::source::sample;
  using encoder  = c2f::encode::dense<>;
  using schedule = c2f::schedule::ramp<0.0, 0.6, c2f::by::fraction>;
};
template <class With, class Labels = labels>
using model = c2f::systems::vip_deeplab<c2f::systems::vip_kind<Labels>, c2f::image<6, 48, 64>, With>;

std::vector<std::int64_t> const things(roads::things.begin(), roads::things.end());
c2f::panoptic::fusion_options const fusion{.things = things, .stuff_area = 30, .threshold = .3f, .window = 7};
constexpr std::int64_t windows[]{1, 2, 4};
constexpr double limits[]{.5, .25, .1};

struct arguments {
  std::vector<std::filesystem::path> predict, outputs;  // the frames of a video, and what is written of each
  std::filesystem::path animation;
  std::int64_t videos = 1600, held_out = 0;
};

template <class T>
std::span<T const> all(std::vector<T> const& values) {
  return values;
}

at::Tensor input_of(std::vector<std::uint8_t>& rgb, std::int64_t height = 48, std::int64_t width = 64) {
  at::Tensor const bytes = at::from_blob(rgb.data(), {height, width, 3}, at::TensorOptions(at::kByte));
  return bytes.permute({2, 0, 1}).to(at::kFloat).div(127.5).sub(1);
}

/// The metrics of whole videos.
class video_metrics {
 public:
  video_metrics() {
    for (std::int64_t const k : windows) {
      vpq_.emplace_back(options, k);
      for (std::size_t l = 0; l < std::size(limits); ++l) dvpq_.emplace_back(options, k);
    }
  }
  void add(c2f::data::road_frame const& truth, c2f::systems::video_frame const& found, std::int64_t video) {
    for (auto& each : vpq_) each.add(all(truth.labels), all(found.labels));
    for (std::size_t i = 0; i < dvpq_.size(); ++i)
      dvpq_[i].add(all(truth.labels), all(c2f::metrics::without_wrong_depth(all(found.labels), all(truth.depth), all(found.depth),
                                                                            limits[i % std::size(limits)], options)));
    stq_.add(all(truth.labels), all(found.labels), video);
    depth_.add(all(truth.depth), all(found.depth));
    inliers_.add(all(truth.depth), all(found.depth));
  }
  void end_sequence() {
    for (auto& each : vpq_) each.end_sequence();
    for (auto& each : dvpq_) each.end_sequence();
  }
  void print(char const* how) const {
    using enum c2f::metrics::absent_classes;
    std::printf("%-13s VPQ of things, k = 1, 2, 4:", how);
    for (auto const& each : vpq_) std::printf(" %.3f", each.counts().scores(left_out, roads::things[0]).pq);
    std::printf("  all classes:");
    for (auto const& each : vpq_) std::printf(" %.3f", each.counts().scores().pq);
    double dvpq = 0;
    std::printf("  DVPQ at .5, .25, .1:");
    for (std::size_t l = 0; l < std::size(limits); ++l) {
      double mean = 0;
      for (std::size_t k = 0; k < std::size(windows); ++k)
        mean += dvpq_[k * std::size(limits) + l].counts().scores().pq / std::size(windows);
      std::printf(" %.3f", mean);
      dvpq += mean / std::size(limits);
    }
    auto const stq = stq_.scores().stq;
    std::printf("  mean %.3f  STQ %.3f  DSTQ %.3f\n", dvpq, stq, c2f::metrics::depth_aware(stq, inliers_.fractions()));
  }
  void print_depth() const {
    auto const mean = depth_.mean();
    std::printf("              absRel %.3f  sqRel %.3f  SILog %.2f  iRMSE %.4f  inliers %.3f\n", mean.absolute_relative,
                mean.squared_relative, mean.silog, mean.inverse_rmse, mean.inliers);
  }

 private:
  static constexpr c2f::metrics::panoptic_options options{.classes = roads::classes};
  std::vector<c2f::metrics::video_panoptic_quality> vpq_, dvpq_;
  c2f::metrics::segmentation_and_tracking_quality stq_{options, things};
  c2f::metrics::depth_errors depth_;
  c2f::metrics::depth_inliers inliers_{{1.25, 1.1}};
};

/// Ways to label a video, and what they are called.
struct way {
  char const* name;
  c2f::systems::vip_video_options options;
};
std::vector<way> ways() {
  using enum c2f::systems::tracking;
  c2f::panoptic::relocaliser_options const kalman{.noise = 2, .speed = 8};
  return {{"next frame", {.by = by_next_frame}},
          {"overlap", {.by = by_overlap}},
          {"Kalman", {.relocalise = kalman}},
          {"flip", {.flip = true}},
          {"flip, Kalman", {.flip = true, .relocalise = kalman}}};
}
/// What a model finds in a video.
template <class Model>
std::vector<c2f::systems::video_frame> found_in(Model const& net, std::vector<c2f::data::road_frame>& frames,
                                                c2f::systems::vip_video_options const& options) {
  c2f::systems::vip_video video(net, fusion, options);
  std::vector<c2f::systems::video_frame> found;
  for (auto& frame : frames)
    if (auto one = video.add(input_of(frame.picture))) found.push_back(std::move(*one));
  for (auto& one : video.end()) found.push_back(std::move(one));
  return found;
}
/// The videos that are scored: the test videos, or those behind the training videos.
struct scored_videos {
  roads data;
  std::int64_t first, count;
  bool test;
  std::vector<c2f::data::road_frame> operator[](std::int64_t v) const {
    auto const& from = test ? data.test : data.train;
    std::vector<c2f::data::road_frame> frames;
    for (std::int64_t t = 0; t < from.frames(); ++t) frames.push_back(from.frame(first + v, t));
    return frames;
  }
};

template <class Model>
void score(Model const& net, scored_videos const& videos) {
  for (auto const& [name, options] : ways()) {
    video_metrics metrics;
    for (std::int64_t v = 0; v < videos.count; ++v) {
      auto frames      = videos[v];
      auto const found = found_in(net, frames, options);
      for (std::size_t t = 0; t < frames.size(); ++t) metrics.add(frames[t], found[t], v);
      metrics.end_sequence();
    }
    metrics.print(name);
    metrics.print_depth();
  }
}

template <class Model>
void draw(Model const& net, scored_videos const& videos, std::filesystem::path const& folder) {
  program::strip page{48, 64};
  std::vector<c2f::data::canvas> pages;
  for (std::int64_t v = 0; v < std::min<std::int64_t>(3, videos.count); ++v) {
    auto frames     = videos[v];
    auto const next = found_in(net, frames, {});
    auto const over = found_in(net, frames, {.by = c2f::systems::tracking::by_overlap});
    std::vector<program::strip::row> rows{{"frames", {}},  {"true ids", {}},   {"next frame", {}},
                                          {"overlap", {}}, {"true depth", {}}, {"depth", {}}};
    for (std::size_t t = 0; t < frames.size(); ++t) {
      rows[0].pictures.push_back(frames[t].picture);
      rows[1].pictures.push_back(program::colours_of(frames[t].labels, roads::divisor));
      rows[2].pictures.push_back(program::colours_of(next[t].labels, roads::divisor));
      rows[3].pictures.push_back(program::colours_of(over[t].labels, roads::divisor));
      rows[4].pictures.push_back(program::greys_of(frames[t].depth, 4, 80));
      rows[5].pictures.push_back(program::greys_of(next[t].depth, 4, 80));
      pages.push_back(program::beside({rows[0].pictures[t], rows[1].pictures[t], rows[2].pictures[t], rows[5].pictures[t]}, 48, 64));
    }
    for (auto& row : rows) page.rows.push_back(std::move(row));
  }
  page.write(folder / "strip.png", "ViP-DeepLab on road videos");
  c2f::data::write_animation(folder / "video.png", pages, 400);
}

/// Labels the frames of a folder. Each is written beside its labels and depths, and the first ones as an animation.
template <class Model>
void predict(Model const& net, arguments const& more) {
  if (more.predict.empty()) return;
  constexpr std::size_t animated = 100;
  auto numbered                  = fusion;
  numbered.divisor               = std::int64_t{1} << 20;  // objects of a class in a video of any length
  c2f::systems::vip_video video(net, numbered);
  std::vector<c2f::data::canvas> pages;
  std::set<std::int64_t> objects;
  std::size_t written = 0;
  auto const write    = [&](c2f::systems::video_frame const& found) {
    auto const picture = c2f::data::read_picture(more.predict[written], c2f::data::exif::apply);
    auto const page =
        program::beside({picture.rgb, program::colours_of(found.labels, numbered.divisor), program::greys_of(found.depth, 4, 80)},
                           static_cast<int>(picture.height), static_cast<int>(picture.width));
    page.write_png(more.outputs[written]);
    if (written++ < animated) pages.push_back(page);
    for (std::int64_t const label : found.labels)
      if (label % numbered.divisor != 0) objects.insert(label);
  };
  for (auto const& file : more.predict) {
    auto picture = c2f::data::read_picture(file, c2f::data::exif::apply);
    if (auto const found = video.add(input_of(picture.rgb, picture.height, picture.width))) write(*found);
  }
  for (auto const& found : video.end()) write(found);
  c2f::data::write_animation(more.animation, pages, 200);
  std::printf("%s: frames %zu, objects %zu\n", c2f::text::printable(more.animation.string()).c_str(), written, objects.size());
}
/// The frames of the folder, in the order of their names.
void check_frames(program::options const& chosen, std::filesystem::path const& folder, arguments& more) {
  if (folder.empty()) return;
  more.predict        = {folder};
  std::int64_t height = 0, width = 0;
  std::string first;
  program::check_predictions(chosen, more.predict, more.outputs, "labelled_", [&](auto const& file, auto const& picture) {
    program::check_page(file, picture.height * program::page_zoom(picture.width), program::page_width(3, picture.width));
    if (first.empty()) height = picture.height, width = picture.width, first = file.string();
    if (picture.height != height || picture.width != width)
      throw c2f::input_error("'" + file.string() + "' is " + std::to_string(picture.height) + " x " + std::to_string(picture.width) +
                             " pixels, and '" + first + "' is " + std::to_string(height) + " x " + std::to_string(width) +
                             "; the frames of a video have one size");
  });
  more.animation = chosen.out / "predicted.png";
}

template <class Model>
void train(program::options const& chosen, arguments const& more) {
  roads const videos({.train = more.videos});
  c2f::data::panoptic_target_options const targets{.things = things, .sigma = 2, .small_area = 30};
  struct {
    c2f::data::panoptic_pairs<decltype(videos.train)> train, test;
  } const data{{videos.train, targets}, {videos.test, targets}};

  Model net(chosen.seed);
  auto const recipe = program::recipe_of(chosen).adam({}).decay(c2f::decay::polynomial{.power = .9});
  auto const report = program::train(net, data, chosen, "ViP-DeepLab on road videos, " + chosen.variant, recipe);
  if (report.stopped || !program::goes_on_alone()) return;
  bool const test = more.held_out == 0;
  scored_videos const scored{roads({.train = more.videos + more.held_out}), test ? 0 : more.videos,
                             test ? videos.test.videos() : more.held_out, test};
  score(net, scored);
  if (!chosen.out.empty()) draw(net, scored, chosen.out);
  predict(net, more);
}

}  // namespace

int main(int argc, char** argv) {
  program::options const defaults{.variant = "cascade", .epochs = 1, .batch = 8, .learning_rate = 2e-3, .weight_decay = 0, .clip = 5};
  std::filesystem::path folder;
  arguments more;
  auto const chosen = program::read_options(
      argc, argv, "Trains ViP-DeepLab on drawn road videos and scores whole videos.", {"cascade", "one", "no_depth", "centres"}, defaults,
      [&](CLI::App& app) {
        app.get_option("--data")->required(false)->description("Refused: the videos are drawn");
        app.get_option("--learning-rate")->description("Learning rate at the start; it falls to 0");
        app.add_option("--videos", more.videos, "Videos that it is trained on")->check(CLI::Range(2, 1000000));
        app.add_option("--held-out", more.held_out, "Score so many further training videos in place of the test videos, to choose by")
            ->check(CLI::Range(0, 10000));
        app.add_option("--predict", folder, "Folder of frames, labelled afterwards in the order of their names, into --out")
            ->check(CLI::ExistingDirectory);
        app.get_option("--variant")
            ->description(
                "cascade: four ASPP modules in the next-frame branch; one: one module; no_depth: no loss of depth, as without its head; "
                "centres: the branch sees centres, in training the true ones with probability 1 - t");
      });
  return program::run([&] {
    program::refuse_typed(chosen, {"--data", "--limit", "--probe", "--probe-every"},
                          "here, as the videos are drawn and no network is conditioned");
    program::check(chosen);
    check_frames(chosen, folder, more);
    if (chosen.variant == "one") return train<model<one_module>>(chosen, more);
    if (chosen.variant == "no_depth") return train<model<c2f::systems::vip_small, labels_without_depth>>(chosen, more);
    if (chosen.variant == "centres") return train<model<seen_centres>>(chosen, more);
    return train<model<c2f::systems::vip_small>>(chosen, more);
  });
}
