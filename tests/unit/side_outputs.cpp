// A backbone that runs twice, and losses and metrics that read what parts leave in the pass.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include <ATen/ops/cross_entropy_loss.h>

#include <cmath>

#include "catch.hpp"
#include "reliability/tiny.hpp"

namespace {

using kind  = c2f::class_vector<3>;
using input = c2f::image<3, 8, 8>;

/// Features and their mean over the channels, as the side output "map".
struct layers {
  template <c2f::shape In>
  struct on {
    using net    = c2f::network_on<tiny::layers, In>;
    using output = typename net::output;
    net body;
    C2F_MEMBERS(body);
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const { return body(x, m); }
    at::Tensor operator()(at::Tensor const& x, c2f::pass& p) const {
      at::Tensor y = body(x, p.mode);
      p.add_output("map", y.mean(1));
      return y;
    }
  };
};
/// 1 + the coarse map, each pixel twice.
struct by_map {
  template <c2f::output_kind Kind, c2f::image_shape Like>
  struct on {
    using output = c2f::with_channels<Like, 1>;
    C2F_MEMBERS();
    at::Tensor operator()(at::Tensor const&, at::Tensor const& x, c2f::pass& p) const {
      at::Tensor z = p.output("coarse.map").repeat_interleave(x.size(2) / 4, 1).repeat_interleave(x.size(3) / 4, 2).unsqueeze(1).add(1);
      p.add_output("mask", z);
      return z;
    }
  };
};
/// Cross-entropy plus a tenth of the mean of all maps that the pass has so far.
struct with_maps {
  static at::Tensor of(at::Tensor const& raw, at::Tensor const& truth, c2f::pass const& p) {
    at::Tensor sum = at::cross_entropy_loss(raw, truth);
    for (auto const& each : p.outputs) sum = sum.add(each.value.mean(), 0.1);
    return sum;
  }
};
/// The metrics of a kind, and the mean of a side output.
struct measured : kind {
  struct score : kind::score {
    double sum = 0;
    using kind::score::add;
    void add(at::Tensor const& raw, at::Tensor const& truth, c2f::outputs const& found) {
      kind::score::add(raw, truth);
      sum += found.output("mask").mean({1, 2, 3}).sum().item<double>();
    }
    [[nodiscard]] auto values() const {
      return std::array<std::pair<char const*, double>, 1>{{{"mask", sum / static_cast<double>(this->samples)}}};
    }
  };
};
struct twice {
  static constexpr char const* name = "twice";
  using input                       = ::input;
  using network                     = c2f::predicts<kind, c2f::global_average_pool, c2f::linear<3>>;
  using share                       = c2f::share::backbone<layers>;
  using encoder                     = by_map;
  using fuse                        = c2f::fuse::multiply;
  using source                      = c2f::source::prediction;
  using schedule                    = c2f::schedule::always_prediction;
};
struct reads_pass : twice {
  using loss = with_maps;
};
struct is_measured : twice {
  using network = c2f::predicts<measured, c2f::global_average_pool, c2f::linear<3>>;
};
static_assert(c2f::task<twice> && c2f::task<reads_pass> && c2f::task<is_measured>);

at::Tensor const images = c2f::detail::sample_numbers({4, 3, 8, 8}, 1).to(at::kFloat);
at::Tensor const labels = c2f::detail::sample_numbers({4, 3}, 2).argmax(1);

std::vector<at::Tensor> gradients(c2f::stack<twice>& model, at::Tensor const& loss) {
  for (auto& each : c2f::parameters(model)) each.mutable_grad() = at::Tensor();
  loss.backward();
  std::vector<at::Tensor> all;
  for (auto const& each : c2f::parameters(model)) all.push_back(each.grad().defined() ? each.grad().clone() : at::Tensor());
  return all;
}

}  // namespace

TEST_CASE("a backbone that runs twice: both heads read it, and its gradient is the sum of both runs") {
  c2f::stack<twice> model(1), second(1);
  c2f::pass p{.mode = c2f::train, .truth = labels};
  auto const both = model(images, p);
  auto const all  = gradients(model, p.loss());

  // By hand: the second run with a backbone of its own, a copy.
  c2f::pass own{.mode = c2f::train};
  at::Tensor const first_features  = model.share.body(images, c2f::train);
  at::Tensor const coarse          = model.coarse(first_features, c2f::train);
  at::Tensor const z               = first_features.mean(1).repeat_interleave(2, 1).repeat_interleave(2, 2).unsqueeze(1).add(1);
  at::Tensor const second_features = second.share.body(images.mul(z), c2f::train);
  at::Tensor const fine            = model.fine(second_features, c2f::train);
  REQUIRE(both.coarse.allclose(coarse, 1e-5, 1e-6));
  REQUIRE(both.fine.allclose(fine, 1e-5, 1e-6));
  auto const split = gradients(model, at::cross_entropy_loss(coarse, labels).add(at::cross_entropy_loss(fine, labels)));
  auto const other = c2f::parameters(second);
  bool summed      = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    bool const shared       = other[i].grad().defined();  // of the backbone
    at::Tensor const wanted = shared ? split[i].add(other[i].grad()) : split[i];
    REQUIRE(all[i].allclose(wanted, 1e-4, 1e-6));
    if (shared) summed = summed || !all[i].allclose(split[i], 1e-2, 1e-4);
  }
  REQUIRE(summed);
  REQUIRE(c2f::parameters(model).size() == 3 + 2 + 2);  // convolution, norm, two heads
}

TEST_CASE("side outputs of the two runs have the names of the stages") {
  c2f::stack<twice> const model(1);
  auto const both = model(images, c2f::eval);
  std::vector<std::string> names;
  for (auto const& each : both.side) names.push_back(each.name);
  REQUIRE(names == std::vector<std::string>{"coarse.map", "mask", "fine.map", "coarse", "fine"});
  REQUIRE(both.output("coarse.map").equal(model.share.body(images, c2f::eval).mean(1)));
  REQUIRE(both.output("fine.map").allclose(model.share.body(images.mul(both.output("mask")), c2f::eval).mean(1), 1e-5, 1e-6));
}

TEST_CASE("a loss may read the pass: what was left before it") {
  c2f::stack<reads_pass> const model(1);
  c2f::pass p{.mode = c2f::train, .truth = labels};
  auto const both  = model(images, p);
  auto const mean  = [&](char const* name) { return p.output(name).mean().item<double>(); };
  auto const cross = [&](at::Tensor const& raw) { return at::cross_entropy_loss(raw, labels).item<double>(); };
  REQUIRE(p.losses.size() == 2);
  REQUIRE(std::abs(p.losses[0].value.item<double>() - cross(both.coarse) - 0.1 * mean("coarse.map")) < 1e-5);
  REQUIRE(std::abs(p.losses[1].value.item<double>() - cross(both.fine) - 0.1 * (mean("coarse.map") + mean("mask") + mean("fine.map"))) <
          1e-5);
}

TEST_CASE("a score may read the outputs of the pass") {
  tiny::samples<kind, 8> const samples{17, 2};  // sample 3 cannot be read
  c2f::stack<is_measured> const model(1);
  for (std::int64_t const batch : {4, 17}) {
    auto const scores = c2f::evaluate(model, samples, c2f::recipe::settings{}.batch(batch).threads(0));
    double sum        = 0;
    c2f::data::loader batches{samples, {.batch = 17, .shuffle = false, .augment = false}};
    at::NoGradGuard const none;
    for (auto const& each : batches.epoch(0)) sum += model(each.images, c2f::eval).output("mask").mean({1, 2, 3}).sum().item<double>();
    REQUIRE(scores.size() == 2);
    for (auto const& stage : scores) {
      REQUIRE(stage.values.size() == 1);
      REQUIRE(std::string(stage.values[0].first) == "mask");
      REQUIRE(std::abs(stage.values[0].second - sum / 17) < 1e-5);
    }
  }
}
