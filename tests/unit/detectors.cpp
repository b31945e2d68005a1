// Detectors train, resume and answer.
#include <c2f/train/checkpoint.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "catch.hpp"
#include "refusal.hpp"
#include "reliability/tiny.hpp"
#include "scratch.hpp"
#include "squares.hpp"

using namespace squares_world;

TEST_CASE("a detector learns squares, and its losses have the names of its stages") {
  squares_data const data;
  auto const recipe = c2f::recipe::settings{}.epochs(12).batch(8).learning_rate(2e-3).adam({}).threads(0);
  detector<faster> net(1);
  auto const report = c2f::fit(net, data, recipe);
  auto const& last  = report.epochs.back();
  std::vector<std::string> names;
  for (auto const& [name, value] : last.losses) names.push_back(name);
  REQUIRE(names == std::vector<std::string>{"rpn.class", "rpn.box", "stage0.class", "stage0.box"});
  REQUIRE(last.scores[0].values[1].first == std::string("ap50"));
  REQUIRE(last.scores[0].values[1].second > .6);

  // A predictor folds the norms; the mirrored picture has mirrored boxes; soft suppression and a lower threshold leave more of them.
  at::Tensor truth;
  at::Tensor const images = batch_of(6, truth);
  c2f::predictor<detector<faster>> predict(net);
  at::Tensor const raw = predict(images).answer;
  c2f::pass p;
  REQUIRE(raw.sizes() == at::IntArrayRef({6, 20, 6}));
  REQUIRE(raw.allclose(net(images, p), 1e-2, 1e-2));
  REQUIRE(raw.select(2, 4).gt(0).any().item<bool>());
  at::Tensor const scores = raw.select(2, 4);
  REQUIRE(scores.narrow(1, 0, 19).ge(scores.narrow(1, 1, 19)).all().item<bool>());
  auto const count = [&](at::Tensor const& rows) { return rows.select(2, 4).gt(0).sum().item<std::int64_t>(); };
  net.answers.soft = true;
  auto const soft  = net(images, p);
  REQUIRE(count(soft) > count(raw));
  REQUIRE(soft.select(1, 0).allclose(raw.select(1, 0), 1e-2, 1e-2));  // the best stays
  net.answers     = {.flip = true};
  at::Tensor both = net(images, p), other = net(images.flip({3}), p);
  REQUIRE(count(both) > 0);
  at::Tensor const back =
      at::cat({other.narrow(2, 2, 1).neg().add(1), other.narrow(2, 1, 1), other.narrow(2, 0, 1).neg().add(1), other.narrow(2, 3, 3)}, 2);
  REQUIRE(back.mul(other.narrow(2, 4, 1).gt(0)).allclose(both, 1e-3, 1e-3));
}

TEST_CASE("detectors of one stage and of recursive pyramids learn, too") {
  squares_data const data;
  auto const recipe = c2f::recipe::settings{}.epochs(12).batch(8).learning_rate(2e-3).adam({}).threads(0);
  one_stage other(1);
  auto const second = c2f::fit(other, data, recipe);
  REQUIRE(second.epochs.back().losses[0].first == "head.class");
  REQUIRE(second.epochs.back().scores[0].values[1].second > .4);
  detector<both> recursive(1);
  REQUIRE(c2f::fit(recursive, data, recipe).epochs.back().scores[0].values[1].second > .4);
}

TEST_CASE("an object of a class that the detector does not have is refused with its sample") {
  struct other : squares {
    float label;
    void read(std::int64_t id, c2f::random_stream* augment, float* pixels, float* into) const {
      squares::read(id, augment, pixels, into);
      if (id == 3) std::copy_n(std::array{label, .5f, .5f, .1f, .1f, 0.f, 1.f}.begin(), 7, into);
    }
  };
  auto const refused = [](float label) {
    struct {
      other train;
      squares test{6, 2};
    } const data{{{24, 1}, label}};
    detector<faster> net(1);
    return tests::refusal([&] { c2f::fit(net, data, c2f::recipe::settings{}.epochs(1).batch(8).threads(0)); });
  };
  REQUIRE(refused(2) ==
          "sample 3 of squares has the label 2, and there are 2, 0 to 1; correct it, or write the data's number of classes into the kind");
  REQUIRE(tests::has(refused(-1), "has the label -1"));
  REQUIRE(tests::has(refused(std::nanf("")), "has the label -1"));
}

TEST_CASE("detections are scored alike by one process and by two") {
  static_assert(c2f::detail::mergeable_score<kind::score>);
  at::Tensor truth;
  at::Tensor const images = batch_of(8, truth);
  detector<faster> const net(1);
  c2f::pass p;
  at::Tensor const raw = net(images, p);
  kind::score whole, first, second, sent;
  whole.add(raw, truth);
  first.add(raw.narrow(0, 0, 4), truth.narrow(0, 0, 4)), second.add(raw.narrow(0, 4, 4), truth.narrow(0, 4, 4));
  c2f::detail::packer to;
  second.put(to);
  c2f::detail::unpacker from(to.bytes());
  sent.take(from);
  first.add(sent);
  REQUIRE(first.samples == 8);
  REQUIRE(first.values() == whole.values());
}

TEST_CASE("a detector with the backbone of DetectoRS is resumed bit for bit") {
  struct {
    squares train{24, 1}, test{6, 2};
  } const data;
  auto const recipe = c2f::recipe::settings{}.epochs(2).batch(8).learning_rate(2e-3).adam({}).threads(0);
  using model       = detector<both>;
  model whole(7);
  tiny::spy end;
  c2f::fit(whole, data, recipe, end);
  for (std::int64_t const at : {2, 4}) {
    tests::scratch const s;
    model first(7), second(8);
    REQUIRE(c2f::fit(first, data, recipe, c2f::checkpoints(s.path), tiny::stops{.at = at}).stopped);
    tiny::spy resumed;
    REQUIRE(c2f::fit(second, data, recipe, c2f::checkpoints(s.path), resumed).start.done == at);
    REQUIRE(tiny::same_bytes(tiny::tensors_of(whole), tiny::tensors_of(second)));
  }
}

TEST_CASE("bfloat16 with switchable convolutions and a recursive pyramid stays finite") {
  squares_data const data;
  using model = detector<both>;
  model net(1);
  auto const report = c2f::fit(net, data, c2f::recipe::settings{}.epochs(2).batch(8).learning_rate(2e-3).adam({}).threads(0).bf16(true));
  for (auto const& [name, value] : report.epochs.back().losses) REQUIRE(std::isfinite(value));
  for (auto const& each : c2f::parameters(net)) REQUIRE(each.isfinite().all().item<bool>());
}
