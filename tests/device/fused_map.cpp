// cuda/kernels/map.cuh: positions and indices, and maps that are too large.
#include <ATen/ops/arange.h>
#include <c2f/cuda/autograd/fused_map.hpp>

#include "catch.hpp"
#include "device.hpp"

TEST_CASE("the positions of a map correspond to its indices, in both memory formats") {
  for (bool const last : {false, true})
    for (auto const& [n, c, h, w] : {std::array{2, 3, 4, 5}, std::array{1, 1, 1, 1}, std::array{3, 1, 1, 7}, std::array{2, 5, 3, 1}}) {
      c2f::cuda::map_shape const map(n, c, h, w, last);
      at::Tensor const numbers = at::arange(map.count(), at::TensorOptions(at::kLong)),
                       placed  = last ? numbers.view({n, h, w, c}).permute({0, 3, 1, 2}) : numbers.view({n, c, h, w});
      auto at                  = map.position_of(0);
      for (std::int64_t i = 0; i < map.count(); ++i) {
        auto const found = map.position_of(i);
        REQUIRE(std::array{found.n, found.c, found.y, found.x} == std::array{at.n, at.c, at.y, at.x});
        REQUIRE(placed[found.n][found.c][found.y][found.x].item<std::int64_t>() == i);
        REQUIRE(map.at(found.n, found.c, found.y, found.x) == i);
        map.step(at);
      }
      REQUIRE(at.n == n);  // past the end
    }
}

TEST_CASE("indices of large maps have 64 bits, and maps of 2^31 pixels are refused") {
  c2f::cuda::map_shape const large(40, 200, 40000, 50000, false), turned(40, 200, 40000, 50000, true);
  std::int64_t const area = 40000LL * 50000LL;
  REQUIRE(large.count() == 40 * 200 * area);
  REQUIRE(large.at(39, 199, 39999, 49999) == 40 * 200 * area - 1);
  REQUIRE(turned.at(39, 1, 39999, 49999) == 40 * 200 * area - 199);
  auto const last = large.position_of(40 * 200 * area - 1), channel = turned.position_of(40 * 200 * area - 199);
  REQUIRE(std::array{last.n, last.c, last.y, last.x} == std::array{39, 199, 39999, 49999});
  REQUIRE(std::array{channel.n, channel.c, channel.y, channel.x} == std::array{39, 1, 39999, 49999});
  at::Tensor const one = at::empty({1, 1, 1, 1}, at::TensorOptions(at::kFloat));
  REQUIRE_THROWS_AS(c2f::cuda::detail::shape_of(one.expand({1, 1, 32768, 65536}), at::MemoryFormat::Contiguous), c2f::input_error);
  REQUIRE(c2f::cuda::detail::shape_of(one.expand({1, 1, 32768, 65535}), at::MemoryFormat::Contiguous).area() == 2147450880);
}
