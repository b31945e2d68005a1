// ViP-DeepLab trains through fit, is resumed bit for bit, and gives the same bytes when its steps and passes are captured.
#include <c2f/c2f.hpp>
#include <c2f/data/panoptic_pairs.hpp>
#include <c2f/data/synthetic/road_videos.hpp>
#include <c2f/systems/vip_deeplab.hpp>
#include <c2f/train/checkpoint.hpp>

#include "catch.hpp"
#include "graph_capture.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using kind  = c2f::systems::vip_kind<c2f::systems::vip_labels<5, 88>>;
using roads = c2f::data::road_videos<24, 32>;
struct narrow : c2f::systems::vip_small {
  using backbone = c2f::small_levels<4, 4, 8>;
  using context  = c2f::aspp<8, 1>;
  using cascade  = c2f::dense_cascade<2, c2f::aspp<8, 1>>;
  using semantic = c2f::systems::vip_widths<8, 4, 4>;
  using instance = c2f::systems::vip_widths<8, 4, 4>;
};
using model = c2f::systems::vip_deeplab<kind, c2f::image<6, 24, 32>, narrow>;

auto samples() {
  roads const drawn({.train = 8, .test = 1, .frames = 5});
  c2f::data::panoptic_target_options const targets{.things = {3, 4}, .sigma = 2};
  struct {
    c2f::data::panoptic_pairs<decltype(drawn.train)> train, test;
  } data{{drawn.train, targets}, {drawn.test, targets}};
  return data;
}
c2f::recipe::settings recipe() { return tiny::recipe().epochs(2).learning_rate(.001).threads(0); }

struct outcome {
  tiny::spy state;
  std::vector<at::Tensor> after;
  c2f::training_report report;
};
outcome trained(c2f::recipe::settings const& how) {
  model net(7);
  outcome found;
  found.report = c2f::fit(net, samples(), how, found.state);
  found.after  = tiny::tensors_of(net);
  return found;
}

}  // namespace

TEST_CASE("ViP-DeepLab is resumed bit for bit") {
  C2F_NEEDS_DEVICE();
  auto const how      = tests::variants().back()(recipe());
  outcome const whole = trained(how);
  REQUIRE(whole.report.epochs.back().losses.size() == 5);
  REQUIRE(whole.report.epochs.back().scores[0].values[0].first == "semantic.miou");
  REQUIRE(whole.report.skipped == 0);
  for (std::int64_t const at : {1, 5}) {
    tests::scratch const s;
    model first(7), second(8);
    REQUIRE(c2f::fit(first, samples(), how, c2f::checkpoints(s.path), tiny::stops{.at = at}).stopped);
    tiny::spy resumed;
    REQUIRE(c2f::fit(second, samples(), how, c2f::checkpoints(s.path), resumed).start.done == at);
    REQUIRE(tiny::same_bytes(whole.state, resumed));
    REQUIRE(tiny::same_bytes(whole.after, tiny::tensors_of(second)));
  }
}

TEST_CASE("a captured step of ViP-DeepLab gives the bytes of one that is not captured") {
  C2F_NEEDS_DEVICE();
  for (auto const& how : {recipe(), recipe().bf16()}) {
    outcome const called = trained(tests::captured_as_call(how));
    tests::captures      = 0;
    outcome const again  = trained(tests::captured(how));
    REQUIRE(tests::captures == 2);
    auto const numbers = [](outcome const& of) {  // without the counters of norms, which count every replay on the CPU
      std::vector<at::Tensor> all;
      for (auto const& each : of.state.tensors)
        if (each.is_floating_point()) all.push_back(each);
      return all;
    };
    REQUIRE(tiny::same_bytes(numbers(called), numbers(again)));
    REQUIRE(called.report.epochs.back().losses == again.report.epochs.back().losses);
  }
}
