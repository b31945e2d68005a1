// Training: the optimisers against their formulas, recipes, determinism, and how a training ends.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/print/observers.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>

#include <csignal>
#include <fstream>

#include "catch.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using input = c2f::image<3, 32, 32>;
using kind  = c2f::class_vector<4>;
using small = c2f::predicts<kind, c2f::conv<8, 3, 4>, c2f::batch_norm, c2f::relu, c2f::global_average_pool, c2f::linear<4>>;

struct pt {
  static constexpr char const* name = "pt";
  using input                       = ::input;
  using network                     = small;
};
struct bl : pt {
  using refine = c2f::refine::no_fine_network;
};
struct ind : pt {
  using schedule = c2f::schedule::always_truth;
};

struct plain : pt {
  using network = c2f::predicts<kind, c2f::conv<8, 3, 4>, c2f::relu, c2f::global_average_pool, c2f::linear<4>>;
};
/// A scatter whose indices might coincide: LibTorch has no deterministic algorithm for it.
struct scatter {
  template <c2f::shape In>
  struct on {
    using output = In;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& x, c2f::mode) const {
      return x.clone().put_(at::tensor({std::int64_t{0}}), at::tensor({0.0f}));
    }
  };
};
struct scatters : pt {
  using network = c2f::predicts<kind, c2f::conv<8, 3, 4>, c2f::relu, scatter, c2f::global_average_pool, c2f::linear<4>>;
};

c2f::data::glyphs<4> const data({.train = 150, .test = 40, .seed = 1});

c2f::recipe::settings two_epochs() { return c2f::recipe::settings{}.epochs(2).batch(32).learning_rate(0.05).seed(7); }

struct recorder {
  std::vector<c2f::step_record> steps;
  std::vector<c2f::epoch_record> epochs;
  void on_step(c2f::step_record const& step) { steps.push_back(step); }
  void on_epoch(c2f::epoch_record const& epoch) { epochs.push_back(epoch); }
};

/// A weight and a bias, for the optimisers' formulas.
struct layer {
  c2f::parameter<c2f::initial::he_normal, 4, 3, 3, 3> weight;
  c2f::parameter<c2f::initial::zeros, 4> bias;
  C2F_MEMBERS(weight, bias);
};

template <class Task>
std::vector<at::Tensor> trained(c2f::recipe::settings const& recipe, recorder* log = nullptr) {
  c2f::stack<Task> model(7);
  recorder own;
  c2f::fit(model, data, recipe, log != nullptr ? *log : own);
  return c2f::detail::copies_of_tensors(model);
}

}  // namespace

TEST_CASE("sgd is PyTorch's formula") {
  for (bool const nesterov : {false, true}) {
    layer n;
    c2f::initialize(n, 1);
    c2f::sgd optimizer{n, {.momentum = 0.9, .weight_decay = 0.1, .nesterov = nesterov, .multipliers = &c2f::decay_weights}};
    std::array<at::Tensor, 2> p{n.weight.tensor().detach().clone().to(at::kDouble), n.bias.tensor().detach().clone().to(at::kDouble)},
        m{at::zeros_like(p[0]), at::zeros_like(p[1])};
    for (int step = 0; step < 3; ++step) {
      double const learning_rate = 0.1 / (step + 1);
      std::array<at::Tensor, 2> const g{c2f::detail::sample_numbers({4, 3, 3, 3}, 10 + static_cast<std::uint64_t>(step)),
                                        c2f::detail::sample_numbers({4}, 20 + static_cast<std::uint64_t>(step))};
      optimizer.zero_gradients();
      n.weight.tensor().mutable_grad() = g[0].to(at::kFloat);
      n.bias.tensor().mutable_grad()   = g[1].to(at::kFloat);
      optimizer.step(learning_rate);
      for (std::size_t i = 0; i < 2; ++i) {
        at::Tensor const d = g[i].add(p[i], i == 0 ? 0.1 : 0.0);
        m[i]               = m[i].mul(0.9).add(d);
        p[i]               = p[i].sub(nesterov ? d.add(m[i], 0.9) : m[i], learning_rate);
      }
    }
    REQUIRE(at::allclose(n.weight.tensor().to(at::kDouble), p[0], 1e-5, 1e-6));
    REQUIRE(at::allclose(n.bias.tensor().to(at::kDouble), p[1], 1e-5, 1e-6));
  }
}

TEST_CASE("adam is PyTorch's formula") {
  for (bool const decoupled : {false, true}) {
    layer n;
    c2f::initialize(n, 1);
    c2f::adam optimizer{
        n, {.beta1 = 0.8, .beta2 = 0.99, .epsilon = 1e-6, .weight_decay = 0.1, .decoupled = decoupled, .multipliers = &c2f::decay_weights}};
    std::array<at::Tensor, 2> p{n.weight.tensor().detach().clone().to(at::kDouble), n.bias.tensor().detach().clone().to(at::kDouble)},
        m{at::zeros_like(p[0]), at::zeros_like(p[1])}, v{at::zeros_like(p[0]), at::zeros_like(p[1])};
    for (int step = 1; step <= 3; ++step) {
      double const learning_rate = 0.01 / step;
      std::array<at::Tensor, 2> const g{c2f::detail::sample_numbers({4, 3, 3, 3}, 10 + static_cast<std::uint64_t>(step)),
                                        c2f::detail::sample_numbers({4}, 20 + static_cast<std::uint64_t>(step))};
      optimizer.zero_gradients();
      n.weight.tensor().mutable_grad() = g[0].to(at::kFloat);
      n.bias.tensor().mutable_grad()   = g[1].to(at::kFloat);
      optimizer.step(learning_rate);
      for (std::size_t i = 0; i < 2; ++i) {
        double const decay = i == 0 ? 0.1 : 0.0;
        at::Tensor const d = decoupled ? g[i] : g[i].add(p[i], decay);
        if (decoupled) p[i] = p[i].mul(1 - learning_rate * decay);
        m[i] = m[i].mul(0.8).add(d, 0.2);
        v[i] = v[i].mul(0.99).add(d.mul(d), 0.01);
        p[i] = p[i].sub(m[i].div(1 - std::pow(0.8, step)).div(v[i].div(1 - std::pow(0.99, step)).sqrt().add(1e-6)), learning_rate);
      }
    }
    REQUIRE(at::allclose(n.weight.tensor().to(at::kDouble), p[0], 1e-5, 1e-6));
    REQUIRE(at::allclose(n.bias.tensor().to(at::kDouble), p[1], 1e-5, 1e-6));
  }
}

TEST_CASE("the recipe of the paper") {
  c2f::recipe::cifar const recipe;
  auto const learning_rate = [&](std::int64_t epoch) {
    return recipe.learning_rate_at({.epoch = epoch, .iteration = 391 * epoch, .fraction = 0});
  };
  REQUIRE(learning_rate(0) == Approx(0.1));
  REQUIRE(learning_rate(80) == Approx(0.1));
  REQUIRE(learning_rate(81) == Approx(0.01));
  REQUIRE(learning_rate(121) == Approx(0.01));
  REQUIRE(learning_rate(122) == Approx(0.001));
  auto const warm = c2f::recipe::settings{}.learning_rate(0.4).warm_up(4);
  for (std::int64_t i = 0; i < 6; ++i)
    REQUIRE(warm.learning_rate_at({.epoch = 0, .iteration = i, .fraction = 0}) ==
            Approx(0.4 * std::min<double>(1, 0.25 * static_cast<double>(i + 1))));
  REQUIRE_THROWS_WITH(c2f::recipe::settings{}.epochs(0), "the recipe's epochs is 0; it must be 1 or more");
  REQUIRE_THROWS_AS(c2f::recipe::settings{}.momentum(1.0), c2f::input_error);
  REQUIRE_THROWS_AS(c2f::recipe::settings{}.adam({.beta2 = 1}), c2f::input_error);
  REQUIRE_THROWS_AS(c2f::recipe::settings{}.adam({.weight_decay = -1}), c2f::input_error);
}

TEST_CASE("the weight decay of a recipe's Adam is that of its options, or of weight_decay()") {
  using c2f::recipe::settings;
  // With zero gradients, AdamW multiplies what decays by 1 - rate * decay.
  auto const decayed = [](settings const& how) {
    layer n;
    c2f::initialize(n, 1);
    auto const before    = n.weight.tensor().detach().clone();
    auto const optimizer = how.make_optimizer(c2f::any_network(n));
    n.bias.tensor().detach().fill_(1);
    for (auto const* each : {&n.weight.tensor(), &n.bias.tensor()}) each->mutable_grad() = at::zeros_like(each->detach());
    optimizer->step(.5);
    double const weight = n.weight.tensor().detach().flatten()[0].item<double>() / before.flatten()[0].item<double>();
    return std::pair{2 - 2 * weight, 2 - 2 * n.bias.tensor().detach()[0].item<double>()};
  };
  auto const is = [&](settings const& how, double weight, double bias) {
    auto const found = decayed(how);
    REQUIRE(found.first == Approx(weight).margin(1e-5));
    REQUIRE(found.second == Approx(bias).margin(1e-5));
  };
  is(settings{}.adam({.decoupled = true}), 0, 0);
  is(settings{}.adam({.weight_decay = .1, .decoupled = true}), .1, .1);
  is(settings{}.weight_decay(.2).adam({.decoupled = true}), .2, .2);
  is(settings{}.weight_decay(.2).adam({.weight_decay = .1, .decoupled = true}), .1, .1);
  is(settings{}.adam({.weight_decay = .1, .decoupled = true}).weight_decay(.2), .2, .2);
  is(settings{}.adam({.weight_decay = .1, .decoupled = true, .multipliers = &c2f::decay_weights}), .1, 0);
  is(settings{}.weight_decay(.2, &c2f::decay_weights).adam({.weight_decay = .1, .decoupled = true}), .1, 0);
  is(settings{}.weight_decay(.2).adam({.decoupled = true, .multipliers = &c2f::decay_weights}), .2, 0);
  is(settings{}.adam({.weight_decay = .1, .decoupled = true}).multiply("bias", {.weight_decay = 2}), .1, .2);
  is(settings{}.adam({.decoupled = true}).multiply("bias", {.weight_decay = 2}), 0, 0);
}

TEST_CASE("the same seed gives the same bytes, whatever the number of loader threads") {
  auto const once = trained<pt>(two_epochs().threads(0));
  REQUIRE(c2f::detail::equal_bits(once, trained<pt>(two_epochs().threads(1))));
  REQUIRE(c2f::detail::equal_bits(once, trained<pt>(two_epochs().threads(4))));
  REQUIRE_FALSE(c2f::detail::equal_bits(once, trained<pt>(two_epochs().seed(8))));
}

TEST_CASE("deterministic() gives the same bytes in every run, names an operation that is not deterministic, and restores the settings") {
  at::Context const& context = at::globalContext();
  struct looks {
    bool on = false;
    void on_step(c2f::step_record const&) { on = at::globalContext().deterministicAlgorithms(); }
  } seen;
  {
    c2f::stack<pt> model(7);
    c2f::fit(model, data, two_epochs().deterministic(), seen);
  }
  REQUIRE(seen.on);
  REQUIRE(!context.deterministicAlgorithms());
  REQUIRE(context.deterministicFillUninitializedMemory());
  auto const once = trained<pt>(two_epochs().deterministic().threads(0));
  REQUIRE(tiny::same_bytes(once, trained<pt>(two_epochs().deterministic().threads(1))));
  REQUIRE(tiny::same_bytes(once, trained<pt>(two_epochs().deterministic().threads(4))));
  REQUIRE(tiny::same_bytes(once, trained<pt>(two_epochs())));  // on a CPU all operations of c2f are deterministic

  c2f::stack<scatters> model(7);
  c2f::fit(model, data, two_epochs());
  REQUIRE_THROWS_WITH(c2f::fit(model, data, two_epochs().deterministic()),
                      "recipe.deterministic() is set, and the operation put_ has no deterministic algorithm; choose another layer "
                      "or loss, or leave deterministic() out");
  REQUIRE(!context.deterministicAlgorithms());
  REQUIRE_THROWS_AS(c2f::deterministically(true, [] { throw c2f::input_error("mine"); }), c2f::input_error);
}

TEST_CASE("gradients of several batches are accumulated to one step, and their norm may be clipped") {
  // Without batch normalisation, two batches of 16 equal one of 32 up to rounding; the last step of an epoch has 22 samples.
  auto const whole = trained<plain>(two_epochs().batch(32).momentum(0)),
             parts = trained<plain>(two_epochs().batch(16).accumulate(2).momentum(0)),
             other = trained<plain>(two_epochs().batch(16).momentum(0));
  for (std::size_t i = 0; i < whole.size(); ++i) REQUIRE(whole[i].allclose(parts[i], 1e-4, 1e-5));
  REQUIRE(!whole[0].allclose(other[0], 1e-4, 1e-5));

  // By hand: gradients (3, 0) and (0, 4) have the norm 5; a limit of 2.5 halves them, a limit of 6 does not change them.
  struct net {
    c2f::parameter<c2f::initial::zeros, 2> first, second, unused;
    C2F_MEMBERS(first, second, unused);
  } n;
  c2f::initialize(n, 1);
  c2f::sgd const optimizer{n, {}};
  n.first.tensor().mutable_grad()  = at::tensor({3.0f, 0.0f});
  n.second.tensor().mutable_grad() = at::tensor({0.0f, 4.0f});
  REQUIRE(c2f::sgd::clipping(optimizer.gradient_norm(), 6).item<float>() == 1);
  REQUIRE(c2f::sgd::clipping(optimizer.gradient_norm(), 2.5).item<float>() == .5f);
  // The norm of the largest floats is finite, although their squares and their sum overflow.
  auto const finite               = [&] { return optimizer.gradient_norm().isfinite().item<bool>(); };
  n.first.tensor().mutable_grad() = at::tensor({3e38f, 3e38f});
  REQUIRE(finite());
  for (float const bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::nanf("")}) {
    n.second.tensor().mutable_grad() = at::tensor({bad, 1.0f});
    REQUIRE(!finite());
    REQUIRE(optimizer.first_gradient_not_finite() == "second");
  }
}

TEST_CASE("generators are known by their kind, so that a training is resumed on another GPU") {
  REQUIRE(c2f::detail::generators::kind_of("cuda:1") == "cuda");
  REQUIRE(c2f::detail::generators::kind_of("cuda") == "cuda");
  REQUIRE(c2f::detail::generators::kind_of("cpu") == "cpu");
  c2f::detail::generators const all(at::kCPU);
  auto const before = all.states();
  REQUIRE(before.size() == 1);
  REQUIRE(before[0].first == "cpu");
  at::Tensor const first = at::rand({3});
  all.assign({{"cuda:0", at::Tensor()}, before[0]});
  REQUIRE(at::rand({3}).equal(first));
}

TEST_CASE("the moving average equals its formula, is evaluated, and is in the model at the end") {
  at::Tensor const from = at::tensor({1.0f, 2.0f}), to = at::tensor({0.0f, 0.0f});
  c2f::moving_average const moving({{from, to}});
  auto const update = [&](std::int64_t iteration) {
    moving.update(c2f::moving_average::weight({.decay = 0.9, .every = 2, .warm_up = 4}, iteration));
  };
  update(0);  // no update before the second step
  REQUIRE(to.equal(at::tensor({0.0f, 0.0f})));
  update(1);  // k = 0: d = min(.9, 1/4)
  REQUIRE(to.allclose(at::tensor({0.75f, 1.5f})));
  update(2);
  update(3);  // k = 1: d = 2/5; 1 - .25 * .4
  REQUIRE(to.allclose(at::tensor({0.9f, 1.8f})));
  to.zero_();
  update(199);  // k = 99: .9
  REQUIRE(to.allclose(at::tensor({0.1f, 0.2f})));

  // A whole training against the average computed from the parameters after each step.
  struct averages {
    std::vector<at::Tensor> mean{};
    bool restore(c2f::training_state& state) {
      for (auto const& [path, each] : state.model) mean.push_back(each.detach().clone().to(at::kDouble));
      return false;
    }
    void keep(c2f::training_state const& state, c2f::moment when) {
      if (when != c2f::moment::step) return;
      double const k = static_cast<double>(state.now.iteration - 1), d = std::min(0.8, (1 + k) / (10 + k));
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = mean[i].mul(d).add(state.model[i].second.detach().to(at::kDouble), 1 - d);
    }
  } by_hand;
  c2f::stack<pt> model(7);
  auto const report = c2f::fit(model, data, two_epochs().ema(0.8), by_hand);
  std::size_t i     = 0;
  for (auto const& each : c2f::detail::copies_of_tensors(model)) {
    if (each.is_floating_point()) REQUIRE(each.to(at::kDouble).allclose(by_hand.mean[i], 1e-4, 1e-6));
    ++i;
  }
  auto const scores = c2f::evaluate(model, data.test, two_epochs());
  for (std::size_t stage = 0; stage < scores.size(); ++stage) REQUIRE(scores[stage].values == report.epochs.back().scores[stage].values);
  auto const without = trained<pt>(two_epochs());
  REQUIRE(!tiny::same_bytes(without, c2f::detail::copies_of_tensors(model)));
}

TEST_CASE("the coarse network of IND is the network of BL, bit for bit, after training") {
  auto const alone = trained<bl>(two_epochs()), truth = trained<ind>(two_epochs()), other = trained<pt>(two_epochs());
  std::vector<at::Tensor> const coarse(truth.begin(), truth.begin() + static_cast<std::ptrdiff_t>(alone.size()));
  std::vector<at::Tensor> const by_prediction(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(alone.size()));
  REQUIRE(c2f::detail::equal_bits(alone, coarse));
  REQUIRE_FALSE(c2f::detail::equal_bits(alone, by_prediction));
}

TEST_CASE("observers see the steps and epochs of a training, and it learns") {
  recorder log;
  trained<pt>(two_epochs().epochs(6), &log);
  REQUIRE(log.steps.size() == 6 * 5);
  REQUIRE(log.steps[0].t == 0.5);
  REQUIRE(log.steps.back().t == 1.0);
  REQUIRE(log.steps[7].epoch == 1);
  REQUIRE(log.steps[7].step == 2);
  REQUIRE(log.epochs.size() == 6);
  REQUIRE(log.epochs[0].scores[1].stage == "fine");
  double sum = 0;
  for (std::size_t i = 5; i < 10; ++i) sum += log.steps[i].losses[1].second / 5;
  REQUIRE(log.epochs[1].losses[1].second == Approx(sum));
  REQUIRE(log.epochs.back().losses[0].second < log.epochs.front().losses[0].second);
}

TEST_CASE("evaluate counts correct predictions") {
  c2f::stack<pt> const model(3);
  auto const scores = c2f::evaluate(model, data.test, c2f::recipe::settings{}.batch(7));
  at::NoGradGuard const no_gradients;
  int correct = 0;
  for (auto const& batch : c2f::data::loader{data.test, {.batch = 1, .shuffle = false, .augment = false}}.epoch(0))
    correct += model(batch.images, c2f::eval).fine.argmax(1).equal(batch.truth);
  REQUIRE(scores[1].values[0].second == Approx(correct / 40.0));
  REQUIRE(scores[1].values[1].second == 1.0);  // four classes: the truth is always among five
}

TEST_CASE("a loss that is not finite changes no parameter and ends the training") {
  c2f::stack<pt> model(7);
  {
    at::NoGradGuard const no_gradients;
    c2f::parameters(model.fine)[0].view({-1})[3].fill_(std::numeric_limits<double>::quiet_NaN());
  }
  auto const before = c2f::detail::copies_of_tensors(model);
  REQUIRE_THROWS_WITH(c2f::fit(model, data, two_epochs().stop_after_skips(1)),
                      "the loss 'fine' is not finite at epoch 0, step 0 (1 skipped in a row); the first non-finite number of the model is "
                      "in 'fine.0.weight'; lower the learning rate");
  REQUIRE(tiny::same_bytes(before, c2f::detail::copies_of_tensors(model)));
  REQUIRE_THROWS_WITH(c2f::fit(model, data, two_epochs()),  // the default limit is 10: two epochs of five steps
                      "the loss 'fine' is not finite at epoch 1, step 4 (10 skipped in a row); the first non-finite number of the model "
                      "is in 'fine.0.weight'; lower the learning rate");
  REQUIRE(tiny::same_bytes(before, c2f::detail::copies_of_tensors(model)));
}

TEST_CASE("an observer may stop a training; Ctrl-C does") {
  struct stops {
    int steps = 0;
    void on_step(c2f::step_record const&) { ++steps; }
    [[nodiscard]] bool stop() const { return steps == 7; }
  };
  c2f::stack<pt> model(7);
  stops after_seven;
  auto const report = c2f::fit(model, data, two_epochs(), after_seven);
  REQUIRE(report.stopped);
  REQUIRE(after_seven.steps == 7);
  REQUIRE(report.epochs.size() == 1);

  c2f::interrupt on_ctrl_c;
  struct presses {
    void on_step(c2f::step_record const& step) const {
      if (step.iteration == 2) std::raise(SIGINT);
    }
  };
  auto const second = c2f::fit(model, data, two_epochs(), presses{}, on_ctrl_c);
  REQUIRE(second.stopped);
  REQUIRE(second.epochs.empty());
}

TEST_CASE("a signal ends with the objects that caught it") {
  struct presses {
    void on_step(c2f::step_record const&) const { std::raise(SIGINT); }
  };
  c2f::stack<pt> model(7);
  for (int i = 0; i < 2; ++i) {
    c2f::interrupt on_ctrl_c;
    REQUIRE_FALSE(on_ctrl_c.stop());
    REQUIRE(c2f::fit(model, data, two_epochs(), on_ctrl_c).epochs.size() == 2);  // the signal of the one before is forgotten
    REQUIRE(c2f::fit(model, data, two_epochs(), presses{}, on_ctrl_c).stopped);
    REQUIRE(c2f::fit(model, data, two_epochs(), on_ctrl_c).stopped);  // the same object keeps it
  }
}

TEST_CASE("nested interrupts share a request to stop") {
  static int seen    = 0;
  auto* const before = std::signal(SIGINT, [](int) { ++seen; });
  {
    c2f::interrupt outer;
    {
      c2f::interrupt inner;
    }
    {
      c2f::interrupt inner;
      std::raise(SIGINT);
      REQUIRE(inner.stop());
      REQUIRE(outer.stop());
    }
    REQUIRE(outer.stop());
    c2f::interrupt const late;
    REQUIRE(late.stop());
    std::raise(SIGINT);  // within a second: the same request
    REQUIRE(late.stop());
    REQUIRE(seen == 0);
  }
  std::raise(SIGINT);  // the handler from before is back
  REQUIRE(seen == 1);
  std::signal(SIGINT, before);
}

TEST_CASE("queue() of a full ring is an error") {
  c2f::stack<pt> model(7);
  c2f::training_step<pt> step(model, two_epochs());
  c2f::data::loader batches{data.train, {.batch = 32, .seed = 7, .threads = 0}};
  auto epoch       = batches.epoch(0);
  auto const batch = *epoch.next();
  while (!step.full()) step.queue({batch}, {.learning_rate = .1});
  auto const before = c2f::detail::copies_of_tensors(model);
  REQUIRE_THROWS_AS(step.queue({batch}, {.learning_rate = .1}), c2f::error);
  REQUIRE_THROWS_WITH(step.queue({batch}, {.learning_rate = .1}),
                      "4 training steps are queued and their results were not read; call next(true) before queue()");
  REQUIRE(tiny::same_bytes(before, c2f::detail::copies_of_tensors(model)));
  for (int i = 0; i < 4; ++i) REQUIRE(step.next(true));
  REQUIRE_FALSE(step.next(true));
  step.queue({batch}, {.learning_rate = .1});
  REQUIRE(step.next(true));
}

TEST_CASE("bfloat16 images train float parameters") {
  recorder log;
  auto const tensors = trained<pt>(two_epochs().bf16(), &log);
  for (auto const& each : tensors) REQUIRE((each.scalar_type() == at::kFloat || each.scalar_type() == at::kLong));
  REQUIRE(std::isfinite(log.epochs.back().losses[1].second));
}

TEST_CASE("the log has a line of JSON per epoch") {
  tests::scratch const dir;
  auto const file = dir.path / "log.jsonl";
  c2f::stack<pt> model(7);
  {
    c2f::print::json_lines log(file);
    c2f::fit(model, data, two_epochs(), log);
  }
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  REQUIRE(lines.size() == 4);
  REQUIRE(lines[0].starts_with(R"({"event": "start", "task": "pt", "parameters": )"));
  REQUIRE(lines[2].find(R"("epoch": 1)") != std::string::npos);
  REQUIRE(lines[2].find(R"("scores": {"coarse": {"top1": )") != std::string::npos);
  REQUIRE(lines[3] == R"({"event": "end", "epochs": 2, "stopped": false})");
  REQUIRE_THROWS_AS(c2f::print::json_lines("/nowhere/log.jsonl"), c2f::input_error);
}

TEST_CASE("a registry chooses a type by name") {
  struct other : pt {};
  using list = c2f::registry<pt>;
  std::string chosen;
  list::with("pt", [&]<class Task>(c2f::chosen<Task>) { chosen = Task::name; });
  REQUIRE(chosen == "pt");
  REQUIRE_THROWS_WITH(list::with("ptt", [](auto) {}), "no task is called 'ptt'; write one of 'pt'");
}

TEST_CASE("explain describes a task") {
  std::string const text = c2f::explain<pt>();
  for (char const* part : {"task 'pt'", "encode::tile<>", "by default", "[N, 6, 32, 32] -> [N, 4]", "schedule::ramp"})
    REQUIRE(text.find(part) != std::string::npos);
  REQUIRE(c2f::explain<bl>().find("encoder") == std::string::npos);
}
