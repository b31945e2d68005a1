// A dense map resized to smaller features (parts/encode_dense.hpp): with the mean that has a deterministic gradient, and with ATen's
// pooling.
#include <ATen/ops/allclose.h>
#include <c2f/parts/encode_dense.hpp>

#include "catch.hpp"
#include "device.hpp"

TEST_CASE("a map is averaged down to the same numbers with and without fused operations") {
  C2F_NEEDS_DEVICE();
  for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
    for (std::int64_t const width : {12, 13}) {
      at::Tensor const map = tests::normal({2, 3, 8, width}, 1).contiguous(format), like = tests::normal({2, 5, 4, 4}, 2),
                       weight = tests::normal({2, 3, 4, 4}, 3);
      auto const averaged     = [&](c2f::fused_operations const* table) {
        c2f::with_fused const scope(table);
        at::Tensor const input = map.detach().clone().set_requires_grad(true), small = c2f::encode::detail::pooled_as(input, like);
        small.mul(weight).sum().backward();
        return std::pair{small.detach(), input.grad()};
      };
      auto const [found, gradient]    = averaged(&c2f::cuda::fused);
      auto const [wanted, wanted_too] = averaged(nullptr);
      REQUIRE(at::allclose(found, wanted, 1e-5, 1e-6));
      REQUIRE(at::allclose(gradient, wanted_too, 1e-5, 1e-6));
    }
}
