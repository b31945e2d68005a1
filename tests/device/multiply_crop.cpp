// cuda/kernels/multiply_crop.cuh against a product and narrow, and in fuse::in_turn.
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <c2f/c2f.hpp>
#include <c2f/parts/fuse_crop.hpp>

#include "catch.hpp"
#include "device.hpp"

namespace {

using fuse_type = c2f::fuse::in_turn<c2f::fuse::multiply, c2f::fuse::crop<2, 4>>;

struct results {
  at::Tensor parts, to_x, to_z;
};
template <class Join>
results joined_by(Join const& join, at::Tensor const& x, at::Tensor const& z) {
  at::Tensor const a = x.detach().clone().set_requires_grad(true), b = z.detach().clone().set_requires_grad(true);
  at::Tensor const parts = join(a, b);
  parts.mul(tests::normal(parts.sizes().vec(), 3).to(parts.scalar_type())).sum().backward();
  return {parts.detach(), a.grad(), b.grad()};
}
void same(results const& found, results const& wanted, double close) {
  REQUIRE(found.parts.equal(wanted.parts));
  REQUIRE(at::allclose(found.to_x.to(at::kFloat), wanted.to_x.to(at::kFloat), close, close));
  REQUIRE(at::allclose(found.to_z.to(at::kFloat), wanted.to_z.to(at::kFloat), close, close));
  REQUIRE(found.to_x.scalar_type() == wanted.to_x.scalar_type());
  REQUIRE(found.to_z.scalar_type() == wanted.to_z.scalar_type());
}

}  // namespace

TEST_CASE("kernel multiply_crop: rectangles of a product, and both gradients") {
  C2F_NEEDS_DEVICE();
  struct sizes {
    std::int64_t n, x, z, height, width, high, wide;
  };
  for (auto const type : {at::kFloat, at::kBFloat16})
    for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
      for (auto const& [n, cx, cz, height, width, high, wide] :
           {sizes{1, 3, 3, 20, 24, 7, 11}, sizes{3, 3, 1, 16, 9, 16, 9}, sizes{2, 1, 1, 5, 70, 1, 33}, sizes{150, 2, 1, 6, 5, 3, 2},
            sizes{1, 1, 1, 1, 1, 1, 1}, sizes{3, 16, 16, 8, 8, 5, 8}}) {
        at::Tensor const x = tests::normal({n, cx, height, width}, 1).to(type).contiguous(format),
                         z = tests::normal({n, cz, height, width}, 2).to(type).contiguous(format);
        c2f::random_stream draw(1, c2f::purpose::synthesis, 0, 0);
        std::vector<std::int64_t> corners;
        for (std::int64_t i = 0; i < n; ++i) {
          corners.push_back(draw.below(static_cast<std::uint32_t>(height - high + 1)));
          corners.push_back(draw.below(static_cast<std::uint32_t>(width - wide + 1)));
        }
        auto const fused = [&, high = high, wide = wide](at::Tensor const& a, at::Tensor const& b) {
          return c2f::cuda::fused.multiply_crop(a, b, corners, high, wide);
        };
        auto const by_narrow = [&, n = n, high = high, wide = wide](at::Tensor const& a, at::Tensor const& b) {
          std::vector<at::Tensor> each;
          for (std::int64_t i = 0; i < n; ++i) {
            auto const at = static_cast<std::size_t>(2 * i);
            each.push_back(a.mul(b).narrow(0, i, 1).narrow(2, corners[at], high).narrow(3, corners[at + 1], wide));
          }
          return at::cat(each, 0);
        };
        auto const found = joined_by(fused, x, z);
        REQUIRE(found.parts.is_contiguous(format));
        if (n < 100)
          same(found, joined_by(by_narrow, x, z), type == at::kFloat ? 1e-5 : 0.05);
        else {
          std::vector<at::Tensor> each;  // the definition would compute 150 whole products
          for (std::int64_t i = 0; i < n; ++i) {
            auto const at = static_cast<std::size_t>(2 * i);
            each.push_back(x[i].mul(z[i]).narrow(1, corners[at], high).narrow(2, corners[at + 1], wide).unsqueeze(0));
          }
          REQUIRE(found.parts.equal(at::cat(each, 0)));
          std::int64_t const row = corners[298], column = corners[299];  // the last sample, in the second launch
          at::Tensor const weight = tests::normal(found.parts.sizes().vec(), 3).to(type)[149];
          at::Tensor const wanted = at::zeros({cx, height, width}, x.options().dtype(at::kFloat));
          wanted.narrow(1, row, high).narrow(2, column, wide).copy_(weight.mul(z[149].narrow(1, row, high).narrow(2, column, wide)));
          REQUIRE(at::allclose(found.to_x[149].to(at::kFloat), wanted, 1e-5, 1e-5));
        }
      }
}

TEST_CASE("fuse::in_turn<multiply, crop> gives the same parts, undone results and gradients with the fused operation") {
  C2F_NEEDS_DEVICE();
  using rgb = c2f::image<3, c2f::dynamic, c2f::dynamic>;
  c2f::fused_operations const table{.multiply_crop = c2f::cuda::fused.multiply_crop};
  auto const compared = [&]<std::int64_t Channels>(std::integral_constant<std::int64_t, Channels>) {
    typename fuse_type::template on<rgb, c2f::image<Channels, c2f::dynamic, c2f::dynamic>> const fuse{};
    for (std::int64_t const n : {1, 3})
      for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
        at::Tensor const x      = tests::normal({n, 3, 30, 26}, 1).contiguous(format),
                         z      = tests::normal({n, Channels, 30, 26}, 2).contiguous(format);
        at::Tensor conditioning = at::zeros({n, 1, 30, 26}, x.options());
        for (std::int64_t i = 0; i < n; ++i) conditioning[i][0].narrow(0, 8 + 2 * i, 5).narrow(1, 3 + 3 * i, 6).fill_(1);
        at::Tensor defined_undone, fused_undone;
        auto const joined = [&](c2f::fused_operations const* set, at::Tensor& undone) {
          return [&, set](at::Tensor const& a, at::Tensor const& b) {
            c2f::with_fused const scope(set);
            c2f::pass p{.mode = c2f::train, .t = 1, .seed = 2, .conditioning = conditioning};
            auto const joined_map  = fuse(a, b, p);
            at::Tensor const parts = joined_map;
            undone                 = fuse.undo(parts.detach(), joined_map);
            return parts;
          };
        };
        auto const found = joined_by(joined(&table, fused_undone), x, z), wanted = joined_by(joined(nullptr, defined_undone), x, z);
        same(found, wanted, 1e-5);
        REQUIRE(found.parts.size(2) < 30);
        REQUIRE(fused_undone.equal(defined_undone));
        REQUIRE(defined_undone.sizes() == x.sizes());
      }
  };
  compared(std::integral_constant<std::int64_t, 3>{});
  compared(std::integral_constant<std::int64_t, 1>{});
}
