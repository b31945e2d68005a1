// Schedules of the learning rate against torch.optim.lr_scheduler (PyTorch 2.11, learning rate .4), and the multipliers of a recipe by path.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/execution/context.hpp>
#include <c2f/layers/frozen.hpp>
#include <c2f/systems/rstn.hpp>
#include <c2f/train/checkpoint.hpp>
#include <c2f/train/fine_tune.hpp>

#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using c2f::recipe::settings;
using task = tiny::class_vector;

settings base() { return settings{}.epochs(100).learning_rate(0.4); }

/// The learning rates of a training of as many steps as `wanted` has.
void follows(settings const& recipe, std::vector<double> const& wanted) {
  auto const steps = static_cast<std::int64_t>(wanted.size());
  for (std::int64_t i = 0; i < steps; ++i) {
    CAPTURE(i);
    double const fraction = static_cast<double>(i) / static_cast<double>(steps);
    REQUIRE(recipe.learning_rate_at({.epoch = 0, .iteration = i, .fraction = fraction}) ==
            Approx(wanted[static_cast<std::size_t>(i)]).epsilon(1e-9));
  }
}

c2f::epoch_record scored(std::int64_t epoch, double top1) {
  c2f::epoch_record record;
  record.epoch  = epoch;
  record.scores = {{"coarse", {{"top1", .1}, {"top5", .9}}}, {"fine", {{"top5", .8}, {"top1", top1}}}};
  return record;
}

struct two {
  c2f::parameter<c2f::initial::ones, 3> first;
  c2f::parameter<c2f::initial::ones, 4> second;
  C2F_MEMBERS(first, second);
};
struct layer {
  c2f::parameter<c2f::initial::ones, 2, 2> weight;
  c2f::parameter<c2f::initial::ones, 2> bias;
  C2F_MEMBERS(weight, bias);
};
struct two_layers {
  layer fine, finer;
  C2F_MEMBERS(fine, finer);
};

c2f::decay::plateau const on_fine{.score = "fine top1", .factor = .5, .patience = 1, .threshold = .01, .floor = .15};

/// The learning rate of every epoch of a training.
struct rates {
  std::vector<double> epochs;
  std::vector<double> steps;
  void on_epoch(c2f::epoch_record const& epoch) { epochs.push_back(epoch.learning_rate); }
  void on_step(c2f::step_record const& step) { steps.push_back(step.learning_rate); }
};

std::map<std::string, at::Tensor> values_of(c2f::stack<task> const& model) {
  std::map<std::string, at::Tensor> all;
  c2f::for_each_tensor(model, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const&) {
    all[path] = each.tensor().detach().clone();
  });
  return all;
}
bool same(at::Tensor const& a, at::Tensor const& b) { return tiny::same_bytes({a}, {b}); }

}  // namespace

TEST_CASE("cosine is CosineAnnealingLR, and with a period below 1 CosineAnnealingWarmRestarts") {
  follows(base().decay(c2f::decay::cosine{.floor = .1}),
          {.4, .3938666487, .3758845727, .3472792206, .31, .2665874281, .22, .1734125719, .13, .09272077939, .06411542732, .04613335127});
  follows(base().decay(c2f::decay::cosine{.floor = .1, .period = 2. / 14, .multiplier = 2}),
          {.4, .22, .4, .3472792206, .22, .09272077939, .4, .3862983159, .3472792206, .2888830178, .22, .1511169822, .09272077939,
           .05370168415});
  follows(base().decay(c2f::decay::cosine{.period = 1. / 3}),
          {.4, .3618033989, .2618033989, .1381966011, .03819660113, .4, .3618033989, .2618033989, .1381966011, .03819660113, .4,
           .3618033989, .2618033989, .1381966011, .03819660113});
  // Every restart is in the step in which it is due, whatever the rounding of the fractions.
  for (std::int64_t const periods : {3, 7, 10, 49, 90})
    for (std::int64_t const steps : {1, 3, 11, 391}) {
      auto const recipe = base().decay(c2f::decay::cosine{.period = 1. / static_cast<double>(periods)});
      for (std::int64_t i = 0; i < periods; ++i) {
        double const fraction = static_cast<double>(i * steps) / static_cast<double>(periods * steps);
        REQUIRE(recipe.learning_rate_at({0, i * steps, fraction}) == Approx(.4).epsilon(1e-6));
      }
    }
}

TEST_CASE("polynomial is PolynomialLR") {
  follows(base().decay(c2f::decay::polynomial{.power = .9}),
          {.4, .3638130304, .3272208584, .2901671388, .252578347, .2143546925, .1753533162, .1353533848, .09396951545, .05035701647});
  auto const floored = base().decay(c2f::decay::polynomial{.power = 2, .floor = .2});
  REQUIRE(floored.learning_rate_at({0, 0, .5}) == Approx(.4 * (.2 + .8 * .25)));
  REQUIRE(floored.learning_rate_at({0, 0, 1}) == Approx(.08));
}

TEST_CASE("plateau is ReduceLROnPlateau with mode max and an absolute threshold") {
  auto const recipe = base().decay(on_fine);
  double const nan  = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> const scores{.3, .5, .505, .51, .51, .6, .2, .2, .2, .2, nan, .2, .7, .1, .1, .1, .1};
  std::vector<double> const wanted{.4, .4, .4, .4, .2, .2, .2, .2, .1, .1, .06, .06, .06, .06, .06, .06, .06, .06};
  std::vector<c2f::epoch_record> completed;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CAPTURE(i);
    c2f::progress const now{.epoch = static_cast<std::int64_t>(i), .iteration = 0, .fraction = 0};
    REQUIRE(recipe.learning_rate_at(now, completed) == Approx(wanted[i]).epsilon(1e-12));
    if (i < scores.size()) completed.push_back(scored(now.epoch, scores[i]));
  }
}

TEST_CASE("plateau is ReduceLROnPlateau with mode min for an error") {
  auto const recipe = base().decay(on_fine);
  std::vector<double> const wanted{.4, .4, .4, .4, .2};
  std::vector<c2f::epoch_record> completed;
  for (double const score : {.9, .5, .495, .6}) {
    completed.push_back(scored(std::ssize(completed), score));
    completed.back().errors.push_back("top1");
  }
  for (std::int64_t i = 0; i < 5; ++i)
    REQUIRE(recipe.learning_rate_at({.epoch = i, .iteration = 0, .fraction = 0}, std::span(completed).first(std::size_t(i))) ==
            Approx(wanted[std::size_t(i)]).epsilon(1e-12));
}

TEST_CASE("a decay replaces milestones set before it, and is multiplied with later ones and the warm-up") {
  auto const recipe = c2f::recipe::cifar{}.decay(c2f::decay::polynomial{}).milestone(.5, .5).warm_up(4);  // 164 epochs, rate .1
  REQUIRE(recipe.learning_rate_at({0, 1, .01}) == Approx(.1 * .99 * .5));
  REQUIRE(recipe.learning_rate_at({81, 100, .4}) == Approx(.06));
  REQUIRE(recipe.learning_rate_at({82, 100, .5}) == Approx(.025));
}

TEST_CASE("a decay out of range is refused") {
  REQUIRE_THROWS_WITH(base().decay(c2f::decay::cosine{.floor = 1}),
                      "the recipe's cosine's floor is 1.000000; it must be from 0 to below 1");
  REQUIRE_THROWS_AS(base().decay(c2f::decay::cosine{.floor = std::nan("")}), c2f::input_error);
  REQUIRE_THROWS_AS(base().decay(c2f::decay::cosine{.period = 0}), c2f::input_error);
  REQUIRE_THROWS_AS(base().decay(c2f::decay::cosine{.period = 1.5}), c2f::input_error);
  REQUIRE_THROWS_AS(base().decay(c2f::decay::cosine{.multiplier = .5}), c2f::input_error);
  REQUIRE_THROWS_AS(base().decay(c2f::decay::polynomial{.power = 0}), c2f::input_error);
  REQUIRE_THROWS_AS(base().decay(c2f::decay::polynomial{.floor = -.1}), c2f::input_error);
  REQUIRE_THROWS_AS(base().decay(c2f::decay::plateau{.score = "fine top1", .factor = 1}), c2f::input_error);
  REQUIRE_THROWS_AS(base().decay(c2f::decay::plateau{.score = "fine top1", .patience = -1}), c2f::input_error);
  REQUIRE_THROWS_AS(base().decay(c2f::decay::plateau{.score = "fine top1", .threshold = -1}), c2f::input_error);
  REQUIRE_THROWS_AS(base().decay(c2f::decay::plateau{.score = "fine top1", .floor = 1}), c2f::input_error);
}

TEST_CASE("a training follows its decay, and a resumed one continues it") {
  auto const data = tiny::data_of<task>();
  for (auto const& how : {tiny::recipe().decay(c2f::decay::cosine{.floor = .01, .period = .4}),
                          tiny::recipe().decay(c2f::decay::plateau{.score = "fine top1", .factor = .5, .patience = 0, .threshold = 1})}) {
    rates whole;
    c2f::stack<task> model(7), again(7);
    c2f::fit(model, data, how, whole);
    REQUIRE(whole.steps.size() == 15);
    bool const cosine = whole.steps[14] != whole.steps[13];
    for (std::size_t i = 0; i < 15; ++i) {
      double const warm = std::min(1., .25 * static_cast<double>(i + 1)), x = std::fmod(static_cast<double>(i), 6) / 6;
      double const factor = cosine ? .01 + .99 * (1 + std::cos(std::numbers::pi * x)) / 2 : std::pow(.5, i / 5 == 2 ? 1 : 0);
      REQUIRE(whole.steps[i] == Approx(.05 * factor * warm));
    }
    tests::scratch const s;
    c2f::fit(again, data, how, c2f::checkpoints(s.path / "kept", {.every = 1}), tiny::stops{.at = 12});
    rates rest;
    c2f::stack<task> resumed(3);
    c2f::fit(resumed, data, how, c2f::checkpoints(s.path / "kept", {.every = 1}), rest);
    REQUIRE(rest.steps == std::vector(whole.steps.end() - static_cast<std::ptrdiff_t>(rest.steps.size()), whole.steps.end()));
    REQUIRE(rest.steps.size() < 5);
    REQUIRE(tiny::same_bytes(c2f::detail::copies_of_tensors(model), c2f::detail::copies_of_tensors(resumed)));
  }
}

TEST_CASE("a plateau needs its score") {
  auto const data = tiny::data_of<task>();
  c2f::stack<task> model(7);
  rates seen;
  REQUIRE_THROWS_WITH(
      c2f::fit(model, data, tiny::recipe().decay(c2f::decay::plateau{.score = "fine iou"}), seen),
      Catch::Matchers::StartsWith("no score is called 'fine iou', by which the learning rate is reduced; write one of 'coarse top1'"));
  REQUIRE(seen.steps.empty());  // not after the first epoch
  REQUIRE(seen.epochs.empty());
  REQUIRE_THROWS_WITH(c2f::fine_tune(model, at::zeros({4, 3, 8, 8}), at::zeros({4}, at::kLong), tiny::recipe().decay(on_fine)),
                      "the learning rate is reduced by the score 'fine top1', and this training has no scores after epoch 0; train with "
                      "c2f::fit, or choose another decay");
}

TEST_CASE("what a recipe does not use is not in its values, and what it uses is distinguished") {
  auto const names = [](settings const& recipe) {
    std::set<std::string> all;
    for (auto const& [name, value] : recipe.values()) all.insert(name);
    return all;
  };
  std::set<std::string> const plain = names(settings{});
  REQUIRE(plain.size() == 15);
  auto const more = [&](settings const& recipe) {
    std::set<std::string> found = names(recipe);
    for (auto const& each : plain) REQUIRE(found.erase(each) == 1);
    return found;
  };
  REQUIRE(more(settings{}.decay(c2f::decay::cosine{})) ==
          std::set<std::string>{"cosine's floor", "cosine's period", "cosine's multiplier"});
  REQUIRE(more(settings{}.decay(c2f::decay::polynomial{})) == std::set<std::string>{"polynomial's floor", "polynomial's power"});
  REQUIRE(more(settings{}.decay(on_fine)) ==
          std::set<std::string>{"plateau's factor for 'fine top1'", "plateau's patience", "plateau's threshold", "plateau's floor"});
  REQUIRE(more(settings{}.freeze("coarse")) ==
          std::set<std::string>{"multiplier of the learning rate of 'coarse'", "multiplier of the weight decay of 'coarse'"});
  REQUIRE(settings{}.freeze("a").freeze("b").values() == settings{}.freeze("b").freeze("a").values());

  // A checkpoint is not resumed with another path or score, although the numbers are the same.
  auto const data    = tiny::data_of<task>();
  auto const refused = [&](settings const& before, settings const& after) {
    tests::scratch const s;
    c2f::stack<task> model(7);
    c2f::fit(model, data, before, c2f::checkpoints(s.path / "kept"), tiny::stops{.at = 2});
    return tests::refusal([&] { c2f::fit(model, data, after, c2f::checkpoints(s.path / "kept")); });
  };
  tests::require_message(refused(tiny::recipe().freeze("coarse"), tiny::recipe().freeze("encoder")),
                         {"the recipe's multiplier of the learning rate of 'coarse' is 0 there and not given here"});
  tests::require_message(refused(tiny::recipe(), tiny::recipe().decay(c2f::decay::cosine{})), {"'"});
  auto other  = on_fine;
  other.score = "coarse top1";
  tests::require_message(refused(tiny::recipe().decay(on_fine), tiny::recipe().decay(other)),
                         {"the recipe's plateau's factor for 'fine top1' is 0.5 there and not given here"});
}

TEST_CASE("frozen parameters keep their bits; running statistics do not") {
  auto const data = tiny::data_of<task>();
  for (bool const adam : {false, true}) {
    auto how = settings{}.epochs(2).batch(8).learning_rate(.01).weight_decay(.1).freeze("coarse").freeze("fine.0.0.weight");
    if (adam) how.adam({.decoupled = true});
    c2f::stack<task> model(7);
    auto const before = values_of(model);
    c2f::fit(model, data, how);
    std::size_t frozen = 0, trained = 0, statistics = 0;
    for (auto const& [path, value] : values_of(model)) {
      CAPTURE(path);
      bool const unchanged = same(value, before.at(path));
      if (path.find("running_") != std::string::npos) {
        REQUIRE_FALSE(unchanged);
        ++statistics;
      } else if (path.starts_with("coarse.") || path == "fine.0.0.weight") {
        if (path.find("num_batches") == std::string::npos) {
          REQUIRE(unchanged);
          ++frozen;
        }
      } else if (path.find("num_batches") == std::string::npos) {
        REQUIRE_FALSE(unchanged);
        ++trained;
      }
    }
    REQUIRE(frozen >= 4);
    REQUIRE(trained >= 4);
    REQUIRE(statistics >= 2);
  }
}

TEST_CASE("the gradient of a frozen parameter does not count in the norm") {
  two net;
  c2f::initialize(net, 1);
  auto const optimizer               = settings{}.freeze("second").make_optimizer(c2f::any_network(net));
  net.first.tensor().mutable_grad()  = at::zeros({3}).add(2);
  net.second.tensor().mutable_grad() = at::zeros({4}).add(std::numeric_limits<float>::infinity());
  REQUIRE(optimizer->gradient_norm().item<double>() == Approx(2 * std::sqrt(3.)));
  optimizer->step(.5);
  REQUIRE(net.first.tensor()[0].item<float>() == 0);
  REQUIRE(net.second.tensor()[0].item<float>() == 1);
}

TEST_CASE("multipliers by path are those of the longest components, multiplied, and with the rule of the weight decay") {
  two_layers net;
  c2f::initialize(net, 1);
  auto const how       = settings{}.momentum(0).weight_decay(.5, &c2f::decay_weights);
  auto const optimizer = settings(how)
                             .multiply("fine", {.learning_rate = 10})
                             .multiply("fine.weight", {.learning_rate = .5, .weight_decay = 2})
                             .multiply("fine.bias", {.learning_rate = 2})
                             .make_optimizer(c2f::any_network(net));
  c2f::for_each_tensor(net, [](std::string const&, c2f::state_tensor& each, c2f::state_traits const&) {
    each.tensor().mutable_grad() = at::zeros_like(each.tensor().detach()).add(1);
  });
  optimizer->step(.01);
  auto const first = [](c2f::state_tensor const& each) { return each.tensor().detach().flatten()[0].item<double>(); };
  REQUIRE(first(net.fine.weight) == Approx(1 - .01 * 5 * (1 + .5 * 2)));  // rate 10 * .5, decay 1 * 2
  REQUIRE(first(net.fine.bias) == Approx(1 - .01 * 20));                  // the rule: no decay
  REQUIRE(first(net.finer.weight) == Approx(1 - .01 * 1.5));              // another component
  REQUIRE(first(net.finer.bias) == Approx(1 - .01));

  // One group for each pair of multipliers: the fused update gets them, too.
  static std::vector<c2f::flat_piece> pieces;
  static std::size_t undefined = 0;
  c2f::fused_operations fused{};
  fused.sgd = [](c2f::flat_update const& update, c2f::sgd_rule const&) {
    pieces.assign(update.pieces.begin(), update.pieces.end());
    undefined = 0;
    for (auto const& each : update.gradients) undefined += !each.defined();
  };
  c2f::with_fused const scope(&fused);
  settings(how).multiply("finer", {.learning_rate = 3}).freeze("fine").make_optimizer(c2f::any_network(net))->step(.01);
  REQUIRE(pieces.size() == 4);
  REQUIRE(pieces[0].learning_rate_multiplier == 0);
  REQUIRE(pieces[2].learning_rate_multiplier == 3);
  REQUIRE(pieces[2].weight_decay_multiplier == 1);
  REQUIRE(pieces[3].weight_decay_multiplier == 0);
}

TEST_CASE("a path that no trained parameter has is refused") {
  c2f::stack<task> model(7);
  auto const data = tiny::data_of<task>();
  for (std::string const path : {"", "fin", "fine.", "coarse.0.weights", "backbone"}) {
    CAPTURE(path);
    REQUIRE_THROWS_WITH(c2f::fit(model, data, tiny::recipe().freeze(path)),
                        "the recipe multiplies or freezes '" + path +
                            "', and no trained parameter has that path; the paths begin with 'coarse', 'encoder', 'fine'");
  }
  auto net = c2f::make_network<c2f::sequential<c2f::frozen<c2f::conv<4, 3>>, c2f::conv<2, 3>>, c2f::image<3, 8, 8>>(1);
  REQUIRE_THROWS_WITH(settings{}.freeze("0").make_optimizer(c2f::any_network(net)),
                      "the recipe multiplies or freezes '0', and no trained parameter has that path; the paths begin with '1'");
  REQUIRE_THROWS_WITH(settings{}.multiply("fine", {.learning_rate = -1}),
                      "the recipe's multiplier of the learning rate is -1.000000; it must be 0 or more");
  REQUIRE_THROWS_AS(settings{}.multiply("fine", {.weight_decay = std::nan("")}), c2f::input_error);
}
