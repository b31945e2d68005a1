// VGG-16's convolutions, the voting network on them, its loss, and the detections in its maps.
#include <cmath>
#include <map>

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <c2f/data/synthetic/scenes.hpp>
#include <c2f/layers/norm.hpp>
#include <c2f/layers/plain.hpp>
#include <c2f/networks/deep_voting.hpp>
#include <c2f/networks/vgg.hpp>

#include "catch.hpp"

using namespace c2f;

namespace {
using rgb = image<3, 224, 224>;

// The published sizes: torchvision's vgg16().features has 14,714,688 parameters. Up to pooling 4, without the last three 3x3 convolutions
// of 512 maps: 14,714,688 - 3 (512 * 512 * 9 + 512) = 7,635,264.
static_assert(parameter_count<network_on<vgg16_features<5>, rgb>> == 14'714'688);
static_assert(parameter_count<network_on<vgg16_features<4>, rgb>> == 7'635'264);
static_assert(parameter_count<network_on<vgg16_features<3>, rgb>> == 1'735'488);
static_assert(parameter_count<network_on<vgg16_features<2>, rgb>> == 260'160);
static_assert(parameter_count<network_on<vgg16_features<1>, rgb>> == 38'720);
static_assert(std::is_same_v<network_on<vgg16_features<4>, rgb>::output, image<512, 14, 14>>);
static_assert(std::is_same_v<network_on<vgg16_features<5>, rgb>::output, image<512, 7, 7>>);
static_assert(std::is_same_v<network_on<vgg16_features<4>, image<3, dynamic, dynamic>>::output, image<512, dynamic, dynamic>>);

using published = deep_voting<vgg16_features<4>, 20>;
static_assert(std::is_same_v<network_on<published, rgb>::output, image<20, 14, 14>>);
static_assert(parameter_count<network_on<published, rgb>> == 7'635'264 + (512 * 9 + 1) * 500 + (500 * 225 + 1) * 20);

struct with_features {
  network_on<vgg16_features<5>, image<3, 32, 32>> features;
  C2F_MEMBERS(features);
};

// Stride 4, for machines without a GPU.
using small_backbone = sequential<conv<16, 3, 2>, batch_norm, relu, conv<32, 3, 2>, batch_norm, relu, conv<32, 3>, batch_norm, relu>;
}  // namespace

TEST_CASE("the parameters of VGG-16 are named as in torchvision") {
  std::map<std::string, std::vector<std::int64_t>> dims;
  with_features net;
  for_each_tensor(net, [&](std::string const& path, state_tensor&, state_traits const& traits) {
    dims[path] = {traits.dims.begin(), traits.dims.end()};
  });
  // torchvision.models.vgg16().features: the convolutions are numbers 0 2 | 5 7 | 10 12 14 | 17 19 21 | 24 26 28.
  std::map<std::string, std::vector<std::int64_t>> expected;
  std::int64_t in = 3;
  for (auto const& [number, out] : std::vector<std::pair<int, std::int64_t>>{{0, 64},
                                                                             {2, 64},
                                                                             {5, 128},
                                                                             {7, 128},
                                                                             {10, 256},
                                                                             {12, 256},
                                                                             {14, 256},
                                                                             {17, 512},
                                                                             {19, 512},
                                                                             {21, 512},
                                                                             {24, 512},
                                                                             {26, 512},
                                                                             {28, 512}}) {
    expected["features." + std::to_string(number) + ".weight"] = {out, in, 3, 3};
    expected["features." + std::to_string(number) + ".bias"]   = {out};
    in                                                         = out;
  }
  REQUIRE(dims == expected);
}

TEST_CASE("the first stage of VGG-16 is two convolutions with ReLU and a pooling") {
  auto const net = make_network<vgg16_features<1>, image<3, 6, 6>>(5);
  auto const x   = at::arange(108, at::kFloat).mul(.37).sin().view({1, 3, 6, 6});
  auto const& l  = net.layers;
  auto y         = at::conv2d(x, std::get<0>(l).weight.tensor(), std::get<0>(l).bias.tensor(), 1, 1).clamp_min(0);
  y              = at::conv2d(y, std::get<2>(l).weight.tensor(), std::get<2>(l).bias.tensor(), 1, 1).clamp_min(0);
  y              = y.view({1, 64, 3, 2, 3, 2}).amax({3, 5});
  REQUIRE(net(x, eval).sizes() == at::IntArrayRef{1, 64, 3, 3});
  REQUIRE(net(x, eval).allclose(y));
  REQUIRE(y.max().item<float>() > 0);
}

TEST_CASE("a deep voting network gives one map per part, independent of the scale of its features") {
  using net_type = network_on<deep_voting<sequential<conv<8, 3, 4>>, 5, 16, 1, 7>, image<3, 32, 32>>;
  static_assert(std::is_same_v<net_type::output, image<5, 8, 8>>);
  net_type net;
  initialize(net, 3);
  auto const x = at::arange(2 * 3072, at::kFloat).mul(.61).sin().view({2, 3, 32, 32});
  auto const y = net(x, eval);
  REQUIRE(y.sizes() == at::IntArrayRef{2, 5, 8, 8});
  REQUIRE(net(x.mul(7), eval).allclose(y, 1e-4, 1e-5));  // the backbone is linear here: its features are scaled by 7
  REQUIRE(!net(x.neg(), eval).allclose(y, 1e-2, 1e-2));
  REQUIRE(net(x.mul(0), eval).isfinite().all().item<bool>());

  // By hand for cell (3, 4) of part 2 in image 1: normalised features, a 1x1 convolution, ReLU, and 7x7 votes.
  auto const f = net.backbone(x, eval)[1];
  double sum   = net.voting.bias.tensor()[2].item<double>();
  for (std::int64_t v = 0; v < 7; ++v)
    for (std::int64_t u = 0; u < 7; ++u) {
      if (v >= 8 || 1 + u >= 8) continue;  // rows 0 ... 6 and columns 1 ... 7: all inside
      auto const feature = f.select(1, v).select(1, 1 + u);
      auto const unit    = feature.div(feature.square().sum().sqrt());
      for (std::int64_t k = 0; k < 16; ++k) {
        double const cue =
            net.concepts.weight.tensor()[k].flatten().dot(unit).item<double>() + net.concepts.bias.tensor()[k].item<double>();
        sum += std::max(0.0, cue) * net.voting.weight.tensor()[2][k][v][u].item<double>();
      }
    }
  REQUIRE(y[1][2][3][4].item<double>() == Approx(sum).epsilon(1e-4));
}

TEST_CASE("the loss of deep voting is Dice's, by hand") {
  // One image, two parts, 1x2 cells. logit(.8) = ln 4, logit(.5) = 0.
  // Part 0: p = (.8, .5), target (1, 0): (2 * .8 + 1) / (.64 + .25 + 1 + 1) = 2.6 / 2.89.
  // Part 1: p = (.5, .5), target (0, 0): 1 / (.25 + .25 + 1) = 1 / 1.5.
  auto const four = std::log(4.0f);
  auto maps       = at::zeros({1, 2, 1, 2});
  auto targets    = at::zeros({1, 2, 1, 2});
  maps[0][0][0][0].fill_(four);
  targets[0][0][0][0].fill_(1);
  REQUIRE(deep_voting_loss(maps, targets).item<double>() == Approx(1 - (2.6 / 2.89 + 1 / 1.5) / 2));
  // The loss is 0 where there is no part and no detection, and for a perfect prediction.
  REQUIRE(deep_voting_loss(targets.mul(80).sub(40), targets).item<double>() == Approx(0).margin(1e-6));
}

TEST_CASE("maps become boxes of the sizes of the parts") {
  auto maps = at::full({2, 4, 5}, -90.0);
  maps[0][1][2].fill_(2);   // a peak
  maps[0][1][3].fill_(1);   // adjacent: no peak
  maps[0][3][0].fill_(.5);  // another
  maps[1][0][4].fill_(-1);  // sigmoid .27
  std::vector<part_size> const sizes{{8, 4}, {6, 6}};
  auto const found = part_detections(maps, 4, sizes, {.least_score = .2, .most_overlap = .3});
  REQUIRE(found.size() == 3);
  REQUIRE(found[0].part == 0);
  // sigmoid(2) = .880797 in column 2 and sigmoid(1) = .731059 in column 3, both in row 1: centres at x = 10 and 14, y = 6.
  double const middle = (.880797 * 10 + .731059 * 14) / (.880797 + .731059);
  REQUIRE(found[0].where.centre_x() == Approx(middle).epsilon(1e-5));
  REQUIRE(found[0].where.centre_y() == Approx(6));
  REQUIRE(found[0].where.width() == Approx(8));
  REQUIRE(found[0].where.height() == Approx(4));
  REQUIRE(found[0].score == Approx(1 / (1 + std::exp(-2.0))));
  REQUIRE(found[1].where == metrics::box{-2, 12, 6, 16});  // isolated: the centre of its cell, (2, 14)
  REQUIRE(found[2].part == 1);
  REQUIRE(found[2].where == metrics::box{15, -1, 21, 5});
  REQUIRE(part_detections(maps, 4, sizes, {.least_score = .6, .most_overlap = .3}).size() == 2);
  // Boxes 40 wide overlap: the weaker peak of part 0 is suppressed.
  REQUIRE(part_detections(maps, 4, std::vector<part_size>{{40, 40}, {6, 6}}, {.least_score = .2, .most_overlap = .3}).size() == 2);
  REQUIRE_THROWS_AS(part_detections(maps, 4, std::vector<part_size>{{1, 1}}), input_error);
  REQUIRE_THROWS_AS(part_detections(maps[0], 4, sizes), input_error);
}

TEST_CASE("a small deep voting network learns to find wheels") {
  constexpr std::int64_t n = 16, side = 64;
  data::scenes<64, 1> const scenes({.train = n, .test = 1});
  data::parts_at_scale const split(scenes.train, {.object = 48});
  using net_type = network_on<deep_voting<small_backbone, 5, 32, 3, 9>, image<3, side, side>>;
  static_assert(std::is_same_v<net_type::output, image<5, 16, 16>>);

  auto images = at::zeros({n, side, side, 3}), targets = at::zeros({n, 5, 16, 16});
  for (std::int64_t id = 0; id < n; ++id)
    split.read(id, nullptr, images[id].mutable_data_ptr<float>(), targets[id].mutable_data_ptr<float>());
  images = images.permute({0, 3, 1, 2}).contiguous();

  net_type net;
  initialize(net, 1);
  auto const all = parameters(net);
  std::vector<at::Tensor> moved;
  for (auto const& p : all) moved.push_back(at::zeros(p.sizes()));
  double first = 0, last = 0;
  for (int step = 0; step < 40; ++step) {
    for (auto p : all) p.mutable_grad() = at::Tensor();
    auto const loss = deep_voting_loss(net(images, train), targets);
    loss.backward();
    (step == 0 ? first : last) = loss.item<double>();
    for (std::size_t i = 0; i < all.size(); ++i) {
      moved[i].mul_(.9).add_(all[i].grad());
      all[i].detach().sub_(moved[i], .5);
    }
  }
  REQUIRE(last < .6 * first);

  // The mean size of each part at this scale; average precision of the wheels on the training images.
  std::vector<part_size> sizes(5);
  std::vector<int> count(5);
  std::vector<metrics::annotation> wheels;
  for (std::int64_t id = 0; id < n; ++id)
    for (auto const& p : scenes.train.parts(id)) {
      auto const b = data::seen_through(data::window_at_scale(scenes.train.box(id), 48, 64), 64, false, p.where);
      auto const k = static_cast<std::size_t>(p.part);
      sizes[k].width += b.width(), sizes[k].height += b.height(), ++count[k];
      if (p.part == 0) wheels.push_back({id, b});
    }
  for (std::size_t k = 0; k < 5; ++k) sizes[k].width /= count[k], sizes[k].height /= count[k];
  std::vector<metrics::detection> found;
  auto const maps = net(images, train);
  for (std::int64_t id = 0; id < n; ++id)
    for (auto const& f : part_detections(maps[id], 4, sizes))
      if (f.part == 0) found.push_back({id, f.where, f.score});
  REQUIRE(*metrics::average_precision(found, wheels) > .3);
}
