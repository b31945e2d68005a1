// Pyramid pooling against adaptive average pooling and plain layers, the heads' counts, and backbones of output stride 8 and 16.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/networks/dense_heads.hpp>

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include "catch.hpp"
#include "refusal.hpp"

namespace {
using wide = c2f::image<2048, 30, 30>;
template <class A, class In>
constexpr std::int64_t count = c2f::parameter_count<c2f::network_on<A, In>>;
}  // namespace

static_assert(count<c2f::fcn_head<c2f::dense<33>>, wide> == 9'455'137);
static_assert(count<c2f::psp_head<c2f::dense<33>>, wide> == 23'090'721);
static_assert(count<c2f::sequential<c2f::conv<512, 3>, c2f::batch_norm, c2f::relu, c2f::conv<2, 1, 1, 0, c2f::bias>>, wide> == 9'439'234);
static_assert(std::same_as<c2f::network_on<c2f::pyramid_pooling<8, 1, 2, 3>, c2f::image<6, 5, 7>>::output, c2f::image<30, 5, 7>>);
// 233 -> 117 -> 59 -> 30: three steps of two, the last stages dilated.
static_assert(std::same_as<c2f::network_on<c2f::resnet_features<50, 4, 8>, c2f::image<3, 233, 233>>::output, wide>);
static_assert(std::same_as<c2f::network_on<c2f::resnet_features<18, 4, 16>, c2f::image<3, 233, 233>>::output, c2f::image<512, 15, 15>>);

TEST_CASE("windows along an axis: floor and ceil, overlapping, and of maps smaller than their bins") {
  at::Tensor const six = c2f::detail::window_means(23, 6, at::TensorOptions(at::kFloat));
  std::array<std::array<std::int64_t, 2>, 6> const windows{{{0, 4}, {3, 8}, {7, 12}, {11, 16}, {15, 20}, {19, 23}}};
  for (std::int64_t b = 0; b < 6; ++b)
    for (std::int64_t i = 0; i < 23; ++i) {
      auto const [from, to] = windows[static_cast<std::size_t>(b)];
      CAPTURE(b, i);
      REQUIRE(six[b][i].item<double>() == Approx(i >= from && i < to ? 1.0 / static_cast<double>(to - from) : 0.0));
    }
  for (auto const& [size, bins] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{23, 6}, {30, 6}, {1, 3}, {2, 3}, {4, 6}, {7, 7}, {5, 1}}) {
    CAPTURE(size, bins);
    at::Tensor const x = c2f::detail::sample_numbers({1, 1, size, 1}, 3);
    REQUIRE(at::allclose(c2f::detail::window_means(size, bins, x.options()).matmul(x[0][0]), at::adaptive_avg_pool2d(x, {bins, 1})[0][0],
                         1e-12, 1e-12));
  }
}

TEST_CASE(
    "pyramid pooling is adaptive pooling, a convolution, a norm, ReLU and bilinear interpolation beside x, and so are its gradients") {
  for (auto const& [height, width] : std::vector<std::pair<std::int64_t, std::int64_t>>{{9, 11}, {23, 30}, {3, 4}}) {
    CAPTURE(height, width);
    auto net        = c2f::make_network<c2f::pyramid_pooling<5, 1, 2, 3, 6>, c2f::image<7, c2f::dynamic, c2f::dynamic>>(2);
    auto const path = [&](std::string const& wanted) {
      at::Tensor found;
      c2f::for_each_tensor(net, [&](std::string const& name, c2f::state_tensor const& each, auto const&) {
        if (name == wanted) found = each.tensor();
      });
      REQUIRE(found.defined());
      return found;
    };
    for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      at::Tensor const x = c2f::detail::sample_numbers({3, 7, height, width}, 4).to(at::kFloat).contiguous(format).set_requires_grad(true);
      std::vector<at::Tensor> wanted{x};
      for (int i = 0; i < 4; ++i) {
        auto const name      = std::to_string(i);
        std::int64_t const b = std::array{1, 2, 3, 6}[static_cast<std::size_t>(i)];
        at::Tensor const y   = at::conv2d(at::adaptive_avg_pool2d(x, {b, b}), path(name + ".0.weight"));
        at::Tensor const n   = at::batch_norm(y, path(name + ".1.weight"), path(name + ".1.bias"), {}, {}, true, .1, 1e-5, false);
        wanted.push_back(at::upsample_bilinear2d(n.relu(), {height, width}, false));
      }
      at::Tensor const found = net(x, c2f::train), naive = at::cat(wanted, 1);
      REQUIRE(found.sub(naive).abs().max().item<double>() < 2e-4);  // norms of few values enlarge rounding
      REQUIRE(found.is_contiguous(format));
      at::Tensor const weight = c2f::detail::sample_numbers(found.sizes().vec(), 5).to(at::kFloat);
      auto const gradient     = [&](at::Tensor const& y) {
        x.mutable_grad().reset();
        y.mul(weight).sum().backward({}, /*retain_graph=*/true);
        return x.grad();
      };
      at::Tensor const ours = gradient(found), theirs = gradient(naive);
      REQUIRE(ours.sub(theirs).abs().max().item<double>() < 1e-3 * theirs.abs().max().item<double>());
      REQUIRE(gradient(found).equal(ours));
    }
  }
}

TEST_CASE("a bin of one pixel refuses a batch of one in training, before a buffer has changed, and accepts it at inference") {
  auto net           = c2f::make_network<c2f::pyramid_pooling<5, 1, 2>, c2f::image<4, 6, 6>>(1);
  at::Tensor const x = c2f::detail::sample_numbers({1, 4, 6, 6}, 1).to(at::kFloat);
  tests::require_message(tests::refusal([&] { net(x, c2f::train); }), {"two values of each channel", "found [1, 5, 1, 1]"});
  REQUIRE(net(x, c2f::eval).sizes() == at::IntArrayRef({1, 14, 6, 6}));
}

TEST_CASE("pyramid pooling and the heads satisfy the laws of architectures") {
  auto const broken = [](auto const& report) {
    std::string all;
    for (auto const& law : report.broken()) all += law + '\n';
    REQUIRE(report.laws() > 2);
    return all;
  };
  using like = c2f::image<4, 7, 9>;
  REQUIRE(broken(c2f::conformance<c2f::pyramid_pooling<3, 1, 2, 3>, like>()) == "");
  REQUIRE(broken(c2f::conformance<c2f::fcn_head<c2f::dense<3>, 5>, like, c2f::dense<3>>()) == "");
  REQUIRE(broken(c2f::conformance<c2f::psp_head<c2f::dense<3>, 5, 2>, like, c2f::dense<3>>()) == "");
}
