// CasNet and its ablations: counts, losses against formulas on the raw outputs, sizes that are no multiple of the stride, void pixels, a
// batch of one, prediction, stages, and a training that is resumed in the middle of a plateau.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/print.hpp>
#include <c2f/systems/casnet.hpp>
#include <c2f/train/checkpoint.hpp>

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/nll_loss2d.h>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

using namespace c2f::systems;

using published = casnet<c2f::dense<33>, c2f::resnet_features<50, 4, 8>>;
static_assert(c2f::task<published>);

using kind     = c2f::dense<5, 11>;
using backbone = c2f::sequential<c2f::conv<6, 3, 2>, c2f::batch_norm, c2f::relu, c2f::conv<6, 3, 2>, c2f::relu, c2f::conv<6, 3, 2>>;
using small    = casnet<kind, backbone, c2f::image<3, c2f::dynamic, c2f::dynamic>, 8, 4>;
using variants = casnet_variants<small>;

at::Tensor images_of(std::int64_t n, std::int64_t height, std::int64_t width) {
  return c2f::detail::sample_numbers({n, 3, height, width}, 1).to(at::kFloat);
}
at::Tensor truth_of(std::int64_t n, std::int64_t height, std::int64_t width) {
  at::Tensor truth = c2f::detail::sample_numbers({n, 5, height, width}, 2).argmax(1);
  truth.narrow(1, 0, 2).fill_(11);
  return truth;
}
double number(at::Tensor const& x) { return x.item<double>(); }
double cross_entropy(at::Tensor const& raw, at::Tensor const& truth) {
  return number(at::cross_entropy_loss(raw.to(at::kDouble), truth, {}, at::Reduction::Mean, 11));
}
std::vector<std::string> names_of(c2f::pass const& p) {
  std::vector<std::string> all;
  for (auto const& each : p.losses) all.push_back(each.name);
  return all;
}

struct three_stages {
  static constexpr char const* name = "casnet, then another network";
  using input                       = c2f::image<3, c2f::dynamic, c2f::dynamic>;
  using network                     = c2f::coarse_fine<c2f::stack<small>, c2f::fcn<backbone, kind, 8>>;
};
static_assert(c2f::task<three_stages>);

}  // namespace

TEST_CASE("the published network: counts of its heads, and explain prints them") {
  using model = c2f::detail::stack_on<published, published::input>;
  REQUIRE(c2f::parameter_count<decltype(model::coarse)> == 9'455'137);
  REQUIRE(c2f::parameter_count<decltype(model::combine)> == 9'439'234);
  REQUIRE(c2f::parameter_count<decltype(model::fine)> == 23'090'721);
  REQUIRE(c2f::parameter_count<decltype(model::share)> == 25'557'032 - 2049 * 1000);  // torchvision's resnet50 without fc
  auto const text = c2f::explain<published>();
  INFO(text);
  for (auto const* line : {"coarse       [N, 2048, ?, ?] -> [N, 33, ?, ?]       9,455,137 parameters",
                           "fine         [N, 2048, ?, ?] -> [N, 33, ?, ?]      23,090,721 parameters",
                           "combine      [N, 2048, ?, ?] -> [N, 33, ?, ?]       9,439,234 parameters",
                           "combine::gate<systems::attention_head<512>", "fcn_head<dense<33>, 512>"})
    REQUIRE(tests::has(text, line));
}

TEST_CASE("the losses are those of the coarse output, of the label 'coarse is right' and of the mixture, without void pixels") {
  for (auto const& [height, width] : std::vector<std::array<std::int64_t, 2>>{{33, 41}, {24, 16}, {17, 9}}) {
    CAPTURE(height, width);
    c2f::stack<small> model(1);
    at::Tensor const x = images_of(3, height, width), truth = truth_of(3, height, width);
    truth.select(0, 1).fill_(11);  // void everywhere in one image
    c2f::pass p{.mode = c2f::train, .truth = truth};
    auto const both = model(x, p);
    REQUIRE(both.answer.sizes() == at::IntArrayRef({3, 5, height, width}));
    REQUIRE(names_of(p) == std::vector<std::string>{"coarse", "gate", "fine"});
    REQUIRE(number(p.losses[0].value) == Approx(cross_entropy(both.coarse, truth)).epsilon(1e-5));
    REQUIRE(number(p.losses[2].value) ==
            Approx(number(at::nll_loss2d(both.answer.to(at::kDouble), truth, {}, at::Reduction::Mean, 11))).epsilon(1e-5));
    p.loss().backward();
    c2f::for_each_tensor(model, [](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
      CAPTURE(path);
      if (traits.trained) REQUIRE(number(each.tensor().grad().abs().max()) > 0);
    });
    // p_a, from what the outputs say of it: p = a p_c + (1 - a) p_f.
    at::Tensor const c = both.coarse.to(at::kDouble).softmax(1), f = both.fine.to(at::kDouble).softmax(1);
    at::Tensor const d = c.sub(f), a = both.answer.to(at::kDouble).exp().sub(f).mul(d).sum(1).div(d.square().sum(1));
    at::Tensor const right = both.coarse.argmax(1).eq(truth), counted = truth.ne(11);
    at::Tensor const wanted = at::where(right, a, a.neg().add(1)).log().mul(counted).sum().div(counted.sum()).neg();
    REQUIRE(number(p.losses[1].value) == Approx(number(wanted)).epsilon(1e-3));
  }
}

TEST_CASE("233 pixels become 30 in the features and 233 in the answers") {
  using stride8 = casnet<kind, c2f::resnet_cifar_features<8, c2f::basic_block, 2>, c2f::image<3, 233, 233>, 8, 4>;
  static_assert(std::same_as<c2f::stack<stride8>::parts::features, c2f::image<64, 30, 30>>);
  c2f::stack<stride8> const model(1);
  auto const both = model(images_of(1, 233, 233), c2f::eval);
  for (auto const& each : {both.coarse, both.fine, both.answer}) REQUIRE(each.sizes() == at::IntArrayRef({1, 5, 233, 233}));
  REQUIRE(both.output("easy").sizes() == at::IntArrayRef({1, 1, 233, 233}));
  REQUIRE(both.answer.exp().sum(1).allclose(at::ones({1, 233, 233}), 1e-4, 1e-5));
}

TEST_CASE("the ablations are trained on the losses that their names say, and scored by stage") {
  std::map<std::string, std::vector<std::string>> const losses{{"coarse", {"coarse"}},
                                                               {"fine", {"coarse"}},
                                                               {"static", {"coarse", "fine"}},
                                                               {"gate", {"coarse", "gate", "fine"}},
                                                               {"mixture", {"coarse", "fine"}},
                                                               {"ohem", {"coarse", "gate", "fine"}},
                                                               {"hard", {"coarse", "gate", "fine"}},
                                                               {"pt", {"coarse", "gate", "fine"}},
                                                               {"refined", {"coarse", "gate", "fine"}}};
  REQUIRE(variants::names().size() == losses.size());
  at::Tensor const x = images_of(4, 24, 32), truth = truth_of(4, 24, 32);
  for (auto const& each : losses)
    variants::with(each.first, [&]<class Task>(c2f::chosen<Task>) {
      auto const& [name, wanted] = each;
      CAPTURE(name);
      c2f::stack<Task> model(1);
      c2f::pass p{.mode = c2f::train, .truth = truth, .t = 0.5};
      auto const both = model(x, p);
      REQUIRE(names_of(p) == wanted);
      p.loss().backward();
      for (auto const& parameter : c2f::parameters(model)) REQUIRE(parameter.grad().defined());
      if (name == "static") REQUIRE(both.answer.exp().allclose(both.coarse.softmax(1).add(both.fine.softmax(1)).div(2), 1e-4, 1e-6));
      if (name == "ohem") REQUIRE(number(p.losses[0].value) > cross_entropy(both.coarse, truth));
      std::vector<std::string> stages;
      for (auto const& output : model(x, c2f::eval).side)
        if (output.scored) stages.push_back(output.name);
      REQUIRE(stages == (wanted.size() == 1 ? std::vector<std::string>{"coarse"} : std::vector<std::string>{"coarse", "fine", "answer"}));
    });
}

TEST_CASE("progressive training: the fine head reads the truth at t = 0 and the coarse prediction at t = 1 and at inference") {
  c2f::stack<casnet_progressive<small>> model(1);
  at::Tensor const x = images_of(2, 24, 32), truth = truth_of(2, 24, 32);
  for (double const t : {0.0, 1.0}) {
    c2f::pass p{.mode = c2f::train, .truth = truth, .t = t};
    auto const both = model(x, p);
    REQUIRE(p.conditioning.equal(t == 0 ? kind::from_truth(truth) : both.coarse.softmax(1)));
    for (auto const& each : c2f::parameters(model.coarse)) each.mutable_grad().reset();
    both.fine.sum().backward();
    REQUIRE(c2f::parameters(model.coarse)[0].grad().defined() == (t == 1));  // through the prediction
  }
  c2f::stack<casnet_progressive<small>> const once(1);
  auto const both    = once(x, c2f::eval);
  at::Tensor const f = once.share(x, c2f::eval);
  c2f::pass p{.mode = c2f::eval};
  auto const fine_on = [&](at::Tensor const& y) {
    return kind::resized(once.fine(at::cat({f, once.encoder(y, f, p)}, 1), c2f::eval), 24, 32);
  };
  REQUIRE(both.fine.allclose(fine_on(both.coarse.softmax(1)), 1e-5, 1e-5));

  struct twice : casnet_progressive<small> {
    using refine = c2f::refine::times<2>;
  };
  c2f::stack<twice> again(1);
  REQUIRE(again(x, c2f::eval).fine.allclose(fine_on(both.fine.softmax(1)), 1e-5, 1e-5));
}

TEST_CASE("a batch of one is refused in training, since a bin of the pyramid has one pixel, and predicted at inference") {
  c2f::stack<small> model(1);
  c2f::pass p{.mode = c2f::train, .truth = truth_of(1, 24, 32)};
  tests::require_message(tests::refusal([&] { model(images_of(1, 24, 32), p); }), {"two values of each channel", "[1, 4, 1, 1]"});
  auto const two = model(images_of(2, 24, 32), c2f::eval), one = model(images_of(2, 24, 32).narrow(0, 1, 1), c2f::eval);
  REQUIRE(one.answer.allclose(two.answer.narrow(0, 1, 1), 1e-4, 1e-5));
}

TEST_CASE("a predictor folds norms and returns the probability of easy; other sizes than those of the training are accepted") {
  c2f::stack<small> const model(3);
  c2f::predictor<small> predict(model);
  REQUIRE(predict.folded() == 8);  // the backbone's, those of three heads, and of four branches
  for (auto const& [height, width] : std::vector<std::array<std::int64_t, 2>>{{24, 32}, {19, 50}}) {
    at::Tensor const x = images_of(2, height, width);
    auto const found = predict(x), wanted = model(x, c2f::eval);
    REQUIRE(found.answer.allclose(wanted.answer, 1e-3, 1e-4));
    REQUIRE(found.output("easy").allclose(wanted.output("easy"), 1e-3, 1e-4));
  }
}

TEST_CASE("CasNet as the coarse network of another stack") {
  c2f::stack<three_stages> model(1);
  at::Tensor const x = images_of(2, 24, 32);
  c2f::pass p{.mode = c2f::train, .truth = truth_of(2, 24, 32), .t = 0.5};
  model(x, p);
  REQUIRE(names_of(p) == std::vector<std::string>{"coarse.coarse", "coarse.gate", "coarse.fine", "fine"});
  p.loss().backward();
  for (auto const& each : c2f::parameters(model)) REQUIRE(each.grad().defined());
  auto const both = model(x, c2f::eval);
  REQUIRE(both.coarse.allclose(model.coarse(x, c2f::eval).answer));
  REQUIRE(both.output("coarse.easy").defined());
}

TEST_CASE("CasNet satisfies the laws of models") {
  auto const keeps_laws = []<class Task>(c2f::chosen<Task>) {
    std::string broken;
    for (auto const& law : c2f::conformance<c2f::stack<Task>>().broken()) broken += law + '\n';
    REQUIRE(broken == "");
  };
  keeps_laws(c2f::chosen<tiny::casnet>{});
  keeps_laws(c2f::chosen<casnet_progressive<tiny::casnet>>{});
  keeps_laws(c2f::chosen<casnet_hardest<tiny::casnet>>{});
}

TEST_CASE("a training that is stopped in the middle of the plateau schedule continues bit for bit") {
  auto const data   = tiny::data_of<tiny::casnet>();
  auto const recipe = casnet_recipe{}.epochs(4).learning_rate(0.05).decay(
      c2f::decay::plateau{.score = "answer pixel", .factor = 0.1, .patience = 0, .threshold = 1, .floor = 0.01});
  struct rates {
    std::vector<double> seen{};
    void on_epoch(c2f::epoch_record const& epoch) { seen.push_back(epoch.learning_rate); }
  } whole;
  tiny::spy wanted, found;
  c2f::stack<tiny::casnet> model(7), stopped(7), resumed(3);
  c2f::fit(model, data, recipe, whole, wanted);
  REQUIRE(whole.seen.size() == 4);
  REQUIRE(whole.seen[1] == Approx(.05));  // nothing improves by 1 after the first epoch
  REQUIRE(whole.seen[2] == Approx(.005));
  REQUIRE(whole.seen[3] == Approx(.0005));
  tests::scratch const s;
  c2f::checkpoints const kept(s.path / "kept", {.every = 1});
  c2f::fit(stopped, data, recipe, c2f::checkpoints(s.path / "kept", {.every = 1}), tiny::stops{.at = 21});  // in the third epoch
  c2f::fit(resumed, data, recipe, c2f::checkpoints(s.path / "kept", {.every = 1}), found);
  REQUIRE(tiny::same_bytes(wanted, found));
  REQUIRE(tiny::same_bytes(tiny::tensors_of(model), tiny::tensors_of(resumed)));
}
