// The U-Net: sizes, layers, and the error for a size that does not fit.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/networks/unet.hpp>

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/max_pool2d.h>

#include "catch.hpp"

#include <map>

namespace {

using net = c2f::unet<2, 4, c2f::dense<3>>;
using any = c2f::image<2, c2f::dynamic, c2f::dynamic>;

// The same network written out with the operators of ATen.
class written_out {
 public:
  explicit written_out(c2f::network_on<net, any> const& network) {
    c2f::for_each_tensor(
        network, [&](std::string const& path, c2f::state_tensor const& each, c2f::state_traits const&) { tensors_[path] = each.tensor(); });
  }
  at::Tensor operator()(at::Tensor const& x) const {
    at::Tensor const first  = twice(x, "levels.down.");
    at::Tensor const second = twice(at::max_pool2d(first, {2, 2}), "levels.below.down.");
    at::Tensor const third  = twice(at::max_pool2d(second, {2, 2}), "levels.below.below.");
    at::Tensor const back   = twice(at::cat({second, up(third, "levels.below.up.")}, 1), "levels.below.joined.");
    at::Tensor const whole  = twice(at::cat({first, up(back, "levels.up.")}, 1), "levels.joined.");
    return at::conv2d(whole, at("head.weight"), at("head.bias"));
  }

 private:
  [[nodiscard]] at::Tensor const& at(std::string const& path) const { return tensors_.at(path); }
  [[nodiscard]] at::Tensor up(at::Tensor const& x, std::string const& path) const {
    return at::conv_transpose2d(x, at(path + "weight"), at(path + "bias"), {2, 2});
  }
  [[nodiscard]] at::Tensor twice(at::Tensor x, std::string const& path) const {
    for (std::string const number : {"0", "3"}) {
      std::string const norm = path + (number == "0" ? "1." : "4.");
      x                      = at::conv2d(x, at(path + number + ".weight"), {}, {1, 1}, {1, 1});
      x = at::batch_norm(x, at(norm + "weight"), at(norm + "bias"), at(norm + "running_mean"), at(norm + "running_var"), false, 0.1, 1e-5,
                         false);
      x = x.relu();
    }
    return x;
  }
  std::map<std::string, at::Tensor> tensors_;
};

}  // namespace

TEST_CASE("a U-Net is its layers, written out") {
  auto const network = c2f::make_network<net, any>(3);
  at::Tensor const x = c2f::detail::sample_numbers({2, 2, 12, 20}, 1).to(at::kFloat);
  at::Tensor const y = network(x, c2f::eval);
  REQUIRE(y.sizes() == at::IntArrayRef({2, 3, 12, 20}));
  REQUIRE(y.sub(written_out(network)(x)).abs().max().item<double>() < 1e-5);
}

TEST_CASE("the error of a U-Net says which sizes it takes") {
  auto const network = c2f::make_network<net, any>(3);
  std::string message;
  try {
    network(at::zeros({1, 2, 12, 18}), c2f::eval);
  } catch (c2f::input_error const& wrong) {
    message = wrong.what();
  }
  REQUIRE(message == "c2f::unet takes maps whose sides are multiples of 4, found 12 x 18; pad or resize them, or use fewer levels");
}
