// The compact encoder equals the definition: forward and every gradient, over kernels, depths and sizes.
#include <c2f/c2f.hpp>
#include <c2f/conformance.hpp>

#include <ATen/ops/relu.h>

#include "catch.hpp"

namespace {

using kind = c2f::class_vector<5>;

double relative(at::Tensor const& a, at::Tensor const& b) {
  return a.sub(b).abs().max().item<double>() / (b.abs().max().item<double>() + 1e-12);
}

// The same g twice, compact and by definition, on one prediction. Both outputs are weighted by the same random numbers, so that each
// pixel has another gradient.
template <std::int64_t Hidden, std::int64_t... Kernels>
void compact_is_naive(std::int64_t height, std::int64_t width) {
  using like = c2f::image<3, c2f::dynamic, c2f::dynamic>;
  using fast = typename c2f::encode::tile<c2f::encode::compact, Hidden, Kernels...>::template on<kind, like>;
  using slow = typename c2f::encode::tile<c2f::encode::naive, Hidden, Kernels...>::template on<kind, like>;
  CAPTURE(height, width, Hidden, sizeof...(Kernels));
  fast f;
  slow s;
  c2f::initialize(f, 3);
  c2f::initialize(s, 3);
  auto const layout   = width % 2 == 1 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  at::Tensor const x  = c2f::detail::sample_numbers({2, 3, height, width}, 1).to(at::kFloat).contiguous(layout);
  at::Tensor const y  = c2f::detail::sample_numbers({2, 5}, 2).to(at::kFloat).softmax(1);
  at::Tensor const yf = y.detach().clone().set_requires_grad(true), ys = y.detach().clone().set_requires_grad(true);
  c2f::pass p{.mode = c2f::eval};
  at::Tensor const zf = f(yf, x, p), zs = s(ys, x, p);
  REQUIRE(zf.sizes() == zs.sizes());
  REQUIRE(zf.sizes() == x.sizes());
  REQUIRE(relative(zf, zs) <= 1e-5);
  at::Tensor const weight = c2f::detail::sample_numbers({2, 3, height, width}, 4).to(at::kFloat);
  zf.mul(weight).sum().backward();
  zs.mul(weight).sum().backward();
  REQUIRE(relative(yf.grad(), ys.grad()) <= 2e-4);
  auto const a = c2f::parameters(f), b = c2f::parameters(s);
  REQUIRE(a.size() == 2 * sizeof...(Kernels));
  for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(relative(a[i].grad(), b[i].grad()) <= 2e-4);
}

template <std::int64_t Hidden, std::int64_t... Kernels>
void over_sizes() {
  for (std::int64_t const height : {1, 2, 3, 4, 5, 6, 7, 9, 16})
    for (std::int64_t const width : {1, 4, 5, 8, 13}) compact_is_naive<Hidden, Kernels...>(height, width);
}

}  // namespace

TEST_CASE("the compact encoder equals the definition") {
  over_sizes<0, 3, 3>();
  over_sizes<0, 1>();
  over_sizes<0, 3>();
  over_sizes<4, 3, 5>();
  over_sizes<2, 5, 1, 3>();
  over_sizes<0, 7, 3>();
  over_sizes<6, 1, 1>();
  over_sizes<3, 3, 3, 3>();
}

TEST_CASE("the definition is two padded convolutions of the tile, computed here by hand") {
  using like = c2f::image<3, 4, 6>;
  c2f::encode::tile<c2f::encode::naive>::on<kind, like> g;
  c2f::initialize(g, 7);
  at::Tensor const y = c2f::detail::sample_numbers({1, 5}, 2).to(at::kFloat).softmax(1), x = at::zeros({1, 3, 4, 6});
  c2f::pass p{.mode = c2f::eval};
  at::Tensor const z = g(y, x, p);
  auto const w       = c2f::parameters(g);  // weight, bias, weight, bias
  auto const at4     = [](at::Tensor const& t, std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
    return t[a][b][c][d].item<double>();
  };
  auto const inside = [](std::int64_t i, std::int64_t j) { return i >= 0 && i < 4 && j >= 0 && j < 6; };
  double hidden[3][4][6];
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 6; ++j) {
        double sum = w[1][c].item<double>();
        for (int k = 0; k < 5; ++k)
          for (int u = -1; u <= 1; ++u)
            for (int v = -1; v <= 1; ++v)
              if (inside(i + u, j + v)) sum += at4(w[0], c, k, u + 1, v + 1) * y[0][k].item<double>();
        hidden[c][i][j] = std::max(sum, 0.0);
      }
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 6; ++j) {
        double sum = w[3][c].item<double>();
        for (int k = 0; k < 3; ++k)
          for (int u = -1; u <= 1; ++u)
            for (int v = -1; v <= 1; ++v)
              if (inside(i + u, j + v)) sum += at4(w[2], c, k, u + 1, v + 1) * hidden[k][i + u][j + v];
        REQUIRE(std::abs(at4(z, 0, c, i, j) - std::max(sum, 0.0)) <= 1e-5);
      }
}

TEST_CASE("z has the memory format of x, so that concatenation needs no conversion") {
  c2f::encode::tile<>::on<kind, c2f::image<3, 16, 16>> g;
  c2f::initialize(g, 1);
  at::Tensor const x = at::zeros({2, 3, 16, 16}).contiguous(at::MemoryFormat::ChannelsLast), y = at::zeros({2, 5});
  c2f::pass p{.mode = c2f::eval};
  at::Tensor const z = g(y, x, p);
  REQUIRE(z.is_contiguous(at::MemoryFormat::ChannelsLast));
  REQUIRE(at::cat({x, z}, 1).is_contiguous(at::MemoryFormat::ChannelsLast));
}
