// Times the panoptic metrics on label maps that panoptic/run.py has written, and prints a line of JSON with their scores.
//
//   bench_panoptic FILE FRAMES PIXELS      FILE: per frame the true labels, the predicted ones (int32), the true depths, the predicted ones
//                                          (uint16)
#include <c2f/metrics/depth.hpp>
#include <c2f/metrics/tracking.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
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

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 4) throw c2f::input_error("usage: bench_panoptic FILE FRAMES PIXELS");
    run(argv[1], std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10));
    return 0;
  } catch (c2f::error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
