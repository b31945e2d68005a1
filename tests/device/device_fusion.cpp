// Fusion and stitching of a video captured as a graph, which allows no value to come to the host: the labels of the version for the host.
#include <c2f/inference/device_fusion.hpp>
#include <c2f/inference/stitcher.hpp>

#include <ATen/ops/arange.h>

#ifdef C2F_WITH_CUDA
#include <c10/cuda/CUDAGuard.h>
#endif

#include <optional>

#include "catch.hpp"
#include "graph_capture.hpp"

namespace {
namespace panoptic = c2f::panoptic;

constexpr std::int64_t height = 24, width = 40, classes = 4;

template <class Value>
std::vector<Value> here(at::Tensor const& map) {
  at::Tensor const there = map.to(at::kCPU).contiguous();
  return {there.const_data_ptr<Value>(), there.const_data_ptr<Value>() + there.numel()};
}
// Blocks of classes that move with the frames; heat with equal values, offsets of whole pixels.
struct maps {
  at::Tensor classes, heat, offsets;
};
maps maps_of(std::int64_t t) {
  auto const seed     = static_cast<std::uint64_t>(t);
  at::Tensor const at = at::arange(2 * height * width, at::TensorOptions(at::kLong)).view({2, height, width});
  at::Tensor const x = at.remainder(width).add(t), y = at.div(width, "floor").remainder(height);
  return {x.div(7, "floor").add(y.div(5, "floor")).remainder(classes).to(tests::device()),
          tests::uniform({height, width}, seed).mul(20).round().div(20).to(at::kFloat),
          tests::normal({2, 2, height, width}, seed).mul(3).round()};
}
}  // namespace

TEST_CASE("a captured fusion labels a video like the version for the host, without a value on the host") {
  C2F_NEEDS_DEVICE();
  panoptic::fusion_options const options{.things = {1, 3}, .stuff_area = 30, .threshold = .5f, .window = 5, .most = 30};
  maps const first = maps_of(0), now{first.classes.clone(), first.heat.clone(), first.offsets.clone()};
  panoptic::device_fusion video(options, classes);
  panoptic::stitcher stitcher({.divisor = options.divisor});
  at::Tensor labels;
  auto const work = [&] { labels = video.add(now.classes, now.heat, now.offsets); };

#ifdef C2F_WITH_CUDA
  std::optional<c10::cuda::CUDAStreamGuard> stream;
  if (tests::on_gpu()) stream.emplace(c10::cuda::getStreamFromPool());
#endif
  work();  // makes the memory that lasts
  auto const graph = tests::capture(work);
  video.end_sequence();
  std::int64_t instances = 0;
  for (std::int64_t t = 0; t < 10; ++t) {
    maps const next = maps_of(t);
    now.classes.copy_(next.classes), now.heat.copy_(next.heat), now.offsets.copy_(next.offsets);
    graph->replay();
    auto const of_frame = [&](at::Tensor const& all, std::int64_t frame) { return all[frame].contiguous(); };
    auto const heat = here<float>(next.heat), offsets = here<float>(of_frame(next.offsets, 0)),
               next_offsets = here<float>(of_frame(next.offsets, 1));
    auto const of_now = here<std::int64_t>(of_frame(next.classes, 0)), of_next = here<std::int64_t>(of_frame(next.classes, 1));
    auto const pair     = panoptic::fused_pair({of_now, heat, offsets, height, width}, of_next, next_offsets, options);
    auto const expected = stitcher.add(pair.labels, pair.next_labels);
    REQUIRE(here<std::int64_t>(labels) == expected);
    for (auto const label : expected) instances += label % options.divisor != 0;
  }
  REQUIRE(instances > 1000);
  video.check_numbers();
}
