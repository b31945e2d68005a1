// Times the panoptic metrics on label maps that panoptic/run.py has written, and prints a line of JSON with their scores.
//
//   bench_panoptic FILE FRAMES PIXELS      FILE: per frame the true labels, the predicted ones (int32), the true depths, the predicted ones
//                                          (uint16)
//   bench_panoptic                         times the post-processing of a pair of frames of 1025 x 2049 pixels instead: the least CPU time of
//                                          nine rounds, in milliseconds
#include <c2f/core/random.hpp>
#include <c2f/inference/panoptic_fusion.hpp>
#include <c2f/inference/relocaliser.hpp>
#include <c2f/inference/stitcher.hpp>
#include <c2f/metrics/depth.hpp>
#include <c2f/metrics/tracking.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

namespace {

namespace metrics = c2f::metrics;

struct frame {
  std::vector<std::int32_t> truth, prediction;
  std::vector<std::uint16_t> true_depth, depth;
};

template <class T>
std::vector<T> read(std::ifstream& from, std::size_t pixels) {
  std::vector<T> found(pixels);
  if (!from.read(reinterpret_cast<char*>(found.data()), static_cast<std::streamsize>(pixels * sizeof(T))))
    throw c2f::input_error("the file of frames ends early; run panoptic/run.py again");
  return found;
}

template <class Call>
double milliseconds(Call const& call) {
  auto const begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

template <class T>
std::span<T const> all(std::vector<T> const& map) {
  return map;
}

void run(char const* path, std::size_t count, std::size_t pixels) {
  std::ifstream file(path, std::ios::binary);
  std::vector<frame> frames(count);
  for (auto& each : frames)
    each = {read<std::int32_t>(file, pixels), read<std::int32_t>(file, pixels), read<std::uint16_t>(file, pixels),
            read<std::uint16_t>(file, pixels)};
  metrics::panoptic_options const options{.classes = 19, .ignored = 32, .crowd_excuses = true};
  metrics::panoptic_quality pq(options);
  metrics::video_panoptic_quality vpq(options, 4), dvpq(options, 4);
  metrics::segmentation_and_tracking_quality stq(options, {11, 12, 13, 14, 15, 16, 17, 18});
  double const pq_ms   = milliseconds([&] {
    for (auto const& each : frames) pq.add(all(each.truth), all(each.prediction));
  });
  double const vpq_ms  = milliseconds([&] {
    for (auto const& each : frames) vpq.add(all(each.truth), all(each.prediction));
  });
  double const dvpq_ms = milliseconds([&] {
    for (auto const& each : frames) {
      auto const kept = metrics::without_wrong_depth(all(each.prediction), all(each.true_depth), all(each.depth), .25, options);
      dvpq.add(all(each.truth), all(kept));
    }
  });
  double const stq_ms  = milliseconds([&] {
    for (auto const& each : frames) stq.add(all(each.truth), all(each.prediction));
  });
  std::printf(R"({"pq": [%.2f, %.17g], "vpq": [%.2f, %.17g], "dvpq": [%.2f, %.17g], "stq": [%.2f, %.17g]})"
              "\n",
              pq_ms, pq.counts().scores().pq, vpq_ms, vpq.counts().scores().pq, dvpq_ms, dvpq.counts().scores().pq, stq_ms,
              stq.scores().stq);
}

/// Two frames with 200 objects, discs of 10 to 70 pixels on a road, which move by up to 20 pixels.
struct pair_of_frames {
  static constexpr std::int64_t height = 1025, width = 2049, objects = 200;
  std::vector<std::int64_t> classes[2];
  std::vector<float> heat, offsets[2];

  explicit pair_of_frames(std::uint64_t seed) : heat(height * width) {
    c2f::random_stream draw{seed, c2f::purpose::noise, 0, 0};
    for (int t = 0; t < 2; ++t) {
      classes[t].resize(height * width);
      offsets[t].resize(2 * height * width);
      for (std::int64_t i = 0; i < height * width; ++i) classes[t][static_cast<std::size_t>(i)] = i / width / 128;
    }
    for (std::int64_t k = 0; k < objects; ++k) {
      auto const y = draw.below(height), x = draw.below(width), radius = 10 + draw.below(61);
      std::int64_t const c = 11 + draw.below(8), dy = draw.below(41), dx = draw.below(41);
      for (int t = 0; t < 2; ++t) disc(t, y, x, y + t * (dy - 20), x + t * (dx - 20), radius, c);
    }
  }

 private:
  void disc(int t, std::int64_t centre_y, std::int64_t centre_x, std::int64_t y0, std::int64_t x0, std::int64_t radius, std::int64_t c) {
    for (std::int64_t y = std::max<std::int64_t>(0, y0 - radius); y < std::min(height, y0 + radius); ++y)
      for (std::int64_t x = std::max<std::int64_t>(0, x0 - radius); x < std::min(width, x0 + radius); ++x) {
        double const r2 = static_cast<double>((y - y0) * (y - y0) + (x - x0) * (x - x0));
        if (r2 > static_cast<double>(radius * radius)) continue;
        auto const at                   = static_cast<std::size_t>(y * width + x);
        classes[t][at]                  = c;
        offsets[t][at]                  = static_cast<float>(centre_y - y);
        offsets[t][at + height * width] = static_cast<float>(centre_x - x);
        if (t == 0) heat[at] = std::max(heat[at], static_cast<float>(std::exp(-r2 / 128)));
      }
  }
};

void time_post_processing() {
  namespace panoptic = c2f::panoptic;
  pair_of_frames const pair(1);
  panoptic::fusion_options const options{.things = {11, 12, 13, 14, 15, 16, 17, 18}};
  panoptic::raw_maps const maps{pair.classes[0], pair.heat, pair.offsets[0], pair.height, pair.width};
  auto const least = [](auto const& call) {
    double found = 1e9;
    for (int round = 0; round < 9; ++round) {
      auto const begin = std::clock();
      call();
      found = std::min(found, 1000. * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return found;
  };
  panoptic::stitcher stitcher;
  panoptic::relocaliser relocaliser;
  panoptic::pair_labels fused;
  std::vector<std::int64_t> labels;
  double const one    = least([&] { labels = panoptic::fused(maps, options); });
  double const both   = least([&] { fused = panoptic::fused_pair(maps, pair.classes[1], pair.offsets[1], options); });
  double const stitch = least([&] { labels = stitcher.add(fused.labels, fused.next_labels); });
  double const again  = least([&] { labels = relocaliser.add(labels, pair.width); });
  std::printf(R"({"fused": %.1f, "fused_pair": %.1f, "stitcher": %.1f, "relocaliser": %.1f})"
              "\n",
              one, both, stitch, again);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 1) return time_post_processing(), 0;
    if (argc != 4) throw c2f::input_error("usage: bench_panoptic [FILE FRAMES PIXELS]");
    run(argv[1], std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10));
    return 0;
  } catch (c2f::error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
