// What the losses and answers of detectors are by definition. Whole steps are compared with torchvision's in tests/parity/detectors_step.py.
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <cmath>
#include <map>

#include "catch.hpp"
#include "squares.hpp"

using namespace squares_world;

TEST_CASE("pictures without objects, with ignored ones, with one-pixel boxes: losses and gradients are finite") {
  at::Tensor truth;
  at::Tensor const images = batch_of(3, truth);
  auto const trained      = [&](auto const& net, at::Tensor const& of) {
    for (auto const& each : c2f::parameters(net)) each.mutable_grad().reset();
    c2f::pass p{.mode = c2f::train, .truth = of};
    net(images, p);
    p.loss().backward();
    std::map<std::string, double> losses;
    for (auto const& [name, value] : p.losses) {
      CAPTURE(name);
      REQUIRE(std::isfinite(value.template item<double>()));
      losses[name] = value.template item<double>();
    }
    for (auto const& each : c2f::parameters(net)) {
      REQUIRE(each.grad().defined());
      REQUIRE(each.grad().isfinite().all().template item<bool>());
    }
    return losses;
  };
  auto const check = [&](auto const& net) {
    auto none = trained(net, at::zeros_like(truth));
    for (auto const& [name, value] : none) REQUIRE((name.find(".box") == std::string::npos || value == 0));
    at::Tensor ignored = truth.clone();
    ignored.select(2, 5).copy_(truth.select(2, 6));
    for (auto const& [name, value] : trained(net, ignored)) REQUIRE((name.find(".box") == std::string::npos || value == 0));
    at::Tensor full = at::zeros_like(truth);  // as many as there are rows, one pixel each
    full.select(2, 6).fill_(1);
    full.select(2, 1).fill_(.5);
    full.select(2, 2).fill_(.5);
    full.select(2, 3).fill_(1. / 96);
    full.select(2, 4).fill_(1. / 64);
    REQUIRE(trained(net, full).size() == none.size());
    c2f::pass look;
    REQUIRE(net(at::zeros({1, 3, 64, 96}), look).isfinite().all().template item<bool>());
  };
  check(detector<cascade>(1));
  check(one_stage(1));
}

TEST_CASE("a cascade refines boxes, and its later stages ask for more overlap") {
  detector<cascade> net(1);
  at::Tensor truth;
  at::Tensor const images = batch_of(4, truth);
  c2f::pass p{.mode = c2f::train, .truth = truth};
  net(images, p);
  std::vector<std::string> names;
  for (auto const& [name, value] : p.losses) names.push_back(name);
  REQUIRE(names == std::vector<std::string>{"rpn.class", "rpn.box", "stage0.class", "stage0.box", "stage1.class", "stage1.box",
                                            "stage2.class", "stage2.box"});
  static_assert(detector<cascade>::stage_count == 3);
  using stage            = detector<cascade>::stage;
  // refined: the box of the most likely class besides the background; class-agnostic here, of each class with Faster R-CNN.
  using other            = detector<faster>::stage;
  at::Tensor const boxes = at::zeros({1, 1, 4});
  boxes[0][0][2].fill_(10);
  boxes[0][0][3].fill_(10);
  at::Tensor logits = at::zeros({1, 1, 3}), deltas = at::zeros({1, 1, 12});
  logits[0][0][0].fill_(9);
  logits[0][0][2].fill_(1);  // class 1
  deltas[0][0][8].fill_(1);  // its shift
  REQUIRE(other::refined({logits, deltas}, boxes, {10, 10, 5, 5})[0][0][0].item<double>() == 1);
  deltas[0][0][8].fill_(0);
  deltas[0][0][4].fill_(1);  // of class 0
  REQUIRE(other::refined({logits, deltas}, boxes, {10, 10, 5, 5})[0][0][0].item<double>() == 0);
  REQUIRE(stage::refined({logits, deltas.narrow(2, 4, 4)}, boxes, {10, 10, 5, 5})[0][0][0].item<double>() == 1);
}

TEST_CASE("progressive training: later stages see the true boxes with probability 1 - t, keyed by the sample") {
  detector<progressive> net(1);
  {  // no stage moves a box
    at::NoGradGuard const none;
    for (auto const& each : net.stages)
      each.box_predictor.bbox_pred.weight.tensor().zero_(), each.box_predictor.bbox_pred.bias.tensor().zero_();
  }
  at::Tensor truth;
  at::Tensor const images = batch_of(8, truth);
  auto const box_losses   = [&](double t, std::int64_t i, std::int64_t id) {
    c2f::pass p{.mode = c2f::train, .truth = truth.narrow(0, i, 1), .t = t, .seed = 3, .epoch = 2, .ids = {&id, 1}};
    net(images.narrow(0, i, 1), p);
    std::array<double, 2> found{};
    for (auto const& [name, value] : p.losses) {
      if (name == "stage1.box") found[0] = value.item<double>();
      if (name == "stage2.box") found[1] = value.item<double>();
    }
    return found;
  };
  int pictures = 0, shown = 0;
  for (std::int64_t i = 0; i < 8; ++i) {
    for (std::int64_t id = 20; id < 34; ++id) {
      auto const predicted = box_losses(1, i, id), true_boxes = box_losses(0, i, id), some = box_losses(.5, i, id);
      REQUIRE(true_boxes == std::array<double, 2>{0, 0});  // a true box needs no correction
      if (predicted[0] == 0) continue;
      ++pictures;
      for (std::uint32_t s = 0; s < 1; ++s) {
        c2f::random_stream draw{3, static_cast<c2f::purpose>(static_cast<std::uint32_t>(c2f::purpose::source) + ((s + 1) << 8)), 2,
                                static_cast<std::uint64_t>(id)};
        bool const truth_is_shown = draw.uniform() > .5;
        shown += truth_is_shown;
        REQUIRE((some[s] == 0) == truth_is_shown);
      }
    }
  }
  REQUIRE(pictures >= 8);
  REQUIRE((shown > 0 && shown < pictures));
}

TEST_CASE("a detector with any of the parts of DetectoRS has the maps of a plain one at first") {
  auto plain = c2f::make_network<c2f::systems::small_pyramid<c2f::systems::parts_of_detectors::none>, image>(4);
  at::Tensor truth;
  at::Tensor const images = batch_of(2, truth);
  auto const wanted       = plain(images, c2f::eval);
  auto const check        = [&]<c2f::systems::parts_of_detectors Parts>() {
    c2f::systems::small_detector<kind, image, c2f::systems::faster_rcnn, Parts> net(5);
    c2f::systems::begin_as_plain(net, plain);
    c2f::pass p;
    auto const found = c2f::detail::levels_of(net.backbone, images, 0, p);
    for (std::size_t i = 0; i < wanted.size(); ++i) REQUIRE(found[i].allclose(wanted[i], 1e-4, 1e-4));
  };
  using enum c2f::systems::parts_of_detectors;
  check.template operator()<recursive>();
  check.template operator()<switchable>();
  check.template operator()<both>();
}

TEST_CASE("the level of a box is that of its size") {
  std::vector<at::Tensor> levels;
  for (int i = 0; i < 3; ++i) levels.push_back(at::full({2, 1, 64 >> i, 96 >> i}, i + 1.));
  at::Tensor boxes = at::zeros({2, 4, 4}), valid = at::ones({2, 4}, at::TensorOptions(at::kBool));
  double const sides[]{20, 60, 130, 300};  // below 56: the first level; 56 to 112: the second ... of 224 pixels at stride 16
  for (std::int64_t k = 0; k < 4; ++k) boxes.select(1, k).narrow(1, 2, 2).fill_(sides[k]);
  valid[1][0].fill_(false);
  at::Tensor const crops = c2f::detection::pooled(levels, boxes, valid, {.side = 2, .stride = 4, .aligned = false, .size = 112});
  REQUIRE(crops.sizes() == at::IntArrayRef({8, 1, 2, 2}));
  auto const level = [&](std::int64_t row) { return crops[row][0][0][0].item<double>(); };
  REQUIRE((level(0) == 1 && level(1) == 2 && level(2) == 3 && level(3) == 3 && level(4) == 0 && level(5) == 2));
}

TEST_CASE("the score of detections is COCO's, of fractions of the picture") {
  at::Tensor truth = at::zeros({1, 6, 7}), raw = at::zeros({1, 20, 6});
  auto const object = [&](std::int64_t row, float label, float x, float ignored) {
    float const values[]{label, x, .5f, .2f, .2f, ignored, 1};
    for (std::int64_t k = 0; k < 7; ++k) truth[0][row][k].fill_(values[k]);
  };
  object(0, 0, .2f, 0);
  object(1, 0, .8f, 0);
  object(2, 1, .5f, 1);  // not missed
  auto const found = [&](std::int64_t row, float x, float score, float label) {
    float const values[]{x - .1f, .4f, x + .1f, .6f, score, label};
    for (std::int64_t k = 0; k < 6; ++k) raw[0][row][k].fill_(values[k]);
  };
  found(0, .2f, .9f, 0);
  found(1, .5f, .8f, 1);   // hits what is to be ignored: neither right nor wrong
  found(2, .55f, .7f, 0);  // wrong
  found(3, .8f, .6f, 0);
  kind::score score;
  score.add(raw, truth);
  auto const values = score.values();
  REQUIRE(score.samples == 1);
  REQUIRE(std::abs(values[0].second - .834983) < 1e-5);  // right, wrong, right of two objects
  auto const boxes = kind::of_picture(raw, 0, 64, 96);
  REQUIRE(boxes.size() == 4);
  REQUIRE((std::abs(boxes[0].where.x1 - 28.8) < 1e-4 && std::abs(boxes[0].where.y0 - 25.6) < 1e-4 && boxes[1].label == 1));
}
