// The parameter predictor: rows predicted from statistics, against the numbers of hand computations and a naive definition in double; its
// batches, its training, few-shot classes, a pair of predictors; features kept in a file; which inputs a matrix uses.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/data/synthetic/glyphs.hpp>
#include <c2f/inference/features.hpp>
#include <c2f/layers/predicted_rows.hpp>
#include <c2f/metrics/impact.hpp>
#include <c2f/networks/predicts.hpp>
#include <c2f/systems/parameter_predictor.hpp>
#include <c2f/train/checkpoint.hpp>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <limits>
#include <ranges>
#include <set>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"

namespace {

namespace pp = c2f::parameter_predictor;
using tests::refusal;
using tests::require_message;

at::Tensor rows(std::vector<std::vector<double>> const& values) {
  std::vector<at::Tensor> each;
  for (auto const& row : values) each.push_back(at::tensor(at::ArrayRef<double>(row), at::TensorOptions(at::kDouble)));
  return at::stack(each);
}
at::Tensor whole(std::vector<std::int64_t> const& values) {
  return at::tensor(at::ArrayRef<std::int64_t>(values), at::TensorOptions(at::kLong));
}
at::Tensor images(at::Tensor const& vectors) { return vectors.to(at::kFloat).unsqueeze(2).unsqueeze(3); }
double at2(at::Tensor const& matrix, std::int64_t i, std::int64_t j) { return matrix[i][j].item<double>(); }

/// `count` vectors of each of R classes, not negative, around a centre of the class; class k has the number numbers[k].
template <std::int64_t C>
c2f::data::table<C> activations(std::vector<std::int64_t> const& numbers, std::int64_t count, std::uint64_t seed) {
  std::vector<at::Tensor> all;
  std::vector<std::int64_t> labels;
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    at::Tensor const centre = c2f::detail::sample_numbers({C}, static_cast<int>(k) + 1).abs();
    for (std::int64_t i = 0; i < count; ++i) {
      all.push_back(
          centre.add(c2f::detail::sample_numbers({C}, static_cast<int>(seed * 100000 + k * 1000) + static_cast<int>(i)).mul(.6)).relu());
      labels.push_back(numbers[k]);
    }
  }
  return {"activations", at::stack(all).to(at::kFloat), labels};
}

/// φ² by its definition, in double.
at::Tensor naive_phi(at::Tensor const& s, at::Tensor const& w1, at::Tensor const& b1, at::Tensor const& w2, at::Tensor const& b2) {
  auto const unit = [](at::Tensor const& x) { return x.div(x.square().sum(1, true).sqrt()); };
  return unit(unit(s).matmul(w1.t()).add(b1).clamp_min(0).matmul(w2.t()).add(b2));
}

template <class Model>
at::Tensor& parameter_of(Model& model, std::string const& wanted) {
  at::Tensor* found = nullptr;
  c2f::for_each_tensor(model, [&](std::string const& path, c2f::state_tensor& each, c2f::state_traits const&) {
    if (path == wanted) found = const_cast<at::Tensor*>(&each.tensor());
  });
  REQUIRE(found != nullptr);
  return *found;
}

constexpr std::int64_t large = 6;
struct dataset {
  c2f::data::statistic_batches<8> train;
  c2f::data::table<8> test;
};
dataset small_data(double p_mean = .5) {
  return {{activations<8>({0, 1, 2, 3, 4, 5}, 12, 1), {.p_mean = p_mean, .batches = 7}}, activations<8>({0, 1, 2, 3, 4, 5}, 9, 2)};
}
c2f::recipe::settings quick(dataset const& data) {
  return c2f::recipe::settings{}.epochs(3).batch(data.train.rows()).learning_rate(.1).threads(0);
}

using fine_net = c2f::predicts<c2f::class_vector<large>, c2f::flatten, c2f::linear<large>>;
struct predicted_coarse : pp::alone<8, large> {
  static constexpr char const* name = "predicted coarse";
  using network                     = c2f::coarse_fine<pp::network<c2f::phi::one_layer, large>, fine_net>;
  using refine                      = c2f::refine::once;
};

}  // namespace

TEST_CASE("predicted rows are those of the computation by hand") {
  using net_type = c2f::network_on<c2f::predicted_rows<c2f::phi::two_layers, 3>, c2f::vector<2>>;
  net_type net;
  c2f::initialize(net, 1);
  at::NoGradGuard const no_gradients;
  REQUIRE(at::allclose(net.phi(rows({{3, 4}, {0, 2}}), c2f::eval), rows({{.6, .8}, {0, 1}})));

  // Two large categories by their means, and a few-shot category with two samples; then a query.
  at::Tensor const shown = rows({{3, 4}, {0, 2}, {1, 0}, {.6, .8}, {2, 1}});
  c2f::pass p;
  p.add_output("statistics", whole({0, 1, 2, 2}));
  at::Tensor const logits = net(shown, p)[4];
  REQUIRE(at::allclose(logits, rows({{2, 1, 2}})[0]));
  at::Tensor const probabilities = logits.softmax(0);
  REQUIRE(probabilities[0].item<double>() == Approx(.4223188).margin(1e-7));
  REQUIRE(probabilities[1].item<double>() == Approx(.1553624).margin(1e-7));
  REQUIRE(-probabilities[0].log().item<double>() == Approx(.8619948041).margin(1e-9));
  // By the mean of the supports the response would be another one.
  c2f::pass of_mean;
  of_mean.add_output("statistics", whole({2}));
  at::Tensor const by_mean = net(rows({{.8, .4}, {2, 1}}), of_mean)[1];
  REQUIRE(by_mean[2].item<double>() == Approx(2.2360680).margin(1e-7));
  REQUIRE(by_mean[0].item<double>() == -std::numeric_limits<double>::infinity());

  static_assert(c2f::parameter_count<c2f::network_on<c2f::phi::two_layers, c2f::vector<64>>> == 8'320);
  static_assert(c2f::parameter_count<c2f::network_on<c2f::phi::two_layers, c2f::vector<2048>>> == 8'392'704);
  static_assert(c2f::parameter_count<c2f::network_on<c2f::phi::one_layer, c2f::vector<64>>> == 64 * 65);
  REQUIRE_THROWS_AS(net(shown, c2f::eval), c2f::error);
}

TEST_CASE("a step of the predictor has the loss and the gradient of the computation by hand") {
  pp::model<pp::alone<2, 2>> model(1);
  at::Tensor const batch = images(rows({{3, 4}, {0, 2}, {1, 1}, {0, 3}}));
  c2f::pass p{.mode = c2f::train, .truth = whole({0, 1, 0, 1})};
  at::Tensor const logits = model(batch, p).answer;
  REQUIRE(at::allclose(logits.narrow(0, 2, 2).to(at::kDouble), rows({{1.4, 1}, {2.4, 3}}), 1e-6));
  REQUIRE(p.losses.size() == 1);
  REQUIRE(p.loss().item<double>() == Approx(.4752516014).margin(1e-6));
  p.loss().backward();
  at::Tensor const gradient = parameter_of(model, "coarse.phi.1.weight").grad();
  REQUIRE(at2(gradient, 0, 0) == Approx(-.1723395).margin(1e-6));
  REQUIRE(at2(gradient, 0, 1) == Approx(-.2297860).margin(1e-6));
  REQUIRE(at2(gradient, 1, 0) == Approx(.1292546).margin(1e-6));
  REQUIRE(at2(gradient, 1, 1) == Approx(.1723395).margin(1e-6));
}

TEST_CASE("the gradient of the predictor is that of finite differences of the naive definition") {
  pp::model<pp::alone<5, 4>> model(1);
  for (auto& each : c2f::parameters(model)) {
    at::NoGradGuard const no_gradients;
    each.add_(c2f::detail::sample_numbers(each.sizes().vec(), 3).to(at::kFloat).mul(.2));  // away from the identity
  }
  at::Tensor const batch = c2f::detail::sample_numbers({8, 5}, 5).abs(), truth = whole({2, 0, 3, 1, 2, 0, 3, 1});
  c2f::pass p{.mode = c2f::train, .truth = truth};
  model(images(batch), p);
  p.loss().backward();
  std::vector<std::string> const paths{"coarse.phi.1.weight", "coarse.phi.1.bias", "coarse.phi.3.weight", "coarse.phi.3.bias"};
  std::vector<at::Tensor> values;
  for (auto const& path : paths) values.push_back(parameter_of(model, path).detach().to(at::kDouble).clone());
  auto const loss = [&] {
    at::Tensor const logits =
        batch.narrow(0, 4, 4).matmul(naive_phi(batch.narrow(0, 0, 4), values[0], values[1], values[2], values[3]).t());
    double sum = 0;
    for (int i = 0; i < 4; ++i)
      sum += logits[i].exp().sum().log().sub(logits[i][i]).item<double>() / 4;  // activation i is of statistic i's class
    return sum;
  };
  REQUIRE(p.loss().item<double>() == Approx(loss()).margin(1e-6));
  for (std::size_t i = 0; i < paths.size(); ++i) {
    at::Tensor const flat = values[i].view({-1}), gradient = parameter_of(model, paths[i]).grad().flatten();
    for (std::int64_t j = 0; j < flat.numel(); ++j) {
      double* const value = flat.mutable_data_ptr<double>() + j;
      double const before = *value;
      *value              = before + 1e-5;
      double const above  = loss();
      *value              = before - 1e-5;
      double const below  = loss();
      *value              = before;
      CAPTURE(paths[i], j);
      REQUIRE(gradient[j].item<double>() == Approx((above - below) / 2e-5).margin(2e-6));
    }
  }
}

TEST_CASE("an untrained predictor is a cosine with the prototypes, and few-shot classes are order, repetition and number independent") {
  auto const data = small_data();
  pp::model<pp::alone<8, 9>> model(1);
  at::NoGradGuard const no_gradients;
  REQUIRE(refusal([&] { model(images(data.test.features()), c2f::eval); }).find(".classes(") != std::string::npos);
  model.classes(data.train.means());
  at::Tensor const queries = data.test.features().to(at::kDouble), support = activations<8>({7}, 4, 3).features();
  at::Tensor const found = model(images(queries), c2f::eval).answer.to(at::kDouble);
  REQUIRE(found.sizes() == at::IntArrayRef{54, 9});
  for (std::int64_t k = 0; k < 9; ++k) {
    if (k >= large) {
      REQUIRE(found.select(1, k).max().item<double>() == -std::numeric_limits<double>::infinity());
      continue;
    }
    std::vector<at::Tensor> members;
    for (std::int64_t i = 0; i < 12; ++i)
      members.push_back(activations<8>({0, 1, 2, 3, 4, 5}, 12, 1).features()[k * 12 + i].to(at::kDouble));
    at::Tensor const mean = at::stack(members).mean(0);
    at::Tensor const cosine =
        queries.matmul(mean).div(queries.square().sum(1).sqrt()).div(mean.square().sum().sqrt()).mul(queries.square().sum(1).sqrt());
    REQUIRE(at::allclose(found.select(1, k), cosine, 1e-5, 1e-5));
  }

  auto with = model, turned = model, twice = model, other = model;
  with.add(support, 7);
  turned.add(support.flip(0), 7);
  twice.add(support, 7), twice.add(support, 7);
  other.add(support, 7), other.add(support, 8);
  at::Tensor const one = with(images(queries), c2f::eval).answer;
  REQUIRE(one.narrow(1, 0, large).equal(model(images(queries), c2f::eval).answer.narrow(1, 0, large)));  // nothing is forgotten
  REQUIRE(at::allclose(one, turned(images(queries), c2f::eval).answer));
  REQUIRE(at::allclose(one, twice(images(queries), c2f::eval).answer));
  at::Tensor const both = other(images(queries), c2f::eval).answer;
  REQUIRE(at::allclose(both.select(1, 7), one.select(1, 7)));
  REQUIRE(at::allclose(both.select(1, 8), both.select(1, 7)));
  // The largest response of the samples.
  at::Tensor largest;
  for (std::int64_t i = 0; i < 4; ++i) {
    auto single = model;
    single.add(support.narrow(0, i, 1), 7);
    at::Tensor const response = single(images(queries), c2f::eval).answer.select(1, 7);
    largest                   = largest.defined() ? largest.maximum(response) : response;
  }
  REQUIRE(at::allclose(one.select(1, 7), largest));

  require_message(refusal([&] { model.add(support, 9); }), {"0 to 8"});
  require_message(refusal([&] { model.add(support.narrow(1, 0, 5), 7); }), {"[R, 8]"});
  c2f::pass odd{.mode = c2f::train, .truth = whole({0, 1, 2})};
  require_message(refusal([&] { model(images(support.narrow(0, 0, 3)), odd); }), {"3 rows", "statistic_batches"});
}

TEST_CASE("batches have a statistic and an activation of each class, drawn by (seed, epoch, batch) and for each class independently") {
  std::vector<std::int64_t> const numbers{1, 4, 9};
  auto const seen = activations<8>(numbers, 12, 1);
  c2f::data::statistic_batches<8> const train(seen, {.p_mean = .3, .batches = 400});
  REQUIRE(train.rows() == 6);
  REQUIRE(train.size() == 36 + 3);
  auto const order = train.order(1, 2, 6);
  REQUIRE(order.size() == 2400);
  std::int64_t means = 0, same = 0;
  std::set<std::int64_t> statistics, asked;
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::int64_t const id = order[i] % train.size();
    float vector[8];
    std::int64_t truth = 0;
    train.read(id, nullptr, vector, &truth);
    REQUIRE(truth == numbers[i % 3]);
    bool const statistic = i % 6 < 3;
    if (id >= 36) {
      REQUIRE(statistic);
      REQUIRE(id == 36 + static_cast<std::int64_t>(i % 3));
      ++means;
      at::Tensor const mean = seen.features().narrow(0, (id - 36) * 12, 12).to(at::kDouble).mean(0);
      for (int c = 0; c < 8; ++c) REQUIRE(vector[c] == Approx(mean[c].item<double>()).margin(1e-6));
    } else {
      REQUIRE(vector[3] == seen.features()[id][3].item<float>());
      (statistic ? statistics : asked).insert(id);
    }
    if (statistic && i % 3 == 0) same += (order[i] % train.size() >= 36) == (order[i + 1] % train.size() >= 36);
  }
  REQUIRE(static_cast<double>(means) / 1200 == Approx(.3).margin(.04));
  REQUIRE(static_cast<double>(same) / 400 == Approx(.58).margin(.08));  // .3² + .7²
  REQUIRE((statistics.size() == 36 && asked.size() == 36));
  REQUIRE(std::set<std::int64_t>(order.begin(), order.end()).size() == order.size());  // repetitions have ids of their own
  REQUIRE(order == train.order(1, 2, 6));
  REQUIRE_FALSE(order == train.order(1, 3, 6));
  REQUIRE_FALSE(order == train.order(2, 2, 6));
  auto const shorter = c2f::data::statistic_batches<8>(seen, {.p_mean = .3, .batches = 5}).order(1, 2, 6);
  REQUIRE(std::equal(shorter.begin(), shorter.end(), order.begin()));
  for (double const p : {0., 1.})
    for (std::int64_t const id : c2f::data::statistic_batches<8>(seen, {.p_mean = p, .batches = 1}).order(1, 0, 6) | std::views::take(3))
      REQUIRE((id % 39 >= 36) == (p == 1));

  require_message(refusal([&] { (void)train.order(1, 0, 8); }), {".batch(6)"});
  require_message(refusal([&] { c2f::data::statistic_batches<8>(seen, {.p_mean = 1.5}); }), {"p_mean", "0 to 1"});
  require_message(refusal([&] { c2f::data::statistic_batches<8>(activations<8>({3}, 4, 1)); }), {"two classes"});
  require_message(refusal([&] { c2f::data::table<8>("t", at::eye(7), {1, 2}); }), {"[7, 7]", "2 labels"});
  require_message(refusal([&] { c2f::data::table<3>("t", at::eye(3), {1, 2, -1}); }), {"below 0"});
  require_message(refusal([&] { c2f::data::table<3>("t", at::eye(3).div(0), {1, 2, 1}); }), {"not finite"});
}

TEST_CASE("a predictor trains by fit, improves, leaves its statistics alone and resumes bit for bit in an epoch") {
  auto const data  = small_data();
  auto const train = [&](auto&&... observers) {
    pp::model<pp::alone<8, large>> model(1);
    model.classes(data.train.means());
    auto const report = c2f::fit(model, data, quick(data), observers...);
    REQUIRE(model.known().means.equal(data.train.means().means));
    return report;
  };
  tiny::spy whole_training;
  auto const report = train(whole_training);
  REQUIRE(report.start.steps_an_epoch == 7);
  REQUIRE(report.epochs.back().losses[0].second < report.epochs.front().losses[0].second);
  REQUIRE(report.epochs.back().scores[0].values[0].second > .5);
  for (std::int64_t const at : {3, 7, 12}) {
    tests::scratch const scratch;
    train(c2f::checkpoints(scratch.path / "kept"), tiny::stops{.at = at});
    tiny::spy resumed;
    REQUIRE(train(c2f::checkpoints(scratch.path / "kept"), resumed).start.done == at);
    REQUIRE(tiny::same_bytes(whole_training, resumed));
  }
}

TEST_CASE("in a pair both networks predict their rows, from statistics that pass through the whole stack") {
  auto const data  = small_data();
  using task       = pp::pair<8, 8>;
  auto const train = [&](auto&&... observers) {
    pp::model<task> model(1);
    model.classes(data.train.means());
    auto report = c2f::fit(model, data, quick(data), observers...);
    return std::pair(std::move(report), std::move(model));
  };
  tiny::spy whole_training;
  auto [report, model] = train(whole_training);
  REQUIRE(report.epochs.back().losses.size() == 2);
  REQUIRE(report.epochs.back().scores.size() == 2);
  tests::scratch const scratch;
  train(c2f::checkpoints(scratch.path / "kept"), tiny::stops{.at = 9});
  tiny::spy resumed;
  train(c2f::checkpoints(scratch.path / "kept"), resumed);
  REQUIRE(tiny::same_bytes(whole_training, resumed));

  // By hand: coarse rows and logits of statistics and images, z of what is predicted, and the fine rows from the joined vectors.
  at::NoGradGuard const no_gradients;
  model.add(activations<8>({7}, 3, 3).features(), 7);
  at::Tensor const all = at::cat({model.known().means, data.test.features()});
  std::int64_t const R = model.known().means.size(0);
  c2f::pass by_hand;
  auto const largest = [&](at::Tensor const& responses) {
    std::vector<at::Tensor> columns;
    for (std::int64_t k = 0; k < large; ++k) columns.push_back(responses.select(1, k));
    columns.push_back(at::full({all.size(0)}, -std::numeric_limits<double>::infinity()));
    columns.push_back(responses.narrow(1, large, 3).amax(1));
    return at::stack(columns, 1);
  };
  at::Tensor const coarse = largest(all.matmul(model.coarse.phi(all.narrow(0, 0, R), c2f::eval).t()));
  at::Tensor const joined = model.fuse(images(all), model.encoder(coarse.softmax(1), images(all), by_hand), by_hand).flatten(1);
  REQUIRE(joined.size(1) == 16);
  at::Tensor const fine = largest(joined.matmul(model.fine.phi(joined.narrow(0, 0, R), c2f::eval).t()));
  auto const found      = model(images(data.test.features()), c2f::eval);
  REQUIRE(at::allclose(found.coarse, coarse.narrow(0, R, coarse.size(0) - R), 1e-5, 1e-5));
  REQUIRE(at::allclose(found.answer, fine.narrow(0, R, fine.size(0) - R), 1e-4, 1e-4));
}

TEST_CASE("a predicted coarse network conditions a fine network of another sort") {
  auto const data = small_data();
  pp::model<predicted_coarse> model(1);
  model.classes(data.train.means());
  auto const report = c2f::fit(model, data, quick(data).epochs(8));
  REQUIRE(report.epochs.back().losses[1].second < report.epochs.front().losses[1].second);
  // Other statistics of the coarse network change what the fine one says of the same activations.
  at::NoGradGuard const no_gradients;
  auto other                  = model;
  auto const [means, classes] = data.train.means();
  other.classes({means, classes.flip(0)});
  at::Tensor const x = images(data.test.features());
  REQUIRE_FALSE(at::allclose(model(x, c2f::eval).fine, other(x, c2f::eval).fine));
}

TEST_CASE("a support sample is never a query") {
  auto const seen = activations<8>({0, 1, 2, 3, 4, 5}, 20, 1);
  for (std::int64_t const shot : {1, 5}) {
    c2f::data::episodes const tests(seen, {.way = 5, .shot = shot, .queries = 15});
    for (std::int64_t i = 0; i < 200; ++i) {
      auto const e = tests.at(i);
      std::set<std::int64_t> ids(e.support.begin(), e.support.end());
      ids.insert(e.query.begin(), e.query.end());
      REQUIRE(ids.size() == static_cast<std::size_t>(5 * (shot + 15)));
    }
  }
}

TEST_CASE("features are those of single passes, and are kept in a file until network or samples are others") {
  using backbone = c2f::sequential<c2f::conv<6, 3, 2>, c2f::batch_norm, c2f::relu, c2f::global_average_pool>;
  auto net       = c2f::make_network<backbone, c2f::image<3, 32, 32>>(1);
  c2f::data::glyphs<8> const data({.train = 20, .test = 16, .seed = 1});
  auto const found = c2f::features_of(net, data.train, {.batch = 7});
  REQUIRE(found.size() == 20);
  at::NoGradGuard const no_gradients;
  for (std::int64_t id = 0; id < 20; ++id) {
    REQUIRE(found.label(id) == data.train.label(id));
    REQUIRE(at::allclose(found.features()[id], net(c2f::data::read_samples(data.train, std::vector{id}), c2f::eval)[0], 1e-5, 1e-6));
  }
  tests::scratch const scratch;
  auto const file  = scratch.path / "features.safetensors";
  auto const first = c2f::kept_features(file, net, data.train);
  REQUIRE(first.fingerprint() == c2f::features_of(net, data.train).fingerprint());
  auto changed = c2f::data::read_safetensors(file);
  changed.tensors.at("features").add_(1);
  c2f::data::write_safetensors(file, changed);
  REQUIRE(c2f::kept_features(file, net, data.train).features().equal(first.features().add(1)));  // read, not computed
  auto other = c2f::make_network<backbone, c2f::image<3, 32, 32>>(2);
  REQUIRE(c2f::kept_features(file, other, data.train).features().equal(c2f::features_of(other, data.train).features()));
  REQUIRE(c2f::kept_features(file, other, data.test).size() == 16);
  // Another network of the same tensors.
  using strongest = c2f::sequential<c2f::conv<6, 3, 2>, c2f::batch_norm, c2f::relu, c2f::max_pool<16, 16, 0>, c2f::global_average_pool>;
  auto pooled     = c2f::make_network<strongest, c2f::image<3, 32, 32>>(1);
  REQUIRE(c2f::kept_features(file, net, data.train).features().equal(first.features()));
  REQUIRE(c2f::kept_features(file, pooled, data.train).features().equal(c2f::features_of(pooled, data.train).features()));
  c2f::data::write_safetensors(file, {{{"weight", at::eye(2)}}, {}});
  require_message(refusal([&] { (void)c2f::kept_features(file, net, data.train); }), {"holds no features"});
}

TEST_CASE("the impact of a channel and the similarity of two orders are those of the computation by hand") {
  at::Tensor const a = rows({{1, -.5, .1}, {.2, 2, 0}, {0, .3, -3}}), b = rows({{1, 0, 5}, {1, 1, 1}});
  REQUIRE(at::allclose(c2f::metrics::impact(a), rows({{1.2, 2.8, 3.1}})[0]));
  REQUIRE(c2f::metrics::top_k_similarity(a, b, 2) == .5);
  REQUIRE(c2f::metrics::top_k_similarity(a, b, 1) == 1);
  REQUIRE(c2f::metrics::top_k_similarity(a, b, 3) == 1);
  require_message(refusal([&] { (void)c2f::metrics::top_k_similarity(a, b, 4); }), {"k from 1"});
}
