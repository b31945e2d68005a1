// Trainings on streams and with a validation split: they resume bit for bit, and each split is scored when it should be.
#include <c2f/c2f.hpp>
#include <c2f/data/streams.hpp>
#include <c2f/print/observers.hpp>
#include <c2f/train/checkpoint.hpp>

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <fstream>
#include <iterator>

#include "catch.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using task    = tiny::class_vector;
using samples = tiny::samples<task::kind, 8>;

struct two_streams {
  c2f::data::streams<samples, c2f::data::unlabelled<samples>> train{c2f::data::stream{samples{9, 1}, 2},
                                                                    c2f::data::stream{c2f::data::unlabelled{samples{25, 3}}, 2}};
  samples validation{30, 4}, test{23, 2};
};

c2f::recipe::settings recipe() { return tiny::recipe().threads(0); }

bool same(std::vector<c2f::stage_score> const& a, std::vector<c2f::stage_score> const& b) {
  return std::ranges::equal(a, b, [](auto const& x, auto const& y) { return x.stage == y.stage && x.values == y.values; });
}

}  // namespace

TEST_CASE("a training on two streams resumes bit for bit from the middle of an epoch") {
  two_streams const data;
  auto const train = [&](int threads, auto&&... observers) {
    c2f::stack<task> model(7);
    return c2f::fit(model, data, recipe().threads(threads), observers...);
  };
  tiny::spy whole, threaded;
  auto const report = train(0, whole);
  REQUIRE(report.start.samples == 34);
  REQUIRE(report.start.steps_an_epoch == 7);  // 13 batches of 2 + 2, two a step
  REQUIRE(report.faulty.samples == 7);        // sample 3 of each of the four splits, and sample 20 of three of them
  train(3, threaded);
  REQUIRE(tiny::same_bytes(whole, threaded));
  for (std::int64_t const at : {1, 5, 7, 10, 20}) {
    CAPTURE(at);
    tests::scratch const scratch;
    train(0, c2f::checkpoints(scratch.path / "kept"), tiny::stops{.at = at});
    tiny::spy resumed;
    auto const rest = train(3, c2f::checkpoints(scratch.path / "kept"), resumed);
    REQUIRE(rest.start.done == at);
    REQUIRE(tiny::same_bytes(whole, resumed));
    REQUIRE(same(rest.test, report.test));
  }
}

TEST_CASE("data with a validation split: it is scored after every epoch, and the test split at the end") {
  two_streams const data;
  tests::scratch const scratch;
  c2f::stack<task> model(7);
  auto const log        = scratch.path / "log.jsonl";
  auto const report     = c2f::fit(model, data, recipe(), c2f::print::json_lines{log}, c2f::checkpoints(scratch.path / "kept"));
  auto const validation = c2f::evaluate(model, data.validation, recipe()), test = c2f::evaluate(model, data.test, recipe());
  REQUIRE(!same(validation, test));
  REQUIRE(same(report.epochs.back().scores, validation));
  REQUIRE(same(report.test, test));
  std::ifstream in(log);
  std::string const text{std::istreambuf_iterator<char>(in), {}}, end = text.substr(text.rfind('{', text.rfind("\"event\"")));
  REQUIRE(end.starts_with("{\"event\": \"end\", \"epochs\": 3, \"stopped\": false, \"test\": {\"coarse\": {\"top1\": "));

  // A finished training is scored again.
  c2f::stack<task> again(7);
  REQUIRE(same(c2f::fit(again, data, recipe(), c2f::checkpoints(scratch.path / "kept")).test, test));

  // Stopped in the training, or in the evaluation at the end.
  c2f::stack<task> stopped(7);
  REQUIRE(c2f::fit(stopped, data, recipe(), tiny::stops{.at = 10}).test.empty());
  auto const late = c2f::fit(stopped, data, recipe(), tiny::stops{.after_epoch = 3});
  REQUIRE(late.stopped);
  REQUIRE(late.epochs.size() == 3);
  REQUIRE(late.test.empty());

  // Without a validation split the scores of an epoch are those of the test split.
  struct plain {
    samples train{35, 1}, test{8, 2};
  };
  c2f::stack<task> other(7);
  auto const without = c2f::fit(other, plain{}, recipe());
  REQUIRE(same(without.epochs.back().scores, c2f::evaluate(other, plain{}.test, recipe())));
  REQUIRE(without.test.empty());
}

TEST_CASE("samples without a class: a conditioning of zeros, and no effect on the loss") {
  at::Tensor const truth   = at::tensor(std::vector<std::int64_t>{2, -100, 0});
  at::Tensor const one_hot = task::kind::from_truth(truth);
  REQUIRE(one_hot.scalar_type() == at::kFloat);
  REQUIRE(at::equal(one_hot, at::tensor(std::vector<float>{0, 0, 1, 0, 0, 0, 1, 0, 0}).view({3, 3})));
}
