// c2f::probe on fine networks made to copy, to ignore and to combine, whose scores are known; and a conditioning given to a pass.
#include <c2f/c2f.hpp>
#include <c2f/train/probe.hpp>

#include <ATen/ops/zeros.h>

#include "catch.hpp"
#include "refusal.hpp"

namespace {

using input = c2f::image<3, 2, 2>;
using kind  = c2f::class_vector<3>;

// y [N, 3] as three constant maps.
struct plain {
  template <class Kind, c2f::image_shape Like>
  struct on {
    using output = Like;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& y, at::Tensor const& x, c2f::pass&) const {
      return y.to(x.scalar_type()).unsqueeze(2).unsqueeze(3).expand(x.sizes());
    }
  };
};

// Logits are the top left pixel of three channels, from `First` on; of the image where there are no others.
template <int First>
struct reads {
  using kind = ::kind;
  template <c2f::image_shape In>
  struct on {
    using output = c2f::vector<3>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const {
      return x.select(3, 0).select(2, 0).narrow(1, In::channels == 3 ? 0 : First, 3);
    }
  };
};
struct always_first {
  using kind = ::kind;
  template <c2f::image_shape In>
  struct on {
    using output = c2f::vector<3>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const {
      at::Tensor found = at::zeros({x.size(0), 3});
      found.select(1, 0).fill_(1);
      return found;
    }
  };
};
template <int First>
struct task {
  static constexpr char const* name = "probed";
  using input                       = ::input;
  using network                     = reads<First>;
  using encoder                     = plain;
};

// The coarse network says class 0 for all, and the fine one reads the image.
struct fixing : task<0> {
  using network = c2f::coarse_fine<always_first, reads<0>>;
};

// Sample i is of class i % 3, and its image shows it, but for samples 3, 4 and 5, which show the next class.
struct samples {
  using image       = input;
  using truth_value = std::int64_t;
  static constexpr std::array<std::int64_t, 0> truth_dims{};
  std::int64_t count = 12;
  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "probes"; }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, std::int64_t* truth) const {
    *truth                  = id % 3;
    std::int64_t const seen = id >= 3 && id <= 5 ? (id + 1) % 3 : id % 3;
    std::fill_n(pixels, 12, 0.0f);
    for (int y = 0; y < 4; ++y) pixels[3 * y + seen] = 2;
  }
};

template <class Task>
std::vector<double> top1_of(c2f::probe_report& found, std::int64_t batch = 4) {
  found = c2f::probe(c2f::stack<Task>(), samples{}, c2f::recipe::settings{}.batch(batch).seed(5).threads(0));
  std::vector<double> all;
  for (auto const& stage : found.scores) all.push_back(stage.values.front().second);
  return all;
}

}  // namespace

TEST_CASE("a copier scores all with the truth, and what its neighbour has when shuffled") {
  c2f::probe_report found;
  auto const top1 = top1_of<task<3>>(found);
  std::vector<std::string> stages;
  for (auto const& each : found.scores) stages.push_back(each.stage);
  REQUIRE(stages == std::vector<std::string>{"coarse", "prediction", "truth", "argmax", "nothing", "shuffled", "copier"});
  REQUIRE(top1[0] == Approx(9.0 / 12));
  REQUIRE(top1[1] == Approx(9.0 / 12));
  REQUIRE(top1[2] == 1);
  REQUIRE(top1[3] == Approx(9.0 / 12));
  REQUIRE(top1[4] == Approx(4.0 / 12));  // all logits are equal, and the first class wins
  // Shuffled, in batches of four in the loader's random order: each gets what was predicted for the sample before it in the batch, the first
  // what was predicted for the last.
  auto const order     = c2f::data::detail::order_of(12, true, 5, 0);
  auto const predicted = [](std::int64_t id) { return id >= 3 && id <= 5 ? (id + 1) % 3 : id % 3; };
  int same             = 0;
  for (std::size_t i = 0; i < 12; ++i) same += predicted(order[i / 4 * 4 + (i + 3) % 4]) == order[i] % 3;
  REQUIRE(top1[5] == Approx(same / 12.0));
  REQUIRE(top1[6] == top1[5]);
  REQUIRE(found.fixed == 0);
  REQUIRE(found.broken == 0);
  REQUIRE(found.agreement == 1);
}

TEST_CASE("where no sample has another in its batch, nothing is shuffled") {
  c2f::probe_report found;
  (void)top1_of<task<3>>(found, 1);
  REQUIRE(found.scores.size() == 5);
  REQUIRE(found.scores.back().stage == "nothing");
  (void)top1_of<task<3>>(found, 11);  // a last batch of one sample
  REQUIRE(found.scores.back().stage == "copier");
}

TEST_CASE("one that ignores its conditioning scores the same with all") {
  c2f::probe_report found;
  auto top1           = top1_of<task<0>>(found);
  double const copier = top1.back();
  top1.pop_back();
  for (double const each : top1) REQUIRE(each == Approx(9.0 / 12));
  REQUIRE(copier < 6.0 / 12);
}

TEST_CASE("answers that are fixed and broken are counted, and a truth may be ignored") {
  c2f::probe_report found;
  auto const top1 = top1_of<fixing>(found);
  REQUIRE(top1[0] == Approx(4.0 / 12));
  REQUIRE(top1[1] == Approx(9.0 / 12));
  REQUIRE(found.fixed == Approx(6.0 / 12));   // samples 1, 2, 7, 8, 10 and 11
  REQUIRE(found.broken == Approx(1.0 / 12));  // sample 3
  REQUIRE(found.agreement == Approx(4.0 / 12));
  using c2f::class_vector;
  at::Tensor const raw = at::zeros({3, 3}), truth = at::zeros({3}, at::kLong);
  truth.mutable_data_ptr<std::int64_t>()[1] = -100;
  truth.mutable_data_ptr<std::int64_t>()[2] = 2;
  auto const [correct, counts]              = class_vector<3>::correct(raw, truth);
  REQUIRE(correct.sum().item<std::int64_t>() == 1);
  REQUIRE(counts.sum().item<std::int64_t>() == 2);
}

TEST_CASE("a pass may be given a conditioning at inference") {
  c2f::stack<task<3>> const model;
  at::Tensor const x = at::zeros({2, 3, 2, 2}), y = kind::from_truth(at::zeros({2}, at::kLong).add(2));
  c2f::pass p{.given = y};
  REQUIRE(model(x, p).fine.argmax(1).equal(at::zeros({2}, at::kLong).add(2)));
  REQUIRE(model(x, c2f::eval).fine.argmax(1).equal(at::zeros({2}, at::kLong)));
}

TEST_CASE("a split without samples is not probed") {
  samples none;
  none.count = 0;
  tests::require_message(tests::refusal([&] { (void)c2f::probe(c2f::stack<task<3>>(), none); }), {"which is to be probed, has no samples"});
}

TEST_CASE("a curve of probes has a point after every second epoch and after the last one, and the last is what c2f::probe finds") {
  c2f::stack<task<3>> model;
  samples const few{};
  auto const recipe = c2f::recipe::settings{}.batch(4).seed(5).threads(0).epochs(5);
  c2f::probe_curve curve(model, few, recipe, 2);
  c2f::epoch_record epoch;
  for (; epoch.epoch < 5; ++epoch.epoch) curve.on_epoch(epoch);
  REQUIRE(curve.points.size() == 3);
  REQUIRE(curve.points[0].epochs == 2);
  REQUIRE(curve.points[1].epochs == 4);
  REQUIRE(curve.points[2].epochs == 5);
  c2f::probe_report const found = c2f::probe(model, few, recipe);
  REQUIRE(curve.points[2].found.scores.size() == found.scores.size());
  for (std::size_t i = 0; i < found.scores.size(); ++i) REQUIRE(curve.points[2].found.scores[i].values == found.scores[i].values);
  tests::require_message(tests::refusal([&] { c2f::probe_curve(model, few, recipe, 0); }), {"every 0 epochs", "write 1 or more"});
}
