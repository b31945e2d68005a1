// A sequential equals its layers applied one after the other, bit for bit, also where a norm does the ReLU that follows it.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>
#include <c2f/layers/dropout.hpp>
#include <c2f/layers/residual.hpp>

#include "catch.hpp"

namespace {

using c2f::batch_norm;
using c2f::conv;
using c2f::dropout;
using c2f::relu;
using image = c2f::image<3, 9, 7>;

/// Derived from batch_norm, but another function.
struct halved_norm {
  template <c2f::shape In>
  struct on : batch_norm::on<In> {
    at::Tensor operator()(at::Tensor const& x, c2f::mode m) const { return batch_norm::on<In>::operator()(x, m).mul(0.5); }
  };
};

/// Output, gradients and running statistics of a network that `call` runs.
template <class Net, class Call>
std::vector<at::Tensor> outcome(c2f::mode m, Call const& call) {
  Net net;
  c2f::initialize(net, 1);
  at::Tensor const x = c2f::detail::sample_numbers({4, 3, 9, 7}, 2).to(at::kFloat).set_requires_grad(true);
  c2f::pass p{.mode = m, .seed = 3};
  at::Tensor const y = call(net, x, p);
  y.square().sum().backward();
  std::vector<at::Tensor> all{y.detach(), x.grad()};
  c2f::for_each_tensor(net, [&](std::string const&, c2f::state_tensor const& each, c2f::state_traits const& traits) {
    all.push_back(traits.trained ? each.tensor().grad() : each.tensor());
  });
  return all;
}
template <class Layers>
void is_its_layers() {
  using net = c2f::network_on<Layers, image>;
  for (auto const m : {c2f::train, c2f::eval}) {
    auto const found  = outcome<net>(m, [](net const& n, at::Tensor const& x, c2f::pass& p) { return c2f::detail::run(n, x, p); });
    auto const wanted = outcome<net>(m, [](net const& n, at::Tensor const& x, c2f::pass& p) {
      at::Tensor y = x;
      ++p.level;  // the layers of a sequential are one level below it
      std::apply([&](auto const&... layer) { ((y = c2f::detail::run(layer, y, p)), ...); }, n.layers);
      return y;
    });
    REQUIRE(found.size() == wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i) REQUIRE(found[i].equal(wanted[i]));
  }
}

}  // namespace

TEST_CASE("a sequence is its layers one after the other") {
  is_its_layers<c2f::sequential<conv<8, 3>, batch_norm, relu, conv<6, 3>, batch_norm, relu, relu, conv<2, 1>>>();
  is_its_layers<c2f::sequential<batch_norm, relu>>();
  is_its_layers<c2f::sequential<conv<4, 3>, halved_norm, relu>>();
  is_its_layers<c2f::sequential<relu, batch_norm, batch_norm, relu, c2f::identity, relu>>();
  is_its_layers<c2f::sequential<conv<8, 3>, dropout<0.5>, batch_norm, relu, dropout<0.5>, conv<2, 1>, batch_norm>>();
}

// One block has nothing to keep its shape for.
using halved = c2f::network_on<c2f::repeat<1, c2f::basic_block<32, 2>>, c2f::image<16, 8, 8>>;
static_assert(std::same_as<halved::output, c2f::image<32, 4, 4>>);
static_assert(c2f::parameter_count<halved> == c2f::parameter_count<c2f::network_on<c2f::basic_block<32, 2>, c2f::image<16, 8, 8>>>);

TEST_CASE("a sequence does not modify its input") {
  c2f::network_on<c2f::sequential<batch_norm, relu>, image> net;
  c2f::initialize(net, 1);
  c2f::network_on<c2f::sequential<>, image> const nothing;
  at::Tensor const x = c2f::detail::sample_numbers({4, 3, 9, 7}, 2).to(at::kFloat), before = x.clone();
  net(x, c2f::train);
  net(x, c2f::eval);
  REQUIRE(x.equal(before));
  REQUIRE(nothing(x, c2f::train).equal(before));
}
