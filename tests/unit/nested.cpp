// Stacks in stacks: three stages, by hand.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include <ATen/ops/cross_entropy_loss.h>

#include <cmath>
#include <map>

#include "catch.hpp"

namespace {

using input = c2f::image<3, 12, 12>;
using kind  = c2f::class_vector<5>;
using net   = c2f::predicts<kind, c2f::conv<6, 3, 2>, c2f::relu, c2f::global_average_pool, c2f::linear<5>>;

/// A source that writes down t and the numbers it would draw.
struct draw {
  double t;
  std::uint32_t purpose;
};
std::vector<draw> draws;
struct spy {
  template <class Kind>
  struct on : c2f::source::sample::on<Kind> {
    at::Tensor operator()(at::Tensor const& prediction, at::Tensor const& truth, c2f::pass& p) const {
      draws.push_back({p.t, static_cast<std::uint32_t>(p.here(c2f::purpose::source))});
      return c2f::source::sample::on<Kind>::operator()(prediction, truth, p);
    }
  };
};

struct common {
  using input  = ::input;
  using source = spy;
};
struct two : common {
  static constexpr char const* name = "two";
  using network                     = net;
  using schedule                    = c2f::schedule::ramp<0.0, 10>;
};
struct three : common {
  static constexpr char const* name = "three";
  using network                     = c2f::coarse_fine<c2f::stack<two>, net>;
  using schedule                    = c2f::schedule::always_prediction;
};
struct four : common {
  static constexpr char const* name = "four";
  using network                     = c2f::coarse_fine<c2f::stack<three>, net>;
  using schedule                    = c2f::schedule::ramp<0.5, 20>;
};
struct fine_stack : common {
  static constexpr char const* name = "fine stack";
  using network                     = c2f::coarse_fine<c2f::stack<two>, c2f::stack<two>>;
};
static_assert(c2f::task<four> && c2f::task<fine_stack> && c2f::model<c2f::stack<four>>);

at::Tensor const images = c2f::detail::sample_numbers({6, 3, 12, 12}, 1).to(at::kFloat);
at::Tensor const labels = c2f::detail::sample_numbers({6, 5}, 2).argmax(1);

template <class Task>
c2f::pass trained(c2f::stack<Task> const& model, std::int64_t epoch) {
  draws.clear();
  c2f::pass p{.mode  = c2f::train,
              .truth = labels,
              .t     = c2f::t_at<typename c2f::stack<Task>::schedule>({.epoch = epoch}),
              .seed  = 5,
              .epoch = static_cast<std::uint64_t>(epoch),
              .now   = c2f::progress{.epoch = epoch}};
  model(images, p);
  return p;
}
std::vector<std::pair<std::string, double>> losses_of(c2f::pass const& p) {
  std::vector<std::pair<std::string, double>> all;
  for (auto const& [name, value] : p.losses) all.emplace_back(name, value.item<double>());
  return all;
}

}  // namespace

TEST_CASE("the losses of three stages, computed from their parts") {
  c2f::stack<three> const model(1);
  auto const found = losses_of(trained(model, 4));  // inner t = .4, outer t = 1

  auto const loss = [](at::Tensor const& raw) { return at::cross_entropy_loss(raw, labels).item<double>(); };
  auto const& in  = model.coarse;
  c2f::pass inner{.mode = c2f::train, .truth = labels, .t = 0.4, .seed = 5, .epoch = 4, .level = 1};
  at::Tensor const first = in.coarse(images, c2f::train), truth = kind::from_truth(labels);
  at::Tensor const conditioning = c2f::source::sample::on<kind>{}(first.softmax(1), truth, inner);
  REQUIRE(!conditioning.equal(truth));
  REQUIRE(!conditioning.equal(first.softmax(1)));
  at::Tensor const second = in.fine(in.fuse(images, in.encoder(conditioning, images, inner), inner), c2f::train);
  at::Tensor const third  = model.fine(model.fuse(images, model.encoder(second.softmax(1), images, inner), inner), c2f::train);

  REQUIRE(found.size() == 3);
  REQUIRE(found[0].first == "coarse.coarse");
  REQUIRE(found[1].first == "coarse.fine");
  REQUIRE(found[2].first == "fine");
  REQUIRE(std::abs(found[0].second - loss(first)) < 1e-5);
  REQUIRE(std::abs(found[1].second - loss(second)) < 1e-5);
  REQUIRE(std::abs(found[2].second - loss(third)) < 1e-5);
}

TEST_CASE("each stage follows its own schedule and draws its own numbers") {
  c2f::stack<four> const model(1);
  trained(model, 5);
  REQUIRE(draws.size() == 3);
  REQUIRE(draws[0].t == 0.5);    // ramp<0, 10> at 5
  REQUIRE(draws[1].t == 1);      // always_prediction
  REQUIRE(draws[2].t == 0.625);  // ramp<.5, 20> at 5
  REQUIRE(draws[0].purpose != draws[1].purpose);
  REQUIRE(draws[1].purpose != draws[2].purpose);
  REQUIRE(draws[2].purpose == static_cast<std::uint32_t>(c2f::purpose::source));

  // Without a progress, as in a pass made by hand, all stages have the pass's t.
  draws.clear();
  c2f::pass p{.mode = c2f::train, .truth = labels, .t = 0.3};
  model(images, p);
  for (auto const& each : draws) REQUIRE(each.t == 0.3);
  REQUIRE(p.t == 0.3);
  REQUIRE(p.level == 0);
  REQUIRE(p.stage.empty());
}

TEST_CASE("a stack may be the fine network, too") {
  c2f::stack<fine_stack> const model(1);
  auto const p     = trained(model, 3);
  auto const found = losses_of(p);
  REQUIRE(found.size() == 4);
  REQUIRE(found[0].first == "coarse.coarse");
  REQUIRE(found[1].first == "coarse.fine");
  REQUIRE(found[2].first == "fine.coarse");
  REQUIRE(found[3].first == "fine.fine");
  REQUIRE(draws[0].purpose != draws[2].purpose);  // coarse's source and fine's
  p.loss().backward();
  for (auto const& each : c2f::parameters(model)) REQUIRE(each.grad().defined());
}

namespace {
template <auto Coarse, auto Fine>
struct weighted : three {
  using loss_weights = c2f::loss_weights<Coarse, Fine>;
};
}  // namespace

TEST_CASE("the coarse weight of a stack of stacks scales the losses of the inner one") {
  auto const plain = losses_of(trained(c2f::stack<three>(1), 4)), half = losses_of(trained(c2f::stack<weighted<0.5, 3.0>>(1), 4)),
             none = losses_of(trained(c2f::stack<weighted<0.0, 1.0>>(1), 4));
  REQUIRE(half.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(std::abs(half[i].second - (i < 2 ? 0.5 : 3) * plain[i].second) < 1e-5);
  REQUIRE(none == std::vector{plain[2]});
}

namespace {
struct mixed_stacks : common {  // a fine stack whose answer is mixed with the coarse one
  static constexpr char const* name = "mixed stacks";
  using network                     = c2f::coarse_fine<net, c2f::stack<two>>;
  using combine                     = c2f::combine::mixed<0.5>;
};
template <auto Coarse, auto Fine>
struct weighted_mix : mixed_stacks {
  using loss_weights = c2f::loss_weights<Coarse, Fine>;
};
}  // namespace

TEST_CASE("the fine weight scales the losses of a fine stack, and that of a mixture with its answer") {
  auto const plain = losses_of(trained(c2f::stack<mixed_stacks>(1), 4)),
             three = losses_of(trained(c2f::stack<weighted_mix<1.0, 3.0>>(1), 4)),
             none  = losses_of(trained(c2f::stack<weighted_mix<1.0, 0.0>>(1), 4));
  REQUIRE(plain.size() == 4);  // coarse, fine.coarse, fine.fine and that of the mixture, fine
  REQUIRE(plain[3].first == "fine");
  REQUIRE(three.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) REQUIRE(std::abs(three[i].second - (i < 1 ? 1 : 3) * plain[i].second) < 1e-5);
  REQUIRE(none == std::vector{plain[0]});
}

namespace {
using small_glyphs = c2f::predicts<c2f::class_vector<4>, c2f::conv<6, 3, 2>, c2f::relu, c2f::global_average_pool, c2f::linear<4>>;
struct two_glyphs {
  static constexpr char const* name = "two glyphs";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = small_glyphs;
};
struct three_glyphs : two_glyphs {
  static constexpr char const* name = "three glyphs";
  using network                     = c2f::coarse_fine<c2f::stack<two_glyphs>, small_glyphs>;
};
}  // namespace

TEST_CASE("every stage is scored once, under a name of its own") {
  c2f::stack<four> const model(1);
  auto const both = model(images, c2f::eval);
  std::vector<std::string> names;
  for (auto const& each : both.side)
    if (each.scored) names.push_back(each.name);
  REQUIRE(names == std::vector<std::string>{"coarse.coarse.coarse", "coarse.coarse", "coarse", "fine"});
  REQUIRE(both.output("coarse").is_same(both.coarse));
  REQUIRE(both.output("fine").is_same(both.answer));
  REQUIRE(both.output("coarse.coarse.coarse").equal(model.coarse.coarse.coarse(images, c2f::eval)));
  REQUIRE(!both.output("coarse.coarse.fine").defined());  // that is "coarse.coarse"

  c2f::data::glyphs<4> const data({.train = 20, .test = 30, .seed = 1});
  c2f::stack<three_glyphs> stages(1);
  auto const scores = c2f::evaluate(stages, data.test);
  REQUIRE(scores.size() == 3);
  REQUIRE(scores[0].stage == "coarse.coarse");
  REQUIRE(scores[1].stage == "coarse");
  REQUIRE(scores[2].stage == "fine");
  REQUIRE(scores[0].values[0].first == "top1");
  auto const report = c2f::fit(stages, data, c2f::recipe::settings{}.epochs(2).batch(10).learning_rate(0.01));
  REQUIRE(report.epochs.size() == 2);
  std::map<std::string, double> losses(report.epochs[1].losses.begin(), report.epochs[1].losses.end());
  REQUIRE(losses.size() == 3);
}
