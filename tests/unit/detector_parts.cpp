// What the losses and answers of detectors are by definition. Whole steps are compared with torchvision's in tests/parity/detectors_step.py.
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <cmath>
#include <map>

#include "catch.hpp"
#include "refusal.hpp"
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

/// All anchors are proposals, and no stage moves a box.
struct still : progressive {
  static constexpr std::int64_t before_nms = 5000, after_nms = 5000;
  static constexpr double rpn_overlap = 1;
};
detector<still> net_of_anchors() {
  detector<still> net(1);
  at::NoGradGuard const none;
  auto const clear = [](auto const& layer) { layer.weight.tensor().zero_(), layer.bias.tensor().zero_(); };
  clear(net.rpn.head.bbox_pred);
  for (auto const& each : net.stages) clear(each.box_predictor.bbox_pred);
  return net;
}
/// One object of 16 pixels by `height` around the anchor of 16 x 16 at (24, 24): its largest IoU with an anchor is height / 16.
at::Tensor object_of(double height) {
  at::Tensor const truth = at::zeros({1, 6, 7});
  double const row[]{0, 24. / 96, 24. / 64, 16. / 96, height / 64, 0, 1};
  for (std::int64_t k = 0; k < 7; ++k) truth[0][0][k].fill_(row[k]);
  return truth;
}
/// The losses of boxes of stages 0, 1 and 2. One that is not 0 says that a box stands for the object and is not its true box.
std::array<double, 3> box_losses(detector<still> const& net, at::Tensor const& images, double height, double t, std::int64_t id) {
  c2f::pass p{.mode = c2f::train, .truth = object_of(height), .t = t, .seed = 3, .epoch = 2, .ids = {&id, 1}};
  net(images, p);
  std::array<double, 3> found{};
  for (std::size_t s = 0; s < 3; ++s) found[s] = p.losses[3 + 2 * s].value.item<double>();
  return found;
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
  // Each asks for an IoU of .5, .6 and .7.
  auto const still_net = net_of_anchors();
  auto const stages    = [&](double height) {
    std::array<bool, 3> stand{};
    for (std::int64_t id = 0; id < 8; ++id) {
      auto const found = box_losses(still_net, images.narrow(0, 0, 1), height, 1, id);
      for (std::size_t k = 0; k < 3; ++k) stand[k] = stand[k] || found[k] != 0;
    }
    return stand;
  };
  REQUIRE(stages(.55 * 16) == std::array{true, false, false});
  REQUIRE(stages(.65 * 16) == std::array{true, true, false});
  REQUIRE(stages(.75 * 16) == std::array{true, true, true});
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
  auto const net = net_of_anchors();
  at::Tensor truth;
  at::Tensor const images = batch_of(1, truth);
  int count = 0, first_shown = 0, later = 0, second_shown = 0;
  for (std::int64_t id = 20; id < 60; ++id) {
    auto const losses    = [&](double t) { return box_losses(net, images, 13, t, id); };
    auto const predicted = losses(1), true_boxes = losses(0), some = losses(.5);
    REQUIRE((true_boxes[1] == 0 && true_boxes[2] == 0));    // a true box needs no correction
    auto const truth_is_shown = [&](std::uint32_t stage) {  // to the stage after this one, by its own number
      c2f::random_stream draw{3, static_cast<c2f::purpose>(static_cast<std::uint32_t>(c2f::purpose::source) + ((stage + 1) << 8)), 2,
                              static_cast<std::uint64_t>(id)};
      return draw.uniform() > .5;
    };
    bool const first = truth_is_shown(0), second = truth_is_shown(1);
    if (predicted[1] != 0) {
      ++count, first_shown += first;
      REQUIRE((some[1] == 0) == first);
    }
    if (predicted[2] != 0) {  // stage 2 goes on with the true boxes that stage 1 was shown
      ++later, second_shown += second && !first;
      REQUIRE((some[2] == 0) == (first || second));
    }
  }
  CAPTURE(count, first_shown, later, second_shown);
  REQUIRE((first_shown > 0 && first_shown < count));
  REQUIRE((second_shown > 0 && second_shown < later));
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
    auto const found = c2f::detection::levels_of(net.backbone, images, 0, p);
    for (std::size_t i = 0; i < wanted.size(); ++i) REQUIRE(found[i].allclose(wanted[i], 1e-4, 1e-4));
  };
  using enum c2f::systems::parts_of_detectors;
  check.template operator()<recursive>();
  check.template operator()<switchable>();
  check.template operator()<both>();
  // One backbone for both looks.
  using shared = c2f::systems::recursive_pyramid<c2f::small_stages<16, 24, 48, 96>, 48, 2, c2f::systems::looks::shared>;
  struct {
    c2f::network_on<shared, image> backbone = c2f::make_network<shared, image>(5);
  } one;
  c2f::systems::begin_as_plain(one, plain);
  c2f::pass p;
  auto const found = c2f::detection::levels_of(one.backbone, images, 0, p);
  for (std::size_t i = 0; i < wanted.size(); ++i) REQUIRE(found[i].allclose(wanted[i], 1e-4, 1e-4));
}

struct from_stride_8 : faster {
  static constexpr double stride = 8;
};
struct retina_from_stride_8 : retina {
  static constexpr double stride = 8;
};
TEST_CASE("detectors refuse a stride that is not that of their maps, and a step without the host") {
  at::Tensor truth;
  at::Tensor const images = batch_of(1, truth);
  auto const check        = [&](auto const& wrong, auto const& right) {
    c2f::pass p, step{.mode = c2f::train, .truth = truth};
    tests::require_message(tests::refusal([&] { wrong(images, p); }), {"[1, 12, 16, 24]", "64 x 96", "stride 8"});
    step.capturing = true;
    REQUIRE_THROWS_AS(right(images, step), c2f::needs_host);
    // Sizes that are no multiples of a stride.
    c2f::pass look{.mode = c2f::train, .truth = truth};
    right(at::zeros({1, 3, 61, 99}), look);
    REQUIRE(std::isfinite(look.loss().template item<double>()));
  };
  check(detector<from_stride_8>(1), detector<faster>(1));
  check(c2f::systems::one_stage_detector<kind, image, retina_from_stride_8>(1), one_stage(1));
  static_assert(c2f::systems::retina_net::stride == c2f::systems::faster_rcnn::stride);
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
  object(2, 1, .5f, 1);  // not missed: a crowd
  object(3, 1, .1f, 2);  // nor is a difficult object
  object(4, 1, .9f, 0);
  auto const found = [&](std::int64_t row, float x, float score, float label) {
    float const values[]{x - .1f, .4f, x + .1f, .6f, score, label};
    for (std::int64_t k = 0; k < 6; ++k) raw[0][row][k].fill_(values[k]);
  };
  found(0, .2f, .9f, 0);
  found(1, .5f, .8f, 1);   // hits a crowd: neither right nor wrong
  found(2, .55f, .7f, 0);  // wrong
  found(3, .8f, .6f, 0);
  found(4, .5f, .5f, 1);  // hits the crowd, too
  found(5, .1f, .4f, 1);  // hits the difficult object: neither
  found(6, .1f, .3f, 1);  // once more: wrong
  found(7, .9f, .2f, 1);  // the second of two that count
  kind::score score;
  score.add(raw, truth);
  auto const values = score.values();
  REQUIRE(score.samples == 1);
  // Class 0: right, wrong, right of two objects. Class 1: wrong, right of one.
  REQUIRE(std::abs(values[0].second - (.834983 + .5) / 2) < 1e-5);
  auto const boxes = kind::of_picture(raw, 0, 64, 96);
  REQUIRE(boxes.size() == 8);
  REQUIRE((std::abs(boxes[0].where.x1 - 28.8) < 1e-4 && std::abs(boxes[0].where.y0 - 25.6) < 1e-4 && boxes[1].label == 1));
}
