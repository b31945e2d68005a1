// cuda/kernels/broadcast_interior.cuh against execution/broadcast_map.hpp, and in the convolution of a concatenation with a broadcast map
// (layers/conv_broadcast.hpp).
#include <ATen/core/grad_mode.h>
#include <c2f/c2f.hpp>

#include "catch.hpp"
#include "device.hpp"

namespace {

using dims = std::vector<std::int64_t>;

struct results {
  at::Tensor large, to_tiny, to_onto;
};
template <class Broadcast>
results by(Broadcast const& broadcast, at::Tensor const& tiny, at::Tensor const& onto, at::Tensor const& weight) {
  at::Tensor const a     = tiny.detach().clone(at::MemoryFormat::Preserve).set_requires_grad(true),
                   b     = onto.defined() ? onto.detach().clone(at::MemoryFormat::Preserve).set_requires_grad(true) : at::Tensor();
  at::Tensor const large = broadcast(a, b);
  large.mul(weight).sum().backward();
  return {large.detach(), a.grad(), b.defined() ? b.grad() : at::Tensor()};
}

int calls = 0;
at::Tensor counted(at::Tensor const& tiny, std::int64_t height, std::int64_t width, at::MemoryFormat format, at::Tensor const& onto) {
  ++calls;
  return c2f::cuda::fused.broadcast_interior(tiny, height, width, format, onto);
}

template <class First>
struct begins_with {
  static constexpr char const* name = "begins_with";
  using input                       = c2f::image<3, 30, 26>;
  using network = c2f::predicts<c2f::class_vector<7>, First, c2f::batch_norm, c2f::relu, c2f::global_average_pool, c2f::linear<7>>;
};

/// Losses and gradients of a training pass.
template <class Task>
std::vector<at::Tensor> step(c2f::fused_operations const* table, at::MemoryFormat format) {
  c2f::with_fused const scope(table);
  c2f::stack<Task> model(3);
  c2f::move_to(model, tests::device());
  at::Tensor const images = tests::normal({6, 3, 30, 26}, 1).contiguous(format);
  c2f::pass p{.mode = c2f::train, .truth = tests::integers(7, {6}, 2), .t = 0.5, .seed = 5};
  model(images, p);
  p.loss().backward();
  std::vector<at::Tensor> all;
  for (auto const& each : p.losses) all.push_back(each.value.detach());
  for (auto const& each : c2f::parameters(model)) all.push_back(each.grad());
  return all;
}

}  // namespace

TEST_CASE("kernel broadcast_interior: the broadcast map, alone and added to another, and both gradients") {
  C2F_NEEDS_DEVICE();
  struct sizes {
    std::int64_t n, c, height, width, tiny_height, tiny_width;
  };
  for (auto const type : {at::kFloat, at::kBFloat16})
    for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
      for (bool const onto : {false, true})
        for (auto const& s : {sizes{2, 64, 20, 17, 7, 7}, sizes{3, 8, 33, 40, 5, 3}, sizes{2, 3, 14, 14, 5, 5}, sizes{1, 24, 9, 9, 9, 9},
                              sizes{2, 16, 9, 6, 1, 5}, sizes{1, 8, 1, 1, 1, 1}, sizes{2, 5, 6, 11, 6, 3}}) {
          CAPTURE(s.c, s.height, s.width, s.tiny_height, s.tiny_width, onto);
          auto const made       = [&](dims const& of, std::uint64_t seed) { return tests::normal(of, seed).to(type).contiguous(format); };
          at::Tensor const tiny = made({s.n, s.c, s.tiny_height, s.tiny_width}, 1), weight = made({s.n, s.c, s.height, s.width}, 2),
                           addend = onto ? made({s.n, s.c, s.height, s.width}, 3) : at::Tensor();
          auto const fused        = [&](at::Tensor const& a, at::Tensor const& b) {
            return c2f::cuda::fused.broadcast_interior(a, s.height, s.width, format, b);
          };
          auto const defined = [&](at::Tensor const& a, at::Tensor const& b) {
            at::Tensor const large = c2f::broadcast_interior(a, s.height, s.width, format);
            return b.defined() ? b.add(large) : large;
          };
          auto const found = by(fused, tiny, addend, weight), wanted = by(defined, tiny, addend, weight);
          REQUIRE(found.large.scalar_type() == type);
          REQUIRE(found.large.equal(wanted.large));
          if (s.c > 1 && s.height > 1) REQUIRE(found.large.is_contiguous(format));
          if (onto) REQUIRE(found.to_onto.equal(wanted.to_onto));
          // The definition's sums in double.
          auto const exact   = by(defined, tiny.to(at::kDouble), onto ? addend.to(at::kDouble) : addend, weight.to(at::kDouble)).to_tiny;
          double const scale = exact.abs().max().item<double>();
          REQUIRE(found.to_tiny.scalar_type() == type);
          REQUIRE(tests::furthest(found.to_tiny, exact) <= (type == at::kFloat ? 2e-6 : 5e-3) * std::max(1.0, scale));
          REQUIRE(by(fused, tiny, addend, weight).to_tiny.equal(found.to_tiny));
        }
}

TEST_CASE("kernel broadcast_interior: a gradient of one input only, any layout, different number types") {
  C2F_NEEDS_DEVICE();
  auto const last       = at::MemoryFormat::ChannelsLast;
  at::Tensor const wide = tests::normal({2, 18, 9, 7}, 1).contiguous(last), tiny = tests::normal({2, 18, 3, 3}, 2).contiguous(last);
  for (std::int64_t const from : {1, 2}) {
    at::Tensor const addend = wide.narrow(1, from, 16), part = tiny.narrow(1, from, 16);
    at::Tensor const large = c2f::cuda::fused.broadcast_interior(part, 9, 7, last, addend);
    REQUIRE(large.equal(addend.add(c2f::broadcast_interior(part, 9, 7, last))));
    REQUIRE(!large.requires_grad());
    at::Tensor const input = part.clone().set_requires_grad(true), other = addend.clone().set_requires_grad(true);
    c2f::cuda::fused.broadcast_interior(input, 9, 7, last, addend).sum().backward();
    c2f::cuda::fused.broadcast_interior(part, 9, 7, last, other).sum().backward();
    REQUIRE(input.grad()[1][3][1][1].item<float>() == 7 * 5);  // the middle is copied to 9 - 2 rows and 7 - 2 columns
    REQUIRE(input.grad()[0][9][2][1].item<float>() == 5);
    REQUIRE(other.grad().eq(1).all().item<bool>());
  }
  at::Tensor const low = c2f::cuda::fused.broadcast_interior(tiny, 9, 7, last, wide.to(at::kBFloat16));
  REQUIRE(low.scalar_type() == at::kBFloat16);
  REQUIRE(low.equal(wide.to(at::kBFloat16).add(c2f::broadcast_interior(tiny.to(at::kBFloat16), 9, 7, last))));
}

TEST_CASE("a stack trains the same when its fine network's first convolution uses the kernel") {
  C2F_NEEDS_DEVICE();
  c2f::fused_operations const table{.broadcast_interior = &counted};
  auto const same = [&]<class First>(std::type_identity<First>, int wanted_calls) {
    for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      calls                               = 0;
      std::vector<at::Tensor> const fused = step<begins_with<First>>(&table, format), defined = step<begins_with<First>>(nullptr, format);
      REQUIRE(calls == wanted_calls);
      REQUIRE(fused.size() == defined.size());
      for (std::size_t i = 0; i < fused.size(); ++i)
        REQUIRE(tests::furthest(fused[i], defined[i]) <= 2e-5 * std::max(1.0, defined[i].abs().max().item<double>()));
    }
  };
  same(std::type_identity<c2f::conv<8, 5, 2>>{}, 2);
  same(std::type_identity<c2f::conv<8, 3>>{}, 0);  // not worth it for small windows
  same(std::type_identity<c2f::conv<16, 7, 1, 3, c2f::bias>>{}, 2);
  same(std::type_identity<c2f::conv<8, 25>>{}, 0);  // every window overlaps an edge
  same(std::type_identity<c2f::identity>{}, 0);
}
