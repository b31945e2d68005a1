// Early stopping against a simulation of its rule, the weights that are kept, and resuming; the files that a training writes for other programs.
#include <c2f/kinds/regression.hpp>
#include <c2f/print/observers.hpp>
#include <c2f/train/checkpoint.hpp>
#include <c2f/train/fit.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using task      = tiny::class_vector;
using data_type = tiny::dataset<task::kind, 8>;
struct with_validation {
  tiny::samples<task::kind, 8> train, validation, test;
};

std::vector<c2f::epoch_record> epochs_of(std::vector<double> const& scores) {
  std::vector<c2f::epoch_record> made;
  for (double const each : scores)
    made.push_back(
        {.epoch = std::ssize(made), .losses = {}, .scores = {{"coarse", {{"top1", 0}}}, {"fine", {{"top1", each}, {"top5", 1}}}}});
  return made;
}

c2f::recipe::settings recipe_of() { return c2f::recipe::settings{}.epochs(12).batch(16).learning_rate(.5).threads(0); }

std::vector<at::Tensor> tensors_of(c2f::stack<task> const& model) {
  std::vector<at::Tensor> all;
  c2f::for_each_tensor(
      model, [&](std::string const&, c2f::state_tensor const& each, auto const&) { all.push_back(each.tensor().detach().clone()); });
  return all;
}
bool equal(std::vector<at::Tensor> const& a, std::vector<at::Tensor> const& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!a[i].equal(b[i])) return false;
  return a.size() == b.size();
}

/// Keeps a copy of the model after each epoch.
struct keeps_all {
  c2f::stack<task> const& model;
  std::vector<std::vector<at::Tensor>> after{};
  void on_epoch(c2f::epoch_record const&) { after.push_back(tensors_of(model)); }
};
struct stops_after {
  std::int64_t steps = 0;
  std::int64_t done  = 0;
  void on_step(c2f::step_record const&) { ++done; }
  [[nodiscard]] bool stop() const { return done >= steps; }
};

}  // namespace

TEST_CASE("A training stops after `patience` epochs without a better score", "[early_stopping]") {
  c2f::early_stopping const two{.score = "fine top1", .patience = 2};
  auto const stops = [&](std::vector<double> const& scores) { return two.stops_after(epochs_of(scores)); };
  REQUIRE_FALSE(stops({}));
  REQUIRE_FALSE(stops({.5}));
  REQUIRE_FALSE(stops({.5, .5}));
  REQUIRE(stops({.5, .5, .5}));
  REQUIRE_FALSE(stops({.5, .4, .6}));
  REQUIRE_FALSE(stops({.5, .4, .6, .6}));
  REQUIRE(stops({.5, .4, .6, .1, .2}));
  REQUIRE(two.best_of(epochs_of({.5, .4, .6, .1, .6})) == 2);
  REQUIRE(two.best_of({}) == -1);
  double const nan = std::numeric_limits<double>::quiet_NaN();
  REQUIRE(two.best_of(epochs_of({nan, .1, nan})) == 1);
  REQUIRE_FALSE(stops({nan}));
  REQUIRE(stops({nan, nan}));
  c2f::early_stopping const by_more{.score = "", .patience = 2, .threshold = .1};
  REQUIRE(by_more.best_of(epochs_of({.5, .55, .65, .7})) == 2);
  // The kind says which scores are errors; the option, where it is given, is right.
  auto errors = epochs_of({.5, .4, .6, .1, .1});
  for (auto& each : errors) each.errors.push_back("top1");
  for (std::string const score : {"", "fine top1"}) {
    REQUIRE(c2f::early_stopping{.score = score}.best_of(errors) == 3);
    REQUIRE(c2f::early_stopping{.score = score, .lower_is_better = false}.best_of(errors) == 2);
    REQUIRE(c2f::early_stopping{.score = score, .lower_is_better = true}.best_of(epochs_of({.5, .4, .6})) == 1);
  }
  tests::require_message(tests::refusal([] { c2f::recipe::settings{}.stop_early({.patience = 0}); }), {"early stopping's patience is 0"});
  tests::require_message(tests::refusal([&] { (void)c2f::early_stopping{.score = "fine top2"}.gain_of(epochs_of({1}).front()); }),
                         {"'fine top2', by which the training is stopped early", "'fine top5'"});
}

TEST_CASE("The best weights are in the model, and what is tested", "[early_stopping]") {
  for (auto const& [ema, bf16] : {std::pair{0.0, false}, {.5, false}, {0.0, true}, {.5, true}}) {
    CAPTURE(ema, bf16);
    with_validation const data{{64, 1}, {40, 2}, {400, 3}};
    c2f::stack<task> model(3), plain(3);
    auto const recipe = recipe_of().ema(ema).bf16(bf16).learning_rate(bf16 ? .3 : .5);
    auto stopping     = recipe;
    stopping.stop_early({.patience = 3});
    keeps_all kept{model};
    auto const report = c2f::fit(model, data, stopping, kept);
    auto const whole  = c2f::fit(plain, data, c2f::recipe::settings(recipe).quiet());
    // The same training, up to where it stopped.
    c2f::early_stopping const rule{.patience = 3};
    std::size_t wanted = 0;
    while (wanted < 12 && !rule.stops_after(std::span(whole.epochs).first(wanted))) ++wanted;
    REQUIRE(report.epochs.size() == wanted);
    REQUIRE(wanted < 12);
    for (std::size_t i = 0; i < wanted; ++i) REQUIRE(report.epochs[i].scores.back().values == whole.epochs[i].scores.back().values);
    REQUIRE(report.best == std::int64_t(wanted) - 4);
    REQUIRE_FALSE(report.stopped);
    if (ema == 0) REQUIRE(equal(tensors_of(model), kept.after[std::size_t(report.best)]));
    REQUIRE_FALSE(equal(tensors_of(model), kept.after.back()));
    // What is in the model has the scores of the best epoch, and the report those of the test.
    auto const again = c2f::evaluate(model, data.validation, recipe);
    REQUIRE(again.back().values == report.epochs[std::size_t(report.best)].scores.back().values);
    REQUIRE(c2f::evaluate(model, data.test, recipe).back().values == report.test.back().values);
  }
}

TEST_CASE("A training with early stopping is resumed at any step", "[early_stopping]") {
  with_validation const data{{64, 1}, {40, 2}, {40, 3}};
  auto const recipe = recipe_of().stop_early({.patience = 3});
  c2f::stack<task> whole(3);
  auto const report = c2f::fit(whole, data, recipe, stops_after{1000});
  for (std::int64_t const at : {1, 5, 9, 14, 18}) {
    tests::scratch const dir;
    c2f::stack<task> first(3), second(3);
    c2f::checkpoints kept(dir.path / "c"), again(dir.path / "c");
    {
      c2f::checkpoints before(dir.path / "c");
      c2f::fit(first, data, recipe, before, stops_after{at});
    }
    c2f::checkpoints after(dir.path / "c");
    auto const resumed = c2f::fit(second, data, recipe, after);
    REQUIRE(resumed.epochs.size() == report.epochs.size());
    REQUIRE(resumed.best == report.best);
    REQUIRE(equal(tensors_of(second), tensors_of(whole)));
    REQUIRE(resumed.test.back().values == report.test.back().values);
  }
}

namespace {
/// The mean of a picture, as a number with an error of its own unit.
struct brightness {
  static constexpr char const* name = "brightness";
  using kind                        = c2f::regression<1>;
  using input                       = c2f::image<3, 8, 8>;
  using network                     = c2f::predicts<kind, c2f::global_average_pool, c2f::linear<1>>;
};
struct bright {
  using image                      = c2f::image<3, 8, 8>;
  using truth_value                = float;
  static constexpr auto truth_dims = brightness::kind::truth_dims<image>;
  std::int64_t count;
  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "bright"; }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, float* truth) const {
    std::fill_n(pixels, 3 * 64, static_cast<float>(id % 7));
    *truth = 10 * static_cast<float>(id % 7);
  }
};
}  // namespace

TEST_CASE("the kind says which scores are errors: of the first epochs the better has the lower one, also after a resume",
          "[early_stopping]") {
  struct {
    bright train{28}, test{14};
  } const data;
  auto const how = c2f::recipe::settings{}.epochs(6).batch(7).learning_rate(.002).momentum(0).threads(0).quiet().stop_early(
      {.score = "fine rmse", .patience = 5});
  tests::scratch const dir;
  auto const train = [&](std::filesystem::path const& to, std::int64_t steps) {
    c2f::stack<brightness> model(1);
    c2f::checkpoints kept(to, {.last = 1, .best = 1, .score = "fine rmse"});
    return c2f::fit(model, data, how, kept, stops_after{steps});
  };
  auto const report = train(dir.path / "whole", 1000);
  REQUIRE(report.epochs.size() == 6);
  REQUIRE(report.epochs.front().errors == std::vector<std::string>{"mae", "rmse"});
  auto const rmse = [&](std::size_t epoch) { return report.epochs[epoch].scores.back().values.back().second; };
  REQUIRE(rmse(5) < rmse(0));
  REQUIRE(report.best == 5);
  train(dir.path / "part", 9);
  auto const resumed = train(dir.path / "part", 1000);
  REQUIRE(resumed.best == 5);
  REQUIRE(resumed.epochs.front().errors == report.epochs.front().errors);
  REQUIRE(c2f::print::score_line(report.epochs.back().scores, report.epochs.back().errors).find('%') != std::string::npos);  // r2
  REQUIRE(c2f::print::score_text(1234.5, true) == "1234");
  REQUIRE(c2f::print::score_text(.612, false) == "61.20 %");
}

TEST_CASE("CSV and event files", "[early_stopping]") {
  tests::scratch const dir;
  with_validation const data{{64, 1}, {40, 2}, {40, 3}};
  auto const recipe = recipe_of().epochs(3);
  auto const text   = [](std::filesystem::path const& file) {
    auto const bytes = tests::contents(file);
    return std::string(bytes.begin(), bytes.end());
  };
  auto const run = [&](std::filesystem::path const& to, std::int64_t steps) {
    std::filesystem::create_directories(to);
    c2f::stack<task> model(3);
    c2f::print::csv_lines table(to / "log.csv");
    c2f::print::tensorboard_events events(to / "events.out.tfevents.c2f");
    c2f::checkpoints kept(to / "c");
    return c2f::fit(model, data, recipe, kept, table, events, stops_after{steps});
  };
  auto const whole = run(dir.path / "whole", 1000);
  run(dir.path / "resumed", 6);
  run(dir.path / "resumed", 1000);
  std::string const csv = text(dir.path / "whole/log.csv");
  REQUIRE(csv.starts_with("epoch,t,learning rate,loss coarse,loss fine,coarse top1,"));
  REQUIRE(std::ranges::count(csv, '\n') == 4);
  // The same but for seconds: the first columns of the last line.
  auto const last = [](std::string const& of) {
    auto const at = of.rfind('\n', of.size() - 2) + 1;
    return of.substr(at, of.rfind(',', of.rfind(',') - 1) - at);
  };
  REQUIRE(last(csv) == last(text(dir.path / "resumed/log.csv")));
  REQUIRE(std::stod(csv.substr(csv.rfind("\n3,") + 3)) == whole.epochs.back().t);
  REQUIRE(text(dir.path / "whole/events.out.tfevents.c2f").size() == text(dir.path / "resumed/events.out.tfevents.c2f").size());

  // By hand, from the description of the format; the CRCs are of another implementation.
  using namespace c2f::print::events;
  REQUIRE(crc32c("123456789") == 0xe3069283);
  std::string const record = scalars(1.5, 300, {{"loss", .5}});
  std::string const event(
      "\x09\0\0\0\0\0\0\xf8\x3f"
      "\x10\xac\x02"
      "\x2a\x0d"
      "\x0a\x0b"
      "\x0a\x04loss"
      "\x15\0\0\0\x3f",
      27);
  REQUIRE(record.size() == 12 + event.size() + 4);
  REQUIRE(record.substr(0, 8) == std::string("\x1b\0\0\0\0\0\0\0", 8));
  REQUIRE(record.substr(12, event.size()) == event);
  auto const number = [&](std::size_t at) {
    std::uint32_t made = 0;
    for (std::size_t i = 4; i-- > 0;) made = made << 8 | static_cast<unsigned char>(record[at + i]);
    return made;
  };
  REQUIRE(number(8) == 0x139e0d1a);
  REQUIRE(number(12 + event.size()) == 0x5b31f969);
}
