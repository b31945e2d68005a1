// Neural rejuvenation as a training: the search for lambda, budgets, and resuming before, at and after a surgery.
#include <c2f/data/io/weights.hpp>
#include <c2f/inference/model_folder.hpp>
#include <c2f/systems/rejuvenation.hpp>
#include <c2f/train/checkpoint.hpp>

#include <ATen/TensorOperators.h>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using c2f::eval;
using c2f::systems::fit_rejuvenated;
using c2f::systems::rejuvenation_options;

struct task : tiny::class_vector {
  static constexpr char const* name = "tiny-rejuvenation";
  using network = c2f::predicts<kind, c2f::conv<8, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<8, 3>, c2f::batch_norm, c2f::relu,
                                c2f::global_average_pool, c2f::linear<3>>;
};
using model = c2f::stack<task>;

c2f::recipe::settings recipe() { return c2f::recipe::settings{}.epochs(3).batch(4).learning_rate(0.05).weight_decay(1e-3).threads(0).quiet(); }
rejuvenation_options options(std::int64_t times = 1) {
  return {.sparse = recipe().epochs(4), .dense = recipe().epochs(2), .target = 0.75, .lambda = 0.5, .times = times, .surgery = {.dead = 0.3, .rescale = true}};
}

/// Stops before step `at` of a whole training, counted over its stages.
struct stops_at {
  std::int64_t at = 0, steps = 0;
  void on_step(c2f::step_record const&) { ++steps; }
  [[nodiscard]] static bool keeps_step(c2f::progress const&) { return true; }
  [[nodiscard]] bool stop() const { return steps == at; }
};
struct remembers {
  std::vector<c2f::systems::channel_record> seen{};
  void on_channels(c2f::systems::channel_record const& record) { seen.push_back(record); }
  static void on_start(c2f::training_start const&) {}
};

}  // namespace

TEST_CASE("a training stops before any step and resumes bit for bit, also around its surgeries") {
  auto const data = tiny::data_of<task>();
  for (auto const cross : {c2f::cross_connections::kept, c2f::cross_connections::none}) {
    auto how = options(2);
    how.surgery.cross = cross;
    model whole(5);
    tiny::spy wanted;
    stops_at counts{.at = -1};
    remembers channels;
    auto const report = fit_rejuvenated(whole, data, how, wanted, counts, channels);
    REQUIRE(!report.stopped);
    REQUIRE(report.trainings.size() == 3);
    REQUIRE(report.surgeries.size() == 2);
    REQUIRE(std::ssize(report.trainings[0].epochs) < 4);  // it reached its target
    REQUIRE(report.surgeries[0].utilisation < 0.75);
    REQUIRE(channels.seen.size() == report.trainings[0].epochs.size() + report.trainings[1].epochs.size() + 2);
    std::int64_t const most = counts.steps, skip = cross == c2f::cross_connections::kept ? 1 : 5;
    for (std::int64_t at = 0; at < most; at += skip) {
      tests::scratch const scratch;
      auto const folder = scratch.path / "kept";
      {
        model stopped(5);
        c2f::checkpoints kept(folder, {.every = 1});
        REQUIRE(fit_rejuvenated(stopped, data, how, kept, stops_at{.at = at}).stopped);
      }
      model resumed(5);
      tiny::spy found;
      c2f::checkpoints kept(folder, {.every = 1});
      auto const again = fit_rejuvenated(resumed, data, how, kept, found);
      INFO(at);
      REQUIRE(tiny::same_bytes(tiny::tensors_of(whole), tiny::tensors_of(resumed)));
      REQUIRE(tiny::same_bytes(wanted, found));
      REQUIRE(again.surgeries[1].growth == report.surgeries[1].growth);
    }
  }
}
