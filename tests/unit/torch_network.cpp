// torch::nn modules as c2f networks, and c2f networks as torch::nn modules.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/torch/network.hpp>

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include "catch.hpp"

namespace {

struct mine : torch::nn::Cloneable<mine> {
  std::int64_t channels;
  torch::nn::Conv2d conv{nullptr};
  torch::nn::BatchNorm2d norm{nullptr};
  torch::nn::Linear head{nullptr};
  explicit mine(std::int64_t in) : channels(in) { mine::reset(); }
  void reset() override {
    conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, 8, 3)));
    norm = register_module("norm", torch::nn::BatchNorm2d(8));
    head = register_module("head", torch::nn::Linear(8, 4));
  }
  torch::Tensor forward(torch::Tensor const& x) { return head(norm(conv(x)).relu().mean({2, 3})); }
};

struct task {
  static constexpr char const* name = "torch";
  using input                       = c2f::image<3, 32, 32>;
  using network                     = c2f::torch_network<mine, c2f::class_vector<4>>;
};
static_assert(c2f::task<task>);

}  // namespace

TEST_CASE("a torch module trains as both networks of a stack") {
  c2f::stack<task> model(1);
  REQUIRE(model.fine.module().channels == 6);
  REQUIRE(c2f::count_parameters(model.coarse) == 8 * 27 + 8 + 16 + 36);
  auto const report =
      c2f::fit(model, c2f::data::glyphs<4>({.train = 64, .test = 16, .seed = 1}), c2f::recipe::settings{}.epochs(4).batch(16));
  REQUIRE(report.epochs.back().losses[0].second < report.epochs.front().losses[0].second);
}

TEST_CASE("a torch module keeps the laws, and its values are a function of seed and path") {
  auto const laws = c2f::conformance<task::network, c2f::image<3, 16, 16>>();
  std::string broken;
  for (auto const& law : laws.broken()) broken += law + '\n';
  REQUIRE(broken == "");
  c2f::stack<task> const one(5), same(5), other(6);
  auto const a = c2f::parameters(one), b = c2f::parameters(same), c = c2f::parameters(other);
  for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(a[i].equal(b[i]));
  REQUIRE_FALSE(a[0].equal(c[0]));
}

TEST_CASE("a c2f network as a torch module: the same tensors under the same paths") {
  using network     = c2f::resnet_cifar<8, c2f::class_vector<4>>;
  auto const module = c2f::as_module(c2f::make_network<network, c2f::image<3, 32, 32>>(1));
  std::vector<std::string> paths;
  c2f::for_each_tensor(module->network(), [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    if (!traits.trained) return;
    paths.push_back(path);
    REQUIRE(module->named_parameters()[path].is_same(each.tensor()));
  });
  REQUIRE(module->parameters().size() == paths.size());
  REQUIRE(module->named_buffers().contains("layer1.0.bn1.running_mean"));

  // An optimiser of LibTorch trains it.
  torch::optim::SGD optimizer(module->parameters(), torch::optim::SGDOptions(0.1));
  at::Tensor const x = c2f::detail::sample_numbers({8, 3, 32, 32}, 1).to(at::kFloat), y = c2f::detail::sample_numbers({8, 4}, 2).argmax(1);
  module->train();
  double first = 0, last = 0;
  for (int step = 0; step < 5; ++step) {
    optimizer.zero_grad();
    at::Tensor const loss = c2f::loss::cross_entropy::of(module->forward(x), y);
    loss.backward();
    optimizer.step();
    (step == 0 ? first : last) = loss.item<double>();
  }
  REQUIRE(last < first);
  module->eval();
  REQUIRE(module->forward(x).equal(module->network()(x, c2f::eval)));
}
