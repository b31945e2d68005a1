// Stacks of proposals and detections (Cai and Vasconcelos, Cascade R-CNN, CVPR 2018, in small): kinds of one sort of prediction, a source
// that adds the truth, a fuse that makes a batch of crops, and three stages on features that they share.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/data/objects.hpp>
#include <c2f/layers/dropout.hpp>
#include <c2f/print.hpp>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "catch.hpp"

namespace {

constexpr std::int64_t proposals_an_image = 6, objects = 2;

struct boxes_of_image {};  // what both kinds predict: [N, 6, 4], centre, width and height
/// Raw output: `Numbers` a proposal, of which the first four are logits of a box.
template <std::int64_t Numbers>
struct rows {
  using prediction      = boxes_of_image;
  using truth_value     = float;
  using default_encoder = c2f::encode::none;
  template <class In>
  using output = c2f::vector<proposals_an_image * Numbers>;
  template <class In>
  static constexpr std::array<std::int64_t, 2> truth_dims{objects, 5};
  static at::Tensor boxes(at::Tensor const& raw) { return raw.view({raw.size(0), proposals_an_image, Numbers}).narrow(2, 0, 4).sigmoid(); }
  static at::Tensor predict(at::Tensor const& raw) { return boxes(raw).detach(); }
  static at::Tensor from_truth(at::Tensor const& truth) { return truth.narrow(2, 0, 4); }
  struct default_loss {  // each proposal is compared with the first object
    static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth) {
      return boxes(raw).sub(truth.narrow(1, 0, 1).narrow(2, 0, 4)).abs().mean();
    }
  };
  struct score {
    std::int64_t samples = 0;
    void add(at::Tensor const& raw, at::Tensor const& truth) {
      sum += default_loss::of(raw, truth).template item<double>() * static_cast<double>(raw.size(0));
      samples += raw.size(0);
    }
    [[nodiscard]] auto values() const {
      return std::array<std::pair<char const*, double>, 1>{{{"distance", sum / static_cast<double>(samples)}}};
    }
    double sum = 0;
  };
};
using proposals  = rows<5>;
using detections = rows<9>;

struct features {
  template <c2f::shape In>
  struct on {
    using first  = c2f::network_on<c2f::sequential<c2f::conv<8, 3, 2>, c2f::relu>, In>;
    using second = c2f::network_on<c2f::sequential<c2f::conv<8, 3, 2>, c2f::relu>, typename first::output>;
    using output = c2f::maps<typename first::output, typename second::output>;
    first one;
    second two;
    C2F_MEMBERS(one, two);
    std::array<at::Tensor, 2> operator()(at::Tensor const& x, c2f::mode m) const {
      at::Tensor const y = one(x, m);
      return {y, two(y, m)};
    }
  };
};
struct proposal_head {
  using kind = proposals;
  template <c2f::maps_shape In>
  struct on {
    using output = c2f::vector<proposals_an_image * 5>;
    c2f::network_on<c2f::linear<proposals_an_image * 5>, c2f::vector<16>> fc;
    C2F_MEMBERS(fc);
    at::Tensor operator()(std::array<at::Tensor, 2> const& f, c2f::mode m) const {
      return fc(at::cat({f[0].mean(at::IntArrayRef({2, 3})), f[1].mean(at::IntArrayRef({2, 3}))}, 1), m);
    }
  };
};
/// Reads one crop a proposal.
struct box_head {
  using kind = detections;
  template <c2f::shape In>
  struct on {
    using output = c2f::vector<proposals_an_image * 9>;
    c2f::network_on<c2f::linear<9>, c2f::vector<8>> fc;
    C2F_MEMBERS(fc);
    at::Tensor operator()(at::Tensor const& crops, c2f::mode m) const {
      return fc(crops.mean(at::IntArrayRef({2, 3})), m).view({-1, proposals_an_image * 9});
    }
  };
};
/// [N, C, H, W] and N * 6 boxes -> [N * 6, C, 2, 2]: the pixel at the centre of a box, four times.
struct crops {
  template <class X, class Z>
  struct on;
  template <c2f::shape A, c2f::shape B>
  struct on<c2f::maps<A, B>, c2f::no_map> {
    using output = c2f::image<8, 2, 2>;
    C2F_MEMBERS();
    at::Tensor operator()(std::array<at::Tensor, 2> const& f, at::Tensor const&, c2f::pass& p) const {
      auto const n = f[0].size(0), h = f[0].size(2), w = f[0].size(3);
      auto const along = [&](std::int64_t k, std::int64_t size) { return p.conditioning.select(2, k).mul(size - 1).round().to(at::kLong); };
      at::Tensor const row = along(1, h).mul(w).add(along(0, w)).add(at::arange(n, at::TensorOptions(at::kLong)).mul(h * w).view({n, 1}));
      return f[0].permute({0, 2, 3, 1}).reshape({-1, 8}).index_select(0, row.view({-1})).view({-1, 8, 1, 1}).expand({-1, 8, 2, 2});
    }
  };
};
/// The true objects before the proposals, whose last ones make room for them.
struct with_truth {
  template <class Kind>
  struct on {
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const& prediction, at::Tensor const& truth, c2f::pass&) const {
      return at::cat({truth.to(prediction.scalar_type()), prediction}, 1).narrow(1, 0, proposals_an_image);
    }
  };
};

struct common {
  using fuse   = crops;
  using source = with_truth;
};
struct first_two : common {  // a stage: it reads what the task shares
  using network = c2f::coarse_fine<proposal_head, box_head>;
};
struct cascade : common {
  static constexpr char const* name = "cascade";
  using input                       = c2f::image<3, 16, 16>;
  using share                       = c2f::share::features<features>;
  using network                     = c2f::coarse_fine<c2f::stack<first_two>, box_head>;
  using loss_weights                = c2f::loss_weights<1.0, 0.5>;
};
static_assert(c2f::task<cascade> && c2f::model<c2f::stack<cascade>>);
static_assert(std::same_as<c2f::stack<cascade>::kind, detections>);

at::Tensor const images = c2f::detail::sample_numbers({3, 3, 16, 16}, 1).to(at::kFloat);
at::Tensor const truth  = c2f::detail::sample_numbers({3, objects, 5}, 2).add(1).mul(0.5).to(at::kFloat);

struct noisy_boxes {
  using image                      = c2f::image<3, 16, 16>;
  using truth_value                = float;
  static constexpr auto truth_dims = detections::truth_dims<image>;
  std::int64_t count;
  std::uint64_t seed;
  [[nodiscard]] std::int64_t size() const { return count; }
  [[nodiscard]] std::string name() const { return "noisy boxes"; }
  void read(std::int64_t id, c2f::random_stream*, float* pixels, float* into) const {
    c2f::random_stream draw{seed, c2f::purpose::synthesis, 0, static_cast<std::uint64_t>(id)};
    for (int i = 0; i < 16 * 16 * 3; ++i) *pixels++ = static_cast<float>(draw.uniform());
    std::vector<std::array<float, 4>> found(1 + draw.below(objects));
    for (auto& each : found)
      for (auto& number : each) number = static_cast<float>(0.2 + 0.2 * draw.uniform());
    c2f::data::write_objects(found, objects, into);
  }
};

// The definition of a stage, with loops: fc on the pixel of each box.
std::vector<std::vector<double>> detected(at::Tensor const& map, at::Tensor const& boxes, at::Tensor const& weight,
                                          at::Tensor const& bias) {
  std::vector<std::vector<double>> raw;
  for (std::int64_t n = 0; n < map.size(0); ++n) {
    auto& of = raw.emplace_back();
    for (std::int64_t r = 0; r < proposals_an_image; ++r) {
      auto const at = [&](std::int64_t k) { return std::lround(boxes[n][r][k].item<float>() * 7.0f); };
      for (std::int64_t out = 0; out < 9; ++out) {
        double sum = bias[out].item<double>();
        for (std::int64_t c = 0; c < 8; ++c) sum += weight[out][c].item<double>() * map[n][c][at(1)][at(0)].item<double>();
        of.push_back(sum);
      }
    }
  }
  return raw;
}
double distance(std::vector<std::vector<double>> const& raw, std::size_t numbers) {
  double sum = 0;
  for (std::size_t n = 0; n < raw.size(); ++n)
    for (std::size_t r = 0; r < proposals_an_image; ++r)
      for (std::size_t k = 0; k < 4; ++k)
        sum += std::abs(1 / (1 + std::exp(-raw[n][r * numbers + k])) -
                        truth[static_cast<std::int64_t>(n)][0][static_cast<std::int64_t>(k)].item<double>());
  return sum / static_cast<double>(raw.size() * proposals_an_image * 4);
}

}  // namespace

TEST_CASE("the losses of proposals and two stages of detections, computed with loops") {
  c2f::stack<cascade> const model(1);
  auto const trained = [&] {
    c2f::pass p{.mode = c2f::train, .truth = truth};
    model(images, p);
    return p;
  };
  auto const p = trained();
  REQUIRE(p.losses.size() == 3);
  REQUIRE(p.losses[0].name == "coarse.coarse");
  REQUIRE(p.losses[1].name == "coarse.fine");
  REQUIRE(p.losses[2].name == "fine");

  at::NoGradGuard const none;
  auto const& inner = model.coarse;
  auto const f      = model.share(images, c2f::train);
  // Proposals: fc on the means of both maps.
  std::vector<std::vector<double>> proposed;
  at::Tensor boxes = truth.new_empty({3, proposals_an_image, 4});
  for (std::int64_t n = 0; n < 3; ++n) {
    auto& of = proposed.emplace_back();
    for (std::int64_t out = 0; out < 5 * proposals_an_image; ++out) {
      double sum = inner.coarse.fc.bias.tensor()[out].item<double>();
      for (std::int64_t c = 0; c < 16; ++c)
        sum += inner.coarse.fc.weight.tensor()[out][c].item<double>() * f[c < 8 ? 0 : 1][n][c % 8].mean().item<double>();
      of.push_back(sum);
    }
  }
  // What a stage is conditioned on: two true boxes and the first four of the stage before.
  auto const conditioning = [&](std::vector<std::vector<double>> const& raw, std::size_t numbers) {
    for (std::int64_t n = 0; n < 3; ++n)
      for (std::int64_t r = 0; r < proposals_an_image; ++r)
        for (std::int64_t k = 0; k < 4; ++k)
          boxes[n][r][k] = r < objects
                               ? truth[n][r][k].item<double>()
                               : 1 / (1 + std::exp(-raw[static_cast<std::size_t>(n)]
                                                       [static_cast<std::size_t>(r - objects) * numbers + static_cast<std::size_t>(k)]));
    return boxes;
  };
  auto const second = detected(f[0], conditioning(proposed, 5), inner.fine.fc.weight.tensor(), inner.fine.fc.bias.tensor());
  auto const third  = detected(f[0], conditioning(second, 9), model.fine.fc.weight.tensor(), model.fine.fc.bias.tensor());
  REQUIRE(std::abs(p.losses[0].value.item<double>() - distance(proposed, 5)) < 1e-5);
  REQUIRE(std::abs(p.losses[1].value.item<double>() - distance(second, 9)) < 1e-5);
  REQUIRE(std::abs(p.losses[2].value.item<double>() - 0.5 * distance(third, 9)) < 1e-5);  // loss_weights
}

TEST_CASE("every parameter of a cascade gets a gradient; at inference no truth is seen") {
  c2f::stack<cascade> const model(1);
  c2f::pass p{.mode = c2f::train, .truth = truth};
  model(images, p);
  p.loss().backward();
  c2f::for_each_tensor(model, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const&) {
    CAPTURE(path);
    REQUIRE(each.tensor().grad().defined());
    REQUIRE(each.tensor().grad().abs().sum().item<double>() > 0);
  });
  REQUIRE(c2f::parameters(model).size() == 2 + 3 * 2);  // the names of stages: share, coarse.coarse, coarse.fine, fine

  auto const both = model(images, c2f::eval);
  std::vector<std::string> scored;
  for (auto const& each : both.side)
    if (each.scored) scored.push_back(each.name);
  REQUIRE(scored == std::vector<std::string>{"coarse", "fine"});  // proposals are of another kind
  c2f::pass none{};
  auto const f              = model.share(images, c2f::eval);
  none.conditioning         = detections::predict(both.coarse);
  at::Tensor const expected = model.fine(model.fuse(f, {}, none), c2f::eval);
  REQUIRE(both.fine.allclose(expected, 1e-5, 1e-6));
}

TEST_CASE("a cascade trains: the losses and scores of its stages have their names, and the distance falls") {
  struct {
    noisy_boxes train{60, 1}, test{20, 2};
  } const data;
  c2f::stack<cascade> model(1);
  auto const first  = c2f::evaluate(model, data.test);
  auto const report = c2f::fit(model, data, c2f::recipe::settings{}.epochs(4).batch(10).learning_rate(0.5).momentum(0.9));
  auto const& last  = report.epochs.back();
  std::map<std::string, double> losses(last.losses.begin(), last.losses.end());
  REQUIRE(losses.size() == 3);
  REQUIRE((losses.contains("coarse.coarse") && losses.contains("coarse.fine") && losses.contains("fine")));
  REQUIRE(last.scores.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    REQUIRE(last.scores[i].stage == (i == 0 ? "coarse" : "fine"));
    REQUIRE(last.scores[i].values[0].first == "distance");
    REQUIRE(last.scores[i].values[0].second < 0.7 * first[i].values[0].second);
  }
}

TEST_CASE("rows of a sample, as the crops of an image, draw numbers of their own, and of nothing but the pass's samples") {
  auto const net = c2f::make_network<c2f::dropout<0.5>, c2f::vector<100>>();
  std::vector<std::int64_t> const ids{4, 9, 2, 1, 1, 1}, others{4, 9, 2, 7, 8, 9};
  auto const of = [](std::vector<std::int64_t> const& all, std::size_t samples) {
    return c2f::pass{.mode = c2f::train, .seed = 5, .epoch = 3, .ids = std::span(all).first(samples)};
  };
  auto const dropped = [&](c2f::pass p, std::int64_t rows) { return net(at::ones({rows, 100}), p); };
  auto const drawn   = [&](c2f::pass const& p, std::int64_t rows) { return p.uniform(c2f::purpose::attention, at::ones({rows, 1}), 2); };
  REQUIRE(dropped(of(ids, 3), 6).equal(dropped(of(others, 3), 6)));
  REQUIRE(drawn(of(ids, 3), 6).equal(drawn(of(others, 3), 6)));
  at::Tensor const two = dropped(of(ids, 3), 6), numbers = drawn(of(ids, 3), 6);
  REQUIRE(!two[0].equal(two[1]));
  REQUIRE(!numbers[0].equal(numbers[1]));
  REQUIRE(two[2].equal(dropped(of(ids, 3), 3)[1]));  // the first row of a sample is the only one of others
  REQUIRE(numbers[4].equal(drawn(of(ids, 3), 3)[2]));
  REQUIRE_THROWS_WITH(dropped(of(ids, 4), 6),
                      "a part draws random numbers for 6 rows in a pass of 4 samples; give each sample the same number of rows");
  REQUIRE_THROWS_AS(drawn(of(ids, 4), 6), c2f::error);
  REQUIRE_THROWS_AS(of(ids, 3).draws(c2f::purpose::source, 3), c2f::error);
}

TEST_CASE("a cascade is described with its shared features") {
  std::string const text = c2f::explain<cascade>();
  REQUIRE(text.find("[N, 3, 16, 16] -> [N, 8, 8, 8] and [N, 8, 4, 4]") != std::string::npos);
  REQUIRE(text.find("stack<") != std::string::npos);
}
