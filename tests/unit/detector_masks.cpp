// Masks of detectors, and views of several scales. Steps are compared with torchvision's in tests/parity/detectors_step.py.
#include <c2f/data/pasted_mask.hpp>
#include <c2f/metrics/box_mask.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/maximum.h>

#include <cmath>
#include <map>

#include "catch.hpp"
#include "refusal.hpp"
#include "squares.hpp"

namespace {

using namespace squares_world;
using c2f::metrics::box_mask;
using c2f::metrics::sampled_mask;

constexpr std::int64_t side = 14;
using masked_kind           = c2f::detections<2, 6, 20, side>;

template <class Base>
struct with_small_masks : small<Base> {
  using mask_head                         = c2f::fcn_mask_head<8, 2>;
  static constexpr std::int64_t mask_crop = side / 2;
};
struct masked : with_small_masks<c2f::systems::mask_rcnn> {};
struct htc : with_small_masks<c2f::systems::hybrid_task_cascade> {};
struct progressive_htc : htc {
  using source   = c2f::source::sample;
  using schedule = c2f::schedule::ramp<0.0, 0.6, c2f::by::fraction>;
};
template <class With>
using net_of = c2f::systems::region_detector<masked_kind, image, With>;
static_assert(c2f::model<net_of<masked>> && c2f::model<net_of<htc>>);

// Discs (class 0) and upper left triangles (class 1), both bright on grey, with their masks.
struct shapes {
  using image                      = squares_world::image;
  using truth_value                = float;
  static constexpr auto truth_dims = masked_kind::truth_dims<image>;
  std::int64_t count;
  std::uint64_t seed;
  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "shapes"; }
  static constexpr std::int64_t class_count() { return 2; }
  static bool inside(std::int64_t label, double u, double v) {  // of the box, 0 ... 1
    return label == 0 ? std::hypot(u - .5, v - .5) <= .5 : u + v <= 1;
  }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, float* into) const {
    c2f::random_stream draw{seed, c2f::purpose::synthesis, 0, static_cast<std::uint64_t>(id)};
    for (int i = 0; i < 64 * 96 * 3; ++i) pixels[i] = static_cast<float>(.2 * draw.uniform() - .1);
    std::vector<std::array<float, 6 + side * side>> found;
    for (std::uint32_t i = 1 + draw.below(2); i-- > 0;) {
      std::int64_t const label = draw.below(2), size = 16 + draw.below(20), y = draw.below(static_cast<std::uint32_t>(64 - size)),
                         x = draw.below(static_cast<std::uint32_t>(96 - size));
      auto const part      = [](std::int64_t n, std::int64_t of) { return (static_cast<double>(n) + .5) / static_cast<double>(of); };
      for (std::int64_t r = 0; r < size; ++r)
        for (std::int64_t c = 0; c < size; ++c)
          if (inside(label, part(c, size), part(r, size)))
            for (int k = 0; k < 3; ++k) pixels[((y + r) * 96 + x + c) * 3 + k] = 1;
      auto& row      = found.emplace_back();
      auto const put = [&](std::size_t at, double value) { row[at] = static_cast<float>(value); };
      put(0, static_cast<double>(label)), put(1, static_cast<double>(2 * x + size) / 192), put(2, static_cast<double>(2 * y + size) / 128);
      put(3, static_cast<double>(size) / 96), put(4, static_cast<double>(size) / 64);
      for (std::int64_t k = 0; k < side * side; ++k)
        put(static_cast<std::size_t>(6 + k), inside(label, part(k % side, side), part(k / side, side)));
    }
    c2f::data::write_objects(found, 6, into);
  }
};
at::Tensor shapes_of(std::int64_t n, at::Tensor& truth) {
  shapes const from{100, 5};
  at::Tensor images = at::zeros({n, 64, 96, 3});
  truth             = at::zeros({n, 6, 7 + side * side});
  for (std::int64_t i = 0; i < n; ++i) from.read(i, nullptr, images[i].data_ptr<float>(), truth[i].data_ptr<float>());
  return images.permute({0, 3, 1, 2});
}
/// Every anchor is an answer, so that there are some without a training.
template <class Net>
Net answering(std::uint64_t seed) {
  Net net(seed);
  net.answers.least_score = 0;
  return net;
}
at::Tensor answered(at::Tensor const& raw) { return raw.select(2, 4).gt(0); }
std::map<std::string, double> losses_of(auto const& net, at::Tensor const& images, at::Tensor const& truth) {
  for (auto const& each : c2f::parameters(net)) each.mutable_grad().reset();
  c2f::pass p{.mode = c2f::train, .truth = truth, .seed = 3, .epoch = 1};
  net(images, p);
  p.loss().backward();
  std::map<std::string, double> found;
  for (auto const& [name, value] : p.losses) found[name] = value.template item<double>();
  return found;
}

}  // namespace

TEST_CASE("a mask of cells: its values between them, its pixels, its overlaps") {
  std::vector<float> const cells{1, 0, .5, .25};  // of a box of 4 x 8 pixels from 10, 20
  box_mask const mask{{10, 20, 14, 28}, 2, cells};
  REQUIRE(mask.at(11, 22) == 1);  // the middles of cells
  REQUIRE((mask.at(13, 22) == 0 && mask.at(11, 26) == .5 && mask.at(13, 26) == .25));
  REQUIRE(mask.at(12, 24) == 1.75 / 4);
  REQUIRE((mask.at(10, 22) == .5 && mask.at(10, 20) == .25 && mask.at(9, 22) == 0 && mask.at(11, 29.9) < .02 && mask.at(11, 31) == 0));

  // Pixels: the naive definition, for boxes that leave the picture, too.
  std::vector<float> heat(36);
  c2f::random_stream draw{1, c2f::purpose::synthesis, 0, 0};
  for (int trial = 0; trial < 40; ++trial) {
    for (auto& each : heat) each = static_cast<float>(draw.uniform());
    double const x = 30 * draw.uniform() - 8, y = 20 * draw.uniform() - 6;
    box_mask const any{{x, y, x + 1 + 25 * draw.uniform(), y + 1 + 25 * draw.uniform()}, 6, heat};
    double const least = trial % 2 == 0 ? .5 : .2;
    std::vector<std::uint8_t> wanted(20 * 30);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      wanted[i] = any.at(static_cast<double>(i % 30) + .5, static_cast<double>(i / 30) + .5) >= least ? 1 : 0;
    auto const found = c2f::data::pasted(any, 20, 30, least);
    REQUIRE(found.mask() == wanted);
    REQUIRE(found == c2f::data::run_lengths::of_mask(wanted, 20, 30));
  }
  std::vector<float> const ones(36, 1.f);
  REQUIRE(c2f::data::pasted({{3, 2, 9, 7}, 6, ones}, 20, 30).box() == c2f::metrics::box{3, 2, 9, 7});
  REQUIRE(c2f::data::pasted({{3, 2, 9, 7}, 6, ones}, 20, 30).area() == 30);
  REQUIRE(c2f::data::pasted({{0, 0, 30, 20}, 6, ones}, 20, 30).area() == 596);  // but for its corners
  REQUIRE(c2f::data::pasted({{5, 5, 5, 9}, 6, ones}, 20, 30).area() == 0);
  REQUIRE(c2f::data::pasted({{50, 5, 55, 9}, 6, ones}, 20, 30).counts == std::vector<std::uint32_t>{600});

  // Masks of ones are their boxes.
  sampled_mask const whole({{0, 0, 8, 8}, 6, ones}), half({{4, 0, 12, 8}, 6, ones}), apart({{9, 9, 12, 12}, 6, ones});
  REQUIRE((whole.area() == 64 && whole.overlap(whole) == 1 && whole.overlap(apart) == 0));
  REQUIRE(std::abs(whole.overlap(half) - 32. / 96) < 1e-9);
  REQUIRE(std::abs(whole.overlap(half, /*crowd=*/true) - .5) < 1e-9);
  // Of any masks: those of a fine canvas.
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<float> a(side * side), b(side * side);
    for (std::int64_t k = 0; k < side * side; ++k) {
      auto const part                = [&](std::int64_t n) { return (static_cast<double>(n) + .5) / side; };
      a[static_cast<std::size_t>(k)] = shapes::inside(0, part(k % side), part(k / side)) ? 1 : 0;
      b[static_cast<std::size_t>(k)] = shapes::inside(1, part(k % side), part(k / side)) ? .9f : .1f;
    }
    double const x = 60 * draw.uniform();
    box_mask const first{{100, 100, 250, 220}, side, a}, second{{100 + x, 90, 230 + x, 260}, side, trial % 2 == 0 ? b : a};
    bool const crowd    = trial % 4 == 1;
    double const wanted = c2f::data::iou(c2f::data::pasted(first, 300, 400), c2f::data::pasted(second, 300, 400), crowd);
    REQUIRE(wanted > .1);
    REQUIRE(std::abs(sampled_mask(first).overlap(sampled_mask(second), crowd) - wanted) < .03);
  }
}

TEST_CASE("detections with masks: their cells and scores") {
  at::Tensor truth = at::zeros({1, 6, 7 + side * side}), raw = at::zeros({1, 20, 6 + side * side});
  float const object[]{1, .5f, .5f, .5f, .5f, 0}, detection[]{.25f, .25f, .75f, .75f, .9f, 1};
  for (std::int64_t k = 0; k < 6; ++k) truth[0][0][k].fill_(object[k]), raw[0][0][k].fill_(detection[k]);
  truth[0][0][6 + side * side].fill_(1);
  truth[0][0].narrow(0, 6, side * side).view({side, side}).narrow(0, 0, side / 2).fill_(1);  // its upper half
  at::Tensor const cells = raw[0][0].narrow(0, 6, side * side).view({side, side});
  auto const values      = [&] {
    masked_kind::score score;
    score.add(raw, truth);
    std::map<std::string, double> found;
    for (auto const& [name, value] : score.values()) found[name] = value;
    return found;
  };
  REQUIRE(values().size() == 5);
  REQUIRE((std::abs(values()["ap"] - 1) < 1e-9 && values()["mask_ap"] == 0 && values()["mask_ap50"] == 0));
  cells.narrow(0, 0, side / 2).fill_(.8);
  REQUIRE((std::abs(values()["mask_ap"] - 1) < 1e-9 && std::abs(values()["mask_ap50"] - 1) < 1e-9));
  cells.narrow(0, side / 2, 4).fill_(.8);  // 11 rows of cells, 7 of which are right: IoU .64, above .5, .55 and .6
  REQUIRE((std::abs(values()["mask_ap"] - .3) < 1e-9 && std::abs(values()["mask_ap50"] - 1) < 1e-9));
  auto const found = masked_kind::of_picture(raw, 0, 64, 96);
  REQUIRE((found.size() == 1 && found[0].mask.size() == side * side && found[0].where.x0 == 24));
  REQUIRE((found[0].mask[0] == .8f && found[0].mask[11 * side] == 0 && found[0].mask[11 * side - 1] == .8f));
}

TEST_CASE("detectors with masks: names, shapes, gradients") {
  at::Tensor truth;
  at::Tensor const images = shapes_of(3, truth);
  std::vector<std::string> names;
  net_of<htc> cascade(1);
  c2f::for_each_tensor(cascade, [&](std::string const& path, auto&, auto const&) {
    if (path.starts_with("stages.1.") && path.ends_with("weight")) names.push_back(path.substr(9));
  });
  REQUIRE(names == std::vector<std::string>{"box_head.1.weight", "box_predictor.cls_score.weight", "box_predictor.bbox_pred.weight",
                                            "mask_head.0.0.weight", "mask_head.1.0.weight", "mask_predictor.conv5_mask.weight",
                                            "mask_predictor.mask_fcn_logits.weight", "mask_flow.weight"});
  auto const check = [&](auto const& net, std::vector<std::string> const& stages) {
    auto const gradients = [&] {
      for (auto const& each : c2f::parameters(net)) REQUIRE((each.grad().defined() && each.grad().isfinite().all().template item<bool>()));
    };
    for (auto const& [name, value] : losses_of(net, images, truth)) REQUIRE((std::isfinite(value) && value > 0));
    gradients();
    auto none = losses_of(net, images, at::zeros_like(truth));  // no object: no mask
    for (auto const& stage : stages) REQUIRE(none.at(stage + ".mask") == 0);
    REQUIRE(none.size() == 2 + 3 * stages.size());
    gradients();
    at::Tensor ignored = truth.clone();
    ignored.select(2, 5).copy_(truth.select(2, truth.size(2) - 1));
    for (auto const& stage : stages) REQUIRE(losses_of(net, images, ignored).at(stage + ".mask") == 0);
    REQUIRE_THROWS_AS(losses_of(net, images, at::zeros({3, 6, 7})), c2f::input_error);  // boxes without masks
    c2f::pass look;
    at::Tensor const raw = net(images, look);
    REQUIRE(raw.sizes() == at::IntArrayRef({3, 20, 6 + side * side}));
    at::Tensor const cells = raw.narrow(2, 6, side * side), there = answered(raw);
    REQUIRE(there.any().template item<bool>());
    REQUIRE(
        (cells.ge(0).logical_and(cells.le(1)).all().template item<bool>() && cells.amax(2).gt(0).eq(there).all().template item<bool>()));
    // No answer, no mask.
    auto silent                = net;
    silent.answers.least_score = 1;
    REQUIRE(silent(images, look).eq(0).all().template item<bool>());
  };
  check(answering<net_of<masked>>(1), {"stage0"});
  check(answering<net_of<htc>>(1), {"stage0", "stage1", "stage2"});
  // Trained progressively.
  net_of<progressive_htc> const progressive(1);
  c2f::pass p{.mode = c2f::train, .truth = truth, .t = 0};
  progressive(images, p);
  auto const usual = losses_of(net_of<htc>(1), images, truth);
  for (auto const& [name, value] : p.losses) REQUIRE(std::isfinite(value.item<double>()));
  REQUIRE((p.losses.size() == 11 && usual.size() == 11));
}

template <bool Flow, bool Interleaved>
struct one_stage_htc : masked {
  static constexpr bool mask_flow = Flow, mask_interleaved = Interleaved;
};
struct no_flow : htc {
  static constexpr bool mask_flow = false;
};
struct for_all : masked {
  static constexpr bool mask_agnostic = true;
};
TEST_CASE("hybrid task cascade: without its ideas it is Mask R-CNN, with a flow of zeros it has none") {
  at::Tensor truth;
  at::Tensor const images = shapes_of(3, truth);
  c2f::pass look;
  // One stage.
  auto const plain = answering<net_of<masked>>(4);
  auto const same  = answering<net_of<one_stage_htc<true, false>>>(4);
  REQUIRE(plain(images, look).equal(same(images, look)));
  auto const other = answering<net_of<one_stage_htc<true, true>>>(4);
  REQUIRE(plain(images, look).equal(other(images, look)));
  REQUIRE(losses_of(plain, images, truth) == losses_of(same, images, truth));
  // Interleaved, the branch is trained on other boxes.
  auto a = losses_of(plain, images, truth), b = losses_of(other, images, truth);
  REQUIRE(a["stage0.mask"] != b["stage0.mask"]);
  a["stage0.mask"] = b["stage0.mask"];
  REQUIRE(a == b);

  auto flowing        = answering<net_of<htc>>(4);
  auto still          = answering<net_of<no_flow>>(4);
  auto const masks_of = [&](auto const& net) { return net(images, look).narrow(2, 6, side * side); };
  REQUIRE(flowing(images, look).narrow(2, 0, 6).equal(still(images, look).narrow(2, 0, 6)));
  REQUIRE(!masks_of(flowing).allclose(masks_of(still), 1e-3, 1e-3));
  {
    at::NoGradGuard const none;
    for (auto& each : flowing.masks.flow) each.weight.tensor().zero_(), each.bias.tensor().zero_();
  }
  REQUIRE(masks_of(flowing).allclose(masks_of(still), 1e-6, 1e-6));
  auto const with = losses_of(flowing, images, truth), without = losses_of(still, images, truth);
  for (auto const& [name, value] : with) REQUIRE(std::abs(value - without.at(name)) < 1e-6);
  // The answer is the mean of the stages.
  auto const raw = still(images, look);
  at::Tensor sum = at::zeros_like(raw.narrow(2, 6, side * side));
  for (std::size_t s = 0; s < 3; ++s) {
    auto one           = still;
    one.masks.branches = {still.masks.branches[s], still.masks.branches[s], still.masks.branches[s]};
    sum                = sum.add(masks_of(one));
  }
  REQUIRE(sum.div(3).allclose(masks_of(still), 1e-5, 1e-6));

  // One mask for all classes.
  auto const agnostic = answering<net_of<for_all>>(4);
  REQUIRE(agnostic.masks.branches[0].mask_predictor.mask_fcn_logits.weight.tensor().size(0) == 1);
  REQUIRE(masks_of(agnostic).gt(0).any().item<bool>());
  REQUIRE(losses_of(agnostic, images, truth).at("stage0.mask") > 0);
}

TEST_CASE("masks and boxes of mirrored pictures and of other scales") {
  at::Tensor truth;
  at::Tensor const images = shapes_of(2, truth);
  c2f::pass p;
  auto const mirrored = [](at::Tensor const& raw) {
    at::Tensor const there = answered(raw).unsqueeze(2), cells = raw.narrow(2, 6, side * side).view({raw.size(0), -1, side, side});
    at::Tensor const boxes = at::cat({raw.narrow(2, 2, 1).neg().add(1), raw.narrow(2, 1, 1), raw.narrow(2, 0, 1).neg().add(1),
                                      raw.narrow(2, 3, 3), cells.flip({3}).flatten(2)},
                                     2);
    return boxes.mul(there);
  };
  auto net         = answering<net_of<masked>>(2);
  at::Tensor plain = net(images, p);
  net.answers.flip = true;
  at::Tensor both  = net(images, p);
  REQUIRE(!both.allclose(plain, 1e-3, 1e-3));
  REQUIRE(mirrored(net(images.flip({3}), p)).allclose(both, 1e-3, 1e-3));
  // The mask of a box is the mean of those of both views.
  at::Tensor const rows = both.flatten(0, 1), label = rows.select(1, 5).to(at::kLong), picture = at::arange(40).div(20, "floor");
  auto const seen_in = [&](at::Tensor const& of, at::Tensor const& boxes) {
    c2f::pass look;
    return net.masks.probabilities(c2f::detection::levels_of(net.backbone, of, 0, look), boxes, picture, label, at::kFloat, c2f::eval);
  };
  at::Tensor boxes = rows.narrow(1, 0, 4).clone();
  boxes.select(1, 0).mul_(96), boxes.select(1, 1).mul_(64), boxes.select(1, 2).mul_(96), boxes.select(1, 3).mul_(64);
  at::Tensor turned = boxes.clone();
  turned.select(1, 0).copy_(boxes.select(1, 2).neg().add(96)), turned.select(1, 2).copy_(boxes.select(1, 0).neg().add(96));
  at::Tensor const mean = seen_in(images, boxes).add(seen_in(images.flip({3}), turned).flip({2})).div(2).flatten(1);
  REQUIRE(mean.mul(rows.select(1, 4).gt(0).unsqueeze(1)).allclose(rows.narrow(1, 6, side * side), 1e-4, 1e-4));
  net.answers.flip = false;

  // A view of twice the size alone is what the network sees in an enlarged picture.
  net.answers.scales     = {2};
  at::Tensor const twice = net(images, p);
  net.answers.scales     = {1};
  REQUIRE(net(images, p).equal(plain));
  REQUIRE(twice.allclose(net(c2f::resize_bilinear(images, 128, 192), p), 1e-4, 1e-5));
  REQUIRE(!twice.allclose(plain, 1e-3, 1e-3));
  // Sizes are multiples of the coarsest stride, 16: .8 of 64 x 96 is 48 x 80.
  net.answers.scales       = {.8};
  at::Tensor const smaller = net(images, p);
  net.answers.scales       = {1};
  REQUIRE(smaller.allclose(net(c2f::resize_bilinear(images, 48, 80), p), 1e-4, 1e-5));
  // Several: the best of all.
  net.answers.scales      = {1, 2};
  at::Tensor const joined = net(images, p), best = joined.select(2, 4).amax(1);
  REQUIRE(best.equal(at::maximum(plain.select(2, 4).amax(1), twice.select(2, 4).amax(1))));
  net.answers.scales = {2, 1};
  REQUIRE(net(images, p).narrow(2, 0, 6).allclose(joined.narrow(2, 0, 6), 1e-5, 1e-5));
  // With a recursive pyramid, and in one stage.
  auto const scaled = [&](auto other) {
    other.answers          = {.least_score = 0, .scales = {1.5}};
    at::Tensor const found = other(images, p);
    other.answers.scales   = {1};
    REQUIRE(found.allclose(other(c2f::resize_bilinear(images, 96, 144), p), 1e-3, 1e-4));
    REQUIRE(found.gt(0).any().template item<bool>());
  };
  scaled(detector<squares_world::both>(3));
  scaled(one_stage(3));
  for (std::vector<double> const& wrong : {std::vector<double>{}, {1, .2}, {5}, {std::nan("")}}) {
    net.answers.scales = wrong;
    tests::require_message(tests::refusal([&] { net(images, p); }), {"answers.scales", "{1, 1.25}"});
  }
}

TEST_CASE("a detector learns masks") {
  struct {
    shapes train{64, 1}, test{24, 2};
  } const data;
  auto const recipe = c2f::recipe::settings{}.epochs(10).batch(8).learning_rate(3e-3).adam({}).threads(0);
  net_of<masked> net(1);
  auto const report = c2f::fit(net, data, recipe);
  auto const& last  = report.epochs.back();
  std::map<std::string, double> scores;
  for (auto const& [name, value] : last.scores[0].values) scores[name] = value;
  CAPTURE(scores["ap50"], scores["mask_ap"], scores["mask_ap50"]);
  REQUIRE(scores["mask_ap50"] > .5);
  // A mask is not its box: those of filled boxes are worse.
  at::Tensor truth;
  at::Tensor const images = shapes_of(12, truth);
  c2f::pass p;
  at::Tensor const raw = net(images, p), filled = raw.clone();
  filled.narrow(2, 6, side * side).fill_(1);
  auto const mask_ap = [&](at::Tensor const& of) {
    masked_kind::score score;
    score.add(of, truth);
    return score.values()[3].second;
  };
  REQUIRE(mask_ap(raw) > mask_ap(filled) + .05);
}

TEST_CASE("masks in bfloat16, and of a predictor") {
  struct {
    shapes train{16, 1}, test{6, 2};
  } const data;
  net_of<htc> net(1);
  auto const report = c2f::fit(net, data, c2f::recipe::settings{}.epochs(1).batch(8).learning_rate(2e-3).adam({}).threads(0).bf16(true));
  for (auto const& [name, value] : report.epochs.back().losses) REQUIRE(std::isfinite(value));
  for (auto const& each : c2f::parameters(net)) REQUIRE(each.isfinite().all().item<bool>());
  net.answers = {.least_score = 0, .flip = true, .scales = {1, 1.5}};
  at::Tensor truth;
  at::Tensor const images = shapes_of(2, truth);
  c2f::pass p;
  at::Tensor const whole = net(images, p), folded = c2f::predictor<net_of<htc>>(net)(images).answer;
  REQUIRE(folded.allclose(whole, 1e-2, 1e-2));
  at::Tensor const low = c2f::predictor<net_of<htc>>(net, {.bf16 = true})(images).answer;
  REQUIRE((low.sizes() == whole.sizes() && low.isfinite().all().item<bool>() && low.narrow(2, 6, side * side).gt(0).any().item<bool>()));
}
