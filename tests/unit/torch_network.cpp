// torch::nn modules as c2f networks, and c2f networks as torch::nn modules.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/torch/network.hpp>

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include "catch.hpp"
#include "refusal.hpp"

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

/// Its convolution is for RGB images, however it is made.
struct rgb_only : torch::nn::Cloneable<rgb_only> {
  torch::nn::Conv2d conv{nullptr};
  torch::nn::Linear head{nullptr};
  explicit rgb_only(std::int64_t) { rgb_only::reset(); }
  void reset() override {
    conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 8, 3)));
    head = register_module("head", torch::nn::Linear(8, 4));
  }
  torch::Tensor forward(torch::Tensor const& x) { return head(conv(x).relu().mean({2, 3})); }
};
struct rgb_only_task {
  using input   = c2f::image<3, 8, 8>;
  using network = c2f::torch_network<rgb_only, c2f::class_vector<4>>;
};

/// Follows its channels and fails in its second layer.
struct broken : torch::nn::Cloneable<broken> {
  std::int64_t channels;
  torch::nn::Conv2d conv{nullptr};
  torch::nn::Linear head{nullptr};
  explicit broken(std::int64_t in) : channels(in) { broken::reset(); }
  void reset() override {
    conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, 8, 3)));
    head = register_module("head", torch::nn::Linear(9, 4));
  }
  torch::Tensor forward(torch::Tensor const& x) { return head(conv(x).mean({2, 3})); }
};

/// A map of one logit a pixel at half of the image's size, or its means.
template <bool Means>
struct half_size : torch::nn::Cloneable<half_size<Means>> {
  std::int64_t channels;
  torch::nn::Conv2d conv{nullptr};
  explicit half_size(std::int64_t in) : channels(in) { half_size::reset(); }
  void reset() override { conv = this->register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, 1, 2).stride(2))); }
  torch::Tensor forward(torch::Tensor const& x) { return Means ? conv(x).mean({2, 3}) : conv(x); }
};

template <class Module, class Kind>
at::Tensor output_of(c2f::shape auto in, at::Tensor const& x) {
  return c2f::make_network<c2f::torch_network<Module, Kind>, decltype(in)>(1)(x, c2f::eval);
}

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

TEST_CASE("a torch module that is made for three channels whatever it is given says so in the first pass") {
  using c2f::train;
  c2f::stack<rgb_only_task> const model(1);
  at::Tensor const x = c2f::detail::sample_numbers({2, 3, 8, 8}, 1).to(at::kFloat), y = c2f::detail::sample_numbers({2, 4}, 2).argmax(1);
  REQUIRE(model.coarse(x, train).dim() == 2);
  std::string const found = tests::refusal([&] {
    c2f::pass p{.mode = train, .truth = y};
    model(x, p);
  });
  REQUIRE(
      found.ends_with("rgb_only cannot run on images [2, 6, 8, 8]: it was made for 6 channels, and its 'conv.weight' is [8, 3, 3, 3] for "
                      "any number; make its first layer with the number that the constructor is given"));
  // Another mistake is LibTorch's to explain.
  tests::require_message(tests::refusal<c2f::libtorch_error>([&] { output_of<broken, c2f::class_vector<4>>(c2f::image<3, 8, 8>{}, x); }),
                         {"the module ", "broken, on images [2, 3, 8, 8] of Float on cpu: LibTorch says 'mat1 and mat2", "(2x8 and 9x4)"});
}

TEST_CASE("a torch module whose output is not that of its kind says so in the first pass") {
  using image        = c2f::image<3, 8, 8>;
  at::Tensor const x = c2f::detail::sample_numbers({2, 3, 8, 8}, 1).to(at::kFloat);
  REQUIRE(tests::refusal([&] {
            output_of<mine, c2f::class_vector<10>>(image{}, x);
          }).ends_with("mine returns [2, 4], but class_vector<10> needs [N, 10]; change its last layer, or the kind"));
  REQUIRE(tests::refusal([&] {
            output_of<half_size<false>, c2f::class_vector<2>>(image{}, x);
          }).find("returns [2, 1, 4, 4], but class_vector<2> needs [N, 2]") != std::string::npos);
  REQUIRE(tests::refusal([&] { output_of<half_size<true>, c2f::dense<1>>(image{}, x); }).find("returns [2, 1], but dense<1") !=
          std::string::npos);
  REQUIRE(tests::refusal([&] { output_of<half_size<false>, c2f::dense<2>>(image{}, x); }).find("returns [2, 1, 4, 4], but dense<2") !=
          std::string::npos);
  REQUIRE((output_of<half_size<false>, c2f::dense<1>>(image{}, x).size(2) == 4));  // the stack resizes it
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
